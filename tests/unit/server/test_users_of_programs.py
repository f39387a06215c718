"""A runner starts and ends as its own user, by the right calls to the kernel; none of them is made here."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_server import preload, privileges, slots
from model_server.errors import StartError
from model_server.orphans import ORPHANS
from model_server.slots import OwnSlot

Calls = list[tuple[Any, ...]]


class LeftError(BaseException):
    """Stands for the end of a process."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Note the calls that change who a process is, and make none of them."""
    made: Calls = []
    for name in ("setgroups", "setegid", "seteuid", "setresgid", "setresuid", "chown", "kill"):
        monkeypatch.setattr(os, name, lambda *words, name=name: made.append((name, *words)))
    monkeypatch.setattr(os, "getgroups", lambda: [4, 5])

    class Library:
        """The C library, which is told only."""

        def prctl(self, *words: int) -> int:
            made.append(("prctl", *words))
            return 0

    monkeypatch.setattr(ctypes, "CDLL", lambda _name, use_errno: Library() if use_errno else None)
    return made


class Process:
    """A runner that does not end, or ends, when asked to."""

    pid = 4711

    def __init__(self, calls: Calls, is_stuck: bool) -> None:
        self._calls, self._is_stuck = calls, is_stuck

    def terminate(self) -> None:
        self._calls.append(("terminate",))

    def kill(self) -> None:
        self._calls.append(("kill",))
        self._is_stuck = False

    def wait(self, *seconds: float) -> int:
        self._calls.append(("wait", *seconds))
        if self._is_stuck:
            raise subprocess.TimeoutExpired("x", *seconds)
        return 0


