"""Ctrl-C and SIGTERM as an exception that unwinds a run, so that every stage cleans up what it started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Cancelled(BaseException):
    """A signal asks this process to end. Like KeyboardInterrupt, no stage takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """Return what a shell expects of a program that a signal ended: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.signal


@contextmanager
def cancellable() -> Iterator[None]:
    """Unwind this block at the first SIGTERM or SIGINT; later ones must not disturb its cleaning up."""

    def cancel(number: int, _frame: FrameType | None) -> NoReturn:
        for other in (signal.SIGTERM, signal.SIGINT):
            signal.signal(other, signal.SIG_IGN)
        raise Cancelled(number)

    former = {number: signal.signal(number, cancel) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
