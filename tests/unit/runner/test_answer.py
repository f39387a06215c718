"""A request and its reply, and the life of a runner between its first message and its end."""

import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_runner import runner
from model_runner.choice import Choice
from model_runner.kept import KeptMode

from .conftest import Clock, tree


class Room:
    """Notes what is asked of it."""

    def __init__(self, done: list[Any], place: Any = None) -> None:
        self.done, self.home = done, "/home/job"
        done.append(("room", place))

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.done.append((name, *arguments))


class Mode:
    """Writes an output, or fails; `content` is what it finds as its input."""

    name = "fake"

    def __init__(self, done: list[Any], output: bytes | None = b"out", ended: Any = (0, None)) -> None:
        self.done, self.output, self.ended = done, output, ended

    def run(self, request: dict[str, Any]) -> tuple[int | None, str | None]:
        self.done.append(("run", Path(request["input"]).read_bytes()))
        if self.output is not None:
            Path(request["output"]).write_bytes(self.output)
        return self.ended

    def attend(self) -> None:
        self.done.append(("attend",))

    def stop(self) -> None:
        self.done.append(("stop",))


@pytest.fixture
def done() -> list[Any]:
    return []


def asked(folder: Path, **changes: Any) -> dict[str, Any]:
    return {"job": 'j"1', "input": f"{folder}/in", "output": f"{folder}/out", "timeout": 5, **changes}


def replied(data: bytes) -> tuple[dict[str, Any], bytes]:
    line, _, content = data.partition(b"\n")
    return json.loads(line), content


COMPLETE = {
    "job": 'j"1',
    "status": "complete",
    "exit": 0,
    "error": None,
    "seconds": 1.5,
    "errno": None,
    "content": None,
}


