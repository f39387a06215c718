"""Mode `warm`: each job forks a process (fork_server.py) with its imports."""

import array
import json
import os
import select
import signal
import socket
import subprocess
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from model_runner.call import Call
from model_runner.command import Ended, verdict
from model_runner.imports import Script
from model_runner.job import Limits, Streams, follow
from model_runner.logs import JobLog, log
from model_runner.process_state import Imports
from model_runner.processes import death_signal_setter, kill_group, kill_orphans

START_SECONDS = 120.0
MESSAGE_BYTES = 1024 * 1024
#: How often a fork server may be replaced by one that has also imported what the jobs turned out to import.
LESSONS = 3


class UnfitError(Exception):
    """No fork server fits; the text says why."""


class Preloaded:
    def __init__(self, script: Script, directory: str, imports: Imports, check: bool) -> None:
        """Start it, and wait until no job can write into its memory.

        Raises:
            UnfitError: it cannot be used, and was stopped.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fork_server.py")
        self.channel = ours
        self._started = time.monotonic()
        try:
            self._process = subprocess.Popen(
                # Without the user's packages: a job could leave some in HOME while this starts.
                [script.python, *script.options, "-s", server, str(theirs.fileno())],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                preexec_fn=death_signal_setter(signal.SIGKILL, os.getpid()),  # noqa: PLW1509 - there are no threads here
            )
        except OSError as error:
            ours.close()
            raise UnfitError("it could not be started: {}".format(error.strerror)) from error
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._hear(START_SECONDS)
        words = [script.python, *script.options]
        self.send(script=script.path, words=words, imports=imports, check=check)

    def wait(self, seconds: float) -> None:
        answer = self._hear(seconds)
        if answer["hazard"] is not None:
            self.stop()
            raise UnfitError(answer["hazard"])
        seconds = time.monotonic() - self._started
        log("runner: {} modules are loaded, after {:.1f} s".format(answer["ready"], seconds))

    def _hear(self, seconds: float) -> Dict[str, Any]:
        self.channel.settimeout(seconds)
        try:
            answer = self.receive()
        except (EOFError, OSError) as error:
            timed_out = isinstance(error, socket.timeout)
            self.stop()
            why = "it took longer than {:g} s".format(seconds) if timed_out else "it crashed"
            raise UnfitError("preloading its imports failed: {}".format(why)) from error
        self.channel.settimeout(None)
        return answer

    def send(self, descriptors: Sequence[int] = (), **message: Any) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self.channel.sendmsg([json.dumps(message).encode("utf-8")], rights)

    def receive(self) -> Dict[str, Any]:
        data = self.channel.recv(MESSAGE_BYTES)
        if not data:
            raise EOFError("the fork server is gone")
        return dict(json.loads(data.decode("utf-8")))

    def stop(self) -> None:
        self.channel.close()
        kill_group(self._process.pid)
        self._process.wait()


class WarmMode:
    """Runs jobs in forks of a prepared process."""

    name = "warm"

    def __init__(
        self,
        script: Script,
        directory: str,
        connection: socket.socket,
        *,
        imports: Imports,
        check: bool,
        seconds: float = START_SECONDS,
    ) -> None:
        """Prepare the process.

        Args:
            imports: of the script, as known; its first jobs teach the rest.
            check: refuse when a fork does not look safe.
            seconds: that the imports may take.

        Raises:
            UnfitError: this mode is not for this program.
        """
        self._script = script
        self._call = Call(script.arguments)
        self._directory = directory
        self._connection = connection
        self._check = check
        #: What the process has imported.
        self.imports = list(imports)
        self._lessons = LESSONS
        self._server = Preloaded(script, directory, imports, check)
        self._server.wait(seconds)
        #: What the last job imported besides.
        self._lesson: Imports = ()
        self._next: Optional[Tuple[Preloaded, List[Any]]] = None
        self._running: Optional[int] = None

    def run(self, request: Dict[str, Any]) -> Ended:
        limits = Limits(request, self._call.place(request["output"]), self._own())
        try:
            argv = self._call.fill(request)
        except OSError as error:
            return None, "The program could not be started: {}: {}".format(error.filename, error.strerror)
        job_log = JobLog("job {}".format(request["job"]), request.get("told"))
        out_read, out_write = os.pipe()
        error_read, error_write = os.pipe()
        streams = Streams(out_read, error_read)
        server = self._server
        try:
            server.send([out_write, error_write], argv=argv, tell=self._lessons > 0)
        finally:
            os.close(out_write)
            os.close(error_write)
        pid = self._running = server.receive()["pid"]
        breach = follow(
            streams,
            job_log,
            limits,
            pid,
            self._connection,
            server.channel.fileno(),
            lambda: has_message(server.channel),
        )
        kill_group(pid)  # before it is reaped: until then nobody else can get this number
        server.receive()
        server.send(reap=True)
        ended = server.receive()
        self._running = None
        kill_orphans(self._own())
        streams.drain(job_log)
        streams.close()
        job_log.finish()
        if breach is None:
            self._lesson = ended["imports"]
        return verdict(self._call, request, limits, breach, ended["exit"], job_log.error_tail)

    def attend(self) -> None:
        """Let a better process take over, unless the server calls before."""
        self._learn()
        if self._next is None:
            return
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(self._next[0].channel, select.POLLIN)
        if self._next[0].channel.fileno() not in [descriptor for descriptor, _ in poll.poll()]:
            return
        try:
            self._replace(START_SECONDS)
        except UnfitError as error:
            self._lessons = 0
            log("runner: goes on without the modules that the last job imported: {}".format(error))

    def improve(self, seconds: float) -> bool:
        """Take over the last job's imports; False if none is new."""
        self._learn()
        if self._next is None:
            return False
        self._replace(seconds)
        return True

    def stop_learning(self) -> None:
        self._lessons = 0

    def stop(self) -> None:
        if self._running is not None:
            kill_group(self._running)

    def leave(self) -> None:
        for pid in self._own():
            kill_group(pid)
        kill_orphans(())

    def _own(self) -> List[int]:
        return [self._server.pid, *([] if self._next is None else [self._next[0].pid])]

    def _learn(self) -> None:
        lesson, self._lesson = self._lesson, ()
        if not lesson or self._lessons == 0 or self._next is not None:
            return
        self._lessons -= 1
        imports = [*self.imports, *lesson]
        try:
            self._next = (Preloaded(self._script, self._directory, imports, self._check), imports)
        except UnfitError:
            self._lessons = 0

    def _replace(self, seconds: float) -> None:
        assert self._next is not None  # noqa: S101 - whoever calls has seen it
        (candidate, imports), self._next = self._next, None
        candidate.wait(seconds)
        self._server.stop()
        self._server, self.imports = candidate, imports


def has_message(channel: socket.socket) -> bool:
    try:
        channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True
