"""An exclusive lock on a data directory for network file systems.

The server keeps changing a file, which a second one watches: locks and clocks are unreliable there.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

from model_server.errors import VolumeError
from model_server.log import logger

_NAME = "only-server.json"
BEAT_SECONDS = 2.0
_WATCH_BEATS = 4


class ExclusiveLock:
    """The only server on a data directory."""

    def __init__(self, root: Path, beat_seconds: float) -> None:
        self._path = root / _NAME
        self._id = uuid.uuid4().hex
        self._beat_seconds = beat_seconds
        self._beats = 0
        self._over = threading.Event()

    def keep(self, lost: Callable[[], None]) -> None:
        """Beat in the background; call `lost` once if, while frozen, we lost the place."""
        threading.Thread(target=self._keep, args=(lost,), name="exclusive-lock", daemon=True).start()

    def release(self) -> None:
        self._over.set()
        if _read(self._path).get("server") == self._id:
            self._path.unlink(missing_ok=True)

    def _keep(self, lost: Callable[[], None]) -> None:
        while not self._over.wait(self._beat_seconds):
            try:
                if _read(self._path).get("server") != self._id:
                    logger.error("another server has taken over the data directory: this one stops")
                    lost()
                    return
                self._write(os.replace)
            except OSError:
                logger.exception("the data directory could not be written, trying again")

    def _write(self, put: Callable[[str, Path], None]) -> None:
        self._beats += 1
        content = {"server": self._id, "host": socket.gethostname(), "beat": self._beats}
        with NamedTemporaryFile("w", dir=self._path.parent, encoding="utf-8", delete=False) as file:
            json.dump(content, file)
        try:
            put(file.name, self._path)
        finally:
            Path(file.name).unlink(missing_ok=True)

    def acquire(self, sleep: Callable[[float], None]) -> None:
        try:
            self._write(os.link)  # fails if the file is there, on every file system
            return
        except FileExistsError:
            pass
        before = _read(self._path)
        for _ in range(_WATCH_BEATS):
            sleep(self._beat_seconds)
            if _read(self._path) != before:
                raise _refusal(before)
        logger.info("the server that had this data directory is gone")
        self._write(os.replace)
        sleep(self._beat_seconds)  # whoever else thought so has written by now: the last one stays
        if _read(self._path).get("server") != self._id:
            raise _refusal(_read(self._path))


def acquire(
    root: Path, beat_seconds: float = BEAT_SECONDS, sleep: Callable[[float], None] = time.sleep
) -> ExclusiveLock:
    """Become the only server on `root`, or raise VolumeError."""
    lock = ExclusiveLock(root, beat_seconds)
    lock.acquire(sleep)
    return lock


def _refusal(other: dict[str, object]) -> VolumeError:
    host = other.get("host", "another host")
    return VolumeError(
        f"the data directory is on a network file system and the server on {host} uses it; "
        "there, a queue in SQLite bears exactly one server: stop the other one first, "
        "or keep the queue in PostgreSQL by MODEL_QUEUE_URL to have several"
    )


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
