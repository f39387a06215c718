"""Jobs: add, status, delete."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server.api import data, envelope, services, upload
from model_server.api.envelope import ApiError
from model_server.api.services import Services
from model_server.jobs.queue import Job, Order, State

_NOT_YET = ("CallbackUrl",)


async def accept(request: Request) -> Job:
    """Makes a job of the form in `request`; on return it is stored for good.

    Raises:
        ApiError: 400, 413, or 503 while the server stops.
    """
    room = services.of(request)
    if room.draining():
        raise ApiError(503, "the server is about to stop; send the job again in a moment")
    form = await upload.receive(request, room.uploads, room.manifest.limits.upload_bytes)
    try:
        submission = _check(form, room)
        if form.file is None:
            raise ApiError(400, "the form has no data file: send it in a part named File")
        if submission.plan is not None:
            limit = room.manifest.limits.upload_bytes
            converted = await run_in_threadpool(data.to_model, form.file, submission.plan, limit)
            converted.replace(form.file)
        order = Order(submission.mime_type, mappings=submission.mappings, output_mappings=submission.output_mappings)
        return await run_in_threadpool(room.store.submit, form.file, order)
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


def status(request: Request) -> Response:
    return envelope.job_status(find(request))


def delete(request: Request) -> Response:
    job = find(request)
    if services.of(request).store.delete(job.id) is None:
        raise ApiError(404, "there is no job with this id")
    return envelope.success(envelope.triple(job.id, envelope.DELETED))


def _check(form: upload.Form, room: Services) -> data.Submission:
    """Returns what the form asks for; refuses what cannot be done, all of it at once."""
    problems = [
        f"{name} is not supported by this version of the server: leave it empty" for name in _NOT_YET if form.text(name)
    ]
    submission = data.understand(form, room.manifest, problems)
    if problems:
        raise ApiError(400, "; ".join(problems))
    return submission


ROUTES = [
    Route("/data/add-job", add_job, methods=["POST"]),
    Route("/data/status/{job_id}", status, methods=["GET"]),
    Route("/data/delete/{job_id}", delete, methods=["DELETE"]),
]
