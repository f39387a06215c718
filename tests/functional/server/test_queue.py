"""The queue on SQLite: everything that every database must do, its journal, its upgrade, and all in any order."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import requests
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool, StaticPool

from model_server.errors import VolumeError
from model_server.jobs import database, schema
from model_server.jobs.job import Job, JobResult, State
from model_server.jobs.queue import Queue
from model_server.jobs.statements import Prepared

pytest.register_assert_rewrite("rig.queue_suite")
from rig.queue_suite import *  # noqa: E402, F403
from rig.queue_suite import CSV, LEASE, MAX_ATTEMPTS, Clock, deferred, lapse, read, taken  # noqa: E402
from tests.rig.waiting import eventually  # noqa: E402

from .conftest import StartServer  # noqa: E402

#: Databases as older servers left them: jobs in every state, one of them held by a server that is gone.
OLDER = pytest.mark.parametrize("layout", [1, 2])


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Queue:
    return Queue(database.open_sqlite(tmp_path / "jobs.sqlite3", on_network=False), "m", MAX_ATTEMPTS, clock)


def left(path: Path, layout: int) -> Path:
    """Make the database of an older server."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((Path(__file__).parent / f"layout-{layout}.sql").read_text(encoding="utf-8"))
    return path


@pytest.mark.usefixtures("slow_hand")
def test_a_deferred_job_is_recorded_after_the_database_was_away(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Prepared, "insert", lambda *_: (_ for _ in ()).throw(OSError("away")))
            lost = [queue.end(deferred(queue, name), JobResult(None, name, None)) for name in ("lost", "lost too")]
            for each in lost:
                with pytest.raises(OSError, match="away"):
                    await asyncio.wait_for(asyncio.wrap_future(each), 30)
        kept = [queue.end(deferred(queue, name), JobResult(None, f"{name}-1", None)) for name in ("kept", "kept too")]
        for each in kept:  # by one statement
            assert await asyncio.wait_for(asyncio.wrap_future(each), 30)

    asyncio.run(work())
    assert {job.id: job.result for job in queue.list(10)} == {"kept": "kept-1", "kept too": "kept too-1"}


def test_a_connection_that_broke_while_nobody_used_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_TRUSTED_SECONDS", 0.0)
    engine = create_engine(f"sqlite:///{tmp_path / 'database'}", poolclass=QueuePool)
    database._mind_lost_connections(engine)
    with engine.connect() as connection:
        kept = connection.connection.dbapi_connection
    assert kept is not None
    kept.close()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    engine.dispose()


@OLDER
def test_a_database_of_an_older_server_is_brought_up_to_date_with_all_its_jobs(tmp_path: Path, layout: int) -> None:
    path = left(tmp_path / "jobs.sqlite3", layout)
    for _ in range(2):  # the second start finds nothing to do
        queue = Queue(database.open_sqlite(path, on_network=False), "m", MAX_ATTEMPTS, lambda: 1e10)
        states = {job.id[0]: (job.state, job.attempts, job.result, job.error) for job in queue.list(10)}
        assert states == {
            "a": (State.COMPLETE, 1, "aaaaaaaa-0000-4000-8000-000000000001-1", None),
            "b": (State.ERROR, 1, None, "no good"),
            "c": (State.IN_PROGRESS, 1, None, None),
            "d": (State.CREATED, 0, None, None),
        }
    assert queue.put("e", CSV).id == "e"
    assert lapse(queue) == 1
    assert [taken(queue).id[0] for _ in range(3)] == ["c", "d", "e"]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT model, layout FROM owner").fetchall() == [("m", schema.LAYOUT)]
        indexes = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='index'")}
    assert {index.name for index in schema.jobs.indexes} <= indexes


@OLDER
def test_the_older_server_still_works_on_a_database_that_was_upgraded(tmp_path: Path, layout: int) -> None:
    path = left(tmp_path / "jobs.sqlite3", layout)
    Queue(database.open_sqlite(path, on_network=False), "m", MAX_ATTEMPTS)
    with sqlite3.connect(path) as connection:  # as the oldest puts a job
        connection.execute(
            "INSERT INTO jobs (id, state, attempts, token, mime_type, created) VALUES ('x', 'Created', 0, 0, 'a/b', 9)"
        )
    queue = Queue(database.open_sqlite(path, on_network=False), "m", MAX_ATTEMPTS)
    assert read(queue, "x").state is State.CREATED


@OLDER
def test_a_server_on_the_volume_of_an_older_one_keeps_its_results_and_does_what_it_left(
    start_server: StartServer, tmp_path: Path, layout: int
) -> None:
    data = tmp_path / "old"
    for folder in ("inputs", "results"):
        (data / folder).mkdir(parents=True)
    left(data / "jobs.sqlite3", layout)
    jobs = [f"{letter * 8}-0000-4000-8000-00000000000{number}" for number, letter in enumerate("abcd", 1)]
    done, failed, running, waiting = jobs
    (data / "results" / f"{done}-1").write_bytes(b"OLD\n")
    for job_id in jobs:
        (data / "inputs" / job_id).write_bytes(job_id[:1].encode() + b"\n")
    server = start_server(data=data, name="m")
    result = f"{server.url}/data/result"
    assert requests.get(f"{result}/{done}", timeout=60).content == b"OLD\n"
    assert server.wait(failed)["errorMessage"] == "no good"
    for job_id in (running, waiting):
        server.wait(job_id)
        assert requests.get(f"{result}/{job_id}", timeout=60).content == job_id[:1].upper().encode() + b"\n"
    new = server.send(b"e\n")
    server.wait(new)
    listed = requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]
    assert [job["id"] for job in listed["jobs"]] == [new, waiting, running, failed, done]


