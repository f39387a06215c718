"""License keys: show the current, take a new one."""

import json

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server import bounds
from model_server.api import envelope, fields, services
from model_server.api.envelope import ApiError, json_bytes, json_response
from model_server.errors import LicenseError
from model_server.license import NO_KEY


async def shown(request: Request) -> Response:
    """Answer a text, never null: clients of the original API would misread that."""
    licensing = services.of(request).licensing
    found = None if licensing is None else await run_in_threadpool(licensing.current)
    if licensing is None or found is None:
        return envelope.success(NO_KEY)
    problem = licensing.problem()
    return envelope.success(str(found)) if problem is None else envelope.flawed(str(found), problem)


async def applied(request: Request) -> Response:
    """Take {"license": "<key>"}, whatever the content type says."""
    try:
        document = json.loads(await fields.body_of(request, bounds.LICENSE_BYTES))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, 'the body must be JSON: {"license": "<the key\'s text>"}') from error
    given = {key.lower(): value for key, value in document.items()} if isinstance(document, dict) else {}
    text = given.get("license")
    if not isinstance(text, str) or not text.strip():
        raise ApiError(400, 'the body has no key: send {"license": "<the key\'s text>"}')
    return await _apply(request, text)


async def uploaded(request: Request) -> Response:
    return await _apply(request, await key_of_form(request))


async def key_of_form(request: Request) -> str:
    return await fields.of_form(request, "License", bounds.LICENSE_BYTES)


async def apply_key(request: Request, text: str) -> None:
    """Apply a key; ApiError 400: it is refused."""
    licensing = services.of(request).licensing
    if licensing is None:
        raise ApiError(400, "this model needs no license key: licensing is not switched on")
    try:
        await run_in_threadpool(licensing.apply, text)
    except LicenseError as error:
        raise ApiError(400, str(error)) from error


async def _apply(request: Request, text: str) -> Response:
    await apply_key(request, text)
    return json_response(json_bytes({"isError": False, "errorMessage": None}))


ROUTES = [
    Route("/api/license", shown, methods=["GET"]),
    Route("/api/license", applied, methods=["POST"]),
    Route("/api/license/file", uploaded, methods=["POST"]),
]
