"""Chooses layers for large files."""

from model_dockerize.program.types import Program, ProgramFile

LARGE = 10 * 2**20  # bytes
#: The largest files have one each, the rest share one; an image may have 127.
MOST_LAYERS = 8


def large_files(program: Program) -> tuple[tuple[ProgramFile, ...], ...]:
    """Group large files, so that a changed one is pushed alone."""
    listed = {program.packages.file, *program.packages.includes}  # copied before, with the packages
    large = [file for file in program.files if file.size >= LARGE and file.path not in listed]
    largest = sorted(large, key=lambda file: (-file.size, file.path))
    alone, rest = largest[: MOST_LAYERS - 1], largest[MOST_LAYERS - 1 :]
    groups = [(file,) for file in sorted(alone, key=lambda file: file.path)]
    return (*groups, tuple(sorted(rest, key=lambda file: file.path))) if rest else tuple(groups)
