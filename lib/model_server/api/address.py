"""The server's address, as its client knows it."""

import re

from starlette.requests import Request

from model_server.api import doors

_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}", re.ASCII)


def of(request: Request) -> str:
    """Return the address without a last slash; a script corrects it behind proxies."""
    host = request.headers.get("host", "")
    forwarded = request.headers.get("x-forwarded-proto", "").lower()
    scheme = forwarded if forwarded in ("http", "https") else request.url.scheme
    if _HOST.fullmatch(host) is None:
        host = "localhost"
    return f"{scheme}://{host}{(doors.removed_prefix(request) or _left_prefix(request)).rstrip('/')}"


def _left_prefix(request: Request) -> str:
    # The prefix that the proxy left in place (ROOT_PATH).
    sent = request.scope.get("raw_path", b"").decode("latin-1")
    prefix = sent.removesuffix(request.scope["path"])
    return prefix if prefix != sent and doors.PREFIX.fullmatch(prefix) else ""
