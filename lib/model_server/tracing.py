"""Traces of requests and jobs, by OTLP over HTTP if OTEL_EXPORTER_OTLP_ENDPOINT is set.

The libraries take 0.4 s and 16 MiB, so are loaded only then. A job's span hangs on its request, if both came here.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_server import access, bounds
from model_server.jobs.job import Job, JobResult
from model_server.log import logger
from model_server.manifest import Manifest

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_ONLY_PROTOCOL = "http/protobuf"
#: Asked all the time by who watches the server.
_UNTRACED = (*access.PROBES, "/metrics")
_PROPAGATED = (b"traceparent", b"tracestate")
_FLUSH_SECONDS = 2.0
_NANOSECONDS = 10**9


def of_environment(environment: Mapping[str, str], manifest: Manifest) -> "Tracing | None":
    """Start tracing if the environment asks for OTLP over HTTP."""
    if not any(environment.get(name, "").strip() for name in _ENDPOINTS):
        return None
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() not in ("", "otlp"):
        return None
    for name in _PROTOCOLS:
        if environment.get(name, "").strip().lower() not in ("", _ONLY_PROTOCOL):
            logger.warning("no traces are sent: of %s only %s is spoken here", name, _ONLY_PROTOCOL)
            return None
    return Tracing(manifest)


class Tracing:
    """A server's tracer, for any thread."""

    def __init__(self, manifest: Manifest) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - see the module
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        own = Resource({"service.name": manifest.name, "service.version": manifest.version})
        self._provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("model-server")
        self._propagator = TraceContextTextMapPropagator()
        self._trace = trace
        self._guard = threading.Lock()
        #: Of the jobs that may run here, the requests that brought them; the oldest are forgotten.
        self._parents: OrderedDict[str, Context] = OrderedDict()

    @contextmanager
    def request(self, scope: Scope) -> "Iterator[Span]":
        """Yield a request's span, in its client's trace."""
        sent = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _PROPAGATED}
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"][: bounds.TRACED_CHARACTERS]}
        with self._tracer.start_as_current_span(
            scope["method"],
            context=self._propagator.extract(sent),
            kind=self._trace.SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,  # its text may hold what a client sent
            set_status_on_exception=False,  # and it would be the status's text
        ) as span:
            try:
                yield span
            except Exception:
                span.set_status(self._trace.StatusCode.ERROR)
                raise
            finally:
                if "route" in scope:  # known once it was found
                    route = scope["route"].path  # with its parameters by name: so many there are, and no more
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)

    def answered(self, span: "Span", start: Message) -> None:
        span.set_attribute("http.response.status_code", start["status"])
        if start["status"] >= 500:
            span.set_status(self._trace.StatusCode.ERROR)
        job_id = next((value.decode("latin-1") for name, value in start["headers"] if name == b"x-job-id"), None)
        if job_id is not None:
            span.set_attribute("model.job.id", job_id)

    def remember(self, job_id: str) -> None:
        """Note that the current request brings this job."""
        from opentelemetry import context  # noqa: PLC0415

        with self._guard:
            self._parents[job_id] = context.get_current()
            while len(self._parents) > bounds.TRACED_JOBS:
                self._parents.popitem(last=False)

    def ended(self, job: Job, ended: JobResult) -> None:
        """Send the span of a job's last attempt."""
        with self._guard:
            parent = self._parents.pop(job.id, None)
        now = time.time()
        attributes: dict[str, str | int] = {
            "model.job.id": job.id,
            "model.job.attempt": job.attempts,
            "model.job.state": str(ended.state),
        }
        span = self._tracer.start_span(
            "job",
            context=parent,
            kind=self._trace.SpanKind.CONSUMER,
            start_time=round((job.started or now) * _NANOSECONDS),
            attributes=attributes,
        )
        if ended.error is not None:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(round(now * _NANOSECONDS))

    def stop(self) -> None:
        """Send the rest, briefly: a silent collector holds nobody up."""
        last = threading.Thread(target=self._provider.shutdown, name="last-traces", daemon=True)
        last.start()
        last.join(_FLUSH_SECONDS)


class Traced:
    """Makes a span of each request, except probes and /metrics."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        with self._tracing.request(scope) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._tracing.answered(span, message)
                await send(message)

            await self._app(scope, receive, answer)
