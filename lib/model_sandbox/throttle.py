"""Limits how often EC2 answers each caller, by a bucket of requests.

Source: Amazon EC2 developer guide, "Request throttling for the Amazon EC2 API": non-mutating actions, 100 and 20.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_MOST, _A_SECOND = 100.0, 20.0


@dataclass
class Throttle:
    """Counts callers' reads of EC2; thread-safe."""

    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, caller: str, service: str, action: str) -> bool:
        """Count this request; tell whether to answer it."""
        if service != "ec2" or not action.startswith("Describe"):
            return True
        with self._lock:
            now = self.clock()
            left, then = self._left.get(caller, (_MOST, now))
            left = min(_MOST, left + (now - then) * _A_SECOND)
            self._left[caller] = (max(0.0, left - 1), now)
            return left >= 1


def refusal() -> tuple[int, dict[str, str], bytes]:
    body = (
        b"<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error>"
        b"</Errors><RequestID>throttled</RequestID></Response>"
    )
    return 503, {"Content-Type": "text/xml"}, body
