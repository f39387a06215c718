"""The queue: a table of jobs that are claimed under a lease and recorded behind a fence.

A worker that claims a job gets a lease (until when the job is its own) and a token (how often the job was claimed). It
extends the lease while it works. If it dies, the lease runs out and another worker takes the job with the next token.
Whatever is recorded must carry the newest token: a worker that was thought dead and comes back records nothing.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Float,
    RowMapping,
    Update,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from model_server.jobs.commits import Commits
from model_server.jobs.schema import jobs as _jobs
from model_server.jobs.schema import prepare


class State(StrEnum):
    """Where a job stands; the values are those of the container API."""

    CREATED = "Created"
    IN_PROGRESS = "InProgress"
    COMPLETE = "Complete"
    ERROR = "Error"


class CallbackState(StrEnum):
    """Where the call of a job's CallbackUrl stands, once the job is over."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Order:
    """What a client asks for, beside the data. None: not asked for."""

    mime_type: str
    #: JSON text of the input and the output mapping.
    mappings: str | None = None
    output_mappings: str | None = None
    callback_url: str | None = None
    #: Two orders with the same key are the same job.
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Job:
    """One row of the queue. Times are seconds since the epoch."""

    id: str
    state: State
    #: How often a worker started on it and did not give it back of its own will.
    attempts: int
    #: Grows by one with each claim.
    token: int
    mime_type: str
    mappings: str | None
    output_mappings: str | None
    idempotency_key: str | None
    lease_owner: str | None
    lease_expires: float | None
    #: Name of the result, once complete: that of its file, where it is one.
    result: str | None
    error: str | None
    created: float
    #: Start of the newest attempt.
    started: float | None
    finished: float | None
    callback_url: str | None
    callback_state: CallbackState | None
    callback_attempts: int | None
    #: When the callback is to be tried next.
    callback_due: float | None
    callback_error: str | None
    #: The input, where it is kept in the queue; only a claim brings it.
    content: bytes | None = None

    @property
    def is_over(self) -> bool:
        return self.state in _OVER


@dataclass(frozen=True)
class Claim:
    """Who takes a job, and for how long without a sign of life."""

    owner: str
    lease_seconds: float


@dataclass(frozen=True)
class Counts:
    """The queue at a glance."""

    by_state: dict[State, int]
    #: When the oldest job that waits was made.
    oldest_waiting: float | None
    callbacks_waiting: int


_OVER = (State.COMPLETE, State.ERROR)
_COLUMNS = [column for column in _jobs.columns if column.name not in ("number", "input_data", "result_data")]
_FREE = {"state": State.CREATED, "lease_owner": None, "lease_expires": None}


