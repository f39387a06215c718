"""The queue: jobs claimed under a lease and ended under a fencing token.

Each server times leases by its own clock. While a server of a job's build lives, other builds leave it the job: a
version under test takes nothing from the old one.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Update, and_, delete, func, select, update

from model_server.jobs.commits import Commits, Need
from model_server.jobs.deferred import DeferredJobs, Row
from model_server.jobs.job import CallbackState, Claim, Job, JobRequest, JobResult, Lease, State
from model_server.jobs.questions import Questions
from model_server.jobs.schema import jobs as _jobs
from model_server.jobs.schema import prepare
from model_server.jobs.servers import Servers
from model_server.jobs.statements import COLUMNS, LISTED, Statements, changes_one, end_of, held, read_job, storable

_FREE = {"state": State.CREATED, "lease_owner": None, "lease_expires": None}


class Queue(Questions):
    """The jobs of one model; for any thread, but for methods for a coroutine."""

    def __init__(
        self,
        engine: Engine,
        model: str,
        max_attempts: int,
        clock: Callable[[], float] = time.time,
        build_id: str | None = None,
    ) -> None:
        """Open the queue on `engine`, making or upgrading its tables.

        Args:
            max_attempts: of a job whose workers die.
            clock: gives seconds since the epoch.

        Raises:
            VolumeError: it is the queue of another model.
        """
        self._statements = Statements(engine.dialect)
        super().__init__(engine, self._statements)
        self._commits = Commits(engine)
        #: Those that are recorded at their end.
        self.deferred = DeferredJobs(self._commits, self._insert)
        self._max_attempts = max_attempts
        self._build_id = build_id
        self._clock = clock
        #: Those that take jobs of this queue.
        self.servers = Servers(self._reader, self._commits, build_id or "")
        self._commits.run(partial(prepare, model=model))

    def new(
        self, job_id: str, job_request: JobRequest, content: bytes | None = None, claim: Claim | None = None
    ) -> Job:
        """Return a new job, not yet in the queue.

        Args:
            content: None: the input is stored already.
            claim: of a waiting worker, whose job it is from the beginning.
        """
        now = self._clock()
        return Job(
            id=job_id,
            state=State.CREATED if claim is None else State.IN_PROGRESS,
            attempts=0 if claim is None else 1,
            token=0 if claim is None else 1,
            **vars(job_request),
            lease_owner=None if claim is None else claim.owner,
            lease_expires=None if claim is None else now + claim.lease_seconds,
            result=None,
            error=None,
            created=now,
            started=None if claim is None else now,
            finished=None,
            callback_state=None,
            callback_attempts=None,
            callback_due=None,
            callback_error=None,
            build_id=None if claim is None else self._build_id,
            content=content,
        )

    def put(self, job_id: str, job_request: JobRequest) -> Job:
        return self.add(self.new(job_id, job_request)).result()

    def add(self, job: Job) -> Future[Job]:
        """Add a job; return it, or the earlier one with its key."""
        return self._commits.post(partial(self._add, job))

    def _add(self, job: Job, connection: Connection) -> Job:
        if self._statements.add.changes(connection, self._values(job, None)):
            return job
        same = _jobs.c.idempotency_key == job.idempotency_key
        return read_job(connection.execute(select(*COLUMNS).where(same)).one())

    def defer(self, job: Job) -> Future[Job]:
        """Add a job without a key, to be recorded soon; a crash before loses it. For a coroutine."""
        return self.deferred.add(job)

    def _insert(self, rows: Sequence[Row], connection: Connection) -> None:
        self._statements.add.insert(connection, [self._values(job, ended) for job, ended in rows])

    def _values(self, job: Job, ended: JobResult | None) -> dict[str, Any]:
        end = {} if ended is None else end_of(job, ended, self._clock())
        return {**vars(job), "accepted_build_id": self._build_id, "input_data": job.content, **end}

    def settle(self, job_id: str) -> Future[bool]:
        """Make a deferred job durable; False: there is none."""
        self.deferred.record(job_id)
        touch = update(_jobs).where(_jobs.c.id == job_id).values(attempts=_jobs.c.attempts)
        return self._commits.post(changes_one(touch))

    def claim(self, owner: str, lease_seconds: float) -> Job | None:
        return self.claim_next(owner, lease_seconds).result()

    def claim_deferred(self, claim: Claim) -> Job | None:
        """Claim the oldest waiting deferred job. For a coroutine."""
        return self.deferred.claim(claim, self._clock(), self._build_id)

    def claim_next(self, owner: str, lease_seconds: float) -> Future[Job | None]:
        """Claim the oldest job of this build, or of one without a server.

        After `max_attempts` a job fails instead: it may kill the workers.
        """
        # Where the database and all workers share a host, its loss of power ends them too: the job is free again.
        return self._commits.post(partial(self._claim, owner, lease_seconds), Need.COMMIT)

    def _claim(self, owner: str, lease_seconds: float, connection: Connection) -> Job | None:
        while True:
            now = self._clock()
            values = {"p_owner": owner, "p_now": now, "p_expires": now + lease_seconds, "p_build": self._build_id}
            row = self._statements.claim.first(connection, values)
            if row is None:
                return None
            job = read_job(row, content=row[-1])
            if job.attempts <= self._max_attempts:
                return job
            error = f"The job was given up: its worker died in each of {self._max_attempts} attempts."
            connection.execute(held(job).values(attempts=self._max_attempts))
            self._end(job, JobResult(error, None, None), now, connection)

    def expire(self, lease: Lease) -> bool:
        """Give back a job whose lease is unchanged; the attempt counts."""
        same = (_jobs.c.id == lease.id, _jobs.c.token == lease.token, _jobs.c.state == State.IN_PROGRESS)
        expires = _jobs.c.lease_expires
        unchanged = expires.is_(None) if lease.expires is None else expires == lease.expires
        return self._change(update(_jobs).where(*same, unchanged).values(**_FREE))

    def heartbeat(self, job: Job, lease_seconds: float) -> bool:
        """Extend the lease; False if it is lost."""
        self.deferred.record(job.id)
        return self._change(held(job).values(lease_expires=self._clock() + lease_seconds))

    def complete(self, job: Job, result: str) -> bool:
        return bool(self.end(job, JobResult(None, result, None)).result())

    def fail(self, job: Job, error: str) -> bool:
        return bool(self.end(job, JobResult(error, None, None)).result())

    def end(self, job: Job, ended: JobResult) -> Future[Any]:
        """Record a job's end; false: the lease is lost."""
        return self.deferred.record(job.id, ended) or self._commits.post(partial(self._end, job, ended, self._clock()))

    def _end(self, job: Job, ended: JobResult, now: float, connection: Connection) -> bool:
        values = {
            "p_id": job.id,
            "p_token": job.token,
            "p_state": ended.state,
            "p_result": ended.result,
            "p_content": ended.content,
            "p_error": None if ended.error is None else storable(ended.error),
            "p_now": now,
        }
        return self._statements.end.changes(connection, values)

    def release(self, job: Job) -> bool:
        """Give the job back; the attempt does not count."""
        self.deferred.record(job.id)
        return self._change(held(job).values(**_FREE, attempts=_jobs.c.attempts - 1))

    def abandon(self, job: Job) -> bool:
        """Give back a job that broke something; the attempt counts."""
        self.deferred.record(job.id)
        return self._change(held(job).values(**_FREE))

    def abandon_all(self, owner: str) -> int:
        """Dismiss a dead or ending server; return the number of jobs given back."""
        self.deferred.record_all()
        self.servers.dismiss(owner)
        held = and_(_jobs.c.state == State.IN_PROGRESS, _jobs.c.lease_owner == owner)
        return self._commits.run(
            lambda connection: connection.execute(update(_jobs).where(held).values(**_FREE)).rowcount
        )

    def rename(self, job_id: str, name: str) -> Job | None:
        self.deferred.record(job_id)
        statement = update(_jobs).where(_jobs.c.id == job_id).values(name=name).returning(*LISTED)
        row = self._commits.run(lambda connection: connection.execute(statement).first())
        return None if row is None else read_job(row)

    def delete(self, job_id: str) -> Job | None:
        statement = delete(_jobs).where(_jobs.c.id == job_id).returning(*COLUMNS)
        row = self._commits.run(lambda connection: connection.execute(statement).first())
        return None if row is None else read_job(row)

    def claim_callbacks(self, limit: int, seconds: float, busy: Sequence[str] = ()) -> list[Job]:
        """Claim up to `limit` callbacks, due again after `seconds` without a record.

        Args:
            busy: URL prefixes, in lower case, not to be called now.
        """
        return self._commits.run(partial(self._claim_callbacks, limit, seconds, busy))

    def _claim_callbacks(self, limit: int, seconds: float, busy: Sequence[str], connection: Connection) -> list[Job]:
        now = self._clock()
        free = [func.lower(func.substr(_jobs.c.callback_url, 1, len(name))) != name for name in busy]
        due = select(_jobs.c.id).where(_jobs.c.callback_due <= now, *free).order_by(_jobs.c.callback_due)
        ids = list(connection.execute(due.limit(limit).with_for_update(skip_locked=True)).scalars())
        if not ids:
            return []
        statement = (
            update(_jobs)
            .where(_jobs.c.id.in_(ids))
            .values(callback_due=now + seconds, callback_attempts=_jobs.c.callback_attempts + 1)
            .returning(*LISTED)
        )
        return [read_job(row) for row in connection.execute(statement)]

    def record_callback(self, job: Job, state: CallbackState, error: str | None, next_in: float | None) -> bool:
        """Record a claimed callback's outcome; False if too late.

        Args:
            next_in: seconds; None: no further attempt.
        """
        fence = and_(_jobs.c.id == job.id, _jobs.c.callback_attempts == job.callback_attempts)
        due = None if next_in is None else self._clock() + next_in
        values = {"callback_state": state, "callback_error": error and storable(error), "callback_due": due}
        return self._change(update(_jobs).where(fence).values(**values))

    def not_held(self, claims: Iterable[Job]) -> list[Job]:
        """Return the claims whose job was deleted or taken by another worker.

        Asked behind earlier posts: a job may begin before its row is written.
        """
        claims = [job for job in claims if job.id not in self.deferred]
        query = select(_jobs.c.id, _jobs.c.token).where(
            _jobs.c.id.in_([job.id for job in claims]), _jobs.c.state == State.IN_PROGRESS
        )
        rows = self._commits.run(lambda connection: connection.execute(query).all(), Need.COMMIT)
        mine = {(row.id, row.token) for row in rows}
        return [job for job in claims if (job.id, job.token) not in mine]

    @property
    def stalled_seconds(self) -> float:
        return self._commits.stalled_seconds

    def close(self) -> None:
        self.deferred.record_all()
        self._commits.close()
        super().close()

    def _change(self, statement: Update) -> bool:
        return self._commits.run(changes_one(statement))
