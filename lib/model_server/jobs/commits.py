"""Group commit: changes that wait at the same time share one transaction, and so one wait for the disk."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

from model_server.log import logger

R = TypeVar("R")


class Commits:
    """Runs changes of a database for any number of threads, in one thread of its own; a lone one without any delay.

    Nobody has to wait: neither the thread that answers requests nor a worker stands still while a disk is written.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changes: SimpleQueue[_Change[Any] | None] = SimpleQueue()
        threading.Thread(target=self._serve, name="commits", daemon=True).start()

    def post(self, change: Callable[[Connection], R], durable: bool = True) -> Future[R]:
        """Has `change` run in a transaction; its result is there once that is committed.

        What waits for the result is called in the thread of this object: it must be quick.

        Args:
            change: only statements; may be run more than once, each time on a database that has seen nothing of it.
            durable: false if the whole host may forget it when it loses its power, and nothing is lost by that. It
                may then overtake changes that are durable.
        """
        mine = _Change(change, durable)
        self._changes.put(mine)
        return mine.future

    def run(self, change: Callable[[Connection], R], durable: bool = True) -> R:
        """As `post`, and waits for the result.

        Raises:
            SQLAlchemyError: nothing of this change was recorded.
        """
        return self.post(change, durable).result()

    def close(self) -> None:
        """Ends the thread after what was posted; nothing may be posted any more."""
        self._changes.put(None)

    def _serve(self) -> None:
        while True:
            group = [self._changes.get()]
            try:
                while True:
                    group.append(self._changes.get_nowait())
            except Empty:
                pass
            changes = [change for change in group if change is not None and change.begins()]
            try:
                # Those that need not wait for the disk do not wait for those that do.
                for durable in (False, True):
                    some = [change for change in changes if change.durable is durable]
                    if some:
                        self._commit(some, durable)
            except Exception as error:  # noqa: BLE001 - without this thread nobody would be answered any more
                logger.exception("the thread of commits met a fault and goes on")
                for change in changes:
                    if not change.future.done():
                        change.future.set_exception(error)
            if None in group:
                return

    def _commit(self, group: list["_Change[Any]"], durable: bool) -> None:
        try:
            with self._engine.execution_options(durable=durable).begin() as connection:
                results = [change.function(connection) for change in group]
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the change
            if len(group) == 1:
                group[0].future.set_exception(error)
            else:  # so that only the one at fault fails
                for change in group:
                    self._commit([change], durable)
            return
        for change, result in zip(group, results, strict=True):
            change.future.set_result(result)


class _Change(Generic[R]):
    def __init__(self, function: Callable[[Connection], R], durable: bool) -> None:
        self.function = function
        self.durable = durable
        self.future: Future[R] = Future()

    def begins(self) -> bool:
        """False if nobody wants it any more."""
        return self.future.set_running_or_notify_cancel()
