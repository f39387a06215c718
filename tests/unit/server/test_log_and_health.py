"""The lines of the log, letter for letter, and what the probe of a server takes for health."""

import asyncio
import ctypes
import io
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_server import health, log, orphans, stopping
from model_server.orphans import Orphans
from model_server.stopping import Server


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Have the log written to memory, and all of logging as it was afterwards."""
    stream = io.StringIO()
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "_srcfile"):
        monkeypatch.setattr(logging, name, getattr(logging, name))
    monkeypatch.setattr(logging.root, "handlers", [])
    level, own = logging.root.level, log.logger.level
    yield stream
    logging.root.setLevel(level)
    log.logger.setLevel(own)


def configure(stream: io.StringIO, *, as_json: bool) -> None:
    with redirect_stdout(stream):
        log.configure(as_json)


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(time, "time", lambda: seconds)
    monkeypatch.setattr(time, "time_ns", lambda: int(seconds * 1e9))  # of a record, since Python 3.13


def test_a_line_is_its_time_and_its_text(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(written, as_json=False)
    for seconds in (1_700_000_000.25, 1_700_000_000.75, 1_700_000_001.0):
        at(monkeypatch, seconds)
        log.log_job("j", "complete after %.1f s", 1.5)
    log.logger.info("plain %s", "text")
    logging.getLogger("other").warning("theirs")
    logging.getLogger("other").info("not asked for")
    log.logger.debug("not asked for")
    assert written.getvalue() == (
        "2023-11-14T22:13:20Z job j complete after 1.5 s\n"
        "2023-11-14T22:13:20Z job j complete after 1.5 s\n"
        "2023-11-14T22:13:21Z job j complete after 1.5 s\n"
        "2023-11-14T22:13:21Z plain text\n"
        "2023-11-14T22:13:21Z theirs\n"
    )
    assert (logging.logThreads, logging.logProcesses, logging.logMultiprocessing) == (False, False, False)


def test_a_fault_is_written_with_its_traceback(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(written, as_json=False)
    at(monkeypatch, 1_700_000_000.0)
    log.logger.error("it failed", exc_info=ValueError("no"))
    assert written.getvalue() == "2023-11-14T22:13:20Z it failed\nValueError: no\n"


def test_a_line_may_be_json(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(written, as_json=True)
    at(monkeypatch, 1_700_000_000.0625)
    log.log_job("j", "größer: %s", "x")
    log.logger.warning("of no job")
    log.logger.error("it failed", exc_info=ValueError("no"))
    common = {"time": "2023-11-14T22:13:20.062Z"}
    events = [json.loads(line) for line in written.getvalue().splitlines()]
    assert events == [
        {**common, "level": "INFO", "message": "job j größer: x", "job": "j"},
        {**common, "level": "WARNING", "message": "of no job"},
        {**common, "level": "ERROR", "message": "it failed", "error": "ValueError: no"},
    ]
    assert "größer" in written.getvalue()


def test_nothing_is_made_of_a_line_that_nobody_reads(written: io.StringIO) -> None:
    configure(written, as_json=False)
    log.logger.setLevel(logging.WARNING)
    log.log_job("j", "complete")
    assert written.getvalue() == ""


@pytest.mark.parametrize(
    ("first", "second", "pieces"),
    [(2000, 2094, 1), (2000, 2095, 2), (5000, 1, 2)],
)
def test_lines_are_joined_as_far_as_they_are_written_in_one_piece(first: int, second: int, pieces: int) -> None:
    lines = ["x" * first, "y" * second]
    found = list(log._whole(lines))
    assert (len(found), "".join(found)) == (pieces, "".join(f"{line}\n" for line in lines))


class Port:
    """Answers of a server, and what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: bytes | OSError) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []
        self.slept: list[float] = []
        self.now = 100.0
        monkeypatch.setattr(socket, "create_connection", self.connect)
        monkeypatch.setattr(health.time, "sleep", self.sleep)
        monkeypatch.setattr(health.time, "monotonic", lambda: self.now)
        for name in [name for name in os.environ if name.startswith(("MODEL_API_KEY", "MODEL_ALLOWED"))]:
            monkeypatch.delenv(name)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def connect(self, address: tuple[str, int], timeout: float) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        left = io.BytesIO(answer)
        port = self

        class Connection:
            """The connection of one request."""

            closed = False

            def __enter__(self) -> "Connection":
                return self

            def __exit__(self, *_: object) -> None:
                port.asked.append("closed")

            def sendall(self, data: bytes) -> None:
                port.asked.append((address, timeout, data))

            def recv(self, count: int) -> bytes:
                return left.read(count)

        return Connection()


