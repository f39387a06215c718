"""The lines that the runner and its program write to the container's log."""

import errno
import json
import os
import socket
from typing import Any

import pytest

from model_runner.logs import JobLog, log

from .conftest import STAMP, Clock


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_LOG_FORMAT", raising=False)


def shown(lines: list[str]) -> list[str]:
    """Return the lines without their stamps, each of which must be there and end."""
    assert all(line.startswith(f"{STAMP} ") and line.endswith("\n") for line in lines)
    return [line[len(STAMP) + 1 : -1] for line in lines]


def test_a_line_has_its_time_and_no_character_that_poses_or_redraws(said: list[str]) -> None:
    kept = "\tä 语\x7e\xa0\u2027\u202f\u2065\u206a"
    log("a" + kept)
    for character in "\x00\x08\n\x1f\x1b\x7f\x9f\u2028\u202e\u2066\u2069":
        log(f"a{character}b", "job 1")
    assert said == [f"{STAMP} a{kept}\n", *[f"{STAMP} a b\n"] * 11]


@pytest.mark.parametrize("value", ["json", " JSON "])
def test_in_json_a_line_is_an_event_with_the_job_if_it_is_one(
    value: str, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_LOG_FORMAT", value)
    log("a\nb", "job 1a")
    log("c", "program")
    log("d")
    event = {"time": STAMP, "level": "INFO"}
    assert list(map(json.loads, said)) == [
        {**event, "message": "a\nb", "job": "1a"}, {**event, "message": "c"}, {**event, "message": "d"},
    ]  # fmt: skip
    assert all(line.endswith("}\n") and line.count("\n") == 1 for line in said)


def test_a_log_that_is_gone_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_descriptor: int, _data: bytes) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(os, "write", closed)
    log("x")


def test_output_is_copied_by_lines_behind_the_job(said: list[str]) -> None:
    one = JobLog("job 1")
    for stream, data in (("stdout", b"a"), ("stderr", b"x\ny"), ("stdout", b"b\nc\r\n\n"), ("stderr", b"\xff")):
        one.feed(stream, data)
    assert shown(said) == ["job 1 | x", "job 1 | ab", "job 1 | c", "job 1 | "]
    assert one.error_tail == b"x\ny\xff"
    one.finish()
    assert shown(said[4:]) == ["job 1 | y\ufffd"]


def test_of_the_errors_the_end_is_kept() -> None:
    one = JobLog("job 1")
    one.feed("stderr", b"a" * 4096)
    assert one.error_tail == b"a" * 4096
    one.feed("stderr", b"b")
    one.feed("stdout", b"c")
    assert one.error_tail == b"a" * 4095 + b"b"


def test_a_long_line_is_cut_and_one_without_an_end_is_not_waited_for(said: list[str]) -> None:
    one = JobLog("job 1")
    one.feed("stdout", b"a" * 2000)
    assert said == []
    one.feed("stdout", b"\n" + b"b" * 2001)
    one.feed("stdout", b"c\n")
    cut = "b" * 2000 + " [line cut]"
    assert shown(said) == [f"job 1 | {'a' * 2000}", f"job 1 | {cut}", "job 1 | c"]


@pytest.mark.parametrize(
    ("lines", "copied"),
    [([1023] * 255, 255), ([1023] * 256, 256), ([1023] * 300, 256), ([1023] * 255 + [1022, 5], 257)],
)
def test_of_a_job_256_kib_are_copied(lines: list[int], copied: int, said: list[str]) -> None:
    one = JobLog("job 1")
    for length in lines:
        one.feed("stdout", b"a" * length + b"\n")
    all_of_it = ["job 1 | " + "a" * length for length in lines[:copied]]
    end = ["job 1 | [further output is not shown]"] if sum(length + 1 for length in lines) >= 256 * 1024 else []
    assert shown(said) == [*all_of_it, *end]


class Server:
    """A server that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def sendall(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        assert data.count(b"\n") == 1
        self.told.append(json.loads(data))


def test_the_server_is_told_at_most_once_a_second_and_only_news(said: list[str], clock: Clock) -> None:
    server: Any = Server()
    one = JobLog("job 1", "id")
    clock.now += 1
    one.tell(server)
    one.feed("stdout", b"a\n")
    one.feed("stderr", b"b")
    one.tell(server)
    assert server.told == [{"said": ["a", "b"], "job": "id"}]
    one.feed("stdout", b"c\n")
    clock.now += 0.75
    one.tell(server)
    assert len(server.told) == 1
    clock.now += 0.25
    one.tell(server)
    assert server.told[1:] == [{"said": ["a", "c", "b"], "job": "id"}]
    clock.now += 9
    one.tell(server)
    assert len(server.told) == 2


def test_a_job_that_just_began_is_not_told_of(clock: Clock) -> None:
    server: Any = Server()
    one = JobLog("job 1", "id")
    one.feed("stdout", b"a")
    clock.now += 0.75
    one.tell(server)
    assert server.told == []


def test_what_is_told_is_what_a_terminal_would_show(said: list[str], clock: Clock) -> None:
    server: Any = Server()
    one = JobLog("job 1", "id")
    clock.now += 1
    one.feed("stdout", b"1\n2\n3\n4\n5\n6\n")
    one.tell(server)
    one.feed("stdout", b"10%\r100%\r\n\n \t\n" + b"x" * 201 + b"\nhalf\rli\xff")
    clock.now += 1
    one.tell(server)
    assert [told["said"] for told in server.told] == [
        ["2", "3", "4", "5", "6"],
        ["6", "100%", "x" * 200, "li\ufffd"],
    ]


def test_nobody_is_told_who_does_not_ask_and_one_that_is_gone_fails_nobody(clock: Clock, said: list[str]) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        for told in (None, "id"):
            one = JobLog("job 1", told)
            one.feed("stdout", b"a\n")
            clock.now += 1
            one.tell(ours)
    server: Any = Server()
    one = JobLog("job 1")
    one.feed("stdout", b"a\n")
    clock.now += 1
    one.tell(server)
    assert server.told == []
