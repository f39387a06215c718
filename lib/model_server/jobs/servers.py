"""The servers that take jobs, each with its build."""

from functools import partial

from sqlalchemy import Connection, Engine, delete, insert, select, update

from model_server.jobs.commits import Commits, Need
from model_server.jobs.schema import servers as _servers
from model_server.jobs.statements import changes_one


class Servers:
    """The table of servers; one whose beat stays is dead."""

    def __init__(self, reader: Engine, commits: Commits, build_id: str) -> None:
        self._reader = reader
        self._commits = commits
        self._build_id = build_id

    def beats(self) -> list[tuple[str, int]]:
        with self._reader.connect() as connection:
            return [(row.id, row.beat) for row in connection.execute(select(_servers.c.id, _servers.c.beat))]

    def announce(self, server: str) -> None:
        """Announce that a server lives: its build's jobs wait for it."""
        self._commits.run(partial(self._announce, server), Need.COMMIT)

    def _announce(self, server: str, connection: Connection) -> None:
        beat = update(_servers).where(_servers.c.id == server).values(beat=_servers.c.beat + 1)
        if connection.execute(beat).rowcount == 0:
            connection.execute(insert(_servers).values(id=server, build_id=self._build_id, beat=0))

    def dismiss(self, server: str, beat: int | None = None) -> bool:
        """Leave a server's waiting jobs to other builds; False if it lives or is missing.

        Args:
            beat: that it must still have; None: any.
        """
        statement = delete(_servers).where(_servers.c.id == server)
        if beat is not None:
            statement = statement.where(_servers.c.beat == beat)
        return self._commits.run(changes_one(statement))
