"""The default mode gives what a program gives by hand."""

import subprocess
from pathlib import Path

import pytest

from tests.functional.server.test_runner import oldest_and_newest
from tests.rig.both_modes import NEEDS, PROGRAMS, compare, write

WITH_LIBRARIES = [name for name in PROGRAMS if name.partition("_")[0] in NEEDS]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Makes a Python that has what NEEDS names."""
    folder = tmp_path_factory.mktemp("libraries")
    subprocess.run([oldest_and_newest()[-1], "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin/python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *NEEDS.values()], check=True)
    return python


@pytest.mark.parametrize("python", oldest_and_newest(), ids=["oldest", "newest"])
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in WITH_LIBRARIES])
def test_the_default_mode_gives_what_a_program_gives_by_hand(tmp_path: Path, name: str, python: str) -> None:
    assert_no_difference(tmp_path, name, python)


@pytest.mark.parametrize("name", WITH_LIBRARIES)
def test_the_default_mode_gives_what_a_program_with_libraries_gives_by_hand(
    tmp_path: Path, name: str, libraries: str
) -> None:
    assert_no_difference(tmp_path, name, libraries)


def assert_no_difference(folder: Path, name: str, python: str) -> None:
    seen = compare(write(folder / "program", PROGRAMS[name]), python)
    assert None not in seen.by_hand
    assert (seen.difference, seen) == ("", seen)
