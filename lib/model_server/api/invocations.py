"""SageMaker's paths: /ping and /invocations."""

import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from model_server import bounds
from model_server.api import accept, body, services
from model_server.api.disk import Part
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload
from model_server.api.jobs import no_job, wait_for_end
from model_server.api.operations import not_serving
from model_server.api.run_job import ID_HEADER, finished, run_job
from model_server.jobs.job import JobResult
from model_server.manifest import Manifest
from model_server.tabular import mime

#: What clients send that do not know the type of their data.
_SAYS_NOTHING = ("*/*", "application/octet-stream", "application/x-www-form-urlencoded")


async def ping(request: Request) -> Response:
    problem = not_serving(services.of(request))
    return PlainTextResponse(problem or "", 503 if problem else 200, {"cache-control": "no-store"})


async def invocations(request: Request) -> Response:
    """Answer the body's result within an hour.

    SageMaker ends a request after 60 s, or an hour if asynchronous or of a batch transform.
    """
    kind = _type_of(request, services.of(request).manifest)

    async def receive(request: Request, folder: Path, limit: int, space: Part, with_digest: bool) -> Upload:
        form = await body.receive(request, folder, limit, space, with_digest)
        form.fields["mimetype"] = kind
        return form

    response = await run_job(request, receive)
    return response if response.status_code != 202 else await _late(request, response.headers[ID_HEADER])


def _type_of(request: Request, manifest: Manifest) -> str:
    sent = request.headers.get("content-type", "").strip()
    supported = mime.convertible(manifest.input_types)
    chosen = mime.choose(sent, "", supported)
    if chosen is not None:
        return chosen
    if sent.partition(";")[0].strip().lower() in _SAYS_NOTHING:
        return supported[0]
    raise ApiError(415, f"this Content-Type is not supported; the model takes: {', '.join(supported)}")


async def _late(request: Request, job_id: str) -> Response:
    server = services.of(request)
    header = {ID_HEADER: job_id}
    deadline = time.monotonic() + bounds.INVOCATION_SECONDS
    while time.monotonic() < deadline:
        with server.store.watchers.watch(job_id) as watch:
            are_many = server.store.watchers.count > bounds.LONG_WAITING
            if are_many or server.draining() or await request.is_disconnected():
                text = f"this server cannot wait for the job {job_id}, which goes on: ask for its status"
                raise ApiError(503, text, {**header, "retry-after": "5"})
            if not (await wait_for_end(request, job_id, bounds.WAIT_SECONDS, watch)).is_over:
                continue
        found = await server.look(server.store.queue.get_result, job_id)
        if found is None:
            raise no_job()
        job, content = found
        wish = accept.of_header(request, server.manifest.output_types[0])
        response = await finished(server, job, JobResult(job.error, job.result, content), wish)
        response.headers.update(header)
        return response
    raise ApiError(504, f"the job {job_id} is not over and goes on: ask for its status", header)


ROUTES = [
    Route("/ping", ping, methods=["GET"]),
    Route("/invocations", invocations, methods=["POST"]),
]
