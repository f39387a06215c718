"""Pages name tests for what they say: each of them is there."""

import re
from collections.abc import Iterator

import pytest

from tests.rig.command import ROOT

TESTS = ROOT / "tests"
FOLDERS = {"u": "unit", "f": "functional", "i": "integration"}
THERE = {
    name
    for path in TESTS.rglob("test_*.py")
    for name in re.findall(
        r"^ *(?:async )?(?:def|class) ([Tt]est_?\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
    )
}


def rows(page: str, section: str = "") -> Iterator[str]:
    """Yield the rows of the tables of a page, or of one section, without their heads."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = text.splitlines()
    for line, next_line in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("| ") and not next_line.startswith("|---"):
            yield line


@pytest.mark.parametrize(
    ("page", "section", "least"), [("threat-model.md", "What we promise", 30), ("model-authors.md", "", 20)]
)
def test_each_promise_has_a_test_that_is_there(page: str, section: str, least: int) -> None:
    promises = list(rows(page, section))
    assert len(promises) >= least
    for row in promises:
        named = re.findall(r"`(test_\w+)`", row.rpartition(" | ")[2])
        assert named, row
        assert set(named) <= THERE, row


def test_what_was_mended_of_the_findings_has_a_test_that_is_there() -> None:
    found = list(rows("aws-findings.md"))
    assert len(found) >= 60
    for row in found:
        assert set(re.findall(r"`((?:test_|Test)\w+)`", row)) <= THERE, row
        for folder, file in re.findall(r"\b([ufi]):([\w/]+\.py)", row):
            assert (TESTS / FOLDERS[folder] / file).is_file(), row


def test_each_fact_about_aws_has_a_source_and_a_test_that_is_there() -> None:
    found = list(rows("aws-facts.md"))
    assert len(found) >= 110
    files = [path for folder in ("tests", "lib") for path in (ROOT / folder).rglob("*.py")]
    for row in found:
        assert row.count(" | ") == 2, row
        _, source, test = row.split(" | ")
        assert source.strip(), row
        assert set(re.findall(r"`((?:test_|Test)\w+)`", test)) <= THERE, row
        named = re.findall(r"[\w/]+\.py", test)
        assert [name for name in named if not any(path.match(name) for path in files)] == [], row
