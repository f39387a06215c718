"""Inputs that docs and workflows show: each set of them is taken as it stands."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from model_dockerize.pipeline import make
from model_dockerize.settings import INPUTS, to_settings
from model_dockerize.settings.own_file import from_file
from model_dockerize.settings.sources import from_inputs

ROOT = Path(__file__).resolve().parents[3]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
NAMES = {each.name for each in INPUTS}
#: Their values are nobody's to show.
KEYS = {each.name for each in INPUTS if each.key}

_EXPRESSION = re.compile(r"\$\{\{[^}]*\}\}")  # what only a run of the workflow knows


def steps(found: object) -> Iterator[dict[str, object]]:
    """Yield what is given to each step that uses the Action, however deep it stands."""
    if isinstance(found, dict):
        if str(found.get("uses", "")).startswith("org/model-dockerize@"):
            yield found.get("with", {})
        for each in found.values():
            yield from steps(each)
    elif isinstance(found, list):
        for each in found:
            yield from steps(each)


def blocks(text: str) -> Iterator[str]:
    yield from re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


STEPS = [
    *(
        (path.name, given)
        for path in sorted((ROOT / "docs/workflows").glob("*.yml"))
        for given in steps(yaml.safe_load(path.read_text("utf-8")))
    ),
    *(
        (page.name, given)
        for page in PAGES
        for block in blocks(page.read_text("utf-8"))
        for given in steps(yaml.safe_load(block))
    ),
]
FILES = [
    (page.name, block)
    for page in PAGES
    for block in blocks(page.read_text("utf-8"))
    if isinstance(found := yaml.safe_load(block), dict) and found.keys() <= NAMES
]


@pytest.mark.parametrize(("page", "given"), STEPS)
def test_a_step_is_taken(tmp_path: Path, page: str, given: dict[str, object]) -> None:
    said = {name: str(value) for name, value in given.items() if name not in KEYS}
    texts = {
        name: re.sub(r"\$\{\{.*?\}\}", "x", text) for name, text in said.items() if not _EXPRESSION.fullmatch(text)
    }
    settings = to_settings([from_inputs({f"INPUT_{name.upper()}": text for name, text in texts.items()}, tmp_path)])
    make._check_tasks(settings.service)


@pytest.mark.parametrize(("page", "text"), FILES)
def test_a_file_is_taken(tmp_path: Path, page: str, text: str) -> None:
    path = tmp_path / "model-dockerize.yml"
    path.write_text(text, encoding="utf-8")
    make._check_tasks(to_settings([from_file(path)]).service)


def test_many_are_looked_at() -> None:
    assert len(STEPS) > 15
    assert len(FILES) > 5
