"""Batches with a real server and a real program: jobs joined to one run, and what must not happen to any of them."""

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from model_server import manifest
from model_server.errors import ManifestError
from model_server.jobs.batches import Batches
from tests.functional.server.conftest import Server, manifest_text, running
from tests.functional.server.test_self_proof import Started
from tests.rig.waiting import eventually

#: Answers each record by its own text in upper case. A cell may ask for trouble; each run leaves its number of records.
PROGRAM = """
import csv, os, pathlib, signal, sys, time
source, target = sys.argv[1:]
folder = pathlib.Path(__file__).parent
with open(source, encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
with open(folder / "runs", "a") as file:
    file.write("%d\\n" % len(rows))
cells = [row["a"] for row in rows]
print("cells", cells, flush=True)
if "wrong" in cells:
    sys.exit("a wrong record")
if "joined" in cells and len(cells) > 1:
    sys.exit("not with others")
if "kill" in cells and not (folder / "killed").exists():
    (folder / "killed").touch()
    os.kill(os.getppid(), signal.SIGKILL)
while ("wait" in cells and not (folder / "go").exists()) or ("hold" in cells and not (folder / "let go").exists()):
    time.sleep(0.01)
with open(target, "w", encoding="utf-8", newline="") as file:
    out = csv.writer(file, lineterminator="\\n")
    out.writerow(["A"])
    out.writerows([[cell.upper()] for cell in cells if cell != "nothing"] + [["more"]] * cells.count("two"))
"""
SAMPLE = b"a\nx\ny\nz\n"
SECONDS = 60


class Model:
    """A server with batches, and its program's folder."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self._before = len(self._all_runs())
        member: Any = server.workers._workers[0]._runner
        self._batches: Batches = member._batches

    def _all_runs(self) -> list[int]:
        return [int(line) for line in (self.folder / "runs").read_text(encoding="utf-8").split()]

    def runs(self) -> list[int]:
        """Return how many records each run had, in order, without those of the proof."""
        return self._all_runs()[self._before :]

    def send(self, *contents: bytes) -> list[str]:
        """Send jobs while another one is in hand, which ends once all wait for the runner; return their ids."""
        blocker = self.server.send(b"a\nwait\n")
        eventually(lambda: self.runs() == [1], pause=0.01)
        ids = [self.server.send(content) for content in contents]
        eventually(lambda: len(self._batches._waiting) == len(ids), pause=0.01)
        (self.folder / "go").touch()
        self.server.wait(blocker)
        return ids

    def run(self, *contents: bytes) -> list[requests.Response]:
        """Send jobs in the same way; return their answers."""
        return [self.result(job_id) for job_id in self.send(*contents)]

    def holding(self, *contents: bytes) -> list[str]:
        """Send jobs in the same way, and one that holds their run; return the ids, that one's last."""
        ids = self.send(*contents, b"a\nhold\n")
        eventually(lambda: self.runs() == [1, len(ids)], pause=0.01)
        return ids

    def result(self, job_id: str) -> requests.Response:
        self.server.wait(job_id)
        return requests.get(f"{self.server.url}/data/result/{job_id}", timeout=SECONDS)

    def states(self) -> list[str]:
        jobs = requests.get(f"{self.server.url}/data/jobs", timeout=SECONDS).json()["data"]["jobs"]
        return [job["status"] for job in jobs]

    def attempts(self) -> list[int]:
        """Return the attempts of all jobs, the first job first."""
        jobs = requests.get(f"{self.server.url}/data/jobs", timeout=SECONDS).json()["data"]["jobs"]
        return [job["attempts"] for job in reversed(jobs)]


@pytest.fixture
def start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Model]]:
    """Start servers whose program is PROGRAM, or another; they have decided about batches on return."""
    caplog.set_level(logging.INFO)
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "runs").touch()
    with ExitStack() as stack:

        def started(program: str = PROGRAM, sample: bytes = SAMPLE, records: int = 100) -> Model:
            (folder / "main.py").write_text(program, encoding="utf-8")
            (folder / "sample.csv").write_bytes(sample)
            limits = {"timeout_seconds": SECONDS, "batch_records": records, "batch_wait_ms": 20}
            server = stack.enter_context(
                running(tmp_path, folder, limits=limits, sample="sample.csv" if sample else "", runner_mode="command")
            )
            eventually(lambda: "batches: " in caplog.text)
            return Model(folder, server)

        yield started


