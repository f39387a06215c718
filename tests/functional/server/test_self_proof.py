"""The self-proof: a server whose program answers its sample wrongly takes no job, and ends."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from model_server import health
from model_server.api.operations import not_serving
from model_server.manifest import Manifest, Proof, parse
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.self_proof import SelfProof
from tests.functional.server.conftest import manifest_text
from tests.functional.server.started import Started
from tests.rig.waiting import eventually


class FakeRunner:
    """Answers each run of the sample by the next of `ends`."""

    def __init__(self, folder: Path, *ends: Outcome | Exception) -> None:
        self.folder = str(folder)
        self.ends = list(ends)
        self.jobs: list[tuple[str, bytes]] = []

    async def ready(self) -> None: ...

    async def work(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> Outcome:
        self.jobs.append((job_id, Path(input_path).read_bytes()))
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


def proof_of(folder: Path, expected: str = "out.csv") -> SelfProof:
    (folder / "in.csv").write_bytes(b"a\n1\n")
    (folder / "out.csv").write_bytes(b"A\n0.3\n")
    return SelfProof(
        Proof("in.csv", expected), folder, lambda sample, target: target.write_bytes(sample.read_bytes()) and None, 9.0
    )


def ended(proof: SelfProof, runner: FakeRunner, callers: int = 1) -> list[bool]:
    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(proof.passes(runner) for _ in range(callers)))

    return asyncio.run(all_of_them())


def answer(content: bytes) -> Outcome:
    return Outcome(None, 0.1, content)


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (b"A\n0.3\n", None),
        (b"A\n0.30000001\n", None),  # another processor may round the last digits otherwise, as in the smoke test
        (b"A\n0.4\n", 'not the result of out.csv: row 2, column 1 (A): expected "0.3", got "0.4"'),
        (b"", "not the result of out.csv: expected 2 rows, got 0"),
    ],
)
def test_the_sample_is_judged_as_the_smoke_test_judges_it(tmp_path: Path, content: bytes, failure: str | None) -> None:
    proof = proof_of(tmp_path)
    assert proof.waiting_for == "the model has not yet answered its sample in.csv"
    runner = FakeRunner(tmp_path, answer(content))
    assert ended(proof, runner, callers=3) == [failure is None] * 3
    assert runner.jobs == [("self-proof", b"a\n1\n")]  # once, whoever asks
    assert proof.failure == proof.waiting_for == failure
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_without_an_expected_result_any_result_will_do(tmp_path: Path) -> None:
    assert ended(proof_of(tmp_path, ""), FakeRunner(tmp_path, answer(b"?"))) == [True]
    failing = proof_of(tmp_path, "")
    assert ended(failing, FakeRunner(tmp_path, Outcome("Traceback\n  ...\nKeyError: 'x'\n", 0.1))) == [False]
    assert failing.failure == "the program failed: KeyError: 'x'"


def test_a_large_result_is_read_from_its_file_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "self-proof").write_bytes(b"A\n0.3\n")
    assert ended(proof_of(tmp_path), FakeRunner(tmp_path, Outcome(None, 0.1))) == [True]
    assert not (tmp_path / "self-proof").exists()
    (tmp_path / "self-proof").symlink_to(tmp_path / "out.csv")
    linked = proof_of(tmp_path)
    linked_runner = FakeRunner(tmp_path, *[Outcome(None, 0.1)] * 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_server.self_proof._PAUSES", ())
        assert ended(linked, linked_runner) == [False]
    assert (tmp_path / "out.csv").exists()
    os.mkfifo(tmp_path / "self-proof")  # nobody writes
    assert ended(proof_of(tmp_path), FakeRunner(tmp_path, Outcome(None, 0.1))) == [False]


def test_a_killed_runner_gets_another_try_and_a_wrong_answer_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_server.self_proof._PAUSES", (0.0, 0.0))
    died = RunnerDiedError("the runner ended before the program did")
    assert ended(proof_of(tmp_path), FakeRunner(tmp_path, died, died, answer(b"A\n0.3\n"))) == [True]
    dead = proof_of(tmp_path)
    assert ended(dead, FakeRunner(tmp_path, died, died, died)) == [False]
    assert dead.failure == "the runner ended before the program did"


def test_a_failure_is_told_once_and_the_end_of_the_server_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("model_server.self_proof._PAUSES", ())
    caplog.set_level(logging.INFO)
    told = threading.Event()
    proof = proof_of(tmp_path)
    proof.on_failure = told.set
    assert ended(proof, FakeRunner(tmp_path, answer(b"no")), callers=2) == [False, False]
    assert told.wait(30)
    stopped = proof_of(tmp_path)
    stopped.on_failure = lambda: pytest.fail("a server that stops has not failed")
    stopped.stop()
    assert ended(stopped, FakeRunner(tmp_path, RunnerDiedError("closed"))) == [False]
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_the_manifest_says_what_the_proof_is(tmp_path: Path) -> None:
    def read(**proof: object) -> Manifest:
        return parse(manifest_text(tmp_path, proof=proof))

    assert read(input="smoke/input.csv", expected="smoke/expected.csv").proof == Proof(
        "smoke/input.csv", "smoke/expected.csv"
    )
    assert parse(manifest_text(tmp_path)).proof is None
    for wrong in ({"input": ""}, {"expected": "x"}, {"input": "x", "other": "y"}, {"input": "x", "expected": 1}):
        with pytest.raises(Exception, match="'proof'"):
            read(**wrong)


@pytest.fixture
def stopped() -> Iterator[list[Started]]:
    servers: list[Started] = []
    yield servers
    for server in servers:
        if server.process is not None:
            server.process.kill()
            server.process.wait()


def test_a_good_server_proves_itself_then_works_and_its_jobs_name_the_build(
    tmp_path: Path, stopped: list[Started]
) -> None:
    server = Started(tmp_path, "a\n1\n", "A\n1\n")
    stopped.append(server)
    process = server.start()
    eventually(server.answers)
    assert health.probe_ready(server.port) is None  # it waits until the proof is over
    assert requests.get(f"{server.url}/ready", timeout=60).ok
    assert server.states() == []  # the proof is no job
    job = requests.post(f"{server.url}/data/run-job", files={"File": b"b\n"}, timeout=30)
    assert job.text == "B\n"
    result = requests.get(f"{server.url}/data/result/{job.headers['X-Job-Id']}", timeout=60)
    assert result.headers["X-Model-Build-Id"] == "b1d"
    process.terminate()
    assert process.wait(30) == 0
    assert "proved: in.csv gives what out.csv says" in server.log.read_text(encoding="utf-8")


def with_waiting_jobs(server: Started) -> list[str]:
    """Leave four jobs of a server without a proof, which was killed; return their ids."""
    server.environment["MODEL_SELF_PROOF"] = "false"
    former = server.start()
    eventually(server.answers)
    sent = [
        requests.post(f"{server.url}/data/add-job", files={"File": b"!sleep 600"}, timeout=10).json() for _ in range(4)
    ]
    former.kill()
    former.wait()
    server.environment["MODEL_SELF_PROOF"] = "true"
    return [answer["data"]["id"] for answer in sent]


def test_a_wrong_server_takes_no_waiting_job_and_ends_with_one_line(tmp_path: Path, stopped: list[Started]) -> None:
    server = Started(tmp_path, "a\n1\n", "A\n2\n")
    stopped.append(server)
    with_waiting_jobs(server)
    assert server.start().wait(60) == 3
    log = server.log.read_text(encoding="utf-8")
    assert 'not proved: in.csv: not the result of out.csv: row 2, column 1 (A): expected "2", got "1"' in log
    assert server.states() == ["Created"] * 4  # not one was begun


@pytest.mark.parametrize(
    ("unproved", "draining", "answer"),
    [
        (None, False, None),
        (None, True, health.STOPPING.decode()),
        ("it is wrong", False, "it is wrong"),
        ("it is wrong", True, "it is wrong"),
    ],
)
def test_one_that_ends_for_its_wrong_answer_does_not_count_as_one_that_drains(
    unproved: str | None, draining: bool, answer: str | None
) -> None:
    server: Any = SimpleNamespace(draining=lambda: draining, unproved=lambda: unproved)
    assert not_serving(server) == answer


def test_a_wrong_server_is_at_no_time_well(tmp_path: Path, stopped: list[Started]) -> None:
    server = Started(tmp_path, "a\n1\n", "A\n2\n")
    stopped.append(server)
    process = server.start()
    while process.poll() is None:
        assert health.probe_ready(server.port) is not None
    assert process.returncode == 3


def test_an_answer_that_does_not_come_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "probe", lambda *_: None)
    monkeypatch.setattr(health, "_ask", lambda *_: b"")
    assert "ends in the middle" in str(health.probe_ready(80))


def test_while_it_proves_itself_it_answers_503_and_its_stop_is_no_failure(
    tmp_path: Path, stopped: list[Started]
) -> None:
    server = Started(tmp_path, "!sleep 600", "x")
    stopped.append(server)
    jobs = with_waiting_jobs(server)
    process = server.start()
    eventually(server.answers)
    assert requests.post(f"{server.url}/data/add-job", files={"File": b"x\n"}, timeout=10).status_code == 503
    status = requests.get(f"{server.url}/data/status/{jobs[-1]}", timeout=10).json()
    assert status["data"]["status"] == "Created"
    assert "has not yet answered its sample" in str(health.probe_ready(server.port, wait=0))
    process.terminate()
    assert process.wait(30) == 0
    assert server.states() == ["Created"] * 4


def test_an_image_without_a_sample_says_so_and_works(tmp_path: Path, stopped: list[Started]) -> None:
    server = Started(tmp_path, "a\n", "A\n")
    stopped.append(server)
    model = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    (tmp_path / "model.json").write_text(json.dumps({**model, "proof": None}), encoding="utf-8")
    server.start()
    eventually(server.answers)
    assert health.probe_ready(server.port) is None
    assert "carries no sample" in server.log.read_text(encoding="utf-8")
