"""Group commit: changes that wait at the same time share one transaction, and so one sync of the disk."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

from model_server.jobs import database

R = TypeVar("R")
#: How long a connection is kept without a change.
_KEPT_SECONDS = 0.02
#: How long a change waits for company, if it may.
_COMPANY_SECONDS = 0.005


class Need(Enum):
    """The time at which a change's result is needed."""

    #: Once it is on the disk.
    DISK = "disk"
    #: Once everybody sees it. The whole host may forget it when it loses its power, and nothing is lost by that.
    COMMIT = "commit"
    #: As COMMIT, but nobody waits for it: it lets a few milliseconds go by, to share the transaction of another change.
    COMPANY = "company"


class Commits:
    """Runs database changes of any number of threads in one thread; a lone change without delay.

    Nobody has to wait: neither the thread that answers requests nor a worker stands still while a disk is written.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changes: SimpleQueue[_Change[Any] | None] = SimpleQueue()
        self._began: float | None = None
        threading.Thread(target=self._serve, name="commits", daemon=True).start()

    def post(self, change: Callable[[Connection], R], need: Need = Need.DISK) -> Future[R]:
        """Have `change` run in a transaction; its result is there once that is committed.

        What waits for the result is called in the thread of this object: it must be quick.

        Args:
            change: only statements; may be run more than once, each time on a database that has seen nothing of it.
            need: what the result waits for.
        """
        mine = _Change(change, need)
        self._changes.put(mine)
        return mine.future

    def run(self, change: Callable[[Connection], R], need: Need = Need.DISK) -> R:
        """Post a change and wait for its result.

        Raises:
            SQLAlchemyError: nothing of this change was recorded.
        """
        return self.post(change, need).result()

    @property
    def stalled_seconds(self) -> float:
        """Return how long the transaction under way has taken so far; 0: there is none."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def close(self) -> None:
        """End the thread after what was posted; nothing may be posted any more."""
        self._changes.put(None)

    def _serve(self) -> None:
        going_on = True
        while going_on:
            group: list[_Change[Any] | None] = [self._changes.get()]
            self._began = time.monotonic()  # before the connection, for which one may wait, too
            try:
                # One connection as long as changes come; in between the pool minds those that die.
                with self._engine.connect() as connection:
                    while group:
                        group.extend(self._more())
                        self._wait_for_company(group)
                        self._began = time.monotonic()
                        self._commit(connection, [change for change in group if change is not None and change.begins()])
                        self._began = None
                        going_on = None not in group
                        group = self._more(_KEPT_SECONDS) if going_on else []
            except Exception as error:  # noqa: BLE001 - without this thread nobody would be answered any more
                database.log_fault("the thread of commits met a fault and goes on", error)
                for change in group:
                    if change is not None and not change.future.done():
                        change.future.set_exception(error)
            self._began = None

    def _more(self, seconds: float = 0.0) -> list["_Change[Any] | None"]:
        """Return the waiting changes; wait for the first up to `seconds`."""
        group: list[_Change[Any] | None] = []
        with suppress(Empty):
            if seconds:
                group.append(self._changes.get(timeout=seconds))
            while True:
                group.append(self._changes.get_nowait())
        return group

    def _wait_for_company(self, group: list["_Change[Any] | None"]) -> None:
        """Add to `group` what comes within a moment, if all of it can wait for that."""
        end = time.monotonic() + _COMPANY_SECONDS
        while all(change is not None and change.need is Need.COMPANY for change in group):
            left = end - time.monotonic()
            if left <= 0:
                return
            group.extend(self._more(left))

    def _commit(self, connection: Connection, group: list["_Change[Any]"]) -> None:
        """Commit changes in the order in which they were posted."""
        if not group:
            return
        try:
            connection.execution_options(durable=any(change.need is Need.DISK for change in group))
            with connection.begin():
                results = [change.function(connection) for change in group]
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the change
            if len(group) == 1:
                group[0].future.set_exception(error)
            else:  # so that only the one at fault fails
                for change in group:
                    self._commit(connection, [change])
            return
        for change, result in zip(group, results, strict=True):
            change.future.set_result(result)


class _Change(Generic[R]):
    def __init__(self, function: Callable[[Connection], R], need: Need) -> None:
        self.function = function
        self.need = need
        self.future: Future[R] = Future()

    def begins(self) -> bool:
        """Claim the change for the commit; False if nobody wants it any more."""
        return self.future.set_running_or_notify_cancel()
