"""Admits requests to this sandbox that are signed, and from no web page."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qs

from model_sandbox import asgi, signatures
from model_sandbox.signatures import Head, SignatureError, Signatures, Signer
from model_sandbox.upstream import Upstream

_TOKEN_LIMIT = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
#: Services whose requests never name their operation in X-Amz-Target.
_WITHOUT_TARGET = ("batch", "s3")


class RefusedError(Exception):
    """A refused request; `service` is its target, if known."""

    def __init__(self, code: str, message: str, service: str = "") -> None:
        super().__init__(message)
        self.code, self.service = code, service


@dataclass(frozen=True)
class Admitted:
    """An admitted request; an unsigned body is empty, not read."""

    signer: Signer
    body: bytes
    scope: asgi.Scope
    receive: asgi.Receive


def check_sender(headers: dict[str, str], hosts: Collection[str]) -> None:
    """Raise RefusedError for web pages' requests: Origin, or foreign host name."""
    if headers.get("host", "") not in hosts:
        raise RefusedError("AccessDenied", "The Host header does not name this sandbox.")
    if "origin" in headers:
        raise RefusedError("AccessDenied", "The sandbox answers no web page (the request has an Origin).")


class Admission:
    def __init__(self, upstream: Upstream, secret: str, body_limit: int) -> None:
        # `secret` is of every account's root, and signs web identity tokens. `body_limit` is for bodies that must be
        # read before their signature can be checked.
        self._body_limit = body_limit
        self._signatures, self._actions, self._secret = Signatures(upstream, secret), upstream.actions, secret

    async def admit(self, scope: asgi.Scope, receive: asgi.Receive) -> Admitted:
        head = _head(scope)
        try:
            if "authorization" in head.headers and "x-amz-content-sha256" not in head.headers:
                body = await asgi.read_body(receive, self._body_limit)
                return _admitted(self._signatures.check(head, body), body, scope, receive)
            if head.path == "/" and "authorization" not in head.headers:
                return await self._by_token(head, scope, receive)
            # Nothing is read from somebody who has not signed.
            signer = self._signatures.check(head, b"")
            if not signatures.holds_hash(head):
                return Admitted(signer, b"", _straight(scope, signer), receive)
            body = await asgi.read_body(receive)
            signatures.check_body(head, body)
            return _admitted(signer, body, scope, receive)
        except SignatureError as error:
            raise RefusedError(error.code, str(error), error.service) from error
        except ValueError as error:
            raise RefusedError("RequestEntityTooLarge", str(error)) from error

    async def refuse(self, headers: dict[str, str], refused: RefusedError, send: asgi.Send) -> None:
        status, answered, body = self._actions.access_denied_response(
            refused.service,
            "",
            "",
            str(uuid.uuid4()),
            error_code=refused.code,
            message=str(refused),
            headers=headers,
        )
        await asgi.reply(send, status, answered, body)

    async def _by_token(self, head: Head, scope: asgi.Scope, receive: asgi.Receive) -> Admitted:
        # No client signs AssumeRoleWithWebIdentity: its token is signed instead.
        # Nothing but its form may say what the request asks for.
        is_form = head.method == "POST" and head.headers.get("content-type", "").startswith(_FORM)
        body = await asgi.read_body(receive, _TOKEN_LIMIT) if is_form else b""
        said = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        if head.query or "x-amz-target" in head.headers or said.get("Action") != ["AssumeRoleWithWebIdentity"]:
            raise SignatureError("MissingAuthenticationToken", "Missing Authentication Token")
        tokens = said.get("WebIdentityToken", [])
        if len(tokens) != 1 or not signatures.is_signed_token(tokens[0], self._secret):
            message = "The sandbox knows only tokens that are signed with its own secret (HS256)."
            raise SignatureError("InvalidIdentityToken", message, "sts")
        return _admitted(Signer("", "sts"), body, scope, receive)


def _admitted(signer: Signer, body: bytes, scope: asgi.Scope, receive: asgi.Receive) -> Admitted:
    return Admitted(signer, body, _straight(scope, signer), asgi.replay(body, receive))


def _straight(scope: asgi.Scope, signer: Signer) -> asgi.Scope:
    # Whoever was given a presigned URL can add headers and a body, which nobody signed and which could lead to another
    # service.
    if signer.service not in _WITHOUT_TARGET:
        return scope

    def misleads(name: bytes, value: bytes) -> bool:
        is_form = name == b"content-type" and value.lower().startswith(_FORM.encode())
        return name == b"x-amz-target" or (signer.presigned and is_form)

    return {
        **scope,
        "headers": [(name, value) for name, value in scope["headers"] if not misleads(name.lower(), value)],
    }


def _head(scope: asgi.Scope) -> Head:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), _text(raw_value)
        # A signature has the values of a repeated header joined by a bare comma.
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return Head(scope["method"], scope["raw_path"].decode("latin-1"), query, headers)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