WELL = b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\nHealth check is ok"


def asked(path: str, host: str = "127.0.0.1") -> list[Any]:
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    return [((host, 80), 3.0, head), "closed"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        *(("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("[::]", "::1")),  # noqa: S104 - not bound
        *(("10.0.0.1", "10.0.0.1"), ("[fd00::1]", "fd00::1")),
    ],
)
def test_a_server_is_asked_at_an_address_that_it_has(host: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch, WELL)
    assert health.probe(80, host) is None
    assert port.asked == asked("/health", address)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (WELL + b"!", "port 80 answers something else than 'Health check is ok'"),
        (WELL.replace(b"200", b"503"), "port 80 answers something else than 'Health check is ok'"),
        (WELL + b"x" * 200_000, "port 80 answers something else than 'Health check is ok'"),
        (b"", "port 80 answers something else than 'Health check is ok'"),
        (ConnectionRefusedError(111, "Connection refused"), "port 80 does not answer: [Errno 111] Connection refused"),
    ],
)
def test_anything_else_is_no_health(answer: bytes | OSError, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Port(monkeypatch, answer)
    assert health.probe(80) == told


def test_an_answer_without_an_end_is_read_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch)
    read: list[int] = []

    class Endless:
        """Sends more and more."""

        def __enter__(self) -> "Endless":
            return self

        def __exit__(self, *_: object) -> None: ...

        def sendall(self, _data: bytes) -> None: ...

        def recv(self, count: int) -> bytes:
            read.append(count)
            return b"x" * count

    monkeypatch.setattr(socket, "create_connection", lambda *_: Endless())
    assert health.probe(80) is not None
    assert (read, port.asked) == ([4096] * 16, [])


def ready(body: str, status: str = "503 x") -> bytes:
    return f"HTTP/1.1 {status}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answers", "told", "looks"),
    [
        ([WELL, ready("ready", "200 OK")], None, 0),
        ([WELL, ready("Not ready: a", "503"), WELL, ready("ready", "200 OK")], None, 1),
        ([WELL, ready("Not ready: the server is about to stop")], None, 0),
        ([WELL, ready("Not found", "404 Not Found")], None, 0),
        ([WELL, b""], "port 80 ends in the middle of an answer", 0),
        ([WELL, ConnectionResetError("gone")], "port 80 does not answer: gone", 0),
        ([WELL, ready("Not ready: a"), ConnectionResetError("gone")], "port 80 does not answer: gone", 1),
    ],
)
def test_readiness_is_waited_for(
    answers: list[bytes | OSError], told: str | None, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = Port(monkeypatch, *answers)
    assert health.probe_ready(80) == told
    assert port.slept == [0.25] * looks
    assert port.answers == []
    if told is None:
        assert port.asked == (asked("/health") + asked("/ready")) * (looks + 1)


def test_what_is_not_ready_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch, *[WELL, ready("Not ready: the sample runs")] * 1000)
    assert health.probe_ready(80) == "Not ready: the sample runs"
    assert len(port.slept) == 221
    assert port.now - 100 == 55.25


