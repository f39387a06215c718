"""Renders the pages' templates."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from model_server.api import doors, services
from model_server.pages import charts, formatting

#: What a page may load, and from where: from this server alone, and no script that stands in the page itself.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
)
_templates.filters.update(
    label=formatting.label,
    last_line=formatting.last_line,
    moment=formatting.moment,
    name=formatting.name,
    seconds=formatting.seconds,
    size=formatting.size,
    state=formatting.state,
    whole=formatting.whole,
)
_templates.globals.update(bars=charts.bars, histogram=charts.histogram, plot=charts.plot)


def page(request: Request, template: str, status: int = 200, *, up: str = "", **values: object) -> Response:
    """Render a template; `up` is the relative way to the server's root."""
    server = services.of(request)
    known = {
        "model": server.manifest,
        "up": up,
        "base": "",
        "is_licensed": server.licensing is not None,
        "is_listed": server.access.job_list,
        "is_logged_in": doors.holder_of(request) is not None,
    }
    values = {**known, **values}
    text = _templates.get_template(template).render(values)
    # A result may hold half a surrogate pair, which an escape of JSON can write and UTF-8 cannot.
    response = HTMLResponse(text.encode("utf-8", "replace"), status, HEADERS)
    if values["base"]:
        name = "content-security-policy"
        response.headers[name] = HEADERS[name].replace("base-uri 'none'", "base-uri 'self'")
    return response
