"""Worker processes for long conversions.

In the server's process, requests would wait while Python reads a large JSON value. Another process is also less urgent,
and runs out of memory alone.
"""

import json
import os
import pickle  # nosec B403 - it holds what our own server says
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Concatenate, ParamSpec, TypeVar

from model_server import bounds, preload, privileges
from model_server.orphans import ORPHANS
from model_server.tabular.problems import DataError, TooLargeError

P = ParamSpec("P")
T = TypeVar("T")
#: As a runner, and for its reason (model_runner/runner.py).
_NICENESS = 10


class ConverterDiedError(Exception):
    """The process was killed: no memory, or the server stops."""


class Converters:
    """A server's worker processes; thread-safe."""

    def __init__(self) -> None:
        #: Of two threads none would be done sooner, and requests would wait for both.
        self._here = threading.Lock()
        self._guard = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_stopped = False

    def do(
        self, function: Callable[Concatenate[Path, P], T], source: Path, /, *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Call a module's function with a JSON result, apart unless the file is short.

        Raises:
            ConverterDiedError: there is no result.
        """
        if source.stat().st_size <= bounds.QUICK_BYTES:
            with self._here:
                return function(source, *arguments, **named)
        return self.do_apart(function, source, *arguments, **named)

    def do_apart(
        self, function: Callable[Concatenate[Path, P], T], source: Path, /, *arguments: P.args, **named: P.kwargs
    ) -> T:
        process = self._start()
        try:
            answer, _ = process.communicate(pickle.dumps((function, source, arguments, named)))
        finally:
            with self._guard:
                self._running.discard(process)
            ORPHANS.leave(process.pid)
        if process.returncode < 0:
            raise ConverterDiedError("the process that converted the data was killed (often: out of memory)")
        if process.returncode:
            raise RuntimeError("a conversion met an error of its own; it is above in the log")
        result: T = _result(json.loads(answer))
        return result

    def stop(self) -> None:
        with self._guard:
            self._is_stopped = True
            for process in self._running:
                process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = dict(os.environ)
        preload.keep(environment)
        command = [sys.executable, "convert"]
        if not getattr(sys, "frozen", False):
            command = [sys.executable, "-m", "model_server", "convert"]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        with self._guard, ORPHANS.guard:
            if self._is_stopped:
                raise ConverterDiedError("the server stops")
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            ORPHANS.enter(process.pid)
            self._running.add(process)
        return process


def _result(answer: dict[str, Any]) -> Any:
    match answer:
        case {"problems": problems, "is_too_large": is_too_large}:
            raise (TooLargeError if is_too_large else DataError)(*problems)
        case {"errno": number, "text": text}:
            raise OSError(number, text)
    return answer["result"]


def main(request: IO[bytes], answer: IO[str]) -> int:
    os.nice(_NICENESS)
    privileges.harden()
    privileges.die_with_parent()
    function, source, arguments, named = pickle.load(request)  # noqa: S301 - of our own server  # nosec B301
    try:
        said = {"result": function(source, *arguments, **named)}
    except DataError as error:
        said = {"problems": error.problems, "is_too_large": isinstance(error, TooLargeError)}
    except OSError as error:
        said = {"errno": error.errno, "text": error.strerror}
    json.dump(said, answer)
    return 0
