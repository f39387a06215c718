"""Jobs that are recorded when they are over, as most soon are."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy import Connection

from model_server.jobs.commits import Commits
from model_server.jobs.job import Claim, Job, JobResult, State

#: A job that takes longer is recorded before it is over: others are to see it, and no crash is to lose it.
_DEFERRED_SECONDS = 0.1
#: Jobs that end within this time share a sync of the disk, which costs more than all else that the disk does for a job.
_GATHER_SECONDS = 0.002
#: Rows that share a statement: it has a few dozen values for each, and databases bound their number.
_BATCH_ROWS = 16


@dataclass
class _Deferred:
    job: Job
    due: float
    ended: JobResult | None = None
    #: The job, once it is recorded.
    future: Future[Job] = field(default_factory=Future)


Row = tuple[Job, JobResult | None]
_Batch = list[_Deferred]


class DeferredJobs:
    """This server's jobs that are not recorded yet, oldest first.

    They are made and claimed in one loop, and end in any thread. Those that end in one turn share a statement: each
    holds both threads up.
    """

    def __init__(self, commits: Commits, insert: Callable[[Sequence[Row], Connection], None]) -> None:
        self._commits = commits
        self._insert = insert
        self._jobs: dict[str, _Deferred] = {}
        #: Those of them that no worker has claimed.
        self._waiting: OrderedDict[str, _Deferred] = OrderedDict()
        #: A job that is no longer among these was posted to be recorded.
        self._guard = threading.Lock()
        #: What ended in the loop and is still to be begun: held for a moment, then posted.
        self._batch: _Batch = []
        self._is_posted = False
        #: Ends the hold.
        self._hold: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.AbstractEventLoop | None = None

    def __contains__(self, job_id: str) -> bool:
        with self._guard:
            return job_id in self._jobs

    @property
    def running(self) -> int:
        return len(self._jobs) - len(self._waiting)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def add(self, job: Job) -> Future[Job]:
        loop = asyncio.get_running_loop()
        deferred = _Deferred(job, loop.time() + _DEFERRED_SECONDS)
        deferred.future.set_running_or_notify_cancel()  # who no longer waits for it does not undo it
        with self._guard:
            self._jobs[job.id] = deferred
            if job.state is State.CREATED:
                self._waiting[job.id] = deferred
        if self._sweeping is not loop:
            self._sweeping = loop
            loop.call_at(deferred.due, self._sweep, loop)
        return deferred.future

    def claim(self, claim: Claim, now: float, build_id: str | None) -> Job | None:
        with self._guard:
            if not self._waiting:
                return None
            _, deferred = self._waiting.popitem(last=False)
            deferred.job = replace(
                deferred.job,
                state=State.IN_PROGRESS,
                attempts=1,
                token=1,
                lease_owner=claim.owner,
                lease_expires=now + claim.lease_seconds,
                started=now,
                build_id=build_id,
            )
            return deferred.job

    def record(self, job_id: str, ended: JobResult | None = None) -> Future[Job] | None:
        """Record a job now, or with others that are about to end; None: it is, or is about to be."""
        loop = asyncio._get_running_loop()
        with self._guard:
            deferred = self._jobs.pop(job_id, None)
            if deferred is not None:
                self._waiting.pop(job_id, None)
                deferred.ended = ended
            if loop is not None:
                self._gather(deferred, loop)
        if loop is None and deferred is not None:  # its results are not for the loop
            self._post([deferred])
        return None if deferred is None else deferred.future

    def record_all(self) -> None:
        """Record what is left, when the loop has ended."""
        for job_id in list(self._jobs):
            self.record(job_id)
        if self._batch and not self._is_posted:
            self._post(self._batch)

    def _gather(self, deferred: _Deferred | None, loop: asyncio.AbstractEventLoop) -> None:
        """Add to the batch, and hold that while it has fewer jobs than are left: most of those end soon, too.

        None: whoever asks next must find all that was recorded.
        """
        if len(self._batch) >= _BATCH_ROWS:
            self._batch, self._is_posted = [], False
        if deferred is not None:
            self._batch.append(deferred)
        if self._is_posted or not self._batch:
            return
        if deferred is None or deferred.ended is None or len(self._batch) >= min(len(self._jobs), _BATCH_ROWS):
            self._release()
        elif self._hold is None:
            self._hold = loop.call_later(_GATHER_SECONDS, self._end_hold)

    def _end_hold(self) -> None:
        with self._guard:
            self._release()

    def _release(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        if not self._is_posted:
            self._is_posted = True
            self._post(self._batch)

    def _post(self, batch: _Batch) -> None:
        self._commits.post(partial(self._run, batch), is_one_statement=True).add_done_callback(
            partial(self._tell, batch)
        )

    def _close(self, batch: _Batch) -> None:
        with self._guard:
            if self._batch is batch:
                self._batch, self._is_posted = [], False

    def _run(self, batch: _Batch, connection: Connection) -> None:
        self._close(batch)
        self._insert([(deferred.job, deferred.ended) for deferred in batch], connection)

    def _tell(self, batch: _Batch, recorded: Future[None]) -> None:
        self._close(batch)  # where the database is away it was never begun
        error = recorded.exception()
        if error is not None and len(batch) > 1:  # so that only the one at fault fails
            for deferred in batch:
                self._post([deferred])
            return
        for deferred in batch:
            if error is None:
                deferred.future.set_result(deferred.job)
            else:
                deferred.future.set_exception(error)
        batch.clear()  # the thread of the database holds its last batch until the next

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        for job_id, deferred in list(self._jobs.items()):
            if deferred.due > loop.time():
                loop.call_at(deferred.due, self._sweep, loop)
                return
            self.record(job_id)
        self._sweeping = None