def test_what_waits_is_joined_and_each_job_has_the_answer_to_its_own_records(start: Callable[..., Model]) -> None:
    model = start()
    contents = [b"a\nr%d-%d\n" % (job, row) + b"a%d\n" % job * job for job in range(6) for row in range(2)]
    answers = model.run(*contents)
    assert [answer.content for answer in answers] == [content.upper() for content in contents]
    assert model.runs() == [1, sum(1 + job for job in range(6) for _ in range(2))]
    assert model.attempts() == [1] * 13


def test_another_header_a_missing_line_end_and_more_records_than_fit(start: Callable[..., Model]) -> None:
    model = start(records=3)
    answers = model.run(b"a\n1\n2", b"b,a\nx,3\n", b"a\n4\n", b"a\n5\n", b"a\n6\n7\n8\n")
    assert [answer.content for answer in answers] == [b"A\n1\n2\n", b"A\n3\n", b"A\n4\n", b"A\n5\n", b"A\n6\n7\n8\n"]
    assert model.runs() == [1, 3, 1, 1, 3]


@pytest.mark.parametrize("trouble", [b"wrong", b"nothing", b"two", b"joined"])
def test_a_record_that_a_joined_run_does_not_bear_harms_no_other_job(
    start: Callable[..., Model], trouble: bytes
) -> None:
    model = start()
    first, bad, last = model.run(b"a\n1\n", b"a\n" + trouble + b"\n", b"a\n2\n")
    assert (first.content, last.content) == (b"A\n1\n", b"A\n2\n")
    expected = {b"nothing": b"A\n", b"two": b"A\nTWO\nmore\n", b"joined": b"A\nJOINED\n"}
    if trouble == b"wrong":
        assert "a wrong record" in bad.text
    else:
        assert bad.content == expected[trouble]
    assert model.runs() == [1, 3, 1, 1, 1]
    assert model.attempts() == [1] * 4


def test_a_runner_that_is_killed_in_a_batch_loses_no_job_and_doubles_none(start: Callable[..., Model]) -> None:
    model = start()
    answers = model.run(b"a\n1\n", b"a\nkill\n", b"a\n2\n")
    assert [answer.content for answer in answers] == [b"A\n1\n", b"A\nKILL\n", b"A\n2\n"]
    assert model.runs() == [1, 3, 1, 1, 1]
    assert model.attempts() == [1] * 4  # the claim was kept: the joined run is none of a job's own


def test_of_a_job_that_is_deleted_in_a_batch_the_others_notice_nothing(start: Callable[..., Model]) -> None:
    model = start()
    ids = model.holding(b"a\n1\n", b"a\n2\n", b"a\n3\n")
    requests.delete(f"{model.server.url}/data/delete/{ids[1]}", timeout=SECONDS)
    eventually(lambda: len(model.states()) == 4)
    (model.folder / "let go").touch()
    assert [model.result(ids[number]).content for number in (0, 2, 3)] == [b"A\n1\n", b"A\n3\n", b"A\nHOLD\n"]
    assert model.runs() == [1, 4]
    assert model.attempts() == [1] * 4


def test_a_batch_whose_jobs_are_all_deleted_is_stopped(start: Callable[..., Model]) -> None:
    model = start()
    for job_id in model.holding(b"a\n1\n", b"a\n2\n"):
        requests.delete(f"{model.server.url}/data/delete/{job_id}", timeout=SECONDS)
    after = model.server.send(b"a\n3\n")
    assert model.result(after).content == b"A\n3\n"  # though nobody let the others go


def test_a_drain_gives_the_jobs_of_a_batch_back_uncounted(
    start: Callable[..., Model], caplog: pytest.LogCaptureFixture
) -> None:
    model = start()
    model.holding(b"a\n1\n", b"a\n2\n")
    model.server.workers.drain(0)
    assert model.states() == ["Created"] * 3 + ["Complete"]
    assert model.attempts() == [1, 0, 0, 0]
    assert caplog.text.count("given back: the server stops") == 3


