"""A WebSocket client (RFC 6455) for short texts on loopback."""

import base64
import hashlib
import os
import socket
import struct
from typing import List, Optional, Tuple

from model_runner.kept import MESSAGE_BYTES, BrokenError, Channel
from model_runner.processes import read_some

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x8, 0x9, 0xA
_FINAL = 0x80
_HEAD_BYTES = 16384
#: A client must mask what it sends, against proxies that misread it. Here are none: zeros leave it as it is.
_MASK = bytes(4)


class WebSocket(Channel):
    def __init__(self, port: int, timeout: float) -> None:
        """Connect to 127.0.0.1:`port`.

        Args:
            timeout: seconds, of the handshake and of every `send`.

        Raises:
            OSError: nobody answers.
            BrokenError: it is no WebSocket server.
        """
        self._buffer = b""
        self._text = b""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._open(port)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, payload: bytes, kind: int = _TEXT) -> None:
        """Send a message, by default a text in UTF-8."""
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", _FINAL | kind, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", _FINAL | kind, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", _FINAL | kind, 0x80 | 127, size)
        self._socket.sendall(head + _MASK + payload)

    def receive(self) -> List[str]:
        """Read once, without waiting; answer pings. Raises as `Channel.receive`."""
        try:
            data = read_some(self._socket.fileno())
        except ConnectionError as error:
            raise EOFError("the connection was reset") from error
        if data == b"":
            raise EOFError("the connection was closed")
        self._buffer += data or b""
        messages: List[str] = []
        frame = self._frame()
        while frame is not None:
            head, payload = frame
            kind = head & 0x0F
            if kind == _CLOSE:
                if messages:
                    return messages  # the end of the connection follows
                raise EOFError("the connection was closed")
            if kind == _PING:
                self._answer(payload)
            elif kind in (_TEXT, _CONTINUATION):
                self._text += payload
                if head & _FINAL:
                    messages.append(self._text.decode("utf-8", "replace"))
                    self._text = b""
            frame = self._frame() if self._buffer else None
        return messages

    def _answer(self, ping: bytes) -> None:
        try:
            self.send(ping, _PONG)
        except (ConnectionError, socket.timeout) as error:
            raise EOFError("the connection was reset") from error

    def close(self) -> None:
        self._socket.close()

    def _open(self, port: int) -> None:
        key = base64.b64encode(os.urandom(16)).decode("ascii")
        self._socket.sendall(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n\r\n".format(port, key).encode("ascii")
        )
        while b"\r\n\r\n" not in self._buffer:
            data = self._socket.recv(4096)
            if not data or len(self._buffer) > _HEAD_BYTES:
                raise BrokenError("it is not a WebSocket server")
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        expected = base64.b64encode(hashlib.sha1((key + _GUID).encode("ascii")).digest())  # noqa: S324 - the protocol's  # nosec B324
        if b" 101 " not in head.split(b"\r\n")[0] or expected not in head:
            raise BrokenError("it refused the connection")

    def _frame(self) -> Optional[Tuple[int, bytes]]:
        data = self._buffer
        if len(data) < 2:
            return None
        size, start = data[1], 2
        if size & 0x80:
            raise BrokenError("a server must not mask what it sends")
        if size == 126:
            start = 4
            size = int.from_bytes(data[2:4], "big")
        elif size == 127:
            start = 10
            size = int.from_bytes(data[2:10], "big")
        if size > MESSAGE_BYTES or len(self._text) > MESSAGE_BYTES:
            raise BrokenError("it sent a message that is too long")
        if len(data) < start + size:
            return None
        self._buffer = data[start + size :]
        return data[0], data[start : start + size]
