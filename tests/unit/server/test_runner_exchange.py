"""A runner is told its work byte for byte, and each of its answers has its outcome; it is a few lines here."""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_server import runner_client
from model_server.runner_client import Outcome, RunnerClient, RunnerDiedError

READY = b'{"mode": "warm", "record": {"a": 1}}\n'
DONE = b'{"job": "j", "error": null, "seconds": 1.5, "content": null}\n'
Answer = Callable[[bytes], bytes | None]


class Ours(socket.socket):
    """Our end of a connection: notes its times, and has the runner answer as soon as something is sent."""

    stage: "Stage"

    def settimeout(self, value: float | None) -> None:
        if self is self.stage.ours:
            self.stage.times.append(value)
        super().settimeout(value)

    def shutdown(self, how: int) -> None:
        self.stage.shut.append((how, self.stage.stops))
        super().shutdown(how)

    def sendall(self, data: Any, *_: Any) -> None:
        super().sendall(data)
        self.stage.reply(bytes(data))

    def send(self, data: Any, *_: Any) -> int:
        count = super().send(data)
        self.stage.reply(bytes(data))
        return count


class Stage:
    """A slot, its runner, and what passes between them."""

    is_own_user = True

    def __init__(self) -> None:
        self.starts = self.stops = 0
        self.sent: list[bytes] = []
        self.shut: list[tuple[int, int]] = []
        self.times: list[float | None] = []
        self.answers: list[bytes | None] = []
        self.fault: OSError | None = None
        self.ours: Ours | None = None
        self.theirs: socket.socket | None = None
        self.on_start: Callable[[], None] = lambda: None

    def pair(self, *words: Any) -> tuple[socket.socket, socket.socket]:
        plain, theirs = real_pair(*words)
        if words != (socket.AF_UNIX, socket.SOCK_STREAM):  # a loop's own
            return plain, theirs
        ours = Ours(*words, fileno=plain.detach())
        ours.stage, self.ours = self, ours
        self.times.clear()
        return ours, theirs

    def start(self, connection: int) -> None:
        self.starts += 1
        if self.fault is not None:
            raise self.fault
        self.theirs = socket.socket(fileno=os.dup(connection))
        self.on_start()

    def stop(self) -> None:
        self.stops += 1
        self.hang_up()

    def hang_up(self) -> None:
        if self.theirs is not None:
            self.theirs.close()

    def reply(self, data: bytes) -> None:
        self.sent.append(data)
        answer = self.answers.pop(0)
        assert self.theirs is not None
        if answer is None:
            self.hang_up()
        else:
            self.theirs.sendall(answer)


real_pair = socket.socketpair


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    made = Stage()
    monkeypatch.setattr(runner_client.socket, "socketpair", made.pair)
    yield made
    made.hang_up()


PLAIN = {"folder": None, "hidden": None, "is_own_user": True}


def test_a_runner_is_told_its_place_once_and_keeps_its_proof(stage: Stage, tmp_path: Path) -> None:
    client = RunnerClient(stage, folder=tmp_path / "jobs", hidden=tmp_path)
    assert (client.folder, client.mode, client.record) == (f"{tmp_path}/jobs", "", None)
    stage.answers = [READY]
    for _ in range(2):
        client.prepare()
    place = {"folder": f"{tmp_path}/jobs", "hidden": str(tmp_path), "is_own_user": True}
    assert [json.loads(line) for line in stage.sent] == [place]
    assert stage.sent[0].endswith(b"}\n")
    assert (client.mode, client.record, stage.starts, stage.stops) == ("warm", {"a": 1}, 1, 0)
    assert stage.times == [240.0, 0]
    client.stop()
    client.stop()
    assert stage.stops == 1
    stage.answers = [b'{"mode": "command"}\n']
    client.prepare()
    assert json.loads(stage.sent[1]) == {**place, "record": {"a": 1}}
    assert (client.mode, client.record, stage.starts) == ("command", None, 2)
    client.close()


