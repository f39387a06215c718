"""Notifications between threads and requests of one server.

They only save time: waiters also poll, since other servers do not notify.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TypeVar

from model_server import bounds
from model_server.jobs.job import Claim, Job, JobResult

R = TypeVar("R")


class Notifier:
    """Wakes threads; nothing between looking and waiting is lost."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """Return the count to read before looking and hand to `wait`."""
        return self._count

    def notify(self) -> None:
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._count != seen, seconds)


class _Loop:
    def __init__(self) -> None:
        self.running = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def call(self, function: Callable[[], object]) -> None:
        """Call `function` in the loop; in its own thread at once, to spare a system call."""
        if threading.get_ident() == self._thread:
            function()
        else:
            with suppress(RuntimeError):  # the loop has ended
                self.running.call_soon_threadsafe(function)


async def result_of(future: Future[R]) -> R:
    """Await a future; one set in this loop need not wake it."""
    if not future.done():
        loop = _Loop()
        told = loop.running.create_future()
        future.add_done_callback(lambda _: loop.call(partial(_set, told, None)))
        await told
    return future.result()


def _set(told: asyncio.Future[R], result: R) -> None:
    if not told.done():  # else who waited was cancelled
        told.set_result(result)


class IdleWorker:
    """A waiting worker; whoever takes it must give it a job or None."""

    def __init__(self, claim: Claim) -> None:
        #: Under which a job is added that is this worker's from the beginning.
        self.claim = claim
        self.loop = _Loop()
        #: What it was given.
        self.given: asyncio.Future[Job | None] = self.loop.running.create_future()

    def give(self, job: Job | None) -> None:
        """Wake the worker; None: to look for a job. From any thread."""
        self.loop.call(partial(_set, self.given, job))


class IdleWorkers:
    """The idle workers, to whom new jobs can be handed."""

    def __init__(self, look_seconds: float) -> None:
        self._guard = threading.Lock()
        self._idle: list[IdleWorker] = []
        self._count = 0
        self._look_seconds = look_seconds
        #: Until the next notification and this time nobody need look again.
        self._empty_at = -1
        self._look_at = 0.0

    @property
    def count(self) -> int:
        """See `Notifier.count`."""
        return self._count

    def notify(self) -> None:
        with self._guard:
            self._count += 1
            workers, self._idle = self._idle, []
        for worker in workers:
            worker.give(None)

    def notify_one(self) -> None:
        """Have one worker look for a job: others of this server are told of it, too."""
        with self._guard:
            self._count += 1
        worker = self.take()
        if worker is not None:
            worker.give(None)

    def found_nothing(self, seen: int) -> None:
        self._empty_at, self._look_at = seen, time.monotonic() + self._look_seconds

    @property
    def pause(self) -> float:
        """Return the seconds until the next look; 0: now."""
        return max(0.0, self._look_at - time.monotonic()) if self._empty_at == self._count else 0.0

    def take(self) -> IdleWorker | None:
        with self._guard:
            return self._idle.pop() if self._idle else None

    async def wait(self, claim: Claim, seen: int, seconds: float) -> Job | None:
        """Wait for a job; None after `seconds` or a notification."""
        worker = IdleWorker(claim)
        with self._guard:
            if self._count != seen:
                return None
            self._idle.append(worker)
        late = worker.loop.running.call_later(seconds, self._leave, worker)
        try:
            return await worker.given
        finally:
            late.cancel()

    def _leave(self, worker: IdleWorker) -> None:
        """End a wait; a worker already taken is about to be given something."""
        with self._guard:
            if worker not in self._idle:
                return
            self._idle.remove(worker)
        worker.give(None)


class Watch:
    """A request that waits for a job's end, for the time of a `with` block."""

    def __init__(self, watchers: "Watchers", job_id: str) -> None:
        self._watchers = watchers
        self._job_id = job_id
        self._loop = _Loop()
        self._changed: asyncio.Future[None] = self._loop.running.create_future()
        #: None: it is not over, or somebody else knows how it ended.
        self.ended: JobResult | None = None

    def __enter__(self) -> "Watch":
        self._watchers.enter(self._job_id, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._watchers.leave(self._job_id, self)

    def notify(self, ended: JobResult | None) -> None:
        """Wake the request; from any thread."""
        self.ended = ended
        self._loop.call(self.look)

    def look(self) -> None:
        """Let the next `wait` return at once."""
        _set(self._changed, None)

    async def wait(self, seconds: float) -> None:
        if not self._changed.done():
            late = self._loop.running.call_later(seconds, self.look)
            try:
                await self._changed
            finally:
                late.cancel()
        self._changed = self._loop.running.create_future()


class Watchers:
    """The requests that wait."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._watches: dict[str, list[Watch]] = {}
        self._count = 0

    @property
    def count(self) -> int:
        return self._count

    @property
    def are_many(self) -> bool:
        return self._count > bounds.WAITING

    def watch(self, job_id: str) -> Watch:
        """Return a `with` block's watch of a job."""
        return Watch(self, job_id)

    def enter(self, job_id: str, watch: Watch) -> None:
        with self._guard:
            self._watches.setdefault(job_id, []).append(watch)
            self._count += 1

    def leave(self, job_id: str, watch: Watch) -> None:
        with self._guard:
            self._watches[job_id].remove(watch)
            self._count -= 1
            if not self._watches[job_id]:
                del self._watches[job_id]

    def notify(self, job_id: str, ended: JobResult | None = None) -> None:
        """Wake those who wait for a job."""
        with self._guard:
            for watch in self._watches.get(job_id, ()):
                watch.notify(ended)
