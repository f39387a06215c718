"""The parts of ASGI that we use."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_SIGNED = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")


def headers_of(scope: Scope) -> dict[str, str]:
    """Return headers by lower-case name, joined by comma: docker repeats Accept."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def signed_by(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return a signature's access key and region, or empties."""
    signed = _SIGNED.search(headers.get("authorization", ""))
    return (signed[1], signed[2]) if signed else ("", "")


async def read_body(receive: Receive, limit: int | None = None) -> bytes:
    """Return the body; ValueError beyond `limit` bytes, or if the client left."""
    pieces, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ValueError("the client went away before its request was whole")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        more = message.get("more_body", False)
        if limit is not None and size > limit:
            raise ValueError(f"request body is larger than {limit} bytes")
    return b"".join(pieces)


def replay(body: bytes, receive: Receive) -> Receive:
    """Give a read body to the next reader."""
    sent = False

    async def replayed() -> dict[str, Any]:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def decline(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the server's start and end, and refuse web sockets."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    while scope["type"] == "lifespan":
        word = str((await receive())["type"])
        await send({"type": f"{word}.complete"})
        if word.endswith("shutdown"):
            return


async def reply(send: Send, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
    await reply_stream(send, status, {"content-length": str(len(body)), **headers}, [body] if body else [])


async def reply_json(send: Send, status: int, content: object) -> None:
    await reply(send, status, {"content-type": "application/json"}, json.dumps(content).encode())


async def reply_stream(send: Send, status: int, headers: Mapping[str, str], chunks: Iterable[bytes]) -> None:
    """Answer piece by piece; `headers` name the length."""
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
