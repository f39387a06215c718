"""A listener's socket: its connections move from target to target between two requests, and never within one."""

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.forwarder import NO_CONNECTION, REASON_HEADER, Forwarder, Requests, bindable
from model_sandbox.http_answer import Answer
from model_sandbox.target import eligible
from tests.rig.waiting import eventually


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


# ---- by hand: what a target says, and when


class Hand:
    """A client, the load balancer before it, and its targets, each moved by the test."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack, self.requests = stack, Requests()
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listener.settimeout(60)
        self.keeps: list[tuple[str, int]] = []
        self.may_keep = True
        at = self.listener.getsockname()
        self.forwarder = Forwarder("127.0.0.1", 0, lambda: at, self._keep, self.requests)
        stack.callback(self.forwarder.close)
        self.client = self.timed(socket.create_connection(("127.0.0.1", self.forwarder.port)))

    def _keep(self, at: tuple[str, int]) -> bool:
        self.keeps.append(at)
        return self.may_keep

    def timed(self, connection: socket.socket) -> socket.socket:
        connection.settimeout(60)
        return self.stack.enter_context(connection)

    def target(self) -> socket.socket:
        return self.timed(self.listener.accept()[0])

    def is_open(self) -> bool:
        return self.requests.is_open("127.0.0.1")


@pytest.fixture
def hand() -> Iterator[Hand]:
    with ExitStack() as stack:
        yield Hand(stack)


def heard(connection: socket.socket, until: bytes | None = None) -> bytes:
    """Return what is said up to `until`, or to the end."""
    said = b""
    while until is None or not said.endswith(until):
        if not (piece := connection.recv(65536)):
            break
        said += piece
    return said


ASKED = b"GET / HTTP/1.1\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSED = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\nSandbox-Reason: {} closed it unanswered"


def closed_by(hand: Hand) -> bytes:
    host, port = hand.listener.getsockname()
    return f"{CLOSED.format(f'{host}:{port}')}\r\n\r\n".encode()


def test_a_request_of_many_pieces_is_one_until_it_is_answered(hand: Hand) -> None:
    hand.client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n")
    target = hand.target()
    assert heard(target, b"\r\n\r\n").startswith(b"POST")
    hand.client.sendall(b"ab")
    assert heard(target, b"ab") == b"ab"
    assert hand.is_open()
    target.sendall(FINE[:-1])
    assert heard(hand.client, FINE[:-1]) == FINE[:-1]
    assert hand.is_open()
    target.sendall(FINE[-1:])
    assert heard(hand.client, b"k") == b"k"
    assert not hand.is_open()
    hand.client.sendall(ASKED)
    assert heard(target, ASKED) == ASKED, "the target has the next one, too"
    assert hand.keeps == [hand.listener.getsockname()]
    assert hand.is_open()


def test_an_answer_that_breaks_off_is_not_made_another(hand: Hand) -> None:
    hand.client.sendall(ASKED)
    target = hand.target()
    heard(target, ASKED)
    target.sendall(FINE[:-1])
    target.close()
    assert heard(hand.client) == FINE[:-1]
    assert not hand.is_open()


def test_who_hangs_up_on_the_second_request_has_not_answered_it(hand: Hand) -> None:
    hand.client.sendall(ASKED)
    target = hand.target()
    heard(target, ASKED)
    target.sendall(FINE)
    assert heard(hand.client, FINE) == FINE
    hand.client.sendall(ASKED)
    heard(target, ASKED)
    target.close()
    assert heard(hand.client, b"\r\n\r\n") == closed_by(hand)
    assert not hand.is_open()


def test_a_target_that_hangs_up_after_its_answer_is_followed_by_another(hand: Hand) -> None:
    for _ in range(2):
        hand.client.sendall(ASKED)
        target = hand.target()
        assert heard(target, ASKED) == ASKED
        target.sendall(FINE)
        assert heard(hand.client, FINE) == FINE
        target.shutdown(socket.SHUT_WR)
        assert heard(target) == b"", "it is left"


def test_a_target_that_may_have_no_other_request_is_left(hand: Hand) -> None:
    hand.may_keep = False
    targets = []
    for _ in range(2):
        hand.client.sendall(ASKED)
        targets.append(hand.target())
        assert heard(targets[-1], ASKED) == ASKED
        targets[-1].sendall(FINE)
        assert heard(hand.client, FINE) == FINE
    assert heard(targets[0]) == b""


def test_when_the_client_leaves_its_target_is_left_and_owes_nothing(hand: Hand) -> None:
    hand.client.sendall(ASKED)
    target = hand.target()
    heard(target, ASKED)
    hand.client.close()
    assert heard(target) == b""
    eventually(lambda: not hand.is_open())


def test_a_refusal_ends_the_connection() -> None:
    requests = Requests()
    forwarder = Forwarder("127.0.0.1", 0, lambda: None, lambda _: True, requests)
    with socket.create_connection(("127.0.0.1", forwarder.port), timeout=60) as client:
        client.sendall(ASKED)
        told = (
            b"HTTP/1.1 503 Service Temporarily Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n"
            b"Sandbox-Reason: no target\r\n\r\n"
        )
        assert heard(client) == told
    forwarder.close()


def test_who_was_refused_and_does_not_leave_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_sandbox.forwarder._LINGER_SECONDS", 0.01)
    before = set(threading.enumerate())
    forwarder = Forwarder("127.0.0.1", 0, lambda: None, lambda _: True, Requests())
    with socket.create_connection(("127.0.0.1", forwarder.port), timeout=60) as client:
        client.sendall(ASKED)
        assert heard(client).startswith(b"HTTP/1.1 503 ")
        for connection in set(threading.enumerate()) - before:
            if connection.name == "connection":
                connection.join(60)
                assert not connection.is_alive()
    forwarder.close()


def test_who_has_closed_takes_no_connection_and_goes_on_with_open_ones(hand: Hand) -> None:
    hand.client.sendall(ASKED)
    target = hand.target()
    heard(target, ASKED)
    port = hand.forwarder.port
    hand.forwarder.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=60)
    target.sendall(FINE)
    assert heard(hand.client, FINE) == FINE
    hand.forwarder.close()


def test_neither_a_listener_nor_its_connections_keep_the_process() -> None:
    before = set(threading.enumerate())
    with ExitStack() as stack:
        hand = Hand(stack)
        hand.client.sendall(ASKED)
        heard(hand.target(), ASKED)
        ours = [
            each for each in set(threading.enumerate()) - before if each.name.startswith(("listener-", "connection"))
        ]
        assert [each.daemon for each in ours] == [True, True]


def test_a_port_is_bindable_unless_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert bindable("127.0.0.1", port) == 0
        with socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()
    assert bindable("127.0.0.1", port) == port, "though a connection of it was closed just now"


def test_requests_are_counted_by_address() -> None:
    requests = Requests()
    steps = (
        (requests.begin, "a"),
        (requests.begin, "a"),
        (requests.end, "a"),
        (requests.begin, "b"),
        (requests.end, "a"),
    )
    seen = []
    for step, address in steps:
        step(address)
        seen.append((requests.is_open("a"), requests.is_open("b")))
    assert seen == [(True, False), (True, False), (True, False), (True, True), (False, True)]
