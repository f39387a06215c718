"""A worker, and what it owes to the queue, whatever its runner does."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import ParamSpec, TypeVar

import pytest

from model_server.jobs import database, deferred, worker
from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.job import Job, JobRequest, JobResult, State
from model_server.jobs.notifications import IdleWorkers
from model_server.jobs.queue import Queue
from model_server.jobs.store import Store, copy
from model_server.jobs.worker import Worker
from model_server.metrics import Metrics
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.volume import Volume, claim

P = ParamSpec("P")
R = TypeVar("R")


class StandIn:
    """In the runner's place: does what the test says."""

    mode = "stand-in"

    def __init__(self, does: Callable[[Path], Outcome], folder: Path) -> None:
        self._does = does
        self.folder = str(folder)

    def prepare(self) -> None: ...

    async def ready(self) -> None: ...

    async def work(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> Outcome:
        assert content == b"1"
        return self._does(Path(output_path))

    def stop(self) -> None: ...

    def close(self) -> None: ...


def writes(output: Path) -> Outcome:
    output.write_bytes(b"2")
    return Outcome(None, 1.0)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return claim(tmp_path / "data", "m", None)


@pytest.fixture
def store(volume: Volume) -> Store:
    """Make a store whose workers look into the queue only when they are notified."""
    store = Store(volume, Queue(database.open_sqlite(volume.database, on_network=False), "m", 3))
    store.idle_workers = IdleWorkers(3600)
    return store


def worker_of(store: Store, work: Path, does: Callable[[Path], Outcome]) -> Worker:
    return Worker(
        store,
        StandIn(does, work),
        Heartbeat(store, 60, "me"),
        Metrics("m", "1", "b"),
        owner="me",
        timeout_seconds=10,
        lease_seconds=60,
        prepare=lambda *_: None,
    )


async def end_of(store: Store, job_id: str) -> Job:
    with store.watchers.watch(job_id) as watch:
        for _ in range(200):
            job = store.queue.get(job_id)
            assert job
            if job.is_over:
                return job
            await watch.wait(0.05)
    raise AssertionError(f"the job is {job.state}")


async def one_job(store: Store, work: Path, does: Callable[[Path], Outcome], job_id: str = "it") -> Job:
    """Run one job by a worker that knows that the queue is empty, and stops afterwards; return how the job ended."""
    one = worker_of(store, work, does)
    working = asyncio.create_task(one.run())
    while not store.idle_workers._idle:
        await asyncio.sleep(0.01)
    await asyncio.wrap_future(store.submit_small(b"1", JobRequest("text/plain"), job_id))
    job = await end_of(store, job_id)
    one.stop_claiming()
    await working
    return job


@pytest.mark.parametrize("fault", [RunnerDiedError("it died"), OSError(28, "no room")])
def test_a_job_that_is_given_back_is_taken_again_at_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(worker, "_AFTER_FAULT_SECONDS", 0.0)
    faults = [fault]

    def does(output: Path) -> Outcome:
        if faults:
            raise faults.pop()
        return writes(output)

    assert asyncio.run(one_job(store, tmp_path, does)).state is State.COMPLETE
    assert list(tmp_path.glob("*-1*")) == []


def test_on_a_full_disk_a_worker_pauses_and_no_attempt_is_counted(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    faults = [OSError(28, "no room")] * 5
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        if seconds == worker._AFTER_FAULT_SECONDS:
            pauses.append(seconds)
        await sleep(0.001)

    def does(output: Path) -> Outcome:
        if faults:
            raise faults.pop()
        return writes(output)

    monkeypatch.setattr(worker, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": noted}))
    job = asyncio.run(one_job(store, tmp_path, does))
    assert (job.state, job.attempts) == (State.COMPLETE, 1)
    assert pauses == [worker._AFTER_FAULT_SECONDS] * 5
    assert caplog.text.count("a worker met a fault and goes on") >= 1


def test_a_worker_that_stops_waits_until_its_last_end_is_recorded(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: Future[bool] = Future()
    asked = threading.Event()

    def end(_job: Job, _ended: JobResult) -> Future[bool]:
        asked.set()
        return recorded

    monkeypatch.setattr(store.queue, "end", end)
    told: list[str] = []
    monkeypatch.setattr(store, "notify_end", lambda job, _ended, _is_private: told.append(job.id))

    async def check() -> None:
        one = worker_of(store, tmp_path, writes)
        working = asyncio.create_task(one.run())
        await asyncio.wrap_future(store.submit_small(b"1", JobRequest("text/plain"), "it"))
        await asyncio.to_thread(asked.wait, 10)
        one.stop_claiming()
        await asyncio.sleep(0.1)
        assert not working.done()
        recorded.set_result(True)
        await working

    asyncio.run(check())
    assert told == ["it"]


def test_a_result_that_is_a_file_has_a_thread_and_one_in_memory_needs_none(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Publish a file, which may take a network's time, and a result in memory."""
    threads: list[threading.Thread] = []

    def noted(function: Callable[P, R]) -> Callable[P, R]:
        def call(*arguments: P.args, **named: P.kwargs) -> R:
            threads.append(threading.current_thread())
            return function(*arguments, **named)

        return call

    monkeypatch.setattr(store, "publish", noted(store.publish))
    monkeypatch.setattr(worker, "remove", noted(worker.remove))
    jobs = [asyncio.run(one_job(store, tmp_path, lambda _: Outcome(None, 1.0, b"2")))]
    assert threads == []
    jobs.append(asyncio.run(one_job(store, tmp_path, writes, "another")))
    assert [(job.state, job.result) for job in jobs] == [
        (State.COMPLETE, "it-1"),
        (State.COMPLETE, "another-1"),  # as the deletion of a job looks for what its attempts have left
    ]
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_a_folder_in_the_place_of_a_result_is_removed_beside_the_loop(store: Store, tmp_path: Path) -> None:
    removed: list[threading.Thread] = []

    def does(output: Path) -> Outcome:
        (output / "deep").mkdir(parents=True)
        return Outcome("it failed", 1.0)

    remove = worker.remove

    def noted(*paths: Path) -> None:
        removed.append(threading.current_thread())
        remove(*paths)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "remove", noted)
        assert asyncio.run(one_job(store, tmp_path, does)).error == "it failed"
    assert removed
    assert threading.main_thread() not in removed
    assert not (tmp_path / "it-1").exists()


def test_with_fewer_workers_than_jobs_the_next_comes_from_memory_and_all_are_recorded_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferred, "_DEFERRED_SECONDS", 3600.0)
    ids = [str(number) for number in range(9)]

    async def work() -> None:
        one = worker_of(store, tmp_path, writes)
        working = asyncio.create_task(one.run())
        while not store.idle_workers._idle:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(store.queue, "claim_next", None)
        recorded = [store.submit_small(b"1", JobRequest("text/plain"), name, durable=False) for name in ids]
        done = [await asyncio.wrap_future(future) for future in recorded]
        assert [(job.id, job.token, job.lease_owner) for job in done] == [(name, 1, "me") for name in ids]
        one.stop_claiming()
        await working

    asyncio.run(work())
    jobs = store.queue.list(10)
    assert [(job.id, job.state, job.attempts) for job in reversed(jobs)] == [(name, State.COMPLETE, 1) for name in ids]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EINVAL])
@pytest.mark.parametrize("copied", [0, 3])
def test_where_blocks_cannot_be_shared_the_rest_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: int, number: int
) -> None:
    (tmp_path / "given").write_bytes(b"abcdefg")
    calls: list[int] = []

    def share(source: int, target: int, count: int) -> int:
        calls.append(count)
        if len(calls) > 1 or not copied:
            raise OSError(number, "no")
        return os.write(target, os.read(source, copied))

    monkeypatch.setattr("os.copy_file_range", share)
    copy(tmp_path / "given", tmp_path / "made")
    assert (tmp_path / "made").read_bytes() == b"abcdefg"
    assert calls == ([7, 4] if copied else [7])


def test_who_waits_for_a_job_is_told_at_once_how_it_ended(store: Store) -> None:
    async def told() -> list[JobResult | None]:
        await asyncio.wrap_future(store.submit_small(b"1", JobRequest("text/plain"), "it"))
        job = store.queue.get("it")
        assert job
        found: list[JobResult | None] = []
        for is_private in (True, False):
            with store.watchers.watch("it") as watch, store.watchers.watch("another") as other:
                store.notify_end(job, JobResult("it failed", None, None), is_private)
                await asyncio.wait_for(watch.wait(3600), 20)
                found += [watch.ended, other.ended]
        return found

    assert asyncio.run(told()) == [JobResult("it failed", None, None), None] * 2
