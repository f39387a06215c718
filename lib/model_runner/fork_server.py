"""The fork server of mode `warm`, which has imported what the script imports.

    python [options of the command] fork_server.py DESCRIPTOR

DESCRIPTOR is a Unix socket (SOCK_SEQPACKET, a JSON message a packet) to the runner:

    <- {"hidden": true}      no job can write into its memory any more
    -> {"script": path, "words": [of the command, up to the script], "imports": [...], "check": bool}
    <- {"ready": count of loaded modules, "hazard": null or why a fork of this process is not safe}

Then for each job, whose output goes to the two descriptors of the first message:

    -> {"argv": [...], "tell": bool} + stdout, stderr
    <- {"pid": number}       the script runs, in a session of its own
    <- {"ended": true}       it is over; its process number is still its own
    -> {"reap": true}
    <- {"exit": code, "imports": [...]}

"imports" is empty unless "tell" asks: installed modules that the job imported in addition, in their order, and what
the program had changed before (process_state.Imports).

A job differs from `python script.py ...`: modules were imported before sys.argv was known, and strings hash alike in
all jobs. The random number generators are seeded anew.
"""

import array
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from model_runner import generators, process_state, script
from model_runner.watch import Watch

MESSAGE_BYTES = 1024 * 1024
TOLD_BYTES = 60000  # what a pipe holds: the job must not wait for a reader


def receive(channel: socket.socket) -> Tuple[Dict[str, Any], List[int]]:
    """Return a message and its descriptors."""
    numbers = array.array("i")
    data, ancillary, _, _ = channel.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(2 * numbers.itemsize))
    if not data:
        raise EOFError("the runner is gone")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    return json.loads(data.decode("utf-8")), list(numbers)


def send(channel: socket.socket, **message: Any) -> None:
    channel.sendall(json.dumps(message).encode("utf-8"))


def preload(imports: process_state.Imports) -> None:
    """Import what can be; the script reports what fails."""
    for name, _ in process_state.by_name(imports):
        try:
            importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: S112 - a module's code may raise anything
            continue


class ForkServer:
    """The state for jobs' processes."""

    def __init__(self, wanted: Dict[str, Any]) -> None:
        self._script = wanted["script"]
        self._words = wanted["words"]
        self._folder = os.path.dirname(os.path.realpath(self._script))
        self._code = script.load(self._script)
        self._path_starts_with_folder = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
        self._preloaded = set(sys.modules)
        self._generators = generators.Generators()

    def prepare(self, imports: process_state.Imports, is_checked: bool) -> Optional[str]:
        """Import what the script will; return, if checked, the hazard."""
        watch = Watch(self._script)
        recorder = process_state.Recorder(self._folder)
        sys.meta_path.insert(0, recorder)
        preload(imports)
        sys.meta_path.remove(recorder)
        watch.stop()
        self._preloaded = set(sys.modules)
        self._generators = generators.Generators()
        if not is_checked:
            return None
        return process_state.difference(imports, recorder) or self._generators.hazard() or watch.hazard()

    def fork(
        self,
        request: Dict[str, Any],
        outputs: Sequence[int],
        tie: Callable[[], object],
        channel: socket.socket,
    ) -> None:
        read_end, write_end = os.pipe()
        script.flush(sys.stdout)
        script.flush(sys.stderr)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.setsid()
                tie()
                os.write(write_end, b"\n")
                channel.close()
                os.close(read_end)
                code = self._run(request, outputs, write_end)
            finally:
                os._exit(code)
        os.close(write_end)
        for descriptor in outputs:
            os.close(descriptor)
        os.read(read_end, 1)  # from here on the process group exists
        send(channel, pid=pid)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        send(channel, ended=True)
        receive(channel)
        _, status = os.waitpid(pid, 0)
        os.set_blocking(read_end, False)
        told = read_all(read_end)
        os.close(read_end)
        exited = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        send(channel, exit=exited, imports=read_imports(told))

    def _run(self, request: Dict[str, Any], outputs: Sequence[int], report: int) -> int:
        for target, descriptor in enumerate(outputs, start=1):
            os.dup2(descriptor, target)
            os.close(descriptor)
        self._generators.reseed()
        # A fork keeps the parent's; before Python 3.8 there is none.
        getattr(threading.main_thread(), "_set_native_id", bool)()
        sys.argv = [self._script, *request["argv"]]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = [*self._words, *sys.argv]
        recorder = process_state.Recorder(self._folder) if request["tell"] else None
        if self._path_starts_with_folder:
            sys.path.insert(0, self._folder)
        if recorder is not None:
            sys.meta_path.insert(0, recorder)
        code = script.run(self._code)
        local, names = script.imported(self._preloaded, self._folder)
        if not script.finish(local):
            code = 120
        if recorder is not None:
            told = process_state.tell(names, recorder, TOLD_BYTES)
            try:
                os.write(report, json.dumps(told).encode("utf-8"))
            except OSError:
                pass  # the program closed it
        return code


def read_all(descriptor: int) -> bytes:
    data = b""
    try:
        while True:
            more = os.read(descriptor, 65536)
            if not more:
                return data
            data += more
    except BlockingIOError:
        return data  # the job left a process behind that keeps the pipe open


def read_imports(told: bytes) -> List[Any]:
    """Return a job's report; empty if its program wrote that."""
    try:
        found = json.loads(told.decode("utf-8"))
    except ValueError:
        return []
    return found if isinstance(found, list) and all(isinstance(item, (str, dict)) for item in found) else []


def hide() -> Callable[[], object]:
    """Close this process to others of its user: its memory is that of all later jobs.

    Returns:
        A function for a child: it dies with this process, and is as open as any program.
    """
    parent = os.getpid()
    prctl: Callable[..., object] = lambda *_: None  # noqa: E731 - the runner kills the process group
    try:
        import ctypes  # noqa: PLC0415 - some small Pythons lack it

        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        pass
    prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE

    def tie() -> None:
        prctl(4, 1, 0, 0, 0)
        prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG: from now on
        if os.getppid() != parent:  # it was gone before
            os.kill(os.getpid(), signal.SIGKILL)

    return tie


def main(channel: socket.socket) -> None:
    """Serve jobs until the runner is gone."""
    tie = hide()
    send(channel, hidden=True)
    wanted, _ = receive(channel)
    server = ForkServer(wanted)
    hazard = server.prepare(wanted["imports"], wanted["check"])
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()  # a job's collections then leave these pages shared
    send(channel, ready=len(sys.modules), hazard=hazard)
    while True:
        request, outputs = receive(channel)
        server.fork(request, outputs, tie, channel)


if __name__ == "__main__":
    del sys.path[0]
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]  # the folder of this file: the script must not find anything there
    for module_name in [name for name in sys.modules if name.partition(".")[0] == "model_runner"]:
        del sys.modules[module_name]  # the program may have a module of this name
    try:
        main(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, int(sys.argv[1])))
    except (EOFError, ConnectionError):
        os._exit(0)  # without a word, and without the exit handlers of what was imported
