"""Group commit: changes that wait at the same time share one transaction, and so one wait for the disk."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection, Engine

R = TypeVar("R")


class Commits:
    """Runs changes of a database for any number of threads.

    Whoever comes while a transaction runs waits, and the first of those commits for all of them. No thread of its own,
    no delay: a lone change is committed at once.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._waiting: list[_Change[Any]] = []

    def run(self, change: Callable[[Connection], R], durable: bool = True) -> R:
        """Runs `change` in a transaction and returns its result once that is committed.

        Args:
            change: only statements; may be run more than once, each time on a database that has seen nothing of it.
            durable: false if the whole host may forget it when it loses its power, and nothing is lost by that.

        Raises:
            SQLAlchemyError: nothing of this change was recorded.
        """
        mine = _Change(change, durable)
        with self._guard:
            self._waiting.append(mine)
        with self._turn:
            if not mine.over:
                with self._guard:
                    batch, self._waiting = self._waiting, []
                self._commit(batch)
        return mine.outcome()

    def _commit(self, batch: list["_Change[Any]"]) -> None:
        try:
            engine = self._engine.execution_options(durable=any(change.durable for change in batch))
            with engine.begin() as connection:
                results = [change.function(connection) for change in batch]
        except Exception as error:  # noqa: BLE001 - handed to the thread that asked for the change
            if len(batch) == 1:
                batch[0].fail(error)
            else:  # so that only the one at fault fails
                for change in batch:
                    self._commit([change])
            return
        for change, result in zip(batch, results, strict=True):
            change.succeed(result)


class _Change(Generic[R]):
    def __init__(self, function: Callable[[Connection], R], durable: bool) -> None:
        self.function = function
        self.durable = durable
        self.over = False
        self._result: R | None = None
        self._error: Exception | None = None

    def succeed(self, result: R) -> None:
        self._result, self.over = result, True

    def fail(self, error: Exception) -> None:
        self._error, self.over = error, True

    def outcome(self) -> R:
        if self._error is not None:
            raise self._error
        return cast("R", self._result)
