"""The one way in which tests wait: until a condition holds, never longer, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    look: Callable[[], T], seconds: float = 120, *, tell: Callable[[], object] | None = None, pause: float = 0.05
) -> T:
    """Returns the first true answer of `look`. A generous `seconds` costs nothing where all is well.

    Args:
        look: is called again and again; what it raises ends the wait.
        seconds: how long at most.
        tell: what the failure says beside the last answer, such as a log.
        pause: seconds between two calls.

    Raises:
        AssertionError: none came in time.
    """
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s; last: {found!r}" + (f"\n{tell()}" if tell else ""))
        time.sleep(pause)
    return found
