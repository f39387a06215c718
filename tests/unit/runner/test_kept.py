"""One program for one job after the other: what it is told, what it answers, and when it is started again."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_runner import kept
from model_runner.imports import Script
from model_runner.kept import BrokenError, KeptMode, Program, status_of
from model_runner.logs import JobLog

from .conftest import Clock

Step = Any


class Fake:
    """A program that goes through steps, one at each `listen`.

    A step is what `listen` returns or raises; "ended" and "running" change what is found of its process.
    """

    pid = 4321

    def __init__(self, world: "World", steps: list[Step]) -> None:
        self.world, self.steps = world, list(steps)
        self.job_log = JobLog("program")
        self.strays = SimpleNamespace(kill=lambda pid: world.done.append(f"strays of {pid}"))
        self.is_listening = False
        self.has_ended = False
        self.sent: list[Any] = []
        self.refuses = False
        self.reached = [True]
        self.pauses: list[Any] = []
        self.channel = SimpleNamespace(send=self.send)

    def reach(self) -> bool:
        return self.reached.pop(0) if len(self.reached) > 1 else self.reached[0]

    def send(self, payload: bytes) -> None:
        if self.refuses:
            raise BrokenPipeError
        self.sent.append(payload)

    def listen(self, milliseconds: Any) -> Any:
        self.pauses.append(milliseconds)
        step = self.steps.pop(0)
        while isinstance(step, str):
            self.has_ended = step == "ended"
            step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step() if callable(step) else step

    def wait_for_end(self, seconds: float) -> None:
        self.world.done.append(f"wait {seconds:g}")
        if self.steps[:1] == ["ends late"]:
            self.has_ended = True

    def stop(self) -> int:
        self.world.done.append("stop")
        return self.world.code


class World:
    """Notes what happens to programs; each of them has steps of its own."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.code = 0
        self.programs: list[Any] = []
        self.steps: list[Any] = []
        self.failure: OSError | None = None
        self.said: list[str] = []


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(kept, "has_ended", lambda pid: made.programs[-1].has_ended)
    monkeypatch.setattr(kept, "log", made.said.append)
    return made


def mode_of(world: World, connection: Any, *steps: list[Step]) -> KeptMode:
    class Mode(KeptMode):
        """It starts what the test has."""

        name = "fake"

        def _launch(self, strays: Any) -> Any:
            assert strays._number is self._newest_process
            if world.failure is not None:
                raise world.failure
            world.done.append("start")
            world.programs.append(Fake(world, world.steps.pop(0)))
            return world.programs[-1]

    world.steps = [*steps, [], []]
    return Mode(Script("python", (), "main.py", ()), "/work", connection)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def request(folder: Path, **more: Any) -> dict[str, Any]:
    return {"job": 'j"1', "input": str(folder / "in"), "output": str(folder / "out"), "timeout": 5, **more}


def status(word: str, job: str = 'j"1', **more: Any) -> tuple[list[dict[str, Any]], bool]:
    return [{"requestId": job, "status": word, **more}], False


NOTHING: tuple[list[Any], bool] = ([], False)


def test_a_job_is_told_in_one_message_and_its_end_is_waited_for(
    world: World, tmp_path: Path, clock: Clock, pair: Any
) -> None:
    def done() -> Any:
        (tmp_path / "out.csv").write_text("x", encoding="utf-8")
        return ([{"requestId": "other", "status": "error"}, {"status": "complete"}, *status("complete")[0]], False)

    mode = mode_of(world, pair[0], [NOTHING, NOTHING, status("pending"), done])
    program = world.programs[0]
    program.reached = [False, False, True]
    program.job_log.feed("stderr", b"before")
    before = program.job_log
    assert mode.run(request(tmp_path, told="told")) == (None, None)
    message = f'{{"requestId": "j\\"1", "inputFile": "{tmp_path}/in", "outputFile": "{tmp_path}/out"}}'
    assert program.sent == [message.encode()]
    assert program.pauses == [20, 20, 1001, 1001]
    assert (tmp_path / "out").read_text(encoding="utf-8") == "x"
    assert program.job_log is not before
    assert (program.job_log._label, program.job_log._told) == ('job j"1', "told")
    assert world.done == ["start"]


