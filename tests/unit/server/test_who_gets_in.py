"""Requests get in by each way that is open to them, and who is refused gets a whole answer."""

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request

from model_server.access import Access, Keys
from model_server.api import doors

OWNER, ANN = "owner-0123456789abcdef", "ann-0123456789abcdef"
JOB = "12345678-1234-1234-1234-123456789012"
KEYS = Keys({"MODEL_API_KEY": OWNER, "MODEL_API_KEY_ANN": ANN}, "m")
HOSTS = ("iris.example",)
UNKNOWN = "this API key is not known here"
NEEDED = "this model needs an API key: send it in the header x-api-key, or log in on the page Login"
OTHERS = "a page of another site sent this; a proxy that changes Host must send X-Forwarded-Host"
NOT_HERE = "this server does not answer for this host name (MODEL_ALLOWED_HOSTS)"


def ask(
    access: Access, method: str, path: str, headers: list[tuple[str, str]], query: str = ""
) -> tuple[int, dict[str, str], bytes, str | None]:
    """Return status, headers and body; of who is let in, 200 and whose jobs it may see."""
    let_in: list[str | None] = []
    sent: list[Any] = []

    async def behind(scope: Any, _receive: Any, _send: Any) -> None:
        asked = Request(scope)
        holder = doors.holder_of(asked)
        assert doors.client_of(asked) == (holder and holder.client)
        let_in.append("nobody" if holder is None else holder.client or "owner")

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }
    asyncio.run(doors.Doors(behind, access)(scope, receive, send))
    if let_in:
        return 200, {}, b"", let_in[0]
    start, body = sent
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], found, body["body"], None


def refused(message: str) -> bytes:
    return json.dumps({"data": None, "isError": True, "errorMessage": message}, separators=(",", ":")).encode()


BOTH, LOCKED, NAMED, OPEN = Access(KEYS, HOSTS), Access(KEYS), Access(hosts=HOSTS), Access()
HOST = ("host", "iris.example")


SAME = [("origin", "http://h"), ("host", "h")]


def session(key: str) -> tuple[str, str]:
    holder = KEYS.holder_of(key)
    assert holder is not None
    return "cookie", f"other=1; {doors.COOKIE}={KEYS.session(holder)}"


def link(key: str, job: str = JOB) -> str:
    holder = KEYS.holder_of(key)
    assert holder is not None
    return f"{doors.LINK}={KEYS.link(holder, job)}"


@pytest.mark.parametrize(
    ("access", "method", "path", "headers", "who"),
    [
        (OPEN, "GET", "/Jobs", [], "nobody"),
        (OPEN, "POST", "/data/add-job", [], "nobody"),
        (OPEN, "GET", "/Jobs", [("origin", "http://evil"), ("host", "h")], "nobody"),
        (OPEN, "POST", "/AddJob", [("origin", "http://h"), ("host", "h")], "nobody"),
        (OPEN, "POST", "/AddJob", [("origin", "http://h:80"), ("host", "H")], "nobody"),
        (OPEN, "POST", "/AddJob", [("origin", "https://h"), ("host", "h:443")], "nobody"),
        (OPEN, "POST", "/AddJob", [("origin", "http://h"), ("host", "x"), ("x-forwarded-host", "y, h")], "nobody"),
        (OPEN, "POST", "/AddJob", [("sec-fetch-site", "same-origin"), ("origin", "http://evil")], "nobody"),
        (OPEN, "POST", "/AddJob", [("sec-fetch-site", "none")], "nobody"),
        (NAMED, "GET", "/Jobs", [HOST], "nobody"),
        (NAMED, "GET", "/Jobs", [("host", "IRIS.example.:8080")], "nobody"),
        (NAMED, "GET", "/health", [("host", "other")], "nobody"),
        (NAMED, "POST", "/AddJob", [HOST, ("origin", "https://iris.example:8443")], "nobody"),
        (LOCKED, "GET", "/Login", [], "nobody"),
        (LOCKED, "POST", "/Login", [], "nobody"),
        (LOCKED, "GET", "/static/a.css", [], "nobody"),
        (LOCKED, "GET", "/health", [], "nobody"),
        (LOCKED, "GET", "/health", [("x-api-key", "wrong")], "nobody"),
        (LOCKED, "GET", "/Jobs", [("x-api-key", OWNER)], "owner"),
        (LOCKED, "GET", "/Jobs", [("x-api-key", f" {ANN} ")], "ann"),
        (LOCKED, "POST", "/AddJob", [("x-api-key", ANN), ("origin", "http://evil"), ("host", "h")], "ann"),
        (LOCKED, "GET", "/Jobs", [session(ANN)], "ann"),
        (LOCKED, "GET", "/Jobs", [("cookie", f"{doors.COOKIE}=old"), session(OWNER)], "owner"),
        (LOCKED, "POST", "/AddJob", [session(ANN), ("origin", "http://h"), ("host", "h")], "ann"),
        (BOTH, "GET", "/Jobs", [HOST, ("x-api-key", OWNER)], "owner"),
    ],
)
def test_who_is_let_in(access: Access, method: str, path: str, headers: list[tuple[str, str]], who: str) -> None:
    assert ask(access, method, path, headers) == (200, {}, b"", who)