def test_a_client_that_was_told_nothing_has_no_place(stage: Stage) -> None:
    client = RunnerClient(stage)
    assert client.folder == ""
    stage.answers = [READY]
    client.prepare()
    assert json.loads(stage.sent[0]) == PLAIN
    client.close()


def test_a_job_is_asked_for_with_its_limits(stage: Stage) -> None:
    client = RunnerClient(stage, memory_mib=1, output_bytes=2, small_bytes=3)
    stage.answers = [READY, DONE]
    assert client.run("j", Path("/in ü"), Path("/out"), 20) == Outcome(None, 1.5)
    assert stage.sent[1:] == [
        b'{"job": "j", "input": "/in \\u00fc", "output": "/out", "timeout": 20, "memory_mib": 1, "output_bytes": 2, '
        b'"small_bytes": 3, "content": null}\n'
    ]
    assert stage.times == [240.0, 50]
    client.close()
    assert stage.stops == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b'{"job": "j", "error": "no", "seconds": 2, "content": null}\n', Outcome("no", 2.0)),
        (b'{"job": "j", "error": null, "seconds": 2, "content": 3}\nabc', Outcome(None, 2.0, b"abc")),
        (b'{"job": "j", "error": "x", "seconds": 0, "content": null, "errno": 28}\n', Outcome("x", 0.0, None, 28)),
    ],
)
def test_an_answer_becomes_the_outcome(stage: Stage, answer: bytes, outcome: Outcome) -> None:
    client = RunnerClient(stage)
    stage.answers = [READY, answer]
    assert client.run("j", Path("/in"), Path("/out"), 20) == outcome
    client.close()


NO_ANSWERS = [
    None,
    b"nonsense\n",
    b"[]\n",
    b'{"job": "another", "error": null, "seconds": 1}\n',
    b'{"job": "j", "seconds": 1}\n',
    b'{"job": "j", "error": null}\n',
]


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_after_what_is_no_answer_the_next_job_has_another_runner(stage: Stage, answer: bytes | None) -> None:
    client = RunnerClient(stage)
    stage.answers = [READY, answer]
    with pytest.raises(RunnerDiedError, match=r"^the runner ended before the program did$"):
        client.run("j", Path("/in"), Path("/out"), 20)
    assert (stage.stops, client._connection) == (1, None)
    stage.answers = [READY, DONE]
    assert client.run("j", Path("/in"), Path("/out"), 20) == Outcome(None, 1.5)
    assert stage.starts == 2
    client.close()


@pytest.mark.parametrize("answer", [None, b"nonsense\n", b"[]\n", b"{}\n"])
def test_a_runner_that_does_not_get_ready_is_told(stage: Stage, answer: bytes | None) -> None:
    client = RunnerClient(stage)
    stage.answers = [answer]
    with pytest.raises(RunnerDiedError, match=r"^the runner ended before it was ready$"):
        client.prepare()
    assert (stage.starts, stage.stops, client._connection) == (1, 1, None)


def test_a_runner_that_cannot_be_started_is_told_with_the_reason(stage: Stage) -> None:
    client = RunnerClient(stage)
    stage.fault = OSError(12, "Cannot allocate memory")
    with pytest.raises(RunnerDiedError) as caught:
        client.prepare()
    assert str(caught.value) == "the runner could not be started: [Errno 12] Cannot allocate memory"
    assert stage.ours is not None
    assert (stage.ours.fileno(), stage.stops) == (-1, 0)


def test_a_runner_that_ended_between_two_jobs_is_replaced(stage: Stage) -> None:
    client = RunnerClient(stage)
    stage.answers = [READY]
    client.prepare()
    first = stage.ours
    stage.hang_up()
    stage.answers = [READY, DONE]
    assert client.run("j", Path("/in"), Path("/out"), 20) == Outcome(None, 1.5)
    assert first is not None
    assert (stage.starts, stage.stops, first.fileno()) == (2, 1, -1)
    client.close()


