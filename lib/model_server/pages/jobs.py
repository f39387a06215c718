"""The pages of jobs: list, one job, deletion."""

import time
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from model_server.api import job_list, jobs, services
from model_server.api.envelope import ApiError
from model_server.api.query import number, word
from model_server.jobs.job import Job, State
from model_server.pages import progress, results
from model_server.pages.render import page
from model_server.tabular import mime

JOBS_A_PAGE = 25
_LAST_PAGE = 10**6
#: What a result can be had as, by what it is: path word and name.
_FORMS = {"table": [("json", "JSON"), ("csv", "CSV")], "tree": [("json", "JSON")]}
#: The filters of the list, and their names.
_FILTERS = {
    "": "All",
    State.CREATED: "Waiting",
    State.IN_PROGRESS: "In progress",
    State.COMPLETE: "Complete",
    State.ERROR: "Failed",
}


def current_jobs(request: Request) -> Response:
    """Answer a page of jobs; beyond the last, the last."""
    try:
        client = job_list.readable(request)
        asked = number(request, "page", 1, 1, _LAST_PAGE)
        state = word(request, "state", tuple(map(str, _FILTERS)))
    except ApiError as error:
        return _message(request, "", "No such page", error)
    queue = services.of(request).store.queue
    by_state = queue.counts(client).by_state
    wanted = State(state) if state else None
    total = sum(by_state.values()) if wanted is None else by_state[wanted]
    pages = max(1, -(-total // JOBS_A_PAGE))
    shown = min(asked, pages)
    return page(
        request,
        "jobs.html",
        tab="jobs",
        jobs=queue.list(JOBS_A_PAGE, (shown - 1) * JOBS_A_PAGE, client, wanted),
        by_state=by_state,
        filters=[
            (str(key), name, by_state[key] if isinstance(key, State) else sum(by_state.values()))
            for key, name in _FILTERS.items()
        ],
        state=state,
        total=total,
        page=shown,
        pages=pages,
        forms=forms_of(request),
        now=time.time(),
    )


async def job(request: Request) -> Response:
    server = services.of(request)
    try:
        wish = results.asked(request)
        found = await run_in_threadpool(jobs.find, request)
    except ApiError as error:
        return _message(request, "../", "No such job" if error.status == 404 else "No such page", error)
    said = await server.said.lines(found.id) if found.state is State.IN_PROGRESS else ()
    result = await results.shown(server, found, wish)
    is_waiting = found.state is State.CREATED
    return await run_in_threadpool(  # a page of a large table takes long
        page,
        request,
        "job.html",
        tab="jobs",
        up="../",
        job=found,
        page=_page_number(request),
        before=await run_in_threadpool(server.store.queue.before, found.id) if is_waiting else 0,
        said=said,
        share=progress.share(said),
        result=result,
        wish=wish,
        query=partial(results.query, wish, _page_number(request)),
        forms=_found_forms(request, result),
        now=time.time(),
    )


def delete_form(request: Request) -> Response:
    try:
        found: Job = jobs.find(request)
    except ApiError as error:
        return _message(request, "../../", "No such job", error)
    return page(request, "delete.html", tab="jobs", up="../../", job=found, page=_page_number(request))


def delete(request: Request) -> Response:
    try:
        found = jobs.find(request)
    except ApiError as error:
        return _message(request, "../../", "No such job", error)
    services.of(request).store.delete(found.id)
    is_listed = services.of(request).access.job_list
    return RedirectResponse(f"../../Jobs?page={_page_number(request)}" if is_listed else "../../", status_code=303)


def forms_of(request: Request) -> list[tuple[str, str]]:
    """Return the other forms of results whose type is declared: path word and name."""
    manifest = services.of(request).manifest
    if mime.form(manifest.output_types[0]) is None:
        return []
    is_flat = all(len(field.path.steps) == 1 for field in manifest.output_schema)
    return _FORMS["table"] if is_flat else _FORMS["tree"]


def _found_forms(request: Request, result: dict[str, Any] | None) -> list[tuple[str, str]]:
    if result is None or not mime.says_nothing(services.of(request).manifest.output_types[0]):
        return forms_of(request)
    return _FORMS.get(result["kind"], [])


def _page_number(request: Request) -> int:
    # The page of the list that a person came from; 1 if the address does not say it.
    try:
        return number(request, "page", 1, 1, _LAST_PAGE)
    except ApiError:
        return 1


def _message(request: Request, up: str, title: str, error: ApiError) -> Response:
    return page(request, "message.html", error.status, tab="jobs", up=up, title=title, message=error.message)


ROUTES = [
    Route("/Jobs", current_jobs, methods=["GET"]),
    Route("/Job/{job_id}", job, methods=["GET"]),
    Route("/Job/{job_id}/Image", results.image, methods=["GET"]),
    Route("/Job/{job_id}/Delete", delete_form, methods=["GET"]),
    Route("/Job/{job_id}/Delete", delete, methods=["POST"]),
]
