"""Processes as the kernel tells of them, and what is asked of it."""

import ctypes
import errno
import io
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_runner import processes
from model_runner.hazards import descriptors
from model_runner.processes import Strays

from .conftest import Clock


class Kernel:
    """Processes, their children and sessions; the own one is number 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stat: dict[int, str] = {}
        self.children: dict[int, Any] = {}
        self.sessions: dict[int, Any] = {}
        self.killed: list[Any] = []
        self.on_kill: Any = lambda _pid: None
        self.refuses: dict[str, OSError] = {}
        self.slept: list[float] = []
        monkeypatch.setattr(os, "getpid", lambda: 1)
        monkeypatch.setattr(os, "listdir", self.listdir)
        monkeypatch.setattr("builtins.open", self.open)
        monkeypatch.setattr(os, "kill", lambda pid, number: self.kill(("kill", pid, int(number))))
        monkeypatch.setattr(os, "killpg", lambda pid, number: self.kill(("group", pid, int(number))))
        monkeypatch.setattr(os, "waitpid", lambda pid, options: self.kill(("wait", pid, options)))
        monkeypatch.setattr(os, "getsid", self.getsid)
        monkeypatch.setattr("time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def getsid(self, pid: int) -> int:
        found = self.sessions.get(pid, pid)
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    def kill(self, what: Any) -> None:
        if what[0] in self.refuses:
            raise self.refuses[what[0]]
        self.killed.append(what)
        self.on_kill(what)

    def listdir(self, path: str) -> list[str]:
        if path == "/proc":
            return [*map(str, self.stat), "self", "sys", "12x"]
        pid = int(path.split("/")[2])
        assert path == f"/proc/{pid}/task"
        if pid not in self.children:
            raise FileNotFoundError
        return [str(pid), str(pid + 1000)] if pid + 1000 in self.children else [str(pid)]

    def open(self, path: str, mode: str) -> io.BytesIO:
        assert mode == "rb"
        parts = path.split("/")
        pid = int(parts[2])
        if parts[3] == "stat":
            if self.stat[pid] == "gone":
                raise ProcessLookupError
            return io.BytesIO(self.stat[pid].encode())
        task = int(parts[4])
        assert parts == ["", "proc", str(pid), "task", str(task), "children"]
        if task not in self.children:
            raise FileNotFoundError
        return io.BytesIO(" ".join(map(str, self.children[task])).encode())


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def line(pid: int, parent: int, session: int, pages: int, name: str = "a (b) c") -> str:
    fields = ["S", parent, pid + 1, session, *range(100, 117), pages, 9, 9]
    return f"{pid} ({name}) " + " ".join(map(str, fields)) + "\n"


def test_processes_are_read_with_parent_session_and_memory(kernel: Kernel) -> None:
    kernel.stat = {1: line(1, 0, 1, 11), 22: line(22, 1, 22, 33, ") ("), 44: "gone", 55: "55 (x) Z 1"}
    assert processes.processes() == {1: (0, 1, 11), 22: (1, 22, 33)}


def test_the_children_of_all_threads_count_but_the_runner_has_one(kernel: Kernel) -> None:
    kernel.children = {1: [2, 3], 1001: [4], 5: [6], 1005: [7, 8]}
    assert processes.children(1) == [2, 3]
    assert processes.children(5) == [6, 7, 8]


def test_a_kernel_without_lists_of_children_is_asked_for_all_processes(kernel: Kernel) -> None:
    kernel.stat = {1: line(1, 0, 1, 1), 2: line(2, 1, 2, 1), 3: line(3, 2, 2, 1), 4: line(4, 1, 2, 1)}
    assert processes.children(1) == [2, 4]
    assert processes.children(2) == [3]


def test_the_memory_of_a_job_is_that_of_its_session_and_of_all_that_came_of_it(kernel: Kernel) -> None:
    tree = {
        1: (0, 1, 1), 9: (1, 9, 2),  # the runner, and a process that it knows
        50: (9, 50, 10), 51: (50, 50, 20), 52: (51, 60, 40),  # the session's leader, a child, one that left it
        53: (1, 70, 80),  # an orphan
        54: (53, 80, 160), 90: (0, 90, 320), 91: (90, 50, 640),
    }  # fmt: skip
    kernel.stat = {pid: line(pid, *of) for pid, of in tree.items()}
    page = os.sysconf("SC_PAGE_SIZE")
    assert processes.job_memory(50, (9,)) == (10 + 20 + 40 + 80 + 160 + 640) * page
    assert processes.job_memory(50, (9, 53)) == (10 + 20 + 40 + 640) * page
    assert processes.job_memory(77, (9, 53)) == 0


def test_orphans_are_killed_and_reaped_with_their_groups_until_none_is_left(kernel: Kernel, clock: Clock) -> None:
    kernel.children = {1: [5, 6, 7]}

    def gone(what: Any) -> None:
        if what[0] == "wait":
            kernel.children[1] = [
                pid for pid in (*kernel.children[1], *([8] if what[1] == 7 else [])) if pid != what[1]
            ]

    kernel.on_kill = gone
    processes.kill_orphans((6,))
    ends = [(("group", pid, 9), ("kill", pid, 9), ("wait", pid, os.WNOHANG)) for pid in (5, 7, 8)]
    assert kernel.killed == [step for steps in ends for step in steps]
    assert kernel.slept == [0.0005]
    kernel.children = {1: [6]}
    kernel.killed.clear()
    processes.kill_orphans((6,))
    assert kernel.killed == []


@pytest.mark.parametrize(
    ("step", "failure"),
    [
        ("group", ProcessLookupError()), ("group", PermissionError()), ("kill", ProcessLookupError()),
        ("kill", PermissionError()), ("wait", ChildProcessError()),
    ],
)  # fmt: skip
def test_what_cannot_be_killed_is_tried_for_some_seconds_ever_more_seldom(
    step: str, failure: OSError, kernel: Kernel, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.children, kernel.refuses = {1: [5]}, {step: failure}
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.now += 0.625

    monkeypatch.setattr("time.sleep", sleep)
    processes.kill_orphans(())
    assert pauses == [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05]


def test_strays_are_those_below_a_program_that_left_its_session(kernel: Kernel, clock: Clock) -> None:
    kernel.children = {1: [50], 50: [51, 52, 53], 51: [54], 52: [], 53: [], 54: [55], 55: []}
    kernel.sessions = {51: 50, 52: 52, 53: ProcessLookupError(), 54: 54, 55: 50}
    assert processes.kill_strays(50) is True
    assert sorted(kernel.killed) == [("kill", 52, 9), ("kill", 54, 9)]
    kernel.killed.clear()
    kernel.sessions = dict.fromkeys(kernel.children, 50)
    assert processes.kill_strays(50) is True
    assert kernel.killed == []
    kernel.children[50] = []
    assert processes.kill_strays(50) is False


def test_the_children_of_a_stray_are_orphans_then(kernel: Kernel, clock: Clock) -> None:
    kernel.children = {1: [50, 9], 50: [52], 52: [], 9: []}

    def gone(what: Any) -> None:
        if what == ("wait", 9, os.WNOHANG):
            kernel.children[1].remove(9)
        if what[:2] == ("kill", 52):
            kernel.children[1].append(60)
            kernel.children[50] = []
        if what[:2] == ("wait", 60):
            kernel.children[1].remove(60)

    kernel.on_kill = gone
    assert processes.kill_strays(50) is True
    assert [what[:2] for what in kernel.killed] == [
        *[(how, 9) for how in ("group", "kill", "wait")],
        ("kill", 52),
        *[(how, 60) for how in ("group", "kill", "wait")],
    ]


@pytest.mark.parametrize(
    ("newest", "left", "seconds", "looks"),
    [
        (b"2", False, 0.09375, False), (b"2", False, 0.125, True), (b"3", False, 0.0, True), (b"2", True, 0.0, True),
        (b"1", False, 0.0, True),
    ],
)  # fmt: skip
def test_it_is_looked_for_strays_where_there_may_be_one(
    newest: bytes, left: bool, seconds: float, looks: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [b"1"]
    looked: list[int] = []
    monkeypatch.setattr(processes, "kill_strays", lambda program: looked.append(program) or left)
    strays = Strays(lambda: told[0])
    told[0] = b"1" if newest == b"1" else b"2"
    assert strays.kill(50) is True
    told[0] = newest
    clock.now += seconds
    assert strays.kill(50) is looks
    assert looked == [50] * (1 + looks)


def test_the_newest_process_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    read = iter([b"0.1 0.2 0.3 1/200 4321\n", b"0.1 0.2 0.3 1/200 4322\n"])
    monkeypatch.setattr(os, "pread", lambda _descriptor, size, at: next(read) if (size, at) == (100, 0) else b"")
    number = processes.newest_process()
    assert [number(), number()] == [b"4321\n", b"4322\n"]
    (descriptor,) = [one.cell_contents for one in number.__closure__ or ()]  # type: ignore[attr-defined]
    assert Path(f"/proc/self/fd/{descriptor}").readlink() == Path("/proc/loadavg")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("how", ["another's", "none"])
def test_where_the_newest_is_not_told_it_always_differs(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    if how == "none":

        def refused(*_: object) -> int:
            raise FileNotFoundError

        monkeypatch.setattr(os, "open", refused)
    else:
        monkeypatch.setattr(os, "fstat", lambda _descriptor: SimpleNamespace(st_dev=-1))
    number = processes.newest_process()
    monkeypatch.undo()
    assert [number(), number(), number()] == [b"0", b"1", b"2"]
    assert descriptors() == before


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect what the kernel is asked by prctl, and the signals that are sent."""
    calls: list[Any] = []
    libc = SimpleNamespace(prctl=lambda *what: calls.append(("prctl", *what)))

    def loaded(name: object, use_errno: bool) -> SimpleNamespace:
        assert (name, use_errno) == (None, True)
        return libc

    monkeypatch.setattr(ctypes, "CDLL", loaded)
    monkeypatch.setattr(os, "kill", lambda *what: calls.append(("kill", *what)))
    monkeypatch.setattr(os, "getpid", lambda: 5)
    return calls


