"""Stops a runner, but never in the middle of what it does next."""

import asyncio
import threading
from collections.abc import Callable


class LateStop:
    """Calls `stop` until the work is over; for any thread."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._guard = threading.Lock()
        self._is_over = False

    def __call__(self) -> None:
        with self._guard:
            if not self._is_over:
                self._stop()

    async def over(self) -> None:
        """Note the work's end, after a running call."""
        if not self._guard.acquire(blocking=False):  # it is being stopped, which may take seconds
            await asyncio.to_thread(self._guard.acquire)
        self._is_over = True
        self._guard.release()
