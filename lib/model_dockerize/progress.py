"""The interface by which stages report: they print nothing and read no environment."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Progress(Protocol):
    """A stage's messages, from any thread."""

    def info(self, text: str) -> None:
        """Report what was done or found, in a sentence."""

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        """Report what the user should change; `line` is 1-based."""

    def output(self, text: str) -> None:
        """Pass on a child's line, never parsed as a command."""

    def transfer(self, what: str, done: int, total: int) -> None:
        """Report bytes moved of `total` (0: unknown); without `what`, it is over."""

    def secret(self, value: str) -> None:
        """Mask `value` from now on."""


def counted(what: str, total: int, progress: Progress) -> Callable[[int], None]:
    """Return a function that adds up and reports bytes."""
    done, lock = 0, threading.Lock()

    def moved(more: int) -> None:
        nonlocal done
        with lock:
            done += more
            progress.transfer(what, done, total)

    return moved


class Silent:
    """A Progress that says nothing."""

    def info(self, text: str) -> None: ...

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None: ...

    def output(self, text: str) -> None: ...

    def transfer(self, what: str, done: int, total: int) -> None: ...

    def secret(self, value: str) -> None: ...


class WarningsOnly(Silent):
    """A Progress for plans, of which only warnings are true."""

    def __init__(self, stage: Progress) -> None:
        self._stage = stage

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self._stage.warning(text, file, line)

    def secret(self, value: str) -> None:
        self._stage.secret(value)


class TransfersOnly(Silent):
    """A Progress that shows bytes, of a stage that says itself what came of it."""

    def __init__(self, stage: Progress) -> None:
        self._stage = stage

    def transfer(self, what: str, done: int, total: int) -> None:
        self._stage.transfer(what, done, total)

    def secret(self, value: str) -> None:
        self._stage.secret(value)