def test_a_client_that_is_closed_starts_nothing_more(stage: Stage) -> None:
    client = RunnerClient(stage)
    client.close()
    with pytest.raises(RunnerDiedError, match="ended before the program did"):
        client.prepare()
    assert (stage.starts, stage.stops) == (0, 0)
    late = RunnerClient(stage)
    stage.on_start = lambda: setattr(late, "_closed", True)  # it is closed while its runner starts
    with pytest.raises(RunnerDiedError, match="ended before the program did"):
        late.prepare()
    assert (stage.starts, stage.stops, late._connection) == (1, 1, None)


def test_a_stop_in_the_midst_of_a_job_ends_its_wait_and_leaves_the_connection_to_it(stage: Stage) -> None:
    client = RunnerClient(stage)
    closed: list[bool] = []

    stage.answers = [READY, b""]
    reply = stage.reply

    def reply_and_stop(data: bytes) -> None:
        reply(data)
        if len(stage.sent) == 2:
            client.stop()
            assert stage.ours is not None
            closed.append(stage.ours.fileno() == -1)

    stage.reply = reply_and_stop  # type: ignore[method-assign]
    with pytest.raises(RunnerDiedError, match="ended before the program did"):
        client.run("j", Path("/in"), Path("/out"), 20)
    assert (closed, stage.stops, client._connection) == ([False], 1, None)
    assert stage.shut[0] == (socket.SHUT_RDWR, 0), "who waits is woken before the runner is"
    assert stage.ours is not None
    assert stage.ours.fileno() == -1


def worked(client: RunnerClient, content: bytes | None, *, ready: bool = True) -> Outcome:
    """Do one job in a loop."""

    async def work() -> Outcome:
        if ready:
            await client.ready()
            await client.ready()
        return await client.work("j", "/in", "/out", 20, content)

    return asyncio.run(work())


def test_small_data_goes_with_the_request(stage: Stage, tmp_path: Path) -> None:
    client = RunnerClient(stage, folder=tmp_path)
    stage.answers = [READY, b'{"job": "j", "error": null, "seconds": 1, "content": 2}\nok']
    assert worked(client, b"data", ready=False) == Outcome(None, 1.0, b"ok")
    assert stage.sent[1:] == [
        b'{"job": "j", "input": "/in", "output": "/out", "timeout": 20, "memory_mib": 0, "output_bytes": 0, '
        b'"small_bytes": 0, "content": 4, "told": "j"}\ndata'
    ]
    assert stage.starts == 1
    client.close()
    assert stage.stops == 1


def test_an_input_that_is_a_file_needs_the_runner_that_was_ready(stage: Stage, tmp_path: Path) -> None:
    client = RunnerClient(stage, folder=tmp_path)
    with pytest.raises(RunnerDiedError, match="ended before the program did"):
        worked(client, None, ready=False)
    assert stage.starts == 0
    stage.answers = [READY, DONE]
    assert worked(client, None) == Outcome(None, 1.5)
    assert stage.sent[1].endswith(b'"content": null, "told": "j"}\n')
    assert stage.starts == 1
    client.close()


def test_where_files_lie_elsewhere_a_runner_is_started_for_them(stage: Stage) -> None:
    client = RunnerClient(stage)
    stage.answers = [READY, DONE]
    assert worked(client, None, ready=False) == Outcome(None, 1.5)
    client.close()


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_what_is_no_answer_ends_the_runner_in_a_loop_too(stage: Stage, answer: bytes | None) -> None:
    client = RunnerClient(stage)
    stage.answers = [READY, answer]
    with pytest.raises(RunnerDiedError, match=r"^the runner ended before the program did$"):
        worked(client, b"data")
    assert (stage.stops, client._line) == (1, None)


