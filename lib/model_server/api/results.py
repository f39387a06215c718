"""Results: as the model wrote them, as JSON, or as CSV."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from model_server.api import accept, data, download, services
from model_server.api.accept import Wish
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
_INERT_RAW = [(name.encode(), value.encode()) for name, value in _INERT.items()]
_CHUNK = 256 * 1024
_HEAD_BYTES = 4096


async def result(request: Request) -> Response:
    return await _answer(request, accept.of_header(request, services.of(request).manifest.output_types[0]))


async def result_json(request: Request) -> Response:
    return await _answer(request, accept.of_path(request, Form.JSON))


async def result_csv(request: Request) -> Response:
    return await _answer(request, accept.of_path(request, Form.CSV))


async def answer(server: Services, job: Job, name: str, content: bytes | None, wish: Wish) -> Response:
    """Answer with a complete job's result.

    Args:
        content: None: it is the file called `name`.
    """
    converts = wish.form is not None or job.output_mappings is not None
    try:
        if content is None:
            return await (server.convert if converts else run_in_threadpool)(_of_file, server, job, name, wish)
        if not converts:
            return _Small(job, content, server.manifest.output_types[0])
        return await server.convert(_of_content, server, job, content, wish)
    except ApiError as error:
        if error.status != 400 or wish.form is None or wish.is_strict:
            raise
        return await answer(server, job, name, content, accept.OWN)  # Accept is a preference


def _of_file(server: Services, job: Job, name: str, wish: Wish) -> Response:
    path = server.store.result_path(name)
    try:
        made = data.of_model(job, path, wish, server.manifest, server.uploads, server.converters)
    except FileNotFoundError as error:
        raise no_job() from error
    try:
        headers = _headers(job, wish.kind(server.manifest.output_types[0]), _head(made or path))
    except FileNotFoundError as error:
        raise no_job() from error
    return FileResponse(path, headers=headers) if made is None else once(made, headers)


def _of_content(server: Services, job: Job, content: bytes, wish: Wish) -> Response:
    kind = wish.kind(server.manifest.output_types[0])
    with NamedTemporaryFile(dir=server.uploads) as file:
        file.write(content)
        file.flush()
        made = data.of_model(job, Path(file.name), wish, server.manifest, server.uploads, server.converters)
    return _Small(job, content, kind) if made is None else once(made, _headers(job, kind, _head(made)))


class _Small(Response):
    """A result in memory, with a head that costs a third of Starlette's."""

    def __init__(self, job: Job, content: bytes, kind: str) -> None:
        self.status_code, self.background, self.body = 200, None, content
        self.raw_headers = [
            (b"content-type", kind.encode("latin-1")),
            (b"content-disposition", download.header(job, kind, content[:_HEAD_BYTES]).encode("latin-1")),
            *_INERT_RAW,
            (b"content-length", b"%d" % len(content)),
        ]


def _headers(job: Job, kind: str, head: bytes) -> dict[str, str]:
    return {"content-type": kind, "content-disposition": download.header(job, kind, head), **_INERT}


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


async def _answer(request: Request, wish: Wish) -> Response:
    server = services.of(request)
    found = await server.look(server.store.queue.get_result, id_of(request))
    if found is None:
        raise no_job()
    job, content = seen(found[0], request), found[1]
    response = await answer(server, job, check_complete(job), content, wish)
    if job.build_id is not None:
        response.headers[BUILD_ID_HEADER] = job.build_id
    return response


def check_complete(job: Job) -> str:
    if job.state is State.ERROR:
        raise ApiError(409, f"the job has no result, it failed: {job.error}")
    if job.result is None:
        raise ApiError(409, f"the result is not ready: the job is {job.state}")
    return job.result


def once(made: Path, headers: Mapping[str, str]) -> Response:
    """Send a file made for this answer, and remove it."""
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
