"""Reads what a program wrote to its log."""

import re
from collections.abc import Iterable, Sequence

_MOST = 9  # lines that are told whole
_LAST = 7
_FRAMES = 2
# Our runner writes it before each line of a program.
_PREFIX = re.compile(r"^\S+Z job \S+ \| ?")
_OF_SERVER = "model-server: "
# Python's words of a place in the program itself; the line of code comes next.
_OF_PROGRAM = re.compile(r'\s*File "/program/.+", line \d+')


def without_prefixes(lines: Iterable[str]) -> list[str]:
    """Cut time and job off printed lines."""
    return [_PREFIX.sub("", line) for line in lines]


def of_job(lines: Sequence[str]) -> list[str]:
    """Return the log of a Batch job without prefixes, and without what its server repeats."""
    last = max((place for place, line in enumerate(lines) if line.startswith(_OF_SERVER)), default=len(lines))
    said, error = without_prefixes(lines[:last]), [line.removeprefix(_OF_SERVER) for line in lines[last:]]
    # The first line of an error may be the server's own.
    for own in (0, 1):
        if "\n".join(said).rstrip().endswith("\n".join(error[own:]).rstrip()):
            return [*said, *error[:own]]
    return error if error[-len(said) :] == said else [*said, *error]


def short(lines: Sequence[str]) -> list[str]:
    """Leave out lines, but not those of a traceback that lie in the program."""
    if len(lines) <= _MOST:
        return list(lines)
    frames = [place for place, line in enumerate(lines) if _OF_PROGRAM.match(line)][-_FRAMES:]
    # The first says whose log it is, the last ones what happened.
    kept = {0, *frames, *(frame + 1 for frame in frames), *range(len(lines) - _LAST, len(lines))}
    told, left_out = list[str](), list[str]()
    for place, line in enumerate(lines):
        if place not in kept:
            left_out.append(line)
            continue
        told += left_out if len(left_out) < 2 else [f"… {len(left_out)} more lines with -v"]
        told.append(line)
        left_out = []
    return told
