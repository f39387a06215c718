"""The one way to wait for AWS.

botocore's waiters pause for 6 to 30 seconds, say nothing, and never give up early.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from model_dockerize.errors import AwsError

T = TypeVar("T")
Sleep = Callable[[float], None]
Late = Callable[[T, float], Exception]


def wait_until(
    look: Callable[[], T],
    is_over: Callable[[T], object],
    seconds: float,
    late: Late[T] | None,
    sleep: Sleep | None = None,
    begin: Callable[[], None] = lambda: None,
) -> T:
    """Return what `look` shows once it `is_over`.

    Args:
        late: makes the error after `seconds`; None: return what was seen last.
        begin: called before the first pause.
    """
    waited, pause, now = 0.0, 1.0, look()
    while not is_over(now):
        if not waited:
            begin()
        if waited >= seconds:
            if late:
                raise late(now, waited)
            break
        (sleep or time.sleep)(pause)
        waited, pause, now = waited + pause, min(pause * 1.3, 2.0), look()
    return now


def not_ready(what: str) -> Late[object]:
    """Return a `late` for `wait_until`."""
    remedy = "Run again: what was made is found and waited for."
    return lambda _, waited: AwsError(f"{what} is not ready after {waited:.0f} s.", remedy)
