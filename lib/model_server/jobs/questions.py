"""Read-only questions about a queue's jobs."""

import threading
from collections import deque
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, or_, select

from model_server.jobs.database import journal_mode
from model_server.jobs.job import OVER, Counts, Job, JobTimes, Lease, State
from model_server.jobs.schema import jobs as _jobs
from model_server.jobs.statements import LISTED, Prepared, Statements, read_job

#: The loop's, and one to spare.
_KEPT_CONNECTIONS = 2


class Questions:
    """Reads jobs, for any thread."""

    def __init__(self, engine: Engine, statements: Statements) -> None:
        self._reader = engine.execution_options(read_only=True)
        #: Connections for those who ask: to have one of the pool for a question costs more than the question.
        self._kept: deque[Connection] = deque()
        self._guard = threading.Lock()
        self._asker = engine.execution_options(isolation_level="AUTOCOMMIT")
        #: `get` and `get_result` wait for nobody: with a write-ahead log, which there is only on a file system of this
        #: host, a reader never waits for a writer.
        self.answers_at_once = journal_mode(engine) == "WAL"
        self._get = statements.get
        self._get_result = statements.get_result

    def get(self, job_id: str) -> Job | None:
        row = self._ask(self._get, job_id)
        return None if row is None else read_job(row)

    def get_result(self, job_id: str) -> tuple[Job, bytes | None] | None:
        """Return the job, and its result if the queue keeps it."""
        row = self._ask(self._get_result, job_id)
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

    def leases(self) -> list[Lease]:
        query = select(_jobs.c.id, _jobs.c.token, _jobs.c.lease_expires).where(_jobs.c.state == State.IN_PROGRESS)
        with self._reader.connect() as connection:
            return [Lease(*row) for row in connection.execute(query)]

    def expired(self, finished_before: float | None, keep: int | None, limit: int) -> list[str]:
        """Return ids of ended jobs too old, or beyond the newest `keep`.

        Never those with a callback still to make.
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

    def before(self, job_id: str) -> int:
        """Count the waiting jobs added before this one."""
        mine = select(_jobs.c.number).where(_jobs.c.id == job_id).scalar_subquery()
        query = select(func.count()).where(_jobs.c.state == State.CREATED, _jobs.c.number < mine)
        with self._reader.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def times(self, limit: int, since: float, client: str | None = None) -> list[JobTimes]:
        """Return times of the newest `limit` jobs, if made since `since`.

        By the primary key: an index would slow down writers.
        """
        columns = (_jobs.c.created, _jobs.c.started, _jobs.c.finished)
        query = select(*columns).where(*_of(client)).order_by(_jobs.c.number.desc()).limit(limit)
        with self._reader.connect() as connection:
            return [JobTimes(*row) for row in connection.execute(query) if row.created >= since]

    def list(self, limit: int, offset: int = 0, client: str | None = None, state: State | None = None) -> list[Job]:
        wanted = _of(client) if state is None else (*_of(client), _jobs.c.state == state)
        query = select(*LISTED).where(*wanted).order_by(_jobs.c.number.desc()).limit(limit).offset(offset)
        with self._reader.connect() as connection:
            return [read_job(row) for row in connection.execute(query)]

    def count(self, client: str | None = None) -> int:
        with self._reader.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(_jobs).where(*_of(client))).scalar_one())

    def counts(self, client: str | None = None) -> Counts:
        """Count jobs by state; reads the whole index."""
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

    def ping(self) -> None:
        with self._reader.connect() as connection:
            connection.execute(select(_jobs.c.number).limit(1)).first()

    def close(self) -> None:
        while self._kept:
            self._kept.pop().close()


def _of(client: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if client is None else (_jobs.c.client == client,)
