"""Several processes of one server, under a parent that does nothing else.

To whoever runs the container they are one: they stop together, and the unexpected end of one ends all, for then a
scheduler replaces the container.
"""

import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_server import privileges
from model_server.launcher import Launcher
from model_server.log import logger
from model_server.siblings import Siblings

#: A process tells its parent by it that the next one may be started.
_READY = signal.SIGUSR1
_STOPS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = frozenset({*_STOPS, signal.SIGCHLD, _READY})


@dataclass(frozen=True)
class Place:
    """The own part of one process of a server."""

    siblings: Siblings
    listener: socket.socket
    #: None: its programs are not users of their own.
    launcher: Launcher | None

    def close(self) -> None:
        """Leave it to another process."""
        self.listener.close()
        if self.launcher is not None:
            self.launcher.close()


def run(places: Sequence[Place], serve: Callable[[Place], int]) -> int:
    """Serve each place in a process of its own, the next when the one before is ready; return the first code but 0.

    It returns in each process. No thread may run yet.
    """
    if len(places) == 1:
        return serve(places[0])
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    waiting = list(places)
    running: dict[int, int] = {}
    received, code, is_stopping = _READY, 0, False
    while True:
        if received == _READY and waiting:
            place = waiting.pop(0)
            child = os.fork()
            if child == 0:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
                privileges.die_with_parent()
                for other in waiting:
                    other.close()
                return serve(place)
            place.close()
            running[child] = place.siblings.number + 1
        for number, ended in _ended(running):
            # One that ends in its start has said why.
            if not is_stopping and (ended < 0 or len(waiting) < len(places) - 1):
                how = f"by {signal.Signals(-ended).name}" if ended < 0 else f"with code {ended}"
                logger.error("process %d of %d of this server ended %s: all stop", number, len(places), how)
            code = code or (128 - ended if ended < 0 else ended)
            received = signal.SIGTERM
        if received in _STOPS and not is_stopping:
            is_stopping = True
            waiting.clear()
            for child in running:
                os.kill(child, signal.SIGTERM)
        if not running:
            return code
        received = signal.Signals(signal.sigwait(_SIGNALS))


def _ended(running: dict[int, int]) -> list[tuple[int, int]]:
    """Return number and exit code, below 0 for a signal, of those that have ended."""
    found = []
    for child in list(running):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            found.append((running.pop(child), os.waitstatus_to_exitcode(status)))
    return found


def tell_ready() -> None:
    """Tell the parent that the next process may be started."""
    os.kill(os.getppid(), _READY)


def stop_all() -> None:
    """Have the parent stop all processes."""
    os.kill(os.getppid(), signal.SIGTERM)
