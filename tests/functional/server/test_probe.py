"""`model-server probe` against a real HTTP server, and the smoke test that reads its log."""

import base64
import http.server
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_dockerize import smoke
from model_dockerize.smoke import client
from model_server import health
from model_server import probe as server_probe
from model_server.__main__ import main
from model_server.probe import MOST_BYTES, Question, probe
from tests.rig.listening import listening

BUILD = "b1"


class Model(http.server.BaseHTTPRequestHandler):
    """A model that gives its input back; what it does wrong is set on the server."""

    def do_GET(self) -> None:
        given: Any = self.server
        if self.path == "/health":
            self._answer(b"Health check is ok", given.health)
        elif self.path.startswith("/data/status/") and given.away:
            given.away -= 1
            self._envelope({"id": "", "errorMessage": "the job queue does not answer"}, is_error=True, status=503)
        elif self.path.startswith("/data/status/"):
            state = "Error" if given.fails else "Complete"
            self._envelope({"id": "1", "status": state, "errorMessage": "ValueError: no"}, is_error=given.fails)
        else:
            self._answer(given.result or given.sample)
            given.result = given.later.pop(0) if given.later else given.result

    def do_POST(self) -> None:
        given: Any = self.server
        if given.busy:
            given.busy -= 1
            self._envelope({"id": "", "errorMessage": "no job is taken yet"}, is_error=True, status=503)
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        given.sample = body.split(b'filename="in.csv"\r\n\r\n')[1].rsplit(b"\r\n--", 1)[0]
        given.asked = body
        self._envelope({"id": "1", "status": "Created"})

    def do_DELETE(self) -> None:
        self._envelope({"id": "1", "status": "Deleted"})

    def _envelope(self, data: dict[str, Any], is_error: bool = False, status: int = 200) -> None:
        message = data.get("errorMessage") if is_error else None
        self._answer(json.dumps({"isError": is_error, "errorMessage": message, "data": data}).encode(), status)

    def _answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("X-Model-Build-Id", BUILD)
        if status == 503:
            self.send_header("Retry-After", "5")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def model() -> Iterator[Any]:
    server: Any
    with listening(Model) as server:
        server.health, server.fails, server.result, server.sample, server.later = 200, False, b"", b"", []
        server.busy = server.away = 0
        server.url = f"http://127.0.0.1:{server.server_port}"
        yield server


@pytest.fixture
def expectation(tmp_path: Path) -> smoke.Expectation:
    for name, text in (("in.csv", "a,b\n1,2\n"), ("expected.csv", "a,b\n1.0000000001,2\n"), ("map.json", "{}")):
        (tmp_path / name).write_text(text)
    return smoke.Expectation(
        BUILD, tmp_path / "in.csv", tmp_path / "expected.csv", "text/csv", sample_mapping=tmp_path / "map.json"
    )


def asked_of(model: Any, expectation: smoke.Expectation, start: float = 1, most: int = 7000) -> smoke.SmokeResult:
    """Ask as a run does, without the task."""
    text, _ = smoke.question(expectation, start, 5, most)
    lines: list[str] = []
    probe(model.url, Question.read(text), lines.append)
    noise = ["a line of somebody else", "probe not json", "probe []"]
    return smoke.answer(model.url, [*noise, *(line.rstrip("\n") for line in lines)], expectation)


def test_all_checks_of_a_good_model_pass_and_its_result_is_compared_here(
    model: Any, expectation: smoke.Expectation
) -> None:
    result = asked_of(model, expectation)
    assert result.failures == ()
    assert [check.name for check in result.checks] == [
        *("health", "build-id", "add-job", "status", "result", "delete", "repeat", "runner-mode"),
    ]
    assert "as expected.csv" in result.checks[4].detail
    assert result.checks[6].detail == "2 more jobs, the same bytes, as expected.csv"
    assert b'name="Mappings"\r\n\r\n{}' in model.asked


