"""Jobs: add, status, delete."""

import asyncio
import hashlib
import re
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server import bounds
from model_server.api import data, disk, doors, envelope, head, services, upload
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload, no_file
from model_server.api.query import number
from model_server.api.services import Services
from model_server.jobs import callbacks
from model_server.jobs.job import Job, JobRequest, State
from model_server.jobs.notifications import Watch, result_of
from model_server.jobs.store import SMALL_BYTES, new_id
from model_server.license import Licensing
from model_server.tabular.convert import Plan
from model_server.tabular.problems import TooLargeError

_KEY_HEADER = "Idempotency-Key"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
LOOK_SECONDS = 1.0


async def begin(
    request: Request, job_id: str, durable: bool = True, receive: upload.Receive = upload.receive
) -> Future[Job]:
    """Make a job of a form, which is being recorded and may run already.

    Args:
        job_id: of a new job; one sent before under its key has another, known on return.
        durable: False: a small job is, once it is recorded, over or settled.
    """
    server = services.of(request)
    if server.draining():
        raise _stopping()
    if (missing := server.unproved()) is not None:
        raise ApiError(503, f"no job is taken yet: {missing}; send the job again in a moment", {"retry-after": "5"})
    limit = server.manifest.limits.upload_bytes
    space = server.space.part()
    try:
        try:
            key = _key(request)
            if server.licensing is not None:
                await run_in_threadpool(_check_license, server.licensing)
            space.reserve(min(upload.declared_length(request), limit))
        except ApiError:
            await upload.linger(request)
            raise
        try:
            form = await receive(request, server.uploads, limit, space, key is not None)
        except asyncio.CancelledError:  # the server's last seconds are over
            raise _stopping() from None
        if server.tracing is not None:
            server.tracing.remember(job_id)
        return await _add(form, server, key, doors.client_of(request), job_id, durable)
    finally:
        space.give_back()


def _stopping() -> ApiError:
    return ApiError(503, "the server is about to stop; send the job again in a moment", {"retry-after": "5"})


async def _add(
    form: Upload, server: Services, key: str | None, client: str | None, job_id: str, durable: bool
) -> Future[Job]:
    try:
        has_mapping = form.text("Mappings") or form.text("OutputMappings")  # to read one takes a while
        job_request, plan = await server.convert(_check, form, server) if has_mapping else _check(form, server)
        fingerprint = None if key is None else _fingerprint(form)
        job_request = replace(job_request, idempotency_key=_scoped(key, client), client=client, fingerprint=fingerprint)
        is_long = form.file is not None and form.file.stat().st_size > bounds.CHECKED_BYTES
        if plan is not None and not is_long:
            form.content = await _converted(form, plan, server)
        if form.content is None:
            with form.as_file(server.uploads) as file:
                as_sent = plan is not None and is_long
                job = await run_in_threadpool(server.store.submit, file, job_request, job_id, as_sent=as_sent)
        else:
            job = server.store.submit_small(form.content, job_request, job_id, durable=durable)
        if key is not None:
            _check_same(await recorded(job), job_request)
        return job
    except Exception as error:
        if disk.is_full(error):
            raise disk.no_room() from error
        raise
    finally:
        form.discard()  # still there only if it was refused


async def recorded(job: Future[Job]) -> Job:
    try:
        return await result_of(job)
    except Exception as error:
        if disk.is_full(error):
            raise disk.no_room() from error
        raise


def _scoped(key: str | None, client: str | None) -> str | None:
    """Scope the key: no client may meet another's job."""
    if key is None or client is None:
        return key
    return hashlib.sha256(f"{client}\0{key}".encode()).hexdigest()


def _check_same(job: Job, job_request: JobRequest) -> None:
    if job.fingerprint not in (None, job_request.fingerprint):
        raise ApiError(422, f"this {_KEY_HEADER} was sent before, with other data: choose a new one for a new job")


