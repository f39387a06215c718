"""The queue: a table of jobs, claimed under a lease and ended under a fencing token.

A worker that claims a job gets a lease and a token (how often the job was claimed). It renews the lease while it works.
A lease that stays as it is for long is that of a dead worker: the job is given back, and taken with the next token. How
long is counted by whoever looks at it: no two clocks are compared, and none need be right. Whatever is recorded must
carry the newest token: a worker that was thought dead and comes back records nothing.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Update, and_, delete, func, or_, select, update

from model_server import bounds
from model_server.jobs.commits import Commits, Need
from model_server.jobs.database import journal_mode
from model_server.jobs.job import OVER, CallbackState, Claim, Counts, Job, JobRequest, JobResult, JobTimes, Lease, State
from model_server.jobs.schema import jobs as _jobs
from model_server.jobs.schema import prepare
from model_server.jobs.statements import COLUMNS, LISTED, Prepared, Statements, held, read_job

#: The loop's, and one to spare.
_KEPT_CONNECTIONS = 2
_FREE = {"state": State.CREATED, "lease_owner": None, "lease_expires": None}


class Queue:
    """The jobs of one model. Every method is one transaction; any thread may call any of them."""

    def __init__(
        self,
        engine: Engine,
        model: str,
        max_attempts: int,
        clock: Callable[[], float] = time.time,
        build_id: str | None = None,
    ) -> None:
        """Open the queue on `engine`, making its table, or bringing it up to date.

        Args:
            engine: its database.
            model: whose jobs they are.
            max_attempts: of a job whose workers die.
            clock: gives seconds since the epoch.
            build_id: of this server, for the jobs that it takes.

        Raises:
            VolumeError: it is the queue of another model than `model`.
        """
        self._commits = Commits(engine)
        self._reader = engine.execution_options(read_only=True)
        #: Connections for those who ask: to have one of the pool for a question costs more than the question.
        self._kept: deque[Connection] = deque()
        self._guard = threading.Lock()
        self._asker = engine.execution_options(isolation_level="AUTOCOMMIT")
        #: `get` and `get_result` wait for nobody: with a write-ahead log, which there is only on a file system of this
        #: host, a reader never waits for a writer.
        self.answers_at_once = journal_mode(engine) == "WAL"
        self._statements = Statements(engine.dialect)
        self._max_attempts = max_attempts
        self._build_id = build_id
        self._clock = clock
        self._commits.run(partial(prepare, model=model))

    def new(
        self, job_id: str, job_request: JobRequest, content: bytes | None = None, claim: Claim | None = None
    ) -> Job:
        """Return a new job, not yet in the queue.

        Args:
            job_id: of the new job.
            job_request: what is asked for.
            content: the input, to be kept in the queue; None: it is stored already.
            claim: of the worker that waits for the job, if there is one: it is its own from the beginning.
        """
        now = self._clock()
        return Job(
            id=job_id,
            state=State.CREATED if claim is None else State.IN_PROGRESS,
            attempts=0 if claim is None else 1,
            token=0 if claim is None else 1,
            mime_type=job_request.mime_type,
            name=job_request.name,
            size=job_request.size,
            rows=job_request.rows,
            mappings=job_request.mappings,
            output_mappings=job_request.output_mappings,
            idempotency_key=job_request.idempotency_key,
            fingerprint=job_request.fingerprint,
            client=job_request.client,
            lease_owner=None if claim is None else claim.owner,
            lease_expires=None if claim is None else now + claim.lease_seconds,
            result=None,
            error=None,
            created=now,
            started=None if claim is None else now,
            finished=None,
            callback_url=job_request.callback_url,
            callback_state=None,
            callback_attempts=None,
            callback_due=None,
            callback_error=None,
            build_id=None if claim is None else self._build_id,
            content=content,
        )

    def put(self, job_id: str, job_request: JobRequest) -> Job:
        """Add a job whose input is stored already, and wait for the commit."""
        return self.add(self.new(job_id, job_request)).result()

    def add(self, job: Job, durable: bool = True) -> Future[Job]:
        """Add a new job; return it, or the one that came under the same key before.

        Args:
            job: made by `new`.
            durable: false: nobody waits for it. The loss of power may forget the job until anything else is recorded
                durably.
        """
        return self._commits.post(partial(self._add, job), Need.DISK if durable else Need.COMPANY)

    def _add(self, job: Job, connection: Connection) -> Job:
        values = {**vars(job), "input_data": job.content}
        if self._statements.add.changes(connection, values):
            return job
        same = _jobs.c.idempotency_key == job.idempotency_key
        return read_job(connection.execute(select(*COLUMNS).where(same)).one())

    def settle(self, job_id: str) -> Future[bool]:
        """Make a job durable that was not yet; False when there is none."""
        return self._post(update(_jobs).where(_jobs.c.id == job_id).values(attempts=_jobs.c.attempts))

    def claim(self, owner: str, lease_seconds: float) -> Job | None:
        """Claim the next job, and wait for the commit."""
        return self.claim_next(owner, lease_seconds).result()

    def claim_next(self, owner: str, lease_seconds: float) -> Future[Job | None]:
        """Take the oldest job that waits; None when there is none.

        A job that was started `max_attempts` times without an end is recorded as failed instead: it may be what kills
        the workers.
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

    def leases(self) -> list[Lease]:
        """Return the leases of all running jobs."""
        query = select(_jobs.c.id, _jobs.c.token, _jobs.c.lease_expires).where(_jobs.c.state == State.IN_PROGRESS)
        with self._reader.connect() as connection:
            return [Lease(*row) for row in connection.execute(query)]

    def expire(self, lease: Lease) -> bool:
        """Give the job back unless its worker has given a sign of life; the attempt counts."""
        same = (_jobs.c.id == lease.id, _jobs.c.token == lease.token, _jobs.c.state == State.IN_PROGRESS)
        expires = _jobs.c.lease_expires
        unchanged = expires.is_(None) if lease.expires is None else expires == lease.expires
        return self._change(update(_jobs).where(*same, unchanged).values(**_FREE))

    def heartbeat(self, job: Job, lease_seconds: float) -> bool:
        """Extend the lease; False when the job is no longer the caller's."""
        return self._change(held(job).values(lease_expires=self._clock() + lease_seconds))

    def complete(self, job: Job, result: str) -> bool:
        """End a job with the result file of this name, and wait for the commit."""
        return self.end(job, JobResult(None, result, None)).result()

    def fail(self, job: Job, error: str) -> bool:
        """End a job with a failure, and wait for the commit."""
        return self.end(job, JobResult(error, None, None)).result()

    def end(self, job: Job, ended: JobResult) -> Future[bool]:
        """Record how a job ended; False when it is no longer the caller's (nothing is recorded)."""
        return self._commits.post(partial(self._end, job, ended, self._clock()))

    def _end(self, job: Job, ended: JobResult, now: float, connection: Connection) -> bool:
        values = {
            "p_id": job.id,
            "p_token": job.token,
            "p_state": ended.state,
            "p_result": ended.result,
            "p_content": ended.content,
            "p_error": None if ended.error is None else _storable(ended.error),
            "p_now": now,
        }
        return self._statements.end.changes(connection, values)

    def release(self, job: Job) -> bool:
        """Give the job back of the worker's own will (it stops); the attempt does not count."""
        return self._change(held(job).values(**_FREE, attempts=_jobs.c.attempts - 1))

    def abandon(self, job: Job) -> bool:
        """Give the job back because running it broke something; the attempt counts."""
        return self._change(held(job).values(**_FREE))

    def abandon_all(self, owner: str) -> int:
        """Give back all jobs of an owner that is known to be dead; return how many."""
        held = and_(_jobs.c.state == State.IN_PROGRESS, _jobs.c.lease_owner == owner)
        return self._commits.run(
            lambda connection: connection.execute(update(_jobs).where(held).values(**_FREE)).rowcount
        )

    def delete(self, job_id: str) -> Job | None:
        """Remove the job in any state and return what it was; None when there is none."""
        statement = delete(_jobs).where(_jobs.c.id == job_id).returning(*COLUMNS)
        row = self._commits.run(lambda connection: connection.execute(statement).first())
        return None if row is None else read_job(row)

    def claim_callbacks(self, limit: int, seconds: float, busy: Sequence[str] = ()) -> list[Job]:
        """Take up to `limit` jobs with a due callback; without a record in `seconds` they are due again.

        Args:
            limit: of their number.
            seconds: until they are due again.
            busy: beginnings of addresses, in lower case, that are not to be called now.
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
        """Record how a claimed callback went, and the seconds until the next attempt; False if too late."""
        fence = and_(_jobs.c.id == job.id, _jobs.c.callback_attempts == job.callback_attempts)
        due = None if next_in is None else self._clock() + next_in
        values = {"callback_state": state, "callback_error": error and _storable(error), "callback_due": due}
        return self._change(update(_jobs).where(fence).values(**values))

    def expired(self, finished_before: float | None, keep: int | None, limit: int) -> list[str]:
        """Return up to `limit` ids of ended jobs that are too old, or not among the newest `keep`.

        A job whose callback is still to be made is never named.
        """
        rules: list[ColumnElement[bool]] = []
        over = _jobs.c.state.in_(OVER)
        if finished_before is not None:
            rules.append(_jobs.c.finished < finished_before)
        if keep is not None:
            newest = select(_jobs.c.number).where(over).order_by(_jobs.c.number.desc()).limit(1).offset(keep)
            rules.append(_jobs.c.number <= newest.scalar_subquery())
        if not rules:
            return []
        query = select(_jobs.c.id).where(over, _jobs.c.callback_due.is_(None), or_(*rules)).order_by(_jobs.c.number)
        with self._reader.connect() as connection:
            return list(connection.execute(query.limit(limit)).scalars())

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        row = self._ask(self._statements.get, job_id)
        return None if row is None else read_job(row)

    def get_result(self, job_id: str) -> tuple[Job, bytes | None] | None:
        """Return the job, and its result if the queue keeps it; None when there is no such job."""
        row = self._ask(self._statements.get_result, job_id)
        return None if row is None else (read_job(row), row[-1])

    def _ask(self, question: Prepared, job_id: str) -> tuple[Any, ...] | None:
        try:
            connection = self._kept.pop()
        except IndexError:
            connection = self._asker.connect()
        try:
            row = question.first(connection, {"p_id": job_id})
        except BaseException:
            connection.close()
            raise
        with self._guard:
            if self.answers_at_once and len(self._kept) < _KEPT_CONNECTIONS:
                self._kept.append(connection)
                return row
        connection.close()  # the pool needs it for others, and minds those of a database of its own that die
        return row

    def not_held(self, claims: Iterable[Job]) -> list[Job]:
        """Return those of `claims` that lost their job: it was deleted, or another worker took it.

        Asked behind whatever was posted before: a worker may have begun a job whose row is still to be written.
        """
        claims = list(claims)
        query = select(_jobs.c.id, _jobs.c.token).where(
            _jobs.c.id.in_([job.id for job in claims]), _jobs.c.state == State.IN_PROGRESS
        )
        rows = self._commits.run(lambda connection: connection.execute(query).all(), Need.COMMIT)
        mine = {(row.id, row.token) for row in rows}
        return [job for job in claims if (job.id, job.token) not in mine]

    def before(self, job_id: str) -> int:
        """Count the jobs that wait and will be taken before this one."""
        mine = select(_jobs.c.number).where(_jobs.c.id == job_id).scalar_subquery()
        query = select(func.count()).where(_jobs.c.state == State.CREATED, _jobs.c.number < mine)
        with self._reader.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def times(self, limit: int, since: float, client: str | None = None) -> list[JobTimes]:
        """Return the times of the newest jobs, newest first: up to `limit`, made after `since`.

        Along the primary key, which grows with the time: no index of its own slows down who writes.
        """
        columns = (_jobs.c.created, _jobs.c.started, _jobs.c.finished)
        query = select(*columns).where(*_of(client)).order_by(_jobs.c.number.desc()).limit(limit)
        with self._reader.connect() as connection:
            return [JobTimes(*row) for row in connection.execute(query) if row.created >= since]

    def list(self, limit: int, offset: int = 0, client: str | None = None, state: State | None = None) -> list[Job]:
        """Return up to `limit` jobs, newest first; of one client and in one state, if they are named."""
        wanted = _of(client) if state is None else (*_of(client), _jobs.c.state == state)
        query = select(*LISTED).where(*wanted).order_by(_jobs.c.number.desc()).limit(limit).offset(offset)
        with self._reader.connect() as connection:
            return [read_job(row) for row in connection.execute(query)]

    def count(self, client: str | None = None) -> int:
        """Count the jobs; of one client, if it is named."""
        with self._reader.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(_jobs).where(*_of(client))).scalar_one())

    def counts(self, client: str | None = None) -> Counts:
        """Count the jobs by state; of one client, if it is named. Reads the whole index."""
        mine = _of(client)
        by_state = select(_jobs.c.state, func.count()).where(*mine).group_by(_jobs.c.state)
        waiting = (_jobs.c.state == State.CREATED, *mine)
        oldest = select(_jobs.c.created).where(*waiting).order_by(_jobs.c.number).limit(1)
        callbacks = select(func.count()).where(_jobs.c.callback_due.is_not(None), *mine)
        with self._reader.connect() as connection:
            found = {State(state): int(count) for state, count in connection.execute(by_state)}
            return Counts(
                {state: found.get(state, 0) for state in State},
                connection.execute(oldest).scalar(),
                connection.execute(callbacks).scalar_one(),
            )

    @property
    def stalled_seconds(self) -> float:
        """Return how long the database has been at its current change; 0: at none."""
        return self._commits.stalled_seconds

    def ping(self) -> None:
        """Return if the database answers.

        Raises:
            SQLAlchemyError: it does not.
        """
        with self._reader.connect() as connection:
            connection.execute(select(_jobs.c.number).limit(1)).first()

    def close(self) -> None:
        """End the queue after what was posted."""
        self._commits.close()
        while self._kept:
            self._kept.pop().close()

    def _change(self, statement: Update) -> bool:
        return self._post(statement).result()

    def _post(self, statement: Update) -> Future[bool]:
        return self._commits.post(lambda connection: connection.execute(statement).rowcount == 1)


def _of(client: str | None) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for one client's jobs; none for all."""
    return () if client is None else (_jobs.c.client == client,)


def _storable(error: str) -> str:
    """Return the text as every database takes it: bounded, without zero characters and halves of surrogate pairs."""
    text = error.replace("\x00", "").encode("utf-8", "backslashreplace").decode()
    most = bounds.ERROR_CHARACTERS
    return text if len(text) <= most else f"{text[: most - 2]} …"
