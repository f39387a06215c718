"""Pages for people. Every link is relative: they work on any host and port, and behind any path prefix."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from model_server.api import jobs, mapping_file, services
from model_server.api.envelope import ApiError
from model_server.jobs.queue import State
from model_server.tabular import mime

_HERE = Path(__file__).parent
_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=select_autoescape(), undefined=StrictUndefined
)


async def dashboard(request: Request) -> Response:
    runner = services.of(request).runner_mode() or "starting"
    return _page(request, "dashboard.html", tab="dashboard", up="", runner=runner)


async def add_job_form(request: Request) -> Response:
    types = [(text, _label(text)) for text in mime.convertible(services.of(request).manifest.input_types)]
    return _page(request, "add_job.html", tab="add-job", up="", types=types, error=None)


async def add_job(request: Request) -> Response:
    """The form without JavaScript: a page instead of JSON."""
    try:
        job = await jobs.accept(request)
    except ApiError as error:
        types = [(text, _label(text)) for text in mime.convertible(services.of(request).manifest.input_types)]
        return _page(request, "add_job.html", error.status, tab="add-job", up="", types=types, error=error.message)
    return RedirectResponse(f"Job/{job.id}", status_code=303)


async def mapping_form(request: Request) -> Response:
    return _mapping_page(request, 200, None)


async def mapping(request: Request) -> Response:
    """The mapping file as a download, or the form again with what is wrong."""
    try:
        return await mapping_file.propose_mapping(request)
    except ApiError as error:
        return _mapping_page(request, error.status, error.message)


def job(request: Request) -> Response:
    try:
        found = jobs.find(request)
    except ApiError as error:
        return _page(
            request, "message.html", error.status, tab="", up="../", title="No such job", message=error.message
        )
    waiting = found.state in (State.CREATED, State.IN_PROGRESS)
    return _page(request, "job.html", tab="", up="../", job=found, waiting=waiting)


async def swagger(request: Request) -> Response:
    up = "" if request.url.path.endswith("/swagger") else "../"
    return _page(request, "swagger.html", tab="swagger", up=up)


def _mapping_page(request: Request, status: int, error: str | None) -> Response:
    manifest = services.of(request).manifest
    structured = [text for text in mime.convertible(manifest.input_types) if mime.form(text) is not None]
    types = [(text, _label(text)) for text in structured]
    fields = manifest.input_schema
    return _page(request, "mapping.html", status, tab="add-job", up="", types=types, fields=fields, error=error)


def _page(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """Renders a template; `up` is the relative way from the page to the server's root."""
    manifest = services.of(request).manifest
    return HTMLResponse(_templates.get_template(template).render(model=manifest, **values), status)


def _label(text: str) -> str:
    """A MIME type in words."""
    parsed = mime.parse(text)
    if parsed is None:
        return text
    if parsed.is_csv:
        header = {"present": ", includes header row", "absent": ", no header row"}.get(parsed.header or "", "")
        return f"comma separated values file{header}"
    return {"application/json": "JSON file", "text/plain": "text file"}.get(parsed.essence, text)


ROUTES: list[BaseRoute] = [
    Route("/", dashboard, methods=["GET"]),
    Route("/AddJob", add_job_form, methods=["GET"]),
    Route("/AddJob", add_job, methods=["POST"]),
    Route("/Mapping", mapping_form, methods=["GET"]),
    Route("/Mapping", mapping, methods=["POST"]),
    Route("/Job/{job_id}", job, methods=["GET"]),
    *(Route(path, swagger, methods=["GET"]) for path in ("/swagger", "/swagger/", "/swagger/index.html")),
    Mount("/static", StaticFiles(directory=_HERE / "static")),
]
