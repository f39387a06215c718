"""The server's end of the runner protocol (the other, and the protocol, is model_runner/runner.py)."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server import preload
from model_server.orphans import ORPHANS
from model_server.runner_line import Line, receive

_START_SECONDS = 30.0
#: Until the runner has imported what the program imports, where it does that.
_PREPARE_SECONDS = 180.0
_STOP_SECONDS = 3.0
#: The runner watches the time itself; this much later it must be stuck.
_GRACE_SECONDS = 30.0
_DIED = "the runner ended before the program did"
#: What `json.dumps` calls for a text.
_encode = json.JSONEncoder().encode


class RunnerDiedError(Exception):
    """The runner ended before it answered: killed, out of memory, or stopped by us."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended. `error` is None for a success; `seconds` is the program's running time."""

    error: str | None
    seconds: float
    #: The output, if it is small and was asked for.
    content: bytes | None = None
    #: An errno: the job was not begun, its input could not be written.
    refused: int | None = None


class RunnerClient:
    """One runner process, started when it is needed and again after it died, for one job at a time."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        memory_mib: int = 0,
        output_bytes: int = 0,
        small_bytes: int = 0,
        environment: Mapping[str, str] | None = None,
        user: tuple[int, int] | None = None,
        log: int | None = None,
    ) -> None:
        """Starts nothing yet.

        Args:
            command: the runner's argv, as `runner_command` makes it; "{socket}" stands for the path of the socket.
            memory_mib: what a job's processes may hold in memory; 0 is no limit.
            output_bytes: how large a job's output may be; 0 is no limit.
            small_bytes: an output up to this size comes with the outcome of its job.
            environment: variables for the runner and the program, beside the caller's own.
            user: uid and gid of both, when the caller is root and they should not be.
            log: descriptor for what both print; None: the caller's standard output.
        """
        self._command = list(command)
        self._limits = f'"memory_mib": {memory_mib}, "output_bytes": {output_bytes}, "small_bytes": {small_bytes}'
        self._environment = dict(environment or {})
        self._user = user
        self._log = log
        self._guard = threading.RLock()  # `stop` may come from a signal handler in the midst of `run`
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        #: Instead of the connection, in a loop.
        self._line: Line | None = None
        self._in_use = False
        self._closed = False
        #: How the program is run, and why not in a faster way; "" as long as it is not known.
        self.mode = ""

    def prepare(self) -> None:
        """Starts the runner, so that the first job need not wait for it.

        Raises:
            RunnerDiedError: it did not start.
            OSError: the host has no room or no descriptor left for it.
        """
        with self._using():
            self._ready()

    def run(self, job_id: str, input_path: Path, output_path: Path, timeout: float) -> Outcome:
        """Has the program turn `input_path` into `output_path`.

        Raises:
            RunnerDiedError: nothing is known about the job; it may be run again.
            OSError: the host has no room or no descriptor left for the runner; the job was not begun.
        """
        with self._using():
            connection = self._ready()
            try:
                connection.settimeout(timeout + _GRACE_SECONDS)
                connection.sendall(self._request(job_id, str(input_path), str(output_path), timeout))
                return _outcome(*receive(connection), job_id)
            except (OSError, ValueError, KeyError) as error:
                self.stop()
                raise RunnerDiedError(_DIED) from error

    async def work(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> Outcome:
        """As `run`, for a coroutine: no thread waits while the program works. A small output comes with the outcome.

        Args:
            job_id: for the log.
            input_path: where the program finds the input.
            output_path: where it leaves the output, which is gone afterwards if it came with the outcome.
            timeout: seconds.
            content: the input; None: it is there already.

        Raises:
            RunnerDiedError, OSError: as `run`.
        """
        line = self._line
        if line is None or not line.is_open:
            line = await self._connect()
        request = self._request(job_id, input_path, output_path, timeout, content)
        seconds = timeout + _GRACE_SECONDS
        try:
            try:
                message = await line.ask(request, seconds)
            except BrokenPipeError:  # the runner had ended before it had the whole of the request
                message = await (await self._connect()).ask(request, seconds)
            outcome = _outcome(*message, job_id)
        except (OSError, ValueError, KeyError) as error:
            await asyncio.to_thread(self.stop)
            raise RunnerDiedError(_DIED) from error
        if outcome.refused is not None:
            raise OSError(outcome.refused, os.strerror(outcome.refused))
        return outcome

    async def _connect(self) -> Line:
        """Starts the runner; its connection is the running loop's from now on.

        Raises:
            RunnerDiedError, OSError: as `run`.
        """
        await asyncio.to_thread(self.prepare)
        with self._guard:
            connection, self._connection = self._connection, None
            if connection is None:
                raise RunnerDiedError(_DIED)
            self._line = Line(connection)
            return self._line

    def _request(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None = None
    ) -> bytes:
        texts = f'"job": {_encode(job_id)}, "input": {_encode(input_path)}, "output": {_encode(output_path)}'
        size = "null" if content is None else len(content)
        numbers = f'"timeout": {timeout}, {self._limits}, "content": {size}'
        return f"{{{texts}, {numbers}}}\n".encode() + (content or b"")

    def stop(self) -> None:
        """Ends the runner and the program that it runs, if any; may be called from any thread."""
        with self._guard:
            process, self._process = self._process, None
            line, self._line = self._line, None
            if self._connection is not None:
                # A `run` that waits for an answer in another thread sees the end by this.
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
            if not self._in_use:
                self._close()
        if line is not None:
            line.hang_up()
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            ORPHANS.leave(process.pid)

    def close(self) -> None:
        """As `stop`, for good: no runner is started any more, and one that is just being started is ended."""
        self._closed = True
        self.stop()

    @contextmanager
    def _using(self) -> Iterator[None]:
        """While the block runs, only its own thread closes the connection.

        A thread that is about to read holds no more than the number of the descriptor. Closed by another thread, the
        number is at once that of another connection, and the reader waits for an answer on that one.
        """
        with self._guard:
            self._in_use = True
        try:
            yield
        finally:
            with self._guard:
                self._in_use = False
                if self._process is None:
                    self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ready(self) -> socket.socket:
        with self._guard:
            process, connection = self._process, self._connection
        if connection is not None and process is not None and process.poll() is None:
            return connection
        self.stop()
        with self._guard:
            self._close()
        if self._closed:
            raise RunnerDiedError(_DIED)
        process, connection = self._start()
        with self._guard:
            self._process, self._connection = process, connection
        if self._closed:  # behind the line above: who closes it from now on sees the process
            self.stop()
            raise RunnerDiedError(_DIED)
        try:
            connection.settimeout(_PREPARE_SECONDS)
            self.mode = str(receive(connection)[0]["mode"])
        except (OSError, ValueError, KeyError) as error:
            self.stop()
            raise RunnerDiedError("the runner ended before it was ready") from error
        return connection

    def _start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        with tempfile.TemporaryDirectory(prefix="model-runner-", dir="/tmp", ignore_cleanup_errors=True) as folder:
            path = f"{folder}/socket"
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(path)
                listener.listen(1)
                listener.settimeout(0.1)
                if self._user is not None:
                    os.chown(folder, *self._user)
                    os.chown(path, *self._user)
                try:
                    process = self._spawn(path)
                except OSError as error:
                    raise RunnerDiedError(f"the runner could not be started: {error}") from error
                connection = self._accept(listener, process)
                if connection is not None:
                    return process, connection
        raise RunnerDiedError(f"the runner did not start (exit code {process.returncode})")

    def _accept(self, listener: socket.socket, process: "subprocess.Popen[bytes]") -> socket.socket | None:
        """The connection of the runner that was just started; without one the process is ended."""
        deadline = time.monotonic() + _START_SECONDS
        try:
            while process.poll() is None and time.monotonic() < deadline and not self._closed:
                with suppress(TimeoutError):
                    return listener.accept()[0]
        except OSError:
            _kill(process)
            raise
        _kill(process)
        return None

    def _spawn(self, path: str) -> "subprocess.Popen[bytes]":
        uid, gid = self._user if self._user is not None else (None, None)
        environment = {**os.environ, **self._environment}
        if self._command[0] == sys.executable:
            preload.keep(environment)
        with ORPHANS.guard:
            process = subprocess.Popen(
                [path if word == "{socket}" else word for word in self._command],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                env=environment,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
            )
            ORPHANS.enter(process.pid)
        return process


def _kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    ORPHANS.leave(process.pid)


def _outcome(reply: dict[str, Any], content: bytes | None, job_id: str) -> Outcome:
    if reply["job"] != job_id:
        raise ValueError("this is the end of another job")
    return Outcome(reply["error"], float(reply["seconds"]), content, reply.get("errno"))


def runner_command(
    program: Sequence[str], manifest: Path, which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """Returns the argv of the runner, with "{socket}" where the socket's path goes.

    The interpreter is the model's own: that of its command if it is a Python one, else the image's `python3` or
    `python`. An image without any Python (a compiled model) gets the server's.
    """
    frozen = bool(getattr(sys, "frozen", False))
    here = (Path(sys.executable).parent if frozen else Path(__file__).parent.parent) / "model_runner"
    is_python = re.fullmatch(r"(python|pypy)[0-9.]*", Path(program[0]).name) is not None
    for name in (*program[: int(is_python)], "python3", "python"):
        interpreter = which(name)
        if interpreter is not None:
            # Isolated and without site-packages: whatever the model installed cannot disturb the runner.
            return [interpreter, "-I", "-S", str(here / "runner.py"), "{socket}", str(manifest)]
    own_python = [sys.executable, "runner"] if frozen else [sys.executable, str(here / "runner.py")]
    return [*own_python, "{socket}", str(manifest)]
