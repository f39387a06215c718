"""Processes: their end, their memory, and what their end means."""

import os
import signal
from typing import Callable, Optional

READ_BYTES = 65536
PR_SET_PDEATHSIG = 1
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def death_signal_setter(signal_number: int, parent: int) -> Callable[[], object]:
    """Returns a function that asks the kernel to send `signal_number` to the caller when its parent dies.

    Args:
        parent: process number of the parent. If it is dead already, the signal is sent at once.
    """
    prctl: Callable[..., object] = lambda *_: None  # noqa: E731 - the end of the socket still tells us
    try:
        import ctypes  # noqa: PLC0415 - some small Pythons lack it

        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        pass

    def set_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal_number)

    return set_signal


def has_ended(pid: int) -> bool:
    """Tells whether the child `pid` has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill_group(pid: int) -> None:
    """Kills the process group `pid`; does nothing if there is none left."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def read_some(descriptor: int) -> Optional[bytes]:
    """Returns bytes that are there now, b"" at the end of the stream, None when there are none yet."""
    try:
        return os.read(descriptor, READ_BYTES)
    except BlockingIOError:
        return None


def session_memory(session: int) -> int:
    """The resident memory of all processes of a session, in bytes (man 5 proc: session, rss)."""
    pages = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/{}/stat".format(name), "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                if int(fields[3]) == session:
                    pages += int(fields[21])
            except (OSError, IndexError):
                pass  # ended meanwhile
    return pages * PAGE_BYTES


def failure_text(code: int, stderr_tail: bytes) -> str:
    """Returns the error text of a program that ended with `code` (negative: signal)."""
    text = stderr_tail.decode("utf-8", "replace").strip().replace("\x00", "")
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        hint = " (often: out of memory)" if -code == signal.SIGKILL else ""
        reason = "The program was killed by {}{}.".format(name, hint)
        return "{}\n{}".format(reason, text) if text else reason
    return text or "The program ended with exit code {} and wrote nothing to stderr.".format(code)
