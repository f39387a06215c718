"""Debug logging, with RUNNER_DEBUG=1 (GitHub's debug logging) or MODEL_DOCKERIZE_DEBUG=1."""

import logging
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from model_dockerize import __version__
from model_dockerize.report.recorder import Recorder

_ROOT = "model_dockerize"


def wanted(environment: Mapping[str, str]) -> bool:
    return "1" in (environment.get("MODEL_DOCKERIZE_DEBUG"), environment.get("RUNNER_DEBUG"))


@contextmanager
def debug_logging(recorder: Recorder, environment: Mapping[str, str]) -> Iterator[None]:
    """Send debug logs, if wanted, to the recorder, which masks secrets."""
    if not wanted(environment):
        yield
        return
    # Only ours: the AWS library's logs hold whole requests, signatures and answers.
    logger, handler = logging.getLogger(_ROOT), _Handler(recorder)
    former = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.debug("version %s, Python %s, %s", __version__, platform.python_version(), platform.platform())
    try:
        yield
    finally:
        logger.setLevel(former)
        logger.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        room = record.name.removeprefix(_ROOT).lstrip(".").split(".")[0]
        self._recorder.line(room or "run", "debug", record.getMessage())
