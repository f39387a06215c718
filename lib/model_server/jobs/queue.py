"""The queue: a table of jobs that are claimed under a lease and recorded behind a fence.

A worker that claims a job gets a lease (until when the job is its own) and a token (how often the job was claimed). It
extends the lease while it works. If it dies, the lease runs out and another worker takes the job with the next token.
Whatever is recorded must carry the newest token: a worker that was thought dead and comes back records nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    Update,
    and_,
    or_,
    select,
    update,
)


class State(StrEnum):
    """Where a job stands; the values are those of the container API."""

    CREATED = "Created"
    IN_PROGRESS = "InProgress"
    COMPLETE = "Complete"
    ERROR = "Error"


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
    lease_owner: str | None
    lease_expires: float | None
    #: File name in the volume's results folder, once complete.
    result: str | None
    error: str | None
    created: float
    finished: float | None


_metadata = MetaData()
_jobs = Table(
    "jobs",
    _metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("token", Integer, nullable=False, default=0),
    Column("mime_type", String(255), nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_expires", Float),
    Column("result", String(64)),
    Column("error", Text),
    Column("created", Float, nullable=False),
    Column("finished", Float),
    Index("jobs_state_number", "state", "number"),
)
_COLUMNS = [column for column in _jobs.columns if column.name != "number"]
_FREE = {"state": State.CREATED, "lease_owner": None, "lease_expires": None}


class Queue:
    """The jobs of one volume. Every method is one transaction; any thread may call any of them."""

    def __init__(self, engine: Engine, max_attempts: int, clock: Callable[[], float] = time.time) -> None:
        """Opens the queue on `engine`, making its table when there is none."""
        self._engine = engine
        self._reader = engine.execution_options(read_only=True)
        self._max_attempts = max_attempts
        self._clock = clock
        with engine.begin() as connection:
            _metadata.create_all(connection)

    def put(self, job_id: str, mime_type: str) -> Job:
        """Adds a job whose input is already stored."""
        with self._engine.begin() as connection:
            connection.execute(
                _jobs.insert().values(id=job_id, state=State.CREATED, mime_type=mime_type, created=self._clock())
            )
            return _found(connection, job_id)

    def claim(self, owner: str, lease_seconds: float) -> Job | None:
        """Takes the oldest job that waits or whose lease has run out; None when there is none.

        A job that was started `max_attempts` times without an end is recorded as failed instead: it may be what kills
        the workers.
        """
        with self._engine.begin() as connection:
            while True:
                now = self._clock()
                row = connection.execute(
                    select(_jobs.c.id, _jobs.c.attempts)
                    .where(_claimable(now))
                    .order_by(_jobs.c.number)
                    .limit(1)
                    .with_for_update(skip_locked=True)
                ).first()
                if row is None:
                    return None
                this = update(_jobs).where(_jobs.c.id == row.id)
                if row.attempts >= self._max_attempts:
                    error = f"The job was given up: its worker died in each of {row.attempts} attempts."
                    connection.execute(this.values(**_over(State.ERROR, now), error=error))
                    continue
                connection.execute(
                    this.values(
                        state=State.IN_PROGRESS,
                        attempts=_jobs.c.attempts + 1,
                        token=_jobs.c.token + 1,
                        lease_owner=owner,
                        lease_expires=now + lease_seconds,
                    )
                )
                return _found(connection, row.id)

    def heartbeat(self, job: Job, lease_seconds: float) -> bool:
        """Extends the lease; False when the job is no longer the caller's."""
        return self._change(_held(job).values(lease_expires=self._clock() + lease_seconds))

    def complete(self, job: Job, result: str) -> bool:
        """Records the result's file name; False when the job is no longer the caller's (nothing is recorded)."""
        return self._change(_held(job).values(**_over(State.COMPLETE, self._clock()), result=result))

    def fail(self, job: Job, error: str) -> bool:
        """Records the error; False when the job is no longer the caller's (nothing is recorded)."""
        return self._change(_held(job).values(**_over(State.ERROR, self._clock()), error=error))

    def release(self, job: Job) -> bool:
        """Gives the job back of the worker's own will (it stops); the attempt does not count."""
        return self._change(_held(job).values(**_FREE, attempts=_jobs.c.attempts - 1))

    def abandon(self, job: Job) -> bool:
        """Gives the job back because running it broke something; the attempt counts."""
        return self._change(_held(job).values(**_FREE))

    def abandon_all(self, owner: str) -> int:
        """Gives back all jobs of an owner that is known to be dead; returns how many."""
        with self._engine.begin() as connection:
            held = and_(_jobs.c.state == State.IN_PROGRESS, _jobs.c.lease_owner == owner)
            return connection.execute(update(_jobs).where(held).values(**_FREE)).rowcount

    def delete(self, job_id: str) -> Job | None:
        """Removes the job in any state and returns what it was; None when there is none."""
        with self._engine.begin() as connection:
            job = _find(connection, job_id)
            if job is not None:
                connection.execute(_jobs.delete().where(_jobs.c.id == job_id))
            return job

    def get(self, job_id: str) -> Job | None:
        """The job, or None."""
        with self._reader.connect() as connection:
            return _find(connection, job_id)

    def list(self, limit: int, offset: int = 0) -> list[Job]:
        """Up to `limit` jobs, newest first."""
        query = select(*_COLUMNS).order_by(_jobs.c.number.desc()).limit(limit).offset(offset)
        with self._reader.connect() as connection:
            return [_job(row) for row in connection.execute(query).mappings()]

    def _change(self, statement: Update) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount == 1


def _claimable(now: float) -> ColumnElement[bool]:
    expired = and_(_jobs.c.state == State.IN_PROGRESS, _jobs.c.lease_expires <= now)
    return or_(_jobs.c.state == State.CREATED, expired)


def _held(job: Job) -> Update:
    """The fence: only the row that still carries this claim's token."""
    return update(_jobs).where(_jobs.c.id == job.id, _jobs.c.token == job.token, _jobs.c.state == State.IN_PROGRESS)


def _over(state: State, now: float) -> dict[str, State | float | None]:
    return {"state": state, "finished": now, "lease_owner": None, "lease_expires": None}


def _find(connection: Connection, job_id: str) -> Job | None:
    row = connection.execute(select(*_COLUMNS).where(_jobs.c.id == job_id)).mappings().first()
    return None if row is None else _job(row)


def _found(connection: Connection, job_id: str) -> Job:
    job = _find(connection, job_id)
    if job is None:
        raise LookupError(f"job {job_id} vanished inside its own transaction")
    return job


def _job(row: RowMapping) -> Job:
    return Job(**{**row, "state": State(row["state"])})
