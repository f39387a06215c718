"""The queue's database: SQLite on the volume, or PostgreSQL."""

import logging
import math
import sqlite3
import ssl
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    DisconnectionError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004
)
from sqlalchemy.pool import ConnectionPoolEntry

from model_server.errors import StartError, VolumeError
from model_server.log import logger

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
#: A connection that was used so recently is not asked whether it still lives.
_TRUSTED_SECONDS = 1.0


_TELL_SECONDS = 10.0
#: When each fault was told, while the database was away.
_told: dict[str, float] = {}
#: Classes of PostgreSQL's error codes that say that it cannot now, not that it was asked something wrong.
_NOT_NOW = ("08", "25006", "28", "40", "53", "55", "57", "58")


def is_away(error: SQLAlchemyError) -> bool:
    """Tell whether the database cannot answer now; else the fault is ours."""
    if not isinstance(error, DBAPIError):
        return type(error) in (SQLAlchemyError, DisconnectionError, TimeoutError)  # the first is from below
    cause = error.orig
    if error.connection_invalidated or isinstance(cause, sqlite3.OperationalError | OSError):
        return True
    code = _code_of(error)
    return code.startswith(_NOT_NOW) if code else type(cause).__name__ == "InterfaceError"


def log_fault(fault: str, error: BaseException) -> None:
    """Log a fault, of an unreachable database only now and then."""
    if not isinstance(error, SQLAlchemyError) or not is_away(error):
        logger.error("%s", fault, exc_info=error)
        return
    now = time.monotonic()
    if now - _told.get(fault, -math.inf) >= _TELL_SECONDS:
        _told[fault] = now
        logger.warning("%s: the job queue does not answer: %s", fault, str(getattr(error, "orig", None) or error)[:200])


def is_full(error: DBAPIError) -> bool:
    return "database or disk is full" in str(error.orig) or _code_of(error) == "53100"


def _code_of(error: DBAPIError) -> str:
    detail = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return str(detail.get("C", "")) if isinstance(detail, dict) else ""


def open_sqlite(path: Path, on_network: bool) -> Engine:
    """Open or make the file; on a network file system a write-ahead log would corrupt it.

    Raises:
        VolumeError: it is no database, or damaged.
    """
    mode = _journal_mode(path.parent, on_network)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        connection.execute(f"PRAGMA journal_mode={mode}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that will write takes the lock first: two that read and then write would fail, not wait.
        options = connection.get_execution_options()
        if options.get("isolation_level") == "AUTOCOMMIT":
            return
        if options.get("read_only", False):
            connection.exec_driver_sql("BEGIN")
            return
        # Only with a write-ahead log is the database whole without waiting for the disk.
        level = "NORMAL" if mode == "WAL" and not options.get("durable", True) else "FULL"
        _synchronize(connection, level)
        _execute(connection, "BEGIN IMMEDIATE")

    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except DatabaseError as error:
        if isinstance(error.orig, sqlite3.OperationalError):  # e.g. it is locked, or the disk is full
            raise
        raise VolumeError(
            f"{path} is damaged, or no database ({error.orig}): restore it, mount another volume, or move it away to "
            "begin with no jobs"
        ) from error
    return engine


def make_durable(connection: Connection) -> None:
    """Have SQLite wait for the disk at the end of the next transaction, which is not begun."""
    _synchronize(connection, "FULL")


def _synchronize(connection: Connection, level: str) -> None:
    if connection.info.get("synchronous") != level:
        _execute(connection, f"PRAGMA synchronous={level}")
        connection.info["synchronous"] = level


def _execute(connection: Connection, statement: str) -> None:
    try:
        connection.connection.cursor().execute(statement)
    except sqlite3.Error as error:  # no driver's error leaves SQLAlchemy unnamed but here
        raise DBAPIError(statement, None, error) from error


def open_postgres(text: str) -> Engine:
    """Open e.g. "postgresql://user:password@host:5432/name?sslmode=verify-full".

    `sslmode` is libpq's: disable, require (encrypted, any host), verify-full.

    Raises:
        StartError: a wrong URL, or no answer; never holds the password.
    """
    import pg8000  # type: ignore[import-untyped]  # noqa: PLC0415 - most servers never need it

    try:
        url = make_url(text)
        arguments: dict[str, Any] = {"timeout": _CONNECT_SECONDS, "ssl_context": _tls(url)}
    except (ArgumentError, ValueError, KeyError) as error:
        raise StartError(
            "MODEL_QUEUE_URL must look like postgresql://user:password@host:5432/name?sslmode=verify-full; "
            "sslmode is one of disable, require, verify-full"
        ) from error
    address = url.set(drivername="postgresql+pg8000").difference_update_query(["sslmode"])
    engine = create_engine(
        address, module=pg8000, connect_args=arguments, pool_size=8, max_overflow=24, pool_recycle=1800
    )
    _mind_lost_connections(engine)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # of a connection that is lost we tell ourselves
    try:
        with engine.connect():
            return engine
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise StartError(
            f"the database of MODEL_QUEUE_URL at {url.host}:{url.port or 5432} does not take us as user "
            f"{url.username!r} of {url.database!r}: {_reason(error)}"
        ) from error


def _mind_lost_connections(engine: Engine) -> None:
    """Treat network errors, which the driver passes on raw, as the database's."""

    @event.listens_for(engine, "handle_error")
    def name(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, OSError):
            context.is_disconnect = True
            raise SQLAlchemyError("the connection to the database was lost") from context.original_exception

    @event.listens_for(engine, "checkin")
    def remember(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def check(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get("used", 0.0) < _TRUSTED_SECONDS:
            return
        try:
            connection.cursor().execute("SELECT 1")
            connection.rollback()
        except Exception as error:  # whatever it is: another connection will do
            raise DisconnectionError from error


def journal_mode(engine: Engine) -> str:
    """Return the journal mode, in upper case for SQLite."""
    if engine.dialect.name != "sqlite":
        return "of the database server"
    with engine.execution_options(read_only=True).connect() as connection:
        return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()).upper()


def _journal_mode(folder: Path, on_network: bool) -> str:
    if on_network:
        return "DELETE"
    scratch = folder / ".journal-probe"
    try:
        connection = sqlite3.connect(scratch, timeout=_BUSY_SECONDS)
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute("CREATE TABLE IF NOT EXISTS probe (value INTEGER)")
            connection.execute("INSERT INTO probe VALUES (1)")
            connection.commit()
            connection.execute("SELECT count(*) FROM probe").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        mode = "delete"
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{scratch}{suffix}").unlink(missing_ok=True)
    return "WAL" if mode == "wal" else "DELETE"


def _tls(url: URL) -> ssl.SSLContext | None:
    if url.get_backend_name() != "postgresql" or not url.host:
        raise ValueError("not PostgreSQL")
    mode = url.query.get("sslmode", "disable")
    if mode == "disable":
        return None
    context = ssl.create_default_context()
    if mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif mode != "verify-full":
        raise ValueError("unknown sslmode")
    return context


def _reason(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    detail = cause.args[0] if cause.args else ""
    return str(detail.get("M", detail)) if isinstance(detail, dict) else str(cause.__cause__ or detail)
