"""Results: as the model wrote them, as JSON or as CSV, through the job's output mapping if it has one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from model_server.api import data, services
from model_server.api.envelope import ApiError
from model_server.api.jobs import id_of, no_job, seen
from model_server.api.services import Services
from model_server.api.system import BUILD_ID_HEADER
from model_server.jobs.job import Job, State
from model_server.tabular.mime import Form

#: A result is the user's data under our address: a browser must neither guess at it nor run it.
_INERT = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cache-control": "no-store",
}
_CHUNK = 256 * 1024


async def result(request: Request) -> Response:
    return await _answer(request, None, services.of(request).manifest.output_types[0])


async def result_json(request: Request) -> Response:
    return await _answer(request, Form.JSON, "application/json; charset=utf-8")


async def result_csv(request: Request) -> Response:
    return await _answer(request, Form.CSV, "text/csv; charset=utf-8")


async def answer(
    server: Services, job: Job, name: str, content: bytes | None, form: Form | None, kind: str
) -> Response:
    """Answer with a complete job's result, from memory if it is there in the wanted form.

    Args:
        server: its services.
        job: whose output mapping applies.
        name: of the result.
        content: the result itself; None: it is the file of that name.
        form: what is asked for; None: the model's own.
        kind: content type of the answer.

    Raises:
        ApiError: 400, it cannot be had in this form; 404, it was deleted meanwhile.
    """
    converts = form is not None or job.output_mappings is not None
    if content is None:
        return await (server.convert if converts else run_in_threadpool)(_of_file, server, job, name, form, kind)
    if not converts:
        return _small(content, kind)
    return await server.convert(_of_content, server, job, content, form, kind)


def _of_file(server: Services, job: Job, name: str, form: Form | None, kind: str) -> Response:
    headers = {"content-type": kind, **_INERT}
    path = server.store.result_path(name)
    try:
        made = data.of_model(job, path, form, server.manifest, server.uploads, server.converters)
    except FileNotFoundError as error:
        raise no_job() from error
    if made is None and not path.is_file():
        raise no_job()
    return FileResponse(path, headers=headers) if made is None else _once(made, headers)


def _of_content(server: Services, job: Job, content: bytes, form: Form | None, kind: str) -> Response:
    with NamedTemporaryFile(dir=server.uploads) as file:
        file.write(content)
        file.flush()
        made = data.of_model(job, Path(file.name), form, server.manifest, server.uploads, server.converters)
    return _small(content, kind) if made is None else _once(made, {"content-type": kind, **_INERT})


def _small(content: bytes, content_type: str) -> Response:
    """Answer with a result in memory, unconverted."""
    return Response(content, headers={"content-type": content_type, **_INERT})


async def _answer(request: Request, form: Form | None, content_type: str) -> Response:
    """Answer with the result in `form`; None: the model's own."""
    server = services.of(request)
    found = await server.look(server.store.queue.get_result, id_of(request))
    if found is None:
        raise no_job()
    job, content = seen(found[0], request), found[1]
    if job.state is State.ERROR:
        raise ApiError(409, f"the job has no result, it failed: {job.error}")
    if job.result is None:
        raise ApiError(409, f"the result is not ready: the job is {job.state}")
    response = await answer(server, job, job.result, content, form, content_type)
    if job.build_id is not None:
        response.headers[BUILD_ID_HEADER] = job.build_id
    return response


def _once(made: Path, headers: Mapping[str, str]) -> Response:
    """Send a file that was made for this answer."""
    size = made.stat().st_size
    file = made.open("rb")  # closed by the answer
    made.unlink()
    return StreamingResponse(_chunks(file), headers={**headers, "content-length": str(size)})


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


ROUTES = [
    Route("/data/result/{job_id}", result, methods=["GET"]),
    Route("/data/result/json/{job_id}", result_json, methods=["GET"]),
    Route("/data/result/csv/{job_id}", result_csv, methods=["GET"]),
]
