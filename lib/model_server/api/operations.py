"""What operators ask: is it ready, and how is it doing."""

import time

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from model_server.api import services
from model_server.metrics import CONTENT_TYPE


def ready(request: Request) -> Response:
    """200 when jobs are taken and done here, else 503 with the reason: for load balancers and orchestrators."""
    room = services.of(request)
    if room.draining():
        return PlainTextResponse("Not ready: the server is about to stop", 503)
    try:
        room.store.queue.ping()
    except SQLAlchemyError:
        return PlainTextResponse("Not ready: the job queue does not answer", 503)
    problem = room.worker_problem()
    if problem is not None:
        return PlainTextResponse(f"Not ready: {problem}", 503)
    return PlainTextResponse("Ready")


def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    room = services.of(request)
    return Response(
        room.metrics.exposition(room.store.queue.counts(), time.time()), headers={"content-type": CONTENT_TYPE}
    )


ROUTES = [
    Route("/ready", ready, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