class Queue:
    """The jobs of one model. Every method is one transaction; any thread may call any of them."""

    def __init__(self, engine: Engine, model: str, max_attempts: int, clock: Callable[[], float] = time.time) -> None:
        """Opens the queue on `engine`, making its table, or bringing it up to date.

        Raises:
            VolumeError: it is the queue of another model than `model`.
        """
        self._commits = Commits(engine)
        self._reader = engine.execution_options(read_only=True)
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert(_jobs).on_conflict_do_nothing(index_elements=["idempotency_key"])
        self._max_attempts = max_attempts
        self._clock = clock
        self._commits.run(partial(prepare, model=model))

    def put(self, job_id: str, order: Order) -> Job:
        """As `post`, for an input that is stored already; waits for the end."""
        return self.post(job_id, order).result()

    def post(
        self,
        job_id: str,
        order: Order,
        content: bytes | None = None,
        claim: Claim | None = None,
        durable: bool = True,
    ) -> Future[Job]:
        """Adds a job; gives it, or the one that came under the same key before.

        Args:
            job_id: of the new job.
            order: what is asked for.
            content: the input, to be kept in the queue; None: it is stored already.
            claim: of the worker that waits for the job, if there is one: it is its own from the beginning.
            durable: false: the loss of power may forget the job until anything else is recorded durably.
        """
        job = Job(
            id=job_id,
            state=State.CREATED,
            attempts=0,
            token=0,
            mime_type=order.mime_type,
            mappings=order.mappings,
            output_mappings=order.output_mappings,
            idempotency_key=order.idempotency_key,
            lease_owner=None,
            lease_expires=None,
            result=None,
            error=None,
            created=self._clock(),
            started=None,
            finished=None,
            callback_url=order.callback_url,
            callback_state=None,
            callback_attempts=None,
            callback_due=None,
            callback_error=None,
            content=content,
        )
        if claim is not None:
            job = replace(
                job,
                state=State.IN_PROGRESS,
                attempts=1,
                token=1,
                lease_owner=claim.owner,
                lease_expires=job.created + claim.lease_seconds,
                started=job.created,
            )
        return self._commits.post(partial(self._put, job), durable)

    def _put(self, job: Job, connection: Connection) -> Job:
        values = dict(vars(job))
        values["input_data"] = values.pop("content")
        if connection.execute(self._insert, values).rowcount == 1:
            return job
        same = _jobs.c.idempotency_key == job.idempotency_key
        return _job(connection.execute(select(*_COLUMNS).where(same)).mappings().one())

    def settle(self, job_id: str) -> Future[bool]:
        """Makes a job durable that was not yet; false when there is none."""
        return self._post(update(_jobs).where(_jobs.c.id == job_id).values(attempts=_jobs.c.attempts))

    def claim(self, owner: str, lease_seconds: float) -> Job | None:
        """Takes a job whose lease has run out, else the oldest that waits; None when there is neither.

        A job that was started `max_attempts` times without an end is recorded as failed instead: it may be what kills
        the workers.
        """
        # Where the database and all workers share a host, its loss of power ends them too: the job is free again.
        return self._commits.run(partial(self._claim, owner, lease_seconds), durable=False)

    def _claim(self, owner: str, lease_seconds: float, connection: Connection) -> Job | None:
        while True:
            now = self._clock()
            values = {"p_owner": owner, "p_now": now, "p_expires": now + lease_seconds}
            row = connection.execute(_CLAIM, values).mappings().first()
            if row is None:
                return None
            job = _job(row)
            if job.attempts <= self._max_attempts:
                return job
            error = f"The job was given up: its worker died in each of {self._max_attempts} attempts."
            connection.execute(_held(job).values(attempts=self._max_attempts))
            connection.execute(_END, _end_values(job, State.ERROR, None, error, now, None))

    def heartbeat(self, job: Job, lease_seconds: float) -> bool:
        """Extends the lease; False when the job is no longer the caller's."""
        return self._change(_held(job).values(lease_expires=self._clock() + lease_seconds))

    def complete(self, job: Job, result: str) -> bool:
        """As `post_end` for a result that is a file of this name; waits for the end."""
        return self.post_end(job, State.COMPLETE, result=result).result()

    def fail(self, job: Job, error: str) -> bool:
        """As `post_end` for a failure; waits for the end."""
        return self.post_end(job, State.ERROR, error=error).result()

    def post_end(
        self,
        job: Job,
        state: State,
        *,
        result: str | None = None,
        content: bytes | None = None,
        error: str | None = None,
    ) -> Future[bool]:
        """Records the end of a job; false when it is no longer the caller's (nothing is recorded).

        Args:
            job: as it was claimed.
            state: COMPLETE or ERROR.
            result: the name of the result.
            content: the result itself, to be kept in the queue; None: it is a file.
            error: why it failed.
        """
        values = _end_values(job, state, result, error and _storable(error), self._clock(), content)
        return self._commits.post(lambda connection: connection.execute(_END, values).rowcount == 1)

    def release(self, job: Job) -> bool:
        """Gives the job back of the worker's own will (it stops); the attempt does not count."""
        return self._change(_held(job).values(**_FREE, attempts=_jobs.c.attempts - 1))

    def abandon(self, job: Job) -> bool:
        """Gives the job back because running it broke something; the attempt counts."""
        return self._change(_held(job).values(**_FREE))

    def abandon_all(self, owner: str) -> int:
        """Gives back all jobs of an owner that is known to be dead; returns how many."""
        held = and_(_jobs.c.state == State.IN_PROGRESS, _jobs.c.lease_owner == owner)
        return self._commits.run(
            lambda connection: connection.execute(update(_jobs).where(held).values(**_FREE)).rowcount
        )

    def delete(self, job_id: str) -> Job | None:
        """Removes the job in any state and returns what it was; None when there is none."""
        statement = delete(_jobs).where(_jobs.c.id == job_id).returning(*_COLUMNS)
        return self._commits.run(lambda connection: _first(connection, statement))

    def claim_callbacks(self, limit: int, seconds: float) -> list[Job]:
        """Takes up to `limit` jobs whose callback is due, for `seconds`; they are due again if nothing is recorded."""
        return self._commits.run(partial(self._claim_callbacks, limit, seconds))

    def _claim_callbacks(self, limit: int, seconds: float, connection: Connection) -> list[Job]:
        now = self._clock()
        due = select(_jobs.c.id).where(_jobs.c.callback_due <= now).order_by(_jobs.c.callback_due)
        ids = list(connection.execute(due.limit(limit).with_for_update(skip_locked=True)).scalars())
        if not ids:
            return []
        statement = (
            update(_jobs)
            .where(_jobs.c.id.in_(ids))
            .values(callback_due=now + seconds, callback_attempts=_jobs.c.callback_attempts + 1)
            .returning(*_COLUMNS)
        )
        return [_job(row) for row in connection.execute(statement).mappings()]

    def record_callback(self, job: Job, state: CallbackState, error: str | None, next_in: float | None) -> bool:
        """Records how a claimed callback went, and in how many seconds it is tried again; False if it was too late."""
        fence = and_(_jobs.c.id == job.id, _jobs.c.callback_attempts == job.callback_attempts)
        due = None if next_in is None else self._clock() + next_in
        values = {"callback_state": state, "callback_error": error, "callback_due": due}
        return self._change(update(_jobs).where(fence).values(**values))

    def expired(self, finished_before: float | None, keep: int | None, limit: int) -> list[str]:
        """Names up to `limit` jobs that are over and need not be kept: too old, or not among the newest `keep`.

        A job whose callback is still to be made is never named.
        """
        rules: list[ColumnElement[bool]] = []
        over = _jobs.c.state.in_(_OVER)
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
        """The job, or None."""
        with self._reader.connect() as connection:
            row = connection.execute(_GET, {"p_id": job_id}).mappings().first()
            return None if row is None else _job(row)

    def get_result(self, job_id: str) -> tuple[Job, bytes | None] | None:
        """The job, and its result where it is kept in the queue; None when there is no such job."""
        with self._reader.connect() as connection:
            row = connection.execute(_GET_RESULT, {"p_id": job_id}).mappings().first()
            return None if row is None else (_job(row), row["result_data"])

    def not_held(self, claims: Iterable[Job]) -> list[Job]:
        """Those of `claims` that are no longer their worker's: deleted, or taken by another."""
        claims = list(claims)
        query = select(_jobs.c.id, _jobs.c.token).where(
            _jobs.c.id.in_([job.id for job in claims]), _jobs.c.state == State.IN_PROGRESS
        )
        with self._reader.connect() as connection:
            held = {(row.id, row.token) for row in connection.execute(query)}
        return [job for job in claims if (job.id, job.token) not in held]

    def list(self, limit: int, offset: int = 0) -> list[Job]:
        """Up to `limit` jobs, newest first."""
        query = select(*_COLUMNS).order_by(_jobs.c.number.desc()).limit(limit).offset(offset)
        with self._reader.connect() as connection:
            return [_job(row) for row in connection.execute(query).mappings()]

    def count(self) -> int:
        """How many jobs there are."""
        with self._reader.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(_jobs)).scalar_one())

    def counts(self) -> Counts:
        """How many jobs are where; reads the whole index."""
        by_state = select(_jobs.c.state, func.count()).group_by(_jobs.c.state)
        oldest = select(_jobs.c.created).where(_jobs.c.state == State.CREATED).order_by(_jobs.c.number).limit(1)
        callbacks = select(func.count()).where(_jobs.c.callback_due.is_not(None))
        with self._reader.connect() as connection:
            found = {State(state): int(count) for state, count in connection.execute(by_state)}
            return Counts(
                {state: found.get(state, 0) for state in State},
                connection.execute(oldest).scalar(),
                connection.execute(callbacks).scalar_one(),
            )

    def ping(self) -> None:
        """Returns if the database answers.

        Raises:
            SQLAlchemyError: it does not.
        """
        with self._reader.connect() as connection:
            connection.execute(select(_jobs.c.number).limit(1)).first()

    def close(self) -> None:
        """Ends the queue after what was posted."""
        self._commits.close()

    def _change(self, statement: Update) -> bool:
        return self._post(statement).result()

    def _post(self, statement: Update) -> Future[bool]:
        return self._commits.post(lambda connection: connection.execute(statement).rowcount == 1)


