"""The process's state, on which an import may depend."""

import _locale
import os
import signal
import sys
import zlib
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

#: What is patched by those who patch: (module, attribute).
_PATCHED = (("time", "sleep"), ("socket", "socket"), ("threading", "Thread"), ("builtins", "open"), ("os", "fork"))
#: A check sum of each setting, by its name.
State = Dict[str, int]
#: Names of modules in the order of their import; before them, and wherever it had become another: the state.
Imports = Sequence[Union[str, State]]


class Recorder:
    """A finder that finds nothing, but records states."""

    def __init__(self, folder: str) -> None:
        """Record nothing yet; `folder`, the script's, is no change of sys.path."""
        self._folder = folder
        #: As it was when a module was sought.
        self.states = {}  # type: Dict[str, State]

    def find_spec(self, name: str, _path: Optional[Sequence[str]] = None, _target: Any = None) -> None:
        """See `importlib.abc.MetaPathFinder`."""
        if name not in self.states:
            self.states[name] = state(self._folder)


def tell(names: Iterable[str], recorder: Recorder, most_bytes: int) -> List[Union[str, State]]:
    """Return which of `names` were imported, in what order and state."""
    told = []  # type: List[Union[str, State]]
    last = {}  # type: State
    left = most_bytes
    there = set(names)
    # sys.modules has them in the order of their ends: what a module imports comes before itself.
    for name, now in recorder.states.items():
        if name not in there:
            continue
        left -= len(name) + 4
        if now != last:
            left -= len(repr(now))
            told.append(now)
            last = now
        if left < 0:
            break
        told.append(name)
    return told


def by_name(imports: Imports) -> List[Tuple[str, State]]:
    """Read what `tell` wrote; an empty state is unknown."""
    found = []
    last = {}  # type: State
    for item in imports:
        if isinstance(item, str):
            found.append((item, last))
        else:
            last = item
    return found


def difference(imports: Imports, recorder: Recorder) -> Optional[str]:
    """Return why these imports, as `recorder` saw them, differ from the script's."""
    for name, then in by_name(imports):
        now = recorder.states.get(name, {})
        for setting in sorted(then.keys() & now.keys()):
            if then[setting] != now[setting]:
                return "the program changes {} before it imports {}".format(setting, name)
    return None


def state(folder: str) -> State:
    """Return check sums of a program's settings."""
    path = sys.path[1:] if sys.path[:1] == [folder] else sys.path
    facts = {
        "the environment": sorted(os.environ.items()),
        "sys.path": path,
        "the import system": [
            [_name(finder) for finder in sys.meta_path if not isinstance(finder, Recorder)],
            [_name(hook) for hook in sys.path_hooks],
        ],
        "the working directory": _working_directory(),
        "the umask": _umask(),
        "the signal handlers": [_name(handler) for handler in _handlers()],
        "the start method of multiprocessing": _start_method(),
        "the locale": _locale.setlocale(_locale.LC_ALL),
        "the decimal context": _decimal_context(),
        "the recursion limit": sys.getrecursionlimit(),
        "the standard library": [_name(getattr(sys.modules.get(module), name, None)) for module, name in _PATCHED],
    }  # type: Dict[str, Any]
    return {key: zlib.crc32(repr(value).encode("utf-8", "backslashreplace")) for key, value in facts.items()}


def _name(value: Any) -> str:
    if value is None or isinstance(value, (int, str)):
        return str(value)
    named = value if hasattr(value, "__qualname__") else type(value)
    return "{}.{}".format(getattr(named, "__module__", ""), named.__qualname__)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _handlers() -> List[Any]:
    found = []
    for number in range(1, signal.NSIG):
        try:
            found.append(signal.getsignal(number))
        except ValueError:  # it is the C library's own
            found.append(None)
    return found


def _start_method() -> Optional[str]:
    contexts = getattr(sys.modules.get("multiprocessing.context"), "_default_context", None)
    chosen = getattr(contexts, "_actual_context", None) or getattr(contexts, "_default_context", None)
    return chosen and _name(chosen)


def _decimal_context() -> str:
    module = sys.modules.get("decimal")
    return repr(module.getcontext()) if module is not None and hasattr(module, "getcontext") else ""