@pytest.mark.parametrize(
    ("given", "small", "output", "ended", "changes", "content", "left"),
    [
        (b"in", 3, b"out", (0, None), {"content": 3}, b"out", {}),
        (b"in", 3, b"", (0, None), {"content": 0}, b"", {}),
        (b"in", 2, b"out", (0, None), {}, b"", {"out": "out"}),
        (b"in", 0, b"out", (None, None), {"exit": None}, b"", {"out": "out"}),
        (b"", 3, b"out", (0, None), {"content": 3}, b"out", {}),
        (None, 3, b"out", (0, None), {"content": 3}, b"out", {"in": "old"}),
        (None, None, b"out", (0, None), {}, b"", {"in": "old", "out": "out"}),
        (b"in", 3, b"out", (-9, 'no "good"'), {"status": "error", "exit": -9, "error": 'no "good"'}, b"",
         {"out": "out"}),
        (b"in", 3, None, (0, None),
         {"status": "error", "error": "The program's output cannot be kept: No such file or directory."}, b"", {}),
        (b"in", None, None, (0, None),
         {"status": "error", "error": "The program's output cannot be kept: No such file or directory."}, b"", {}),
    ],
)  # fmt: skip
def test_a_job_is_answered_with_its_end_and_a_small_output(
    given: bytes | None,
    small: int | None,
    output: bytes | None,
    ended: Any,
    changes: dict[str, Any],
    content: bytes,
    left: dict[str, str],
    tmp_path: Path,
    done: list[Any],
    clock: Clock,
) -> None:
    if given is None:
        (tmp_path / "in").write_text("old", encoding="utf-8")
    mode: Any = Mode(done, output, ended)
    run = mode.run
    mode.run = lambda request: (setattr(clock, "now", clock.now + 1.5), run(request))[1]
    room: Any = Room(done)
    request = asked(tmp_path) if small is None else asked(tmp_path, small_bytes=small)
    assert replied(runner.answer(mode, room, request, given)) == ({**COMPLETE, **changes}, content)
    assert done[1:] == [("run", b"old" if given is None else given), ("clear", f"{tmp_path}/out")]
    assert tree(tmp_path) == left
    if "out" in left and changes.get("status") != "error":
        assert (tmp_path / "out").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("failure", "number"),
    [(OSError(errno.ENOSPC, "x"), errno.ENOSPC), (OSError("x"), errno.EIO)],
)
def test_an_input_that_cannot_be_written_refuses_the_job_and_goes(
    failure: OSError, number: int, tmp_path: Path, done: list[Any], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    def failed(path: str, content: bytes) -> None:
        Path(path).write_bytes(content[:1])
        clock.now += 1.5
        raise failure

    monkeypatch.setattr(runner, "write_input", failed)
    mode: Any = Mode(done)
    found = runner.answer(mode, Room([]), asked(tmp_path), b"in")  # type: ignore[arg-type]
    assert replied(found) == ({**COMPLETE, "status": "refused", "exit": None, "errno": number}, b"")
    assert done == []
    assert tree(tmp_path) == {}


class Pieces:
    """A connection that says its pieces, one at each read, and then that it is gone."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.sent = list(pieces), b""

    def recv(self, size: int) -> bytes:
        assert size == 65_536
        return self.pieces.pop(0) if self.pieces else b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


@pytest.mark.parametrize(
    ("pieces", "request_", "content"),
    [
        ([b'{"a": 1}\n'], {"a": 1}, None),
        ([b'{"a"', b': "\xc3', b'\xa9"}', b"\n"], {"a": "é"}, None),
        ([b'{"content": null}\n'], {"content": None}, None),
        ([b'{"content": 0}\n'], {"content": 0}, b""),
        ([b'{"content": 4}\na', b"b\n", b"c"], {"content": 4}, b"ab\nc"),
        ([b'{"content": 2}\n\n\n'], {"content": 2}, b"\n\n"),
    ],
)
def test_a_request_is_received_however_it_is_cut(
    pieces: list[bytes], request_: dict[str, Any], content: bytes | None
) -> None:
    connection: Any = Pieces(*pieces)
    assert runner.receive(connection) == (request_, content)
    assert connection.pieces == []


@pytest.mark.parametrize("pieces", [[], [b"{"], [b'{"content": 4}\nabc']])
def test_a_server_that_is_gone_is_an_end(pieces: list[bytes]) -> None:
    connection: Any = Pieces(*pieces)
    with pytest.raises(EOFError, match="the server is gone"):
        runner.receive(connection)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """Collect the signal handlers that are set; the tests' own process gets none."""
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    return handlers


@pytest.mark.parametrize(("kept", "failure"), [(False, None), (True, None), (False, ConnectionResetError())])
def test_jobs_are_served_until_the_server_is_gone_and_then_all_ends(
    kept: bool,
    failure: Exception | None,
    tmp_path: Path,
    done: list[Any],
    signals: dict[int, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Kept(Mode, KeptMode):
        """A program that goes on."""

        __init__ = Mode.__init__  # type: ignore[assignment]
        _launch: Any = None

    line = json.dumps(asked(tmp_path, content=2)).encode() + b"\n"
    connection: Any = Pieces(line + b"in", line + b"i2")
    if failure is not None:

        def sendall(data: bytes) -> None:
            connection.sent += data
            if len(connection.pieces) == 0:
                raise failure

        connection.sendall = sendall
    monkeypatch.setattr(runner, "kill_orphans", lambda known: done.append(("kill", known)))
    room: Any = Room(done)
    mode: Any = (Kept if kept else Mode)(done)
    runner.serve(connection, mode, room)
    jobs: list[Any] = []
    for content in (b"in", b"i2"):
        jobs += [("attend",), ("run", content), ("clear", f"{tmp_path}/out"), *([] if kept else [("renew",)])]
    ends = [("stop",), ("kill", ()), ("leave",)]
    assert done[1:] == [*(jobs[:-1] if failure else [*jobs, ("attend",)]), *ends]
    assert [json.loads(line)["status"] for line in connection.sent.splitlines()] == ["complete"] * 2
    assert signals == {signal.SIGTERM: signal.SIG_IGN}


class Started:
    """A runner that is started with a server's first message."""

    def __init__(self, folder: Path, done: list[Any], signals: dict[int, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.done, self.signals = folder, done, signals
        self.server, self.theirs = socket.socketpair()
        self.said: list[str] = []
        self.mode: Any = Mode(done)
        self.reason = ""
        self.failure: Exception | None = None
        for name in ("hide_memory", "adopt_orphans", "kill_orphans", "serve", "lower_priority", "confine"):
            monkeypatch.setattr(runner, name, lambda *given, name=name: done.append((name, *given)))
        monkeypatch.setattr(runner, "death_signal_setter", lambda *given: lambda: done.append(("death", *given)))
        monkeypatch.setattr(runner, "log", self.said.append)
        monkeypatch.setattr(runner, "Room", lambda place: Room(done, place))
        monkeypatch.setattr(runner, "choose", self.choose)
        monkeypatch.setattr(runner, "read_record", lambda path: {"of": path})
        monkeypatch.setenv("HOME", "/before")
        monkeypatch.delenv("MODEL_RUNNER_MODE", raising=False)
        monkeypatch.chdir(folder)
        (folder / "work").mkdir()

    def choose(self, *given: Any, **named: Any) -> Choice:
        self.chosen = (given[:2], given[4], named)
        self.place = (os.environ["HOME"], str(Path.cwd()))
        assert given[2].getblocking()
        assert not given[2].get_inheritable()
        if self.failure is not None:
            raise self.failure
        return Choice(self.mode, self.reason, {"a": 1})

    def run(self, manifest: dict[str, Any], **place: Any) -> int:
        text = {"working_directory": str(self.folder / "work"), **manifest}
        (self.folder / "model.json").write_text(json.dumps(text), encoding="utf-8")
        if place is not None:
            first = {"folder": "/jobs", "hidden": None, "is_own_user": False, **place}
            self.server.sendall(json.dumps(first).encode() + b"\n")
        os.set_inheritable(self.theirs.fileno(), True)
        code = runner.main([str(self.theirs.detach()), str(self.folder / "model.json")])
        self.heard = self.server.recv(10_000)
        return code


@pytest.fixture
def started(
    tmp_path: Path, done: list[Any], signals: dict[int, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Started]:
    made = Started(tmp_path, done, signals, monkeypatch)
    yield made
    made.server.close()
    made.theirs.close()


PYTHON = f"Python {sys.version.split()[0]} at {sys.executable}"


def test_a_runner_begins_with_its_places_and_says_how_it_runs_the_program(started: Started, done: list[Any]) -> None:
    assert started.run({"command": ["x"]}) == 0
    place = {"folder": "/jobs", "hidden": None, "is_own_user": False}
    names = [entry[0] for entry in done]
    assert names == ["hide_memory", "death", "lower_priority", "adopt_orphans", "room", "settle", "serve"]
    assert done[1] == ("death", signal.SIGTERM, os.getppid())
    assert done[4] == ("room", place)
    assert done[6][2] is started.mode
    manifest = {"working_directory": str(started.folder / "work"), "command": ["x"]}
    assert started.chosen == ((manifest, "auto"), {"of": str(started.folder / "model.json")}, {"is_proved": False})
    assert started.place == ("/home/job", str(started.folder / "work"))
    assert started.heard == b'{"mode": "fake", "record": {"a": 1}}\n'
    assert started.said == [f"runner: mode fake, {PYTHON}"]
    assert sorted(started.signals) == [signal.SIGINT, signal.SIGTERM]
    assert started.signals[signal.SIGINT](2, None) is None


def test_why_it_is_no_faster_mode_is_said(started: Started) -> None:
    started.reason = "because it is so"
    assert started.run({}, record={"mine": 1}) == 0
    assert started.heard == b'{"mode": "fake (because it is so)", "record": {"a": 1}}\n'
    assert started.said == [f"runner: mode fake (because it is so), {PYTHON}"]
    assert started.chosen[1:] == ({"mine": 1}, {"is_proved": True})


@pytest.mark.parametrize(
    ("variable", "manifest", "wanted"),
    [
        (None, None, "auto"), ("", "warm", "warm"), (" command ", "warm", "command"), (None, "library", "library"),
        ("resident", None, "resident"), (" ", None, "auto"),
    ],
)  # fmt: skip
def test_the_mode_is_the_environments_or_the_manifests(
    variable: str | None, manifest: str | None, wanted: str, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("MODEL_RUNNER_MODE", variable)
    assert started.run({"runner_mode": manifest}) == 0
    assert started.chosen[0][1] == wanted
    assert len(started.said) == 1


def test_a_mode_that_is_none_counts_as_auto(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_RUNNER_MODE", "fast")
    assert started.run({"runner_mode": "warm"}) == 0
    assert started.chosen[0][1] == "auto"
    assert started.said[0] == (
        "runner: MODEL_RUNNER_MODE=fast is not one of auto, command, warm, resident, library; it counts as auto"
    )


@pytest.mark.parametrize(
    ("place", "problem", "confined", "said"),
    [
        ({"hidden": "/data"}, "", ("/data", "/jobs"), ""),
        ({"hidden": "/data", "folder": None}, "", ("/data",), ""),
        ({"hidden": "/data"}, "it is so", ("/data", "/jobs"), "not at all: it is so"),
        ({"hidden": "/data", "is_own_user": True}, "it is so", ("/data", "/jobs"),
         "by file permissions alone: it is so"),
        ({"hidden": None}, "it is so", None, ""),
    ],
)  # fmt: skip
def test_the_servers_data_is_hidden_or_it_is_said(
    place: dict[str, Any],
    problem: str,
    confined: tuple[str, ...] | None,
    said: str,
    started: Started,
    done: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hidden: list[Any] = []
    monkeypatch.setattr(runner, "confine", lambda *given: hidden.append(given) or problem)
    assert started.run({}, **place) == 0
    assert hidden == ([] if confined is None else [confined])
    told = f"runner: the server's data is kept from the program {said}"
    assert started.said[:-1] == ([told] if said else [])


def test_a_program_without_its_folder_is_the_jobs_to_tell(started: Started) -> None:
    assert started.run({"working_directory": "/nowhere/at-all"}) == 0
    assert started.place[1] == str(started.folder)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (EOFError(), "runner: the server is gone"),
        (ConnectionResetError(), "runner: the server is gone"),
        (FileNotFoundError(2, "No such file or directory", "/jobs"),
         "runner: there is no place for jobs: /jobs: No such file or directory"),
    ],
)  # fmt: skip
def test_without_a_place_it_ends_as_failed(
    failure: Exception, said: str, started: Started, done: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(_place: object) -> None:
        raise failure

    monkeypatch.setattr(runner, "Room", failed)
    assert started.run({}) == 1
    assert (started.said, started.heard) == ([said], b"")
    assert "serve" not in [entry[0] for entry in done]


def test_a_server_that_goes_in_the_midst_of_the_self_test_leaves_nothing(started: Started, done: list[Any]) -> None:
    started.failure = EOFError()
    assert started.run({}) == 1
    assert done[-2:] == [("kill_orphans", ()), ("leave",)]
    assert (started.said, started.heard) == ([], b"")


def test_terminated_it_takes_its_program_and_its_places_along(
    started: Started, done: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert started.run({}) == 0
    monkeypatch.setattr(os, "_exit", lambda code: done.append(("exit", code)))
    started.signals[signal.SIGTERM](15, None)
    assert done[-3:] == [("kill_orphans", ()), ("leave",), ("exit", 143)]


@pytest.mark.parametrize("arguments", [[], ["1"], ["1", "2", "3"]])
def test_called_wrongly_it_says_how(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(arguments) == 2
    assert capsys.readouterr().err == "usage: runner.py DESCRIPTOR MANIFEST\n"


def test_it_yields_to_its_server_where_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refused(step: int) -> int:
        asked.append(step)
        raise PermissionError

    monkeypatch.setattr(os, "nice", refused)
    runner.lower_priority()
    assert asked == [10]
