"""The container's log, as runner and program write it."""

import json
import os
import re
import socket
import time
from collections import deque
from typing import Deque, Dict, Optional

ERROR_BYTES = 4096  # of stderr, kept from its end, as the error text of a failed job
LOG_LINE_CHARACTERS = 2000
#: Beside the tab: they could redraw the terminal of whoever reads the log, or pose as another line.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
#: Of what a program printed last, so much is told to the server, which shows it while the job runs.
TOLD_LINES = 5
TOLD_CHARACTERS = 200
TOLD_SECONDS = 1.0
LOG_JOB_BYTES = 256 * 1024  # of output copied to the log per job; a chatty program must not fill the disk


def log(text: str, label: str = "") -> None:
    """Write one line in the server's format.

    Args:
        label: e.g. "job 1a2b", for JSON only.
    """
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = "{} {}".format(stamp, _CONTROLS.sub(" ", text))
    if os.environ.get("MODEL_LOG_FORMAT", "").strip().lower() == "json":
        event = {"time": stamp, "level": "INFO", "message": text}
        if label.startswith("job "):
            event["job"] = label[len("job ") :]
        line = json.dumps(event)
    try:
        os.write(1, (line + "\n").encode("utf-8", "replace"))
    except OSError:
        pass  # a closed log must not fail a job


class JobLog:
    """Copies whole lines to the log behind `label`, up to LOG_JOB_BYTES."""

    def __init__(self, label: str, told: Optional[str] = None) -> None:
        """Begin.

        Args:
            told: the job of which the server wants to know what is printed.
        """
        self._label = label
        self._told = told
        self._last: Deque[bytes] = deque(maxlen=TOLD_LINES)
        self._has_news = False
        self._due = time.monotonic() + TOLD_SECONDS
        self._left = LOG_JOB_BYTES
        self._pending: Dict[str, bytes] = {}
        #: The last ERROR_BYTES of stderr.
        self.error_tail = b""

    def feed(self, stream: str, data: bytes) -> None:
        if stream == "stderr":
            self.error_tail = (self.error_tail + data)[-ERROR_BYTES:]
        lines = (self._pending.get(stream, b"") + data).split(b"\n")
        rest = lines.pop()
        if len(rest) > LOG_LINE_CHARACTERS:
            lines.append(rest)
            rest = b""
        self._pending[stream] = rest
        self._has_news = True
        self._last.extend(lines[-TOLD_LINES:])
        for line in lines:
            self._write(line)

    def tell(self, connection: socket.socket) -> None:
        """Tell the server, now and then, what a terminal would show last."""
        if self._told is None or not self._has_news or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + TOLD_SECONDS
        self._has_news = False
        lines = [*self._last, *self._pending.values()]
        shown = [line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace") for line in lines]
        texts = [text[:TOLD_CHARACTERS] for text in shown if text.strip()][-TOLD_LINES:]
        try:
            connection.sendall((json.dumps({"said": texts, "job": self._told}) + "\n").encode("utf-8"))
        except OSError:
            pass  # that the server is gone is seen elsewhere

    def finish(self) -> None:
        """Write unfinished lines."""
        for line in self._pending.values():
            if line:
                self._write(line)

    def _write(self, line: bytes) -> None:
        if self._left <= 0:
            return
        self._left -= len(line) + 1
        text = line.decode("utf-8", "replace").rstrip("\r")
        if len(text) > LOG_LINE_CHARACTERS:
            text = text[:LOG_LINE_CHARACTERS] + " [line cut]"
        log("{} | {}".format(self._label, text), self._label)
        if self._left <= 0:
            log("{} | [further output is not shown]".format(self._label), self._label)
