"""Attacks by what one client does with connections and with the head of a request."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress

import pytest
import requests

from model_server import bounds, settings, stopping
from tests.rig.waiting import eventually

from .conftest import Target, harmless

HEAD = b"GET /health HTTP/1.1\r\nHost: x\r\n"


def read(connection: socket.socket) -> bytes:
    """Read until the server hangs up."""
    answer = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def status(target: Target, request: bytes) -> bytes:
    """Send a request; return the first line of its answer."""
    with target.connect() as connection:
        connection.sendall(request)
        return connection.recv(65536).partition(b"\r\n")[0]


@pytest.mark.parametrize("piece", [b"X: " + b"a" * 60_000 + b"\r\n", b"a" * 60_000], ids=["headers", "header"])
def test_a_head_without_an_end_is_refused(target: Target, piece: bytes) -> None:
    sent = 0
    with harmless(target), target.connect() as connection:
        connection.sendall(HEAD + b"X: ")
        with suppress(OSError):
            while sent < 400_000_000:
                connection.sendall(piece)
                sent += len(piece)
    assert sent < 20_000_000  # as much as lay in the kernel's buffers


def test_a_head_has_so_many_bytes_and_so_many_headers_and_no_more(target: Target) -> None:
    fits = HEAD + b"X: " + b"a" * (bounds.HEAD_BYTES - 20) + b"\r\n\r\n"
    assert status(target, fits) == b"HTTP/1.1 200 OK"
    longer = HEAD + b"X: " + b"a" * bounds.HEAD_BYTES + b"\r\n\r\n"
    assert status(target, longer) == b"HTTP/1.1 431 Request Header Fields Too Large"
    many = HEAD + b"X: a\r\n" * (bounds.HEADERS - 1)
    assert status(target, many + b"\r\n") == b"HTTP/1.1 200 OK"
    assert status(target, many + b"X: a\r\n\r\n") == b"HTTP/1.1 431 Request Header Fields Too Large"


def test_silent_connections_give_way_to_those_that_speak(
    serve: Callable[..., AbstractContextManager[Target]],
) -> None:
    with serve() as target, ExitStack() as held, harmless(target):
        silent = [held.enter_context(target.connect()) for _ in range(bounds.CONNECTIONS + 100)]
        time.sleep(1)
        silent[0].settimeout(5)
        assert read(silent[0]) == b""  # it has waited longest


def test_an_upload_that_goes_on_keeps_no_server_from_its_end(
    serve: Callable[..., AbstractContextManager[Target]],
) -> None:
    """Nor does a job that outlasts the drain, and together they take less than the 30 s that ECS waits.

    Its client is told to send it again.
    """
    assert settings.from_environment({}).drain_seconds + stopping.LAST_SECONDS < 30
    ended = threading.Event()
    with serve() as target, target.connect() as upload:
        upload.sendall(
            b"POST /data/add-job HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b'42\r\n--b\r\nContent-Disposition: form-data; name="File"; filename="x"\r\n\r\n\r\n'
        )

        def send() -> None:
            with suppress(OSError):
                while not ended.wait(0.05):
                    upload.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")

        sender = threading.Thread(target=send)
        sender.start()
        long = requests.post(f"{target.url}/data/add-job", files={"File": b"!sleep 18"}, timeout=10)
        job = f"{target.url}/data/status/{long.json()['data']['id']}"
        eventually(lambda: requests.get(job, timeout=10).json()["data"]["status"] == "InProgress")
        target.process.terminate()
        try:
            assert target.process.wait(15) == 0
        finally:
            ended.set()
            sender.join()
        assert upload.recv(65536).startswith(b"HTTP/1.1 503 ")
        assert "Traceback" not in (target.data.parent / "log").read_text(encoding="utf-8")
