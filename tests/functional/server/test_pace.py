"""Short jobs keep to few workers; a job that waits for one is not left behind."""

import asyncio
from pathlib import Path

import pytest

from model_server.jobs import database
from model_server.jobs import deferred as deferred_jobs
from model_server.jobs import store as store_module
from model_server.jobs.job import Claim, Job, JobRequest
from model_server.jobs.pace import Pace
from model_server.jobs.queue import Queue
from model_server.jobs.store import Store, new_id
from model_server.volume import claim

SHORT, LONG = 0.001, 0.1


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(deferred_jobs, "_DEFERRED_SECONDS", 3600.0)
    volume = claim(tmp_path / "data", "m", None)
    return Store(volume, Queue(database.open_sqlite(volume.database, on_network=False), "m", 3), processors=2)


def test_workers_are_enough_where_programs_are_short_and_outnumber_the_processors() -> None:
    pace = Pace(2)
    assert not pace.is_enough(8)  # nothing is known yet
    pace.ended(SHORT)
    assert [pace.is_enough(running) for running in (2, 3)] == [False, True]
    pace.ended(LONG)
    assert not pace.is_enough(3)
    pace.ended(SHORT)  # other work on the machine held that one up
    assert pace.is_enough(3)
    unbounded = Pace(None)
    unbounded.ended(SHORT)
    assert not unbounded.is_enough(1000)


async def begin(store: Store, *, durable: bool = False) -> str:
    job_id = new_id()
    store.submit_small(b"1", JobRequest("text/csv"), job_id, durable=durable)
    await asyncio.sleep(0)
    return job_id


async def idle(store: Store) -> Job | None:
    return await store.idle_workers.wait(Claim("me", 60), store.idle_workers.count, 60)


def test_a_short_job_waits_for_one_that_runs_and_a_durable_one_does_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_STALL_SECONDS", 3600.0)

    async def work() -> None:
        store.pace.ended(SHORT)
        workers = [asyncio.ensure_future(idle(store)) for _ in range(5)]
        await asyncio.sleep(0)
        running = [await begin(store) for _ in range(3)]
        waits = await begin(store)
        await asyncio.sleep(0)
        assert sorted(job.id for worker in workers if worker.done() and (job := worker.result())) == sorted(running)
        assert store.queue.deferred.waiting == 1
        durable = await begin(store, durable=True)
        await asyncio.sleep(0)
        assert durable in [job.id for worker in workers if worker.done() and (job := worker.result())]
        free = store.queue.claim_deferred(Claim("me", 60))
        assert free is not None
        assert free.id == waits
        for worker in workers:
            worker.cancel()

    asyncio.run(work())
    store.queue.close()


def test_if_no_job_ends_for_a_while_idle_workers_have_those_that_wait(store: Store) -> None:
    async def work() -> None:
        store.pace.ended(SHORT)
        workers = [asyncio.ensure_future(idle(store)) for _ in range(4)]
        await asyncio.sleep(0)
        begun = [await begin(store) for _ in range(4)]
        async with asyncio.timeout(60):
            given = await asyncio.gather(*workers)
        assert sorted(job.id for job in given if job is not None) == sorted(begun)

    asyncio.run(work())
    store.queue.close()
