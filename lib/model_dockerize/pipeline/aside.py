"""Runs a function in a thread, which its caller may leave."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
_GRACE = 2.0  # seconds that one who leaves gives it to say so


class LeftError(Exception):
    """The caller has left."""


class Aside(Generic[T]):
    """Starts `work` at once with a function to pause by."""

    def __init__(self, work: Callable[[Callable[[float], None]], T]) -> None:
        self._left = threading.Event()
        self._future: Future[T] = Future()
        # A daemon: a program that ends does not wait for it.
        self._thread = threading.Thread(target=self._run, args=(work,), name="stage", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise its error, if it has failed."""
        if self._future.done():
            self._future.result()

    def result(self) -> T:
        """Wait for its result or error."""
        return self._future.result()

    def leave(self) -> None:
        """End it at its next pause."""
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