def _claimable(condition: ColumnElement[bool]) -> Any:
    query = select(_jobs.c.number).where(condition).order_by(_jobs.c.number).limit(1)
    return query.with_for_update(skip_locked=True).scalar_subquery()


def _claim_statement() -> Any:
    # Two look-ups in an index, the second only if the first finds none: a long queue costs no more than a short one.
    expired = _claimable(and_(_jobs.c.state == State.IN_PROGRESS, _jobs.c.lease_expires <= bindparam("p_now")))
    waiting = _claimable(_jobs.c.state == State.CREATED)
    return (
        update(_jobs)
        .where(_jobs.c.number == func.coalesce(expired, waiting))
        .values(
            state=State.IN_PROGRESS,
            attempts=_jobs.c.attempts + 1,
            token=_jobs.c.token + 1,
            lease_owner=bindparam("p_owner"),
            lease_expires=bindparam("p_expires"),
            started=bindparam("p_now"),
        )
        .returning(*_COLUMNS, _jobs.c.input_data)
    )


_CLAIM = _claim_statement()
_GET = select(*_COLUMNS).where(_jobs.c.id == bindparam("p_id"))
_GET_RESULT = _GET.add_columns(_jobs.c.result_data)


def _held(job: Job) -> Update:
    """The fence: only the row that still carries this claim's token."""
    return update(_jobs).where(_jobs.c.id == job.id, _jobs.c.token == job.token, _jobs.c.state == State.IN_PROGRESS)


