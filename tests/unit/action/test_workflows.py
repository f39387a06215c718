"""The workflows that we show: only inputs and outputs that exist, and as short as the documentation says."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_dockerize.settings import INPUTS, OUTPUTS
from releasing.references import WORKFLOW, named

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / "docs/workflows").glob("*.yml"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAME = named((ROOT / WORKFLOW).read_text(encoding="utf-8"))
OURS = re.compile(rf"({re.escape(NAME)}@|\./$)")


def steps_of(document: Any) -> list[dict[str, Any]]:
    """Return every step anywhere in a piece of a workflow."""
    if isinstance(document, list):
        return [step for item in document for step in steps_of(item)]
    if isinstance(document, dict):
        own = [document] if isinstance(document.get("uses"), str) else []
        return own + [step for item in document.values() for step in steps_of(item)]
    return []


def scripts_of(document: Any) -> list[str]:
    """Return every `run:` of a workflow."""
    if isinstance(document, list):
        return [script for item in document for script in scripts_of(item)]
    if isinstance(document, dict):
        own = [document["run"]] if isinstance(document.get("run"), str) else []
        return own + [script for item in document.values() for script in scripts_of(item)]
    return []


def snippets() -> list[tuple[str, str]]:
    """Return all YAML that a reader may copy: whole workflows, and pieces in pages."""
    pieces = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in WORKFLOWS]
    pieces += [(f".github/{path.name}", path.read_text("utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")]
    for page in PAGES:
        found = re.findall(r"^```ya?ml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        pieces += [(f"{page.relative_to(ROOT)} {number}", text) for number, text in enumerate(found, 1)]
    return pieces


@pytest.mark.parametrize(("name", "text"), snippets(), ids=lambda value: value if len(value) < 60 else "")
def test_only_inputs_and_outputs_that_exist(name: str, text: str) -> None:
    ours = [step for step in steps_of(yaml.safe_load(text)) if OURS.match(step["uses"])]
    for step in ours:
        assert set(step.get("with") or {}) <= {option.name for option in INPUTS}
    for step in ours:
        if "id" in step:
            used = set(re.findall(rf"steps\.{step['id']}\.outputs\.([\w-]+)", text))
            assert used <= {output.name for output in OUTPUTS}


def test_a_pull_request_gets_no_token_in_the_reusable_workflow() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/model.yml").read_text(encoding="utf-8"))["jobs"]
    assert {name: job["if"] for name, job in jobs.items()} == {
        "check": "github.event_name == 'pull_request'",
        "deploy": "github.event_name != 'pull_request'",
    }
    assert jobs["check"]["permissions"] == {"contents": "read"}
    assert "environment" not in jobs["check"]
    (ours,) = [step for step in jobs["check"]["steps"] if OURS.match(step["uses"])]
    assert ours["with"] == {"program-path": "${{ inputs.program-path }}", "push-to-ecr": False}


def test_a_private_copy_is_not_red_for_want_of_code_scanning() -> None:
    """Keep code scanning to public repositories, where it is GitHub's; private ones buy it."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/codeql.yml").read_text(encoding="utf-8"))["jobs"]
    assert [job.get("if") for job in jobs.values()] == ["${{ !github.event.repository.private }}"]


def test_the_snippets_are_found() -> None:
    used = [
        step["uses"] for _, text in snippets() for step in steps_of(yaml.safe_load(text)) if OURS.match(step["uses"])
    ]
    assert len(used) >= 12


def test_every_action_is_pinned_by_commit_and_alike_everywhere() -> None:
    files = [*WORKFLOWS, *(ROOT / ".github/workflows").glob("*.yml"), *PAGES]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    used = [found[1] for line in lines if (found := re.search(r"^ *-? *uses: (.*)", line)) and not OURS.match(found[1])]
    local = [each for each in used if each.startswith(("./", f"{NAME}/"))]
    # The README's first workflow is to be read, not copied into production.
    readme = [each for each in used if re.fullmatch(r"actions/checkout@v\d+", each)]
    pins = {found[1]: set() for each in used if (found := re.match(r"([\w-]+/[\w-]+)", each)) and each not in local}
    for each in used:
        if each not in local + readme:
            found = re.fullmatch(r"([\w-]+/[\w-]+)[\w/-]*@([0-9a-f]{40} # v\d+\.\d+\.\d+)", each)
            assert found, each
            pins[found[1]].add(found[2])
    assert {action: len(commits) for action, commits in pins.items()} == dict.fromkeys(pins, 1)
    assert len(pins) >= 9
    (checkout,) = pins["actions/checkout"]
    assert readme == [f"actions/checkout@{checkout.split()[2].split('.')[0]}"]


def lines_of(name: str) -> int:
    """Count the lines that somebody must write and keep right: the contents of `with:`, `run:` and `env:` of steps."""
    text = (ROOT / "docs/workflows" / name).read_text(encoding="utf-8")
    count, inside = 0, 0
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if inside and line.strip() and indent <= inside:
            inside = 0
        if inside and line.strip():
            count += 1
        elif begun := re.fullmatch(r"( +)(?:- )?(?:with:|env:|run: \|)", line):
            inside = len(begun[1])
        elif re.match(r" +(- )?run: \S", line):
            count += 1
    return count


def test_ours_is_short_where_the_hand_made_one_is_long() -> None:
    assert lines_of("by-model-dockerize.yml") <= 15
    assert lines_of("by-hand.yml") >= 80
    by_hand = steps_of(yaml.safe_load((ROOT / "docs/workflows/by-hand.yml").read_text(encoding="utf-8")))
    assert len({step["uses"].split("@")[0] for step in by_hand}) >= 6
