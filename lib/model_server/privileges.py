"""Drops root privileges."""

import ctypes
import os
import signal
import sys

from model_server.errors import StartError
from model_server.slots import become

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


def harden() -> None:
    """Hide memory and environment from the user's other processes; deny new privileges."""
    libc = ctypes.CDLL(None, use_errno=True)
    # No program, ours or the model's, gets more rights by a file with the set-user-ID bit.
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with_parent() -> None:
    """End this process with the thread that started it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def drop(user: tuple[int, int]) -> None:
    """Become `user` (uid, gid) for good, if root, or raise StartError. No thread may run yet."""
    if os.geteuid() == 0:
        try:
            become(user)
        except OSError as error:
            raise StartError(
                f"root of this container cannot become user {user[0]}:{user[1]}: {error.strerror}; leave it the "
                "capabilities SETUID and SETGID, or start the container as an ordinary user (--user)"
            ) from error
        if not os.access(sys.executable, os.X_OK):
            raise StartError(
                f"user {user[0]} cannot run the server at {sys.executable}; "
                "start the server as an ordinary user, or name one that can by MODEL_SERVER_USER=uid:gid"
            )
    harden()  # a change of the user takes back the half of it
