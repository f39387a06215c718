"""The login: exchanges an API key for a browser session."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from model_server import access, bounds
from model_server.api import doors, fields, services
from model_server.api.envelope import ApiError
from model_server.pages.render import page


async def form(request: Request) -> Response:
    if services.of(request).access.keys is None:
        return RedirectResponse(doors.root_of(request) or "./", 303)
    return page(request, "login.html", tab="login", error=None)


async def log_in(request: Request) -> Response:
    keys = services.of(request).access.keys
    try:
        text = await fields.of_form(request, "Key", bounds.API_KEY_BYTES)
    except ApiError as error:
        return page(request, "login.html", error.status, tab="login", error=error.message)
    holder = None if keys is None else keys.holder_of(text.strip())
    if keys is None or holder is None:
        return page(request, "login.html", 403, tab="login", error="this API key is not known here")
    return _with_cookie(request, keys.session(holder), access.SESSION_SECONDS, "")


async def log_out(request: Request) -> Response:
    return _with_cookie(request, "", 0, doors.LOGIN[1:])


def _with_cookie(request: Request, value: str, seconds: int, to: str) -> Response:
    # The session is out of reach of scripts and other sites. It has no path: the browser takes this page's, which a
    # proxy may have made longer.
    response = RedirectResponse((doors.root_of(request) + to) or "./", 303, {"cache-control": "no-store"})
    is_secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "").lower())
    attributes = f"Max-Age={seconds}; HttpOnly; SameSite=Strict{'; Secure' if is_secure else ''}"
    response.headers["set-cookie"] = f"{doors.COOKIE}={value}; {attributes}"
    return response


ROUTES = [
    Route(doors.LOGIN, form, methods=["GET"]),
    Route(doors.LOGIN, log_in, methods=["POST"]),
    Route("/Logout", log_out, methods=["POST"]),
]
