"""`ask`, once the job takes longer than the server waits: what it meets while it looks."""

import http.server
import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_dockerize.cli import cli
from tests.rig.listening import listening

ASK = importlib.import_module("model_dockerize.smoke.ask")  # by `from`, it is the function
GOOD = 200
CLOSED = 0  # the connection ends without an answer


class Model(http.server.BaseHTTPRequestHandler):
    """Answer looks and results by the statuses of `course`, then by 200."""

    course: tuple[int, ...] = ()
    state, error, job = "Complete", "", "job-7"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(202, b"{}")

    def do_GET(self) -> None:
        status, *Model.course = Model.course or (GOOD,)  # type: ignore[assignment]
        if status == CLOSED:
            self.close_connection = True
        elif status != GOOD:
            self._answer(status, b"<html>away</html>")
        elif self.path.startswith("/data/result/"):
            self._answer(200, b"in the end\n")
        else:
            job = {"status": self.state, "errorMessage": self.error}
            self._answer(200, json.dumps({"data": job, "errorMessage": self.error}).encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("X-Job-Id", self.job)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Retry-After", "5")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("course", "state", "error", "job"):
        monkeypatch.setattr(Model, name, getattr(Model, name))
    monkeypatch.setattr(ASK, "_PAUSE_SECONDS", 0.0)
    with listening(Model) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def ask(url: str, tmp_path: Path) -> Callable[..., Result]:
    (tmp_path / "in.csv").write_text("id\n1\n")
    return lambda *flags: CliRunner().invoke(cli, ["ask", url, str(tmp_path / "in.csv"), *flags])


@pytest.mark.parametrize(
    "course", [(503, 502, 504), (CLOSED,), (GOOD, 502, GOOD), (GOOD, CLOSED), (CLOSED, 503, GOOD, 504)]
)
def test_who_is_away_for_a_moment_is_asked_again(ask: Callable[..., Result], course: tuple[int, ...]) -> None:
    Model.course = course
    result = ask()
    assert (result.exit_code, result.stdout) == (0, "in the end\n"), result.stderr


@pytest.mark.parametrize("status", [502, 503, CLOSED])
def test_who_stays_away_is_given_up(ask: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(ASK, "_AWAY_SECONDS", 0.05)
    Model.course = (status,) * 10_000
    result = ask()
    said = " ".join(result.stderr.split())
    assert (result.exit_code, "has said nothing of the job job-7" in said) == (12, True), said
    assert "The model failed" not in said


@pytest.mark.parametrize("course", [(404,), (503, 404), (GOOD, 404)])
def test_a_job_that_its_server_does_not_know_any_more_is_told_so(
    ask: Callable[..., Result], course: tuple[int, ...]
) -> None:
    Model.course = course
    result = ask()
    said = " ".join(result.stderr.split())
    assert (result.exit_code, "does not know the job job-7 any more: the task that had it was" in said) == (12, True)
    assert "it shares no queue" in said
    assert "Next: Send the file again." in said


@pytest.mark.parametrize("status", [302, 401, 400, 500])
def test_every_other_refusal_names_the_job(ask: Callable[..., Result], status: int) -> None:
    Model.course = (status,)
    result = ask()
    said = " ".join(result.stderr.split())
    assert f"does not say what became of the job job-7: HTTP {status}" in said
    assert result.exit_code == 12


def test_a_failed_program_and_a_result_of_another_kind_name_the_job(ask: Callable[..., Result]) -> None:
    assert "text/csv of the job job-7, not JSON" in " ".join(ask("--json").stderr.split())
    Model.state, Model.error = "Error", "ValueError: no"
    assert "The model's program failed (job job-7): ValueError: no" in " ".join(ask().stderr.split())


def test_without_a_job_nothing_is_waited_for(ask: Callable[..., Result]) -> None:
    Model.job, Model.course = "", (404,)
    result = ask()
    assert (result.exit_code, "HTTP 202" in result.stderr, "the job" in result.stderr) == (2, True, False)
