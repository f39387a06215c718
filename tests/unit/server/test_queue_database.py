"""The queue's database: when it is away, how transactions begin, what is asked of PostgreSQL, and what is told."""

import logging
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pg8000
import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004
)
from sqlalchemy.pool import QueuePool

from model_server.errors import StartError, VolumeError
from model_server.jobs import database


def failed(cause: BaseException, is_lost: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", None, cause, connection_invalidated=is_lost)


def told(code: str) -> pg8000.DatabaseError:
    """Return PostgreSQL's error with this code."""
    return pg8000.DatabaseError({"C": code, "M": f"message of {code}"})


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (SQLAlchemyError("lost"), True),
        (DisconnectionError("lost"), True),
        (TimeoutError("no connection is free"), True),
        (ArgumentError("wrong"), False),
        (failed(ValueError("x")), False),
        (failed(ValueError("x"), is_lost=True), True),
        (failed(sqlite3.OperationalError("database is locked")), True),
        (failed(sqlite3.IntegrityError("UNIQUE")), False),
        (failed(ConnectionResetError()), True),
        (failed(pg8000.InterfaceError("network error")), True),
        (failed(pg8000.DatabaseError("text")), False),
        (failed(pg8000.DatabaseError()), False),
        *((failed(told(f"{kind}000"[:5])), True) for kind in ("08", "25006", "28", "40", "53", "55", "57", "58")),
        *((failed(told(code)), False) for code in ("23505", "25001", "42601", "22021")),
        (failed(pg8000.InterfaceError({"C": "42601"})), False),
        (failed(pg8000.InterfaceError({"M": "no code"})), True),
    ],
)
def test_a_database_is_away_where_it_cannot_answer_now(error: SQLAlchemyError, away: bool) -> None:
    assert database.is_away(error) is away


@pytest.mark.parametrize(
    ("cause", "full"),
    [
        (sqlite3.OperationalError("database or disk is full"), True),
        (sqlite3.OperationalError("disk I/O error"), False),
        (told("53100"), True),
        (told("53200"), False),
    ],
)
def test_a_disk_is_full_where_the_database_says_so(cause: Exception, full: bool) -> None:
    assert database.is_full(failed(cause)) is full


def test_a_database_that_is_away_is_told_now_and_then_and_each_other_fault_whole(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [100.0]
    monkeypatch.setattr(database.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(database, "_told", {})
    away = failed(sqlite3.OperationalError("locked " + "x" * 300))
    for moment in (0, 9.9, 10, 19.9, 20):
        now[0] = 100 + moment
        database.log_fault("a worker met a fault", away)
    database.log_fault("another", SQLAlchemyError("lost"))
    said = "the job queue does not answer: locked " + "x" * 193
    assert caplog.messages == [*[f"a worker met a fault: {said}"] * 3, "another: the job queue does not answer: lost"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    caplog.clear()
    for error in (ValueError("ours"), failed(sqlite3.IntegrityError("ours"))):
        for _ in range(2):
            database.log_fault("a worker met a fault", error)
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.ERROR, "a worker met a fault")
    ] * 4
    assert [record.exc_info[1] for record in caplog.records if record.exc_info][::2] == [
        caplog.records[0].exc_info[1],  # type: ignore[index]
        error,
    ]


def statements(engine: Engine, tell: list[str]) -> None:
    """Note what the database itself is given from now on."""

    @event.listens_for(engine, "checkout")
    def note(connection: Any, _record: object, _proxy: object) -> None:
        connection.set_trace_callback(tell.append)


@pytest.mark.parametrize(
    ("on_network", "options", "expected"),
    [
        (False, {}, ["PRAGMA synchronous=FULL", "BEGIN IMMEDIATE", "SELECT 1", "COMMIT"]),
        (False, {"durable": False}, ["PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE", "SELECT 1", "COMMIT"]),
        (True, {"durable": False}, ["PRAGMA synchronous=FULL", "BEGIN IMMEDIATE", "SELECT 1", "COMMIT"]),
        (False, {"read_only": True}, ["BEGIN", "SELECT 1", "COMMIT"]),
        (False, {"isolation_level": "AUTOCOMMIT"}, ["SELECT 1"]),
    ],
)
def test_a_transaction_begins_as_what_it_will_do_needs(
    tmp_path: Path, on_network: bool, options: dict[str, Any], expected: list[str]
) -> None:
    engine = database.open_sqlite(tmp_path / "jobs.sqlite3", on_network)
    engine.dispose()
    given: list[str] = []
    statements(engine, given)
    with engine.connect().execution_options(**options) as connection:
        for _ in range(2):
            connection.exec_driver_sql("SELECT 1")
            connection.commit()
    of_others = ("ROLLBACK", "PRAGMA journal_mode", "PRAGMA read_uncommitted")
    begun = [text for text in given if not text.startswith(of_others)]
    assert begun == [*expected, *(text for text in expected if not text.startswith("PRAGMA"))]
    engine.dispose()


def test_a_transaction_may_be_made_to_wait_for_the_disk(tmp_path: Path) -> None:
    engine = database.open_sqlite(tmp_path / "jobs.sqlite3", on_network=False)
    given: list[str] = []
    statements(engine, given)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for _ in range(2):
            database.make_durable(connection)
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 30_000
    assert [text for text in given if "synchronous" in text] == []  # it is so since it was opened
    with engine.connect().execution_options(durable=False) as connection:
        connection.exec_driver_sql("SELECT 1")
        connection.commit()
        database.make_durable(connection)
    assert [text for text in given if "synchronous" in text] == ["PRAGMA synchronous=NORMAL", "PRAGMA synchronous=FULL"]
    engine.dispose()


def test_an_error_of_the_driver_is_one_of_ours(tmp_path: Path) -> None:
    engine = database.open_sqlite(tmp_path / "jobs.sqlite3", on_network=False)
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        database._execute(connection, "nonsense")
    assert caught.value.statement == "nonsense"
    assert isinstance(caught.value.orig, sqlite3.OperationalError)
    engine.dispose()


@pytest.mark.parametrize(("on_network", "mode"), [(False, "WAL"), (True, "DELETE")])
def test_the_journal_is_that_of_the_file_system(tmp_path: Path, on_network: bool, mode: str) -> None:
    path = tmp_path / "jobs.sqlite3"
    engine = database.open_sqlite(path, on_network)
    assert database.journal_mode(engine) == mode
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode.lower(),)
    engine.dispose()
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_database_that_moved_to_a_network_has_no_write_ahead_log_any_more(tmp_path: Path) -> None:
    for on_network, mode in ((False, "WAL"), (True, "DELETE"), (False, "WAL")):
        engine = database.open_sqlite(tmp_path / "jobs.sqlite3", on_network)
        assert database.journal_mode(engine) == mode
        engine.dispose()