def test_an_input_that_found_no_room_is_an_error_of_the_host(stage: Stage) -> None:
    client = RunnerClient(stage)
    stage.answers = [READY, b'{"job": "j", "error": "x", "seconds": 0, "content": null, "errno": 28}\n']
    with pytest.raises(OSError, match="No space left on device") as caught:
        worked(client, b"data")
    assert (caught.value.errno, stage.stops) == (28, 0)
    client.close()


@pytest.mark.parametrize(("content", "again"), [(b"data", True), (None, False)])
def test_a_runner_that_ended_before_it_had_the_request_is_replaced_if_it_may_be(
    stage: Stage, tmp_path: Path, content: bytes | None, again: bool
) -> None:
    client = RunnerClient(stage, folder=tmp_path)

    async def work() -> Outcome:
        await client.ready()
        assert client._line is not None
        ask = client._line.ask

        async def gone(*words: Any) -> Any:
            client._line.ask = ask  # type: ignore[method-assign, union-attr]
            raise BrokenPipeError

        client._line.ask = gone  # type: ignore[method-assign]
        stage.answers += [READY, DONE]
        return await client.work("j", "/in", "/out", 20, content)

    stage.answers = [READY]
    if again:
        assert asyncio.run(work()) == Outcome(None, 1.5)
    else:
        with pytest.raises(RunnerDiedError):
            asyncio.run(work())
    assert stage.starts == (2 if again else 1)
    client.close()


def test_a_runner_has_the_jobs_time_and_some_to_spare(stage: Stage) -> None:
    client = RunnerClient(stage)
    times: list[float] = []

    async def work() -> None:
        await client.ready()
        assert client._line is not None

        async def ask(_request: bytes, seconds: float) -> Any:
            times.append(seconds)
            raise ValueError

        client._line.ask = ask  # type: ignore[method-assign]
        with pytest.raises(RunnerDiedError):
            await client.work("j", "/in", "/out", 20, b"")

    stage.answers = [READY]
    asyncio.run(work())
    assert times == [50.0]


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ({"job": "j", "said": ["a", "b"]}, ("a", "b")),
        ({"job": "j", "said": list("abcdefg")}, tuple("cdefg")),
        ({"job": "j", "said": ["x" * 200, "y" * 201, 3]}, ("x" * 200, "y" * 200, "3")),
        ({"job": "j", "said": ["a\x1bb\tc"]}, ("a b c",)),
        ({"job": "j", "said": "text"}, ()),
        ({"job": "j"}, ()),
        ({"job": "another", "said": ["a"]}, ("before",)),
        ({"said": ["a"]}, ("before",)),
    ],
)
def test_of_what_a_program_prints_the_last_lines_are_kept(
    stage: Stage, message: dict[str, Any], lines: tuple[str, ...]
) -> None:
    client = RunnerClient(stage)
    assert client.said("j") is None
    client._said = ("j", ("before",))
    client._hear(message)
    assert (client.said("j"), client.said("another")) == (lines, None)


def test_a_new_job_has_said_nothing(stage: Stage) -> None:
    client = RunnerClient(stage)
    client._said = ("old", ("before",))
    stage.answers = [READY, DONE]
    worked(client, b"data")
    assert (client.said("j"), client.said("old")) == ((), None)
    client.close()


@pytest.mark.parametrize(
    ("said", "is_open"), [(b"", True), (b"x", True), (None, False), (OSError(9, "no descriptor"), False)]
)
def test_a_connection_is_open_unless_its_other_end_is_closed(said: bytes | OSError | None, is_open: bool) -> None:
    ours, theirs = real_pair()
    with ours, theirs:
        if said is None:
            theirs.close()
        elif isinstance(said, OSError):
            ours.close()
        else:
            theirs.sendall(said)
        assert runner_client._is_open(ours) is is_open
        if said == b"x":
            assert ours.recv(1) == b"x"
