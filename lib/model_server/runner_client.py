"""The server's end of the runner protocol (model_runner/runner.py)."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server.runner_line import Line, receive
from model_server.slots import Slot

#: Until the runner's self-test is over (model_runner/self_test.py), with time to spare.
_PREPARE_SECONDS = 240.0
#: The runner watches the time itself; this much later it must be stuck.
_GRACE_SECONDS = 30.0
#: What is kept of the lines that a program prints while it runs.
_SAID_LINES = 5
_SAID_CHARACTERS = 200
_DIED = "the runner ended before the program did"
#: What `json.dumps` calls for a text.
_encode = json.JSONEncoder().encode


class RunnerDiedError(Exception):
    """The runner ended before it answered."""


@dataclass(frozen=True)
class Outcome:
    """A job's end; `error` None: success. `seconds` are the program's."""

    error: str | None
    seconds: float
    #: The output, if it is small and was asked for.
    content: bytes | None = None
    #: An errno: the job was not begun, its input could not be written.
    refused: int | None = None


class RunnerClient:
    """One runner process, started when needed and after it died."""

    def __init__(
        self,
        slot: Slot,
        *,
        memory_mib: int = 0,
        output_bytes: int = 0,
        small_bytes: int = 0,
        folder: Path | None = None,
        hidden: Path | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            memory_mib: 0 is no limit.
            output_bytes: 0 is no limit.
            small_bytes: an output up to this size comes with its outcome.
            folder: made by the runner for its jobs' files; None: they lie elsewhere.
            hidden: in it, the program must see only `folder`.
        """
        self._slot = slot
        #: Where input and output of the jobs lie.
        self.folder = "" if folder is None else str(folder)
        self._place: dict[str, Any] = {
            "folder": self.folder or None,
            "hidden": None if hidden is None else str(hidden),
            "is_own_user": slot.is_own_user,
        }
        self._limits = f'"memory_mib": {memory_mib}, "output_bytes": {output_bytes}, "small_bytes": {small_bytes}'
        self._guard = threading.RLock()  # `stop` may come from a signal handler in the midst of `run`
        self._is_running = False
        self._connection: socket.socket | None = None
        #: Instead of the connection, in a loop.
        self._line: Line | None = None
        self._in_use = False
        self._closed = False
        #: How the program is run, and why not in a faster way; "" as long as it is not known.
        self.mode = ""
        #: What the runner's self-test has found, for others of this image; None: nothing.
        self.record: dict[str, Any] | None = None
        self._said: tuple[str, tuple[str, ...]] = ("", ())

    def prepare(self) -> None:
        """Start the runner ahead of the first job.

        Raises:
            RunnerDiedError: it did not start.
            OSError: the host has no room or descriptor.
        """
        with self._using():
            self._ready()

    def run(self, job_id: str, input_path: Path, output_path: Path, timeout: float) -> Outcome:
        """Have the program do one job.

        Raises:
            RunnerDiedError: nothing is known about the job; it may run again.
            OSError: as `prepare`; the job was not begun.
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

    async def ready(self) -> None:
        """Ensure a runner and its folder, which a new one empties; raise as `prepare`."""
        if self._line is None or not self._line.is_open:
            await self._connect()

    async def work(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> Outcome:
        """Do as `run` does, in a coroutine; a small output has no file.

        Args:
            content: the input; None: its file was made after `ready`.
        """
        self._said = (job_id, ())
        line = self._line
        may_start = content is not None or not self.folder  # else a new runner would remove the input
        if line is None or not line.is_open:
            if not may_start:
                raise RunnerDiedError(_DIED)
            line = await self._connect()
        request = self._request(job_id, input_path, output_path, timeout, content, f', "told": {_encode(job_id)}')
        seconds = timeout + _GRACE_SECONDS
        try:
            try:
                message = await line.ask(request, seconds)
            except BrokenPipeError:  # the runner had ended before it had the whole of the request
                if not may_start:
                    raise
                message = await (await self._connect()).ask(request, seconds)
            outcome = _outcome(*message, job_id)
        except (OSError, ValueError, KeyError) as error:
            await asyncio.to_thread(self.stop)
            raise RunnerDiedError(_DIED) from error
        if outcome.refused is not None:
            raise OSError(outcome.refused, os.strerror(outcome.refused))
        return outcome

    async def _connect(self) -> Line:
        await asyncio.to_thread(self.prepare)
        with self._guard:
            connection, self._connection = self._connection, None
            if connection is None:
                raise RunnerDiedError(_DIED)
            self._line = Line(connection, self._hear)
            return self._line

    def said(self, job_id: str) -> tuple[str, ...] | None:
        """Return the newest job's last output; None for others."""
        job, lines = self._said
        return lines if job == job_id else None

    def _hear(self, message: dict[str, Any]) -> None:
        """Take the program's output: anything, if it got at the runner."""
        said = message.get("said")
        texts = [str(text)[:_SAID_CHARACTERS] for text in said[-_SAID_LINES:]] if isinstance(said, list) else []
        lines = ("".join(letter if letter.isprintable() else " " for letter in text) for text in texts)
        if message.get("job") == self._said[0]:
            self._said = (self._said[0], tuple(lines))

    def _request(
        self,
        job_id: str,
        input_path: str,
        output_path: str,
        timeout: float,
        content: bytes | None = None,
        told: str = "",
    ) -> bytes:
        texts = f'"job": {_encode(job_id)}, "input": {_encode(input_path)}, "output": {_encode(output_path)}'
        size = "null" if content is None else len(content)
        numbers = f'"timeout": {timeout}, {self._limits}, "content": {size}{told}'
        return f"{{{texts}, {numbers}}}\n".encode() + (content or b"")

    def stop(self) -> None:
        """End the runner and its program. From any thread."""
        with self._guard:
            is_running, self._is_running = self._is_running, False
            line, self._line = self._line, None
            if self._connection is not None:
                # A `run` that waits for an answer in another thread sees the end by this.
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
            if not self._in_use:
                self._close()
        if line is not None:
            line.hang_up()
        if is_running:
            self._slot.stop()

    def close(self) -> None:
        """Stop for good, even a runner just starting."""
        self._closed = True
        self.stop()

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Let only this block's thread close the connection: else it may read from another one with the same number."""
        with self._guard:
            self._in_use = True
        try:
            yield
        finally:
            with self._guard:
                self._in_use = False
                if not self._is_running:
                    self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ready(self) -> socket.socket:
        with self._guard:
            connection = self._connection if self._is_running else None
        if connection is not None and _is_open(connection):
            return connection
        self.stop()
        with self._guard:
            self._close()
        if self._closed:
            raise RunnerDiedError(_DIED)
        connection = self._start()
        if self._closed:  # behind the line above: who closes it from now on sees the process
            self.stop()
            raise RunnerDiedError(_DIED)
        try:
            connection.settimeout(_PREPARE_SECONDS)
            connection.sendall(json.dumps(self._place).encode() + b"\n")
            told, _ = receive(connection)
            self.mode, self.record = str(told["mode"]), told.get("record")
            self._place["record"] = self.record  # the next runner of this client need not prove it again
        except (OSError, ValueError, KeyError) as error:
            self.stop()
            raise RunnerDiedError("the runner ended before it was ready") from error
        return connection

    def _start(self) -> socket.socket:
        connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                self._slot.start(theirs.fileno())
            except OSError as error:
                connection.close()
                raise RunnerDiedError(f"the runner could not be started: {error}") from error
        with self._guard:
            self._is_running, self._connection = True, connection
        return connection


def _is_open(connection: socket.socket) -> bool:
    """Peek: a runner says nothing between two jobs."""
    try:
        connection.settimeout(0)
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _outcome(reply: dict[str, Any], content: bytes | None, job_id: str) -> Outcome:
    if reply["job"] != job_id:
        raise ValueError("this is the end of another job")
    return Outcome(reply["error"], float(reply["seconds"]), content, reply.get("errno"))
