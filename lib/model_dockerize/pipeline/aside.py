"""Runs a function beside its caller, who may leave it: it then ends at its next pause."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
_GRACE = 2.0  # seconds that one who leaves gives it to say so


class LeftError(Exception):
    """Says that the caller has left."""


class Aside(Generic[T]):
    """Runs `work` at once, which is handed how to pause between its looks."""

    def __init__(self, work: Callable[[Callable[[float], None]], T]) -> None:
        self._left = threading.Event()
        self._future: Future[T] = Future()
        # A daemon: a program that ends does not wait for it.
        self._thread = threading.Thread(target=self._run, args=(work,), name="stage", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what ended it, if anything has."""
        if self._future.done():
            self._future.result()

    def result(self) -> T:
        """Wait for its end; return or raise what came of it."""
        return self._future.result()

    def leave(self) -> None:
        """Have it end at its next pause."""
        self._left.set()
        self._thread.join(_GRACE)

    def _pause(self, seconds: float) -> None:
        if self._left.wait(seconds):
            raise LeftError

    def _run(self, work: Callable[[Callable[[float], None]], T]) -> None:
        try:
            self._future.set_result(work(self._pause))
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            self._future.set_exception(error)
