"""How threads and requests of one server learn at once what happens to jobs. Nothing here is needed for correctness:
whoever waits also looks again after a while, for other servers ring no bell of ours."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """Wakes threads; a ring between looking and waiting is not lost."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it rang: to be read before one looks, and handed to `wait`."""
        return self._rings

    def ring(self) -> None:
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, heard: int, seconds: float) -> None:
        """Returns once it rang more often than `heard`, or after `seconds`."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != heard, seconds)


class Watchers:
    """Requests that wait for the end of a job."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._events: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    @contextmanager
    def watch(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event of the running loop that is set when the job changes."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._guard:
            self._events.setdefault(job_id, []).append(entry)
        try:
            yield entry[1]
        finally:
            with self._guard:
                self._events[job_id].remove(entry)
                if not self._events[job_id]:
                    del self._events[job_id]

    def tell(self, job_id: str) -> None:
        """Wakes those who wait for this job."""
        with self._guard:
            for loop, event in self._events.get(job_id, ()):
                loop.call_soon_threadsafe(event.set)
