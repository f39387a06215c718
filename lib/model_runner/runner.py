"""Runs the model's program, a process per job, on behalf of the model server.

    python runner.py SOCKET MANIFEST

The server listens on the Unix socket SOCKET, this process connects and then answers one request at a time, JSON lines:

    -> {"job": id, "input": path, "output": path, "timeout": seconds}
    <- {"job": id, "status": "complete" | "error", "exit": code or null, "error": text or null, "seconds": float}

MANIFEST is the image's model.json; "command" and "working_directory" are read from it. What the program prints is
copied to this process's standard output, line by line, behind the job's id. When the server goes away, so does the
program.

This file runs under the interpreter that the model needs, which may be as old as Python 3.6: standard library only, no
newer syntax.
"""

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

ERROR_BYTES = 4096  # of stderr, kept from its end, as the error text of a failed job
LOG_LINE_CHARACTERS = 2000
LOG_JOB_BYTES = 256 * 1024  # of output copied to the log per job; a chatty program must not fill the disk
READ_BYTES = 65536
PR_SET_PDEATHSIG = 1


def log(text: str) -> None:
    """Writes one line to the container's log."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = "{} {}\n".format(stamp, text).encode("utf-8", "replace")
    try:
        os.write(1, line)
    except OSError:
        pass  # a closed log must not fail a job


def death_signal_setter(signal_number: int) -> Callable[[], object]:
    """Returns a function that asks the kernel to send `signal_number` to the caller when its parent dies."""
    try:
        import ctypes  # noqa: PLC0415 - some small Pythons lack it

        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        return lambda: None  # the end of the socket still tells us
    return lambda: prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def fill(command: Sequence[str], input_path: str, output_path: str) -> List[str]:
    """Returns the argv of a job: `command` with every {input} and {output} replaced, also inside words."""
    paths = {"{input}": input_path, "{output}": output_path}
    return [re.sub(r"\{input\}|\{output\}", lambda match: paths[match.group()], word) for word in command]


class JobLog:
    """Copies a program's output to the log: whole lines, each behind the job's id, up to LOG_JOB_BYTES."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._left = LOG_JOB_BYTES
        self._pending: Dict[str, bytes] = {}

    def feed(self, stream: str, data: bytes) -> None:
        """Takes bytes that the program wrote to `stream` (its name)."""
        lines = (self._pending.get(stream, b"") + data).split(b"\n")
        rest = lines.pop()
        if len(rest) > LOG_LINE_CHARACTERS:
            lines.append(rest)
            rest = b""
        self._pending[stream] = rest
        for line in lines:
            self._write(line)

    def finish(self) -> None:
        """Writes what came without a line end."""
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
        log("job {} | {}".format(self._job, text))
        if self._left <= 0:
            log("job {} | [further output is not shown]".format(self._job))


