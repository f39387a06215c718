"""The hosted service's jobs API, for its clients: /api/v1/jobs.

The contract is jobs-api.md of gai-doc. Where the newest client (gai-client, 2025) differs, it counts: `status` is a
number, `statusMessage` the word. `PUT` renames a job for the Python SDK (gai-python-sdk, `changeJobName`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server import bounds
from model_server.api import address, doors, envelope, fields, job_list, jobs, results, services, upload
from model_server.api.accept import Wish
from model_server.api.disk import Part
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload, file_name
from model_server.api.run_job import ID_HEADER, run_job
from model_server.api.services import Services
from model_server.jobs.job import Job, JobResult, State
from model_server.manifest import Manifest

_LATEST = 50
_TEXTS = {"data": 2 * bounds.MAPPING_BYTES + bounds.FIELD_BYTES}
#: Number and word of `status`.
_STATUS = {State.COMPLETE: (1, "success"), State.ERROR: (2, "error")}
_INCOMPLETE = (0, "incomplete")


async def submit(request: Request) -> Response:
    server = services.of(request)

    async def receive(request: Request, folder: Path, limit: int, space: Part, with_digest: bool) -> Upload:
        form = await upload.receive(request, folder, limit, space, with_digest, _TEXTS)
        try:
            _translate(form, server.manifest)
        except BaseException:
            form.discard()
            raise
        return form

    async def answer(server: Services, job: Job, _ended: JobResult, _wish: Wish) -> Response:
        newest = await server.look(server.store.queue.get, job.id)
        return envelope.success(_details(newest or job, server.manifest))

    response = await run_job(request, receive, answer)
    if response.status_code == 202:
        return envelope.success(_details(await jobs.look(request, response.headers[ID_HEADER]), server.manifest))
    return response


def _translate(form: Upload, manifest: Manifest) -> None:
    wanted = _object(form.fields.pop("data", "") or "{}", "the field data")
    texts = _texts(wanted, "the field data", "version", "mimeType", "name", "jobName")
    if texts["version"] not in (None, "", manifest.version):
        raise ApiError(400, f"this server has version {manifest.version} of the model alone")
    name = _name(texts)
    if name:
        form.name = name
    form.fields["mimetype"] = texts["mimeType"] or ""
    for key, field in (("mapping", "mappings"), ("outputMapping", "outputmappings")):
        if wanted.get(key):
            form.fields[field] = json.dumps(wanted[key])


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApiError(400, f"{what} must be a JSON object")
    return found


def _texts(wanted: Mapping[str, Any], what: str, *keys: str) -> dict[str, str]:
    wrong = [key for key in keys if not isinstance(wanted.get(key), str | None)]
    if wrong:
        raise ApiError(400, f"of {what}, these must be texts: {', '.join(wrong)}")
    return {key: wanted.get(key) or "" for key in keys}


def _name(texts: Mapping[str, str]) -> str:
    name = texts["name"] or texts["jobName"]
    return file_name(name.encode("utf-8", "replace").decode("latin-1"))


async def rename(request: Request) -> Response:
    """Give a job the name in the body, `{"name": "..."}`."""
    server = services.of(request)
    job = await jobs.look(request, jobs.id_of(request))
    wanted = _object(await fields.body_of(request, bounds.FIELD_BYTES), "the body")
    name = _name(_texts(wanted, "the body", "name", "jobName"))
    if not name:
        raise ApiError(400, 'the body must name the job: {"name": "..."}')
    renamed = await run_in_threadpool(server.store.queue.rename, job.id, name)
    return envelope.success(_details(jobs.seen(renamed, request), server.manifest))


async def details(request: Request) -> Response:
    job = await jobs.look(request, jobs.id_of(request))
    return envelope.success(_details(job, services.of(request).manifest))


async def latest(request: Request) -> Response:
    client = job_list.readable(request)
    server = services.of(request)
    found = await run_in_threadpool(server.store.queue.list, _LATEST, 0, client)
    return envelope.success([_details(job, server.manifest) for job in found])


async def result_link(request: Request) -> Response:
    """Answer an address that opens the result without a key."""
    server, job_id = services.of(request), jobs.id_of(request)
    results.check_complete(await jobs.look(request, job_id))
    link = f"{address.of(request)}{doors.RESULT}{job_id}"
    holder = doors.holder_of(request)
    if server.access.keys is not None and holder is not None:
        link += "?" + urlencode({doors.LINK: server.access.keys.link(holder, job_id)})
    return envelope.success(link)


def _details(job: Job, manifest: Manifest) -> dict[str, Any]:
    """Return the hosted service's details; nothing is billed here."""
    status, word = _STATUS.get(job.state, _INCOMPLETE)
    took = 0.0 if job.finished is None or job.started is None else max(0.0, job.finished - job.started)
    return {
        "name": job.name,
        "inputFileName": job.name,
        "inputMime": job.mime_type,
        "billedUsage": 0,
        "recordCount": 1 if job.rows is None else job.rows,
        "recordGroupCount": 0,
        "processingTimeMS": round(took * 1000),
        "status": status,
        "statusMessage": word,
        "errorMessage": job.error,
        "versionNumber": manifest.version,
        "id": job.id,
        "createdDateUtc": job_list.moment(job.created),
        "lastUpdatedUtc": job_list.moment(job.finished or job.started or job.created),
    }


_JOBS = "/api/v1/jobs"
ROUTES = [
    Route(_JOBS, submit, methods=["POST"]),
    Route(f"{_JOBS}/latest", latest, methods=["GET"]),
    Route(f"{_JOBS}/result-link/{{job_id}}", result_link, methods=["GET"]),
    Route(f"{_JOBS}/{{job_id}}", details, methods=["GET"]),
    Route(f"{_JOBS}/{{job_id}}", rename, methods=["PUT"]),
]
