"""Jobs that wait for one of several runners, and the run that a runner has in hand."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from model_server.jobs.worker import Runner
from model_server.runner_client import Outcome
from model_server.tabular.joining import Records


@dataclass(eq=False)
class PendingJob:
    """A job that a member brought."""

    job_id: str
    input_path: str
    output_path: str
    timeout: float
    content: bytes | None
    #: None: it runs alone.
    records: Records | None
    arrived: float
    ended: asyncio.Future[Outcome]
    #: Its job is no longer wanted.
    is_withdrawn: bool = False
    run: "Run | None" = None

    def end(self, outcome: Outcome) -> None:
        if not self.ended.done():
            self.ended.set_result(outcome)

    def fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)


@dataclass(eq=False)
class Run:
    """The jobs that a runner has in hand. A late stop must not hit the same runner's next run."""

    runner: Runner
    jobs: Sequence[PendingJob]
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _is_over: bool = False

    @property
    def is_deserted(self) -> bool:
        return all(job.is_withdrawn for job in self.jobs)

    def stop(self) -> None:
        with self._guard:
            if not self._is_over:
                self.runner.stop()

    async def over(self) -> None:
        if not self._guard.acquire(blocking=False):  # it is being stopped, which may take seconds
            await asyncio.to_thread(self._guard.acquire)
        self._is_over = True
        self._guard.release()