@pytest.fixture
def started(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Note each runner that is started, and all that is said of it; start none."""

    def start(command: list[str], **options: Any) -> Process:
        assert ORPHANS.guard.locked()
        options["env"].pop("PYTEST_CURRENT_TEST")
        calls.append(("start", command, options))
        return Process(calls, is_stuck=False)

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(slots, "end_all", lambda user: calls.append(("end all", user)))
    monkeypatch.setattr(ORPHANS, "enter", lambda pid: calls.append(("enter", pid, ORPHANS.guard.locked())))
    monkeypatch.setattr(ORPHANS, "leave", lambda pid: calls.append(("leave", pid)))
    monkeypatch.setattr(os, "environ", {"A": "1", "LD_PRELOAD": "x.so"})
    return calls


def test_a_runner_of_our_own_user_is_started_with_our_environment(started: Calls) -> None:
    slot = OwnSlot(["run", "{connection}", "x{connection}"])
    slot.start(7)
    slot.stop()
    slot.stop()
    options = {
        "stdin": subprocess.DEVNULL,
        "stdout": None,
        "env": {"A": "1", "LD_PRELOAD": "x.so"},
        "user": None,
        "group": None,
        "extra_groups": None,
        "umask": 0o077,
        "pass_fds": [7],
    }
    assert (slot.is_own_user, slot.process) == (False, None)
    assert started == [
        ("start", ["run", "7", "x{connection}"], options),
        *(("enter", 4711, True), ("terminate",), ("wait", 3.0), ("leave", 4711)),
    ]


def test_a_runner_of_another_user_is_ended_with_all_of_that_user(started: Calls) -> None:
    slot = OwnSlot([sys.executable], user=(30, 40), environment={"B": "2"}, log=5)
    slot.start(7)
    slot.process = Process(started, is_stuck=True)  # type: ignore[assignment]
    slot.stop()
    options = {
        "stdin": subprocess.DEVNULL,
        "stdout": 5,
        "env": {"A": "1", "B": "2", "MODEL_LD_PRELOAD": "x.so"},
        "user": 30,
        "group": 40,
        "extra_groups": [],
        "umask": 0o077,
        "pass_fds": [7],
    }
    assert slot.is_own_user is True
    assert started == [
        *(("start", [sys.executable], options), ("enter", 4711, True)),
        *(("terminate",), ("wait", 3.0), ("kill",), ("wait",), ("end all", (30, 40)), ("leave", 4711)),
    ]


def test_all_of_a_user_are_ended_by_a_process_of_that_user(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(code: int) -> None:
        calls.append(("exit", code))
        raise LeftError

    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(LeftError):
        slots.end_all((30, 40))
    become: Calls = [("setgroups", []), ("setresgid", 40, 40, 40), ("setresuid", 30, 30, 30)]
    assert calls == [*become, ("kill", -1, signal.SIGKILL), ("exit", 0)]
    calls.clear()
    monkeypatch.setattr(os, "setresgid", lambda *_: (_ for _ in ()).throw(PermissionError))
    with pytest.raises(LeftError):
        slots.end_all((30, 40))
    assert calls == [("setgroups", []), ("exit", 0)]


def test_one_that_was_killed_by_another_of_its_user_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    children, ended = iter((11, 12, 13)), {11: 9, 12: 9, 13: 0}
    waited: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fork", lambda: next(children))
    monkeypatch.setattr(os, "waitpid", lambda pid, options: waited.append((pid, options)) or (pid, ended[pid]))
    slots.end_all((30, 40))
    assert waited == [(11, 0), (12, 0), (13, 0)]


@pytest.mark.parametrize("right", [True, False])
def test_a_right_is_asked_for_as_that_user_and_we_are_ourselves_again(
    calls: Calls, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def access(path: Path, mode: int, *, effective_ids: bool) -> bool:
        calls.append(("access", path, mode, effective_ids))
        return right

    monkeypatch.setattr(os, "access", access)
    assert slots.may((30, 40), Path("/x"), os.R_OK) is right
    assert calls == [
        *(("setgroups", []), ("setegid", 40), ("seteuid", 30), ("access", Path("/x"), os.R_OK, True)),
        *(("seteuid", 0), ("setegid", 0), ("setgroups", [4, 5])),
    ]


def test_a_folder_is_lent_by_its_group(calls: Calls, tmp_path: Path) -> None:
    slots.lend(tmp_path, (30, 40))
    assert calls == [("chown", tmp_path, -1, 40)]
    assert tmp_path.stat().st_mode & 0o7777 == 0o770


HARDENED: Calls = [("prctl", 38, 1, 0, 0, 0), ("prctl", 4, 0, 0, 0, 0)]


def test_a_process_dies_with_its_parent(calls: Calls) -> None:
    privileges.die_with_parent()
    assert calls == [("prctl", 1, 9, 0, 0, 0)]


@pytest.mark.parametrize("me", [0, 5])
def test_root_becomes_the_user_and_anyone_is_hardened(calls: Calls, me: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: me)
    monkeypatch.setattr(os, "access", lambda path, right: (path, right) == (sys.executable, os.X_OK))
    privileges.drop((30, 40))
    become: Calls = [("setgroups", []), ("setresgid", 40, 40, 40), ("setresuid", 30, 30, 30)]
    assert calls == [*([] if me else become), *HARDENED]


def test_root_that_may_not_become_a_user_says_what_is_needed(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def refuse(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setresuid", refuse)
    with pytest.raises(StartError) as caught:
        privileges.drop((30, 40))
    assert str(caught.value) == (
        "root of this container cannot become user 30:40: Operation not permitted; leave it the "
        "capabilities SETUID and SETGID, or start the container as an ordinary user (--user)"
    )
    assert ("prctl", 38, 1, 0, 0, 0) not in calls


def test_a_user_that_cannot_run_the_server_is_told(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Calls = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "access", lambda *words: asked.append(words))
    with pytest.raises(StartError) as caught:
        privileges.drop((30, 40))
    assert str(caught.value) == (
        f"user 30 cannot run the server at {sys.executable}; "
        "start the server as an ordinary user, or name one that can by MODEL_SERVER_USER=uid:gid"
    )
    assert asked == [(sys.executable, os.X_OK)]
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ({}, {}, {}),
        ({"LD_PRELOAD": ""}, {}, {}),
        ({"LD_PRELOAD": "a"}, {"LD_PRELOAD": "a"}, {"MODEL_LD_PRELOAD": "a"}),
        ({"MODEL_LD_PRELOAD": "b"}, {"LD_PRELOAD": "b"}, {"MODEL_LD_PRELOAD": "b"}),
        ({"MODEL_LD_PRELOAD": "b", "LD_PRELOAD": "a"}, {"LD_PRELOAD": "b"}, {"MODEL_LD_PRELOAD": "b"}),
        ({"MODEL_LD_PRELOAD": ""}, {}, {}),
    ],
)
def test_a_library_to_be_loaded_first_is_the_programs_alone(
    before: dict[str, str], after: dict[str, str], kept: dict[str, str]
) -> None:
    given = {**before, "X": "x"}
    preload.release(given)
    assert given == {**after, "X": "x"}
    preload.keep(given)
    assert given == {**kept, "X": "x"}
