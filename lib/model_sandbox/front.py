"""Answers this computer: own paths, registry, AWS's calls."""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qs

from model_sandbox import asgi, journal
from model_sandbox.access import Access
from model_sandbox.admission import Admission, Admitted, RefusedError, check_sender
from model_sandbox.journal import Journal
from model_sandbox.pace import Pace
from model_sandbox.record import health_proof
from model_sandbox.sessions import Sessions
from model_sandbox.signatures import is_root
from model_sandbox.throttle import Throttle, refusal
from model_sandbox.tokens import Tokens

_ERROR_BYTES = 4096
_MINUTE = re.compile(r"/_sandbox/minute/([0-9]{1,3}(?:\.[0-9]{1,3})?)")  # in seconds


class Front:
    """Answers on loopback. `secret` is of every account's root."""

    def __init__(
        self,
        calls: "Calls",
        registry: asgi.App,
        admission: Admission,
        sessions: Sessions,
        credentials: Tokens,
        pace: Pace,
        hosts: Collection[str],
        secret: str,
    ) -> None:
        self._calls, self._registry, self._admission, self._sessions = calls, registry, admission, sessions
        self._credentials, self._pace, self._hosts, self._secret = credentials, pace, hosts, secret

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if scope["type"] != "http":
            await (self._calls.aws if scope["type"] == "lifespan" else asgi.decline)(scope, receive, send)
            return
        headers, path = asgi.headers_of(scope), scope["path"]
        try:
            check_sender(headers, self._hosts)
            if (scope["method"], path) == ("GET", "/_sandbox/health"):
                await self._health(scope, send)
            elif path in ("/v2", "/v2/") or (path.startswith("/v2/") and _is_registry(headers)):
                await self._registry(scope, receive, send)
            else:
                await self._answer(await self._admit(scope, receive), send)
        except RefusedError as refused:
            await self._admission.refuse(headers, refused, send)

    async def _admit(self, scope: asgi.Scope, receive: asgi.Receive) -> Admitted:
        admitted = await self._admission.admit(scope, receive)
        if self._sessions.reach(admitted.signer.key):
            raise RefusedError("AccessDenied", "These are a container's credentials.", admitted.signer.service)
        return admitted

    async def _answer(self, admitted: Admitted, send: asgi.Send) -> None:
        path = admitted.scope["path"]
        if not path.startswith("/_"):
            await self._calls(admitted, send)
        elif path.startswith("/_sandbox/") and is_root(admitted.signer.key):
            await self._own(admitted.scope, send)
        else:
            await asgi.reply_json(send, 404, {"message": "no such path"})

    async def _health(self, scope: asgi.Scope, send: asgi.Send) -> None:
        """Prove to who knows the secret that we do; tell others nothing."""
        nonce = parse_qs(scope["query_string"].decode("latin-1")).get("nonce", [""])[0]
        await asgi.reply_json(send, 200, {"proof": health_proof(self._secret, nonce)})

    async def _own(self, scope: asgi.Scope, send: asgi.Send) -> None:
        wanted = (scope["method"], scope["path"])
        if wanted == ("GET", "/_sandbox/journal"):
            await asgi.reply_json(send, 200, self._calls.journal.as_json())
        elif wanted == ("DELETE", "/_sandbox/journal"):
            self._calls.journal.reset()
            await asgi.reply(send, 204, {})
        elif wanted == ("POST", "/_sandbox/registry-tokens/expire"):
            await asgi.reply_json(send, 200, {"expired": self._credentials.expire_all()})
        elif scope["method"] == "PUT" and (minute := _MINUTE.fullmatch(scope["path"])):
            self._pace.minute = float(minute[1])
            await asgi.reply(send, 204, {})
        else:
            await asgi.reply_json(send, 404, {"message": "no such path"})


class Calls:
    """Answers and journals calls: `own` for their services, `aws` the rest."""

    def __init__(self, aws: asgi.App, own: Mapping[str, asgi.App], calls: Journal, access: Access | None) -> None:
        self.aws, self.journal = aws, calls
        self._own, self._access, self._throttle = own, access, Throttle()

    async def __call__(self, admitted: Admitted, send: asgi.Send) -> None:
        scope = admitted.scope
        headers = asgi.headers_of(scope)
        is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        # Requests of the query protocol (EC2, IAM, STS) name their action in the body; where IAM is enforced, a JSON
        # body names the resource.
        body = admitted.body if is_form or (self._access and _is_json(headers)) else b""
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
            if self._throttle.takes(admitted.signer.key, service, action):
                await self._own.get(service, self.aws)(scope, admitted.receive, observed)
            else:
                await asgi.reply(observed, *refusal())
        finally:
            asked = self._access.asked() if self._access else ()
            self.journal.add(service, action, journal.outcome(status, start), mutating, asked)


def _is_json(headers: dict[str, str]) -> bool:
    """Tell whether a body is JSON: Batch's requests name no type."""
    return "json" in headers.get("content-type", "json") or "x-amz-target" in headers


def _is_registry(headers: dict[str, str]) -> bool:
    """Tell docker's requests under /v2/ from AWS's, which are signed."""
    return not headers.get("authorization", "").startswith("AWS4-")
