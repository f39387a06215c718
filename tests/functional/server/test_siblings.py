"""The processes of a server, as far as one process can show it: what they tell one another, and what they add up."""

import asyncio
import re
import time
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine

from model_server import listening, serve, settings, siblings, volume
from model_server.api.disk import Space
from model_server.api.envelope import ApiError
from model_server.errors import StartError
from model_server.jobs import database
from model_server.jobs.job import Claim, Counts, Job, JobRequest, JobResult, State
from model_server.jobs.queue import Queue
from model_server.jobs.said import Said
from model_server.jobs.store import Store
from model_server.log import _whole
from model_server.metrics import Metrics
from model_server.siblings import BEAT, STUCK_SECONDS, News, Siblings
from model_server.volume import Volume
from tests.functional.server.conftest import StartServer

#: Nobody looks again within it: whoever goes on was told.
FOREVER = 3600.0


@pytest.fixture
def data(tmp_path: Path) -> Volume:
    return volume.claim(tmp_path / "data", "m", None)


def engine_of(data: Volume) -> Engine:
    return database.open_sqlite(data.database, on_network=False)


def stores(data: Volume, count: int = 2) -> list[Store]:
    """Make the stores of one queue, as each process has it, in the running loop."""
    found = []
    for family in siblings.make(count):
        found.append(Store(data, Queue(engine_of(data), "m", 3), siblings=family))
        family.listen(asyncio.get_running_loop())
    return found


async def added(store: Store, **wish: str) -> Job:
    """Add a durable job that nobody has claimed."""
    request = JobRequest("text/csv", **wish)  # type: ignore[arg-type]
    return await asyncio.wrap_future(store.submit_small(b"1", request, f"job-{time.monotonic_ns()}"))


