"""The server's end of the runner protocol (the other, and the protocol, is model_runner/runner.py)."""

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 30.0
_STOP_SECONDS = 3.0
#: The runner watches the time itself; this much later it must be stuck.
_GRACE_SECONDS = 30.0


class RunnerDiedError(Exception):
    """The runner ended before it answered: killed, out of memory, or stopped by us."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended. `error` is None for a success; `seconds` is the program's running time."""

    error: str | None
    seconds: float


class RunnerClient:
    """One runner process, started when it is needed and again after it died. `run` is for one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        """Takes the runner's argv, as `runner_command` makes it; "{socket}" stands for the path of the socket."""
        self._command = list(command)
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def run(self, job_id: str, input_path: Path, output_path: Path, timeout: float) -> Outcome:
        """Has the program turn `input_path` into `output_path`.

        Raises:
            RunnerDiedError: nothing is known about the job; it may be run again.
        """
        connection = self._ready()
        request = {"job": job_id, "input": str(input_path), "output": str(output_path), "timeout": timeout}
        try:
            connection.settimeout(timeout + _GRACE_SECONDS)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as replies:
                line = replies.readline()
            reply = json.loads(line)
            return Outcome(reply["error"], float(reply["seconds"]))
        except (OSError, ValueError, KeyError) as error:
            self.stop()
            raise RunnerDiedError("the runner ended before the program did") from error

    def stop(self) -> None:
        """Ends the runner and the program that it runs, if any; may be called from any thread."""
        with self._guard:
            process, self._process = self._process, None
            connection, self._connection = self._connection, None
        if connection is not None:
            # Not only close: a `run` that waits for an answer in another thread must see the end.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _ready(self) -> socket.socket:
        with self._guard:
            process, connection = self._process, self._connection
        if connection is not None and process is not None and process.poll() is None:
            return connection
        self.stop()
        process, connection = _start(self._command)
        with self._guard:
            self._process, self._connection = process, connection
        return connection


def _start(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    with tempfile.TemporaryDirectory(prefix="model-runner-", dir="/tmp") as folder:
        path = f"{folder}/socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(0.1)
            try:
                process = subprocess.Popen(
                    [path if word == "{socket}" else word for word in command], stdin=subprocess.DEVNULL
                )
            except OSError as error:
                raise RunnerDiedError(f"the runner could not be started: {error}") from error
            deadline = time.monotonic() + _START_SECONDS
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                return process, connection
    process.kill()
    process.wait()
    raise RunnerDiedError(f"the runner did not start (exit code {process.returncode})")


def runner_command(
    program: Sequence[str], manifest: Path, which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """Returns the argv of the runner, with "{socket}" where the socket's path goes.

    The interpreter is the model's own: that of its command if it is a Python one, else the image's `python3` or
    `python`. An image without any Python (a compiled model) gets the server's.
    """
    frozen = bool(getattr(sys, "frozen", False))
    here = Path(sys.executable).parent if frozen else Path(__file__).parent.parent / "model_runner"
    is_python = re.fullmatch(r"(python|pypy)[0-9.]*", Path(program[0]).name) is not None
    for name in (*program[: int(is_python)], "python3", "python"):
        interpreter = which(name)
        if interpreter is not None:
            # Isolated and without site-packages: whatever the model installed cannot disturb the runner.
            return [interpreter, "-I", "-S", str(here / "runner.py"), "{socket}", str(manifest)]
    own_python = [sys.executable, "runner"] if frozen else [sys.executable, str(here / "runner.py")]
    return [*own_python, "{socket}", str(manifest)]
