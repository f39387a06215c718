"""Directories beneath a root, whatever containers put there: no link, no step up."""

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

_FLAGS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Names a directory and opens nothing: what a container has made its own is not for this process to read.
_TO_NAME = _FLAGS | os.O_PATH
#: As AWS makes the root of a file system.
_MODE = 0o755


class OutsideError(Exception):
    """A path leads over a link, a file or up."""


def directory(root: Path, path: str, settle: Callable[[int], None] = lambda _: None) -> str:
    """Return `path` in plain form; make what is missing beneath `root`.

    Args:
        settle: gets the last directory, open, if it is new.

    Raises:
        OutsideError: something on the way is no directory.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise OutsideError(path)
    with suppress(FileExistsError):  # another task may make it at the same time
        root.mkdir(parents=True)
        root.chmod(_MODE)
    try:
        with ExitStack() as opened:
            place = _kept(opened, os.open(root, _TO_NAME))
            for number, part in enumerate(parts):
                inner, is_new = _step(place, part)
                place = _kept(opened, inner)
                if is_new and number == len(parts) - 1:
                    settle(place)
    except OSError as error:
        raise OutsideError(path) from error
    return "/".join(parts)


def _kept(opened: ExitStack, place: int) -> int:
    opened.callback(os.close, place)
    return place


def _step(place: int, name: str) -> tuple[int, bool]:
    with suppress(FileNotFoundError):
        return os.open(name, _TO_NAME, dir_fd=place), False
    try:
        os.mkdir(name, dir_fd=place)
    except FileExistsError:  # another task was first
        return os.open(name, _TO_NAME, dir_fd=place), False
    made = os.open(name, _FLAGS | os.O_RDONLY, dir_fd=place)
    os.fchmod(made, _MODE)
    return made, True
