"""Pages for people. Every link is relative: they work on any host and port, and behind any path prefix."""

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from model_server.api import doors, job_list, jobs, licenses, mapping_file, services
from model_server.api.envelope import ApiError
from model_server.api.query import number
from model_server.jobs.job import Job
from model_server.license import NO_KEY
from model_server.pages import formatting, login
from model_server.pages.render import page as _page
from model_server.tabular import mime

JOBS_A_PAGE = 25
_LAST_PAGE = 10**6


async def dashboard(request: Request) -> Response:
    manifest = services.of(request).manifest
    text, problem = await run_in_threadpool(_license, request)
    counts = await run_in_threadpool(services.of(request).store.queue.counts, doors.client_of(request))
    return _page(
        request,
        "dashboard.html",
        tab="dashboard",
        license=text,
        problem=problem,
        inputs=mime.convertible(manifest.input_types),
        outputs=mime.convertible(manifest.output_types),
        runner=services.of(request).runner_mode() or "starting",
        jobs=formatting.jobs(counts.by_state),
        base=doors.removed_prefix(request),
    )


async def license_form(request: Request) -> Response:
    return await _license_page(request, 200, None)


async def license_key(request: Request) -> Response:
    """Take a key; answer a page that says what came of it."""
    try:
        await licenses.apply_key(request, await licenses.key_of_form(request))
    except ApiError as error:
        return await _license_page(request, error.status, error.message)
    return await _license_page(request, 200, None, accepted=True)


async def add_job_form(request: Request) -> Response:
    return await _add_job_page(request, 200, None)


async def add_job(request: Request) -> Response:
    """Take the form of a browser without JavaScript and answer a page."""
    try:
        job = await jobs.accept(request)
    except ApiError as error:
        return await _add_job_page(request, error.status, error.message)
    return RedirectResponse(f"Job/{job.id}", status_code=303)


async def mapping_form(request: Request) -> Response:
    return _mapping_page(request, 200, None)


async def mapping(request: Request) -> Response:
    """Answer the mapping file as a download, or the form again with its errors."""
    try:
        return await mapping_file.propose_mapping(request)
    except ApiError as error:
        return _mapping_page(request, error.status, error.message)


def current_jobs(request: Request) -> Response:
    """Answer a page of jobs, newest first; a number beyond the last page is the last page."""
    try:
        client = job_list.readable(request)
        asked = number(request, "page", 1, 1, _LAST_PAGE)
    except ApiError as error:
        return _message(request, "", "No such page", error)
    queue = services.of(request).store.queue
    total = queue.count(client)
    pages = max(1, -(-total // JOBS_A_PAGE))
    page = min(asked, pages)
    found = queue.list(JOBS_A_PAGE, (page - 1) * JOBS_A_PAGE, client)
    return _page(
        request, "jobs.html", tab="jobs", jobs=found, total=total, page=page, pages=pages, forms=_forms(request)
    )


def job(request: Request) -> Response:
    return _job_page(request, "job.html", "../")


def delete_form(request: Request) -> Response:
    """Ask before a job is deleted."""
    return _job_page(request, "delete.html", "../../")


def delete(request: Request) -> Response:
    try:
        found = jobs.find(request)
    except ApiError as error:
        return _message(request, "../../", "No such job", error)
    services.of(request).store.delete(found.id)
    is_listed = services.of(request).access.job_list
    return RedirectResponse(f"../../Jobs?page={_page_number(request)}" if is_listed else "../../", status_code=303)


async def swagger(request: Request) -> Response:
    up = "" if request.url.path.endswith("/swagger") else "../"
    return _page(request, "swagger.html", tab="swagger", up=up)


def _job_page(request: Request, template: str, up: str) -> Response:
    try:
        found: Job = jobs.find(request)
    except ApiError as error:
        return _message(request, up, "No such job", error)
    return _page(request, template, tab="jobs", up=up, job=found, page=_page_number(request), forms=_forms(request))


async def _add_job_page(request: Request, status: int, error: str | None) -> Response:
    _, problem = await run_in_threadpool(_license, request)
    manifest = services.of(request).manifest
    types = mime.convertible(manifest.input_types)
    return _page(
        request,
        "add_job.html",
        status,
        tab="add-job",
        types=types,
        structured=any(mime.form(text) for text in types),
        mappable_result=mime.form(manifest.output_types[0]) is not None,
        problem=problem,
        error=error,
        forms=_forms(request),
    )


def _mapping_page(request: Request, status: int, error: str | None) -> Response:
    manifest = services.of(request).manifest
    types = [text for text in mime.convertible(manifest.input_types) if mime.form(text) is not None]
    return _page(request, "mapping.html", status, tab="add-job", types=types, error=error)


async def _license_page(request: Request, status: int, error: str | None, accepted: bool = False) -> Response:
    text, problem = await run_in_threadpool(_license, request)
    needed = services.of(request).licensing is not None
    return _page(
        request,
        "license.html",
        status,
        tab="license",
        license=text,
        problem=problem,
        needed=needed,
        error=error,
        accepted=accepted,
    )


def _license(request: Request) -> tuple[str, str | None]:
    """Return the license in words and, if so, why no data is processed under it."""
    licensing = services.of(request).licensing
    if licensing is None:
        return NO_KEY, None
    found = licensing.current()
    return (NO_KEY if found is None else str(found)), licensing.problem()


def _forms(request: Request) -> list[tuple[str, str]]:
    """Return the other forms of a result: the word in the address, and the name."""
    manifest = services.of(request).manifest
    if mime.form(manifest.output_types[0]) is None:
        return []
    is_flat = all(len(field.path.steps) == 1 for field in manifest.output_schema)
    return [("json", "JSON"), ("csv", "CSV")] if is_flat else [("json", "JSON")]


def _page_number(request: Request) -> int:
    """Return the list's page that a person came from; 1 if the address does not say it."""
    try:
        return number(request, "page", 1, 1, _LAST_PAGE)
    except ApiError:
        return 1


def _message(request: Request, up: str, title: str, error: ApiError) -> Response:
    return _page(request, "message.html", error.status, tab="jobs", up=up, title=title, message=error.message)


ROUTES: list[BaseRoute] = [
    Route("/", dashboard, methods=["GET"]),
    Route("/License", license_form, methods=["GET"]),
    Route("/License", license_key, methods=["POST"]),
    Route("/AddJob", add_job_form, methods=["GET"]),
    Route("/AddJob", add_job, methods=["POST"]),
    Route("/Mapping", mapping_form, methods=["GET"]),
    Route("/Mapping", mapping, methods=["POST"]),
    Route("/Jobs", current_jobs, methods=["GET"]),
    Route("/Job/{job_id}", job, methods=["GET"]),
    Route("/Job/{job_id}/Delete", delete_form, methods=["GET"]),
    Route("/Job/{job_id}/Delete", delete, methods=["POST"]),
    *(Route(path, swagger, methods=["GET"]) for path in ("/swagger", "/swagger/", "/swagger/index.html")),
    *login.ROUTES,
    Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
]
