"""The fork server of mode `warm`: a process under the model's Python that has imported what the script imports.

    python [options of the command] fork_server.py DESCRIPTOR

DESCRIPTOR is a Unix socket (SOCK_SEQPACKET, a JSON message a packet) to the runner. First this process says that no job
can write into its memory any more. Then the runner says what to prepare, and gets the verdict:

    <- {"hidden": true}
    -> {"script": path, "modules": [[name, [member, ...]], ...], "check": bool}
    <- {"ready": count of imported modules, "hazard": null or why a fork of this process is not safe}

Then for each job, the script's output going to the two descriptors that come with the first message:

    -> {"argv": [...]} + stdout, stderr
    <- {"pid": number}       the script runs, in a session of its own
    <- {"ended": true}       it is over; its process number is still its own
    -> {"reap": true}
    <- {"exit": code, "imported": [names of installed modules that it imported and that were not there]}

A job's process does what `python script.py ...` does: `__main__`, sys.argv, sys.path, exit codes, threads, atexit,
files that nobody closed. What is different: modules were imported before sys.argv was known, and strings hash alike in
all jobs. The random number generators are seeded anew.
"""

import array
import atexit
import gc
import importlib
import importlib.machinery
import json
import os
import signal
import socket
import sys
import threading
import types
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

MESSAGE_BYTES = 1024 * 1024
LEARNED_BYTES = 60000  # what a pipe holds: the job must not wait for a reader
#: Packages that start threads or drivers which a fork does not bring along.
UNSAFE = ("tensorflow", "jax", "cupy", "pycuda", "pyopencl", "grpc", "pyspark", "ray", "mxnet", "paddle")
HARMLESS_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero", "/dev/tty", "/dev/pts/")


def receive(channel: socket.socket) -> Tuple[Dict[str, Any], List[int]]:
    """The next message and the descriptors that came with it.

    Raises:
        EOFError: the other end is gone.
    """
    numbers = array.array("i")
    data, ancillary, _, _ = channel.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(2 * numbers.itemsize))
    if not data:
        raise EOFError("the runner is gone")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    return json.loads(data.decode("utf-8")), list(numbers)


def send(channel: socket.socket, **message: Any) -> None:
    """Sends a message."""
    channel.sendall(json.dumps(message).encode("utf-8"))


def preload(modules: Sequence[Tuple[str, Sequence[str]]]) -> None:
    """Imports what can be imported. What fails is left to the script, which will say so itself."""
    for name, members in modules:
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: S112 - a module's code may raise anything
            continue
        submodules = ["{}.{}".format(name, member) for member in members if not hasattr(module, member)]
        preload([(submodule, ()) for submodule in submodules])


def descriptors() -> Set[int]:
    """The open descriptors of this process."""
    return {int(name) for name in os.listdir("/proc/self/fd")}


def find_hazard(folder: str, before: Set[int]) -> Optional[str]:
    """Why a fork of this process would not be as good as a new process; None if nothing speaks against it.

    Args:
        folder: of the script.
        before: descriptors that were open before anything was imported.
    """
    return unsafe_module() or hidden_module(folder) or opened_device(before) or left_thread()


def unsafe_module() -> Optional[str]:
    """A package that is known not to survive."""
    for name in UNSAFE:
        if name in sys.modules:
            return "{} does not survive a fork".format(name)
    cuda = sys.modules.get("torch.cuda")
    if cuda is not None and cuda.is_initialized():
        return "CUDA is already in use after the imports"
    return None


def hidden_module(folder: str) -> Optional[str]:
    """A module that was imported from elsewhere, although the script would find its own."""
    for name in sorted({name.partition(".")[0] for name in sys.modules} - {"__main__"}):
        path = os.path.join(folder, name)
        if os.path.isfile(path + ".py") or os.path.isfile(os.path.join(path, "__init__.py")):
            return "{} in the program's folder hides a module of the same name".format(name)
    return None


def opened_device(before: Set[int]) -> Optional[str]:
    """A connection or a device that an import opened: jobs would share it."""
    for descriptor in sorted(descriptors() - before):
        try:
            target = os.readlink("/proc/self/fd/{}".format(descriptor))
        except OSError:
            continue
        if not target.startswith("/") or (target.startswith("/dev/") and not target.startswith(HARMLESS_DEVICES)):
            return "an import opened {}".format(target)
    return None


def left_thread() -> Optional[str]:
    """A thread that a fork would not bring along.

    Libraries that know of forks (OpenBLAS) end their threads for one: only what is still there after one counts.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        return "a trial fork crashed"
    threads = len(os.listdir("/proc/self/task"))
    return "{} threads run after the imports".format(threads) if threads > 1 else None


def load(script: str) -> Tuple[str, types.CodeType]:
    """The script's `__file__`, as this version of Python sets it, and its code.

    Raises:
        OSError, SyntaxError, ValueError: it cannot be run.
    """
    name = os.path.abspath(script) if sys.version_info >= (3, 9) else script
    with open(script, "rb") as file:
        return name, compile(file.read(), name, "exec", dont_inherit=True)


def reseed() -> None:
    """Gives the global random number generators what a new process would: a seed from the system."""
    for name in ("random", "numpy.random"):
        module = sys.modules.get(name)
        if module is not None:
            module.seed()


def as_main(name: str, code: types.CodeType) -> int:
    """Runs the code as `__main__` and returns its exit code; an exception was printed."""
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __file__=name,
        __builtins__=sys.modules["builtins"],
        __loader__=importlib.machinery.SourceFileLoader("__main__", name),
    )
    if sys.version_info < (3, 15):
        module.__dict__["__cached__"] = None
    if sys.version_info < (3, 14):
        module.__dict__["__annotations__"] = {}
    sys.modules["__main__"] = module
    namespace = module.__dict__
    del module
    try:
        exec(code, namespace)  # noqa: S102 - it is the model's program  # nosec B102
    except SystemExit as error:
        return exit_code(error.code)
    except BaseException as error:  # noqa: BLE001 - a script may raise anything
        interrupted = isinstance(error, KeyboardInterrupt)
        trace = error.__traceback__
        error.__traceback__ = trace and trace.tb_next  # without our own frame
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if interrupted else 1
    return 0


def exit_code(value: Any) -> int:
    """What `sys.exit(value)` ends a process with; a text is printed."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF
    flush(sys.stdout)
    try:
        sys.stderr.write("{}\n".format(value))
    except (OSError, ValueError, AttributeError):
        pass
    return 1


