"""The short way to endpoints whose path has no parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

_ERROR = "model_server.error"


class Straight:
    """Calls such an endpoint by one look at its path; all else goes to the router.

    The router and its layers take a sixth of the loop's time for a job.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route], refusals: Mapping[Any, Any]) -> None:
        """Take routes of coroutines, and what answers their errors."""
        self._app = app
        self._routes = {(method, route.path): route for route in routes for method in route.methods or ()}
        self._refused = ExceptionMiddleware(_fail, refusals)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # for traces
        scope["path_params"] = {}
        try:
            response = await route.endpoint(Request(scope, receive, send))
        except Exception as error:  # noqa: BLE001 - answered as its kind, or raised again
            scope[_ERROR] = error
            response = self._refused
        await response(scope, receive, send)


async def _fail(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise scope[_ERROR]
