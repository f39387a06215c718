"""The threat model names tests: each of them is there."""

import re

from tests.rig.command import ROOT

PAGE = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")


def test_each_promise_has_a_test_that_is_there() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    promises = PAGE.partition("\n## What we promise\n")[2].partition("\n## ")[0]
    rows = [
        line for line in promises.splitlines() if line.startswith("|") and not line.startswith(("|---", "| attack"))
    ]
    assert len(rows) >= 30
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.rpartition(" | ")[2])
        assert named, row
        assert set(named) <= there, row
