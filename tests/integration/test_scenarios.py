"""Each folder of tests/scenarios is a test: files, command lines, and what comes of them. Its README has the keys."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.integration.conftest import ROOT, Cli
from tests.rig import projects
from tests.rig.base_images import BASES, make_base
from tests.rig.docker_command import both_outputs, completed

SCENARIOS = ROOT / "tests" / "scenarios"
SHARED = SCENARIOS / "shared"
SCHEMA = yaml.safe_load((SCENARIOS / "schema.yml").read_text(encoding="utf-8"))
NAMES = sorted(path.name for path in SCENARIOS.iterdir() if path.is_dir() and path != SHARED)
EXPECTED = ("prints", "says", "never_says")
Case = dict[str, Any]  # as the schema has it


class Loader(yaml.SafeLoader):
    """YAML in which no key stands twice: the second would silently take the place of the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key stands twice, line {node.start_mark.line + 1}: {keys}"
        return super().construct_mapping(node, deep)


def read(text: str) -> Case:
    """Read a case.yml."""
    case: Case = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    jsonschema.validate(case, SCHEMA)
    return case


@pytest.fixture(scope="module")
def base() -> Iterator[Callable[[str], None]]:
    """Make base images, each once for all cases."""
    made: set[str] = set()

    def make(name: str) -> None:
        ref = f"localhost/md-base/{name}"
        if ref not in made:
            made.add(make_base(name, ref))

    yield make
    completed("image", "rm", "--force", *made)


def lay_out(name: str, case: Case, folder: Path) -> None:
    """Make the folder of a case: what it shares with others first, its own files over it."""
    folder.mkdir(parents=True)
    if "shared" in case:
        shutil.copytree(SHARED / case["shared"], folder, dirs_exist_ok=True)
    if "project" in case:
        projects.copy(case["project"], folder)
    shutil.copytree(SCENARIOS / name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("case.yml"))
    for path, text in case.get("files", {}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def run(command: Case, image: str, folder: Path, cli: Cli) -> None:
    """Run a command line in the folder, and compare."""
    program, *words = (word.replace("{image}", image) for word in shlex.split(command["run"]))
    if program == "docker":
        done = completed(*words, cwd=folder)
        code, printed, said = done.returncode, done.stdout.decode(), done.stderr.decode()
    else:
        called = cli(*words, cwd=folder)
        code, printed, said = called.returncode, called.stdout, called.stderr
    both = f"{printed}\n{said}"
    wanted = command.get("exit_code", 0)
    assert code == wanted, f"{command['run']}: exit code {code}, not {wanted}\n{both}"
    prints, says, never = ([text.replace("{image}", image) for text in command.get(key, [])] for key in EXPECTED)
    assert [text for text in prints if text not in printed] == [], f"{command['run']}: not printed\n{both}"
    assert [text for text in says if text not in both] == [], f"{command['run']}: not said\n{both}"
    assert [text for text in never if text in both] == [], f"{command['run']}: said\n{both}"
    for path, texts in command.get("files_after", {}).items():
        content = (folder / path).read_text(encoding="utf-8")
        assert [text for text in texts if text not in content] == [], f"{path}:\n{content}"


@pytest.mark.parametrize("name", NAMES)
def test_scenario(name: str, cli: Cli, base: Callable[[str], None], tmp_path: Path) -> None:
    case = read((SCENARIOS / name / "case.yml").read_text(encoding="utf-8"))
    folder, image = tmp_path / "Modelle für Köln" / name, f"case-{name}-{os.getpid()}"
    lay_out(name, case, folder)
    if "base" in case:
        base(case["base"])
    try:
        for command in case["commands"]:
            run(command, image, folder, cli)
        for answer in case.get("answers", []):
            job = ("run", "--rm", "--interactive", image, "run", "-", "-")
            output, said = both_outputs(*job, stdin=answer["input"])
            assert output.strip() == answer["output"]
            assert [text for text in answer.get("says", []) if text not in said] == [], said
    finally:
        completed("image", "rm", "--force", image)


def test_every_base_image_is_tried() -> None:
    """Compare the list in docs/base-images.md with the cases: a folder without one would look tested."""
    tried = {read(path.read_text(encoding="utf-8")).get("base") for path in SCENARIOS.glob("on-*/case.yml")}
    assert tried == {path.name.removesuffix(".Dockerfile") for path in BASES.iterdir()}


def test_the_readme_has_every_key() -> None:
    keys = SCHEMA["properties"]
    inner = [keys[name]["items"]["properties"] for name in ("commands", "answers")]
    text = (SCENARIOS / "README.md").read_text(encoding="utf-8")
    assert [key for key in (*keys, *inner[0], *inner[1]) if f"`{key}`" not in text] == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("about: x", "'commands' is a required property"),
        ("about: x\ncommands: [{run: docker ps, say: [x]}]", "'say' was unexpected"),
        ("about: x\ncommands: [{run: docker ps, says: x}]", "'x' is not of type 'array'"),
        ("about: x\ncommands: [{run: docker ps, says: []}]", r"\[\] should be non-empty"),
        ("about: x\ncommands: [{run: docker ps, says: ['']}]", "'' should be non-empty"),
        ("about: x\ncommands: [{run: docker ps, says: [a: b]}]", "is not of type 'string'"),
        ("about: x\ncommands: [{run: docker ps, exit_code: no}]", "False is not of type 'integer'"),
        ("about: x\ncommands: [{run: docker ps}]\nfile: {}", "'file' was unexpected"),
        ("about: x\ncommands: [{run: 'docker rmi {imag}'}]", "should not be valid under"),
        ("about: x\ncommands: [{run: docker ps, never_says: ['{imag}']}]", "should not be valid under"),
        ("about: x\ncommands: [{run: rm x}]", "does not match"),
        ("about: x\ncommands: [{run: docker ps, says: [a], says: [b]}]", "a key stands twice, line 2"),
    ],
)
def test_a_mistake_in_a_case_is_an_error(wrong: str, told: str) -> None:
    with pytest.raises((jsonschema.ValidationError, AssertionError), match=told):
        read(wrong)
