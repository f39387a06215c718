"""A listener's socket: its connections move from target to target between two requests, and never within one."""

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.forwarder import NO_CONNECTION, REASON_HEADER, Forwarder, Requests
from model_sandbox.http_answer import Answer
from model_sandbox.target import eligible


@contextmanager
def target(name: str, is_asked: threading.Event, may_answer: threading.Event) -> Iterator[tuple[str, int]]:
    """Serve `name` on connections that stay open, each answer when it may be given."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            is_asked.set()
            may_answer.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield "127.0.0.1", server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_an_open_connection_moves_on_between_two_requests() -> None:
    asked, free, held = threading.Event(), threading.Event(), threading.Event()
    free.set()
    held.set()
    with target("one", asked, held) as one, target("two", asked, free) as two:
        serving: list[tuple[str, int]] = [one]
        requests = Requests()
        chosen = lambda: serving[0] if serving else None  # noqa: E731
        forwarder = Forwarder("127.0.0.1", 0, chosen, lambda at: at in serving, requests)
        client = http.client.HTTPConnection("127.0.0.1", forwarder.port, timeout=60)

        def answer() -> bytes:
            client.request("GET", "/")
            return client.getresponse().read()

        assert (answer(), answer()) == (b"one", b"one")
        first = client.sock
        held.clear()
        asked.clear()
        client.request("GET", "/")
        assert asked.wait(60)
        assert requests.is_open("127.0.0.1")
        serving[0] = two
        held.set()
        assert client.getresponse().read() == b"one", "it was asked"
        assert not requests.is_open("127.0.0.1"), "though the connection is"
        assert answer() == b"two"
        assert client.sock is first, "the client has noticed nothing"
        serving.clear()
        client.request("GET", "/")
        assert client.getresponse().status == 503
        forwarder.close()


def through(at: tuple[str, int] | None, body: bytes = b"") -> tuple[int, str]:
    """Return status and reason that a client gets whose load balancer has this target."""
    requests = Requests()
    forwarder = Forwarder("127.0.0.1", 0, lambda: at, lambda _: True, requests)
    client = http.client.HTTPConnection("127.0.0.1", forwarder.port, timeout=60)
    try:
        client.request("POST", "/", body)
        answer = client.getresponse()
        return answer.status, answer.headers[REASON_HEADER]
    finally:
        client.close()
        forwarder.close()
        assert not (at and requests.is_open(at[0]))


def test_who_gets_no_target_or_no_connection_is_told_so() -> None:
    assert through(None, b"x" * 300_000) == (503, "no target")
    with socket.create_server(("127.0.0.1", 0)) as gone:
        at = gone.getsockname()
    assert through(at, b"x" * 300_000) == (502, f"{NO_CONNECTION} {at[0]}:{at[1]}")


@pytest.mark.parametrize("is_reset", [True, False])
def test_a_target_that_hangs_up_unanswered_is_a_bad_gateway(is_reset: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                if is_reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        threading.Thread(target=hang_up, daemon=True).start()
        host, port = listener.getsockname()
        assert through((host, port)) == (502, f"{host}:{port} closed it unanswered")


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        (("initial", "healthy", "unhealthy"), ["healthy"]),
        (("unhealthy", "initial"), ["unhealthy"]),
        (("initial", "initial"), []),
        ((), []),
    ],
)
def test_healthy_targets_get_requests_else_unhealthy_ones_but_none_that_is_new(
    states: tuple[str, ...], chosen: list[str]
) -> None:
    targets: Any = [SimpleNamespace(state=state) for state in states]
    assert [target.state for target in eligible(targets)] == chosen


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"on", b"e"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 0\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length:1\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\none\r\n", b"0\r\n", b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"\r\n"),
    ],
)
def test_an_answer_is_whole_with_its_last_piece(pieces: tuple[bytes, ...]) -> None:
    answer = Answer()
    for _ in range(2):
        answer.ask()
        seen = []
        for piece in pieces:
            answer.take(piece)
            seen.append(answer.is_whole)
        assert seen == [False] * (len(pieces) - 1) + [True]


def test_what_a_target_says_unasked_is_no_answer_to_what_is_asked_next() -> None:
    answer = Answer()
    answer.take(b"HTTP/1.1 408 Request Timeout\r\n")
    answer.ask()
    answer.take(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
    assert not answer.is_whole
    answer.take(b"k")
    assert answer.is_whole


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"x" * 200_000,
    ],
)
def test_an_answer_without_a_known_end_never_is_whole(head: bytes) -> None:
    answer = Answer()
    answer.ask()
    for piece in (head, b"more", b"0\r\n\r\n"):
        answer.take(piece)
        assert not answer.is_whole
