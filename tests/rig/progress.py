"""A Progress for tests that look at what a stage said."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.leaks import learn


@dataclass
class Said:
    """A Progress that remembers."""

    infos: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def info(self, text: str) -> None:
        self.infos.append(text)

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self.warnings.append(text)

    def output(self, text: str) -> None:
        self.outputs.append(text)

    def transfer(self, what: str, done: int, total: int) -> None: ...

    def secret(self, value: str) -> None:
        self.secrets.append(value)
        learn(value)
