"""Uvicorn's HTTP within bounds, without its copies of bodies, an answer in one packet."""

import asyncio
import math
import resource
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from model_server import bounds
from model_server.one_packet import OnePacket

_SWEEP_SECONDS = 1.0
_OFFER = (b"upgrade", b"http2-settings")


class Connections:
    """Makes each connection's Protocol, and ends those that take too much."""

    def __init__(self, most: int | None = None) -> None:
        """Allow `most` open connections; None: as bounds and descriptors allow."""
        own = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - bounds.OWN_DESCRIPTORS
        self._most = max(1, min(bounds.CONNECTIONS, own)) if most is None else most
        self._open: set[Protocol] = set()
        #: Those that wait for their client, the one first that has waited longest.
        self._waiting: dict[Protocol, None] = {}
        self._sweeping = False
        #: The server stops: each answer is its connection's last.
        self.are_last = False

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> "Protocol":
        return Protocol(self, config, server_state, app_state, _loop)

    def enter(self, connection: "Protocol") -> bool:
        """Take a connection, perhaps in another's place; False: none is left."""
        while len(self._open) >= self._most and self._waiting:
            victim = next(iter(self._waiting))
            self.leave(victim)
            victim.transport.abort()
        if len(self._open) >= self._most:
            return False
        self._open.add(connection)
        if not self._sweeping:
            self._sweeping = True
            connection.loop.call_later(_SWEEP_SECONDS, self._sweep, connection.loop)
        return True

    def leave(self, connection: "Protocol") -> None:
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def wait(self, connection: "Protocol") -> None:
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def work(self, connection: "Protocol") -> None:
        self._waiting.pop(connection, None)

    def dismiss(self) -> None:
        """Let each connection's next answer be its last; call it in the loop's thread."""
        self.are_last = True
        for connection in self._open:
            connection.dismiss()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeping = bool(self._open)
        if self._sweeping:
            now = loop.time()
            for connection in list(self._open):
                connection.look(now)
            loop.call_later(_SWEEP_SECONDS, self._sweep, loop)


class Protocol(HttpToolsProtocol):
    """One connection, with bounds on a request's head and a client's time.

    It ignores offers to switch protocols (RFC 9110, 7.8), and answers a client that closed its end.
    """

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all = connections
        #: When the client must have sent, and have read, by the clock of the loop.
        self._due = self._unread_due = math.inf
        #: A request began, and its head, its end is not there yet.
        self._in_head = self._in_body = False
        self._head_bytes = 0
        self._headers = 0
        self._body_bytes = 0
        #: An offer to switch protocols was met: the parser passes over the body of its request.
        self._is_offer = False
        #: Nothing that comes is looked at any more.
        self._is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._all.enter(self):
            self._is_over = True
            transport.abort()
            return
        self._all.wait(self)
        self._due = self.loop.time() + bounds.HEAD_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._unset_keepalive_if_required()
        if self._due == math.inf and not self._in_body:
            self._due = self.loop.time() + bounds.HEAD_SECONDS
        goes_on = self._in_head
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = self._without_offer() + data[offer.args[0] :] if not self._is_over else b""
            except httptools.HttpParserError:
                self.refuse(HTTPStatus.BAD_REQUEST)
                return
            else:
                break
        if self._in_head and goes_on:  # of the first piece the parser tells at the end which part of it is the head
            self._head_bytes += len(data)
            if self._head_bytes > bounds.HEAD_BYTES:
                self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep our end open while an answer is due: the client listens."""
        if self.cycle is None or self.cycle.response_complete or self._in_head or self._in_body:
            return False
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._due = self.loop.time() + bounds.HEAD_SECONDS
        self._head_bytes = self._headers = 0
        self._is_offer = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        if self._headers <= bounds.HEADERS:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._is_over:
            return
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > bounds.HEAD_BYTES or self._headers > bounds.HEADERS:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self.parser.get_method() == b"CONNECT":
            self.refuse(HTTPStatus.METHOD_NOT_ALLOWED)
        elif self.parser.should_upgrade():
            self._is_offer = True
        else:
            self._in_body = True
            self._body_bytes = 0
            self._due = self.loop.time() + bounds.BODY_SECONDS
            super().on_headers_complete()
            if self._all.are_last:
                self.cycle.keep_alive = False
            if self.parser.get_method() != b"HEAD":
                self.cycle.transport = OnePacket(self.cycle)  # type: ignore[assignment]  # all of it that a cycle uses

    def on_body(self, body: bytes) -> None:
        if self._is_over:
            return
        self._body_bytes += len(body)
        cycle = self.cycle
        if not cycle.body:
            cycle.body = b""  # type: ignore[assignment]  # b"" + body is body itself, and so is bytes(body)
        elif isinstance(cycle.body, bytes):
            cycle.body = bytearray(cycle.body)  # else each of many small pieces would copy all that came before it
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_over or self._is_offer:
            return
        self._in_body = False
        self._due = math.inf
        if self.cycle.response_complete:
            self._all.wait(self)
        else:
            self._all.work(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_body:  # what is still to come of it is read for a while: who sends would not see the answer
            self._due = min(self._due, self.loop.time() + bounds.LINGER_SECONDS)
        elif self.cycle.response_complete:
            self._all.wait(self)

    def pause_writing(self) -> None:
        self._unread_due = self.loop.time() + bounds.UNREAD_SECONDS
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread_due = math.inf
        super().resume_writing()

    def look(self, now: float) -> None:
        if self._unread_due == math.inf and self.transport.is_closing():
            self._unread_due = now + bounds.UNREAD_SECONDS  # something of the answer is still to be read
        answered = self.cycle is not None and self.cycle.response_complete
        if now >= self._unread_due:
            self.transport.abort()
        elif self._in_body and not answered and (self._body_bytes >= bounds.BODY_BYTES or self.flow.read_paused):
            if now >= self._due or self.flow.read_paused:  # it keeps its pace, or waits for us
                self._body_bytes = 0
                self._due = now + bounds.BODY_SECONDS
                self._all.wait(self)
        elif now >= self._due:
            self._due = math.inf
            if self._in_head or (self._in_body and not answered):
                self.refuse(HTTPStatus.REQUEST_TIMEOUT)
            elif self.cycle is None or answered:
                self.transport.close()

    def dismiss(self) -> None:
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close; but where a first or next request is on its way, only behind its answer."""
        if self.cycle is None or self._in_head:
            self._due = min(self._due, self.loop.time() + bounds.LAST_HEAD_SECONDS)
        else:
            super().shutdown()

    def refuse(self, status: HTTPStatus) -> None:
        """Answer with an error, behind answers still due, and hang up."""
        if self._is_over:
            return
        self._is_over = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False
        elif cycle is not None and not cycle.response_complete and cycle.response_started:
            self.transport.close()
        else:
            text = status.phrase.encode()
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            end = f"content-length: {len(text)}\r\nconnection: close\r\n\r\n"
            self.transport.write(f"{head}{end}".encode() + text)
            self.transport.close()

    def _without_offer(self) -> bytes:
        """Return the head without its offer, for a new parser: the old expects no body."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [method + b" " + self.url + b" HTTP/" + version]
        for name, value in self.headers:
            if name == b"connection":
                kept = [word for word in value.split(b",") if word.strip().lower() not in _OFFER]
                lines.append(name + b": " + b",".join(kept))
            elif name not in _OFFER:
                lines.append(name + b": " + value)
        self.parser = self._new_parser()
        return b"\r\n".join([*lines, b"", b""])

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn: its answer says that it closes
        return parser
