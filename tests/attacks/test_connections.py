"""Attacks by what one client does with connections and with the head of a request."""

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress

import pytest

from model_server import bounds

from .conftest import Target, harmless

HEAD = b"GET /health HTTP/1.1\r\nHost: x\r\n"


def read(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    answer = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def status(target: Target, request: bytes) -> bytes:
    """The first line that a request is answered with."""
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