def test_what_a_program_says_is_told_to_the_server(world: World, tmp_path: Path, clock: Clock, pair: Any) -> None:
    def talk() -> Any:
        world.programs[0].job_log.feed("stdout", b"working\n")
        clock.now += 1
        return NOTHING

    mode = mode_of(world, pair[0], [talk, status("error", error="no")])
    assert mode.run(request(tmp_path, told="t")) == (None, "no")
    assert pair[1].recv(100) == b'{"said": ["working"], "job": "t"}\n'


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (status("error", error="why"), "why"),
        (status("error", error=7), "7"),
        (status("error", error=""), "The program reported an error without a text."),
        (status("error"), "The program reported an error without a text."),
        (status("complete"), "The program ended without an error but wrote no output file."),
        (BrokenError("it is so"), "The program broke its protocol: it is so."),
        (ValueError("a status must be an object"), "The program broke its protocol: a status must be an object."),
        (ConnectionResetError(104, "reset"), "The program broke its protocol: [Errno 104] reset."),
        (TimeoutError("timed out"), "The program broke its protocol: timed out."),
    ],
)
def test_an_error_of_the_program_is_the_jobs(end: Step, error: str, world: World, tmp_path: Path, pair: Any) -> None:
    mode = mode_of(world, pair[0], [end], [status("error", error="again")])
    assert mode.run(request(tmp_path)) == (None, error)
    is_broken = isinstance(end, Exception)
    assert world.done == (["start", "stop"] if is_broken else ["start"])
    if is_broken:  # the next job has a new program
        assert mode.run(request(tmp_path)) == (None, "again")
        assert world.done == ["start", "stop", "start"]


def test_a_server_that_is_gone_ends_the_job(world: World, tmp_path: Path, pair: Any) -> None:
    mode = mode_of(world, pair[0], [([], True)])
    with pytest.raises(EOFError, match="the server is gone"):
        mode.run(request(tmp_path))


def test_the_output_has_its_limit_when_the_job_is_complete(world: World, tmp_path: Path, pair: Any) -> None:
    def done() -> Any:
        (tmp_path / "out").write_text("1234", encoding="utf-8")
        return status("complete")

    mode = mode_of(world, pair[0], [done, done])
    assert mode.run(request(tmp_path, output_bytes=3)) == (None, "output limit of 3 bytes exceeded.")
    assert mode.run(request(tmp_path, output_bytes=4)) == (None, None)


def test_a_broken_limit_ends_the_program_and_another_begins(
    world: World, tmp_path: Path, clock: Clock, pair: Any
) -> None:
    def late() -> Any:
        clock.now += 5
        return status("pending")

    mode = mode_of(world, pair[0], [late], [status("error", error="new")])
    assert mode.run(request(tmp_path)) == (None, "The program ran longer than 5 s and was stopped.")
    assert world.done == ["start", "stop", "start"]
    assert mode.run(request(tmp_path)) == (None, "new")


def test_an_answer_in_the_last_moment_counts(world: World, tmp_path: Path, clock: Clock, pair: Any) -> None:
    def late() -> Any:
        clock.now += 5
        return status("error", error="in time")

    mode = mode_of(world, pair[0], [late])
    assert mode.run(request(tmp_path)) == (None, "in time")


ENDED = "The program ended with exit code 3 and wrote nothing to stderr."
WENT_ON = "The program broke its protocol: it closed its connection and went on."


@pytest.mark.parametrize(
    ("steps", "code", "said", "listened", "ended"),
    [
        ([EOFError(), "ends late"], 3, b"", True, (3, ENDED)),
        ([EOFError(), "ends late"], 0, b"", True, (0, "The program ended by itself.")),
        ([EOFError()], 3, b"", True, (None, WENT_ON)),
        (["ended", NOTHING], 3, b"", True, (3, ENDED)),
        (["ended", NOTHING], -9, b"", True, (-9, "The program was killed by SIGKILL (often: out of memory).")),
        (["ended", NOTHING], 3, b"no weights", False, (3, "no weights")),
        (["ended", NOTHING], 3, b"no weights", True, (3, ENDED)),
    ],
)
def test_a_program_that_ends_in_a_job_says_why_and_is_started_again(
    steps: list[Step],
    code: int,
    said: bytes,
    listened: bool,
    ended: Any,
    world: World,
    tmp_path: Path,
    pair: Any,
) -> None:
    mode = mode_of(world, pair[0], steps, [status("error", error="new")])
    program, world.code = world.programs[0], code
    program.is_listening = listened
    program.job_log.feed("stderr", said)
    assert mode.run(request(tmp_path)) == ended
    assert world.done == ["start", "wait 1", "stop", "start"]
    assert mode.run(request(tmp_path)) == (None, "new")


