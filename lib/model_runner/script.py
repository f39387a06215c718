"""A script's life in a process not started for it."""

import atexit
import gc
import importlib.machinery
import os
import sys
import threading
import types
from typing import Any, List, Sequence, Set, Tuple


def load(script: str) -> types.CodeType:
    """Make the script's `__main__`, before any import may look for it, and return its code.

    Raises:
        OSError, SyntaxError, ValueError: it cannot be run.
    """
    name = os.path.abspath(script) if sys.version_info >= (3, 9) else script
    with open(script, "rb") as file:
        code = compile(file.read(), name, "exec", dont_inherit=True)
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
    return code


def run(code: types.CodeType) -> int:
    """Run the code as `__main__`, print its exception, return its exit code."""
    try:
        exec(code, sys.modules["__main__"].__dict__)  # noqa: S102 - it is the model's program  # nosec B102
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
    """Flush a standard stream; False if output is lost."""
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        return stream is None or getattr(stream, "closed", False)
    return True


def finish(local: Sequence[Any]) -> bool:
    """Do what Python does before a process ends; False if output was lost.

    Args:
        local: modules of the program's folder, in the order of their import.
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
    """Drop a module's content, as Python does: private names first."""
    names = [name for name in getattr(module, "__dict__", ()) if name != "__builtins__"]
    private = [name for name in names if name.startswith("_") and not name.startswith("__")]
    for name in (*private, *(name for name in names if name not in private)):
        module.__dict__[name] = None


def imported(preloaded: Set[str], folder: str) -> Tuple[List[Any], List[str]]:
    """Return the folder's modules, and installed ones' names, not `preloaded`."""
    local = []
    installed = []
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if name in preloaded or name == "__main__" or not isinstance(origin, str):
            continue
        if origin.startswith(os.path.join(folder, "")) and "-packages" not in origin:
            local.append(module)
        else:
            installed.append(name)
    return local, installed