def _fingerprint(form: Upload) -> str:
    texts = [form.digest, *(form.text(name) for name in ("MimeType", "Mappings", "OutputMappings", "CallbackUrl"))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


async def _converted(form: Upload, plan: Plan, server: Services) -> bytes | None:
    if form.content is not None and (cost := plan.cost(len(form.content))) <= bounds.QUICK_COST:
        with suppress(TooLargeError):  # then it becomes a file
            if cost <= bounds.INSTANT_COST and not plan.rules:
                return data.small_to_model(form.content, plan)
            return await server.convert(data.small_to_model, form.content, plan)
    return await server.convert(_convert, form, plan, server)


def _convert(form: Upload, plan: Plan, server: Services) -> bytes | None:
    with form.as_file(server.uploads) as file:
        converted = data.to_model(file, plan, server.manifest.limits.upload_bytes, server.space.left, server.converters)
    form.content, form.file = None, converted
    if converted.stat().st_size > SMALL_BYTES:
        return None
    return converted.read_bytes()


def find(request: Request) -> Job:
    """Return the path's job; may wait for the database."""
    return seen(services.of(request).store.queue.get(id_of(request)), request)


async def look(request: Request, job_id: str) -> Job:
    server = services.of(request)
    return seen(await server.look(server.store.queue.get, job_id), request)


def id_of(request: Request) -> str:
    job_id = str(request.path_params["job_id"]).lower()
    if _ID.fullmatch(job_id) is None:
        raise no_job()
    return job_id


def seen(job: Job | None, request: Request) -> Job:
    """Return the job or 404: nobody learns that it is another client's."""
    client = doors.client_of(request)
    if job is None or (client is not None and job.client != client):
        raise no_job()
    return job


def no_job() -> ApiError:
    return ApiError(404, "there is no job with this id")


async def add_job(request: Request) -> Response:
    job = await recorded(await begin(request, new_id()))
    return envelope.success(envelope.triple(job.id, State.CREATED))


async def status(request: Request) -> Response:
    """Answer the job's status, after up to `?wait=` seconds."""
    seconds = min(number(request, "wait", 0, 0, 10**6), bounds.WAIT_SECONDS)
    server, job_id = services.of(request), id_of(request)
    with server.store.watchers.watch(job_id) as watch:
        return envelope.job_status(await wait_for_end(request, job_id, seconds, watch))


async def wait_for_end(request: Request, job_id: str, seconds: float, watch: Watch) -> Job:
    """Wait up to `seconds` for the job's end; other servers' jobs are polled."""
    server = services.of(request)
    deadline = time.monotonic() + (0 if server.store.watchers.are_many else seconds)
    while True:
        job = await look(request, job_id)
        left = deadline - time.monotonic()
        if job.is_over or left <= 0 or server.draining():
            return job
        await watch.wait(min(left, LOOK_SECONDS))
        if watch.ended is not None:
            return replace(job, state=watch.ended.state, error=watch.ended.error)


def delete(request: Request) -> Response:
    job = find(request)
    if services.of(request).store.delete(job.id) is None:
        raise no_job()
    return envelope.success(envelope.triple(job.id, envelope.DELETED))


def _check(form: Upload, server: Services) -> tuple[JobRequest, Plan | None]:
    if form.content is None and form.file is None:
        raise no_file()
    problems: list[str] = []
    url = form.text("CallbackUrl")
    wrong = callbacks.problem(url, server.callback_hosts) if url else None
    if wrong is not None:
        problems.append(wrong)
    understood = data.understand(form, server.manifest, problems)
    if problems:
        raise ApiError(400, "; ".join(problems))
    return understood


def _check_license(licensing: Licensing) -> None:
    problem = licensing.problem()
    if problem is not None:
        raise ApiError(403, f"{problem}: apply one on the page License Key of this server, or by POST /api/license")


def _key(request: Request) -> str | None:
    key = head.value(request, b"idempotency-key").strip()
    if len(key) > bounds.KEY_CHARACTERS or not key.isprintable():
        raise ApiError(400, f"{_KEY_HEADER} must be printable and at most {bounds.KEY_CHARACTERS} characters long")
    return key or None


ADD_ROUTES = [Route("/data/add-job", add_job, methods=["POST"])]
ROUTES = [
    *ADD_ROUTES,
    Route("/data/status/{job_id}", status, methods=["GET"]),
    Route("/data/delete/{job_id}", delete, methods=["DELETE"]),
]
