"""The services that every route uses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from model_server import bounds
from model_server.access import Access
from model_server.api.disk import Space
from model_server.api.envelope import ApiError
from model_server.converters import ConverterDiedError, Converters
from model_server.jobs.said import Said
from model_server.jobs.store import Store
from model_server.license import Licensing
from model_server.manifest import Manifest
from model_server.metrics import Metrics
from model_server.siblings import Siblings, alone
from model_server.tracing import Tracing

T = TypeVar("T")
_PROBES = 4


@dataclass(frozen=True)
class Services:
    """Handed to every route as `request.app.state.services`."""

    manifest: Manifest
    store: Store
    #: Where uploads are received; on the data volume.
    uploads: Path
    #: True once the server is about to stop.
    draining: Callable[[], bool]
    #: What is missing before this server takes jobs, or None: its model has proved itself, or need not.
    unproved: Callable[[], str | None]
    #: Why no job would be done here now, or None.
    worker_problem: Callable[[], str | None]
    metrics: Metrics
    #: The room on the data volume.
    space: Space
    #: How the program is run, and why not in a faster way; "" as long as it is not known.
    runner_mode: Callable[[], str]
    said: Said
    #: None: licensing is off.
    licensing: Licensing | None = None
    #: None: nothing is traced.
    tracing: Tracing | None = None
    #: This process among those of the server.
    siblings: Siblings = field(default_factory=alone)
    #: Who gets in, and to what.
    access: Access = field(default_factory=Access)
    #: The only hosts that a CallbackUrl may name; empty: any.
    callback_hosts: tuple[str, ...] = ()
    #: Conversions that clients wait for: other requests must not wait for a thread behind them.
    conversions: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(bounds.CONVERSIONS))
    #: Results that pages show: neither they nor the conversions wait for the others.
    views: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(bounds.VIEWS))
    #: Do what is long of them.
    converters: Converters = field(default_factory=Converters)
    #: Questions of operators, which must be answered also while all other threads wait for the database.
    probes: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_PROBES))

    async def look(self, function: Callable[[str], T], job_id: str) -> T:
        """Ask the queue, in a thread only if that may wait."""
        if self.store.queue.answers_at_once:
            return function(job_id)
        return await run_in_threadpool(function, job_id)

    async def probe(self, function: Callable[..., T], *arguments: Any) -> T:
        return await to_thread.run_sync(function, *arguments, limiter=self.probes)

    async def view(self, function: Callable[..., T], *arguments: Any) -> T | None:
        """Run a page's view in its turn; None: killed."""
        try:
            return await to_thread.run_sync(function, *arguments, limiter=self.views)
        except ConverterDiedError:
            return None

    async def convert(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a conversion in its turn; ApiError 503: killed."""
        try:
            return await to_thread.run_sync(function, *arguments, limiter=self.conversions)
        except ConverterDiedError as error:
            raise ApiError(503, f"{error}; send the request again in a moment", {"retry-after": "5"}) from error


def of(request: Request) -> Services:
    services = request.scope["app"].state["services"]  # as an attribute it would cost a request 4 µs
    if not isinstance(services, Services):
        raise TypeError("the application was not made by create_app")
    return services
