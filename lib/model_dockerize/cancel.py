"""Turns Ctrl-C and SIGTERM into an exception, so that stages clean up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Cancelled(BaseException):
    """A signal ends this process; no stage takes it for its failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        return 128 + self.signal


@contextmanager
def cancellable() -> Iterator[None]:
    """Unwind at the first SIGTERM or SIGINT; ignore later ones."""

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
