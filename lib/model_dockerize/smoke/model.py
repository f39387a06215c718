"""The smoke test's expectations and results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEALTHY = "Health check is ok"
#: Every check, with those that it needs where they are made: of our server, of an image of somebody else, and by
#: `model-server probe`, which shares no code with this program and keeps to the same names and order.
CHECKS: Mapping[str, tuple[str, ...]] = {
    "reachable": (),
    "page": ("reachable",),
    "health": ("reachable", "swagger"),
    "build-id": ("reachable",),
    "swagger": ("reachable", "page"),
    "endpoints": ("swagger",),
    "license": ("health", "build-id", "endpoints"),
    "add-job": ("health", "build-id", "endpoints", "license"),
    "status": ("add-job",),
    "result": ("status",),
    "delete": ("add-job",),
    "repeat": ("result", "delete"),
    "runner-mode": ("health",),
}
#: How the detail of a check begins that was not run.
NOT_RUN = "not run: "


@dataclass(frozen=True)
class Expectation:
    """The model's expected answers.

    Attributes:
        build_id: empty: any is accepted.
        sample_input: None: no job is tried.
        sample_expected: None: any result will do.
        input_type: empty: the model's own.
        name: for messages.
        license_key: applied where the model wants one and has none.
        without_sample: what to do where there is no sample.
    """

    build_id: str
    sample_input: Path | None = None
    sample_expected: Path | None = None
    input_type: str = ""
    name: str = "the model"
    sample_mapping: Path | None = None
    license_key: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    without_sample: str = "Name one with smoke-input, and its answer with smoke-expected."


@dataclass(frozen=True)
class Check:
    """A check's result; `detail` is one line of evidence."""

    name: str
    passed: bool
    seconds: float
    detail: str


@dataclass(frozen=True)
class SmokeResult:
    """Checks in order; `url` is the address that answered."""

    url: str
    checks: tuple[Check, ...]
    unproved: tuple[str, ...] = ()  # what could not be looked at, one sentence each
    result: bytes | None = field(default=None, repr=False)  # what the model answered to the sample

    @property
    def summary(self) -> str:
        if not self.passed:
            return f"{sum(check.passed for check in self.checks)} of {len(self.checks)} checks passed"
        said = next((f"; result: {check.detail}" for check in self.checks if check.name == "result"), "")
        return f"{len(self.checks)} checks passed{said}"

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[str, ...]:
        """Return a line for each check that ran and failed."""
        return tuple(
            f"{check.name}: {check.detail}"
            for check in self.checks
            if not check.passed and not check.detail.startswith(NOT_RUN)
        )
