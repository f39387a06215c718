"""Pages for people; relative links work behind any path prefix."""

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from model_server.api import jobs as api_jobs
from model_server.api import mapping_file, services
from model_server.api.envelope import ApiError
from model_server.jobs.store import new_id
from model_server.pages import dashboard, jobs, licensing, login
from model_server.pages.render import HEADERS, page
from model_server.tabular import mime


async def add_job_form(request: Request) -> Response:
    return await _add_job_page(request, 200, None)


async def add_job(request: Request) -> Response:
    """Take the form of a browser without JavaScript."""
    try:
        job = await api_jobs.recorded(await api_jobs.begin(request, new_id()))
    except ApiError as error:
        return await _add_job_page(request, error.status, error.message)
    return RedirectResponse(f"Job/{job.id}", status_code=303)


async def mapping_form(request: Request) -> Response:
    return _mapping_page(request, 200, None)


async def mapping(request: Request) -> Response:
    try:
        return await mapping_file.propose_mapping(request)
    except ApiError as error:
        return _mapping_page(request, error.status, error.message)


async def sample(request: Request) -> Response:
    example = services.of(request).manifest.example
    if example is None or not example.path.is_file():
        raise ApiError(404, "this image has no sample")
    headers = {**HEADERS, "content-security-policy": "sandbox; default-src 'none'"}
    return FileResponse(example.path, headers=headers, media_type="application/octet-stream", filename=example.name)


async def swagger(request: Request) -> Response:
    up = "" if request.url.path.endswith("/swagger") else "../"
    return page(request, "swagger.html", tab="swagger", up=up)


async def _add_job_page(request: Request, status: int, error: str | None) -> Response:
    _, problem = await run_in_threadpool(licensing.license_of, request)
    manifest = services.of(request).manifest
    types = mime.convertible(manifest.input_types)
    return page(
        request,
        "add_job.html",
        status,
        tab="add-job",
        types=types,
        structured=any(mime.form(text) for text in types),
        mappable_result=mime.form(manifest.output_types[0]) is not None,
        problem=problem,
        error=error,
    )


def _mapping_page(request: Request, status: int, error: str | None) -> Response:
    manifest = services.of(request).manifest
    types = [text for text in mime.convertible(manifest.input_types) if mime.form(text) is not None]
    return page(request, "mapping.html", status, tab="add-job", types=types, error=error)


ROUTES: list[BaseRoute] = [
    Route("/", dashboard.dashboard, methods=["GET"]),
    *licensing.ROUTES,
    Route("/AddJob", add_job_form, methods=["GET"]),
    Route("/AddJob", add_job, methods=["POST"]),
    Route("/Mapping", mapping_form, methods=["GET"]),
    Route("/Mapping", mapping, methods=["POST"]),
    Route("/Sample", sample, methods=["GET"]),
    *jobs.ROUTES,
    *(Route(path, swagger, methods=["GET"]) for path in ("/swagger", "/swagger/", "/swagger/index.html")),
    *login.ROUTES,
    Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
]
