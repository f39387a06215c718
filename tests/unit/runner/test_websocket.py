"""The WebSocket client, byte by byte: what it says, and what it makes of what it hears."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from model_runner import websocket
from model_runner.kept import BrokenError
from model_runner.websocket import WebSocket

#: As RFC 6455 has it accepted.
KEY, ACCEPT = "AAECAwQFBgcICQoLDA0ODw==", "Bz3qJYTGdOe8gUSpLosEdiLKDrk="
ASKED = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:20001\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
GREETING = f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n".encode()


#: Of a message of the program.
MESSAGE_BYTES = 4 * 1024 * 1024


class Peer:
    """A socket whose other end says `pieces`, one at each read."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.sent: list[bytes] = []
        self.options: list[tuple[int, ...]] = []
        self.is_closed = False

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, size: int) -> bytes:
        assert size == 4096
        return self.pieces.pop(0) if self.pieces else b""

    def fileno(self) -> int:
        return 77

    def close(self) -> None:
        self.is_closed = True


Connect = Callable[..., tuple[WebSocket, Peer]]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    peers: list[Peer] = []

    def connected(*pieces: bytes, rest: bytes = b"") -> tuple[WebSocket, Peer]:
        peer = Peer(*(pieces or (GREETING + rest,)))
        peers.append(peer)

        def create(address: tuple[str, int], timeout: float) -> Any:
            assert (address, timeout) == (("127.0.0.1", 20_001), 2.5)
            return peer

        def read(number: int) -> bytes | None:
            assert number == 77
            piece = peer.pieces.pop(0)
            if isinstance(piece, Exception):
                raise piece
            return piece

        monkeypatch.setattr(socket, "create_connection", create)
        monkeypatch.setattr(websocket, "read_some", read)
        monkeypatch.setattr("os.urandom", lambda size: bytes(range(size)))
        try:
            made = WebSocket(20_001, 2.5)
        except BrokenError as error:
            assert peer.is_closed
            raise error from None
        return made, peer

    yield connected


def test_it_asks_and_is_greeted(connect: Connect) -> None:
    one, peer = connect(GREETING[:5], GREETING[5:-3], GREETING[-3:])
    assert peer.sent == [ASKED.encode()]
    assert peer.options == [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    assert one.fileno() == 77
    assert not peer.is_closed
    one.close()
    assert peer.is_closed


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([b"HTTP/1.1 101 x\r\n"], "it is not a WebSocket server"),
        ([b"x" * 4096] * 5 + [b"y"], "it is not a WebSocket server"),
        ([b"x" * 4096] * 4 + [b"y", b"\r\n\r\n"], "it is not a WebSocket server"),
        ([b"x" * 4096] * 4 + [b"\r\n\r\n"], "it refused the connection"),
        ([GREETING.replace(b" 101 ", b" 200 ")], "it refused the connection"),
        ([b"HTTP/1.1 200 OK\r\nx: 101 " + GREETING[13:]], "it refused the connection"),
        ([GREETING.replace(ACCEPT.encode(), b"x")], "it refused the connection"),
        ([GREETING.replace(ACCEPT.encode(), KEY.encode())], "it refused the connection"),
    ],
)
def test_what_is_no_greeting_is_told_and_the_connection_closed(
    pieces: list[bytes], error: str, connect: Connect
) -> None:
    with pytest.raises(BrokenError, match=f"^{error}$"):
        connect(*pieces)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "8180"), (3, "8183"), (125, "81fd"), (126, "81fe007e"), (65_535, "81feffff"),
        (65_536, "81ff0000000000010000"),
    ],
)  # fmt: skip
def test_what_it_says_is_one_masked_frame(size: int, head: str, connect: Connect) -> None:
    one, peer = connect()
    one.send(b"x" * size)
    assert peer.sent[1:] == [bytes.fromhex(head) + bytes(4) + b"x" * size]


