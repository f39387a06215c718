"""Mode `library` meets programs that break its protocol; tests/integration has those that keep it."""

import asyncio
import io
import json
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from model_runner.kept import MESSAGE_BYTES, BrokenError, status_of
from model_runner.library import Lines
from model_runner.stand_in import OTHER, StandIn

from .test_runner import ask, runner


@pytest.fixture
def pair() -> tuple[Lines, socket.socket]:
    ours, theirs = socket.socketpair()
    return Lines(ours), theirs


def test_lines_come_whole(pair: tuple[Lines, socket.socket]) -> None:
    lines, program = pair
    received = []
    for piece in (b'{"a"', b": 1}\n", b"one\ntwo\nth", b"ree\n\xff\n"):
        program.sendall(piece)
        received.append(lines.receive())
    assert received == [[], ['{"a": 1}'], ["one", "two"], ["three", "\ufffd"]]
    lines.send(b"job")
    assert program.recv(100) == b"job\n"
    program.close()
    with pytest.raises(EOFError):
        lines.receive()


def test_a_line_without_an_end_is_not_kept_for_ever(pair: tuple[Lines, socket.socket]) -> None:
    lines, program = pair
    with pytest.raises(BrokenError, match="too long"):
        for _ in range(MESSAGE_BYTES // 1024 + 2):
            program.sendall(b"x" * 1024)
            lines.receive()


def test_what_a_function_has_said_is_out_before_its_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []

    class Stream(io.StringIO):
        def flush(self) -> None:
            happened.append(self.getvalue())

    out, error = Stream(), Stream()
    monkeypatch.setattr("sys.__stdout__", out)
    monkeypatch.setattr("sys.__stderr__", error)
    ours, theirs = socket.socketpair()

    def handler(source: str, target: str) -> None:
        out.write("half a line")
        error.write("half an error")
        Path(target).write_bytes(b"done")

    class Channel:
        def sendall(self, data: bytes) -> None:
            happened.append(json.loads(data)["status"])
            raise EOFError  # the runner is gone, so the loop ends

    stand_in = StandIn(ours)
    stand_in._channel = Channel()  # type: ignore[assignment]
    stand_in._library = SimpleNamespace(_request_handler=handler)
    (tmp_path / "in").touch()
    stand_in._waiting = [{"requestId": "1", "inputFile": str(tmp_path / "in"), "outputFile": str(tmp_path / "out")}]

    async def serve() -> None:
        await stand_in._serve(asyncio.get_running_loop(), False)

    with ours, theirs, pytest.raises(EOFError):
        asyncio.run(serve())
    assert happened == ["half a line", "half an error", "complete"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000, '{"a":' * 100_000, "\ufffd"])
def test_what_is_no_status_is_an_error_of_the_program(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        status_of(text)


@pytest.mark.parametrize(
    ("library", "error"),
    [
        ("def wait_for_requests(handler): pass", OTHER),
        (None, "ModuleNotFoundError: No module named 'gravityai'"),
    ],
)
def test_a_program_without_the_library_that_is_known_fails_by_saying_so(
    library: str | None, error: str, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text("from gravityai import gravityai\ngravityai.wait_for_requests(print)\n")
    if library is not None:
        (tmp_path / "gravityai").mkdir()
        (tmp_path / "gravityai/__init__.py").touch()
        (tmp_path / "gravityai/gravityai.py").write_text(library, encoding="utf-8")
    manifest, source = tmp_path / "model.json", tmp_path / "in"
    command = [sys.executable, "-I", "main.py", "{input}", "{output}"]
    if library is not None:
        command.remove("-I")
    manifest.write_text(json.dumps({"command": command, "working_directory": str(tmp_path)}), encoding="utf-8")
    source.touch()
    with runner(sys.executable, manifest, tmp_path, "library") as (connection, _):
        reply = ask(connection, job="1", input=str(source), output=str(tmp_path / "out"), timeout=30)
    assert (reply["status"], reply["exit"]) == ("error", 1)
    assert str(reply["error"]).splitlines()[-1] == error
