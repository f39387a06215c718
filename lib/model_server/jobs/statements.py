"""The queue's SQL statements, each compiled once.

The driver alone runs them: SQLAlchemy's work costs three times the database's (docs/adr/0015).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Executable,
    Float,
    Update,
    bindparam,
    case,
    cast,
    exists,
    func,
    null,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from model_server import bounds
from model_server.jobs.job import CallbackState, Job, JobResult, State
from model_server.jobs.schema import jobs, servers


def _short(column: Column[Any]) -> ColumnElement[Any]:
    if column.name in ("mappings", "output_mappings"):
        return null().label(column.name)
    if column.name == "error":  # an older server kept all of it
        return func.substr(column, 1, bounds.ERROR_CHARACTERS).label(column.name)
    return column


_NOT_OF_JOB = ("number", "accepted_build_id", "input_data", "result_data")
#: What a Job is read from, in the order of its fields.
COLUMNS = [column for column in jobs.columns if column.name not in _NOT_OF_JOB]

#: As COLUMNS, without what may be large and is not shown.
LISTED = [_short(column) for column in COLUMNS]


class Prepared:
    """A statement compiled for one database."""

    def __init__(self, statement: Executable, dialect: Dialect, columns: Sequence[str] | None = None) -> None:
        """Compile it; `columns` are those that an INSERT sets."""
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)  # type: ignore[attr-defined]
        self._dialect = dialect
        self._text = str(compiled)
        self._names: list[str] = compiled.positiontup
        self._own: dict[str, Any] = compiled.params

    def changes(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        """Run it; tell whether it changed one row."""
        return self._execute(connection, self._text, self._given(values))[0] == 1

    def first(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        return self._execute(connection, self._text, self._given(values))[1]

    def insert(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert all `rows` by one statement: all or none."""
        start = self._text.index(" VALUES (") + len(" VALUES ")
        end = self._text.index(")", start) + 1
        text = ", ".join([self._text[:end], *[self._text[start:end]] * (len(rows) - 1)]) + self._text[end:]
        self._execute(connection, text, tuple([value for values in rows for value in self._given(values)]))

    def _given(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        own = self._own
        return tuple([values[name] if name in values else own[name] for name in self._names])

    def _execute(self, connection: Connection, text: str, given: tuple[Any, ...]) -> tuple[int, tuple[Any, ...] | None]:
        raw = connection.connection
        cursor = raw.cursor()
        try:
            cursor.execute(text, given)
            row = None if cursor.description is None else cursor.fetchone()
            count = cursor.rowcount
            cursor.close()
        except (self._dialect.loaded_dbapi.Error, OSError) as error:
            lost = isinstance(error, OSError) or self._dialect.is_disconnect(error, raw, cursor)
            if lost:
                connection.invalidate(error)
                connection.engine.dispose()  # the others of its time are as dead
            raise DBAPIError(text, None, error, hide_parameters=True, connection_invalidated=lost) from error
        return count, None if row is None else tuple(row)


class Statements:
    """All statements, for one database."""

    def __init__(self, dialect: Dialect) -> None:
        insert = (postgresql if dialect.name == "postgresql" else sqlite).insert(jobs)
        columns = [column.name for column in jobs.columns if column.name != "number"]
        #: A new row; none if its idempotency key is known.
        self.add = Prepared(insert.on_conflict_do_nothing(index_elements=["idempotency_key"]), dialect, columns)
        #: p_owner, p_now, p_expires, p_build: the job that is to be done next, with its input.
        self.claim = Prepared(_claim(), dialect)
        #: p_id, p_token, and the end.
        self.end = Prepared(_end(), dialect)
        of_id = jobs.c.id == bindparam("p_id")
        #: p_id: the job without its mappings.
        self.get = Prepared(select(*LISTED).where(of_id), dialect)
        #: p_id: the job, and its result where that is kept in the queue.
        self.get_result = Prepared(select(*COLUMNS, jobs.c.result_data).where(of_id), dialect)


def changes_one(statement: Update | Delete) -> Callable[[Connection], bool]:
    """Return a change that tells whether it met one row."""
    return lambda connection: connection.execute(statement).rowcount == 1


def held(job: Job) -> Update:
    """Return an update fenced by this claim's token against late writers."""
    return update(jobs).where(jobs.c.id == job.id, jobs.c.token == job.token, jobs.c.state == State.IN_PROGRESS)


def read_job(row: Sequence[Any], content: bytes | None = None) -> Job:
    """Return the job in a row that begins with COLUMNS."""
    fields: Any = row[: len(COLUMNS)]
    state = fields[_CALLBACK_STATE]
    if state is not None:
        fields = (*fields[:_CALLBACK_STATE], CallbackState(state), *fields[_CALLBACK_STATE + 1 :])
    return Job(fields[0], _STATES[fields[1]], *fields[2:], content)  # type: ignore[call-arg]


_STATES = {state.value: state for state in State}
_CALLBACK_STATE = [column.name for column in COLUMNS].index("callback_state")


def _claim() -> Any:
    # A look-up in an index: a long queue costs no more than a short one, unless it is another build's.
    others = servers.c.build_id != bindparam("p_build")
    is_of_others = exists().where(servers.c.build_id == jobs.c.accepted_build_id, others)
    free = (jobs.c.state == State.CREATED, ~is_of_others)
    waiting = select(jobs.c.number).where(*free).order_by(jobs.c.number).limit(1)
    oldest = waiting.with_for_update(skip_locked=True).scalar_subquery()
    return (
        update(jobs)
        .where(jobs.c.number == oldest)
        .values(
            state=State.IN_PROGRESS,
            attempts=jobs.c.attempts + 1,
            token=jobs.c.token + 1,
            lease_owner=bindparam("p_owner"),
            lease_expires=bindparam("p_expires"),
            started=bindparam("p_now"),
            build_id=bindparam("p_build"),
        )
        .returning(*COLUMNS, jobs.c.input_data)
    )


def end_of(job: Job, ended: JobResult, now: float) -> dict[str, Any]:
    is_called = job.callback_url is not None
    return {
        "state": ended.state,
        "result": ended.result,
        "result_data": ended.content,
        "error": None if ended.error is None else storable(ended.error),
        "finished": now,
        "lease_owner": None,
        "lease_expires": None,
        "callback_state": CallbackState.WAITING if is_called else None,
        "callback_attempts": 0 if is_called else None,
        "callback_due": now if is_called else None,
    }


def storable(error: str) -> str:
    """Return text that every database takes: bounded, without NULs and lone surrogates."""
    text = error.replace("\x00", "").encode("utf-8", "backslashreplace").decode()
    most = bounds.ERROR_CHARACTERS
    return text if len(text) <= most else f"{text[: most - 2]} …"


def _end() -> Update:
    called = jobs.c.callback_url.is_not(None)
    fence = (jobs.c.id == bindparam("p_id"), jobs.c.token == bindparam("p_token"))
    return (
        update(jobs)
        .where(*fence, jobs.c.state == State.IN_PROGRESS)
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