def test_the_queue_of_another_model_is_refused_by_name_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    Queue(database.open_sqlite(path, on_network=False), "iris", MAX_ATTEMPTS).put("1", CSV)
    with pytest.raises(VolumeError, match="belongs to the model 'iris', this image is 'wine'"):
        Queue(database.open_sqlite(path, on_network=False), "wine", MAX_ATTEMPTS)
    assert Queue(database.open_sqlite(path, on_network=False), "iris", MAX_ATTEMPTS).count() == 1


def test_the_journal_follows_the_file_system(tmp_path: Path) -> None:
    local = database.open_sqlite(tmp_path / "local.sqlite3", on_network=False)
    network = database.open_sqlite(tmp_path / "network.sqlite3", on_network=True)
    assert (database.journal_mode(local), database.journal_mode(network)) == ("WAL", "DELETE")
    assert sorted(path.name for path in tmp_path.iterdir() if "probe" in path.name) == []


class QueueMachine(RuleBasedStateMachine):
    """A queue with workers who do anything in any order: a job is recorded once, by the holder of its newest token."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.claims: list[Job] = []
        self.newest: dict[str, int] = {}
        self.recorded: dict[str, str] = {}

    @initialize()
    def open(self) -> None:
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        self.queue = Queue(engine, "m", MAX_ATTEMPTS, self.clock)

    @rule()
    def put(self) -> None:
        self.queue.put(str(len(self.newest)), CSV)
        self.newest[str(len(self.newest))] = 0

    @rule(owner=st.sampled_from("ab"))
    def claim(self, owner: str) -> None:
        job = self.queue.claim(owner, LEASE)
        if job is not None:
            assert job.id not in self.recorded
            assert job.token == self.newest[job.id] + 1
            assert 1 <= job.attempts <= MAX_ATTEMPTS
            self.newest[job.id] = job.token
            self.claims.append(job)

    @rule(seconds=st.sampled_from([1.0, -3600.0, LEASE]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        leases = self.queue.leases()
        if leases:
            lease = data.draw(st.sampled_from(leases))
            assert lease.token == self.newest[lease.id]
            assert self.queue.expire(lease)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), verb=st.sampled_from(["complete", "fail", "release", "abandon", "heartbeat"]))
    def act(self, data: st.DataObject, verb: str) -> None:
        job = data.draw(st.sampled_from(self.claims))
        result = f"{job.id}-{job.token}"
        if verb in ("complete", "fail"):
            accepted = getattr(self.queue, verb)(job, result)
            if accepted:
                assert job.id not in self.recorded
                self.recorded[job.id] = result
        elif verb == "heartbeat":
            accepted = self.queue.heartbeat(job, LEASE)
        else:
            accepted = getattr(self.queue, verb)(job)
        if accepted:
            assert job.token == self.newest[job.id]

    @rule(owner=st.sampled_from("ab"))
    def die(self, owner: str) -> None:
        self.queue.abandon_all(owner)

    @invariant()
    def records_never_change(self) -> None:
        for job_id, result in self.recorded.items():
            job = read(self.queue, job_id)
            assert job.state in (State.COMPLETE, State.ERROR)
            assert result in (job.result, job.error)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_any_number_of_threads_may_ask_and_the_queue_goes_on(tmp_path: Path) -> None:
    """Ask by twelve threads at once: few connections are kept for questions, and none that others wait for."""
    engine = database.open_sqlite(tmp_path / "jobs.sqlite3", on_network=False)
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    queue = Queue(engine, "m", MAX_ATTEMPTS)
    queue.put("a", CSV)
    threads = 12  # at once; the pool has 15 connections
    together = threading.Barrier(threads)
    answers: list[Job | None] = []

    def ask() -> None:
        for _ in range(10):
            together.wait(30)
            answers.append(queue.get("a"))

    askers = [threading.Thread(target=ask) for _ in range(threads)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert [answer is not None for answer in answers] == [True] * 10 * threads
    assert len(queue._kept) <= 2
    eventually(lambda: pool.checkedout() <= 3)  # that of the commits, too
    assert queue.put("b", CSV).id == "b"


def test_a_connection_that_failed_answers_nobody_else(queue: Queue) -> None:
    queue.put("a", CSV)
    assert queue.get("a")
    raw = queue._kept[0].connection.driver_connection
    assert raw
    raw.close()
    with pytest.raises(Exception, match="closed"):
        queue.get("a")
    assert queue.get("a")
