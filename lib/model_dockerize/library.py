"""The stages for programs that call them: inputs as arguments, errors raised, progress to `logging`."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from model_dockerize.aws.client import Aws
from model_dockerize.pipeline.account import connect
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Recorder, StageResult
from model_dockerize.report.recorder import Level
from model_dockerize.settings import Given, to_settings
from model_dockerize.settings.sources import from_environment

_LEVELS: Mapping[Level, int] = {"info": logging.INFO, "warning": logging.WARNING, "output": logging.DEBUG}


class LoggingDisplay:
    """A Display that writes to a logger of the standard library."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def begin(self, stage: str) -> None:
        """See Display."""

    def end(self, result: StageResult) -> None:
        """See Display."""
        self._logger.info("%s: %s in %.1f s", result.name, result.status, result.seconds)

    def line(self, stage: str, level: Level, text: str, file: Path | None = None, line: int | None = None) -> None:
        """See Display."""
        place = f" ({file}{f':{line}' if line else ''})" if file else ""
        self._logger.log(_LEVELS[level], "%s: %s%s", stage, text, place)

    def secret(self, value: str) -> None:
        """See Display. The recorder has masked it already."""


def session(logger: str, inputs: Mapping[str, str | Path | None], environment: Mapping[str, str] | None = None) -> Run:
    """A run whose stages can be called one by one.

    Args:
        logger: name of the logger that the stages speak to.
        inputs: by their names in docs/inputs.md; None: not given. Relative paths start at the current folder.
        environment: instead of the process's own.

    Raises:
        InputError: inputs are wrong; `details` names every one.
    """
    given = {
        name: Given(str(text), name, Path.cwd()) for name, text in inputs.items() if text is not None and str(text)
    }
    surroundings = dict(os.environ if environment is None else environment)
    settings = to_settings([from_environment(surroundings), given])
    return Run(settings, surroundings, Recorder(LoggingDisplay(logging.getLogger(logger))))


def sign_in(run: Run) -> Aws:
    """The account that the run's inputs mean.

    Raises:
        InputError: an AwsConfig.ini is wrong, or no region is given.
        AwsAccessError: no credentials, refused ones, or another account than the one that is meant.
    """
    with run.recorder.stage("check") as stage:
        return connect(run, stage)
