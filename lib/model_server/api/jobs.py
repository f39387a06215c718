"""Jobs: add, status, delete."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server.api import envelope, services, upload
from model_server.api.envelope import ApiError
from model_server.api.services import Services
from model_server.jobs.queue import Job, Order, State
from model_server.tabular import mime

_NOT_YET = ("Mappings", "OutputMappings", "CallbackUrl")


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
        mime_type = _check(form, room)
        if form.file is None:
            raise ApiError(400, "the form has no data file: send it in a part named File")
        return await run_in_threadpool(room.store.submit, form.file, Order(mime_type))
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


def _check(form: upload.Form, room: Services) -> str:
    """Returns the data's MIME type; refuses what this version does not do, all of it at once."""
    problems = [
        f"{name} is not supported by this version of the server: leave it empty" for name in _NOT_YET if form.text(name)
    ]
    supported = room.manifest.input_types
    chosen = mime.choose(form.text("MimeType"), form.file_type, supported)
    if chosen is None:
        problems.append(f"this MimeType is not supported; the model takes: {', '.join(supported)}")
    if problems or chosen is None:
        raise ApiError(400, "; ".join(problems))
    return chosen


ROUTES = [
    Route("/data/add-job", add_job, methods=["POST"]),
    Route("/data/status/{job_id}", status, methods=["GET"]),
    Route("/data/delete/{job_id}", delete, methods=["DELETE"]),
]
