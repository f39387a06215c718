"""A client of the sandbox's ASGI applications, without a socket."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> tuple[int, Any]:
        """Return the status and what the body says in JSON."""
        return self.status, json.loads(self.body)


def ask(
    application: Any,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | Iterable[bytes] = b"",
    query: str = "",
) -> Answered:
    """Ask once, the body in one piece or in several."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    scope = {
        **{"type": "http", "method": method, "path": path, "query_string": query.encode()},
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    start, *rest = sent
    assert [message["more_body"] for message in rest] == [True] * (len(rest) - 1) + [False]
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answered(start["status"], told, b"".join(message["body"] for message in rest))


def signed(account: str = "123456789012", region: str = "us-east-1", **headers: str) -> dict[str, str]:
    """Return headers of a request that is signed by an account's root."""
    credential = f"Credential={account}/20261122/{region}/any/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host", **headers}
