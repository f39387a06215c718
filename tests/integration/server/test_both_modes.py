"""The default mode gives what a program gives by hand."""

import subprocess
from pathlib import Path

import pytest

from tests.rig.both_modes import NEEDS, PROGRAMS, compare, write
from tests.unit.server.test_runner import oldest_and_newest


@pytest.mark.parametrize("python", oldest_and_newest(), ids=["oldest", "newest"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_default_mode_gives_what_a_program_gives_by_hand(tmp_path: Path, name: str, python: str) -> None:
    library = NEEDS.get(name.partition("_")[0])
    if library and subprocess.run([python, "-c", f"import {library}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} has no {library}")
    seen = compare(write(tmp_path / "program", PROGRAMS[name]), python)
    assert None not in seen.by_hand
    assert (seen.difference, seen) == ("", seen)
