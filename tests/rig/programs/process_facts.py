"""Tell what a process can know of itself, as far as two runs by hand agree."""

import gc
import inspect
import os
import signal
import sys
import threading
import traceback
import warnings


def here() -> str:
    return inspect.stack()[0].function


try:
    int("seen")
except ValueError:
    trace = traceback.format_exc().replace(os.getcwd(), "")
facts = {
    "main": (__name__, os.path.basename(__file__), __spec__ is None, __doc__ is not None, "__cached__" in globals()),
    "names": sorted(name for name in globals() if name.startswith("__")),
    "flags": str(sys.flags),
    "group": (os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()),
    "thread": (
        threading.current_thread().name,
        threading.active_count(),
        threading.main_thread().native_id == os.getpid(),
    ),
    "stack": (here(), len(inspect.stack())),
    "trace": trace,
    "collector": (gc.isenabled(), gc.get_threshold()),
    "hooks": (
        sys.excepthook is sys.__excepthook__,
        sys.displayhook is sys.__displayhook__,
        sys.gettrace(),
        sys.getprofile(),
    ),
    "pending": sorted(map(str, signal.sigpending())),
    "filters": [str(item[0]) + item[2].__name__ for item in warnings.filters],
    "streams": [(stream.name, stream.mode, stream.closed) for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "stdin": sys.stdin.read(),
    "importers": [getattr(finder, "__name__", str(type(finder))) for finder in sys.meta_path],
    "prefix": (sys.prefix, sys.base_prefix, sys.executable, sys.dont_write_bytecode, sys.getswitchinterval()),
    "interactive": (hasattr(sys, "ps1"), sys.flags.interactive),
}
with open(sys.argv[2], "w") as target:
    for key, value in facts.items():
        target.write(f"{key}: {value}\n")
