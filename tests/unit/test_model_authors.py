"""The page for model authors names tests: each of them is there."""

import re

from tests.rig.command import ROOT

PAGE = (ROOT / "docs/model-authors.md").read_text(encoding="utf-8")


def test_each_promise_has_a_test_that_is_there() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    rows = [row for row in PAGE.splitlines() if row.startswith("| ") and not re.match(r"\| (promise|mode) \|", row)]
    assert len(rows) >= 20
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.rpartition(" | ")[2])
        assert named, row
        assert set(named) <= there, row
