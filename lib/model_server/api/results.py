"""Results: as the model wrote them, as JSON, as CSV."""

from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from model_server.api import services
from model_server.api.envelope import ApiError, json_bytes, json_response
from model_server.api.jobs import find
from model_server.jobs.queue import State
from model_server.tabular import mime
from model_server.tabular.convert import ConversionError, csv_to_records, parse_json, records_to_csv

#: A result is the user's data under our address: a browser must neither guess at it nor run it.
_INERT = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}


def result(request: Request) -> Response:
    kind = services.of(request).manifest.output_types[0]
    return FileResponse(_path(request), headers={"content-type": kind, **_INERT})


def result_json(request: Request) -> Response:
    content = _read(_path(request))
    return json_response(_converted(_as_json, content, _is_csv(request)))


def result_csv(request: Request) -> Response:
    content = _read(_path(request))
    return Response(_converted(_as_csv, content, _is_csv(request)), headers={"content-type": "text/csv; charset=utf-8"})


def _as_json(content: bytes, is_csv: bool) -> bytes:
    if is_csv:
        return json_bytes(csv_to_records(content))
    parse_json(content)
    return content


def _as_csv(content: bytes, is_csv: bool) -> bytes:
    return content if is_csv else records_to_csv(content)


def _converted(convert: Callable[[bytes, bool], bytes], content: bytes, is_csv: bool) -> bytes:
    try:
        return convert(content, is_csv)
    except ConversionError as error:
        raise ApiError(400, f"the result cannot be had in this form: {error}") from error


def _path(request: Request) -> Path:
    job = find(request)
    if job.state is State.ERROR:
        raise ApiError(409, f"the job has no result, it failed: {job.error}")
    if job.result is None:
        raise ApiError(409, f"the result is not ready: the job is {job.state}")
    path = services.of(request).store.result_path(job.result)
    if not path.is_file():
        raise ApiError(404, "there is no job with this id")  # deleted since we looked
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ApiError(404, "there is no job with this id") from error


def _is_csv(request: Request) -> bool:
    declared = mime.parse(services.of(request).manifest.output_types[0])
    return declared is not None and declared.is_csv


ROUTES = [
    Route("/data/result/{job_id}", result, methods=["GET"]),
    Route("/data/result/json/{job_id}", result_json, methods=["GET"]),
    Route("/data/result/csv/{job_id}", result_csv, methods=["GET"]),
]