def test_what_it_says_in_the_job_explains_its_end_better(world: World, tmp_path: Path, pair: Any) -> None:
    def talk() -> Any:
        program.job_log.feed("stderr", b"in the job")
        return NOTHING

    mode = mode_of(world, pair[0], ["ended", talk])
    program, world.code = world.programs[0], 1
    program.has_ended = False
    program.job_log.feed("stderr", b"before")
    assert mode.run(request(tmp_path)) == (1, "in the job")


def test_an_answer_of_a_program_that_has_ended_counts(world: World, tmp_path: Path, pair: Any) -> None:
    mode = mode_of(world, pair[0], ["ended", status("pending"), status("error", error="last words")])
    assert mode.run(request(tmp_path)) == (None, "last words")


def test_a_program_that_takes_no_job_any_more_has_ended(world: World, tmp_path: Path, pair: Any) -> None:
    mode = mode_of(world, pair[0], ["ends late"])
    world.programs[0].refuses, world.code = True, 3
    assert mode.run(request(tmp_path)) == (3, ENDED)


def test_a_program_that_ended_before_the_job_is_started_first(world: World, tmp_path: Path, pair: Any) -> None:
    mode = mode_of(world, pair[0], [], [status("error", error="new")])
    world.programs[0].has_ended = True
    assert mode.run(request(tmp_path)) == (None, "new")
    assert world.done == ["start", "stop", "start"]


def test_a_program_that_cannot_be_started_is_each_jobs_error(world: World, tmp_path: Path, pair: Any) -> None:
    world.failure = FileNotFoundError(2, "No such file or directory", "python9")
    mode = mode_of(world, pair[0])
    for _ in range(2):
        assert mode.run(request(tmp_path)) == (None, "The program could not be started; the log says why.")
    told = "runner: the program could not be started: python9: No such file or directory"
    assert world.said == [told] * 3
    mode.attend()
    mode.stop()
    assert world.done == []


@pytest.mark.parametrize("failure", [EOFError(), BrokenError("x"), ValueError("x")])
def test_between_jobs_it_is_looked_after_until_the_server_calls(failure: Exception, world: World, pair: Any) -> None:
    mode = mode_of(world, pair[0], [NOTHING, status("pending"), failure], [NOTHING, ([], True), NOTHING])
    world.code = 3
    mode.attend()
    assert world.done == ["start", "strays of 4321", "stop", "start"]
    assert [program.pauses for program in world.programs] == [[None] * 3, [None] * 2]
    told = "runner: the program ended between two jobs (exit code 3); it is started again"
    assert world.said == [told]
    mode.stop()
    mode.stop()
    assert world.done[4:] == ["stop"]


