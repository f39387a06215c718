"""The context of a run's stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from model_dockerize import answer, image, program, smoke
from model_dockerize.errors import InputError
from model_dockerize.report import CheckReport, Recorder, SmokeReport, StageProgress
from model_dockerize.report.facts import Planned
from model_dockerize.settings import Settings

# Seconds that a fresh container may take until it answers. The server opens its port before any code of the model runs.
START_TIMEOUT = 60.0


class Model(Protocol):
    """A model's name and version."""

    @property
    def name(self) -> str:
        """Return the image's name, without tag."""

    @property
    def version(self) -> str:
        """Return the image's tag."""


@dataclass(frozen=True)
class Prepared:
    """An identified model, not yet built."""

    program: Model
    build_id: str
    platform: str  # "linux/amd64": what the image is for
    expectation: smoke.Expectation

    @property
    def made_here(self) -> bool:
        """Tell whether it has our server."""
        return True


@dataclass(frozen=True)
class FromFolder(Prepared):
    """A program folder to build."""

    program: program.Program
    dockerfile: str
    server_version: str


@dataclass(frozen=True)
class Named:
    """A name and a version."""

    name: str
    version: str


@dataclass(frozen=True)
class FromArchive(Prepared):
    """A finished image to load."""

    contents: image.Contents

    @property
    def made_here(self) -> bool:
        return bool(self.contents.claim)


class Run:
    """A run's inputs, environment and recorder."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> None:
        self.settings = settings
        self.environment = environment
        self.recorder = recorder
        for secret in (*settings.secrets, *image.proxy_passwords(environment)):
            recorder.secret(secret)

    def refuse_dry_run(self) -> None:
        """Raise InputError for a command that cannot say what it would do, where that is asked for."""
        if self.settings.run.dry_run:
            raise InputError(
                "dry-run: this command cannot say what it would do, so nothing was done.",
                "Leave dry-run out. These have it: run (or plan), push, batch, deploy, rollback, destroy.",
            )


def tell_plan(lines: Sequence[str], stage: StageProgress) -> None:
    """Report what a run would do, one line a thing."""
    changes = sum(not line.startswith("=") for line in lines)
    stage.info(f"{changes} thing{'' if changes == 1 else 's'} would be made or changed.")
    if not changes:
        stage.unchanged("Everything is as it should be.")
    stage.found(Planned(tuple(lines)))


def smoke_report(result: smoke.SmokeResult, expectation: smoke.Expectation) -> SmokeReport:
    """Convert a result for the report."""
    name = expectation.sample_expected.name if expectation.sample_expected else ""
    said = None if result.result is None else answer.read(result.result, name)
    checks = tuple(CheckReport(check.name, check.passed, check.seconds, check.detail) for check in result.checks)
    return SmokeReport(result.passed, checks, result.unproved, said, bool(name))
