"""The server's own endpoints: health, MIME types, OpenAPI document."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from model_server.api import openapi, services
from model_server.api.envelope import json_bytes, json_response
from model_server.tabular import mime

#: The build id of what answers: a deployment can tell that it does not talk to an older container.
BUILD_ID_HEADER = "X-Model-Build-Id"


async def health(request: Request) -> Response:
    server = services.of(request)
    headers = {BUILD_ID_HEADER: server.manifest.build_id}
    if server.siblings.is_one_stuck():
        return PlainTextResponse("Another process of this server does not answer", 503, headers)
    return PlainTextResponse("Health check is ok", headers=headers)


async def supported_mime_types(request: Request) -> Response:
    manifest = services.of(request).manifest
    types = {"inputTypes": manifest.input_types, "outputTypes": manifest.output_types}
    return json_response(json_bytes({key: mime.convertible(declared) for key, declared in types.items()}))


async def specification(request: Request) -> Response:
    server = services.of(request)
    root = "../" * (request.scope["path"].count("/") - 1) or "./"
    described = await run_in_threadpool(openapi.document, server.manifest, server.access.keys is not None, root)
    return json_response(json_bytes(described))


ROUTES = [
    Route("/health", health, methods=["GET"]),
    Route("/data/supported-mime-types", supported_mime_types, methods=["GET"]),
    *(Route(path, specification, methods=["GET"]) for path in ("/swagger/v1/swagger.json", "/openapi.json")),
]
