"""The log: one line for each event on standard output, as text or JSON; never a user's file name or a secret."""

import json
import logging
import sys
import time

logger = logging.getLogger("model_server")


def log_job(job_id: str, text: str, *arguments: object) -> None:
    """Log what happened to a job."""
    logger.info(f"job %s {text}", job_id, *arguments, extra={"job": job_id})


def configure(as_json: bool) -> None:
    """Send our events, and warnings of the libraries, to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter() if as_json else _Formatter("%(asctime)sZ %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(logging.INFO)
    # Not asked for in any line, and each costs a look-up for every one of them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # as "Optimization" in the Logging HOWTO of Python says


class _Formatter(logging.Formatter):
    """Writes the time of each second once."""

    _second = -1
    _text = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        if int(record.created) != self._second:
            self._second = int(record.created)
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._second))
        return self._text


class _JsonFormatter(_Formatter):
    """`time` (UTC), `level`, `message`; `job` where there is one, `error` with a traceback after a fault."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record)
        event = {"time": f"{stamp}.{int(record.msecs):03d}Z", "level": record.levelname, "message": record.getMessage()}
        job = getattr(record, "job", None)
        if job is not None:
            event["job"] = job
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False)