def test_a_file_system_without_shared_memory_has_no_write_ahead_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    tried: list[tuple[str, float]] = []

    class Refusing(sqlite3.Connection):
        """Takes the mode and then cannot write, as where files cannot be mapped."""

        def commit(self) -> None:
            raise sqlite3.OperationalError("disk I/O error")

    def refuse(path: Path, timeout: float) -> sqlite3.Connection:
        tried.append((Path(path).name, timeout))
        return connect(path, timeout=timeout, factory=Refusing)

    monkeypatch.setattr(sqlite3, "connect", refuse)
    assert database._journal_mode(tmp_path, on_network=False) == "DELETE"
    assert tried == [(".journal-probe", 30)]
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_damaged_is_told_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(VolumeError) as caught:
        database.open_sqlite(path, on_network=False)
    assert str(caught.value) == (
        f"{path} is damaged, or no database (file is not a database): restore it, mount another volume, or move it "
        "away to begin with no jobs"
    )


def test_a_database_that_cannot_be_opened_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite3").mkdir()
    with pytest.raises(OperationalError, match="unable to open database file"):
        database.open_sqlite(tmp_path / "jobs.sqlite3", on_network=False)


class Opened:
    """Notes how an engine is made; it is one of SQLite, which answers or not."""

    def __init__(self) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.fault: Exception | None = None
        self.disposed = 0

    def __call__(self, url: Any, **options: Any) -> Engine:
        self.made.append((url.render_as_string(hide_password=False), options))
        engine = create_engine("sqlite://", creator=self._connect)
        event.listen(engine, "engine_disposed", lambda _: setattr(self, "disposed", self.disposed + 1))
        return engine

    def _connect(self) -> sqlite3.Connection:
        if self.fault is not None:
            raise self.fault
        return sqlite3.connect(":memory:")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    pool = logging.getLogger("sqlalchemy.pool")
    level = pool.level
    monkeypatch.setattr(database, "create_engine", opened := Opened())
    yield opened
    pool.setLevel(level)


def test_postgres_is_asked_with_what_the_url_says(opened: Opened) -> None:
    engine = database.open_postgres("postgresql://ann:pw@db.example:5433/jobs?application_name=x")
    ((url, options),) = opened.made
    assert url == "postgresql+pg8000://ann:pw@db.example:5433/jobs?application_name=x"
    assert options == {
        "module": pg8000,
        "connect_args": {"timeout": 10, "ssl_context": None},
        "pool_size": 8,
        "max_overflow": 24,
        "pool_recycle": 1800,
    }
    assert (opened.disposed, logging.getLogger("sqlalchemy.pool").level) == (0, logging.CRITICAL)
    engine.dispose()


