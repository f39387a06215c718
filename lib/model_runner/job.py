"""A job while it runs: its limits, its output, and when it is over."""

import os
import selectors
import socket
import time
from typing import Any, Callable, Dict, Optional

from model_runner.logs import JobLog
from model_runner.processes import read_some, session_memory

#: How often memory and output are measured: a program can write about this many seconds' worth above its limit.
MEASURE_SECONDS = 0.05
#: At most this long without a look: a lost wake-up must not cost the job its time.
LOOK_SECONDS = 1.0
MIB = 1024 * 1024


class Limits:
    """What one job may use, from its request; 0 is no limit."""

    def __init__(self, request: Dict[str, Any]) -> None:
        self._seconds = float(request["timeout"])
        self._deadline = time.monotonic() + self._seconds
        self._memory_mib = request.get("memory_mib", 0)
        self._output_bytes = request.get("output_bytes", 0)
        self._output = request["output"]
        self._next = 0.0

    def pause(self) -> float:
        """Seconds until the next look."""
        longest = MEASURE_SECONDS if self._memory_mib or self._output_bytes else LOOK_SECONDS
        return max(0.0, min(self._deadline - time.monotonic(), longest))

    def breach(self, session: int) -> Optional[str]:
        """The error text if the job, running in `session`, broke a limit; None while all is well."""
        now = time.monotonic()
        if now >= self._deadline:
            return "The program ran longer than {:g} s and was stopped.".format(self._seconds)
        if now < self._next:
            return None
        self._next = now + MEASURE_SECONDS / 2
        if self._memory_mib and session_memory(session) > self._memory_mib * MIB:
            return "memory limit of {} MiB exceeded: the program was stopped.".format(self._memory_mib)
        return self.output_breach()

    def output_breach(self) -> Optional[str]:
        """The error text if the output is larger than it may be; None while it is not."""
        if self._output_bytes:
            try:
                if os.stat(self._output).st_size > self._output_bytes:
                    return "output limit of {} bytes exceeded.".format(self._output_bytes)
            except OSError:
                pass  # not there yet
        return None


class Streams:
    """A program's standard output and error, read without waiting."""

    def __init__(self, stdout: int, stderr: int) -> None:
        """Takes the reading ends of two pipes; `close` closes them."""
        self._names = {stdout: "stdout", stderr: "stderr"}
        for descriptor in self._names:
            os.set_blocking(descriptor, False)
        #: Those that have not ended.
        self.open = set(self._names)

    def read(self, descriptor: int, job_log: JobLog) -> None:
        """Takes what there is on one of them."""
        data = read_some(descriptor)
        if data:
            job_log.feed(self._names[descriptor], data)
        elif data == b"":
            self.open.discard(descriptor)

    def drain(self, job_log: JobLog) -> None:
        """Takes all that there is."""
        for descriptor, name in self._names.items():
            data = read_some(descriptor)
            while data:
                job_log.feed(name, data)
                data = read_some(descriptor)

    def close(self) -> None:
        """Closes both."""
        for descriptor in self._names:
            os.close(descriptor)


def follow(
    streams: Streams,
    job_log: JobLog,
    limits: Limits,
    session: int,
    connection: socket.socket,
    wake: int,
    over: Callable[[], bool],
) -> Optional[str]:
    """Copies the program's output until the job is over; returns the error text of the limit that it broke, if any.

    Args:
        connection: to the server, which has nothing to say while a job runs.
        wake: a descriptor that becomes readable when `over` may have changed; `over` reads it.
        over: tells whether the job has ended.

    Raises:
        EOFError: the server is gone.
    """
    with selectors.DefaultSelector() as selector:
        for descriptor in (*streams.open, connection.fileno(), wake):
            selector.register(descriptor, selectors.EVENT_READ)
        while not over():
            breach = limits.breach(session)
            if breach is not None:
                return breach
            for key, _ in selector.select(limits.pause()):
                if key.fd == connection.fileno():
                    raise EOFError("the server is gone")
                if key.fd in streams.open:
                    streams.read(key.fd, job_log)
                    if key.fd not in streams.open:
                        selector.unregister(key.fd)
    return None
