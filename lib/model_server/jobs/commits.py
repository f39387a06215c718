"""Group commit: changes that wait together share one transaction and disk sync."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

from model_server.jobs import database

R = TypeVar("R")
#: How long a connection is kept without a change.
_KEPT_SECONDS = 0.02


class Need(Enum):
    """The time at which a result is needed."""

    #: Once it is on the disk.
    DISK = "disk"
    #: Once everybody sees it. The whole host may forget it when it loses its power, and nothing is lost by that.
    COMMIT = "commit"


class Commits:
    """Runs all threads' database changes in one; a lone change without delay."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        #: In the order in which they were posted, by whomever.
        self._changes: deque[_Change[Any]] = deque()
        #: Wakes the thread; False: for the last time.
        self._calls: SimpleQueue[bool] = SimpleQueue()
        #: The loop that wakes the thread when its turn ends.
        self._turn: asyncio.AbstractEventLoop | None = None
        self._is_over = False
        self._began: float | None = None
        threading.Thread(target=self._serve, name="commits", daemon=True).start()

    def post(
        self, change: Callable[[Connection], R], need: Need = Need.DISK, is_one_statement: bool = False
    ) -> Future[R]:
        """Run `change` in a transaction; its result is there after the commit.

        A coroutine's changes are handed over when its loop's turn ends. Their callbacks run in that loop, which must
        not block for them and, if it ends first, may never be told. Other callbacks run in the commit thread and must
        be quick.

        Args:
            change: only statements; may run again, with nothing of it recorded.
            is_one_statement: it is a single one, by `Prepared`, and waits for the disk.
        """
        return self._post(_Change(change, need, asyncio._get_running_loop(), is_one_statement))

    def run(self, change: Callable[[Connection], R], need: Need = Need.DISK) -> R:
        """Run a change and wait for its result.

        Raises:
            SQLAlchemyError: nothing was recorded, unless the answer to the commit was lost.
        """
        return self._post(_Change(change, need, None)).result()

    @property
    def stalled_seconds(self) -> float:
        """Return the age of the running transaction; 0: none."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def close(self) -> None:
        """End the thread after what was posted; post nothing more."""
        self._calls.put(False)

    def _post(self, change: "_Change[R]") -> Future[R]:
        self._changes.append(change)
        if change.loop is None:
            self._calls.put(True)
        elif self._turn is not change.loop:
            self._turn = change.loop
            change.loop.call_soon(self._end_turn)
        return change.future

    def _end_turn(self) -> None:
        self._turn = None
        self._calls.put(True)

    def _serve(self) -> None:
        while not self._is_over:
            self._wait(None)
            group: list[_Change[Any]] = []
            self._began = time.monotonic()  # before the connection, for which one may wait, too
            try:
                # One connection as long as changes come; in between the pool minds those that die.
                with self._engine.connect() as connection:
                    while group := self._next_group():
                        self._began = time.monotonic()
                        self._commit(connection, group)
                        self._began = None
            except Exception as error:  # noqa: BLE001 - without this thread nobody would be answered any more
                database.log_fault("the thread of commits met a fault and goes on", error)
                _tell([(change, None, error) for change in [*group, *self._taken()] if not change.future.done()])
            self._began = None

    def _wait(self, seconds: float | None) -> None:
        try:
            is_last = not self._calls.get(timeout=seconds)
            while True:
                self._is_over = self._is_over or is_last
                is_last = not self._calls.get_nowait()
        except Empty:
            pass

    def _next_group(self) -> list["_Change[Any]"]:
        if not self._changes and not self._is_over:
            self._began = None
            self._wait(_KEPT_SECONDS)
        return self._taken()

    def _taken(self) -> list["_Change[Any]"]:
        changes = [self._changes.popleft() for _ in range(len(self._changes))]
        return [change for change in changes if change.future.set_running_or_notify_cancel()]

    def _commit(self, connection: Connection, group: list["_Change[Any]"]) -> None:
        try:
            if self._is_sqlite and len(group) == 1 and group[0].is_one_statement:
                # SQLite makes a transaction of it by itself: Python's lock is handed over once, not four times.
                database.make_durable(connection)
                results = [group[0].function(connection)]
            else:
                connection.execution_options(durable=any(change.need is Need.DISK for change in group))
                with connection.begin():
                    results = [change.function(connection) for change in group]
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the change
            if len(group) == 1:
                _tell([(group[0], None, error)])
            else:  # so that only the one at fault fails
                for change in group:
                    self._commit(connection, [change])
            return
        _tell([(change, result, None) for change, result in zip(group, results, strict=True)])


class _Change(Generic[R]):
    def __init__(
        self,
        function: Callable[[Connection], R],
        need: Need,
        loop: asyncio.AbstractEventLoop | None,
        is_one_statement: bool = False,
    ) -> None:
        self.function = function
        self.need = need
        self.is_one_statement = is_one_statement
        #: In which it was posted; None: in none.
        self.loop = loop
        self.future: Future[R] = Future()


#: A change with its result, or its error.
_Told = tuple[_Change[Any], Any, Exception | None]


def _tell(told: Sequence[_Told]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop | None, list[_Told]] = {}
    for one in told:
        by_loop.setdefault(one[0].loop, []).append(one)
    for loop, mine in by_loop.items():
        try:
            if loop is None:
                _set(mine)
            else:
                loop.call_soon_threadsafe(_set, mine)
        except RuntimeError:  # the loop has ended
            _set(mine)


def _set(told: Sequence[_Told]) -> None:
    for change, result, error in told:
        if error is None:
            change.future.set_result(result)
        else:
            change.future.set_exception(error)
