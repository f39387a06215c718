"""The one way to wait for AWS: look, pause, look again, until it is over or takes too long.

botocore's waiters pause for 6 to 30 seconds, say nothing, and know no reason to give up. What is followed (a rollout,
a stack, jobs, a log) has a pace of its own.
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
    """Return what `look` shows as soon as it `is_over`: a look a second at first, later every two.

    Args:
        late: what to raise when `seconds` are over, of what was seen last; None: that is good enough.
        begin: called before the first pause.
    """
    waited, pause, now = 0.0, 1.0, look()
    if not is_over(now):
        begin()
    while not is_over(now):
        if waited >= seconds:
            if late:
                raise late(now, waited)
            break
        (sleep or time.sleep)(pause)
        waited, pause, now = waited + pause, min(pause * 1.3, 2.0), look()
    return now


def not_ready(what: str) -> Late[object]:
    """Return what says that `what` is not as it has to be yet."""
    remedy = "Run again: what was made is found and waited for."
    return lambda _, waited: AwsError(f"{what} is not ready after {waited:.0f} s.", remedy)