@pytest.mark.parametrize(
    ("access", "method", "path", "headers", "status", "message"),
    [
        (OPEN, "POST", "/AddJob", [("origin", "http://evil"), ("host", "h")], 403, OTHERS),
        (OPEN, "DELETE", "/data/delete/1", [("origin", "null"), ("host", "h")], 403, OTHERS),
        (OPEN, "POST", "/AddJob", [("origin", "http://")], 403, OTHERS),
        (OPEN, "POST", "/AddJob", [("origin", "http://h:81"), ("host", "h")], 403, OTHERS),
        (OPEN, "POST", "/AddJob", [("sec-fetch-site", "cross-site"), *SAME], 403, OTHERS),
        (OPEN, "POST", "/AddJob", [("sec-fetch-site", "same-site")], 403, OTHERS),
        (OPEN, "PUT", "/x", [("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], 403, OTHERS),
        (OPEN, "POST", "/x", [("origin", "http://h"), ("origin", "http://evil"), ("host", "h")], 403, OTHERS),
        (NAMED, "GET", "/Jobs", [("host", "other")], 421, NOT_HERE),
        (NAMED, "GET", "/Jobs", [], 421, NOT_HERE),
        (NAMED, "GET", "/Jobs", [HOST, HOST], 421, NOT_HERE),
        (NAMED, "GET", "/Jobs", [("host", "iris.example:x]")], 421, NOT_HERE),
        (NAMED, "GET", "/Jobs", [("host", "[iris.example")], 421, NOT_HERE),
        (NAMED, "POST", "/AddJob", [HOST, ("origin", "https://evil")], 403, OTHERS),
        (LOCKED, "GET", "/Jobs", [("x-api-key", "wrong")], 401, UNKNOWN),
        (LOCKED, "GET", "/Jobs", [("x-api-key", OWNER), ("x-api-key", OWNER)], 401, UNKNOWN),
        (LOCKED, "GET", "/Jobs", [("x-api-key", "wrong"), session(ANN)], 401, UNKNOWN),
        (LOCKED, "GET", "/Jobs", [], 401, NEEDED),
        (LOCKED, "GET", "/Login/x", [], 401, NEEDED),
        (LOCKED, "GET", "/statics", [], 401, NEEDED),
        (LOCKED, "GET", "/Jobs", [("cookie", f"{doors.COOKIE}=1; {doors.COOKIE}")], 401, NEEDED),
        (LOCKED, "POST", "/Login", [("origin", "http://evil"), ("host", "h")], 403, OTHERS),
        (LOCKED, "POST", "/AddJob", [session(ANN), ("origin", "http://evil"), ("host", "h")], 403, OTHERS),
        (BOTH, "GET", "/Jobs", [("host", "other"), ("x-api-key", OWNER)], 421, NOT_HERE),
    ],
)  # fmt: skip
def test_who_is_refused_and_what_it_is_told(
    access: Access, method: str, path: str, headers: list[tuple[str, str]], status: int, message: str
) -> None:
    found = ask(access, method, path, headers)
    wanted = {"www-authenticate": "ApiKey"} if status == 401 else {}
    kept = {"cache-control": "no-store", "content-type": "application/json; charset=utf-8"}
    body = refused(message)
    assert found == (status, {**kept, "content-length": str(len(body)), **wanted}, body, None)


@pytest.mark.parametrize(
    ("headers", "path", "location"),
    [
        ([("accept", "text/html,*/*")], "/Jobs", "Login"),
        ([("accept", "text/html")], "/Job/1", "../Login"),
        ([("accept", "text/html"), ("x-forwarded-prefix", "/m/iris")], "/Job/1", "/m/iris/Login"),
    ],
)
def test_a_person_is_led_to_the_login(headers: list[tuple[str, str]], path: str, location: str) -> None:
    status, found, body, _ = ask(LOCKED, "GET", path, headers)
    assert (status, found, body) == (
        303,
        {"location": location, "cache-control": "no-store", "content-length": "0"},
        b"",
    )
    assert ask(NAMED, "GET", path, headers)[0] == 421


@pytest.mark.parametrize(
    ("method", "path", "links", "who"),
    [
        ("GET", f"/data/result/{JOB}", [(ANN, JOB)], "ann"),
        ("HEAD", f"/data/result/{JOB}", [(OWNER, JOB)], "owner"),
        ("DELETE", f"/data/result/{JOB}", [(ANN, JOB)], None),
        ("GET", f"/data/status/{JOB}", [(ANN, JOB)], None),
        ("GET", f"/data/result/{JOB}", [(ANN, "another")], None),
        ("GET", f"/data/result/json/{JOB}", [(ANN, JOB)], None),
        ("GET", f"/data/result/{JOB}", [(ANN, JOB), (ANN, JOB)], None),
        ("GET", f"/data/result/{JOB}", "link=", None),
        ("GET", f"/data/result/{JOB}", "", None),
    ],
)
def test_a_link_opens_its_result_alone(method: str, path: str, links: Any, who: str | None) -> None:
    query = links if isinstance(links, str) else "&".join(link(*each) for each in links)
    status, _, _, found = ask(LOCKED, method, path, [], query)
    assert (status, found) == (200 if who else 401, who)


def test_what_is_no_request_goes_through() -> None:
    through: list[Any] = []

    async def behind(scope: Any, _receive: Any, _send: Any) -> None:
        through.append(scope)

    asyncio.run(doors.Doors(behind, LOCKED)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert through == [{"type": "lifespan"}]
