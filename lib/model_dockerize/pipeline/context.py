"""The context that the stages of one run share: what was asked for, where to report, what is known."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from model_dockerize import image, program, smoke
from model_dockerize.cancel import Cancelled
from model_dockerize.report import CheckReport, Recorder, Report, SmokeReport, concluded, masked
from model_dockerize.settings import Settings

# Seconds that a fresh container may take until it answers. The server opens its port before any code of the model runs.
START_TIMEOUT = 30.0


class Model(Protocol):
    """A model's name and version."""

    @property
    def name(self) -> str:
        """Return the name of the image, without tag."""

    @property
    def version(self) -> str:
        """Return the tag of the image."""


@dataclass(frozen=True)
class Prepared:
    """A model with all that identifies its image, before anything is built or loaded."""

    program: Model
    build_id: str
    platform: str  # "linux/amd64": what the image is for
    expectation: smoke.Expectation

    @property
    def made_here(self) -> bool:
        """Tell whether the image is made by this program, and so has our server."""
        return True


@dataclass(frozen=True)
class FromFolder(Prepared):
    """A program folder, ready to be built."""

    program: program.Program
    dockerfile: str
    server_version: str


@dataclass(frozen=True)
class Named:
    """A Model that is nothing but its name and version."""

    name: str
    version: str


@dataclass(frozen=True)
class FromArchive(Prepared):
    """A finished image, ready to be loaded."""

    contents: image.Contents

    @property
    def made_here(self) -> bool:
        """Tell whether our server is in the image: see Prepared."""
        return bool(self.contents.claim)


class Run:
    """One run. `report` grows as the stages learn; everything else stays."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> None:
        self.settings = settings
        self.environment = environment
        self.recorder = recorder
        self.report = Report()
        self._lock = threading.Lock()
        for secret in (settings.smoke.license_key, settings.smoke.smoke_api_key, *image.proxy_passwords(environment)):
            recorder.secret(secret)

    def learn(self, **facts: Any) -> None:
        """Add to the report. Stages beside each other may do so at once."""
        with self._lock:
            self.report = replace(self.report, **facts)

    def report_of(self, stages: Callable[["Run"], object]) -> Report:
        """Run `stages` and return the report, which keeps what was found out, whatever ends the run."""
        try:
            stages(self)
        except (Exception, Cancelled) as error:  # noqa: BLE001 - a user must never see a bare traceback
            return concluded(self.report, self.recorder, self.environment, error)
        report = replace(self.report, stages=self.recorder.stages, warnings=self.recorder.warnings)
        return masked(report, self.recorder)


def smoke_report(result: smoke.SmokeResult) -> SmokeReport:
    """Put a smoke test's result into the report's words."""
    checks = tuple(CheckReport(check.name, check.passed, check.seconds, check.detail) for check in result.checks)
    return SmokeReport(result.passed, checks, result.unproved)
