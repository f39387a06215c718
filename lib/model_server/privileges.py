"""From root to nobody in particular, once the port is bound and the volume is ours."""

import ctypes
import os
import sys

from model_server.errors import StartError

_PR_SET_NO_NEW_PRIVS = 38


def drop(user: tuple[int, int]) -> None:
    """Makes this process, and all that it starts, uid and gid `user` for good; does nothing unless it is root.

    Must run before any thread is started. No entry in /etc/passwd is needed.

    Raises:
        StartError: the server's own files cannot be read any more.
    """
    if os.geteuid() == 0:
        uid, gid = user
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        if not os.access(sys.executable, os.X_OK):
            raise StartError(
                f"user {uid} cannot run the server at {sys.executable}; "
                "start the server as an ordinary user, or name one that can by MODEL_SERVER_USER=uid:gid"
            )
    # No program of ours, or of the model, gets more rights by a file with the set-user-ID bit.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if not os.access(os.environ.get("HOME", "/nonexistent"), os.W_OK):
        os.environ["HOME"] = "/tmp"  # noqa: S108 - the only place that is promised to be writable
