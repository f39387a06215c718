"""The queue's tables and their upgrade.

Changes only add tables, indexes or nullable columns, so that an older image still runs on the data.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateColumn

from model_server.errors import VolumeError

#: 1: without `started`, mappings, callbacks, idempotency keys and the owner. 2: without small data. 3: without
#: fingerprints. 4: without clients. 5: without names, sizes, rows and build ids.
#: 6: without accepting builds and the table of servers. 7: today's.
LAYOUT = 7
#: Any number that all servers agree on (pg_advisory_xact_lock).
_UPGRADE_LOCK = 0x6D6F64656C

_HAS_CLIENT = text("client IS NOT NULL")

metadata = MetaData()
jobs = Table(
    "jobs",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("token", Integer, nullable=False, default=0),
    Column("mime_type", String(255), nullable=False),
    Column("name", String(255)),
    Column("size", BigInteger),
    Column("rows", BigInteger),
    Column("mappings", Text),
    Column("output_mappings", Text),
    Column("idempotency_key", String(255)),
    Column("fingerprint", String(64)),
    Column("client", String(64)),
    Column("lease_owner", String(64)),
    Column("lease_expires", Float),
    Column("result", String(64)),
    Column("error", Text),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("callback_url", Text),
    Column("callback_state", String(16)),
    Column("callback_attempts", Integer),
    Column("callback_due", Float),
    Column("callback_error", Text),
    Column("build_id", String(255)),
    #: The build whose server accepted the job; null: an older server did.
    Column("accepted_build_id", String(255)),
    # Small data, which needs no file of its own; last in the row, where nothing else is read behind it.
    Column("input_data", LargeBinary),
    Column("result_data", LargeBinary),
    Index("jobs_state_number", "state", "number"),
    Index("jobs_idempotency_key", "idempotency_key", unique=True),
    # Only of those that have one: where no key is needed, nothing is written to it.
    Index("jobs_client_number", "client", "number", sqlite_where=_HAS_CLIENT, postgresql_where=_HAS_CLIENT),
    Index("jobs_callback_due", "callback_due"),
)
#: The servers that take jobs. Each changes its `beat`; one whose beat stays is dead, and another removes its row.
servers = Table(
    "servers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("build_id", String(255), nullable=False),
    Column("beat", Integer, nullable=False),
)
_owner = Table(
    "owner",
    metadata,
    Column("model", String(255), primary_key=True),
    Column("layout", Integer, nullable=False),
)


def prepare(connection: Connection, model: str) -> None:
    """Make or upgrade the tables in the caller's transaction; VolumeError: another model's."""
    if connection.dialect.name == "postgresql":  # SQLite's transaction excludes other servers anyway
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    _check_owner(connection, model)
    metadata.create_all(connection)
    _add_what_is_missing(connection)
    if connection.execute(update(_owner).values(layout=LAYOUT)).rowcount == 0:
        connection.execute(insert(_owner).values(model=model, layout=LAYOUT))


def _check_owner(connection: Connection, model: str) -> None:
    if not inspect(connection).has_table(_owner.name):
        return
    found = connection.execute(select(_owner.c.model)).scalar()
    if found not in (None, model):
        raise VolumeError(
            f"the job queue belongs to the model {found!r}, this image is {model!r}; nothing was changed; "
            "every model needs a queue of its own: name another database by MODEL_QUEUE_URL"
        )


def _add_what_is_missing(connection: Connection) -> None:
    there = {column["name"] for column in inspect(connection).get_columns(jobs.name)}
    for column in jobs.columns:
        if column.name not in there:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {jobs.name} ADD COLUMN {definition}"))
    for index in jobs.indexes:
        index.create(connection, checkfirst=True)