def test_a_process_is_signaled_when_its_parent_dies_or_has(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 4)
    processes.death_signal_setter(signal.SIGTERM, 4)()
    assert asked == [("prctl", 1, 15, 0, 0, 0)]
    processes.death_signal_setter(signal.SIGKILL, 3)()
    assert asked[1:] == [("prctl", 1, 9, 0, 0, 0), ("kill", 5, 9)]


def test_memory_is_hidden_and_orphans_adopted(asked: list[Any]) -> None:
    processes.hide_memory()
    processes.adopt_orphans()
    assert asked == [("prctl", 4, 0, 0, 0, 0), ("prctl", 36, 1, 0, 0, 0)]


@pytest.mark.parametrize("failure", [ImportError(), OSError(), AttributeError()])
def test_a_python_without_it_does_without(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(ctypes, "CDLL", failed)
    assert processes.find_prctl()(1, 2, 3) is None
    processes.hide_memory()


@pytest.mark.parametrize("failure", [None, ProcessLookupError(), PermissionError()])
def test_a_group_that_is_gone_or_anothers_is_passed_over(
    failure: OSError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[Any] = []

    def kill(*what: Any) -> None:
        killed.append(what)
        if failure:
            raise failure

    monkeypatch.setattr(os, "killpg", kill)
    processes.kill_group(7)
    assert killed == [(7, signal.SIGKILL)]


@pytest.mark.parametrize("found", [None, SimpleNamespace(si_pid=7)])
def test_an_end_is_seen_without_reaping(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def waited(*what: int) -> Any:
        assert what == (os.P_PID, 7, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found

    monkeypatch.setattr(os, "waitid", waited)
    assert processes.has_ended(7) is (found is not None)


def test_what_is_there_is_read_without_waiting() -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    try:
        assert processes.read_some(read) is None
        os.write(write, b"x" * 65_536)
        assert len(processes.read_some(read) or b"") == 65_536
    finally:
        os.close(write)
    assert processes.read_some(read) == b""
    os.close(read)
    with pytest.raises(OSError, match=r".") as raised:
        processes.read_some(read)
    assert raised.value.errno == errno.EBADF
