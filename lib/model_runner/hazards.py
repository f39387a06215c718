"""Hazards that make a fork unlike a new process."""

import atexit
import gc
import os
import re
import signal
import sys
import time
from typing import Any, Optional, Set

#: Packages that start threads or drivers which a fork does not bring along.
UNSAFE = ("tensorflow", "jax", "cupy", "pycuda", "pyopencl", "grpc", "pyspark", "ray", "mxnet", "paddle")
HARMLESS_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero", "/dev/tty", "/dev/pts/")
#: Packages that clean up what the process itself has begun, and nothing that it has from its parent.
HARMLESS = (
    "logging",
    "weakref",
    "concurrent.futures",
    "multiprocessing.util",
    "joblib",  # ends its own workers
    "matplotlib._pylab_helpers",  # closes its own figures
    "PIL",  # empties a cache
    "certifi",  # nothing, where it was not imported from an archive
)
MAPPED = re.compile(r"^\S+ .w.s \S+ \S+ \S+ *(.*)$", re.MULTILINE)


def descriptors() -> Set[int]:
    listed = os.listdir("/proc/self/fd")
    return {int(name) for name in listed if os.path.lexists("/proc/self/fd/" + name)}  # not that of the listing


def entries(folder: str) -> Set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def unsafe_module() -> Optional[str]:
    for name in UNSAFE:
        if name in sys.modules:
            return "{} does not survive a fork".format(name)
    cuda = sys.modules.get("torch.cuda")
    if cuda is not None and cuda.is_initialized():
        return "CUDA is already in use after the imports"
    return None


def hidden_module(folder: str) -> Optional[str]:
    """Describe an import that the script would find in its own folder."""
    for name in sorted({name.partition(".")[0] for name in sys.modules} - {"__main__", "__mp_main__"}):
        path = os.path.join(folder, name)
        if os.path.isfile(path + ".py") or os.path.isfile(os.path.join(path, "__init__.py")):
            return "{} in the program's folder hides a module of the same name".format(name)
    return None


def opened_file(before: Set[int]) -> Optional[str]:
    """Describe a file whose position jobs would share."""
    for descriptor in sorted(descriptors() - before):
        try:
            target = os.readlink("/proc/self/fd/{}".format(descriptor))
        except OSError:
            continue
        if not target.startswith(HARMLESS_DEVICES):
            return "an import opened {}".format(target)
    return None


def shared_memory() -> Optional[str]:
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            found = MAPPED.search(file.read())
    except OSError:
        return None
    return "an import shares memory with its children: {}".format(found.group(1) or "anonymous") if found else None


def handler_count() -> int:
    count = getattr(atexit, "_ncallbacks", None)
    return int(count()) if count is not None else 0


def module_of(function: Any) -> str:
    while hasattr(function, "func"):
        function = function.func
    return str(
        getattr(function, "__module__", None) or getattr(type(getattr(function, "__self__", None)), "__module__", "")
    )


def is_harmless(name: str) -> bool:
    return any(name == known or name.startswith(known + ".") for known in HARMLESS)


def left_finalizer() -> Optional[str]:
    """Describe a shared object that every job would clean up."""
    finalize = getattr(sys.modules.get("weakref"), "finalize", None)
    for entry in list(getattr(finalize, "_registry", ())):
        kept = entry.peek()
        if kept is not None and entry.atexit:
            return "an import keeps {}, which is cleaned up at exit".format(type_name(type(kept[0])))
    return None


def configured_logging() -> Optional[str]:
    """Describe a logger that the program can no longer configure."""
    root = getattr(sys.modules.get("logging"), "root", None)
    return "an import configures logging" if getattr(root, "handlers", None) else None


def timer() -> Optional[str]:
    """Describe an alarm, which a fork does not inherit."""
    return "an import sets a timer" if any(signal.getitimer(signal.ITIMER_REAL)) else None


def kept_time(started: float, now: float) -> Optional[str]:
    datetime = sys.modules.get("datetime")
    today = time.strftime("%Y-%m-%d", time.localtime(started))

    def is_now(value: Any) -> bool:
        if type(value) is float:
            return bool(started <= value <= now)
        if type(value) is int:
            return bool(started * 1e9 <= value <= now * 1e9)
        return datetime is not None and isinstance(value, datetime.date) and value.isoformat()[:10] == today

    for name, module in list(sys.modules.items()):
        if not is_standard(module):
            for key, value in list(getattr(module, "__dict__", {}).items()):
                if is_now(value):
                    return "{} keeps the time of its import in {}".format(name, key)
    return None


def is_standard(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    return not isinstance(file, str) or ("-packages" not in file and file.startswith(os.path.dirname(os.__file__)))


def left_object() -> Optional[str]:
    """Describe an object whose finalizer would not run."""
    for kind in {type(found) for found in gc.get_objects()}:
        if any(has_end(base) for base in kind.__mro__):
            return "an import keeps an object with a finalizer ({})".format(type_name(kind))
    return None


def has_end(kind: type) -> bool:
    name = str(kind.__module__)
    return "__del__" in kind.__dict__ and not is_standard(sys.modules.get(name)) and not is_harmless(name)


def type_name(kind: type) -> str:
    return "{}.{}".format(kind.__module__, kind.__qualname__)


def child() -> Optional[str]:
    """Describe an import's process, which is no job's child."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return "an import starts a process"


def left_thread() -> Optional[str]:
    """Describe a thread that a fork would lose.

    Some libraries (OpenBLAS) end their threads for a fork: only what is there after one counts.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        return "a trial fork crashed"
    threads = len(os.listdir("/proc/self/task"))
    return "{} threads run after the imports".format(threads) if threads > 1 else None
