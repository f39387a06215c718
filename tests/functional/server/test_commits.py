"""Changes that share a transaction, and work that begins before it is recorded."""

import asyncio
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from model_server.jobs import database
from model_server.jobs.commits import Commits, Need
from model_server.jobs.job import Claim, Job, JobRequest
from model_server.jobs.notifications import IdleWorkers
from model_server.jobs.queue import Queue
from model_server.jobs.store import Store, new_id
from model_server.volume import claim


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return database.open_sqlite(tmp_path / "test.sqlite3", on_network=False)


def level(connection: Connection) -> int:
    """Return SQLite's level: 1 NORMAL, 2 FULL, which waits for the disk."""
    return int(connection.execute(text("PRAGMA synchronous")).scalar_one())


def test_what_waits_shares_a_transaction_in_its_order_and_one_that_needs_the_disk_has_all_wait(engine: Engine) -> None:
    commits = Commits(engine)
    ends: list[int] = []
    event.listen(engine, "commit", lambda _: ends.append(1))
    assert [commits.run(level, need) for need in (Need.COMMIT, Need.DISK)] == [1, 2]
    ends.clear()
    seen: list[str] = []
    free = threading.Event()
    first = commits.post(lambda _: free.wait(30))
    waiting = [
        commits.post(lambda connection, name=need.value: (seen.append(name), level(connection))[1], need)
        for need in (Need.COMMIT, Need.DISK, Need.COMMIT)
    ]
    free.set()
    assert first.result(30)
    assert [change.result(30) for change in waiting] == [2, 2, 2]
    assert seen == ["commit", "disk", "commit"]
    assert len(ends) <= 2


def test_the_changes_of_one_turn_of_a_loop_share_a_transaction_and_are_told_in_the_loop(engine: Engine) -> None:
    commits = Commits(engine)
    ends: list[int] = []
    event.listen(engine, "commit", lambda _: ends.append(1))
    told: list[int] = []

    async def post() -> list[int]:
        posted = [commits.post(level, Need.COMMIT) for _ in range(20)]
        for change in posted:
            change.add_done_callback(lambda _: told.append(threading.get_ident()))
        return await asyncio.gather(*map(asyncio.wrap_future, posted))

    assert asyncio.run(post()) == [1] * 20
    assert (ends, set(told)) == ([1], {threading.get_ident()})


def test_a_lone_statement_is_a_transaction_by_itself_that_waits_for_the_disk(engine: Engine) -> None:
    commits = Commits(engine)
    ends: list[int] = []
    event.listen(engine, "commit", lambda _: ends.append(1))
    commits.run(lambda connection: connection.execute(text("CREATE TABLE t (x)")), Need.COMMIT)
    ends.clear()

    def add(connection: Connection) -> int:
        cursor = connection.connection.cursor()
        (found,) = cursor.execute("PRAGMA synchronous").fetchone()  # type: ignore[misc]
        cursor.execute("INSERT INTO t VALUES (1)")
        return int(found)

    assert (commits.post(add, is_one_statement=True).result(30), ends) == (2, [])
    with engine.execution_options(read_only=True).connect() as other:
        assert other.execute(text("SELECT x FROM t")).all() == [(1,)]


def test_what_a_loop_posted_in_its_last_turn_is_recorded(engine: Engine) -> None:
    commits = Commits(engine)
    recorded: list[int] = []

    async def post(turn: int) -> None:
        commits.post(lambda _: recorded.append(turn), Need.COMMIT)

    for turn in range(3):  # each loop wakes the thread anew
        asyncio.run(post(turn))
        commits.run(level)
    assert recorded == [0, 1, 2]


def test_a_database_that_cannot_be_opened_fails_all_who_wait_and_the_thread_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = Commits(engine)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "connect", lambda: (_ for _ in ()).throw(OSError("away")))
        assert isinstance(commits.post(level).exception(30), OSError)
    assert commits.run(level) == 2


def test_an_end_waits_for_what_was_posted(engine: Engine) -> None:
    commits = Commits(engine)
    free = threading.Event()
    posted = [commits.post(lambda _: free.wait(30)), commits.post(level)]
    commits.close()
    free.set()
    assert posted[1].result(30) == 2


def test_a_worker_that_waits_begins_while_its_job_is_recorded_but_not_under_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = claim(tmp_path / "data", "m", None)
    store = Store(volume, Queue(database.open_sqlite(volume.database, on_network=False), "m", 3))
    held: Future[Job] = Future()
    monkeypatch.setattr(store.queue, "add", lambda *_: held)

    async def check() -> None:
        async def sit() -> asyncio.Task[Job | None]:
            waiting = asyncio.create_task(store.idle_workers.wait(Claim("a", 60), store.idle_workers.count, 10))
            while not store.idle_workers._idle:
                await asyncio.sleep(0.01)
            return waiting

        waiting = await sit()
        store.submit_small(b"1", JobRequest("text/csv"), "first")
        begun = await waiting
        assert begun is not None
        assert (begun.id, begun.attempts, begun.token, begun.lease_owner, begun.content) == ("first", 1, 1, "a", b"1")
        waiting = await sit()
        store.submit_small(b"1", JobRequest("text/csv", idempotency_key="k"), "second")
        await asyncio.sleep(0.1)
        assert not waiting.done()
        held.set_result(begun)  # it is another one, which was sent before
        assert await waiting is None

    asyncio.run(check())


def test_an_idle_worker_leaves_after_its_time_and_does_not_wait_after_a_notification() -> None:
    idle_workers = IdleWorkers(1)
    assert asyncio.run(idle_workers.wait(Claim("a", 60), idle_workers.count, 0.01)) is None
    assert idle_workers.take() is None
    seen = idle_workers.count
    idle_workers.notify()
    assert asyncio.run(idle_workers.wait(Claim("a", 60), seen, 10)) is None


def test_an_empty_queue_is_looked_at_again_after_a_ring_or_a_while_and_not_before() -> None:
    idle_workers = IdleWorkers(60)
    assert idle_workers.pause == 0
    idle_workers.found_nothing(idle_workers.count)
    assert 0 < idle_workers.pause <= 60
    seen = idle_workers.count
    idle_workers.notify()
    assert idle_workers.pause == 0
    idle_workers.found_nothing(seen)  # what it was notified of came after that look
    assert idle_workers.pause == 0
    idle_workers = IdleWorkers(0.01)
    idle_workers.found_nothing(idle_workers.count)
    time.sleep(0.02)
    assert idle_workers.pause == 0


def test_of_a_job_that_could_not_be_recorded_no_end_is(tmp_path: Path) -> None:
    queue = Queue(database.open_sqlite(tmp_path / "jobs.sqlite3", on_network=False), "m", 3)
    queue.put("taken", JobRequest("text/csv"))
    twin = queue.new("taken", JobRequest("text/csv"), b"1", Claim("a", 60))
    refused = queue.add(twin)
    assert not queue.complete(twin, "taken-1")
    assert refused.exception() is not None
    assert queue.not_held([twin]) == [twin]
    job = queue.new(new_id(), JobRequest("text/csv"), b"1", Claim("a", 60))
    queue.add(job)
    assert queue.not_held([job]) == []  # asked behind what was posted before
    assert queue.complete(job, "x")