@pytest.mark.parametrize(
    ("mode", "hosts", "certificates"),
    [("require", False, ssl.CERT_NONE), ("verify-full", True, ssl.CERT_REQUIRED), ("disable", None, None)],
)
def test_a_connection_is_encrypted_as_the_url_says(
    opened: Opened, mode: str, hosts: bool | None, certificates: ssl.VerifyMode | None
) -> None:
    database.open_postgres(f"postgresql://ann:pw@db.example/jobs?sslmode={mode}").dispose()
    ((url, options),) = opened.made
    assert url == "postgresql+pg8000://ann:pw@db.example/jobs"
    context = options["connect_args"]["ssl_context"]
    found = (None, None) if context is None else (context.check_hostname, context.verify_mode)
    assert found == (hosts, certificates)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://ann:pw@db.example/jobs",
        "postgresql:///jobs",
        "postgresql://ann:pw@db.example/jobs?sslmode=prefer",
        "postgresql://ann:pw@db.example:port/jobs",
    ],
)
def test_a_url_that_is_wrong_is_told_without_its_password(opened: Opened, url: str) -> None:
    with pytest.raises(StartError) as caught:
        database.open_postgres(url)
    assert str(caught.value) == (
        "MODEL_QUEUE_URL must look like postgresql://user:password@host:5432/name?sslmode=verify-full; "
        "sslmode is one of disable, require, verify-full"
    )
    assert opened.made == []


def because(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("port", "fault", "reason"),
    [
        (":5433", OSError("no route to host"), "5433 does not take us as user 'ann' of 'jobs': no route to host"),
        ("", OSError(), "5432 does not take us as user 'ann' of 'jobs': "),
        (
            "",
            OSError({"C": "28P01", "M": "message of 28P01"}),
            "5432 does not take us as user 'ann' of 'jobs': message of 28P01",
        ),
        (
            "",
            because(OSError("cannot connect"), ConnectionRefusedError("refused")),
            "5432 does not take us as user 'ann' of 'jobs': refused",
        ),
    ],
)
def test_a_database_that_does_not_take_us_is_told_with_its_reason(
    opened: Opened, port: str, fault: Exception, reason: str
) -> None:
    opened.fault = fault
    with pytest.raises(StartError) as caught:
        database.open_postgres(f"postgresql://ann:pw@db.example{port}/jobs")
    assert str(caught.value) == f"the database of MODEL_QUEUE_URL at db.example:{reason}"
    assert opened.disposed == 1


class Raw(sqlite3.Connection):
    """A connection whose network fails, and which notes what it is asked."""

    asked: list[str]
    is_dead = False

    def cursor(self, *_: Any) -> Any:
        return Cursor(self)

    def rollback(self) -> None:
        self.asked.append("rollback")
        super().rollback()


class Cursor(sqlite3.Cursor):
    """Its cursor."""

    def execute(self, statement: str, *words: Any) -> Any:
        raw: Any = self.connection
        raw.asked.append(statement)
        if raw.is_dead:
            raise ConnectionResetError("by peer")
        return super().execute(statement, *words)


@pytest.fixture
def minded(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Engine, list[Raw], list[float]]]:
    """Yield an engine whose lost connections are minded, its connections, and the time."""
    now, made = [100.0], list[Raw]()
    monkeypatch.setattr(database.time, "monotonic", lambda: now[0])

    def connect() -> Raw:
        raw = sqlite3.connect(":memory:", factory=Raw)
        raw.asked = []
        made.append(raw)
        return raw

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    database._mind_lost_connections(engine)
    yield engine, made, now
    engine.dispose()


def ask(connection: Connection) -> None:
    assert connection.exec_driver_sql("SELECT 2").scalar_one() == 2


def test_a_connection_that_was_used_just_now_is_trusted(minded: tuple[Engine, list[Raw], list[float]]) -> None:
    engine, made, now = minded
    for later in (0.0, 0.99, 1.0):
        now[0] += later
        with engine.connect() as connection:
            made[0].asked.clear()
            ask(connection)
    (raw,) = made
    assert raw.asked[0] == "SELECT 2"
    now[0] += 1.0
    raw.asked.clear()
    with engine.connect() as connection:
        ask(connection)
    assert raw.asked[:3] == ["SELECT 1", "rollback", "SELECT 2"]


def test_a_connection_that_died_meanwhile_is_replaced(minded: tuple[Engine, list[Raw], list[float]]) -> None:
    engine, made, now = minded
    with engine.connect() as connection:
        ask(connection)
    made[0].is_dead = True
    now[0] += 1.0
    with engine.connect() as connection:
        ask(connection)
    assert len(made) == 2


def test_a_connection_that_dies_in_use_is_the_databases_fault(minded: tuple[Engine, list[Raw], list[float]]) -> None:
    engine, made, _ = minded
    with engine.connect() as connection:
        ask(connection)
        made[0].is_dead = True
        with pytest.raises(SQLAlchemyError) as caught:
            ask(connection)
        assert connection.invalidated
        connection.rollback()
        with pytest.raises(DBAPIError, match="no such table"):
            connection.exec_driver_sql("SELECT * FROM nowhere")
    assert str(caught.value) == "the connection to the database was lost"
    assert database.is_away(caught.value)