class Program:
    """The model's program as the manifest describes it, run once per job in a process group of its own."""

    def __init__(self, manifest: Dict[str, Any], connection: socket.socket) -> None:
        self._command = manifest["command"]
        self._directory = manifest["working_directory"]
        self._connection = connection
        self._die_with_parent = death_signal_setter(signal.SIGKILL)
        self._child: Optional["subprocess.Popen[bytes]"] = None
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        self._wake = wake_read
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_write)

    def run(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """Runs one job to its end and returns the reply to `request`."""
        started = time.monotonic()
        code, error = self._run(request, started + request["timeout"])
        return {
            "job": request["job"],
            "status": "complete" if error is None else "error",
            "exit": code,
            "error": error,
            "seconds": round(time.monotonic() - started, 6),
        }

    def stop(self) -> None:
        """Kills the running program and everything in its process group."""
        if self._child is not None:
            kill_group(self._child.pid)

    def _run(self, request: Dict[str, Any], deadline: float) -> Tuple[Optional[int], Optional[str]]:
        try:
            self._child = subprocess.Popen(
                fill(self._command, request["input"], request["output"]),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=self._die_with_parent,  # noqa: PLW1509 - there are no threads here
            )
        except OSError as error:
            return None, "The program could not be started: {}: {}".format(error.filename, error.strerror)
        try:
            timed_out, stderr_tail = self._follow(self._child, request["job"], deadline)
            code = self._child.wait()
        finally:
            self._child = None
        if timed_out:
            return code, "The program ran longer than {:g} s and was stopped.".format(request["timeout"])
        if code != 0:
            return code, failure_text(code, stderr_tail)
        if not os.path.isfile(request["output"]):
            return code, "The program ended without an error but wrote no output file."
        return code, None

    def _follow(self, child: "subprocess.Popen[bytes]", job: str, deadline: float) -> Tuple[bool, bytes]:
        """Copies output until the program ends or `deadline` passes; returns (timed out, last bytes of stderr)."""
        job_log = JobLog(job)
        error_tail = Tail()
        streams = {}
        timed_out = False
        with selectors.DefaultSelector() as selector:
            for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
                descriptor = stream.fileno()  # type: ignore[union-attr]
                os.set_blocking(descriptor, False)
                selector.register(descriptor, selectors.EVENT_READ)
                streams[descriptor] = name
            selector.register(self._connection.fileno(), selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not has_ended(child.pid):
                left = deadline - time.monotonic()
                if left <= 0:
                    timed_out = True
                    break
                # A second at most: a lost wake-up must not cost the job its time.
                for key, _ in selector.select(min(left, 1.0)):
                    if key.fd == self._connection.fileno():
                        raise EOFError("the server is gone")
                    data = read_some(key.fd)
                    if key.fd in streams and data is not None:
                        if data == b"":
                            selector.unregister(key.fd)
                        take(streams[key.fd], data, job_log, error_tail)
        kill_group(child.pid)  # before the wait: until then nobody else can get this number
        for descriptor, name in streams.items():
            data = read_some(descriptor)
            while data:
                take(name, data, job_log, error_tail)
                data = read_some(descriptor)
        child.stdout.close()  # type: ignore[union-attr]
        child.stderr.close()  # type: ignore[union-attr]
        job_log.finish()
        return timed_out, error_tail.data


class Tail:
    """The last ERROR_BYTES of what it was fed."""

    def __init__(self) -> None:
        self.data = b""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        self.data = (self.data + data)[-ERROR_BYTES:]


def take(stream: str, data: bytes, job_log: JobLog, error_tail: Tail) -> None:
    """Passes on what the program wrote."""
    job_log.feed(stream, data)
    if stream == "stderr":
        error_tail.feed(data)


def has_ended(pid: int) -> bool:
    """Tells whether the child `pid` has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill_group(pid: int) -> None:
    """Kills the process group `pid`; does nothing if there is none left."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def read_some(descriptor: int) -> Optional[bytes]:
    """Returns bytes that are there now, b"" at the end of the stream, None when there are none yet."""
    try:
        return os.read(descriptor, READ_BYTES)
    except BlockingIOError:
        return None


def failure_text(code: int, stderr_tail: bytes) -> str:
    """Returns the error text of a program that ended with `code` (negative: signal)."""
    text = stderr_tail.decode("utf-8", "replace").strip().replace("\x00", "")
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        hint = " (often: out of memory)" if -code == signal.SIGKILL else ""
        reason = "The program was killed by {}{}.".format(name, hint)
        return "{}\n{}".format(reason, text) if text else reason
    return text or "The program ended with exit code {} and wrote nothing to stderr.".format(code)


def requests(connection: socket.socket) -> Iterator[Dict[str, Any]]:
    """Yields the requests that arrive, until the server closes the connection."""
    with connection.makefile("r", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)


def main(arguments: Sequence[str]) -> int:
    """Serves jobs until the connection ends; returns the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("usage: runner.py SOCKET MANIFEST\n")
        return 2
    death_signal_setter(signal.SIGTERM)()
    socket_path, manifest_path = arguments
    with open(manifest_path, encoding="utf-8") as file:
        manifest = json.load(file)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(socket_path)
        program = Program(manifest, connection)

        def on_terminate(number: int, _frame: object) -> None:
            program.stop()
            os._exit(128 + number)

        signal.signal(signal.SIGTERM, on_terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C goes to the server, which drains
        log("runner: mode command, Python {} at {}".format(sys.version.split()[0], sys.executable))
        try:
            for request in requests(connection):
                connection.sendall((json.dumps(program.run(request)) + "\n").encode("utf-8"))
        except (EOFError, ConnectionError):
            program.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
