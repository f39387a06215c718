"""Mode `command`: how a job's process is started and ended, and what its end means."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_runner import command
from model_runner.call import Call
from model_runner.command import CommandMode, verdict
from model_runner.job import Limits
from model_runner.processes import failure_text


@pytest.mark.parametrize(
    ("breach", "code", "output", "ended"),
    [
        (None, 0, "1234", (0, None)),
        (None, 0, "12345", (0, "output limit of 4 bytes exceeded.")),
        (None, 0, None, (0, "The program ended without an error but wrote no output file.")),
        (None, 1, "1234", (1, "tail")),
        (None, -15, "1234", (-15, "The program was killed by SIGTERM.\ntail")),
        ("it took too long", -9, "1234", (-9, "it took too long")),
        ("it took too long", 0, "1234", (0, "it took too long")),
    ],
)
def test_the_end_of_a_process_is_that_of_its_job(
    breach: str | None, code: int, output: str | None, ended: Any, tmp_path: Path
) -> None:
    if output is not None:
        (tmp_path / "out.png").write_text(output, encoding="utf-8")
    request = {"output": str(tmp_path / "out"), "timeout": 5, "output_bytes": 4}
    call = Call(["p", "{output}.png"])
    limits = Limits(request, call.place(request["output"]))
    assert verdict(call, request, limits, breach, code, b"tail") == ended


@pytest.mark.parametrize(
    ("code", "tail", "text"),
    [
        (1, b"", "The program ended with exit code 1 and wrote nothing to stderr."),
        (255, b" \n", "The program ended with exit code 255 and wrote nothing to stderr."),
        (1, b"\n a\nb \n", "a\nb"),
        (3, b"\xffa\x00b", "\ufffdab"),
        (-9, b"", "The program was killed by SIGKILL (often: out of memory)."),
        (-9, b"x", "The program was killed by SIGKILL (often: out of memory).\nx"),
        (-11, b"", "The program was killed by SIGSEGV."),
        (-99, b"x", "The program was killed by 99.\nx"),
    ],
)
def test_a_failure_is_told_by_the_programs_last_words(code: int, tail: bytes, text: str) -> None:
    assert failure_text(code, tail) == text


class World:
    """A program that is not started: what it was given, and what happened to it."""

    def __init__(self) -> None:
        self.given: list[Any] = []
        self.done: list[Any] = []
        self.signals: list[Any] = []
        self.failure: OSError | None = None
        self.breach: str | None = None
        self.ends: list[int] = []
        self.over: Any = None


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()

    class Process:
        pid = 4321

        def __init__(self) -> None:
            for name in ("stdout", "stderr"):
                read, write = os.pipe()
                setattr(self, name, os.fdopen(read, "rb", buffering=0))
                made.ends.append(write)

        def wait(self) -> int:
            made.done.append("wait")
            return 1

    def started(argv: Any, **named: Any) -> Process:
        if made.failure is not None:
            raise made.failure
        made.given.append((argv, named))
        made.process = Process()  # type: ignore[attr-defined]
        return made.process  # type: ignore[attr-defined]

    def followed(
        streams: Any, log: Any, limits: Any, session: int, connection: Any, wake: int, over: Any
    ) -> str | None:
        made.done.append(("follow", session, connection, limits._output, limits._seconds, log._label, log._told))
        assert os.get_blocking(wake) is False
        made.over = over
        assert streams.descriptors == (made.process.stdout.fileno(), made.process.stderr.fileno())  # type: ignore[attr-defined]
        os.write(made.ends[1], b"last words")
        return made.breach

    monkeypatch.setattr("subprocess.Popen", started)
    monkeypatch.setattr(command, "death_signal_setter", lambda *what: ("dies by", what))
    monkeypatch.setattr(command, "kill_group", lambda pid: made.done.append(f"kill {pid}"))
    monkeypatch.setattr(command, "kill_orphans", lambda known: made.done.append(f"orphans {known}"))
    monkeypatch.setattr(command, "has_ended", lambda pid: made.done.append(f"look {pid}") or True)
    monkeypatch.setattr(command, "follow", followed)
    monkeypatch.setattr(signal, "signal", lambda *what: made.signals.append(what))
    monkeypatch.setattr(signal, "set_wakeup_fd", made.signals.append)
    yield made
    for descriptor in made.ends:
        os.close(descriptor)


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        yield made


def test_a_job_is_a_process_of_its_own_session(
    world: World, connection: socket.socket, tmp_path: Path, said: list[str]
) -> None:
    mode = CommandMode(["p", "{input}", "{output}.png"], "/work", connection)
    request = {"job": "1", "input": "/in", "output": str(tmp_path / "out"), "timeout": 5, "told": "t"}
    assert mode.run(request) == (1, "last words")
    ((argv, named),) = world.given
    assert argv == ["p", "/in", f"{tmp_path}/out.png"]
    assert named == {
        **{"cwd": "/work", "stdin": -3, "stdout": -1, "stderr": -1, "start_new_session": True},
        "preexec_fn": ("dies by", (9, os.getpid())),
    }
    followed = ("follow", 4321, connection, f"{tmp_path}/out.png", 5.0, "job 1", "t")
    assert world.done == [followed, "kill 4321", "wait", "orphans ()"]
    assert [line[21:] for line in said] == ["job 1 | last words\n"]
    process = world.process  # type: ignore[attr-defined]
    assert (process.stdout.closed, process.stderr.closed) == (True, True)
    mode.stop()
    assert world.done[4:] == []
    mode.leave()


def test_a_broken_limit_is_the_error(world: World, connection: socket.socket, tmp_path: Path) -> None:
    world.breach = "it took too long"
    mode = CommandMode(["p"], "/work", connection)
    request = {"job": "1", "input": "/in", "output": str(tmp_path / "out"), "timeout": 5}
    assert mode.run(request) == (1, "it took too long")
    assert world.done[0][-1] is None
    mode.leave()


def test_a_process_is_over_when_it_has_ended_and_its_wake_up_is_taken(
    world: World, connection: socket.socket, tmp_path: Path
) -> None:
    mode = CommandMode(["p"], "/work", connection)
    mode.run({"job": "1", "input": "/in", "output": str(tmp_path / "out"), "timeout": 5})
    (wake,) = [number for number in world.signals if isinstance(number, int)]
    assert os.get_blocking(wake) is False
    os.write(wake, b"\0")
    assert world.over() is True
    assert world.done[-1] == "look 4321"
    with pytest.raises(BlockingIOError):
        os.read(mode._wake, 1)
    mode.leave()


def test_a_program_that_cannot_be_started_is_the_jobs_error(world: World, connection: socket.socket) -> None:
    world.failure = FileNotFoundError(2, "No such file or directory", "p")
    mode = CommandMode(["p"], "/work", connection)
    ended = mode.run({"job": "1", "input": "/in", "output": "/out", "timeout": 5})
    assert ended == (None, "The program could not be started: p: No such file or directory")
    mode.attend()
    mode.stop()
    assert world.done == []
    mode.leave()


def test_stopped_in_a_job_it_ends_its_process(world: World, connection: socket.socket) -> None:
    mode = CommandMode(["p"], "/work", connection)
    child: Any = SimpleNamespace(pid=77)
    mode._child = child
    mode.stop()
    assert world.done == ["kill 77"]
    mode.leave()


def test_it_gives_back_what_it_took_of_the_process(world: World, connection: socket.socket) -> None:
    mode = CommandMode(["p"], "/work", connection)
    handler, wake = world.signals
    assert handler[0] == signal.SIGCHLD
    assert handler[1](17, None) is None
    mode.leave()
    assert world.signals[2:] == [-1, (signal.SIGCHLD, signal.SIG_DFL)]
    for descriptor in (wake, mode._wake):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
