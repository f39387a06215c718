"""Jobs that end together share a statement; one that ends alone waits for nobody."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from model_server.jobs import deferred as deferred_jobs
from model_server.jobs.commits import Commits
from model_server.jobs.deferred import DeferredJobs
from model_server.jobs.job import Claim, Job, JobRequest, JobResult
from model_server.jobs.queue import Queue

DONE = JobResult(None, "result", b"1")


class Posts(Commits):
    """Keeps what is posted until it is done."""

    def __init__(self) -> None:
        self.posted: list[tuple[Callable[[Any], Any], Future[Any]]] = []

    def post(self, change: Callable[[Any], Any], *_: object, **__: object) -> Future[Any]:
        self.posted.append((change, Future()))
        return self.posted[-1][1]

    def do(self) -> None:
        for change, future in self.posted:
            future.set_result(change(None))
        self.posted = []


class Recorded:
    """Deferred jobs, and the groups in which they are recorded."""

    def __init__(self) -> None:
        self.commits = Posts()
        self.groups: list[list[str]] = []
        self.jobs = DeferredJobs(self.commits, self._insert)

    def _insert(self, rows: Any, _connection: Any) -> None:
        self.groups.append([job.id for job, _ in rows])

    def add(self, *job_ids: str) -> None:
        for job_id in job_ids:
            self.jobs.add(job_of(job_id))

    def end(self, *job_ids: str) -> None:
        for job_id in job_ids:
            self.jobs.record(job_id, DONE)


def job_of(job_id: str) -> Job:
    queue = Queue.__new__(Queue)
    queue._clock, queue._build_id = lambda: 1000.0, None
    return queue.new(job_id, JobRequest("text/csv"), b"1", Claim("me", 60))


def test_a_job_that_ends_while_others_run_is_held_until_as_many_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_jobs, "_GATHER_SECONDS", 3600.0)

    async def work() -> None:
        recorded = Recorded()
        recorded.add("1", "2", "3", "4")
        recorded.end("1")
        assert recorded.commits.posted == []
        recorded.end("2")
        assert len(recorded.commits.posted) == 1
        recorded.end("3")  # before the disk has begun with them
        recorded.commits.do()
        recorded.end("4")
        recorded.commits.do()
        assert recorded.groups == [["1", "2", "3"], ["4"]]

    asyncio.run(work())


def test_a_job_is_held_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_jobs, "_DEFERRED_SECONDS", 3600.0)

    async def work() -> None:
        recorded = Recorded()
        recorded.add("1", "2", "3", "4")
        recorded.end("1")
        async with asyncio.timeout(60):
            while not recorded.commits.posted:
                await asyncio.sleep(0.001)
        recorded.commits.do()
        assert recorded.groups == [["1"]]

    asyncio.run(work())


@pytest.mark.parametrize("asked", ["1", "2"])
def test_who_needs_the_row_of_a_job_has_all_that_is_held_posted_before(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr(deferred_jobs, "_GATHER_SECONDS", 3600.0)

    async def work() -> None:
        recorded = Recorded()
        recorded.add("1", "2", "3", "4")
        recorded.end("1")
        recorded.jobs.record(asked)
        recorded.commits.do()
        assert recorded.groups == [sorted({"1", asked})]

    asyncio.run(work())


def test_what_is_held_when_the_loop_ends_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_jobs, "_GATHER_SECONDS", 3600.0)
    recorded = Recorded()

    async def work() -> None:
        recorded.add("1", "2", "3")
        recorded.end("1")

    asyncio.run(work())
    recorded.jobs.record_all()
    recorded.commits.do()
    assert sorted(job_id for group in recorded.groups for job_id in group) == ["1", "2", "3"]


def test_a_statement_has_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_jobs, "_BATCH_ROWS", 2)

    async def work() -> None:
        recorded = Recorded()
        names = [str(number) for number in range(5)]
        recorded.add(*names)
        recorded.end(*names)
        recorded.commits.do()
        assert recorded.groups == [["0", "1"], ["2", "3"], ["4"]]

    asyncio.run(work())