@pytest.mark.parametrize(("text", "found"), [('{"a": 1}', {"a": 1}), (' \n{"a": 1} x', {"a": 1}), ("{}", {})])
def test_a_status_is_an_object(text: str, found: dict[str, Any]) -> None:
    assert status_of(text) == found


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[]", "a status must be an object"),
        ('"x"', "a status must be an object"),
        ("[" * 100_000, "it sent a status that is nested too deep"),
        ("x", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_what_is_no_status_is_told(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        status_of(text)
    assert str(raised.value) == error


class Process:
    """A process as `Popen` gives it: pipes, and an end."""

    def __init__(self, done: list[Any], ends: dict[str, int]) -> None:
        self.pid, self._done = 4321, done
        for name in ("stdout", "stderr"):
            read, ends[name] = os.pipe()
            setattr(self, name, os.fdopen(read, "rb", buffering=0))

    def wait(self) -> int:
        self._done.append("wait")
        return 7


class Channel:
    """A pipe of texts that the program sends."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.is_closed = False

    def fileno(self) -> int:
        return self.read

    def receive(self) -> list[str]:
        return os.read(self.read, 100).decode().split("\n")

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, pair: Any) -> Iterator[Any]:
    done: list[Any] = []
    ends: dict[str, int] = {}
    given: list[Any] = []

    def started(argv: Any, **named: Any) -> Process:
        given.append((argv, named))
        return Process(done, ends)

    monkeypatch.setattr("subprocess.Popen", started)
    monkeypatch.setattr(kept, "death_signal_setter", lambda *what: ("dies by", what))
    monkeypatch.setattr(kept, "kill_group", lambda pid: done.append(f"kill {pid}"))
    monkeypatch.setattr(kept, "kill_orphans", lambda known: done.append(f"orphans {known}"))
    strays: Any = object()
    made: Any = Program(["python", "x"], "/work", pair[0], strays, [9])
    yield SimpleNamespace(it=made, done=done, ends=ends, given=given, strays=strays, server=pair[1])
    for descriptor in ends.values():
        os.close(descriptor)


def test_a_program_is_started_to_die_with_the_runner(program: Any) -> None:
    ((argv, named),) = program.given
    assert argv == ["python", "x"]
    assert named == {
        **{"cwd": "/work", "stdin": -3, "stdout": -1, "stderr": -1, "pass_fds": [9], "start_new_session": True},
        "preexec_fn": ("dies by", (9, os.getpid())),
    }
    one = program.it
    assert (one.pid, one.strays, one.channel, one.is_listening, one.reach()) == (
        4321,
        program.strays,
        None,
        False,
        False,
    )
    assert one.job_log._label == "program"


def test_program_and_server_are_listened_to(program: Any) -> None:
    one, channel = program.it, Channel()
    assert one.listen(0) == ([], False)
    os.write(program.ends["stderr"], b"said")
    assert one.listen(1000) == ([], False)
    assert (one.job_log.error_tail, one.is_listening) == (b"said", False)
    one.talk_over(channel)
    assert one.reach()
    os.write(channel.write, b'{"a": 1}\n{"b": 2}')
    assert one.listen(1000) == ([{"a": 1}, {"b": 2}], False)
    assert one.is_listening
    program.server.sendall(b"x")
    assert one.listen(1000) == ([], True)
    os.write(channel.write, b'{"a": 1}')
    os.close(program.ends.pop("stdout"))
    assert one.listen(1000) == ([{"a": 1}], True)
    program.server.close()
    assert one.listen(1000) == ([], True)
    for descriptor in (channel.read, channel.write):
        os.close(descriptor)


def test_a_stream_that_has_ended_is_not_listened_to_any_more(program: Any) -> None:
    os.close(program.ends.pop("stdout"))
    assert program.it.listen(1000) == ([], False)
    with pytest.raises(KeyError):  # it would wake the runner again and again
        program.it._poll.unregister(program.it._process.stdout)


@pytest.mark.parametrize("has_channel", [True, False])
def test_a_program_is_stopped_with_all_that_it_started(has_channel: bool, program: Any, said: list[str]) -> None:
    one, channel = program.it, Channel()
    if has_channel:
        one.talk_over(channel)
    os.write(program.ends["stdout"], b"last")
    assert one.stop() == 7
    assert program.done == ["kill 4321", "wait", "orphans ()"]
    assert [line[21:] for line in said] == ["program | last\n"]
    assert (one._process.stdout.closed, one._process.stderr.closed) == (True, True)
    assert channel.is_closed == has_channel


@pytest.mark.parametrize(("ends_after", "waits"), [(0, 0), (2, 2), (99, 5)])
def test_its_end_is_waited_for_so_long(
    ends_after: int, waits: int, program: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += 0.25

    def ended(pid: int) -> bool:
        assert pid == 4321
        return len(slept) >= ends_after

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr(kept, "has_ended", ended)
    program.it.wait_for_end(1.25)
    assert slept == [0.02] * waits
