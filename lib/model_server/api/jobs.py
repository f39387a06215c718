"""Jobs: add, status, delete."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server.api import data, disk, envelope, services, upload
from model_server.api.envelope import ApiError
from model_server.api.query import number
from model_server.api.services import Services
from model_server.jobs import callbacks
from model_server.jobs.queue import Job, Order, State

_KEY_HEADER = "Idempotency-Key"
_KEY_CHARACTERS = 255
#: The longest that `?wait=` makes an answer wait, s: below the idle time of common load balancers.
_MOST_WAIT_SECONDS = 50
_LOOK_SECONDS = 1.0


async def accept(request: Request) -> Job:
    """Makes a job of the form in `request`; on return it is stored for good.

    Raises:
        ApiError: 400, 413, or 503 while the server stops.
    """
    room = services.of(request)
    if room.draining():
        raise ApiError(503, "the server is about to stop; send the job again in a moment")
    try:
        key = _key(request)
        await run_in_threadpool(_check_room, room, upload.declared_length(request))
    except ApiError:
        await upload.linger(request)
        raise
    form = await upload.receive(request, room.uploads, room.manifest.limits.upload_bytes)
    try:
        submission = _check(form, room)
        file = _file(form)
        if submission.plan is not None:
            limit = room.manifest.limits.upload_bytes
            converted = await run_in_threadpool(data.to_model, file, submission.plan, limit)
            converted.replace(file)
        order = Order(
            submission.mime_type,
            mappings=submission.mappings,
            output_mappings=submission.output_mappings,
            callback_url=form.text("CallbackUrl") or None,
            idempotency_key=key,
        )
        return await run_in_threadpool(room.store.submit, file, order)
    except Exception as error:
        if disk.is_full(error):
            raise disk.no_room() from error
        raise
    finally:
        if form.file is not None:
            form.file.unlink(missing_ok=True)  # still there only if it was refused


def find(request: Request) -> Job:
    """The job that the path names.

    Raises:
        ApiError: 404, there is none.
    """
    job_id = request.path_params["job_id"].lower()
    job = services.of(request).store.queue.get(job_id)
    if job is None:
        raise ApiError(404, "there is no job with this id")
    return job


async def add_job(request: Request) -> Response:
    job = await accept(request)
    return envelope.success(envelope.triple(job.id, State.CREATED))


async def status(request: Request) -> Response:
    """At once, or with `?wait=` seconds as soon as the job is over."""
    seconds = number(request, "wait", 0, 0, 10**6)
    job = await run_in_threadpool(find, request)
    if seconds and not job.is_over:
        job = await _wait_for_end(request, job, min(seconds, _MOST_WAIT_SECONDS))
    return envelope.job_status(job)


async def _wait_for_end(request: Request, job: Job, seconds: float) -> Job:
    """Looks at the job until it is over; at once when this server records it, each second for others."""
    room = services.of(request)
    deadline = time.monotonic() + seconds
    with room.store.watchers.watch(job.id) as changed:
        while True:
            job = await run_in_threadpool(find, request)
            left = deadline - time.monotonic()
            if job.is_over or left <= 0 or room.draining():
                return job
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(left, _LOOK_SECONDS))
            changed.clear()


def delete(request: Request) -> Response:
    job = find(request)
    if services.of(request).store.delete(job.id) is None:
        raise ApiError(404, "there is no job with this id")
    return envelope.success(envelope.triple(job.id, envelope.DELETED))


def _file(form: upload.Form) -> Path:
    if form.file is None:
        raise ApiError(400, "the form has no data file: send it in a part named File")
    return form.file


def _check(form: upload.Form, room: Services) -> data.Submission:
    """Returns what the form asks for; refuses what cannot be done, all of it at once."""
    problems: list[str] = []
    url = form.text("CallbackUrl")
    wrong = callbacks.problem(url, room.callback_hosts) if url else None
    if wrong is not None:
        problems.append(wrong)
    submission = data.understand(form, room.manifest, problems)
    if problems:
        raise ApiError(400, "; ".join(problems))
    return submission


def _check_room(room: Services, size: int) -> None:
    """Refuses what cannot be kept, or must not be done, before its data is read.

    Raises:
        ApiError: 403 without a valid licence key where one is needed, 507 when the volume lacks room.
    """
    problem = None if room.licensing is None else room.licensing.problem()
    if problem is not None:
        raise ApiError(403, f"{problem}: apply one on the page License Key of this server, or by POST /api/license")
    needed = min(size, room.manifest.limits.upload_bytes) + room.free_bytes
    if disk.free(room.uploads) < needed:
        raise disk.no_room()


def _key(request: Request) -> str | None:
    """The idempotency key that the client chose, if it did."""
    key = request.headers.get(_KEY_HEADER, "").strip()
    if len(key) > _KEY_CHARACTERS or not key.isprintable():
        raise ApiError(400, f"{_KEY_HEADER} must be printable and at most {_KEY_CHARACTERS} characters long")
    return key or None


ROUTES = [
    Route("/data/add-job", add_job, methods=["POST"]),
    Route("/data/status/{job_id}", status, methods=["GET"]),
    Route("/data/delete/{job_id}", delete, methods=["DELETE"]),
]
