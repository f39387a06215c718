"""Observation of imports: what they create, ask and leave."""

import atexit
import os
import sys
import threading
import time
import types
from typing import Any, Callable, Iterator, List, Optional, Tuple

from model_runner import hazards


class Watch:
    """Observes imports until `stop`."""

    def __init__(self, script: str) -> None:
        """Begin before any import, with the program's `script` as sys.argv."""
        self._script = script
        self._folder = os.path.dirname(os.path.realpath(script))
        self._started = time.time()
        self._before = hazards.descriptors()
        self._home = hazards.entries(os.path.expanduser("~"))
        self._made = []  # type: List[str]
        self._handlers = []  # type: List[Tuple[Any, str]]
        self._restore = []  # type: List[Callable[[], None]]
        self._count = hazards.handler_count()
        self._observe(os, "mkdir", self._note_path)
        self._observe(os, "open", self._note_file)
        self._observe(atexit, "register", self._note_handler)
        self._observe(threading, "_register_atexit", self._note_handler)
        self._is_argv_kept = False
        sys.argv = self._arguments = Arguments([script])

    def stop(self) -> None:
        for restore in self._restore:
            restore()
        # By sys, by this object, by the call.
        self._is_argv_kept = sys.getrefcount(self._arguments) > 3
        sys.argv = [self._script]

    def hazard(self) -> Optional[str]:
        """Return why a fork would differ."""
        return next(filter(None, self._hazards()), None)

    def _hazards(self) -> Iterator[Optional[str]]:
        yield hazards.unsafe_module()
        yield hazards.hidden_module(self._folder)
        yield hazards.opened_file(self._before)
        yield hazards.shared_memory()
        yield self._left_handler()
        yield hazards.left_finalizer()
        yield self._left_path()
        yield self._read_arguments()
        yield hazards.configured_logging()
        yield hazards.timer()
        yield hazards.kept_time(self._started, time.time())
        yield hazards.left_object()
        yield hazards.child()
        yield hazards.left_thread()

    def _observe(self, module: Any, name: str, note: Callable[..., None]) -> None:
        original = getattr(module, name, None)
        if original is None:
            return

        def observed(*arguments: Any, **named: Any) -> Any:
            note(*arguments, **named)
            return original(*arguments, **named)

        setattr(module, name, observed)
        self._restore.append(lambda: setattr(module, name, original))

    def _note_path(self, path: Any, *_arguments: Any, **_named: Any) -> None:
        if isinstance(path, (str, bytes, os.PathLike)) and not os.path.lexists(path):
            self._made.append(os.path.abspath(os.fsdecode(path)))

    def _note_file(self, path: Any, flags: int = 0, *_arguments: Any, **_named: Any) -> None:
        if flags & os.O_CREAT:
            self._note_path(path)

    def _note_handler(self, handler: Any = None, *_arguments: Any, **_named: Any) -> None:
        # The module that calls: above are this method and `observed`. One in C has no frame, but who imports it has.
        frame = sys._getframe(2)  # type: Optional[types.FrameType]
        while frame is not None and _name(frame).startswith("importlib."):
            frame = frame.f_back
        self._handlers.append((handler, "an import" if frame is None else _name(frame)))

    def _left_handler(self) -> Optional[str]:
        for handler, name in self._handlers:
            if not hazards.is_harmless(hazards.module_of(handler)):
                return "{} registers an exit handler when it is imported".format(name)
        if hazards.handler_count() - self._count > len(self._handlers):
            return "an import registers an exit handler"
        return None

    def _left_path(self) -> Optional[str]:
        home = os.path.expanduser("~")
        made = [*self._made, *(os.path.join(home, name) for name in sorted(hazards.entries(home) - self._home))]
        left = [path for path in made if os.path.lexists(path) and os.path.basename(path) != "__pycache__"]
        return "an import makes {}".format(left[0].replace(home, "~", 1)) if left else None

    def _read_arguments(self) -> Optional[str]:
        return "an import reads sys.argv" if self._arguments.was_read or self._is_argv_kept else None


def _name(frame: types.FrameType) -> str:
    return str(frame.f_globals.get("__name__", "an import"))


class Arguments(list):  # type: ignore[type-arg]  # typing.List would be another class in Python 3.6
    """A list that notes when it is read."""

    was_read = False

    def _look(self, name: str, *arguments: Any) -> Any:
        self.was_read = True
        return getattr(super(), name)(*arguments)

    def __getitem__(self, index: Any) -> Any:
        return self._look("__getitem__", index)

    def __iter__(self) -> Iterator[str]:
        return iter(self._look("__iter__"))

    def __len__(self) -> int:
        return int(self._look("__len__"))

    def __contains__(self, word: object) -> bool:
        return bool(self._look("__contains__", word))
