"""Traces by OTLP, to a collector of the test's own, from a server in a process of its own."""

import asyncio
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.types import Message

from attacks.conftest import Target, serving
from model_server import manifest, tracing
from tests.rig.waiting import eventually

from .conftest import manifest_text

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Collector(http.server.ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, str] = {}
        self.authorization = ""
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def named(self, name: str) -> list[Span]:
        return [span for span in list(self.spans) if span.name == name]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/v1/traces"
        self.server.authorization = self.headers.get("authorization", "")
        for each in request.resource_spans:
            self.server.resource = {item.key: item.value.string_value for item in each.resource.attributes}
            for scope in each.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.shutdown()
    made.server_close()


def variables(collector: Collector, **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", **more}


def attributes(span: Span) -> dict[str, object]:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


def run(target: Target, content: bytes, path: str = "/data/run-job", **headers: str) -> requests.Response:
    return requests.post(target.url + path, files={"File": content}, headers=headers, timeout=20)


def test_a_job_hangs_on_its_request_which_continues_the_clients_trace(collector: Collector, tmp_path: Path) -> None:
    more = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x", "OTEL_RESOURCE_ATTRIBUTES": "team=ann"}
    with serving(tmp_path, variables(collector, **more)) as target:
        answer = run(target, b"a\nx\n", traceparent=TRACEPARENT)
        assert (answer.status_code, answer.text) == (200, "A\nX\n")
        (job,) = eventually(lambda: collector.named("job"))
        (request,) = eventually(lambda: collector.named("POST /data/run-job"))
        assert collector.authorization == "Bearer x"
        assert {**collector.resource, "team": "ann"} == collector.resource
        assert (collector.resource["service.name"], collector.resource["service.version"]) == ("upper", "1.2")
        assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
        assert (job.trace_id.hex(), job.parent_span_id) == (TRACE, request.span_id)
        assert (request.kind, job.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CONSUMER)
        assert request.start_time_unix_nano <= job.start_time_unix_nano < job.end_time_unix_nano
        job_id = answer.headers["x-job-id"]
        told = {"model.job.id": job_id, "model.job.attempt": 1, "model.job.state": "Complete"}
        assert attributes(job) == told
        assert attributes(request) == {
            "http.request.method": "POST",
            "url.path": "/data/run-job",
            "http.route": "/data/run-job",
            "http.response.status_code": 200,
            "model.job.id": job_id,
        }


def test_names_of_spans_are_few_and_nothing_of_what_was_sent_is_told(collector: Collector, tmp_path: Path) -> None:
    with serving(tmp_path, variables(collector)) as target:
        failed = run(target, b"!fail for secret reasons", traceparent="00-nonsense-01")
        job_id = failed.headers["x-job-id"]
        requests.get(f"{target.url}/data/status/{job_id}?link=secret", timeout=60)
        requests.get(f"{target.url}/secrets" + "x" * 5000, timeout=60)
        requests.get(f"{target.url}/static/secret", timeout=60)
        for path in ("/health", "/ready", "/ping", "/v2/health/live", "/metrics"):
            requests.get(target.url + path, timeout=60)
        eventually(lambda: collector.named("GET /data/status/{job_id}") and collector.named("GET"))
        eventually(lambda: collector.named("GET /static"))
        assert {span.name for span in collector.spans} <= {
            *("job", "POST /data/run-job", "GET /data/status/{job_id}", "GET /static", "GET"),
        }
        (job,) = eventually(lambda: collector.named("job"))
        assert (job.status.code, job.status.message) == (Status.STATUS_CODE_ERROR, "")
        assert "secret reasons" not in str(collector.spans)
        assert "link=" not in str(collector.spans)
        (lost,) = collector.named("GET")
        assert attributes(lost)["http.response.status_code"] == 404
        assert len(str(attributes(lost)["url.path"])) == 1000


def test_a_fault_of_the_server_is_told_without_its_text(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables(collector).items():
        monkeypatch.setenv(name, value)
    traces = tracing.of_environment(os.environ, manifest.parse(manifest_text(tmp_path)))
    assert traces is not None

    async def faulty(*_: object) -> None:
        raise ValueError("a client's secret")

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    async def unheard(_: Message) -> None:
        pass

    with pytest.raises(ValueError, match="a client's secret"):
        asyncio.run(
            tracing.Traced(faulty, traces)(
                {"type": "http", "method": "GET", "path": "/", "headers": []}, nothing, unheard
            )
        )
    traces.stop()
    (span,) = eventually(lambda: collector.named("GET"))
    assert (span.status.code, span.status.message, list(span.events)) == (Status.STATUS_CODE_ERROR, "", [])


def test_a_collector_that_is_away_holds_nobody_up(collector: Collector, tmp_path: Path) -> None:
    collector.shutdown()
    collector.server_close()
    with serving(tmp_path, variables(collector)) as target:
        assert run(target, b"a\nx\n").status_code == 200
        target.process.terminate()
        assert target.process.wait(120) == 0


def loads_tracing(folder: Path, **environment: str) -> bool:
    """Tell whether a process that would serve with these variables loads OpenTelemetry."""
    path = folder / "model.json"
    path.write_text(manifest_text(folder), encoding="utf-8")
    code = (
        "import os, sys, model_server.serve; from pathlib import Path; from model_server import manifest, tracing\n"
        "tracing.of_environment(os.environ, manifest.read(Path(sys.argv[1])))\n"
        "print(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1] == "True"


def test_nothing_is_loaded_unless_an_endpoint_is_named(tmp_path: Path) -> None:
    assert not loads_tracing(tmp_path)
    assert not loads_tracing(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="", OTEL_SERVICE_NAME="x")
    assert loads_tracing(tmp_path, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://127.0.0.1:9")


@pytest.mark.parametrize(
    "more",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
    ],
    ids=str,
)
def test_what_this_server_does_not_speak_is_not_sent(tmp_path: Path, more: dict[str, str]) -> None:
    model = manifest.parse(manifest_text(tmp_path))
    assert tracing.of_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", **more}, model) is None