def test_another_result_another_build_and_a_failed_job_are_told(model: Any, expectation: smoke.Expectation) -> None:
    model.result = b"a,b\n7,2\n"
    assert "not the result of expected.csv" in asked_of(model, expectation).failures[0]
    model.fails = True
    assert "ended as Error: ValueError: no" in asked_of(model, expectation).failures[0]
    wrong = asked_of(model, replace(expectation, build_id="b2"))
    assert [check.name for check in wrong.checks] == ["health", "build-id"]
    assert "expected b2, /health says b1" in wrong.failures[0]


def test_a_later_job_with_another_result_is_told(model: Any, expectation: smoke.Expectation) -> None:
    model.later = [b"a,b\n1,2\n", b"a,b\n7,2\n"]
    (failure,) = asked_of(model, expectation).failures
    assert failure.startswith("repeat: not the result of expected.csv")


def test_a_server_that_asks_to_come_again_is_asked_again(model: Any, expectation: smoke.Expectation) -> None:
    model.busy = model.away = 1
    assert asked_of(model, expectation, start=60).failures == ()
    model.busy = 10**6
    assert "answered 503: no job is taken yet" in asked_of(model, expectation, start=0).failures[0]


def test_who_does_not_answer_is_told_with_the_reason(model: Any, expectation: smoke.Expectation) -> None:
    model.health = 500
    assert "/health answered 500" in asked_of(model, expectation, start=0).failures[0]
    model.url = "http://127.0.0.1:9"
    assert "does not answer" in asked_of(model, expectation, start=0).failures[0]


def test_a_result_that_is_too_large_for_a_log_is_not_compared(model: Any, expectation: smoke.Expectation) -> None:
    model.result = b"x" * (MOST_BYTES + 1)
    result = asked_of(model, expectation)
    assert result.passed
    assert "not compared" in result.checks[4].detail
    model.result = bytes(range(256)) * (MOST_BYTES // 256)
    assert "as expected" not in asked_of(model, expectation).checks[4].detail


def test_what_a_task_cannot_be_handed_is_left_out_and_said(expectation: smoke.Expectation) -> None:
    text, why = smoke.question(expectation, 1, 5, 100)
    assert "can be handed 100" in why
    assert Question.read(text).sample is None
    _, why = smoke.question(replace(expectation, license_key="secret"), 1, 5, 7000)
    assert "license key" in why
    assert smoke.question(replace(expectation, sample_input=None), 1, 5, 7000)[1] == "there is no sample input"


def test_a_log_that_ends_early_is_no_success(expectation: smoke.Expectation) -> None:
    line = 'probe {"check": "health", "passed": true, "seconds": 0, "detail": ""}'
    assert "ended before" in smoke.answer("u", [line], expectation).failures[0]
    assert not smoke.is_last(line)
    assert smoke.is_last('probe {"end": true}')


def test_the_command(model: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", model.url]) == 1
    assert "MODEL_PROBE cannot be read" in capsys.readouterr().err
    monkeypatch.setenv("MODEL_PROBE", base64.b64encode(b"no").decode())
    assert main(["probe", model.url]) == 1
    monkeypatch.setenv("MODEL_PROBE", smoke.question(smoke.Expectation(BUILD), 1, 5, 7000)[0])
    assert main(["probe", model.url]) == 0
    assert 'probe {"end": true}' in capsys.readouterr().out
    assert main(["probe", "elsewhere"]) == 2


def test_the_probe_keeps_to_the_smoke_tests_list_of_checks(model: Any, expectation: smoke.Expectation) -> None:
    """Compare the names, their order, and the repeated ones: the server may not import this program."""
    names = [check.name for check in asked_of(model, expectation).checks]
    assert names == [name for name in smoke.CHECKS if name in names]
    assert server_probe._REPEATS == smoke.REPEATS
    assert health.ANSWER.decode() == smoke.HEALTHY
    assert server_probe._MOST_READ == client._MOST_BYTES


def test_an_answer_without_an_end_is_not_read_to_it(
    model: Any, expectation: smoke.Expectation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_probe, "_MOST_READ", 1000)
    model.result = b"x" * 2000
    assert asked_of(model, expectation).failures[0].endswith("/data/result/1 answered more than 0 MiB")


def test_the_probe_hands_back_the_answer_that_is_shown(model: Any, expectation: smoke.Expectation) -> None:
    assert asked_of(model, expectation).result == b"a,b\n1,2\n"