def test_a_job_that_one_process_takes_in_wakes_an_idle_worker_of_another(data: Volume) -> None:
    async def check() -> None:
        here, there = stores(data)
        seen = there.idle_workers.count
        waits = asyncio.ensure_future(there.idle_workers.wait(Claim("there", 60), seen, FOREVER))
        second = asyncio.ensure_future(there.idle_workers.wait(Claim("there", 60), seen, FOREVER))
        await asyncio.sleep(0)
        job = await added(here)
        done, pending = await asyncio.wait((waits, second), timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == len(pending) == 1, "one job is for one worker"
        assert done.pop().result() is None, "it looks for itself"
        claimed = await asyncio.wrap_future(there.queue.claim_next("there", 60))
        assert claimed is not None
        assert claimed.id == job.id
        pending.pop().cancel()

    asyncio.run(check())


def test_a_worker_that_is_about_to_wait_is_told_too(data: Volume) -> None:
    async def check() -> None:
        here, there = stores(data)
        seen = there.idle_workers.count
        await added(here)
        while there.idle_workers.count == seen:
            await asyncio.sleep(0.001)
        assert await there.idle_workers.wait(Claim("there", 60), seen, FOREVER) is None

    asyncio.run(check())


def test_who_waits_in_another_process_hears_of_an_end_and_of_a_deletion(data: Volume) -> None:
    async def check() -> None:
        here, there = stores(data)
        for change in ("end", "delete"):
            job = await added(here)
            with here.watchers.watch(job.id) as watch:
                waits = asyncio.ensure_future(watch.wait(FOREVER))
                await asyncio.sleep(0)
                if change == "end":
                    there.notify_end(job, JobResult(None, "result", b"1"), is_private=False)
                else:
                    await asyncio.to_thread(there.delete, job.id)
                await asyncio.wait_for(waits, 60)
                assert watch.ended is None, "it has to look"

    asyncio.run(check())


def test_an_end_that_nobody_else_can_wait_for_is_told_to_nobody(data: Volume) -> None:
    async def check() -> None:
        here, there = stores(data)
        heard: list[str] = []
        family = here._siblings
        family.on(News.ENDED, heard.append)
        private, public = await added(here), await added(here)
        there.notify_end(private, JobResult(None, "result", b"1"), is_private=True)
        there.notify_end(public, JobResult(None, "result", b"1"), is_private=False)
        while not heard:
            await asyncio.sleep(0.001)
        assert heard == [public.id]

    asyncio.run(check())


def test_a_callback_is_for_the_process_that_sends_them(data: Volume) -> None:
    async def check() -> None:
        here, there = stores(data)
        seen = here.called.count
        job = await added(there, callback_url="http://example.com/")
        there.notify_end(job, JobResult(None, "result", b"1"), is_private=True)
        await asyncio.to_thread(here.called.wait, seen, FOREVER)

    asyncio.run(check())


def test_a_process_that_reads_nothing_holds_up_nobody() -> None:
    here, _ = siblings.make(2)
    for _ in range(10_000):
        here.tell(News.ENDED, "0" * 36)


def test_what_a_program_prints_is_known_in_every_process() -> None:
    async def check() -> None:
        here, there, third = siblings.make(3)
        lines = {"a job": ("half", "\u00e4\n")}
        asks = Said(lambda _: (), here)
        for family, own in ((there, lines), (third, {})):
            Said(lambda job_id, own=own: own.get(job_id, ()), family)  # type: ignore[misc]
        for family in (here, there, third):
            family.listen(asyncio.get_running_loop())
        assert await asyncio.gather(asks.lines("a job"), asks.lines("a job")) == [lines["a job"]] * 2
        assert asks._asked == {}

    asyncio.run(check())


def test_nobody_is_asked_where_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_server.jobs.said._SECONDS", FOREVER)
    assert asyncio.run(Said(lambda _: (), siblings.alone()).lines("a job")) == ()


def test_metrics_are_the_sums_of_all_processes() -> None:
    first, second = (Metrics("m", "1", "b", family) for family in siblings.make(2))
    first.started()
    second.started()
    second.started()
    first.ended(True, 0.005)
    second.ended(True, 0.006)
    second.ended(False, 9999.0)
    nothing = Counts(dict.fromkeys(State, 0), None, 0)
    texts = [metrics.exposition(nothing, 0.0, 1).decode() for metrics in (first, second)]
    assert texts[0] == texts[1]
    for line in (
        "model_job_attempts_total 3.0",
        'model_job_duration_seconds_bucket{le="0.005",outcome="complete"} 1.0',
        'model_job_duration_seconds_bucket{le="0.01",outcome="complete"} 2.0',
        'model_job_duration_seconds_bucket{le="3600.0",outcome="error"} 0.0',
        'model_job_duration_seconds_bucket{le="+Inf",outcome="error"} 1.0',
        'model_job_duration_seconds_count{outcome="complete"} 2.0',
        'model_job_duration_seconds_sum{outcome="complete"} 0.011',
        'model_job_duration_seconds_sum{outcome="error"} 9999.0',
    ):
        assert line in texts[0].splitlines(), texts[0]


def test_room_that_one_process_has_promised_is_not_promised_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_server.api.disk.free", lambda _: 100)
    here, there = (Space(tmp_path, 0, family) for family in siblings.make(2))
    here.reserve(60)
    with pytest.raises(ApiError):
        there.reserve(60)
    here.reserve(-60)
    there.reserve(60)


def beats(family: Siblings, ago: float) -> None:
    family.add(BEAT, time.monotonic() - ago)


def test_a_process_that_does_not_turn_is_seen_by_the_others() -> None:
    first, second, third = siblings.make(3)
    assert not first.is_one_stuck(), "the others have not begun"
    beats(first, 2 * STUCK_SECONDS)
    beats(second, 0.1)
    assert not first.is_one_stuck(), "it answers, after all"
    assert second.is_one_stuck()
    assert third.is_one_stuck()
    first.leave()
    assert not second.is_one_stuck(), "it has ended"


def test_health_of_any_process_is_that_of_all(start_server: StartServer) -> None:
    here, other = siblings.make(2)
    server = start_server(extra={"siblings": here})
    assert requests.get(f"{server.url}/health", timeout=10).status_code == 200
    beats(other, 2 * STUCK_SECONDS)
    answer = requests.get(f"{server.url}/health", timeout=10)
    assert (answer.status_code, answer.text) == (503, "Another process of this server does not answer")


def test_each_process_has_a_socket_and_strangers_none() -> None:
    sockets = listening.bind("127.0.0.1", 0, 3)
    port = sockets[0].getsockname()[1]
    assert {one.getsockname()[1] for one in sockets} == {port}
    for processes in (1, 2):
        with pytest.raises(StartError, match="free the port"):
            listening.bind("127.0.0.1", port, processes)
    for one in sockets:
        one.close()


@pytest.mark.parametrize(
    ("given", "workers"), [({}, 1), ({"MODEL_SERVER_PROCESSES": "3"}, 3), ({"MODEL_WORKERS": "4"}, 4)]
)
def test_each_process_has_a_worker(given: dict[str, str], workers: int) -> None:
    assert settings.from_environment(given).workers == workers


def test_more_processes_than_workers_are_refused() -> None:
    with pytest.raises(StartError, match=r"MODEL_WORKERS must be MODEL_SERVER_PROCESSES at least"):
        settings.from_environment({"MODEL_SERVER_PROCESSES": "3", "MODEL_WORKERS": "2"})


def test_a_queue_in_sqlite_on_a_network_file_system_bears_one_process(data: Volume) -> None:
    serve._check_alone(settings.from_environment({}), data)
    with pytest.raises(StartError, match=re.escape("MODEL_QUEUE_URL, or set MODEL_SERVER_PROCESSES to 1")):
        serve._check_alone(settings.from_environment({"MODEL_SERVER_PROCESSES": "2"}), data)


def test_lines_of_the_log_are_written_whole() -> None:
    lines = ["a" * 3000, "b" * 3000, "\u00e4" * 3000, "c", "d"]
    assert list(_whole(lines)) == [f"{lines[0]}\n", f"{lines[1]}\n", f"{lines[2]}\n", "c\nd\n"]
