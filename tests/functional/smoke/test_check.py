"""The order of the checks and their evidence, against a small server that fakes a model over real sockets."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from model_dockerize.errors import InputError
from model_dockerize.progress import Silent
from model_dockerize.smoke import Expectation, SmokeResult, await_build, check, client

BUILD_ID = "ab" * 16
JOB = "48e42a87-0000-4000-8000-000000000000"
ALL = ["reachable", "health", "build-id", "swagger", "add-job", "status", "result", "delete", "repeat", "runner-mode"]


@dataclass
class Behaviour:
    """The answers of the fake model; a test changes those that it is about."""

    health: list[tuple[int, str]] = field(default_factory=lambda: [(200, "Health check is ok")])
    header: str = BUILD_ID
    spec: Any = field(
        default_factory=lambda: {
            "openapi": "3.0.3",
            "info": {"x-build-id": BUILD_ID},
            "paths": {"/data/add-job": {"post": {}}},
        }
    )
    add: dict[str, Any] = field(default_factory=lambda: triple("Created"))
    busy: int = 0  # jobs that are not taken yet
    statuses: list[dict[str, Any]] = field(default_factory=lambda: [triple("InProgress"), triple("Complete")])
    result: bytes = b"id,n\n1,0.5\n"
    later_results: list[bytes] = field(default_factory=list)
    done_by: list[str] = field(default_factory=list)  # builds that do the next jobs; then `header`
    deleted: dict[str, Any] = field(default_factory=lambda: triple("Deleted"))
    licensed: str = "No License Key found"
    applied: tuple[int, str] = (200, "")
    requests: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # of the jobs
    license_body: bytes = b""
    is_endless: bool = False
    sent: int = 0


def triple(status: str, error: str | None = None) -> dict[str, Any]:
    data = {"id": JOB, "status": status, "errorMessage": error}
    return {"data": data, "isError": error is not None, "errorMessage": error}


class FakeModel(ThreadingHTTPServer):
    """Stands in for a model: it answers as a test tells it, under the path `/prefix`."""

    daemon_threads = True

    def __init__(self) -> None:
        behaviour = self.behaviour = Behaviour()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.removeprefix("/prefix")
                behaviour.requests.append(f"{self.command} {path}")
                if path == "/health":
                    status, text = behaviour.health.pop(0) if len(behaviour.health) > 1 else behaviour.health[0]
                    self.answer(status, text.encode(), "text/plain")
                elif path == "/swagger":
                    self.send_response(302)
                    self.send_header("Location", "/prefix/swagger/index.html")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif path == "/swagger/index.html":
                    self.answer(200, b"<html>", "text/html; charset=utf-8")
                elif path == "/swagger/v1/swagger.json":
                    self.json(behaviour.spec)
                elif path == f"/data/status/{JOB}":
                    statuses = behaviour.statuses
                    self.json(statuses.pop(0) if len(statuses) > 1 else statuses[0])
                elif path == f"/data/result/{JOB}" and behaviour.is_endless:
                    self.endless()
                elif path == f"/data/result/{JOB}":
                    build = behaviour.done_by.pop(0) if behaviour.done_by else behaviour.header
                    self.answer(200, behaviour.result, "text/csv", build)
                    if behaviour.later_results:
                        behaviour.result = behaviour.later_results.pop(0)
                elif path == "/ready":
                    self.answer(200, b"Ready", "text/plain")
                elif path == "/api/license":
                    self.json({"data": behaviour.licensed, "isError": False, "errorMessage": None})
                else:
                    self.answer(404, b"nothing here", "text/plain")

            def do_POST(self) -> None:
                behaviour.requests.append(f"POST {self.path.removeprefix('/prefix')}")
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/prefix/api/license":
                    behaviour.license_body = body
                    status, problem = behaviour.applied
                    self.json({"isError": bool(problem), "errorMessage": problem or None}, status)
                elif behaviour.busy:
                    behaviour.busy -= 1
                    self.json(triple("", "no job is taken yet"), 503)
                else:
                    behaviour.bodies.append(body)
                    self.json(behaviour.add, 400 if behaviour.add["isError"] else 200)

            def do_DELETE(self) -> None:
                behaviour.requests.append(f"DELETE {self.path.removeprefix('/prefix')}")
                self.json(behaviour.deleted)

            def json(self, value: Any, status: int = 200) -> None:
                self.answer(status, json.dumps(value).encode(), "application/json; charset=utf-8")

            def answer(self, status: int, body: bytes, content_type: str, build: str = "") -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Model-Build-Id", build or behaviour.header)
                self.send_header("X-Model-Runner-Mode", "command (as asked)")
                if status == 503:
                    self.send_header("Retry-After", "5")
                self.end_headers()
                self.wfile.write(body)

            def endless(self) -> None:
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(OSError):
                    while True:
                        self.wfile.write(b"x" * 65536)
                        behaviour.sent += 65536

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/prefix/"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as server:
        yield server
        server.shutdown()


@pytest.fixture
def expectation(tmp_path: Path) -> Expectation:
    (tmp_path / "input.csv").write_text("id\n1\n")
    (tmp_path / "expected.csv").write_text("id,n\n1,0.50000001\n")
    return Expectation(BUILD_ID, tmp_path / "input.csv", tmp_path / "expected.csv", "text/csv; header=present", "iris")


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def smoke(model: FakeModel, expectation: Expectation, timeout: float = 2.0) -> SmokeResult:
    return check([model.url], expectation, timeout, timeout, Silent())


def outcome(result: SmokeResult) -> dict[str, str]:
    """Check -> "ok", "failed" or "not run"."""
    return {
        done.name: "ok" if done.passed else "not run" if done.detail.startswith("not run: ") else "failed"
        for done in result.checks
    }


def test_a_good_model(model: FakeModel, expectation: Expectation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", closed_port())  # must not matter
    result = smoke(model, expectation)
    assert outcome(result) == dict.fromkeys(ALL, "ok")
    assert result.passed
    assert result.url == model.url.rstrip("/")
    assert result.failures == ()
    assert all(done.seconds >= 0 and done.detail for done in result.checks)
    body = model.behaviour.bodies[-1].decode()
    assert re.search(r'name="MimeType"\r\n\r\ntext/csv; header=present\r\n', body)
    assert re.search(r'name="File"; filename="input.csv"\r\n\r\nid\n1\n', body)


def test_without_a_sample_no_job_is_tried(model: FakeModel) -> None:
    result = check([model.url], Expectation(BUILD_ID, name="iris"), 2.0, 2.0, Silent())
    assert list(outcome(result)) == ALL[:4]
    assert result.passed


def test_a_mapping_file_goes_with_the_sample(model: FakeModel, expectation: Expectation, tmp_path: Path) -> None:
    (tmp_path / "mapping.json").write_text('[{"source": "nr"}]')
    assert smoke(model, replace(expectation, sample_mapping=tmp_path / "mapping.json")).passed
    assert re.search(rb'name="Mappings"\r\n\r\n\[{"source": "nr"}\]\r\n', model.behaviour.bodies[-1])
    assert smoke(model, expectation).passed
    assert b"Mappings" not in model.behaviour.bodies[-1]


def test_a_license_key_is_applied_before_the_sample(model: FakeModel, expectation: Expectation) -> None:
    result = smoke(model, replace(expectation, license_key="the-key"))
    assert list(outcome(result)) == [*ALL[:4], "license", *ALL[4:]]
    assert result.passed
    assert json.loads(model.behaviour.license_body) == {"license": "the-key"}
    assert model.behaviour.requests.index("POST /api/license") < model.behaviour.requests.index("POST /data/add-job")
    assert "the-key" not in repr(result)


def test_a_good_license_key_is_left_in_place(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.licensed = "Licensed To: Ann - ann@example.com, Expires:Monday, 01 January 2046 00:00:00 (UTC)"
    result = smoke(model, replace(expectation, license_key="the-key"))
    assert result.passed
    assert result.checks[4].detail == "a good key is there already"
    assert model.behaviour.license_body == b""


def test_a_license_key_that_is_refused(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.applied = (400, "the license key has expired")
    result = smoke(model, replace(expectation, license_key="the-key"))
    assert result.failures == ("license: the key was refused: the license key has expired",)
    assert outcome(result)["add-job"] == "not run"


def test_without_an_expected_result_any_will_do(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.result = b"anything"
    result = smoke(model, Expectation(BUILD_ID, expectation.sample_input))
    assert result.passed
    assert result.checks[6].detail == "8 bytes (nothing to compare them with)"


def test_without_a_build_id_whatever_answers_will_do(model: FakeModel) -> None:
    model.behaviour.header = "other"
    assert list(outcome(smoke(model, Expectation("")))) == ["reachable", "health", "swagger"]


def test_a_server_that_does_not_say_its_build_did_the_job_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    model = client.ModelClient("http://127.0.0.1:9")
    monkeypatch.setattr(model, "_request", lambda *_, **__: client.Answer(200, {}, b"1", ""))
    assert model.result("a") == (b"1", "")


def test_the_first_address_that_answers_is_taken(model: FakeModel, expectation: Expectation) -> None:
    result = check([closed_port(), model.url], expectation, 2.0, 2.0, Silent())
    assert result.passed
    assert result.url == model.url.rstrip("/")


def test_a_port_that_never_opens(expectation: Expectation) -> None:
    url = closed_port()
    result = check([url], expectation, 0.3, 0.3, Silent())
    assert outcome(result) == {"reachable": "failed", **dict.fromkeys(ALL[1:], "not run")}
    assert not result.passed
    assert result.url == ""
    assert len(result.failures) == 1
    assert re.fullmatch(
        rf"reachable: gave up after 0.3 s: GET {url}/health got no answer: .*Connection refused", result.failures[0]
    )


def test_a_port_that_opens_late(model: FakeModel, expectation: Expectation) -> None:
    urls = [closed_port()]

    def alive() -> str | None:
        urls[0] = model.url  # from the next look on, as a container whose port opens
        return None

    assert check(urls, expectation, 5.0, 5.0, Silent(), alive).passed
    assert urls == [model.url]


def test_a_container_that_ended_is_not_waited_for(expectation: Expectation) -> None:
    started = time.monotonic()
    gone = "the container exited with code 1: ModuleNotFoundError: No module named 'sklearn'"
    result = check([closed_port()], expectation, 60.0, 60.0, Silent(), lambda: gone)
    assert time.monotonic() - started < 50
    assert result.failures == (f"reachable: {gone}",)


def test_no_address_at_all(expectation: Expectation) -> None:
    result = check([], expectation, 0.1, 0.1, Silent())
    assert result.failures == ("reachable: gave up after 0.1 s: there is no address to try",)


def test_a_start_that_is_not_over_is_waited_for(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.health = [(503, "starting"), (503, "starting"), (200, "Health check is ok")]
    assert smoke(model, expectation).passed


@pytest.mark.parametrize(("status", "text"), [(200, "Health check is ok\n"), (200, "ok"), (404, "Not Found")])
def test_a_wrong_health(model: FakeModel, expectation: Expectation, status: int, text: str) -> None:
    model.behaviour.health = [(status, text)]
    result = smoke(model, expectation)
    assert outcome(result) == {
        **dict.fromkeys(["reachable", "build-id", "swagger"], "ok"),
        "health": "failed",
        **dict.fromkeys(ALL[4:], "not run"),
    }
    assert f"answered {status}: {json.dumps(text)}" in result.failures[0]
    assert "POST /data/add-job" not in model.behaviour.requests


def test_another_build_answers(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.header = "cd" * 16
    result = smoke(model, expectation)
    assert outcome(result)["build-id"] == "failed"
    assert outcome(result)["add-job"] == "not run"
    assert result.failures == (f"build-id: another build answers: expected {BUILD_ID}, /health says {'cd' * 16}",)


def test_a_build_is_waited_for_where_the_former_one_answers_a_moment_longer(model: FakeModel) -> None:
    model.behaviour.header = "former"
    assert not await_build(model.url, BUILD_ID, 0)
    late = threading.Timer(0.2, lambda: setattr(model.behaviour, "header", BUILD_ID))
    late.start()
    assert await_build(model.url, BUILD_ID, 60)
    late.join()
    assert not await_build(closed_port(), BUILD_ID, 0)


def test_another_build_wrote_the_specification(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.spec["info"] = {}
    assert "the specification says nothing" in smoke(model, expectation).failures[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"openapi": "2.0"}, 'no OpenAPI 3: openapi is "2.0"'),
        ({"paths": {"/health": {}}}, "lacks POST /data/add-job"),
        ({"paths": {"/data/add-job": {"get": {}}}}, "lacks POST /data/add-job"),
        ({"paths": {"/data/add-job": None}}, "lacks POST /data/add-job"),
        ({"paths": []}, "lacks POST /data/add-job"),
    ],
)
def test_a_wrong_specification(model: FakeModel, expectation: Expectation, change: dict[str, Any], told: str) -> None:
    model.behaviour.spec.update(change)
    result = smoke(model, expectation)
    assert outcome(result)["swagger"] == "failed"
    assert told in result.failures[0]


def test_a_specification_that_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    model = client.ModelClient("http://127.0.0.1:9")
    monkeypatch.setattr(model, "get", lambda path: client.Answer(200, {}, b"{", path))
    with pytest.raises(client.CheckFailed, match="is no JSON"):
        model.spec()


def test_a_job_that_is_refused(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.add = {"data": None, "isError": True, "errorMessage": "no such MIME type"}
    result = smoke(model, expectation)
    assert outcome(result)["add-job"] == "failed"
    assert [outcome(result)[name] for name in ALL[5:9]] == ["not run"] * 4
    assert result.failures == ('add-job: /data/add-job answered 400: "no such MIME type"',)


def test_a_server_that_takes_no_job_yet_is_waited_for(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.busy = 2  # of a task that has just started
    result = smoke(model, expectation)
    assert result.passed
    assert model.behaviour.requests.count("POST /data/add-job") == 2 + 3
    model.behaviour.busy = 10**6
    (failure,) = smoke(model, expectation, timeout=0.1).failures
    assert failure.startswith("add-job: gave up after 0.1 s: /data/add-job answered 503")


def test_a_job_that_fails_gives_the_models_last_words_and_is_removed(
    model: FakeModel, expectation: Expectation
) -> None:
    message = "Traceback (most recent call last):\n  File x\nValueError: could not convert string to float: 'a'\n"
    model.behaviour.statuses = [triple("Error", message)]
    result = smoke(model, expectation)
    not_run = dict.fromkeys(("result", "repeat"), "not run")
    assert outcome(result) == {**dict.fromkeys(ALL, "ok"), "status": "failed", **not_run}
    assert result.failures == (
        "status: the job ended as Error: \"ValueError: could not convert string to float: 'a'\"",
    )


def test_a_job_that_never_ends(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.statuses = [triple("InProgress")]
    result = smoke(model, expectation, timeout=0.3)
    (failure,) = result.failures
    assert failure.startswith("status: gave up after 0.3 s: the job is still InProgress; ")
    assert "smoke-timeout" in failure
    assert outcome(result)["delete"] == "ok"


def test_a_wrong_result(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.result = b"id,n\n1,0.7\n"
    result = smoke(model, expectation)
    assert outcome(result) == {**dict.fromkeys(ALL, "ok"), "result": "failed", "repeat": "not run"}
    assert result.failures == (
        'result: not the result of expected.csv: row 2, column 2 (n): expected "0.50000001", got "0.7"',
    )


def test_a_model_that_is_right_twice_and_then_never_again(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.later_results = [model.behaviour.result, b"id,n\n1,0.7\n"]
    result = smoke(model, expectation)
    assert outcome(result) == {**dict.fromkeys(ALL, "ok"), "repeat": "failed"}
    assert result.failures[0].startswith("repeat: not the result of expected.csv: row 2")
    assert model.behaviour.requests.count("POST /data/add-job") == 3
    assert model.behaviour.requests.count(f"DELETE /data/delete/{JOB}") == 3


def test_a_job_that_another_build_took_from_a_shared_queue_proves_nothing(
    model: FakeModel, expectation: Expectation
) -> None:
    model.behaviour.done_by = ["former", "former"]
    result = smoke(model, expectation)
    assert result.passed, result.failures
    assert len({len(body) for body in model.behaviour.bodies[:3]}) == 1  # the sample was sent again
    assert model.behaviour.requests.count("POST /data/add-job") == 3 + 2
    assert model.behaviour.requests.count(f"DELETE /data/delete/{JOB}") == 3 + 2

    model.behaviour.done_by = ["former"] * 99
    (failure,) = smoke(model, expectation).failures
    assert failure.startswith("result: another build, former, did all")


def test_results_that_differ_are_told_where_any_is_right(model: FakeModel, expectation: Expectation) -> None:
    details = []
    for later in (model.behaviour.result, b"id,n\n1,0.7\n"):
        model.behaviour.later_results = [later]
        result = smoke(model, replace(expectation, sample_expected=None))
        assert result.passed
        details += [check.detail for check in result.checks if check.name in {"repeat", "runner-mode"}]
    assert details == [
        *("2 more jobs, the same bytes", "command (as asked)"),
        *("2 more jobs, the bytes differ from job to job", "command (as asked)"),
    ]


def test_a_reply_without_the_envelope(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.statuses = [{"id": JOB, "status": "Complete"}]
    result = smoke(model, expectation)
    assert "status: /data/status answered 200 without the envelope" in result.failures[0]


def test_a_job_that_cannot_be_removed(model: FakeModel, expectation: Expectation) -> None:
    model.behaviour.deleted = triple("Complete")
    assert smoke(model, expectation).failures == (
        "delete: the job is 'Complete' after its deletion, expected 'Deleted'",
    )


def test_a_sample_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv cannot be read: No such file") as refused:
        check([], Expectation(BUILD_ID, tmp_path / "gone.csv"), 1.0, 1.0, Silent())
    assert refused.value.remedy == "Correct its path."


def test_an_answer_without_an_end_is_not_read_to_it(
    model: FakeModel, expectation: Expectation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_MOST_RESULT", 1 << 20)
    model.behaviour.is_endless = True
    result = smoke(model, expectation)
    assert result.failures == (f"result: the answer to GET /prefix/data/result/{JOB} is larger than 1 MiB",)
    assert result.result is None


def test_an_answer_that_trickles_is_given_up(
    model: FakeModel, expectation: Expectation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LONGEST", -1.0)
    assert "takes longer than" in smoke(model, expectation).failures[0]


def test_the_first_result_is_kept_to_be_shown(model: FakeModel, expectation: Expectation) -> None:
    result = smoke(model, expectation)
    assert result.result == b"id,n\n1,0.5\n"
    assert result.summary == f"{len(result.checks)} checks passed; result: 11 bytes, as expected.csv"
