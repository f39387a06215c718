"""The default mode gives what a program gives by hand."""

from pathlib import Path

import pytest

from tests.functional.server.test_runner import oldest_and_newest
from tests.rig import library_programs
from tests.rig.both_modes import FILES, compare, install, needs, write
from tests.rig.small_programs import PROGRAMS

#: Those with larger libraries are run by hand: python -m tests.rig.both_modes --environment FOLDER
LIBRARIES = {"numpy", "pandas"}
WITH_LIBRARIES = [name for name in FILES if LIBRARIES.issuperset(needs(name))]


@pytest.fixture(scope="module")
def python_with_libraries(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a Python that has LIBRARIES."""
    return install(tmp_path_factory.mktemp("libraries"), WITH_LIBRARIES, oldest_and_newest()[-1])


@pytest.mark.parametrize("python", oldest_and_newest(), ids=["oldest", "newest"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_default_mode_gives_what_a_program_gives_by_hand(tmp_path: Path, name: str, python: str) -> None:
    assert_no_difference(tmp_path, name, python)


@pytest.mark.parametrize("name", WITH_LIBRARIES)
def test_the_default_mode_gives_what_a_program_with_libraries_gives_by_hand(
    tmp_path: Path, name: str, python_with_libraries: str
) -> None:
    assert_no_difference(tmp_path, name, python_with_libraries)


@pytest.mark.parametrize("name", library_programs.PROGRAMS)
def test_the_default_mode_gives_what_a_program_of_the_library_gives_by_hand(
    tmp_path: Path, name: str, library_python: str
) -> None:
    assert_no_difference(tmp_path, name, library_python)


@pytest.mark.parametrize("name", library_programs.LOADED)
def test_what_differs_from_process_to_process_is_served_as_the_library_does(
    tmp_path: Path, name: str, library_python: str
) -> None:
    seen = compare(write(tmp_path / "program", name), library_python)
    assert len(set(seen.by_hand)) == len(seen.by_hand)
    assert seen.mode == "resident (because its sample has another result in another new process)"
    assert len(set(seen.by_runner)) == 1


def assert_no_difference(folder: Path, name: str, python: str) -> None:
    seen = compare(write(folder / "program", name), python)
    assert None not in seen.by_hand
    assert (seen.difference, seen) == ("", seen)
