"""The list of jobs, newest first, in pages."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server import bounds
from model_server.api import doors, envelope, services
from model_server.api.envelope import ApiError
from model_server.api.query import number
from model_server.jobs.job import Job

DEFAULT_LIMIT = 50
_LAST_OFFSET = 10**9


def jobs(request: Request) -> Response:
    client = readable(request)
    limit = number(request, "limit", DEFAULT_LIMIT, 1, bounds.LISTED_JOBS)
    offset = number(request, "offset", 0, 0, _LAST_OFFSET)
    queue = services.of(request).store.queue
    found = [entry(job) for job in queue.list(limit, offset, client)]
    return envelope.success({"jobs": found, "offset": offset, "limit": limit, "total": queue.count(client)})


def readable(request: Request) -> str | None:
    """Return the client whose jobs are listed; None: all."""
    if not services.of(request).access.job_list:
        raise ApiError(403, "the list of jobs is switched off on this server (MODEL_JOB_LIST)")
    return doors.client_of(request)


def entry(job: Job) -> dict[str, Any]:
    """Return a list entry without the callback's URL, which may hold a secret."""
    callback = None
    if job.callback_url is not None:
        callback = {"state": job.callback_state, "attempts": job.callback_attempts or 0, "error": job.callback_error}
    return {
        **envelope.triple(job.id, job.state, job.error),
        "mimeType": job.mime_type,
        "name": job.name,
        "rows": job.rows,
        "bytes": job.size,
        "attempts": job.attempts,
        "created": moment(job.created),
        "started": moment(job.started),
        "finished": moment(job.finished),
        "callback": callback,
    }


def moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


ROUTES = [Route("/data/jobs", jobs, methods=["GET"])]
