"""The lines that a program prints while it runs reach the server's page from the runner's log."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_runner import logs
from model_runner.logs import JobLog
from model_server.runner_client import RunnerClient
from model_server.runner_line import Line
from model_server.slots import OwnSlot


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        yield ours, theirs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    return now


def heard(theirs: socket.socket) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in theirs.recv(100_000).splitlines()]
    except BlockingIOError:
        return []


def test_the_last_lines_are_told_now_and_then(ends: tuple[socket.socket, socket.socket], clock: list[float]) -> None:
    ours, theirs = ends
    log = JobLog("job 1", "1")
    log.feed("stdout", b"".join(b"row %d\n" % number for number in range(9)))
    log.tell(ours)
    assert heard(theirs) == []  # a short job costs nothing
    clock[0] += logs.TOLD_SECONDS
    log.feed("stderr", b"\r 10%\r 50%")
    log.tell(ours)
    assert heard(theirs) == [{"said": ["row 5", "row 6", "row 7", "row 8", " 50%"], "job": "1"}]
    log.feed("stdout", b"x" * 1000 + b"\n\xff\n\n")
    log.tell(ours)
    assert heard(theirs) == []
    clock[0] += logs.TOLD_SECONDS
    log.tell(ours)
    told = heard(theirs)[0]["said"]
    assert told[-3:] == ["x" * logs.TOLD_CHARACTERS, "\ufffd", " 50%"]
    clock[0] += logs.TOLD_SECONDS
    log.tell(ours)
    assert heard(theirs) == []  # nothing new


def test_nobody_is_told_who_did_not_ask_or_is_gone(
    ends: tuple[socket.socket, socket.socket], clock: list[float]
) -> None:
    ours, theirs = ends
    for told in (None, "1"):
        log = JobLog("job 1", told)
        log.feed("stdout", b"row\n")
        clock[0] += logs.TOLD_SECONDS
        if told is not None:
            theirs.close()
        log.tell(ours)
        if told is None:
            assert heard(theirs) == []


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_what_is_said_comes_before_the_answer(ends: tuple[socket.socket, socket.socket], piece: int) -> None:
    ours, theirs = ends
    said: list[dict[str, Any]] = []
    messages = (
        b'{"said": ["a"], "job": "1"}\n{"said": ["b"], "job": "1"}\n{"job": "1", "error": null, "content": 3}\nxyz'
    )

    async def ask() -> object:
        line = Line(theirs, said.append)
        asked = asyncio.ensure_future(line.ask(b"{}\n", 10))
        for start in range(0, len(messages), piece):
            ours.sendall(messages[start : start + piece])
            await asyncio.sleep(0)
        answer = await asked
        line.hang_up()
        return answer

    assert asyncio.run(ask()) == ({"job": "1", "error": None, "content": 3}, b"xyz")
    assert [message["said"] for message in said] == [["a"], ["b"]]


@pytest.mark.parametrize("message", [b'{"said": ' + b"[" * 100_000 + b"\n", b"[" * 100_000 + b"\n"])
def test_a_message_that_is_nested_too_deeply_ends_the_line(
    ends: tuple[socket.socket, socket.socket], message: bytes
) -> None:
    ours, theirs = ends

    async def ask() -> None:
        asked = asyncio.ensure_future(Line(theirs, lambda _: None).ask(b"{}\n", 10))
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, ours.sendall, message)
        await asked

    with pytest.raises(ValueError, match="deep"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ({"said": ["a\x1b[2J", "b" * 1000], "job": "1"}, ("a [2J", "b" * 200)),
        ({"said": [str(number) for number in range(100)], "job": "1"}, ("95", "96", "97", "98", "99")),
        ({"said": [1, None, {}], "job": "1"}, ("1", "None", "{}")),
        ({"said": 5, "job": "1"}, ()),
        ({"said": ["of another"], "job": "2"}, ("before",)),
        ({"said": ["of nobody"]}, ("before",)),
    ],
)
def test_the_server_takes_anything_and_keeps_little(tmp_path: Path, message: dict[str, Any], lines: tuple[str]) -> None:
    client = RunnerClient(OwnSlot(["true"]))
    client._said = ("1", ("before",))
    client._hear(message)
    assert client.said("1") == lines
    assert client.said("2") is None