def flush(stream: Any) -> bool:
    """Flushes a standard stream; False if what was written is lost."""
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        return stream is None or getattr(stream, "closed", False)
    return True


def finish(local: Sequence[Any]) -> bool:
    """What Python does before a process ends; False if output was lost.

    Args:
        local: the modules of the program's own folder, in the order of their import.
    """
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException as error:  # noqa: BLE001 - such an error does not change the exit code in Python either
        sys.excepthook(type(error), error, error.__traceback__)
    written = [flush(sys.stdout), flush(sys.stderr)]
    # Files and objects that nobody closed: the end of their module closes them.
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        sys.__dict__.pop(name, None)
    for module in [sys.modules["__main__"], *reversed(local)]:
        clear(module)
    gc.collect()
    written += [flush(sys.stdout), flush(sys.stderr)]
    return all(written)


def clear(module: Any) -> None:
    """Lets go of what a module holds, in the order in which Python does: private names first."""
    names = [name for name in getattr(module, "__dict__", ()) if name != "__builtins__"]
    private = [name for name in names if name.startswith("_") and not name.startswith("__")]
    for name in (*private, *(name for name in names if name not in private)):
        module.__dict__[name] = None


def imported(preloaded: Set[str], folder: str) -> Tuple[List[Any], List[str]]:
    """What the job imported beyond `preloaded`: modules of the program's folder, and names of installed ones."""
    local = []
    installed = []
    size = 0
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if name in preloaded or name == "__main__" or not isinstance(origin, str):
            continue
        if origin.startswith(os.path.join(folder, "")) and "-packages" not in origin:
            local.append(module)
        elif size + len(name) < LEARNED_BYTES:
            size += len(name) + 1
            installed.append(name)
    return local, installed


class ForkServer:
    """What a job's process needs to know."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._folder = os.path.dirname(os.path.abspath(script))
        self._name, self._code = load(script)
        self._preloaded = set(sys.modules)
        self._path_starts_with_folder = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))

    def fork(self, argv: List[str], outputs: Sequence[int], tie: Callable[[], object], channel: socket.socket) -> None:
        """Runs one job in a fork and tells the runner about it."""
        read_end, write_end = os.pipe()
        flush(sys.stdout)
        flush(sys.stderr)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.setsid()
                tie()
                os.write(write_end, b"\n")
                channel.close()
                os.close(read_end)
                code = self._run(argv, outputs, write_end)
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
        names = read_all(read_end)
        os.close(read_end)
        exited = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        send(channel, exit=exited, imported=names.decode("utf-8", "replace").split())

    def _run(self, argv: List[str], outputs: Sequence[int], report: int) -> int:
        for target, descriptor in enumerate(outputs, start=1):
            os.dup2(descriptor, target)
            os.close(descriptor)
        reseed()
        sys.argv = [self._script, *argv]
        if self._path_starts_with_folder:
            sys.path.insert(0, os.path.realpath(self._folder))
        code = as_main(self._name, self._code)
        local, names = imported(self._preloaded, self._folder)
        if not finish(local):
            code = 120
        os.write(report, " ".join(names).encode("utf-8"))
        return code


def read_all(descriptor: int) -> bytes:
    """What a pipe holds."""
    data = b""
    try:
        while True:
            more = os.read(descriptor, 65536)
            if not more:
                return data
            data += more
    except BlockingIOError:
        return data  # the job left a process behind that keeps the pipe open


def hide() -> Callable[[], object]:
    """Closes this process to others of its user: its memory is that of all later jobs.

    Returns:
        A function for a child: it dies with this process, also if that is dead already, and is as open as any program.
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
    """Serves jobs until the runner is gone.

    Raises:
        EOFError, ConnectionError: it is. That this process dies with the runner was arranged before it was started.
    """
    tie = hide()
    send(channel, hidden=True)
    before = descriptors()
    wanted, _ = receive(channel)
    folder = os.path.dirname(os.path.abspath(wanted["script"]))
    preload(wanted["modules"])
    server = ForkServer(wanted["script"])
    hazard = find_hazard(folder, before) if wanted["check"] else None
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()  # a job's collections then leave these pages shared
    send(channel, ready=len(sys.modules), hazard=hazard)
    while True:
        request, outputs = receive(channel)
        server.fork(request["argv"], outputs, tie, channel)


if __name__ == "__main__":
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]  # the folder of this file: the script must not find anything there
    try:
        main(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, int(sys.argv[1])))
    except (EOFError, ConnectionError):
        os._exit(0)  # without a word, and without the exit handlers of what was imported
