"""Lines between the runner and a program of mode `library`, and how that is started."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_runner import kept, library, resident
from model_runner.imports import Script
from model_runner.kept import BrokenError
from model_runner.library import LibraryMode, Lines
from model_runner.processes import Strays

#: Of a line of the program.
MESSAGE_BYTES = 4 * 1024 * 1024
SCRIPT = Script("python3", ("-u", "-I"), "main.py", ("run", "{input}"))


@pytest.fixture
def pair() -> Iterator[tuple[Lines, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Lines(ours), theirs


def test_nothing_is_waited_for(pair: tuple[Lines, socket.socket]) -> None:
    lines, program = pair
    assert lines.receive() == []
    assert lines.fileno() != program.fileno()
    program.sendall(b"a\nb")
    assert lines.receive() == ["a"]
    assert lines.receive() == []
    program.sendall(b"c\n\n")
    assert lines.receive() == ["bc", ""]


@pytest.mark.parametrize(("length", "is_long"), [(MESSAGE_BYTES, False), (MESSAGE_BYTES + 1, True)])
def test_a_line_may_be_so_long(
    length: int, is_long: bool, pair: tuple[Lines, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "read_some", lambda _descriptor: b"x" * length)
    if is_long:
        with pytest.raises(BrokenError, match=r"^it sent a message that is too long$"):
            pair[0].receive()
    else:
        assert pair[0].receive() == []


@pytest.mark.parametrize(
    ("failure", "told"), [(None, "the connection was closed"), (ConnectionResetError(), "the connection was reset")]
)
def test_a_connection_that_is_gone_is_an_end(
    failure: Exception | None, told: str, pair: tuple[Lines, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_descriptor: int) -> bytes:
        if failure:
            raise failure
        return b""

    monkeypatch.setattr(library, "read_some", read)
    with pytest.raises(EOFError, match=told):
        pair[0].receive()


class Slow:
    """A socket that takes `sizes` bytes at a time; None: nothing, without a wait."""

    def __init__(self, *sizes: int | None) -> None:
        self._sizes = list(sizes)
        self.said: list[object] = []

    def setblocking(self, value: bool) -> None:
        self.said.append(value)

    def settimeout(self, seconds: float) -> None:
        self.said.append(seconds)

    def send(self, data: bytes) -> int:
        size = self._sizes.pop(0)
        if size is None:
            raise BlockingIOError
        self.said.append(data[:size])
        return size

    def sendall(self, data: bytes) -> None:
        self.said.append(data)
        if self._sizes:
            raise TimeoutError


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([4], [False, b"job\n"]),
        ([2], [False, b"jo", 10.0, b"b\n", False]),
        ([None], [False, 10.0, b"job\n", False]),
    ],
)
def test_a_line_is_sent_at_once_and_what_does_not_fit_with_a_timeout(sizes: list[int | None], said: object) -> None:
    slow: Any = Slow(*sizes)
    Lines(slow).send(b"job")
    assert slow.said == said


def test_after_a_timeout_nothing_is_waited_for_again() -> None:
    slow: Any = Slow(2, 1)
    with pytest.raises(socket.timeout):
        Lines(slow).send(b"job")
    assert slow.said[-1] is False


@pytest.mark.parametrize("starts", [True, False])
def test_the_stand_in_is_started_with_a_socket_of_its_own(starts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    pairs: list[tuple[socket.socket, socket.socket]] = []
    pair = socket.socketpair

    def made(*kind: Any) -> tuple[socket.socket, socket.socket]:
        pairs.append(pair(*kind))
        return pairs[-1]

    class Program:
        pid = os.getpid()

        def __init__(self, *arguments: Any) -> None:
            if not starts:
                raise FileNotFoundError(2, "No such file or directory", "python3")
            given.extend(arguments)
            self.inherited = os.fstat(arguments[-1][0]).st_ino

        def talk_over(self, channel: Any) -> None:
            self.channel = channel

    monkeypatch.setattr(socket, "socketpair", made)
    monkeypatch.setattr(library, "Program", Program)
    monkeypatch.setattr(library, "free_port", lambda: 20_001)
    connection: Any = object()
    mode: Any = LibraryMode(SCRIPT, "/work", connection)
    ((ours, theirs),) = pairs
    assert theirs.fileno() == -1
    if not starts:
        assert ours.fileno() == -1
        assert mode._program is None
        return
    argv, directory, server, strays, (number,) = given
    stand_in = str(Path(library.__file__).with_name("stand_in.py"))
    assert argv == ["python3", "-u", "-I", stand_in, str(number), "main.py", "serve", "-p", "20001", "--gai"]
    assert (directory, server, type(strays)) == ("/work", connection, Strays)
    assert mode._program.channel.fileno() == ours.fileno()
    assert ours.family == socket.AF_UNIX
    assert ours.type == socket.SOCK_STREAM
    assert mode.name == "library"
    ours.close()


def test_resident_is_started_to_listen_on_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    attempts: list[tuple[int, float]] = []
    answers: list[Any] = [ConnectionRefusedError(), BrokenError(), 7]

    def begun(program: Any, *arguments: Any) -> None:
        given.extend(arguments)
        program.channel, program.is_listening = None, False

    def connected(port: int, seconds: float) -> Any:
        attempts.append((port, seconds))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(kept.Program, "__init__", begun)
    monkeypatch.setattr(kept.Program, "talk_over", lambda program, channel: setattr(program, "channel", channel))
    monkeypatch.setattr(resident, "free_port", lambda: 20_001)
    monkeypatch.setattr(resident, "WebSocket", connected)
    connection: Any = object()
    mode: Any = resident.ResidentMode(SCRIPT, "/work", connection)
    argv, directory, server, strays = given
    assert argv == ["python3", "-u", "-I", "main.py", "serve", "-p", "20001", "--gai"]
    assert (directory, server, type(strays)) == ("/work", connection, Strays)
    program = mode._program
    reached = [(program.reach(), program.is_listening) for _ in range(4)]
    assert reached == [(False, False), (False, False), (True, True), (True, True)]
    assert (program.channel, attempts) == (7, [(20_001, 10.0)] * 3)
    assert mode.name == "resident"


def test_a_free_port_is_one_that_nobody_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ranges: list[tuple[int, ...]] = []
    with socket.socket() as taken, socket.socket() as free:
        for one in (taken, free):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], free.getsockname()[1]]
        free.close()
        left = list(ports)

        def drawn(_chance: Any, *between: int) -> int:
            ranges.append(between)
            return left.pop(0)

        monkeypatch.setattr("random.SystemRandom.randrange", drawn)
        assert resident.free_port() == ports[1]
    assert ranges == [(20_000, 32_000)] * 2
