"""The application: all routes, and what answers share."""

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from model_server import pages
from model_server.api import (
    disk,
    hosted,
    inference,
    invocations,
    job_list,
    jobs,
    licenses,
    mapping_file,
    operations,
    results,
    run_job,
    services,
    system,
)
from model_server.api.doors import Doors
from model_server.api.envelope import ApiError
from model_server.api.refusals import refusal
from model_server.api.services import Services
from model_server.api.straight import Straight
from model_server.jobs import database
from model_server.pages import strays
from model_server.tracing import Traced


def create_app(server: Services, root_path: str = "") -> Starlette:
    """Make the ASGI application.

    Args:
        root_path: a prefix that a proxy may have removed, e.g. "/models/iris".
    """
    app = Starlette(
        routes=[  # looked through in this order: the busiest first
            *jobs.ROUTES,
            *results.ROUTES,
            *system.ROUTES,
            *run_job.ROUTES,
            *operations.ROUTES,
            *licenses.ROUTES,
            *job_list.ROUTES,
            *mapping_file.ROUTES,
            *invocations.ROUTES,
            *inference.ROUTES,
            *hosted.ROUTES,
            *pages.ROUTES,
        ],
        middleware=[
            *([Middleware(PathPrefix, prefix=root_path)] if root_path else []),
            *([Middleware(Traced, tracing=server.tracing)] if server.tracing is not None else []),
            Middleware(Doors, access=server.access),
            Middleware(Straight, routes=[*run_job.ROUTES, *jobs.ADD_ROUTES], refusals=_REFUSALS),
        ],
        exception_handlers={**_REFUSALS, Exception: _fault},
    )
    app.state.services = server
    app.router.redirect_slashes = False  # its redirects would carry an absolute address
    return app


class PathPrefix:
    """Removes a path prefix that the proxy left in place."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path == self._prefix:
                # The dashboard's relative links would miss the last word of the prefix.
                await RedirectResponse(self._prefix.rpartition("/")[2] + "/", 308)(scope, receive, send)
                return
            if path.startswith(self._prefix + "/"):
                scope = {**scope, "path": path[len(self._prefix) :]}
        await self._app(scope, receive, send)


async def _api_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    if error.status == disk.NO_ROOM:
        services.of(request).space.log_refusal()
    response = refusal(request, error.status, error.message)
    response.headers.update(error.headers)
    return response


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    is_lost = error.status_code in (404, 405)
    if is_lost and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        page = strays.answer(request, error.status_code)
        page.headers.update(error.headers or {})
        return page
    detail = error.detail
    if is_lost and request.method == "POST":
        detail = f"{detail}: to run the model, {strays.HOW_TO_SEND}"
    response = refusal(request, error.status_code, detail)
    response.headers.update(error.headers or {})
    return response


async def _disconnect(request: Request, _error: Exception) -> Response:
    return refusal(request, 400, "the connection was closed before the form was complete")


async def _queue_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, SQLAlchemyError) or not database.is_away(error):
        raise error
    database.log_fault("a request was answered 503", error)
    response = refusal(request, 503, "the job queue does not answer now; send the request again in a moment")
    response.headers["retry-after"] = "5"
    return response


async def _fault(request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, and uvicorn logs it.
    return refusal(request, 500, "the server met an error of its own; its log says more")


_REFUSALS = {
    ApiError: _api_error,
    HTTPException: _http_error,
    ClientDisconnect: _disconnect,
    SQLAlchemyError: _queue_error,
}
