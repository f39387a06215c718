"""The fork server, step by step: what it prepares, what a child does before and after the script, what is reported."""

import ctypes
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_runner import fork_server
from model_runner.fork_server import ForkServer
from model_runner.process_state import Recorder

from .conftest import descriptors

WANTED = {"script": "src/main.py", "words": ["python3", "-u"], "imports": ["csv"], "check": True}


class World:
    """Notes what is done; parts of the process that a test must not touch are fakes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[Any] = []
        self.monkeypatch = monkeypatch
        self.hazards: dict[str, Any] = {}
        self.generators = 0
        self.code: Any = 0
        self.is_written = True
        world = self

        class Generators:
            def __init__(self) -> None:
                world.generators += 1
                self.number = world.generators

            def hazard(self) -> Any:
                return world.hazards.get("generators")

            def reseed(self) -> None:
                world.done.append(f"reseed {self.number}")

        class Watch:
            def __init__(self, path: str) -> None:
                world.done.append(f"watch {path}")

            def stop(self) -> None:
                world.done.append("stop")

            def hazard(self) -> Any:
                return world.hazards.get("watch")

        monkeypatch.setattr(fork_server.generators, "Generators", Generators)
        monkeypatch.setattr(fork_server, "Watch", Watch)
        self.fake(fork_server.script, "load", "code")
        self.fake(fork_server.script, "run", lambda _code: self.code)
        self.fake(fork_server.script, "finish", lambda _local: self.is_written)
        self.fake(fork_server.script, "imported", (["local"], ["json", "csv"]))
        monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
        monkeypatch.setattr(sys, "path", ["/a", "/b"])
        monkeypatch.setattr(sys, "argv", ["x"])
        monkeypatch.setattr(sys, "orig_argv", ["y"])

    def fake(self, module: Any, name: str, result: Any = None) -> None:
        def called(*given: Any) -> Any:
            self.done.append((name, *given))
            return result(*given) if callable(result) else result

        self.monkeypatch.setattr(module, name, called)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize(
    ("check", "hazards", "hazard"),
    [
        (True, {}, None),
        (True, {"watch": "w"}, "w"),
        (True, {"watch": "w", "generators": "g"}, "g"),
        (True, {"watch": "w", "generators": "g", "state": "s"}, "s"),
        (False, {"watch": "w", "generators": "g", "state": "s"}, None),
    ],
)
def test_imports_are_watched_and_recorded_and_their_hazard_told(
    check: bool, hazards: dict[str, str], hazard: str | None, world: World, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "main.py").symlink_to("real/main.py")
    finders = list(sys.meta_path)
    world.hazards = hazards
    seen: list[Any] = []

    def preload(imports: Any) -> None:
        seen.append((imports, list(sys.meta_path[1:]) == finders, type(sys.meta_path[0])))
        seen.append(sys.meta_path[0])
        sys.modules["preloaded by the test"] = sys

    def difference(imports: Any, recorder: Any) -> Any:
        assert recorder is seen[1]
        assert imports == ["csv"]
        return hazards.get("state")

    world.monkeypatch.setattr(fork_server, "preload", preload)
    world.monkeypatch.setattr(fork_server.process_state, "difference", difference)
    server = ForkServer({**WANTED, "script": str(tmp_path / "main.py")})
    try:
        assert server.prepare(["csv"], check) == hazard
        assert "preloaded by the test" in server._preloaded
    finally:
        del sys.modules["preloaded by the test"]
    assert seen[0] == (["csv"], True, Recorder)
    assert seen[1]._folder == str(tmp_path / "real")
    assert sys.meta_path == finders
    assert world.done == [("load", str(tmp_path / "main.py")), f"watch {tmp_path}/main.py", "stop"]
    assert world.generators == 2  # those of before the imports do not count


class Fork:
    """A fork whose other side does not run."""

    def __init__(self, world: World, pid: int) -> None:
        self.world = world
        self.ours, self.runner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.runner.settimeout(5)
        self.outputs = [os.open("/dev/null", os.O_WRONLY) for _ in range(2)]
        self.pipe = os.pipe()
        self.status = 0
        self.report = b""
        world.monkeypatch.setattr(os, "pipe", lambda: self.pipe)
        world.monkeypatch.setattr(os, "fork", lambda: world.done.append("fork") or self.forked() or pid)
        world.monkeypatch.setattr(os, "waitid", lambda *what: world.done.append(("waitid", *what)))
        world.monkeypatch.setattr(
            os, "waitpid", lambda *what: world.done.append(("waitpid", *what)) or (pid, self.status)
        )
        world.fake(fork_server.script, "flush")

    def forked(self) -> None:
        os.write(self.pipe[1], b"\n" + self.report)

    def heard(self) -> list[Any]:
        self.ours.close()
        return [json.loads(data) for data in iter(lambda: self.runner.recv(100_000), b"")]


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3 << 8, 3), (255 << 8, 255), (9, -9), (11 | 0x80, -11)])
def test_the_server_tells_of_a_job_and_reaps_it_when_it_may(status: int, code: int, world: World) -> None:
    server, fork = ForkServer(WANTED), Fork(world, 77)
    fork.status, fork.report = status, b'["a", {"b": 1}]'
    fork.runner.sendall(b'{"reap": true}')
    server.fork({"argv": []}, fork.outputs, lambda: None, fork.ours)
    assert fork.heard() == [{"pid": 77}, {"ended": True}, {"exit": code, "imports": ["a", {"b": 1}]}]
    assert world.done[1:] == [
        ("flush", sys.stdout), ("flush", sys.stderr), "fork",
        ("waitid", os.P_PID, 77, os.WEXITED | os.WNOWAIT), ("waitpid", 77, 0),
    ]  # fmt: skip
    numbers = {number for number, _ in descriptors()}
    assert not numbers & {*fork.outputs, *fork.pipe}
    fork.runner.close()


class ExitError(BaseException):
    """The end of a child."""


@pytest.mark.parametrize("fails", [False, True])
def test_a_child_has_a_session_and_is_tied_before_it_is_told_of(fails: bool, world: World) -> None:
    def ended(code: int) -> None:
        world.done.append(("exit", code))
        raise ExitError

    def run(request: Any, outputs: Any, report: int) -> int:
        assert os.read(world_pipe, 10) == b"\n"
        world.done.append(("run", request, outputs, report))
        if fails:
            raise ZeroDivisionError
        return 7

    server, fork = ForkServer(WANTED), Fork(world, 0)
    fork.forked = lambda: None  # type: ignore[method-assign]
    world_pipe = os.dup(fork.pipe[0])
    world.fake(os, "setsid")
    world.monkeypatch.setattr(os, "_exit", ended)
    server._run = run  # type: ignore[method-assign]
    with pytest.raises(ExitError):
        server.fork({"argv": []}, fork.outputs, lambda: world.done.append("tie"), fork.ours)
    assert world.done[4:] == [
        ("setsid",),
        "tie",
        ("run", {"argv": []}, fork.outputs, fork.pipe[1]),
        ("exit", 1 if fails else 7),
    ]
    assert fork.ours.fileno() == -1
    assert fork.pipe[0] not in {number for number, _ in descriptors()}
    for number in (*fork.outputs, fork.pipe[1], world_pipe):
        os.close(number)
    fork.runner.close()


@pytest.fixture
def report() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("tell", [True, False])
def test_a_job_sees_what_a_script_sees_and_reports_what_it_imported(
    tell: bool, world: World, report: tuple[int, int]
) -> None:
    finders = list(sys.meta_path)
    seen: list[Any] = []

    def run(code: str) -> int:
        seen.extend((code, sys.argv, sys.orig_argv, list(sys.path), list(sys.meta_path)))
        return 3

    def told(names: Any, recorder: Any, most: int) -> list[Any]:
        assert (names, most) == (["json", "csv"], 60_000)
        assert recorder is sys.meta_path[0]
        return ["json"]

    world.fake(os, "dup2")
    world.fake(os, "close")
    world.monkeypatch.setattr(fork_server.script, "run", run)
    world.monkeypatch.setattr(fork_server.process_state, "tell", told)
    server = ForkServer(WANTED)
    server._preloaded = {"sys"}
    assert server._run({"argv": ["a", "b"], "tell": tell}, [31, 32], report[1]) == 3
    world.monkeypatch.undo()
    folder = str(Path("src").resolve())
    assert world.done[1:] == [
        ("dup2", 31, 1), ("close", 31), ("dup2", 32, 2), ("close", 32), "reseed 1",
        ("imported", {"sys"}, folder), ("finish", ["local"]),
    ]  # fmt: skip
    argv = ["src/main.py", "a", "b"]
    assert seen[:4] == ["code", argv, ["python3", "-u", *argv], [folder, "/a", "/b"]]
    if tell:
        assert isinstance(seen[4][0], Recorder)
        assert seen[4][0]._folder == folder
    assert seen[4][tell:] == finders
    os.set_blocking(report[0], False)
    assert fork_server.read_all(report[0]) == (b'["json"]' if tell else b"")


def test_lost_output_is_exit_code_120_and_a_closed_report_nothing(world: World, report: tuple[int, int]) -> None:
    world.fake(os, "dup2")
    world.monkeypatch.setattr(fork_server.process_state, "tell", lambda *_: [])
    server = ForkServer(WANTED)
    world.is_written = False
    closed = os.dup(report[1])
    os.close(closed)
    assert server._run({"argv": [], "tell": True}, [], closed) == 120


@pytest.mark.parametrize("flag", ["isolated", "safe_path"])
def test_an_isolated_python_does_not_look_beside_the_script(flag: str, world: World, report: tuple[int, int]) -> None:
    world.monkeypatch.setattr(sys, "flags", SimpleNamespace(**{"isolated": 0, "safe_path": False, flag: 1}))
    server = ForkServer(WANTED)
    server._run({"argv": [], "tell": False}, [], report[1])
    assert sys.path == ["/a", "/b"]


def test_an_old_python_has_neither_words_nor_a_safe_path(world: World, report: tuple[int, int]) -> None:
    world.monkeypatch.delattr(sys, "orig_argv")
    world.monkeypatch.setattr(sys, "flags", SimpleNamespace(isolated=0))
    server = ForkServer(WANTED)
    server._run({"argv": ["a"], "tell": False}, [], report[1])
    assert not hasattr(sys, "orig_argv")
    assert sys.path == [str(Path("src").resolve()), "/a", "/b"]


@pytest.mark.parametrize("parent", [5, 6])
def test_the_server_is_closed_to_others_and_its_children_are_open_and_die_with_it(
    parent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def loaded(name: object, use_errno: bool) -> Any:
        assert (name, use_errno) == (None, True)
        return SimpleNamespace(prctl=lambda *what: asked.append(what))

    monkeypatch.setattr(ctypes, "CDLL", loaded)
    monkeypatch.setattr(os, "getpid", lambda: 5)
    monkeypatch.setattr(os, "getppid", lambda: parent)
    monkeypatch.setattr(os, "kill", lambda *what: asked.append(("kill", *what)))
    tie = fork_server.hide()
    assert asked == [(4, 0, 0, 0, 0)]
    tie()
    assert asked[1:] == [(4, 1, 0, 0, 0), (1, 9, 0, 0, 0), *([("kill", 5, signal.SIGKILL)] if parent == 6 else [])]


@pytest.mark.parametrize("failure", [ImportError(), OSError(), AttributeError()])
def test_a_python_that_cannot_close_itself_goes_on(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(ctypes, "CDLL", failed)
    monkeypatch.setattr(os, "getppid", os.getpid)
    fork_server.hide()()


@pytest.mark.parametrize("can_freeze", [True, False])
def test_jobs_are_served_until_the_runner_is_gone(can_freeze: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []

    class Server:
        def __init__(self, wanted: Any) -> None:
            done.append(wanted)

        def prepare(self, imports: Any, is_checked: bool) -> str:
            done.append((imports, is_checked))
            return "it is so"

        def fork(self, request: Any, outputs: Any, tie: Any, channel: Any) -> None:
            done.append((request, outputs, tie, channel))

    monkeypatch.setattr(fork_server, "ForkServer", Server)
    monkeypatch.setattr(fork_server, "hide", lambda: "tie")
    monkeypatch.setattr(gc, "collect", lambda: done.append("collect"))
    if can_freeze:
        monkeypatch.setattr(gc, "freeze", lambda: done.append("freeze"))
    else:
        monkeypatch.delattr(gc, "freeze")
    ours, runner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, runner:
        for message in (WANTED, {"argv": ["a"]}, {"argv": ["b"]}):
            fork_server.send(runner, **message)
        runner.shutdown(socket.SHUT_WR)
        with pytest.raises(EOFError):
            fork_server.main(ours)
        heard = [json.loads(runner.recv(10_000)) for _ in range(2)]
        jobs = [({"argv": [word]}, [], "tie", ours) for word in "ab"]
    assert heard == [{"hidden": True}, {"ready": len(sys.modules), "hazard": "it is so"}]
    assert done == [WANTED, (["csv"], True), "collect", *(["freeze"] if can_freeze else []), *jobs]
