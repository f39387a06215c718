"""Processes: their end, memory and exit codes."""

import itertools
import os
import signal
import time
from typing import Callable, Collection, Dict, List, Optional, Set, Tuple

READ_BYTES = 65536
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
#: Until all that a job left is gone; a process that starts others faster than they are killed gets no further.
ORPHANS_SECONDS = 5.0
#: So long a look for strays counts for what the kernel tells without one.
FRESH_SECONDS = 0.1
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def death_signal_setter(signal_number: int, parent: int) -> Callable[[], object]:
    """Return a function that has its caller signaled when `parent` dies, or if it has."""
    prctl = find_prctl()

    def set_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal_number)

    return set_signal


def find_prctl() -> Callable[..., object]:
    """Return prctl, or a no-op: then the socket's end tells us."""
    try:
        import ctypes  # noqa: PLC0415 - some small Pythons lack it

        return ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        return lambda *_: None


def hide_memory() -> None:
    """Hide memory, environment and descriptors from this user's processes, until exec."""
    find_prctl()(PR_SET_DUMPABLE, 0, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants."""
    find_prctl()(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_orphans(known: Collection[int]) -> None:
    """Kill and reap this process's children but `known`, and what they started, in whatever session."""
    deadline = time.monotonic() + ORPHANS_SECONDS
    pause = 0.0005
    own = os.getpid()
    left = [pid for pid in children(own) if pid not in known]
    while left and time.monotonic() < deadline:
        for pid in left:
            kill_group(pid)
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError, PermissionError):
                pass
        left = [pid for pid in children(own) if pid not in known]
        if left:
            time.sleep(pause)
            pause = min(2 * pause, 0.05)


class Strays:
    """Processes of a program that lost their parent or left its session.

    To look costs a trivial job 5 % of its time. After a look that found none, it is left out while the container's
    newest process number stays (man 5 proc, /proc/loadavg). FRESH_SECONDS are too short to come round all numbers.
    """

    def __init__(self, number: Callable[[], bytes]) -> None:
        """Make this before the program starts."""
        self._number = number
        self._before = number()
        self._newest = b""
        self._fresh_until = 0.0

    def kill(self, program: int) -> bool:
        """Kill them; tell whether it had to look."""
        newest = self._number()
        now = time.monotonic()
        if now < self._fresh_until and newest == self._newest:
            return False
        # A kernel that does not tell of the program itself (gVisor) does not tell of others.
        if kill_strays(program) or newest == self._before:
            self._fresh_until = 0.0
        else:
            self._newest, self._fresh_until = newest, now + FRESH_SECONDS
        return True


def newest_process() -> Callable[[], bytes]:
    """Return a reader of the newest process's number; where none is told, it always differs."""
    try:
        descriptor = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        if os.fstat(descriptor).st_dev == os.stat("/proc/self").st_dev:  # not another's idea of it (lxcfs)
            return lambda: os.pread(descriptor, 100, 0).rpartition(b" ")[2]
        os.close(descriptor)
    except OSError:
        pass
    count = itertools.count()
    return lambda: b"%d" % next(count)


def kill_strays(program: int) -> bool:
    """Kill what session leader `program` let go; tell whether any process is below."""
    kill_orphans((program,))
    strays = []
    found = False
    rest = [program]
    while rest:
        for pid in children(rest.pop()):
            found = True
            rest.append(pid)
            try:
                if os.getsid(pid) != program:
                    os.kill(pid, signal.SIGKILL)
                    strays.append(pid)
            except (ProcessLookupError, PermissionError):
                pass
    if strays:
        kill_orphans((program,))  # their children are ours now
    return found


def children(parent: int) -> List[int]:
    """Return a process's children, unreaped ones too."""
    found = []  # type: List[int]
    tasks = "/proc/{}/task".format(parent)
    try:
        # A thread has the children that it started; this process has one.
        for task in [parent] if parent == os.getpid() else os.listdir(tasks):
            with open("{}/{}/children".format(tasks, task), "rb") as file:
                found += map(int, file.read().split())
        return found
    except OSError:  # it ended meanwhile, or this kernel does not know
        return [pid for pid, (above, _, _) in processes().items() if above == parent]


def processes() -> Dict[int, Tuple[int, int, int]]:
    """Return parent, session, resident pages by process (man 5 proc: ppid, session, rss)."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/{}/stat".format(name), "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                found[int(name)] = (int(fields[1]), int(fields[3]), int(fields[21]))
            except (OSError, IndexError):
                pass  # ended meanwhile
    return found


def has_ended(pid: int) -> bool:
    """Tell whether the child ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def read_some(descriptor: int) -> Optional[bytes]:
    """Return available bytes, b"" at the end, None if none yet."""
    try:
        return os.read(descriptor, READ_BYTES)
    except BlockingIOError:
        return None


def job_memory(leader: int, known: Collection[int]) -> int:
    """Return resident bytes of a job: session, descendants, adopted orphans that are not `known`."""
    found = processes()
    own = os.getpid()
    below = {}  # type: Dict[int, List[int]]
    for pid, (parent, _, _) in found.items():
        below.setdefault(parent, []).append(pid)
    rest = [pid for pid, (_, session, _) in found.items() if session == leader]
    rest += [pid for pid in below.get(own, []) if pid not in known]
    job = set()  # type: Set[int]
    while rest:
        pid = rest.pop()
        if pid not in job:
            job.add(pid)
            rest += below.get(pid, [])
    return sum(found[pid][2] for pid in job) * PAGE_BYTES


def failure_text(code: int, stderr_tail: bytes) -> str:
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
