"""A client that hands requests to an ASGI application, without a server."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from model_sandbox import asgi

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    """Run a coroutine to its end."""

    async def whole() -> T:
        return await work

    return asyncio.run(whole())


def request(method: str, target: str, **headers: str) -> asgi.Scope:
    """Return the scope of a request; `_` in a header's name is a hyphen."""
    path, _, query = target.partition("?")
    return {
        **{"type": "http", "method": method, "path": path, "raw_path": path.encode()},
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


class Incoming:
    """A request's body in pieces. `read`: how many of its messages were taken."""

    def __init__(self, *pieces: bytes, leaves: bool = False) -> None:
        self.read = 0
        last = [{"type": "http.disconnect"}] if leaves else []
        whole = len(pieces) - 1 if not leaves else len(pieces)
        self._messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": number < whole} for number, piece in enumerate(pieces)
        ] + last

    async def __call__(self) -> dict[str, Any]:
        """Return the next message."""
        self.read += 1
        return self._messages.pop(0)


class Sent:
    """All messages that an application sends."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def __call__(self, message: dict[str, Any]) -> None:
        """Take a message."""
        self.messages.append(message)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body, which must have ended."""
        start, *rest = self.messages
        assert start["type"] == "http.response.start"
        assert [each["type"] for each in rest] == ["http.response.body"] * len(rest)
        assert [each["more_body"] for each in rest] == [True] * (len(rest) - 1) + [False]
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], headers, b"".join(each["body"] for each in rest)


@dataclass
class Client:
    """Asks one application."""

    app: asgi.App

    def __call__(
        self, method: str, target: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the application's answer."""
        sent = Sent()
        run(self.app(request(method, target, **headers), Incoming(body), sent))
        return sent.answer()
