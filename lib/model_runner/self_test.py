"""The self-test: the sample must give the same in faster modes."""

import hashlib
import json
import os
import stat
import tempfile
import time
from typing import Any, Callable, Dict, List, Optional

from model_runner.command import CommandMode
from model_runner.data import remove, write_input
from model_runner.kept import KeptMode
from model_runner.logs import log
from model_runner.process_state import Imports
from model_runner.room import Room
from model_runner.warm import UnfitError, WarmMode

#: How often the sample is run in each way. A preloaded process that a job damages shows it in the job after.
NEW_PROCESSES = 3
FORKS = 3
#: Of a program that is kept alive: processes, and jobs that each does.
KEPT_PROCESSES = 3
KEPT_JOBS = 2
#: For all of it: the first job waits for its end.
TEST_SECONDS = 150.0
#: A sample that takes longer is not run again and again, at every start of a container.
SAMPLE_SECONDS = 30.0
READ_BYTES = 1024 * 1024
#: Of a reason, which pages and the runner's first message carry: a program may say megabytes in one line.
REASON_CHARACTERS = 500
#: Written by model_server/selftest.py.
RECORD = "self-test.json"


class UnprovedError(UnfitError):
    """The self-test has no result; with a GPU or other settings it may succeed."""


def read_record(manifest: str) -> Dict[str, Any]:
    """Return what the build's self-test left (Choice.record); {} if none."""
    try:
        with open(os.path.join(os.path.dirname(manifest), RECORD), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) else {}


class Sample:
    def __init__(self, path: str, room: Room) -> None:
        """Read the sample.

        Raises:
            UnprovedError: it cannot be read.
        """
        try:
            with open(path, "rb") as file:
                self._content = file.read()
        except OSError as error:
            raise UnprovedError("its sample {} cannot be read: {}".format(path, error.strerror)) from error
        self._room = room
        self._own_folder = tempfile.mkdtemp(prefix="model-self-test-", dir="/tmp") if room.folder is None else None
        self._folder = self._own_folder or room.folder or ""
        room.settle()
        self._deadline = time.monotonic() + TEST_SECONDS
        self._first = None  # type: Optional[bytes]
        #: Why the last run failed; None: it did not.
        self.error = None  # type: Optional[str]

    def left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def renew(self) -> None:
        self._room.renew()

    def close(self) -> None:
        if self._own_folder is not None:
            remove(self._own_folder)

    def run(self, mode: Any, what: str, seconds: float) -> None:
        """Run it once.

        Raises:
            UnfitError: it takes too long, or the output differs from the first run's.
            UnprovedError: there is no first output.
        """
        source, target = os.path.join(self._folder, "sample-input"), os.path.join(self._folder, "sample")
        started = time.monotonic()
        try:
            write_input(source, self._content)
            request = {"job": "self-test", "input": source, "output": target, "timeout": min(seconds, self.left())}
            _, error = mode.run(request)
            self.error = error
            output = None if error is not None else digest(target)
            if error is not None:
                log("runner: the sample fails in {}: {}".format(what, error))
        except OSError as failure:
            raise UnprovedError("its sample cannot be run: {}".format(failure.strerror)) from failure
        finally:
            remove(source)
            remove(target)
            self._room.clear(None)
            if not isinstance(mode, KeptMode):
                self._room.renew()
        if self.left() == 0:
            raise UnfitError("the self-test takes longer than {:g} s".format(TEST_SECONDS))
        if time.monotonic() - started >= seconds:
            raise UnfitError("its sample takes longer than {:g} s".format(seconds))
        if output is None:
            kind = UnprovedError if self._first is None else UnfitError
            raise kind("its sample fails in {}, see the log".format(what))
        if self._first is None:
            self._first = output
        elif output != self._first:
            raise UnfitError("its sample has another result in {}".format(what))


def prove(
    sample: Sample, cold: CommandMode, start: Callable[[Imports, float], WarmMode], known: Optional[List[str]]
) -> WarmMode:
    """Return mode `warm` if it gives what new processes give, else raise UnfitError.

    Args:
        start: makes it, of the modules to import first, within so many seconds.
        known: what an earlier self-test of this image saw the sample import.
    """
    prove_cold(sample, cold, NEW_PROCESSES if known is None else 1)
    warm = start(known or [], sample.left())
    try:
        forks = 0
        while forks < FORKS:
            sample.run(warm, "a fork", sample.left())
            forks = 0 if warm.improve(sample.left()) else forks + 1
        warm.stop_learning()
    except UnfitError:
        warm.leave()
        raise
    return warm


def prove_cold(sample: Sample, cold: CommandMode, times: int) -> None:
    """Run the sample so many times in new processes.

    Raises:
        UnfitError: they do not agree.
        UnprovedError: it fails.
    """
    try:
        for number in range(times):
            sample.run(cold, "another new process" if number else "a new process", SAMPLE_SECONDS)
    finally:
        cold.leave()


def prove_kept(sample: Sample, start: Callable[[], KeptMode], processes: int) -> KeptMode:
    """Return the mode if its processes give what new ones gave, else raise UnfitError."""
    while True:
        mode = start()
        try:
            for number in range(KEPT_JOBS):
                what = "the second job of one process" if number else "one process for all jobs"
                sample.run(mode, "mode {}, {}".format(mode.name, what), sample.left())
        except UnfitError as error:
            mode.stop()
            sample.renew()
            said = (sample.error or "").strip().splitlines()[-1:]
            raise UnfitError(": ".join([str(error), *said])[:REASON_CHARACTERS]) from error
        processes -= 1
        if processes == 0:
            return mode
        mode.stop()
        sample.renew()


def digest(path: str) -> Optional[bytes]:
    """Return a file's hash; None if it is no regular one."""
    found = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        for piece in iter(lambda: file.read(READ_BYTES), b""):
            found.update(piece)
    return found.digest()
