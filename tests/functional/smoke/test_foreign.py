"""The smoke test of servers that others made, over real sockets: what they offer is asked, what is missing is said."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model_dockerize.smoke import Expectation, SmokeResult, check_foreign
from rig import foreign_server
from rig.foreign_server import OTHER_SPEC, Handler, Server
from tests.rig.progress import Said


@contextmanager
def serving(kind: str, *broken: str) -> Iterator[Server]:
    with Server(kind, ("127.0.0.1", 0), broken) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def ask(server: Server, expectation: Expectation, words: Said) -> SmokeResult:
    return check_foreign([f"http://127.0.0.1:{server.server_port}"], expectation, 1, 1, words)


@pytest.fixture
def sample(tmp_path: Path) -> Expectation:
    (tmp_path / "input.txt").write_text("hello\n")
    (tmp_path / "expected.txt").write_text("HELLO\n")
    return Expectation("", tmp_path / "input.txt", tmp_path / "expected.txt", "text/plain", "shouter")


def test_the_vendors_api_is_proved_as_ours_is(sample: Expectation) -> None:
    with serving("vendor") as server:
        words = Said()
        result = ask(server, sample, words)

    assert [(check.name, check.passed) for check in result.checks] == [
        (name, True)
        for name in (
            *("reachable", "page", "swagger", "endpoints", "health"),
            *("add-job", "status", "result", "delete", "repeat"),
        )
    ]
    assert result.checks[2].detail.startswith("OpenAPI 3.0.1 at /swagger/v1/swagger.json, 7 operations: ")
    assert (result.passed, result.unproved, words.warnings) == (True, (), [])
    assert server.jobs == {}


def test_a_wrong_result_is_red(sample: Expectation) -> None:
    assert sample.sample_expected
    sample.sample_expected.write_text("hello\n")
    with serving("vendor") as server:
        result = ask(server, sample, Said())

    assert not result.passed
    assert len(result.failures) == 1
    assert result.failures[0].startswith("result: not the result of expected.txt")
    assert server.jobs == {}


def test_without_a_sample_no_job_is_tried() -> None:
    with serving("vendor") as server:
        result = ask(server, Expectation(""), Said())

    assert result.passed
    assert "result" not in [check.name for check in result.checks]


def test_of_another_api_only_what_it_offers_is_asked(sample: Expectation) -> None:
    with serving("other") as server:
        words = Said()
        result = ask(server, sample, words)

    assert {check.name: check.detail for check in result.checks if check.name in ("swagger", "endpoints")} == {
        "swagger": "Swagger 2.0 at /docs/api.json, 4 operations: get /models/{}, get /ping, get /search, post /predict",
        "endpoints": "1 documented GETs without parameters answer",
    }
    assert result.passed
    assert result.unproved == (
        "its health: there is no GET /health.",
        "the model: there is no POST /data/add-job, so no data was sent to it.",
    )
    assert words.warnings == [f"Not proved: {line}" for line in result.unproved]
    assert "GET /v7/ping" in server.asked
    assert not any(asked.startswith(("POST", "GET /v7/models", "GET /v7/search")) for asked in server.asked)


def test_links_and_parameters_that_are_none_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    page, spec = Handler.answer, {**OTHER_SPEC, "paths": {"/ping": {"parameters": 7, "get": {"parameters": True}}}}

    def answer(self: Handler, status: int, kind: str, content: bytes) -> None:
        page(self, status, kind, content.replace(b"'/docs", b"'http://[x.json' '/docs"))

    monkeypatch.setattr(Handler, "answer", answer)
    monkeypatch.setattr(foreign_server, "OTHER_SPEC", spec)
    with serving("other") as server:
        result = ask(server, Expectation(""), Said())

    assert result.passed, result.failures
    assert "Swagger 2.0 at /docs/api.json, 1 operations: get /ping" in [check.detail for check in result.checks]


def test_of_very_many_endpoints_twenty_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {f"/p{number}": {"get": {}} for number in range(30)}
    monkeypatch.setattr(foreign_server, "OTHER_SPEC", {**OTHER_SPEC, "paths": paths})
    with serving("other") as server:
        result = ask(server, Expectation(""), Said())

    assert "20 documented GETs without parameters answer" in [check.detail for check in result.checks]
    assert sum(asked.startswith("GET /v7/p") for asked in server.asked) == 20


def test_a_documented_endpoint_that_breaks_is_red(sample: Expectation) -> None:
    with serving("other", "/v7/ping") as server:
        result = ask(server, sample, Said())

    assert result.failures == ('endpoints: GET /ping answered 500: "out of order"',)


def test_a_server_that_describes_nothing_is_not_taken_for_proved(sample: Expectation) -> None:
    with serving("silent") as server:
        result = ask(server, sample, Said())

    assert result.passed
    assert result.unproved == (
        "what the image does: it answers, but has no specification that says what could be asked.",
    )


def test_a_page_that_stays_broken_is_red(sample: Expectation) -> None:
    with serving("silent", "/") as server:
        result = ask(server, sample, Said())

    assert not result.passed
    assert 'gave up after 1 s: / answered 500: "out of order"' in result.failures[0]
    assert result.unproved == ()


def test_nobody_there(sample: Expectation) -> None:
    result = check_foreign(
        ["http://127.0.0.1:9"], sample, 0.2, 1, Said(), lambda: "the container ended with exit code 3"
    )

    assert result.failures == ("reachable: the container ended with exit code 3",)
