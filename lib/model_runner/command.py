"""Mode `command`: a new process for each job; others fall back to it."""

import os
import signal
import socket
import subprocess
from typing import Any, Dict, Optional, Sequence, Tuple

from model_runner.call import Call, settle
from model_runner.job import Limits, Streams, follow
from model_runner.logs import JobLog
from model_runner.processes import death_signal_setter, failure_text, has_ended, kill_group, kill_orphans, read_some

Ended = Tuple[Optional[int], Optional[str]]  # exit code, error text


def verdict(
    call: Call, request: Dict[str, Any], limits: Limits, breach: Optional[str], code: int, stderr_tail: bytes
) -> Ended:
    """Return a job's end, by its program's `code` (negative: signal)."""
    if breach is not None:
        return code, breach
    if code != 0:
        return code, failure_text(code, stderr_tail)
    output = request["output"]
    return code, settle(output, call.place(output)) or limits.output_breach(output)


class CommandMode:
    """Runs each job in a session of its own."""

    name = "command"

    def __init__(self, command: Sequence[str], directory: str, connection: socket.socket) -> None:
        self._call = Call(command)
        self._directory = directory
        self._connection = connection
        self._die_with_parent = death_signal_setter(signal.SIGKILL, os.getpid())
        self._child: Optional["subprocess.Popen[bytes]"] = None
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        self._wake = wake_read
        self._descriptors = (wake_read, wake_write)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_write)

    def run(self, request: Dict[str, Any]) -> Ended:
        try:
            child = self._child = subprocess.Popen(
                self._call.fill(request),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=self._die_with_parent,  # noqa: PLW1509 - there are no threads here
            )
        except OSError as error:
            return None, "The program could not be started: {}: {}".format(error.filename, error.strerror)
        limits = Limits(request, self._call.place(request["output"]))
        job_log = JobLog("job {}".format(request["job"]), request.get("told"))
        streams = Streams(child.stdout.fileno(), child.stderr.fileno())  # type: ignore[union-attr]
        breach = follow(
            streams, job_log, limits, child.pid, self._connection, self._wake, lambda: self._over(child.pid)
        )
        kill_group(child.pid)  # before the wait: until then nobody else can get this number
        code = child.wait()
        self._child = None
        kill_orphans(())
        streams.drain(job_log)
        child.stdout.close()  # type: ignore[union-attr]
        child.stderr.close()  # type: ignore[union-attr]
        job_log.finish()
        return verdict(self._call, request, limits, breach, code, job_log.error_tail)

    def attend(self) -> None:
        """Do nothing: between jobs no process runs."""

    def stop(self) -> None:
        if self._child is not None:
            kill_group(self._child.pid)

    def leave(self) -> None:
        """Give back signal handler and descriptors."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _over(self, pid: int) -> bool:
        read_some(self._wake)
        return has_ended(pid)
