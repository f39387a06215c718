"""The interface through which a stage reports what it is doing.

Stages print nothing and read no environment; they are handed one of these. `report` implements it for the terminal and
for GitHub; tests use `Silent`.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Progress(Protocol):
    """The messages of a stage. Every method may be called from any thread."""

    def info(self, text: str) -> None:
        """Report what was done or found, in one finished sentence."""

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        """Report what the user should change; `file` and `line` (1-based) where there are any."""

    def output(self, text: str) -> None:
        """Pass on one line of a child (a build step, a model). Untrusted: never parsed as a command."""

    def transfer(self, what: str, done: int, total: int) -> None:
        """Tell how many bytes of `total` (0: nobody knows) were moved; no `what`: nothing is moved any more."""

    def secret(self, value: str) -> None:
        """Hide `value` in everything that is shown from now on."""


def counted(what: str, total: int, progress: Progress) -> Callable[[int], None]:
    """Return a function that takes the bytes that were moved since its last call, and tells how far all of it is."""
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
    """Stages speak as if it had happened: of what they say, only warnings are true before it has."""

    def __init__(self, stage: Progress) -> None:
        self._stage = stage

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self._stage.warning(text, file, line)

    def secret(self, value: str) -> None:
        self._stage.secret(value)
