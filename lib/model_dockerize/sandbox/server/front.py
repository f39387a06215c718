"""What every request meets first: the sandbox's own few paths, the registry, and the journal of AWS calls."""

from typing import Any

from model_dockerize.sandbox.server import asgi, journal
from model_dockerize.sandbox.server.access import Access
from model_dockerize.sandbox.server.journal import Journal
from model_dockerize.sandbox.server.tokens import Tokens

#: Requests of the query protocol (EC2, IAM, STS) name their action in the body, and those are small. Where IAM is
#: enforced, a JSON body names the resource.
_BODY_LIMIT = 16 * 1024 * 1024
_ERROR_BYTES = 4096


class Front:
    """ASGI application of the whole sandbox. `health` is what `GET /_sandbox/health` answers; `access` enforces IAM."""

    def __init__(
        self,
        aws: asgi.App,
        scaling: asgi.App,
        registry: asgi.App,
        calls: Journal,
        credentials: Tokens,
        health: dict[str, Any],
        access: Access | None = None,
    ) -> None:
        self._aws, self._scaling, self._registry = aws, scaling, registry
        self._calls, self._access = calls, access
        self._credentials, self._health = credentials, health

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._aws(scope, receive, send)
        elif scope["path"].startswith("/_sandbox/"):
            await self._own(scope, send)
        elif scope["path"] == "/v2" or (scope["path"].startswith("/v2/") and _is_registry(scope)):
            await self._registry(scope, receive, send)
        else:
            await self._call_aws(scope, receive, send)

    async def _own(self, scope: asgi.Scope, send: asgi.Send) -> None:
        wanted = (scope["method"], scope["path"])
        if wanted == ("GET", "/_sandbox/health"):
            await asgi.reply_json(send, 200, self._health)
        elif wanted == ("GET", "/_sandbox/journal"):
            await asgi.reply_json(send, 200, self._calls.as_json())
        elif wanted == ("DELETE", "/_sandbox/journal"):
            self._calls.reset()
            await asgi.reply(send, 204, {})
        elif wanted == ("POST", "/_sandbox/registry-tokens/expire"):
            await asgi.reply_json(send, 200, {"expired": self._credentials.expire_all()})
        else:
            await asgi.reply_json(send, 404, {"message": "no such path"})

    async def _call_aws(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        headers, body = asgi.headers_of(scope), b""
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded") or (
            self._access and _is_json(headers)
        ):
            body = await asgi.read_body(receive, _BODY_LIMIT)
            receive = _replay(body, receive)
        if self._access:
            self._access.begin(headers, body, scope["path"])
        service, action, mutating = journal.identify(scope["method"], scope["path"], headers, body)
        status, start = 500, b""

        async def observed(message: dict[str, Any]) -> None:
            nonlocal status, start
            if message["type"] == "http.response.start":
                status = message["status"]
            elif status >= 400 and len(start) < _ERROR_BYTES:
                start += message.get("body", b"")
            await send(message)

        try:
            answers = self._scaling if service == "application-autoscaling" else self._aws
            await answers(scope, receive, observed)
        finally:
            if not scope["path"].startswith("/_ministack/"):
                asked = self._access.asked() if self._access else ()
                self._calls.add(service, action, journal.outcome(status, start), mutating, asked)


def _is_json(headers: dict[str, str]) -> bool:
    """Batch's requests name no type of their content."""
    return "json" in headers.get("content-type", "json") or "x-amz-target" in headers


def _is_registry(scope: asgi.Scope) -> bool:
    """Some AWS services have paths under /v2/ too; their requests are signed, docker's are not."""
    return not asgi.headers_of(scope).get("authorization", "").startswith("AWS4-")


def _replay(body: bytes, receive: asgi.Receive) -> asgi.Receive:
    sent = False

    async def replayed() -> dict[str, Any]:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
