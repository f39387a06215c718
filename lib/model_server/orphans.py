"""Adopts and ends the processes of a killed runner.

One that ends by itself ends them before (model_runner/processes.py).
"""

import ctypes
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_SECONDS = 5.0
_PAUSE_SECONDS = 0.005


class Orphans:
    """Tells adopted children from our own."""

    def __init__(self) -> None:
        #: To start and to end a child is one step each: one that is just being started is no orphan.
        self.guard = threading.Lock()
        self._known: set[int] = set()
        self._adopts = False

    def adopt(self) -> None:
        """Adopt descendants whose parent dies."""
        self._adopts = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0

    def enter(self, child: int) -> None:
        """Note our own child; hold the guard since before its start."""
        self._known.add(child)

    def leave(self, child: int) -> None:
        """End what an ended child has left."""
        with self.guard:
            self._known.discard(child)
            deadline = time.monotonic() + _SECONDS
            while self._adopts and (left := self._left()) and time.monotonic() < deadline:
                for pid in left:
                    with suppress(ProcessLookupError, ChildProcessError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
                        os.waitpid(pid, os.WNOHANG)
                time.sleep(_PAUSE_SECONDS)

    def _left(self) -> set[int]:
        found: set[int] = set()
        for task in Path("/proc/self/task").iterdir():  # a thread has the children that it started
            with suppress(OSError):
                found.update(map(int, (task / "children").read_text(encoding="ascii").split()))
        return found - self._known


ORPHANS = Orphans()