def text(payload: bytes, first: int = 0x81) -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes([size])
    else:
        head = b"\x7e" + size.to_bytes(2, "big") if size < 65_536 else b"\x7f" + size.to_bytes(8, "big")
    return bytes([first]) + head + payload


HELD = text(b"a" * 200) + text(b"b" * 70_000) + text(b"") + text("é".encode()) + text(b"\xff")


@pytest.mark.parametrize("piece", [1_000_000, 1500, 7])
def test_what_it_hears_comes_whole_however_it_is_cut(piece: int, connect: Connect) -> None:
    one, peer = connect()
    peer.pieces = [HELD[at : at + piece] for at in range(0, len(HELD), piece)]
    heard = []
    while peer.pieces:
        heard += one.receive()
    assert heard == ["a" * 200, "b" * 70_000, "", "é", "\ufffd"]


def test_what_came_with_the_greeting_is_heard_and_nothing_is_waited_for(connect: Connect) -> None:
    one, peer = connect(rest=text(b"early") + b"\x81")
    peer.pieces = [None, None, b"\x01x", text(b"more")]  # type: ignore[list-item]
    assert [one.receive() for _ in range(4)] == [["early"], [], ["x"], ["more"]]


def test_frames_of_a_message_are_put_together_and_others_left_out(connect: Connect) -> None:
    one, peer = connect()
    peer.pieces = [
        text(b"a\xc3", 0x01) + text(b"?", 0x89) + text(b"\xa9", 0x00) + text(b"", 0x8A) + text(b"binary", 0x82),
        text(b"c", 0x80) + text(b"d"),
    ]
    assert one.receive() == []
    assert peer.sent[1:] == [b"\x8a\x81" + bytes(4) + b"?"]
    assert one.receive() == ["a\u00e9c", "d"]


@pytest.mark.parametrize("failure", [ConnectionResetError(), TimeoutError()])
def test_a_ping_that_cannot_be_answered_is_the_end(failure: Exception, connect: Connect) -> None:
    one, peer = connect()

    def failed(_data: bytes) -> None:
        raise failure

    peer.sendall = failed  # type: ignore[method-assign]
    peer.pieces = [text(b"?", 0x89)]
    with pytest.raises(EOFError, match="the connection was reset"):
        one.receive()


@pytest.mark.parametrize(
    ("piece", "error"),
    [
        (b"", "the connection was closed"),
        (ConnectionResetError(), "the connection was reset"),
        (text(b"\x03\xe8", 0x88), "the connection was closed"),
    ],
)
def test_an_end_is_one(piece: Any, error: str, connect: Connect) -> None:
    one, peer = connect()
    peer.pieces = [piece]
    with pytest.raises(EOFError, match=error):
        one.receive()


def test_what_was_said_before_an_end_counts(connect: Connect) -> None:
    one, peer = connect()
    peer.pieces = [text(b"a") + text(b"", 0x88) + text(b"after the end")]
    assert one.receive() == ["a"]


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([b"\x81\x80"], "a server must not mask what it sends"),
        ([b"\x81\x7f" + (MESSAGE_BYTES + 1).to_bytes(8, "big")], "it sent a message that is too long"),
        ([text(b"x" * MESSAGE_BYTES, 0x01), text(b"y", 0x00), text(b"", 0x80)], "it sent a message that is too long"),
    ],
)
def test_what_breaks_the_protocol_is_told(pieces: list[bytes], error: str, connect: Connect) -> None:
    one, peer = connect()
    peer.pieces = list(pieces)
    for _ in pieces[1:]:
        assert one.receive() == []
    with pytest.raises(BrokenError, match=error):
        one.receive()


def test_a_message_may_be_so_long(connect: Connect) -> None:
    one, peer = connect()
    peer.pieces = [text(b"x" * MESSAGE_BYTES), text(b"x" * MESSAGE_BYTES, 0x01), text(b"y", 0x80)]
    assert [list(map(len, one.receive())) for _ in range(3)] == [[MESSAGE_BYTES], [], [MESSAGE_BYTES + 1]]
