"""The SQLite database of the queue: opened so that a commit survives a crash, on whatever file system there is."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

_BUSY_SECONDS = 30


def open_sqlite(path: Path, on_network: bool) -> Engine:
    """Opens (and makes) the database file `path`.

    Args:
        path: the file, on the data volume.
        on_network: the file system is shared with other hosts, where a write-ahead log would corrupt the database.
    """
    mode = _journal_mode(path.parent, on_network)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that will write takes the lock first: two that read and then write would fail, not wait.
        reading = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def journal_mode(engine: Engine) -> str:
    """The journal mode in use, for the log."""
    with engine.execution_options(read_only=True).connect() as connection:
        return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()).upper()


def _journal_mode(folder: Path, on_network: bool) -> str:
    """WAL where it works, else DELETE. Some file systems accept the mode and fail at the first write: so write."""
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
