"""Waits in tests until a condition holds, and fails if it never does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
#: The longest that a command may take, on a machine that is busy with something else; pytest's own limit comes later.
BUSY_SECONDS = 1500


def eventually(
    look: Callable[[], T], seconds: float = 120, *, tell: Callable[[], object] | None = None, pause: float = 0.05
) -> T:
    """Return the first true answer of `look`. A generous `seconds` costs nothing where all is well.

    Args:
        look: called until it returns something true; what it raises ends the wait.
        seconds: the longest wait.
        tell: returns what to add to the failure, such as a log.
        pause: seconds between two calls.

    Raises:
        AssertionError: none was true in time.
    """
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s; last: {found!r}" + (f"\n{tell()}" if tell else ""))
        time.sleep(pause)
    return found
