"""Commands and stages for programs: inputs as arguments, progress to `logging`, errors raised."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from model_dockerize import pipeline
from model_dockerize.aws.client import Aws
from model_dockerize.aws.model import Identity
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Ending, Recorder, Report, StageProgress, StageResult
from model_dockerize.report.recorder import Level
from model_dockerize.settings import Given, load_settings
from model_dockerize.settings.sources import from_environment

#: Of the commands below; those of the old service's modules have their own.
_LOGGER = "model_dockerize"
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


Inputs = Mapping[str, str | Path | None]


def run(folder: Path | str, inputs: Inputs | None = None) -> Report:
    """Do for a folder what `model-dockerize run` does, with its model-dockerize.yml.

    Args:
        inputs: as the command's flags, here and below; relative paths start at the current folder.

    Raises:
        ModelDockerizeError: with `remedy` and `details`, here and below.
    """
    given = Given(str(folder), "folder", Path.cwd())
    return _reported(pipeline.run, session(_LOGGER, inputs or {}, folder=given))


def list_models(inputs: Inputs | None = None) -> Report:
    """Return the region's models, as the report's `models`."""
    return _reported(pipeline.list_models, session(_LOGGER, inputs or {}))


def status(name: str, inputs: Inputs | None = None) -> Report:
    """Return what a service runs and ran."""
    return _reported(lambda one: pipeline.status(one, by_name=True), _of(name, inputs))


def rollback(name: str, to: str = "", inputs: Inputs | None = None) -> Report:
    """Roll a service back to revision `to`; empty: the last verified one."""
    return _reported(lambda one: pipeline.rollback(one, to, by_name=True), _of(name, inputs))


def ask(model: str, file: Path | str, as_json: bool = False, inputs: Inputs | None = None) -> bytes:
    """Return a model's answer to a file.

    Args:
        model: a service's name, or an address.
    """
    parts: list[bytes] = []
    pipeline.ask(session(_LOGGER, inputs or {}), model, Path(file), as_json, parts.append)
    return b"".join(parts)


def session(
    logger: str, inputs: Inputs, environment: Mapping[str, str] | None = None, folder: Given | None = None
) -> Run:
    """Return a run whose stages can be called one by one."""
    given = {
        name: Given(str(text), name, Path.cwd()) for name, text in inputs.items() if text is not None and str(text)
    }
    surroundings = dict(os.environ if environment is None else environment)
    settings = load_settings(from_environment(surroundings), folder, given)
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


def _of(name: str, inputs: Inputs | None) -> Run:
    return session(_LOGGER, {**(inputs or {}), "service": name})


def _reported(command: Callable[[Run], Outcome], run: Run) -> Report:
    ending = Ending(run.recorder, run.environment)
    ending.outcome = command(run)
    return ending.report


def _recorder(logger: str) -> Recorder:
    return Recorder(LoggingDisplay(logging.getLogger(logger)))
