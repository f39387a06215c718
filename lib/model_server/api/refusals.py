"""Refusals in the form of the path's protocol."""

from starlette.requests import Request
from starlette.responses import Response

from model_server.api import envelope

#: Of the Open Inference Protocol.
INFERENCE = "/v2"


def refusal(request: Request, status: int, message: str) -> Response:
    path = request.scope["path"]
    if path == INFERENCE or path.startswith(f"{INFERENCE}/"):
        return envelope.json_response(envelope.json_bytes({"error": message}), status)
    return envelope.failure(status, message)
