"""The short way to an endpoint answers as the router does."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from model_server.api.straight import Straight


class KnownError(Exception):
    """An error that has an answer."""


async def endpoint(request: Request) -> Response:
    match (await request.body()).decode():
        case "known":
            raise KnownError("no")
        case "http":
            raise HTTPException(418)
        case "unknown":
            raise ZeroDivisionError
    return PlainTextResponse(f"{request.scope['route'].path} {request.path_params}")


async def known(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 409)


async def fault(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("fault", 500)


def app(*middleware: Middleware) -> Starlette:
    handlers: Any = {KnownError: known, Exception: fault}
    return Starlette(
        routes=[Route("/a", endpoint, methods=["POST"])], middleware=middleware, exception_handlers=handlers
    )


def answer(called: Starlette, method: str, path: str, body: str) -> tuple[list[Any], str]:
    """Return what is sent, and the error that is left for the log."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "root_path": ""}
    try:
        asyncio.run(called(scope, receive, send))
    except ZeroDivisionError as error:
        return sent, repr(error)
    return sent, ""


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/a", "", 200),
        ("POST", "/a", "known", 409),
        ("POST", "/a", "http", 418),
        ("POST", "/a", "unknown", 500),
        ("GET", "/a", "", 405),
        ("POST", "/b", "", 404),
    ],
)
def test_it_answers_as_the_router_does(method: str, path: str, body: str, status: int) -> None:
    straight = Middleware(Straight, routes=[Route("/a", endpoint, methods=["POST"])], refusals={KnownError: known})
    found = answer(app(straight), method, path, body)
    assert found[0][0]["status"] == status
    assert found == answer(app(), method, path, body)
