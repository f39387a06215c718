"""The log: a line for each event; never a user's file name or a secret."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from select import PIPE_BUF
from typing import TextIO

logger = logging.getLogger("model_server")


def log_job(job_id: str, text: str, *arguments: object) -> None:
    if logger.isEnabledFor(logging.INFO):
        logger.handle(_JobEvent(job_id, text, arguments))


def configure(as_json: bool) -> None:
    """Send our events and libraries' warnings to standard output."""
    handler = _Lines(sys.stdout)
    handler.setFormatter(_JsonFormatter() if as_json else _Formatter("%(asctime)sZ %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(logging.INFO)
    # Not asked for in any line, and each costs a look-up for every one of them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # as "Optimization" in the Logging HOWTO of Python says


class _JobEvent(logging.LogRecord):
    """A job's event, many times cheaper than logging's own record."""

    _COMMON = vars(logging.LogRecord(logger.name, logging.INFO, __file__, 0, "", (), None))

    def __init__(self, job_id: str, text: str, arguments: tuple[object, ...]) -> None:
        now = time.time()
        self.__dict__.update(self._COMMON, created=now, msecs=now % 1 * 1000, job=job_id)
        self.msg, self.args = f"job %s {text}", (job_id, *arguments)


class _Lines(logging.StreamHandler):  # type: ignore[type-arg]  # it has none when it runs
    """Writes the lines of a loop's turn together."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        #: The loop that writes when its turn ends.
        self._turn: asyncio.AbstractEventLoop | None = None
        #: Of that turn.
        self._lines: list[str] = []

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a line; one of a loop is only kept, without a lock and the stream's own work for each."""
        loop = asyncio._get_running_loop()
        if loop is None:
            self.flush()
            return super().handle(record)
        self._lines.append(self.format(record))
        if self._turn is not loop:
            self._turn = loop
            loop.call_soon(self.flush)
        return True

    def flush(self) -> None:
        """Write what is kept."""
        self._turn = None
        with self.lock or nullcontext(), suppress(OSError, ValueError):  # who read it is gone
            if lines := self._lines[:]:
                del self._lines[: len(lines)]  # the loop goes on adding to it
                for text in _whole(lines):
                    self.stream.write(text)
                    super().flush()
            super().flush()


def _whole(lines: Sequence[str]) -> Iterator[str]:
    """Join lines as far as the kernel writes them in one piece: other processes write there, too."""
    joined = ""
    for line in lines:
        if joined and len(joined.encode()) + len(line.encode()) >= PIPE_BUF:
            yield joined
            joined = ""
        joined += f"{line}\n"
    yield joined


class _Formatter(logging.Formatter):
    """Formats each second's time once."""

    _second = -1
    _text = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        if int(record.created) != self._second:
            self._second = int(record.created)
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._second))
        return self._text

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info or record.stack_info:
            return super().format(record)
        return f"{self.formatTime(record)}Z {record.getMessage()}"


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record)
        event = {"time": f"{stamp}.{int(record.msecs):03d}Z", "level": record.levelname, "message": record.getMessage()}
        job = getattr(record, "job", None)
        if job is not None:
            event["job"] = job
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False)
