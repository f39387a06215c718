"""Finds Git LFS pointers, which a checkout without LFS leaves."""

import stat
from collections.abc import Collection
from pathlib import Path

# Source: git-lfs, docs/spec.md: the first line, and what every pointer is smaller than.
_FIRST_LINE = b"version https://git-lfs.github.com/spec/v1"
_LARGEST = 1024  # bytes
_MOST_NAMES = 20


def is_pointer(path: Path) -> bool:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size >= _LARGEST:  # to open a pipe would wait for its writer
            return False
        with path.open("rb") as stream:
            return stream.read(len(_FIRST_LINE)) == _FIRST_LINE
    except OSError:
        return False


def sentence(names: Collection[str]) -> str:
    """Name the pointers and the remedy."""
    shown = ", ".join(list(names)[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    what = "1 file is a Git LFS pointer" if len(names) == 1 else f"{len(names)} files are Git LFS pointers"
    return f"{what}, not the content: {shown}{more}. Set `lfs: true` in actions/checkout, or run `git lfs pull`."
