"""Runner slots: each starts and ends one runner."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from model_server import preload
from model_server.orphans import ORPHANS

_STOP_SECONDS = 3.0
#: What a program writes is its own: another job's program is another user, or comes later.
_UMASK = 0o077


class Slot(Protocol):
    """A slot of a runner's client."""

    #: No other process has the runner's user.
    is_own_user: bool

    def start(self, connection: int) -> None:
        """Start a runner, connected by this descriptor."""

    def stop(self) -> None:
        """End the runner, if any, and what it left."""


class OwnSlot:
    """A slot whose runners are our children."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        user: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
        log: int | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            user: uid and gid of runner and program, theirs alone; needs root. None: our own.
            environment: beside our own.
            log: descriptor; None: our standard output.
        """
        self.is_own_user = user is not None
        self._command = command
        self._user = user
        self._environment = dict(environment or {})
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, connection: int) -> None:
        uid, gid = self._user if self._user is not None else (None, None)
        environment = {**os.environ, **self._environment}
        if self._command[0] == sys.executable:
            preload.keep(environment)
        with ORPHANS.guard:
            self.process = subprocess.Popen(
                [str(connection) if word == "{connection}" else word for word in self._command],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                env=environment,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
                umask=_UMASK,
                pass_fds=[connection],
            )
            ORPHANS.enter(self.process.pid)

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()  # then it removes what it has made
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._user is not None:
            end_all(self._user)
        ORPHANS.leave(process.pid)


def end_all(user: tuple[int, int]) -> None:
    """Kill a user's processes at once, so that none starts another; needs root."""
    status = int(signal.SIGKILL)
    while os.WIFSIGNALED(status):  # one of them was faster
        child = os.fork()
        if child == 0:
            try:
                become(user)
                os.kill(-1, signal.SIGKILL)  # whomever this user may, but not the caller
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)


def may(user: tuple[int, int], path: Path, right: int) -> bool:
    """Tell whether a user, without other groups, has a right (os.R_OK, ...); needs root."""
    uid, gid = user
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        return os.access(path, right, effective_ids=True)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def lend(folder: Path, user: tuple[int, int]) -> None:
    """Let a user write to a folder by group: what it owned would be taken for an old job's."""
    os.chown(folder, -1, user[1])
    folder.chmod(0o770)


def become(user: tuple[int, int]) -> None:
    """Become uid and gid `user` for good, without other groups; needs root.

    Raises:
        OSError: it may not, or there is no such user.
    """
    uid, gid = user
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
