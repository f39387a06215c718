"""A result on a page."""

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from model_server import bounds
from model_server.api import accept, data, jobs, services
from model_server.api.envelope import ApiError
from model_server.api.query import number, word
from model_server.api.services import Services
from model_server.jobs.job import Job, State
from model_server.log import logger
from model_server.pages.render import HEADERS
from model_server.tabular import detect, mime, view

_FEW = 5
_HEAD_BYTES = 16


def asked(request: Request) -> view.Look:
    def column(name: str) -> int | None:
        found = number(request, name, bounds.SHOWN_COLUMNS, 0, bounds.SHOWN_COLUMNS)
        return None if found == bounds.SHOWN_COLUMNS else found

    return view.Look(
        page=number(request, "rows", 1, 1, 10**6),
        size=number(request, "size", 50, 1, bounds.SHOWN_ROWS),
        sort=column("sort"),
        is_descending=word(request, "order", ("asc", "desc")) == "desc",
        x=column("x"),
        y=column("y"),
    )


async def shown(server: Services, job: Job, wish: view.Look) -> dict[str, Any] | None:
    found = await server.look(server.store.queue.get_result, job.id)
    if found is None or found[0].result is None:
        return None
    full, content = found
    try:
        return await server.view(_look, server, full, content, wish)
    except (FileNotFoundError, ApiError):  # it was deleted meanwhile, or its mapping does not fit it
        return None
    except OSError as error:
        logger.warning("the result of job %s cannot be shown: %s", job.id, error)
        return None


async def first_rows(server: Services, client: str | None) -> tuple[Job, dict[str, Any]] | None:
    complete = await run_in_threadpool(server.store.queue.list, 1, 0, client, State.COMPLETE)
    result = await shown(server, complete[0], view.Look(size=_FEW)) if complete else None
    return None if result is None else (complete[0], result)


def _look(server: Services, job: Job, content: bytes | None, wish: view.Look) -> dict[str, Any]:
    if content is None:
        return _look_at(server, job, server.store.result_path(str(job.result)), wish)
    with NamedTemporaryFile(dir=server.uploads) as file:
        file.write(content)
        file.flush()
        return _look_at(server, job, Path(file.name), wish)


def _look_at(server: Services, job: Job, path: Path, wish: view.Look) -> dict[str, Any]:
    manifest, converters = server.manifest, server.converters
    form = data.form_of_result(path, manifest, converters)
    if job.output_mappings is None or path.stat().st_size > bounds.SHOWN_BYTES:
        return converters.do(view.look, path, form, wish)
    made = data.of_model(job, path, accept.Wish(mime.Form.JSON), manifest, server.uploads, converters)
    if made is None:
        return converters.do(view.look, path, form, wish)
    try:
        return converters.do(view.look, made, mime.Form.JSON, wish)
    finally:
        made.unlink()


async def image(request: Request) -> Response:
    """Answer an image that every browser shows, and none runs."""
    server = services.of(request)
    job = await jobs.look(request, jobs.id_of(request))
    found = await server.look(server.store.queue.get_result, job.id)
    if found is None or found[0].result is None:
        raise jobs.no_job()
    job, content = found
    path = server.store.result_path(str(job.result))
    kind = detect.image_type(content if content is not None else await run_in_threadpool(_head_of, path))
    if kind is None:
        raise ApiError(404, "the result of this job is no image")
    headers = {**HEADERS, "content-type": kind, "content-security-policy": "sandbox; default-src 'none'"}
    return FileResponse(path, headers=headers) if content is None else Response(content, headers=headers)


def _head_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise jobs.no_job() from error


def query(wish: view.Look, page: int, **changes: object) -> str:
    values: dict[str, object] = {
        "page": page if page > 1 else None,
        "rows": wish.page if wish.page > 1 else None,
        "sort": wish.sort,
        "order": "desc" if wish.is_descending else None,
        "x": wish.x,
        "y": wish.y,
        **changes,
    }
    return urlencode({name: value for name, value in values.items() if value is not None})