def _end_statement() -> Update:
    """The end of a job; in the same breath its callback becomes due, so that no crash can come between."""
    called = _jobs.c.callback_url.is_not(None)
    fence = (_jobs.c.id == bindparam("p_id"), _jobs.c.token == bindparam("p_token"))
    return (
        update(_jobs)
        .where(*fence, _jobs.c.state == State.IN_PROGRESS)
        .values(
            state=bindparam("p_state"),
            result=bindparam("p_result"),
            result_data=bindparam("p_content"),
            error=bindparam("p_error"),
            finished=bindparam("p_now"),
            lease_owner=None,
            lease_expires=None,
            callback_state=case((called, CallbackState.WAITING)),
            callback_attempts=case((called, 0)),
            callback_due=case((called, cast(bindparam("p_now"), Float))),  # PostgreSQL would guess text
        )
    )


_END = _end_statement()


def _end_values(
    job: Job, state: State, result: str | None, error: str | None, now: float, content: bytes | None
) -> dict[str, Any]:
    ended = {"p_state": state, "p_result": result, "p_error": error, "p_now": now, "p_content": content}
    return {"p_id": job.id, "p_token": job.token, **ended}


def _storable(error: str) -> str:
    """PostgreSQL has no place for a zero character."""
    return error.replace("\x00", "")


def _first(connection: Connection, statement: Any) -> Job | None:
    row = connection.execute(statement).mappings().first()
    return None if row is None else _job(row)


def _job(row: RowMapping) -> Job:
    values = dict(row)
    values.pop("result_data", None)
    values["content"] = values.pop("input_data", None)
    state = values["callback_state"]
    return Job(**{**values, "state": State(values["state"]), "callback_state": state and CallbackState(state)})
