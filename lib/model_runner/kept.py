"""A program kept alive for one job after the other, for modes `resident` and `library`.

It takes {"requestId", "inputFile", "outputFile"} in a text, and answers with a status: "complete" or "error" (with the
text). Any other status says that it listens.
"""

import abc
import os
import select
import signal
import socket
import subprocess
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from model_runner.call import settle
from model_runner.command import Ended
from model_runner.imports import Script
from model_runner.job import LOOK_SECONDS, Limits, Streams, decode, encode
from model_runner.logs import JobLog, log
from model_runner.processes import (
    Strays,
    death_signal_setter,
    failure_text,
    has_ended,
    kill_group,
    kill_orphans,
    newest_process,
)

#: Between two looks whether the program can be talked to, or has ended.
KNOCK_MILLISECONDS = 20
#: Of a text from the program.
MESSAGE_BYTES = 4 * 1024 * 1024


class BrokenError(Exception):
    """The program breaks the protocol."""


class Channel(abc.ABC):
    @abc.abstractmethod
    def fileno(self) -> int:
        """Return the descriptor."""

    @abc.abstractmethod
    def send(self, payload: bytes) -> None:
        """Send a text in UTF-8.

        Raises:
            OSError: the program does not take it.
        """

    @abc.abstractmethod
    def receive(self) -> List[str]:
        """Read once, without waiting, and return the complete texts.

        Raises:
            EOFError: the program closed the connection.
            BrokenError: it is no such text.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connection."""


class Program:
    def __init__(
        self,
        argv: Sequence[str],
        directory: str,
        connection: socket.socket,
        strays: Strays,
        inherited: Sequence[int] = (),
    ) -> None:
        """Start it.

        Args:
            connection: to the server, watched together with the program.
            inherited: descriptors.
        """
        self.job_log = JobLog("program")
        self.strays = strays
        self.channel: Optional[Channel] = None
        #: It has got so far that it takes jobs.
        self.is_listening = False
        self._process = subprocess.Popen(
            argv,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=inherited,
            start_new_session=True,
            preexec_fn=death_signal_setter(signal.SIGKILL, os.getpid()),  # noqa: PLW1509 - there are no threads here
        )
        self.pid = self._process.pid
        self._streams = Streams(self._process.stdout.fileno(), self._process.stderr.fileno())  # type: ignore[union-attr]
        self._connection = connection.fileno()
        self._poll = select.poll()
        for descriptor in (self._connection, *self._streams.descriptors):
            self._poll.register(descriptor, select.POLLIN)

    def reach(self) -> bool:
        """Connect if possible; tell whether there is a connection."""
        return self.channel is not None

    def talk_over(self, channel: Channel) -> None:
        self.channel = channel
        self._poll.register(channel, select.POLLIN)

    def wait_for_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not has_ended(self.pid) and time.monotonic() < deadline:
            time.sleep(KNOCK_MILLISECONDS / 1000)

    def listen(self, milliseconds: Optional[int]) -> Tuple[List[Dict[str, Any]], bool]:
        """Wait for program or server; return statuses, and whether the server has something to say.

        Raises:
            EOFError, BrokenError, ValueError: the program cannot be used any more.
        """
        statuses: List[Dict[str, Any]] = []
        is_called = False
        for descriptor, _ in self._poll.poll(milliseconds):
            if descriptor == self._connection:
                is_called = True
            elif descriptor not in self._streams.descriptors:
                statuses += map(status_of, self.channel.receive())  # type: ignore[union-attr]
                self.is_listening = True
            elif not self._streams.read(descriptor, self.job_log):
                self._poll.unregister(descriptor)
        return statuses, is_called

    def stop(self) -> int:
        """Kill it and what it started; return its exit code."""
        kill_group(self.pid)
        code = self._process.wait()
        kill_orphans(())
        self._streams.drain(self.job_log)
        self.job_log.finish()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process.stderr.close()  # type: ignore[union-attr]
        if self.channel is not None:
            self.channel.close()
        return code


