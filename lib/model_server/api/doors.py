"""Access control before any route: host, origin and API key."""

import re
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from model_server.access import Access, Holder
from model_server.api.envelope import ApiError
from model_server.api.refusals import refusal

COOKIE = "model-session"
LOGIN = "/Login"
#: The path of a result, before the job's id, and the parameter that opens one to who has no key.
RESULT = "/data/result/"
LINK = "link"
_HEADER = "x-api-key"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOLDER = "model_server.holder"
PREFIX = re.compile(r"(/[A-Za-z0-9._~%-]+){1,20}", re.ASCII)
_TOLD_BY_BROWSERS = (b"origin", b"sec-fetch-site")
_ASKED_FOR = {b"host", b"x-forwarded-host", b"origin", b"sec-fetch-site", b"x-api-key", b"cookie"}


class Doors:
    """Lets a request in, or refuses it."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = self._access
        is_open = access.keys is None and not access.hosts
        if scope["type"] != "http" or (is_open and (scope["method"] in _SAFE_METHODS or not _is_browser(scope))):
            await self._app(scope, receive, send)
            return
        try:
            scope[_HOLDER] = self._holder(scope, _headers(scope))
        except ApiError as error:
            await _refusal(scope, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _holder(self, scope: Scope, headers: dict[str, list[str]]) -> Holder | None:
        access, path = self._access, scope["path"]
        is_open = path in access.open_paths
        if access.hosts and not is_open and not _are_ours(headers.get("host", []), access.hosts):
            raise ApiError(421, "this server does not answer for this host name (MODEL_ALLOWED_HOSTS)")
        holder = None
        if access.keys is not None and _HEADER in headers:
            holder = access.keys.holder_of(headers[_HEADER][0]) if len(headers[_HEADER]) == 1 else None
            if holder is None and not is_open:
                raise ApiError(401, "this API key is not known here", {"www-authenticate": "ApiKey"})
        # Who sends a key in a header is no page of others: a browser would have asked us first.
        if holder is None and scope["method"] not in _SAFE_METHODS and _is_of_others(headers, access.hosts):
            text = "a page of another site sent this; a proxy that changes Host must send X-Forwarded-Host"
            raise ApiError(403, text)
        if access.keys is None or holder is not None:
            return holder
        holder = next(filter(None, map(access.keys.holder_of_session, _sessions(headers))), None)
        holder = holder or access.keys.holder_of_link(*_link(scope))
        if holder is None and not is_open and not _is_for_strangers(path):
            text = "this model needs an API key: send it in the header x-api-key, or log in on the page Login"
            raise ApiError(401, text, {"www-authenticate": "ApiKey"})
        return holder


def holder_of(request: Request) -> Holder | None:
    """Return the caller; None: no key was needed or shown."""
    holder = request.scope.get(_HOLDER)
    return holder if isinstance(holder, Holder) else None


def client_of(request: Request) -> str | None:
    """Return the client whose jobs alone may be seen; None: all."""
    holder = holder_of(request)
    return None if holder is None else holder.client


def _is_browser(scope: Scope) -> bool:
    return any(name in _TOLD_BY_BROWSERS for name, _ in scope["headers"])


def _is_for_strangers(path: str) -> bool:
    return path == LOGIN or path.startswith("/static/")


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        if name in _ASKED_FOR:
            found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1").strip())
    return found


def _are_ours(given: list[str], hosts: tuple[str, ...]) -> bool:
    return len(given) == 1 and _name(given[0]) in hosts


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_of_others(headers: dict[str, list[str]], hosts: tuple[str, ...]) -> bool:
    """Trust what browsers tell of the page; other clients tell nothing."""
    sites = headers.get("sec-fetch-site", [])
    if sites:
        return any(site not in ("same-origin", "none") for site in sites)
    own = {
        _place(place) for name in ("host", "x-forwarded-host") for place in ",".join(headers.get(name, [])).split(",")
    }
    for origin in headers.get("origin", []):
        place = _place(origin.partition("://")[2])
        if not place or (place not in own and _name(place) not in hosts):
            return True
    return False


def _place(host: str) -> str:
    return host.strip().lower().removesuffix(":80").removesuffix(":443")


def _sessions(headers: dict[str, list[str]]) -> list[str]:
    """Return all session cookies: two models may share a host."""
    pairs = (pair.strip().partition("=") for text in headers.get("cookie", []) for pair in text.split(";"))
    return [value for name, _, value in pairs if name == COOKIE]


def _link(scope: Scope) -> tuple[str, str]:
    if not scope["path"].startswith(RESULT) or scope["method"] not in ("GET", "HEAD"):
        return "", ""
    signatures = parse_qs(scope["query_string"].decode("latin-1")).get(LINK, [])
    return (signatures[0], scope["path"].removeprefix(RESULT)) if len(signatures) == 1 else ("", "")


def _refusal(scope: Scope, error: ApiError) -> Response:
    request = Request(scope)
    if error.status == 401 and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(root_of(request) + LOGIN[1:], 303, {"cache-control": "no-store"})
    response = refusal(request, error.status, error.message)
    response.headers.update(error.headers)
    return response


def root_of(request: Request) -> str:
    """Return the path to the root, relative unless a proxy names it."""
    return removed_prefix(request) or "../" * (request.scope["path"].count("/") - 1)


def removed_prefix(request: Request) -> str:
    """Return the path prefix that a proxy (Traefik) says it removed, or "".

    Relative links depend on its final slash, which is not known.
    """
    prefix = request.headers.get("x-forwarded-prefix", "").rstrip("/")
    return f"{prefix}/" if PREFIX.fullmatch(prefix) else ""
