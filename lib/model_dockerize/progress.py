"""The port through which a stage says what it is doing.

Stages print nothing and read no environment; they are handed one of these. `report` implements it for the terminal and
for GitHub; tests use `Silent`.
"""

from pathlib import Path
from typing import Protocol


class Progress(Protocol):
    """Where a stage's words go. Every method may be called from any thread."""

    def info(self, text: str) -> None:
        """One finished sentence about what was done or found."""

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        """Something the user should change; `file` and `line` (1-based) where there are any."""

    def output(self, text: str) -> None:
        """One line printed by a child (a build step, a model). Untrusted: never parsed as a command."""

    def secret(self, value: str) -> None:
        """From now on `value` must not appear in anything that is shown."""


class Silent:
    """A Progress that says nothing."""

    def info(self, text: str) -> None: ...

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None: ...

    def output(self, text: str) -> None: ...

    def secret(self, value: str) -> None: ...


class WarningsOnly(Silent):
    """Stages speak as if it had happened: of what they say, only warnings are true before it has."""

    def __init__(self, stage: Progress) -> None:
        self._stage = stage

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self._stage.warning(text, file, line)

    def secret(self, value: str) -> None:
        self._stage.secret(value)
