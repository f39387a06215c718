"""A run whose words are kept, and calls of functions that others stand in for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.rig.deployer import Quiet

from model_dockerize.pipeline import Run
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from model_dockerize.settings.sources import from_flags


class Told(Quiet):
    """Keeps what stages say: stage, level, text."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []

    def line(self, stage: str, level: str, text: str, file: Any = None, line: int | None = None) -> None:
        self.lines.append((stage, level, text if file is None else f"{text} ({file})"))


@dataclass
class Calls:
    """Keeps the calls of functions, each with its arguments."""

    patch: pytest.MonkeyPatch
    made: list[Any] = field(default_factory=list)

    def stand_in(self, module: Any, name: str, answer: Any = None) -> None:
        """Let `answer` be returned, raised if it is an error, or called if it is a function."""

        def called(*given: Any, **named: Any) -> Any:
            self.made.append((name, given, named) if named else (name, *given))
            if isinstance(answer, BaseException):
                raise answer
            return answer(*given, **named) if callable(answer) else answer

        self.patch.setattr(module, name, called)

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.made]


def run_told(flags: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None) -> tuple[Run, Told]:
    """Return a run with these inputs, and what it will have said."""
    told = Told()
    return Run(to_settings([from_flags(dict(flags or {}))]), dict(environment or {}), Recorder(told)), told
