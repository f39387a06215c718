"""The dashboard: the model, its use, last day and newest result."""

import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from model_server import bounds
from model_server.api import address, doors, services
from model_server.api.services import Services
from model_server.jobs.job import Counts
from model_server.pages import formatting, results, statistics
from model_server.pages.licensing import license_of
from model_server.pages.render import page
from model_server.tabular import mime


async def dashboard(request: Request) -> Response:
    server, client = services.of(request), doors.client_of(request)
    manifest = server.manifest
    text, problem = await run_in_threadpool(license_of, request)
    counts, day = await run_in_threadpool(_figures, server, client)
    newest = await results.first_rows(server, client) if server.access.job_list else None
    return await run_in_threadpool(
        page,
        request,
        "dashboard.html",
        tab="dashboard",
        license=text,
        problem=problem,
        inputs=mime.convertible(manifest.input_types),
        outputs=mime.convertible(manifest.output_types),
        runner=server.runner_mode() or "starting",
        jobs=formatting.jobs(counts.by_state),
        day=day,
        newest=newest,
        address=address.of(request),
        wants_key=server.access.keys is not None,
        base=doors.removed_prefix(request),
    )


def _figures(server: Services, client: str | None) -> tuple[Counts, statistics.Day | None]:
    queue, now = server.store.queue, time.time()
    return queue.counts(client), statistics.of(queue.times(bounds.COUNTED_JOBS, now - statistics.DAY, client), now)
