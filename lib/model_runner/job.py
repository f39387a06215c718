"""A running job: its limits, its output, its end.

What all jobs do is kept short, as a trivial program costs little more. So their JSON is written by hand.
"""

import json
import os
import select
import socket
import time
from typing import Any, Callable, Collection, Dict, Optional

from model_runner.logs import JobLog
from model_runner.processes import job_memory, read_some

#: How often memory and output are measured: a program can write about this many seconds' worth above its limit.
MEASURE_SECONDS = 0.05
#: At most this long without a look: a lost wake-up must not cost the job its time.
LOOK_SECONDS = 1.0
MIB = 1024 * 1024
#: What `json.dumps` calls.
encode = json.JSONEncoder().encode
#: What `json.loads` calls, without its search for white space, which costs more than the rest.
decode = json.JSONDecoder().raw_decode


class Limits:
    """One job's limits; for memory and output, 0 is none."""

    def __init__(self, request: Dict[str, Any], output: str, known: Collection[int] = ()) -> None:
        """Read the limits.

        Args:
            known: children of the runner that are not the job's.
        """
        self._known = known
        self._seconds = float(request["timeout"])
        self._deadline = time.monotonic() + self._seconds
        self._memory_mib = request.get("memory_mib", 0)
        self._output_bytes = request.get("output_bytes", 0)
        self._output = output
        self._longest = MEASURE_SECONDS if self._memory_mib or self._output_bytes else LOOK_SECONDS
        self._next = 0.0

    def pause(self) -> int:
        """Return the milliseconds until the next look."""
        left = min(self._deadline - time.monotonic(), self._longest)
        return int(left * 1000) + 1 if left > 0 else 0

    def breach(self, session: int) -> Optional[str]:
        """Return the error text of a limit that `session` broke."""
        now = time.monotonic()
        if now >= self._deadline:
            return "The program ran longer than {:g} s and was stopped.".format(self._seconds)
        if now < self._next:
            return None
        self._next = now + MEASURE_SECONDS / 2
        if self._memory_mib and job_memory(session, self._known) > self._memory_mib * MIB:
            return "memory limit of {} MiB exceeded: the program was stopped.".format(self._memory_mib)
        return self.output_breach(self._output)

    def output_breach(self, output: str) -> Optional[str]:
        if self._output_bytes:
            try:
                if os.stat(output).st_size > self._output_bytes:
                    return "output limit of {} bytes exceeded.".format(self._output_bytes)
            except OSError:
                pass  # not there yet
        return None


class Streams:
    """A program's standard output and error, read without waiting."""

    def __init__(self, stdout: int, stderr: int) -> None:
        self._names = {stdout: "stdout", stderr: "stderr"}
        self.descriptors = (stdout, stderr)
        for descriptor in self.descriptors:
            os.set_blocking(descriptor, False)

    def read(self, descriptor: int, job_log: JobLog) -> bool:
        """Read one pipe; tell whether more may come."""
        data = read_some(descriptor)
        if data:
            job_log.feed(self._names[descriptor], data)
        return data != b""

    def drain(self, job_log: JobLog) -> None:
        for descriptor, name in self._names.items():
            data = read_some(descriptor)
            while data:
                job_log.feed(name, data)
                data = read_some(descriptor)

    def close(self) -> None:
        for descriptor in self.descriptors:
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
    """Copy the program's output until the job is over; return the error text of a broken limit.

    Args:
        connection: to the server, which has nothing to say while a job runs.
        wake: a descriptor that becomes readable when `over` may have changed; `over` reads it.

    Raises:
        EOFError: the server is gone.
    """
    poll = select.poll()  # nothing to open and close, for a few descriptors
    for descriptor in (*streams.descriptors, connection.fileno(), wake):
        poll.register(descriptor, select.POLLIN)
    while not over():
        breach = limits.breach(session)
        if breach is not None:
            return breach
        for descriptor, _ in poll.poll(limits.pause()):
            if descriptor == connection.fileno():
                raise EOFError("the server is gone")
            if descriptor in streams.descriptors and not streams.read(descriptor, job_log):
                poll.unregister(descriptor)
        job_log.tell(connection)
    return None
