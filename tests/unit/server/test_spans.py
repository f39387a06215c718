"""Traces: when they are sent at all, and each span whole; the exporter keeps them here."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from model_server import bounds, manifest, tracing
from model_server.jobs.job import JobResult
from model_server.tracing import Traced, Tracing
from tests.functional.server.conftest import manifest_text

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")


@pytest.mark.parametrize(
    ("environment", "traced"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "x"}, True),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": " True "}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": " OTLP "}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        *(({**ENDPOINT, name: " HTTP/protobuf "}, True) for name in PROTOCOLS),
        *(({**ENDPOINT, name: "grpc"}, False) for name in PROTOCOLS),
    ],
)
def test_traces_are_sent_where_the_environment_asks_for_what_is_spoken_here(
    environment: dict[str, str], traced: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model: Any = "model"
    monkeypatch.setattr(tracing, "Tracing", lambda given: ("tracing of", given))
    assert tracing.of_environment(environment, model) == (("tracing of", "model") if traced else None)
    wrong = [name for name in PROTOCOLS if environment.get(name) == "grpc"]
    told = [f"no traces are sent: of {name} only http/protobuf is spoken here" for name in wrong]
    assert caplog.messages == told


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr("opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter", lambda: exporter)
    monkeypatch.setattr("opentelemetry.sdk.trace.export.BatchSpanProcessor", SimpleSpanProcessor)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=ann,service.version=9")
    return exporter


@pytest.fixture
def traces(kept: InMemorySpanExporter, tmp_path: Any) -> Tracing:
    assert kept.get_finished_spans() == ()
    return Tracing(manifest.parse(manifest_text(tmp_path)))


def scope(path: str = "/data/x", **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "headers": [], **more}


def called(traces: Tracing, asked: dict[str, Any], app: Any) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Traced(app, traces)(asked, None, send))  # type: ignore[arg-type]
    return sent


def answering(status: int, *headers: tuple[bytes, bytes]) -> Any:
    async def app(asked: Any, _receive: Any, send: Any) -> None:
        asked["route"] = SimpleNamespace(path="/data/{id}")
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body"})

    return app


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_request_has_a_span_in_its_clients_trace(traces: Tracing, kept: InMemorySpanExporter) -> None:
    sent = [(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode()), (b"tracestate", b"a=b"), (b"secret", b"x")]
    path = "/data/" + "x" * bounds.TRACED_CHARACTERS
    messages = called(traces, scope(path, headers=sent), answering(200, (b"x-job-id", b"j"), (b"other", b"y")))
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    (span,) = kept.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("GET /data/{id}", SpanKind.SERVER, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.path": path[: bounds.TRACED_CHARACTERS],
        "http.response.status_code": 200,
        "model.job.id": "j",
        "http.route": "/data/{id}",
    }
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.context is not None
    assert span.context.trace_state.get("a") == "b"
    own = dict(span.resource.attributes)
    assert {name: own[name] for name in ("service.name", "service.version", "team")} == {
        **{"service.name": "upper", "service.version": "9", "team": "ann"}
    }
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "model-server"


@pytest.mark.parametrize(("status", "code"), [(499, StatusCode.UNSET), (500, StatusCode.ERROR)])
def test_an_answer_of_a_fault_is_an_error(
    traces: Tracing, kept: InMemorySpanExporter, status: int, code: StatusCode
) -> None:
    called(traces, scope(), answering(status))
    (span,) = kept.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (code, None)
    assert "model.job.id" not in (span.attributes or {})


def test_of_a_fault_its_text_is_not_told(traces: Tracing, kept: InMemorySpanExporter) -> None:
    async def app(*_: Any) -> None:
        raise ValueError("a secret")

    with pytest.raises(ValueError, match="a secret"):
        called(traces, scope(), app)
    (span,) = kept.get_finished_spans()
    assert (span.name, span.status.status_code, span.status.description) == ("GET", StatusCode.ERROR, None)
    assert span.events == ()


@pytest.mark.parametrize(
    "asked",
    [
        *(scope(path) for path in ("/health", "/ready", "/ping", "/v2/health/live", "/v2/health/ready", "/metrics")),
        {"type": "lifespan"},
    ],
)
def test_what_is_asked_all_the_time_has_no_span(
    traces: Tracing, kept: InMemorySpanExporter, asked: dict[str, Any]
) -> None:
    assert len(called(traces, asked, answering(200))) == 2
    assert kept.get_finished_spans() == ()


def job(**changes: Any) -> Any:
    return SimpleNamespace(**{"id": "j", "attempts": 2, "started": 1000.5, **changes})


def test_an_attempt_hangs_on_the_request_that_brought_it(
    traces: Tracing, kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "time", SimpleNamespace(time=lambda: 1002.25))

    async def app(*_: Any) -> None:
        traces.remember("j")

    called(traces, scope(), app)
    traces.ended(job(), JobResult(None, "r", None))
    traces.ended(job(started=None), JobResult("no", None, None))
    request, first, second = kept.get_finished_spans()
    assert (first.name, first.kind, first.start_time, first.end_time) == (
        *("job", SpanKind.CONSUMER, 1_000_500_000_000, 1_002_250_000_000),
    )
    assert dict(first.attributes or {}) == {
        "model.job.id": "j",
        "model.job.attempt": 2,
        "model.job.state": "Complete",
    }
    assert first.parent is not None
    assert request.context is not None
    assert first.parent.span_id == request.context.span_id
    assert (first.status.status_code, second.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert (second.parent, second.start_time) == (None, 1_002_250_000_000)
    assert dict(second.attributes or {})["model.job.state"] == "Error"


def test_the_oldest_requests_are_forgotten(
    traces: Tracing, kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "TRACED_JOBS", 2)

    async def app(*_: Any) -> None:
        for name in "123":
            traces.remember(name)

    called(traces, scope(), app)
    for name in "123":
        traces.ended(job(id=name), JobResult(None, "r", None))
    assert [span.parent is not None for span in kept.get_finished_spans()[1:]] == [False, True, True]


def test_the_rest_is_sent_at_the_end_and_holds_nobody_up(traces: Tracing, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Thread:
        """Notes what it is told."""

        def __init__(self, **options: Any) -> None:
            made.append(options)

        def start(self) -> None:
            made.append("start")

        def join(self, seconds: float) -> None:
            made.append(seconds)

    monkeypatch.setattr(tracing, "threading", SimpleNamespace(Thread=Thread, Lock=threading.Lock))
    traces.stop()
    options = {"target": traces._provider.shutdown, "name": "last-traces", "daemon": True}
    assert made == [options, "start", 2.0]
