"""The load under which rollouts are played counts what was refused, lost and answered, and by which version."""

import http.server
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from model_sandbox.forwarder import NO_CONNECTION, REASON_HEADER
from tests.rig.constant_load import ANSWERED, FAILED, LOST, OWN_CODE, REFUSED, Load, constant_load
from tests.rig.listening import listening
from tests.rig.waiting import eventually

OWN_END = f"The program ended with exit code {OWN_CODE} and wrote nothing to stderr."


class Model(http.server.BaseHTTPRequestHandler):
    """Answers as a model of one version; `mood` is how."""

    mood: ClassVar[str] = "well"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.mood in ("away", "unreached", "cut off"):
            self._answer(503 if self.mood == "away" else 502, "")
        elif self.path.endswith("add-job"):
            self._answer(200, json.dumps({"data": {"id": "1"}}))
        elif self.mood == "broken":
            self.close_connection = True
        else:
            text = OWN_END if self.mood == "ending" else "v1 request"
            self._answer({"failing": 400, "ending": 400, "slow": 202}.get(self.mood, 200), text)

    def do_GET(self) -> None:
        state = "Error" if self.mood in ("failing", "ending") else "Complete"
        error = OWN_END if self.mood == "ending" else ""
        told = json.dumps({"data": {"status": state, "error": error}}) if "/status/" in self.path else "v1 job"
        self._answer(200, told)

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("X-Job-Id", "1")
        if self.mood == "unreached":
            self.send_header(REASON_HEADER, f"{NO_CONNECTION} 10.0.0.1:80")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(how: str) -> Iterator[str]:
    with listening(type("Moody", (Model,), {"mood": how})) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def played(url: str, jobs: bool = True) -> Load:
    with constant_load(url) as load:
        eventually(lambda: load.asked and (load.jobs or not jobs))
    return load


def test_answers_are_told_by_their_version() -> None:
    with served("well") as url:
        load = played(url)
    assert {(one.kind, one.version) for one in [*load.asked, *load.jobs]} == {(ANSWERED, "v1")}


def test_a_job_that_goes_on_is_asked_for() -> None:
    with served("slow") as url:
        load = played(url)
    assert {(one.kind, one.text) for one in load.asked} == {(ANSWERED, "v1 job")}


@pytest.mark.parametrize("mood", ["away", "unreached"])
def test_what_was_not_accepted_is_refused_and_no_job(mood: str) -> None:
    with served(mood) as url:
        load = played(url, jobs=False)
    assert {one.kind for one in load.asked} == {REFUSED}
    assert load.jobs == []
    with served("well") as url:
        pass
    gone = played(url, jobs=False)
    assert {one.kind for one in gone.asked} == {REFUSED}


def test_what_was_accepted_and_failed_is_lost() -> None:
    with served("failing") as url:
        load = played(url)
    assert {one.kind for one in [*load.asked, *load.jobs]} == {LOST}


def test_an_end_that_the_program_chose_and_that_is_told_is_not_lost() -> None:
    with served("ending") as url:
        load = played(url)
    assert {one.kind for one in [*load.asked, *load.jobs]} == {FAILED}


def test_a_bad_gateway_that_had_a_connection_is_lost() -> None:
    with served("cut off") as url:
        load = played(url, jobs=False)
    assert {one.kind for one in load.asked} == {LOST}


def test_a_connection_that_breaks_is_lost() -> None:
    with served("broken") as url:
        load = played(url)
    assert {one.kind for one in load.asked} == {LOST}
    assert {one.kind for one in load.jobs} == {ANSWERED}
