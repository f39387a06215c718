"""Readiness and metrics, for operators."""

import time

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from model_server.api import services
from model_server.api.services import Services
from model_server.health import NOT_READY, STOPPING
from model_server.metrics import CONTENT_TYPE

#: A change that waits so long for the database will not be made soon.
_STALLED_SECONDS = 5.0
#: How the program is run, and why not in a faster way.
RUNNER_MODE_HEADER = "X-Model-Runner-Mode"
_LONGEST_MODE = 400


async def ready(request: Request) -> Response:
    """Answer 200 if this server takes jobs, else 503.

    Schedulers replace a container that is not ready: what a new one would not mend is checked only with `?deep=1`.
    """
    server = services.of(request)
    problem = not_serving(server)
    if problem is None and request.query_params.get("deep") == "1":
        problem = await server.probe(_problem, server)
    if problem is not None:
        return PlainTextResponse(f"{NOT_READY.decode()}{problem}", 503)
    mode = server.runner_mode()
    return PlainTextResponse("Ready", headers={RUNNER_MODE_HEADER: _in_header(mode)} if mode else None)


def _in_header(text: str) -> str:
    """Keep what a header may hold: the text may name files."""
    return "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in text)[:_LONGEST_MODE]


def not_serving(server: Services) -> str | None:
    # One that ends because it failed its proof must not count as well while it ends, as one that drains does.
    return server.unproved() or (STOPPING.decode() if server.draining() else None)


def _problem(server: Services) -> str | None:
    try:
        server.store.queue.ping()
    except SQLAlchemyError:
        return "the job queue does not answer"
    problems = {
        "the job queue takes no changes": server.store.queue.stalled_seconds > _STALLED_SECONDS,
        "the data volume is not that of this model any more": not server.store.is_ours(server.manifest.name),
        "the data volume has no room for a job": server.space.left < 0,
    }
    return next((text for text, there in problems.items() if there), server.worker_problem())


async def metrics(request: Request) -> Response:
    server = services.of(request)
    counts = await server.probe(server.store.queue.counts)
    text = server.metrics.exposition(counts, time.time(), server.space.left)
    return Response(text, headers={"content-type": CONTENT_TYPE})


ROUTES = [
    Route("/ready", ready, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