class Adopted:
    """The processes of an adopter, as the kernel lists them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.folder = folder
        self.now = 0.0
        monkeypatch.setattr(orphans, "Path", lambda text: folder if text == "/proc/self/task" else Path(text))
        monkeypatch.setattr(orphans.time, "sleep", self.sleep)
        monkeypatch.setattr(orphans.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(os, "kill", lambda pid, number: self.calls.append(("kill", pid, number)))
        monkeypatch.setattr(os, "waitpid", lambda pid, options: self.calls.append(("wait", pid, options)))
        self.ends = True

    def sleep(self, seconds: float) -> None:
        self.now += 1.0
        assert seconds == 0.005
        if self.ends:
            self.list(a="11 12", b="")

    def list(self, **children: str) -> None:
        for task, text in children.items():
            (self.folder / task).mkdir(exist_ok=True)
            (self.folder / task / "children").write_text(text, encoding="ascii")


def test_what_an_ended_child_left_is_ended_and_no_child_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopted = Adopted(tmp_path, monkeypatch)
    library = SimpleNamespace(prctl=lambda *words: adopted.calls.append(words) or 0)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_words, **_: library)
    (tmp_path / "gone").mkdir()
    adopted.list(a="11 12 13", b="14 ")
    mine = Orphans()
    for child in (11, 12, 13):
        mine.enter(child)
    mine.leave(13)
    assert adopted.calls == [], "it adopts nothing yet"
    mine.enter(13)
    mine.adopt()
    assert adopted.calls == [(36, 1, 0, 0, 0)]
    adopted.calls.clear()
    mine.leave(13)
    assert sorted(adopted.calls) == sorted(
        call for pid in (13, 14) for call in (("kill", pid, signal.SIGKILL), ("wait", pid, os.WNOHANG))
    )
    assert not mine.guard.locked()
    mine.leave(99)


def test_what_cannot_be_ended_is_left_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adopted = Adopted(tmp_path, monkeypatch)
    adopted.ends = False
    adopted.list(a="11 12")
    mine = Orphans()
    mine._adopts = True

    def refuse(pid: int, _number: int) -> None:
        adopted.calls.append(pid)
        raise ProcessLookupError if pid == 11 else PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    mine.leave(1)
    assert sorted(adopted.calls) == [11] * 5 + [12] * 5


class Stop:
    """A server that is told to stop, and all that it tells."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: float = 0.0) -> None:
        self.calls: list[Any] = []
        self.now = 100.0
        self.workers = SimpleNamespace(draining=False, drain=self.drain)
        self.takes = takes
        note = self.calls.append
        connections: Any = SimpleNamespace(dismiss=lambda: note("dismiss"))
        heartbeat: Any = SimpleNamespace(withdraw=lambda: note("withdraw"))
        config: Any = SimpleNamespace()
        self.server = Server.__new__(Server)
        monkeypatch.setattr("uvicorn.Server.__init__", lambda *_: None)
        Server.__init__(self.server, config, connections, self.workers, heartbeat, 25.0)  # type: ignore[arg-type]
        self.server.should_exit = False
        self.server.on_stop = lambda: note("on stop")
        monkeypatch.setattr(stopping.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(stopping.time, "sleep", lambda seconds: note(("sleep", round(seconds, 3))))

        class Thread:
            """Does at once what a thread would."""

            def __init__(self, *, target: Any, name: str, daemon: bool) -> None:
                note((name, daemon))
                self.start = target

        monkeypatch.setattr(stopping.threading, "Thread", Thread)

    def drain(self, seconds: float) -> None:
        self.calls.append(("drain", seconds))
        self.now += self.takes


@pytest.mark.parametrize(("takes", "left"), [(0.0, 1.0), (0.25, 0.75), (3.0, 0.0)])
def test_a_server_that_is_told_to_stop_drains_once(
    takes: float, left: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "model_server")
    stop = Stop(monkeypatch, takes)
    for _ in range(2):
        stop.server.handle_exit(signal.SIGTERM, None)
    assert stop.calls == [
        *("on stop", "dismiss", ("drain", True), "withdraw", ("drain", 25.0), ("sleep", left)),
    ]
    assert stop.server.should_exit is True
    assert caplog.messages == ["stopping: running jobs have 25 s to end"]


def test_a_server_that_lost_its_data_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop(monkeypatch)
    stop.server.stop_at_once()
    assert (stop.calls, stop.server.should_exit) == (["withdraw", ("drain", 0)], True)
    stop.calls.clear()
    stop.workers.draining = True
    stop.server.handle_exit(signal.SIGTERM, None)
    assert stop.calls == []


def test_those_who_wait_to_be_accepted_are_answered_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop(monkeypatch)
    note = stop.calls.append

    async def shutdown(_server: Any, sockets: Any = None) -> None:
        note(("shutdown", sockets))

    async def startup(_server: Any, sockets: Any = None) -> None:
        note(("startup", sockets))

    monkeypatch.setattr("uvicorn.Server.shutdown", shutdown)
    monkeypatch.setattr("uvicorn.Server.startup", startup)
    waiting = iter(["a", "b"])

    class Listener:
        """A socket at which two wait."""

        def accept(self) -> tuple[str, None]:
            found = next(waiting, None)
            if found is None:
                raise BlockingIOError
            return found, None

    async def work() -> None:
        loop = asyncio.get_running_loop()

        async def connect(protocol: Any, connection: str) -> None:
            note((protocol == stop.server._protocol, connection))

        monkeypatch.setattr(loop, "connect_accepted_socket", connect)
        stop.server.servers = [SimpleNamespace(close=lambda: note("close"))]  # type: ignore[list-item]
        stop.server.on_start = lambda: note("on start")
        listener: Any = Listener()
        await stop.server.startup([listener])
        await stop.server.shutdown([listener])
        assert stop.calls == [
            *(("startup", [listener]), "on start", "dismiss", "close", (True, "a"), (True, "b")),
            ("shutdown", [listener]),
        ]
        await stop.server.shutdown()
        assert stop.calls[-1] == ("shutdown", None)

    asyncio.run(work())
