"""Runs checks one after another, whichever fail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from model_dockerize.errors import ModelDockerizeError
from model_dockerize.report import Finding, FindingStatus

T = TypeVar("T")


@dataclass(frozen=True)
class Said(Generic[T]):
    """A check's words and value."""

    text: str
    value: T
    status: FindingStatus = "ok"
    remedy: str = ""


@dataclass
class Checks:
    """Findings in order, and errors."""

    findings: list[Finding] = field(default_factory=list)
    errors: list[ModelDockerizeError] = field(default_factory=list)

    def look(self, name: str, check: Callable[[], Said[T]]) -> T | None:
        """Run a check; None: it failed."""
        try:
            said = check()
        except ModelDockerizeError as error:
            self.fail(name, error)
            return None
        self.findings.append(Finding(name, said.status, said.text, said.remedy))
        return said.value

    def fail(self, name: str, error: ModelDockerizeError) -> None:
        """Add a failed check."""
        text = " ".join((str(error), *error.details))
        self.findings.append(Finding(name, "failed", text, error.remedy))
        self.errors.append(error)

    def add(self, others: Sequence["Checks"]) -> None:
        for other in others:
            self.findings += other.findings
            self.errors += other.errors
