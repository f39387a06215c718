"""A worker's runner where jobs are joined (batches.py)."""

from typing import Protocol

from model_server.jobs.pending import PendingJob
from model_server.runner_client import Outcome


class Batches(Protocol):
    """Joins the jobs of members (batches.Batches)."""

    @property
    def mode(self) -> str: ...

    @property
    def folder(self) -> str: ...

    def bring(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> PendingJob: ...

    def withdraw(self, job: PendingJob) -> None: ...

    def leave(self, member: "Member") -> None: ...


class Member:
    """Stands in for the runners it shares."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._job: PendingJob | None = None
        self._is_closed = False

    @property
    def mode(self) -> str:
        return self._batches.mode

    @property
    def folder(self) -> str:
        return self._batches.folder

    def prepare(self) -> None:
        """Do nothing: `Batches` prepares the runners."""

    async def ready(self) -> None:
        """Do nothing: the folder is always there."""

    def said(self, job_id: str) -> tuple[str, ...] | None:
        """Return this job's output; that of a joined run may be other jobs'."""
        job = self._job
        if job is None or job.job_id != job_id:
            return None
        run = job.run
        return () if run is None else run.runner.said(job_id) or ()

    async def work(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> Outcome:
        """Run the job, alone or with others; raise as a runner."""
        job = self._job = self._batches.bring(job_id, input_path, output_path, timeout, content)
        try:
            if self._is_closed:  # behind the line above: `close` sees the job
                self._batches.withdraw(job)
            return await job.ended
        finally:
            self._job = None

    def stop(self) -> None:
        """Withdraw the job, if any. From any thread."""
        job = self._job
        if job is not None:
            self._batches.withdraw(job)

    def close(self) -> None:
        """Withdraw the job and take no more; the last one closes the runners."""
        self._is_closed = True
        self.stop()
        self._batches.leave(self)
