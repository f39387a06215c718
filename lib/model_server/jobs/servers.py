"""The servers of a queue that take jobs, each with its build."""

from functools import partial

from sqlalchemy import Connection, Engine, delete, insert, select, update

from model_server.jobs.commits import Commits, Need
from model_server.jobs.schema import servers as _servers
from model_server.jobs.statements import changes_one


class Servers:
    """The table of servers. Each changes its beat; one whose beat stays is dead, and another dismisses it."""

    def __init__(self, reader: Engine, commits: Commits, build_id: str) -> None:
        """Announce servers under `build_id`."""
        self._reader = reader
        self._commits = commits
        self._build_id = build_id

    def beats(self) -> list[tuple[str, int]]:
        """Return each server with its beat: any change is a sign of life."""
        with self._reader.connect() as connection:
            return [(row.id, row.beat) for row in connection.execute(select(_servers.c.id, _servers.c.beat))]

    def announce(self, server: str) -> None:
        """Say that this server lives: jobs that its build accepts wait for it."""
        self._commits.run(partial(self._announce, server), Need.COMMIT)

    def _announce(self, server: str, connection: Connection) -> None:
        beat = update(_servers).where(_servers.c.id == server).values(beat=_servers.c.beat + 1)
        if connection.execute(beat).rowcount == 0:
            connection.execute(insert(_servers).values(id=server, build_id=self._build_id, beat=0))

    def dismiss(self, server: str, beat: int | None = None) -> bool:
        """Let servers of other builds have what waits for this one; False if it lives, or is not there.

        Args:
            server: that ended, or is about to.
            beat: that it must still have; None: any.
        """
        statement = delete(_servers).where(_servers.c.id == server)
        if beat is not None:
            statement = statement.where(_servers.c.beat == beat)
        return self._commits.run(changes_one(statement))
