"""The page for an unknown address, which names the likely one."""

import difflib

from starlette.requests import Request
from starlette.responses import Response

from model_server.api import doors
from model_server.pages.render import page

HOW_TO_SEND = "send the data as the part File of a form (multipart/form-data) to /data/run-job"
_PAGES = {
    "": "Dashboard",
    "AddJob": "Upload Data",
    "Jobs": "Current Jobs",
    "swagger": "Swagger",
    "License": "License Key",
}
#: What the pages of other servers are called, in lower case.
_ELSEWHERE = {
    **dict.fromkeys(("docs", "redoc", "api", "api-docs", "openapi", "openapi.json", "swagger-ui", "ui"), "swagger"),
    **dict.fromkeys(("run", "predict", "upload", "predictions", "invocations", "infer", "add", "send"), "AddJob"),
    **dict.fromkeys(("list", "history", "results", "queue", "current-jobs"), "Jobs"),
    **dict.fromkeys(("index.html", "index", "home", "dashboard"), ""),
}
_CLOSE = 0.6
_LONGEST = 100


def answer(request: Request, status: int) -> Response:
    path = request.scope["path"]
    found = likely(path)
    text = f"There is no page {path[:_LONGEST]} here."
    if status == 405:
        text = f"{path[:_LONGEST]} is for programs: {HOW_TO_SEND}. A person uses the page Upload Data."
        found = "AddJob"
    return page(
        request,
        "stray.html",
        status,
        tab="",
        up=doors.removed_prefix(request) or "../" * (path.count("/") - 1),
        text=text,
        found=found,
        name="" if found is None else _PAGES[found],
    )


def likely(path: str) -> str | None:
    words = [word for word in path[:_LONGEST].lower().split("/") if word]
    known = {page.lower(): page for page in _PAGES if page} | _ELSEWHERE
    for word in words[:1]:
        close = difflib.get_close_matches(word, known, n=1, cutoff=_CLOSE)
        return known[close[0]] if close else None
    return ""
