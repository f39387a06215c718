"""The stages for programs: inputs as arguments, progress to `logging`."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from model_dockerize.aws.client import Aws
from model_dockerize.aws.model import Identity
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Recorder, StageProgress, StageResult
from model_dockerize.report.recorder import Level
from model_dockerize.settings import Given, load_settings
from model_dockerize.settings.sources import from_environment

_LEVELS: Mapping[Level, int] = {"info": logging.INFO, "warning": logging.WARNING, "output": logging.DEBUG}


class LoggingDisplay:
    """A Display that writes to a logger."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def begin(self, stage: str) -> None:
        pass

    def end(self, result: StageResult) -> None:
        self._logger.info("%s: %s in %.1f s", result.name, result.status, result.seconds)

    def line(self, stage: str, level: Level, text: str, file: Path | None = None, line: int | None = None) -> None:
        place = f" ({file}{f':{line}' if line else ''})" if file else ""
        self._logger.log(_LEVELS[level], "%s: %s%s", stage, text, place)

    def transfer(self, stage: str, what: str, done: int, total: int) -> None:
        pass

    def tick(self) -> None:
        pass

    def secret(self, value: str) -> None:
        """Do nothing: the recorder has masked it."""


def session(logger: str, inputs: Mapping[str, str | Path | None], environment: Mapping[str, str] | None = None) -> Run:
    """Return a run whose stages can be called one by one.

    Args:
        inputs: as the flags of `model-dockerize run`; relative paths start at the current folder.
    """
    given = {
        name: Given(str(text), name, Path.cwd()) for name, text in inputs.items() if text is not None and str(text)
    }
    surroundings = dict(os.environ if environment is None else environment)
    settings = load_settings(from_environment(surroundings), None, given)
    return Run(settings, surroundings, _recorder(logger))


@contextmanager
def stage(logger: str, name: str) -> Iterator[StageProgress]:
    """Open a stage with a standard logger."""
    with _recorder(logger).stage(name) as progress:
        yield progress


def account_of(service: str, client: Any, logger: str) -> Aws:
    """Return an account for stages that use only this boto3 client."""
    return Aws(
        Identity(account="", arn="", region=client.meta.region_name),
        StageProgress(_recorder(logger), service),
        boto3.Session(region_name=client.meta.region_name),
        {service: client},
    )


def _recorder(logger: str) -> Recorder:
    return Recorder(LoggingDisplay(logging.getLogger(logger)))
