"""noxfile.py offers every part of scripts/test, and hands what follows to it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_nox_has_a_session_for_each_part() -> None:
    script = (ROOT / "scripts/test").read_text(encoding="utf-8")
    parts = re.search(r"There is no part \$part: all, ([a-z, ]+)\.", script)
    sessions = re.findall(r"^def ([a-z]+)\(", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert parts
    assert {*parts[1].split(", "), "mutate"} == set(sessions)