class KeptMode(abc.ABC):
    """Restarts the program when it ends."""

    name = ""

    def __init__(self, script: Script, directory: str, connection: socket.socket) -> None:
        self._script = script
        self._directory = directory
        self._connection = connection
        self._newest_process = newest_process()
        self._program: Optional[Program] = None
        self._start()

    def run(self, request: Dict[str, Any]) -> Ended:
        if self._program is None or has_ended(self._program.pid):
            self.stop()
            self._start()
        program = self._program
        if program is None:
            return None, "The program could not be started; the log says why."
        # What one that never listened has said so far is why it ends.
        said = b"" if program.is_listening else program.job_log.error_tail
        program.job_log.finish()
        program.job_log = JobLog("job {}".format(request["job"]), request.get("told"))
        limits = Limits(request, request["output"])
        message = '{{"requestId": {}, "inputFile": {}, "outputFile": {}}}'.format(
            *map(encode, (request["job"], request["input"], request["output"]))
        )
        try:
            error = self._converse(program, request["job"], message, limits)
        except (BrokenError, ValueError, ConnectionError, socket.timeout) as failure:
            self.stop()
            return None, "The program broke its protocol: {}.".format(failure)
        except GoneError:
            program.wait_for_end(LOOK_SECONDS)  # it closes its connection a moment before it is over
            is_over = has_ended(program.pid)
            code = program.stop()
            self._program = None
            self._start()
            if not is_over:
                return None, "The program broke its protocol: it closed its connection and went on."
            tail = program.job_log.error_tail or said
            return code, failure_text(code, tail) if code else "The program ended by itself."
        if error is not None:
            return None, error
        return None, settle(request["output"], request["output"]) or limits.output_breach(request["output"])

    def attend(self) -> None:
        """Kill strays; copy output until the server calls."""
        if self._program is not None:
            self._program.strays.kill(self._program.pid)
        is_called = False
        while self._program is not None and not is_called:
            try:
                _, is_called = self._program.listen(None)
            except (EOFError, BrokenError, ValueError):
                code = self._program.stop()
                log("runner: the program ended between two jobs (exit code {}); it is started again".format(code))
                self._program = None
                self._start()

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()
            self._program = None

    @abc.abstractmethod
    def _launch(self, strays: Strays) -> Program:
        """Start the program.

        Raises:
            OSError: it cannot be started.
        """

    def _start(self) -> None:
        try:
            self._program = self._launch(Strays(self._newest_process))
        except OSError as error:
            log("runner: the program could not be started: {}: {}".format(error.filename, error.strerror))

    def _converse(self, program: Program, job: str, message: str, limits: Limits) -> Optional[str]:
        sent = False
        while True:
            if not sent and program.reach():
                try:
                    program.channel.send(message.encode("utf-8"))  # type: ignore[union-attr]
                except ConnectionError:  # it ends just now
                    raise GoneError from None
                sent = True
            try:
                statuses, is_called = program.listen(limits.pause() if sent else KNOCK_MILLISECONDS)
            except EOFError:
                raise GoneError from None
            if is_called:
                raise EOFError("the server is gone")
            program.job_log.tell(self._connection)
            for status in statuses:
                if status.get("requestId") == job and status.get("status") == "complete":
                    return None
                if status.get("requestId") == job and status.get("status") == "error":
                    return str(status.get("error") or "The program reported an error without a text.")
            if not statuses and has_ended(program.pid):
                raise GoneError
            breach = limits.breach(program.pid)
            if breach is not None:
                self.stop()
                self._start()
                return breach


def status_of(text: str) -> Dict[str, Any]:
    try:
        status, _ = decode(text.lstrip())
    except RecursionError:
        raise ValueError("it sent a status that is nested too deep") from None
    if not isinstance(status, dict):
        raise ValueError("a status must be an object")  # noqa: TRY004 - as other texts that are no status
    return status


class GoneError(Exception):
    """The program ended during a job."""
