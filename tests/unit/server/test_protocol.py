"""Bodies as the application gets them."""

import asyncio
from collections.abc import MutableMapping
from typing import Any
from unittest.mock import create_autospec

import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from model_server.protocol import Protocol

Asked = list[tuple[str, bytes]]


def protocol_with(asked: Asked, go_on: asyncio.Event) -> Protocol:
    """A connection whose application reads each request once `go_on` is set."""

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

    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    protocol = Protocol(config, ServerState(), {}, asyncio.get_running_loop())
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
)
def test_a_body_is_the_same_however_it_comes_and_the_next_request_is_understood(
    pieces: list[bytes], cuts: list[int], chunked: bool, late: bool
) -> None:
    if chunked:
        head = b"Transfer-Encoding: chunked"
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        body = b"".join(pieces)
        head = b"Content-Length: %d" % len(body)
    sent = b"POST /first HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n%bGET /second HTTP/1.1\r\nHost: x\r\n\r\n" % (head, body)
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
