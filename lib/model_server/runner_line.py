"""Messages between server and runner (protocol: model_runner/runner.py)."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_RECEIVE_BYTES = 65536
#: How a message begins that is no answer.
_SAID = b'{"said"'
_CLOSED = "the runner closed the connection"
Message = tuple[dict[str, Any], bytes | None]


class Line:
    """A connection to a runner, to which the running loop always listens.

    That spares system calls, and the runner's end is known at once.
    """

    def __init__(self, connection: socket.socket, hear: Callable[[dict[str, Any]], None]) -> None:
        """Take the connection over; `hear` gets messages that are no answers."""
        connection.setblocking(False)
        self._connection = connection
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Message] | None = None
        self._data = b""
        self.is_open = True
        #: Who hangs up must not meet the descriptor of another connection, which has its number by now.
        self._guard = threading.Lock()
        self._loop.add_reader(connection, self._listen)

    async def ask(self, request: bytes, seconds: float) -> Message:
        """Send a request, await its answer; OSError, ValueError: there is none."""
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._answer = answer
        late = self._loop.call_later(seconds, self.hang_up)
        try:
            with suppress(BlockingIOError):
                request = request[self._connection.send(request) :]
            if request:
                await self._loop.sock_sendall(self._connection, request)
            return await answer
        finally:
            late.cancel()
            self._answer = None

    def hang_up(self) -> None:
        """End the connection and waits for answers. From any thread."""
        with self._guard, suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        try:
            more = self._connection.recv(_RECEIVE_BYTES)
            if not more:
                raise ConnectionError(_CLOSED)
            self._data += more
            while self._data.startswith(_SAID):
                line, end, rest = self._data.partition(b"\n")
                if not end:
                    return
                self._hear(json.loads(line))
                self._data = rest
            message = whole(self._data)
        except BlockingIOError:
            return
        except (OSError, ValueError, RecursionError) as error:
            self._end(error if isinstance(error, OSError | ValueError) else ValueError("it is nested too deeply"))
            return
        if message is not None:
            self._data = b""
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(message)

    def _end(self, error: Exception) -> None:
        self.is_open = False
        self._loop.remove_reader(self._connection)
        with self._guard:
            self._connection.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def receive(connection: socket.socket) -> Message:
    """Return the runner's next message; OSError, ValueError: there is none."""
    data = b""
    while (message := whole(data)) is None:
        more = connection.recv(_RECEIVE_BYTES)
        if not more:
            raise ConnectionError(_CLOSED)
        data += more
    return message


def whole(data: bytes) -> Message | None:
    """Return the message in `data`, None while incomplete; ValueError: it is none."""
    line, end, content = data.partition(b"\n")
    if not end:
        return None
    message = json.loads(line.decode())
    if not isinstance(message, dict):
        raise ValueError("a message must be an object")  # noqa: TRY004 - as other texts that are no message
    size = message.get("content")
    if size is None:
        return message, None
    return (message, content) if len(content) >= size else None
