"""The envelope around most answers, byte for byte as clients know it."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from model_server.jobs.job import Job, State

DELETED = "Deleted"
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_HEADERS = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"}


class ApiError(Exception):
    """A refusal of a request, with its status."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def json_bytes(value: Any) -> bytes:
    """Return compact JSON in UTF-8; lone surrogates become question marks."""
    return _encode(value).encode("utf-8", "replace")


def json_response(content: bytes, status: int = 200) -> Response:
    return Response(content, status, _HEADERS)


def success(data: Any) -> Response:
    return _envelope(data, None, 200)


def flawed(data: Any, error: str) -> Response:
    return _envelope(data, error, 200)


def refused(data: Any, error: str) -> Response:
    return _envelope(data, error, 400)


def failure(status: int, message: str) -> Response:
    return _envelope(None, message, status)


def job_status(job: Job) -> Response:
    """Answer a job's triple; a failure is the envelope's error, too, or clients would poll forever."""
    return _envelope(triple(job.id, job.state, job.error), job.error if job.state is State.ERROR else None, 200)


def of_job(job: Job) -> bytes:
    return bytes(job_status(job).body)


def triple(job_id: str, status: str, error: str | None = None) -> dict[str, str | None]:
    return {"id": job_id, "status": status, "errorMessage": error}


def _envelope(data: Any, error: str | None, status: int) -> Response:
    return json_response(json_bytes({"data": data, "isError": error is not None, "errorMessage": error}), status)
