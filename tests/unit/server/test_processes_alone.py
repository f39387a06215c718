"""The parent of a server's processes, by what it is told: whom it starts, whom it stops, and how it ends."""

import os
import signal
from typing import Any

import pytest

from model_server import privileges, processes
from model_server.processes import Place

READY, CHILD, TERM, INT = signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT
ALL = {READY, CHILD, TERM, INT}


class Sibling:
    """A process among others."""

    def __init__(self, number: int) -> None:
        self.number = number


class Kernel:
    """Starts no process; says which ended, and which signal came."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        #: Each a signal, with the children that have ended by then and their wait status.
        self.course: list[tuple[signal.Signals, dict[int, int]]] = []
        self.ended: dict[int, int] = {}
        self.children = 100
        self.is_child_at: int | None = None
        monkeypatch.setattr(os, "fork", self.fork)
        monkeypatch.setattr(os, "kill", lambda pid, number: self.calls.append(("kill", pid, number)))
        monkeypatch.setattr(os, "waitpid", self.wait)
        monkeypatch.setattr(os, "getppid", lambda: 99)
        monkeypatch.setattr(signal, "pthread_sigmask", lambda how, which: self.calls.append((how, set(which))))
        monkeypatch.setattr(signal, "sigwait", self.sigwait)
        monkeypatch.setattr(privileges, "die_with_parent", lambda: self.calls.append("dies with parent"))

    def fork(self) -> int:
        self.children += 1
        self.calls.append(("fork", self.children))
        return 0 if self.children == self.is_child_at else self.children

    def wait(self, pid: int, options: int) -> tuple[int, int]:
        assert options == os.WNOHANG
        return (pid, self.ended.pop(pid)) if pid in self.ended else (0, 0)

    def sigwait(self, which: Any) -> signal.Signals:
        assert set(which) == ALL
        received, ended = self.course.pop(0)
        self.ended |= ended
        return received

    def place(self, number: int) -> Any:
        class End:
            """A socket or a launcher."""

            def __init__(self, name: str) -> None:
                self.name = name

            def close(end: "End") -> None:  # noqa: N805 - `self` is the kernel
                self.calls.append(("close", end.name))

        return Place(Sibling(number), End(f"listener {number}"), End(f"launcher {number}"))  # type: ignore[arg-type]


def closed(number: int) -> list[Any]:
    return [("close", f"listener {number}"), ("close", f"launcher {number}")]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


BLOCK, UNBLOCK = (signal.SIG_BLOCK, ALL), (signal.SIG_UNBLOCK, ALL)


def serve(kernel: Kernel, count: int) -> int:
    places = [kernel.place(number) for number in range(count)]
    return processes.run(places, lambda place: kernel.calls.append(f"serves {place.siblings.number}") or 5)  # type: ignore[func-returns-value]


def test_one_process_needs_no_parent(kernel: Kernel) -> None:
    assert serve(kernel, 1) == 5
    assert kernel.calls == ["serves 0"]


def test_each_begins_when_the_one_before_is_ready_and_all_stop_together(
    kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.course = [(CHILD, {}), (READY, {}), (READY, {}), (TERM, {}), (INT, {}), (CHILD, {101: 0}), (CHILD, {102: 0})]
    assert serve(kernel, 2) == 0
    assert kernel.calls == [
        *(BLOCK, ("fork", 101), *closed(0), ("fork", 102), *closed(1)),
        *(("kill", 101, TERM), ("kill", 102, TERM)),
    ]
    assert caplog.messages == []
    assert kernel.course == []


@pytest.mark.parametrize("word", [TERM, INT])
def test_one_that_is_told_to_stop_starts_no_other(kernel: Kernel, word: signal.Signals) -> None:
    kernel.course = [(word, {}), (READY, {}), (CHILD, {101: 0})]
    assert serve(kernel, 2) == 0
    assert kernel.calls == [BLOCK, ("fork", 101), *closed(0), ("kill", 101, TERM)]


@pytest.mark.parametrize(
    ("number", "status", "code", "how"),
    [(1, 9, 137, "by SIGKILL"), (2, 9, 137, "by SIGKILL"), (1, 3 << 8, 3, "with code 3"), (2, 0, 0, "with code 0")],
)
def test_the_end_of_one_is_the_end_of_all(
    kernel: Kernel, number: int, status: int, code: int, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = {1: 102, 2: 101}[number]
    kernel.course = [(READY, {}), (CHILD, {100 + number: status}), (CHILD, {other: 7 << 8})]
    assert serve(kernel, 2) == (code or 7)
    assert kernel.calls[-1] == ("kill", other, TERM)
    assert caplog.messages == [f"process {number} of 2 of this server ended {how}: all stop"]


def test_one_that_ends_in_its_start_has_said_why(kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    kernel.course = [(CHILD, {101: 1 << 8})]
    assert serve(kernel, 2) == 1
    assert caplog.messages == []
    assert kernel.calls == [BLOCK, ("fork", 101), *closed(0)]
    kernel.children, kernel.course = 100, [(CHILD, {101: 11})]
    assert serve(kernel, 2) == 139
    assert caplog.messages == ["process 1 of 2 of this server ended by SIGSEGV: all stop"]


def test_a_process_serves_its_place_and_leaves_those_of_others(kernel: Kernel) -> None:
    kernel.is_child_at, kernel.course = 102, [(READY, {})]
    assert serve(kernel, 3) == 5
    assert kernel.calls == [
        *(BLOCK, ("fork", 101), *closed(0), ("fork", 102), UNBLOCK, "dies with parent", *closed(2), "serves 1")
    ]


def test_a_place_without_a_launcher_is_closed_too(kernel: Kernel) -> None:
    place = kernel.place(0)
    Place(place.siblings, place.listener, None).close()
    assert kernel.calls == [("close", "listener 0")]


def test_a_process_tells_its_parent(kernel: Kernel) -> None:
    processes.tell_ready()
    processes.stop_all()
    assert kernel.calls == [("kill", 99, READY), ("kill", 99, TERM)]
