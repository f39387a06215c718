"""Jobs that wait for a runner, and its current run."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from model_server.jobs.late_stop import LateStop
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
    """The jobs a runner has in hand."""

    runner: Runner
    jobs: Sequence[PendingJob]
    stop: LateStop

    @property
    def is_deserted(self) -> bool:
        return all(job.is_withdrawn for job in self.jobs)