def test_a_large_job_and_a_large_result_go_through_files(start: Callable[..., Model]) -> None:
    model = start()
    long, large = b"a\n" + b"w" * 9000 + b"\n", b"a\n" + b"word\n" * 5000
    small = b"a\n1\n"
    answers = model.run(large, long, small)
    assert [answer.content for answer in answers] == [each.upper() for each in (large, long, small)]
    assert model.runs() == [1, 5000, 2]


def test_what_a_joined_run_prints_is_shown_for_no_job(start: Callable[..., Model]) -> None:
    model = start()
    ids = model.holding(b"a\nsecret\n")
    assert [model.server.workers.said(job_id) for job_id in ids] == [(), ()]
    (model.folder / "let go").touch()
    assert model.result(ids[0]).content == b"A\nSECRET\n"


def test_a_model_without_a_sample_has_no_batches(start: Callable[..., Model], caplog: pytest.LogCaptureFixture) -> None:
    model = start(sample=b"")
    assert "no batches: the image carries no sample" in caplog.text
    answers = model.run(b"a\n1\n", b"a\n2\n")
    assert [answer.content for answer in answers] == [b"A\n1\n", b"A\n2\n"]
    assert model.runs() == [1, 1, 1]


def test_the_manifest_refuses_batches_of_what_is_no_record(tmp_path: Path) -> None:
    text = manifest_text(
        tmp_path, limits={"batch_records": 2}, input_types=["text/csv", "application/json"], output_types=["image/png"]
    )
    with pytest.raises(ManifestError) as refused:
        manifest.parse(text)
    assert "'input_types' has text/csv, application/json" in str(refused.value)
    assert "'output_types' has image/png" in str(refused.value)
    assert manifest.parse(manifest_text(tmp_path, limits={"batch_records": 2})).limits.batch_wait_ms == 10


def test_many_clients_each_get_their_own_answer(start: Callable[..., Model]) -> None:
    model = start(records=16)
    (model.folder / "go").touch()
    # Not "two" beside "nothing": together they give the right number (docs/runner.md says what an author promises).
    words = ["x", "wrong", "nothing", "joined", "wait"]

    def one(number: int) -> None:
        cells = [f"{number}-{row}" for row in range(number % 3)] + [words[number % 5]] + [f"{number}-end"]
        text = "a\n" + "".join(f"{cell}\n" for cell in cells)
        answer = requests.post(f"{model.server.url}/data/run-job", files={"File": text.encode()}, timeout=SECONDS)
        if "wrong" in cells:
            assert "a wrong record" in answer.text
            return
        if "joined" in cells:
            assert "not with others" in answer.text  # it has two records or more by itself
            return
        expected = [cell.upper() for cell in cells if cell != "nothing"]
        assert answer.text == "A\n" + "".join(f"{cell}\n" for cell in expected)

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(one, range(60)))
    assert model.attempts()[:50] == [1] * 50


def test_a_server_with_two_runners_proves_itself_joins_jobs_and_ends(tmp_path: Path) -> None:
    server = Started(tmp_path, SAMPLE.decode(), SAMPLE.decode().upper())
    text = manifest_text(
        tmp_path / "program",
        proof={"input": "in.csv", "expected": "out.csv"},
        sample="in.csv",
        limits={"batch_records": 8, "batch_wait_ms": 200},
    )
    (tmp_path / "model.json").write_text(text, encoding="utf-8")
    process = server.start()
    try:
        eventually(server.answers)
        eventually(lambda: requests.get(f"{server.url}/ready", timeout=SECONDS).ok)

        def one(number: int) -> str:
            content = f"a\nr{number}\n".encode()
            return requests.post(f"{server.url}/data/run-job", files={"File": content}, timeout=SECONDS).text

        with ThreadPoolExecutor(8) as clients:
            assert list(clients.map(one, range(32))) == [f"A\nR{number}\n" for number in range(32)]
        process.terminate()
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    log = server.log.read_text(encoding="utf-8")
    assert "proved: in.csv gives what out.csv says" in log
    assert re.search(r"batch-\w+: \d+ records of \d+ jobs", log), log
    assert server.states() == ["Complete"] * 32
    assert not list(server.data.glob("instances/*/*"))
