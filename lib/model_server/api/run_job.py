"""A job in one request, from data to result."""

import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server import bounds
from model_server.api import accept, envelope, results, services, upload
from model_server.api.accept import Wish
from model_server.api.jobs import LOOK_SECONDS, begin, look, no_job, recorded
from model_server.api.query import number
from model_server.api.services import Services
from model_server.jobs.job import Job, JobResult, State
from model_server.jobs.notifications import Watch, result_of
from model_server.jobs.store import new_id

ID_HEADER = "X-Job-Id"
_RAW_ID_HEADER = ID_HEADER.lower().encode()

#: Answers a job that is over: its end, and the form that Accept wants.
Answer = Callable[[Services, Job, JobResult, Wish], Awaitable[Response]]


async def run_job(request: Request, receive: upload.Receive = upload.receive, answer: Answer | None = None) -> Response:
    """Run a job and answer its result; 202: the wait ran out, 400: the program failed."""
    answer = answer or finished
    server = services.of(request)
    seconds = min(number(request, "wait", bounds.WAIT_SECONDS, 0, 10**6), bounds.WAIT_SECONDS)
    wish = accept.of_header(request, server.manifest.output_types[0])
    job_id = new_id()
    with server.store.watchers.watch(job_id) as watch:
        # Not durable: nobody counts on the job before it is answered, and then its end is durable, or it is settled.
        added = await begin(request, job_id, durable=False, receive=receive)
        is_new = not added.done() or (await recorded(added)).id == job_id
        ended = await _end(server, added, watch, seconds) if is_new else None
    job = await recorded(added)
    if job.id != job_id:  # it was sent before, under the same idempotency key
        with server.store.watchers.watch(job.id) as watch:
            watch.look()
            ended = await _end(server, added, watch, seconds)
    response = await _unfinished(request, job.id) if ended is None else await answer(server, job, ended, wish)
    response.raw_headers.append((_RAW_ID_HEADER, job.id.encode()))
    return response


async def _end(server: Services, added: Future[Job], watch: Watch, seconds: float) -> JobResult | None:
    deadline = time.monotonic() + (0 if server.store.watchers.are_many else seconds)
    while (left := deadline - time.monotonic()) > 0:
        await watch.wait(min(left, LOOK_SECONDS))
        if watch.ended is not None:
            return watch.ended
        if not added.done():
            continue
        found = await server.look(server.store.queue.get_result, (await recorded(added)).id)
        if found is None:
            raise no_job()
        job, content = found
        if job.is_over:
            return JobResult(job.error, job.result, content)
        if server.draining() and (job.state is not State.IN_PROGRESS or server.worker_problem()):
            return None  # it is for the next server; one that runs may still end here
    return None


async def finished(server: Services, job: Job, ended: JobResult, wish: Wish) -> Response:
    if ended.error is not None or ended.result is None:
        error = ended.error or ""
        return envelope.refused(envelope.triple(job.id, "Error", error), error)
    return await results.answer(server, job, ended.result, ended.content, wish)


async def _unfinished(request: Request, job_id: str) -> Response:
    """Make the job durable before naming it: the client counts on it."""
    await result_of(services.of(request).store.queue.settle(job_id))
    job = await look(request, job_id)
    response = envelope.job_status(job)
    response.status_code = 202
    response.headers["location"] = f"status/{job_id}"
    return response


ROUTES = [Route("/data/run-job", run_job, methods=["POST"])]
