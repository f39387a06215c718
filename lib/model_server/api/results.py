"""Results: as the model wrote them, as JSON, as CSV; through the job's output mapping, if it has one."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from model_server.api import data, services
from model_server.api.envelope import ApiError
from model_server.api.jobs import find
from model_server.jobs.queue import Job, State
from model_server.tabular.mime import Form

#: A result is the user's data under our address: a browser must neither guess at it nor run it.
_INERT = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}
_CHUNK = 256 * 1024


def result(request: Request) -> Response:
    return _answer(request, None, services.of(request).manifest.output_types[0])


def result_json(request: Request) -> Response:
    return _answer(request, Form.JSON, "application/json; charset=utf-8")


def result_csv(request: Request) -> Response:
    return _answer(request, Form.CSV, "text/csv; charset=utf-8")


def _answer(request: Request, form: Form | None, content_type: str) -> Response:
    """The result in the form asked for; None: the model's own."""
    room = services.of(request)
    job = find(request)
    path = _path(job, room.store.result_path(job.result or ""))
    headers = {"content-type": content_type, **_INERT}
    try:
        made = data.of_model(job, path, form, room.manifest, room.uploads)
    except FileNotFoundError as error:
        raise ApiError(404, "there is no job with this id") from error  # deleted since we looked
    if made is None:
        return FileResponse(path, headers=headers)
    size = made.stat().st_size
    file = made.open("rb")  # closed by the answer
    made.unlink()
    return StreamingResponse(_chunks(file), headers={**headers, "content-length": str(size)})


def _path(job: Job, path: Path) -> Path:
    if job.state is State.ERROR:
        raise ApiError(409, f"the job has no result, it failed: {job.error}")
    if job.result is None:
        raise ApiError(409, f"the result is not ready: the job is {job.state}")
    if not path.is_file():
        raise ApiError(404, "there is no job with this id")  # deleted since we looked
    return path


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


ROUTES = [
    Route("/data/result/{job_id}", result, methods=["GET"]),
    Route("/data/result/json/{job_id}", result_json, methods=["GET"]),
    Route("/data/result/csv/{job_id}", result_csv, methods=["GET"]),
]
