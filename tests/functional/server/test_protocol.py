"""Bodies as the application gets them."""

import asyncio
import socket
import threading
import time
from collections.abc import MutableMapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from model_server import bounds
from model_server.protocol import Connections, Protocol
from tests.rig.waiting import eventually

from .conftest import Server, StartServer

Asked = list[tuple[str, bytes]]


def protocol_with(asked: Asked, go_on: asyncio.Event, other: Any = None) -> Protocol:
    """Make a connection whose application, if it is no `other`, reads each request once `go_on` is set."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        body, more = b"", True
        while more:
            message: MutableMapping[str, Any] = await receive()
            assert isinstance(message["body"], bytes)
            body += message["body"]
            more = message["more_body"]
        asked.append((scope["path"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(other or app, log_config=None, lifespan="off")
    config.load()
    protocol = Connections()(config, ServerState(), {}, asyncio.get_running_loop())
    transport = create_autospec(asyncio.Transport, instance=True)
    transport.is_closing.return_value = False
    transport.get_extra_info.return_value = None
    protocol.connection_made(transport)
    return protocol


@settings(deadline=None)
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=300), max_size=20),
    cuts=st.lists(st.integers(0, 8000), max_size=20),
    chunked=st.booleans(),
    late=st.booleans(),
    offer=st.sampled_from([b"", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"]),
)
def test_a_body_is_the_same_however_it_comes_and_the_next_request_is_understood(
    pieces: list[bytes], cuts: list[int], chunked: bool, late: bool, offer: bytes
) -> None:
    if chunked:
        head = b"Transfer-Encoding: chunked"
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        body = b"".join(pieces)
        head = b"Content-Length: %d" % len(body)
    second = b"GET /second HTTP/1.1\r\nHost: x\r\n%b\r\n" % offer
    sent = b"POST /first HTTP/1.1\r\nHost: x\r\n%b%b\r\n\r\n%b%b" % (offer, head, body, second)
    ends = sorted({min(cut, len(sent)) for cut in cuts} | {len(sent)})

    async def talk() -> Asked:
        asked: Asked = []
        go_on = asyncio.Event()
        if not late:
            go_on.set()
        protocol = protocol_with(asked, go_on)
        start = 0
        for end in ends:
            protocol.data_received(sent[start:end])
            start = end
            await asyncio.sleep(0)
        go_on.set()
        while protocol.tasks:
            await asyncio.gather(*protocol.tasks)
        return asked

    assert asyncio.run(asyncio.wait_for(talk(), 60)) == [("/first", b"".join(pieces)), ("/second", b"")]


def test_a_piece_is_not_copied_and_many_are_gathered_in_one_piece_of_memory() -> None:
    async def talk() -> None:
        protocol = protocol_with([], asyncio.Event())
        protocol.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n")
        piece = bytes(1000)
        protocol.on_body(piece)
        assert (await protocol.cycle.receive())["body"] is piece  # type: ignore[typeddict-item]
        protocol.on_body(piece)
        protocol.on_body(piece)
        gathered = protocol.cycle.body
        protocol.on_body(piece)
        assert protocol.cycle.body is gathered
        assert gathered == bytes(3000)

    asyncio.run(talk())


def port(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def is_open(server: Server, connection: socket.socket) -> bool:
    """Tell whether the server has not hung up, even where the client has not read all."""
    ends = (f":{port(server):04X}", f":{connection.getsockname()[1]:04X}")
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()]
    return any((local[-5:], remote[-5:], state) == (*ends, "01") for _, local, remote, state, *_ in lines[1:])


def told(server: Server, *pieces: bytes, half_closed: bool = False, pause: float = 0) -> bytes:
    """Return all that the server says to these pieces until it hangs up, perhaps before it has them all."""
    with socket.create_connection(("127.0.0.1", port(server)), 10) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionResetError):
            while more := connection.recv(65536):
                answer += more
        return answer


def posted(path: bytes, content: bytes, *headers: bytes) -> bytes:
    """Return a request with the form of a job."""
    body = b'--b\r\nContent-Disposition: form-data; name="File"; filename="f"\r\n\r\n%b\r\n--b--\r\n' % content
    kind = b"Content-Type: multipart/form-data; boundary=b"
    head = [b"POST %b HTTP/1.1" % path, b"Host: x", kind, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*head, b"", body])


def test_an_offer_of_another_protocol_is_ignored_and_its_body_is_never_a_request(server: Server) -> None:
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
    end = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = told(server, posted(b"/data/run-job", b"word", *offer), end)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == answer.count(b"HTTP/1.1 ") == 2
    assert b"\r\n\r\nWORD" in answer
    hidden = b"GET /data/jobs HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(hidden)
    answer = told(server, head + b"\r\n".join(offer) + b"\r\n\r\n" + hidden, end)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b'"jobs"' not in answer


def test_a_client_that_has_closed_its_end_gets_its_answer(server: Server) -> None:
    answer = told(server, posted(b"/data/run-job", b"!sleep 0.3"), half_closed=True)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"!SLEEP 0.3")
    two = posted(b"/data/run-job", b"one") + posted(b"/data/run-job", b"two")
    assert told(server, two, half_closed=True).count(b"HTTP/1.1 200 OK\r\n") == 2
    cut = posted(b"/data/run-job", b"word")[:-10]
    assert told(server, cut, half_closed=True) == b""


def test_slow_clients_are_hung_up_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(bounds, name, 1.0)
    assert told(server) == b""
    late = b"HTTP/1.1 408 Request Timeout\r\n"
    assert told(server, b"GET /health HTTP/1.1\r\nX:").startswith(late)
    assert told(server, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /he").count(late) == 1
    request = posted(b"/data/run-job", b"x" * 9000)
    before = server.stored()
    assert told(server, request[:-1]).startswith(late)
    assert server.stored() == before
    assert told(server, *(request[at : at + 2000] for at in range(0, len(request), 2000)), pause=0.7).startswith(late)
    monkeypatch.setattr(bounds, "BODY_BYTES", 2000)
    steady = told(
        server, *(request[at : at + 2000] for at in range(0, len(request), 2000)), pause=0.7, half_closed=True
    )
    assert steady.startswith(b"HTTP/1.1 200 OK")


def test_who_does_not_read_its_answer_is_hung_up_on(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "UNREAD_SECONDS", 1.0)
    server = start_server(limits={"timeout_seconds": 20})
    job_id = server.send(b"x" * 20_000_000)
    server.wait(job_id)
    with socket.create_connection(("127.0.0.1", port(server)), 10) as connection:
        connection.sendall(b"GET /data/result/%b HTTP/1.1\r\nHost: x\r\n\r\n" % job_id.encode())
        eventually(lambda: not is_open(server, connection))
        received = 0
        with suppress(ConnectionResetError):
            while more := connection.recv(1 << 20):
                received += len(more)
    assert received < 20_000_000


def test_the_connection_that_has_waited_longest_gives_way(start_server: StartServer, watched: threading.Event) -> None:
    server = start_server(most_connections=3)
    with ExitStack() as stack:

        def connected() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port(server)), 5))

        busy, first, second = connected(), connected(), connected()
        busy.sendall(posted(b"/data/run-job", b"!sleep 1"))
        assert watched.wait(30)
        health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        first.sendall(health)
        assert first.recv(65536).startswith(b"HTTP/1.1 200 OK")
        third = connected()
        third.sendall(health)
        assert third.recv(65536).startswith(b"HTTP/1.1 200 OK")
        with suppress(ConnectionResetError):
            assert second.recv(1) == b""
        first.sendall(health)
        assert first.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert busy.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_an_answer_is_one_write_and_none_of_it_is_kept_back() -> None:
    written: list[bytes] = []

    async def check() -> None:
        asked: Asked = []
        go_on = asyncio.Event()
        go_on.set()
        protocol = protocol_with(asked, go_on)
        transport: Any = protocol.transport
        transport.write.side_effect = written.append
        transport.writelines.side_effect = lambda parts: written.append(b"".join(parts))
        for head in (b"GET /1", b"HEAD /2", b"POST /3"):
            expects = b"Content-Length: 1\r\nExpect: 100-continue\r\n" if head.startswith(b"POST") else b""
            protocol.data_received(head + b" HTTP/1.1\r\nHost: x\r\n" + expects + b"\r\n")
            await asyncio.sleep(0)
            if expects:
                while len(written) < 3:
                    await asyncio.sleep(0)
                protocol.data_received(b"x")
            while len(asked) < int(head[-1:]) or not protocol.cycle.response_complete:
                await asyncio.sleep(0)

    asyncio.run(check())
    assert [text.split(b"\r\n")[0] for text in written] == [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 200 OK")
    ]


def test_the_head_of_an_answer_that_breaks_off_is_sent_all_the_same() -> None:
    written: list[bytes] = []

    async def breaks(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})

    async def check() -> None:
        protocol = protocol_with([], asyncio.Event(), breaks)
        transport: Any = protocol.transport
        transport.write.side_effect = written.append
        transport.close.side_effect = lambda: written.append(b"closed")
        protocol.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"closed" not in written:
            await asyncio.sleep(0)

    asyncio.run(check())
    assert (written[0][:15], written[1]) == (b"HTTP/1.1 200 OK", b"closed")
