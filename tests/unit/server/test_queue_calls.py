"""The queue, call by call, on a database in memory: whole jobs, whole fences, and what must be on the disk."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from model_server.errors import VolumeError
from model_server.jobs import commits as commits_module
from model_server.jobs import queue, schema
from model_server.jobs.commits import Commits, Need
from model_server.jobs.job import Claim, Job, JobRequest, JobResult, JobTimes, Lease, State
from model_server.jobs.queue import Queue
from model_server.jobs.statements import Prepared

ALL = JobRequest("text/csv", "in", "out", "http://x", "key", "print", "ann", "a.csv", 7, 8)
NEEDS: list[Need] = []


class AtOnce:
    """In the place of the thread that commits: each change is made while it is posted, and its need noted."""

    stalled_seconds = 4.5

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.closed = 0

    def post(self, change: Callable[[Connection], Any], need: Need = Need.DISK, **_: Any) -> Future[Any]:
        NEEDS.append(need)
        future: Future[Any] = Future()
        with self._engine.begin() as connection:
            future.set_result(change(connection))
        return future

    def run(self, change: Callable[[Connection], Any], need: Need = Need.DISK) -> Any:
        return self.post(change, need).result()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    yield made
    made.dispose()


@pytest.fixture
def jobs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(queue, "Commits", AtOnce)
    made = Queue(engine, "m", 2, lambda: 1000.0, "blue")
    NEEDS.clear()
    return made


def whole(**changes: Any) -> Job:
    made = Job(
        id="1",
        state=State.CREATED,
        attempts=0,
        token=0,
        mime_type="text/csv",
        name="a.csv",
        size=7,
        rows=8,
        mappings="in",
        output_mappings="out",
        idempotency_key="key",
        fingerprint="print",
        client="ann",
        lease_owner=None,
        lease_expires=None,
        result=None,
        error=None,
        created=1000.0,
        started=None,
        finished=None,
        callback_url="http://x",
        callback_state=None,
        callback_attempts=None,
        callback_due=None,
        callback_error=None,
        build_id=None,
        content=None,
    )
    return replace(made, **changes)


TAKEN = {
    **{"state": State.IN_PROGRESS, "attempts": 1, "token": 1, "lease_owner": "me", "lease_expires": 1015.0},
    **{"started": 1000.0, "build_id": "blue"},
}


def test_a_new_job_is_free_or_its_workers_from_the_beginning(jobs: Queue) -> None:
    assert jobs.new("1", ALL) == whole()
    assert jobs.new("1", ALL, b"data", Claim("me", 15.0)) == whole(**TAKEN, content=b"data")
    assert jobs.new("1", JobRequest("x")).client is None


def test_what_is_added_claimed_and_ended_is_all_there(jobs: Queue, engine: Engine) -> None:
    assert jobs.add(jobs.new("1", ALL, b"data")).result() == whole(content=b"data")
    assert jobs.claim("me", 15.0) == whole(**TAKEN, content=b"data")
    assert jobs.leases() == [Lease("1", 1, 1015.0)]
    assert jobs.end(whole(**TAKEN), JobResult(None, "1-1", b"result")).result() is True
    found = jobs.get_result("1")
    ended = {
        **{"state": State.COMPLETE, "lease_owner": None, "lease_expires": None, "result": "1-1", "finished": 1000.0},
        **{"callback_state": "waiting", "callback_attempts": 0, "callback_due": 1000.0},
    }
    assert found == (whole(**{**TAKEN, **ended}), b"result")
    assert NEEDS == [Need.DISK, Need.COMMIT, Need.DISK]
    with engine.connect() as connection:
        row = connection.execute(text("SELECT accepted_build_id, input_data FROM jobs")).one()
    assert tuple(row) == ("blue", b"data")
    assert jobs.get_result("2") is None
    assert jobs.times(9, 0.0) == [JobTimes(1000.0, 1000.0, 1000.0)]


def test_only_its_holder_changes_a_job(jobs: Queue) -> None:
    jobs.add(jobs.new("1", ALL))
    mine = jobs.claim("me", 15.0)
    assert mine is not None
    others = (replace(mine, token=2), replace(mine, id="2"))
    for other in others:
        assert not any([jobs.heartbeat(other, 9.0), jobs.release(other), jobs.abandon(other), jobs.fail(other, "x")])
    assert jobs.heartbeat(mine, 9.0)
    assert jobs.leases() == [Lease("1", 1, 1009.0)]
    assert not jobs.expire(Lease("1", 1, 1015.0))
    assert not jobs.expire(Lease("1", 2, 1009.0))
    assert not jobs.expire(Lease("2", 1, 1009.0))
    assert not jobs.expire(Lease("1", 1, None))
    assert jobs.not_held([mine, *others]) == list(others)
    NEEDS.clear()
    assert jobs.not_held([]) == []
    assert NEEDS == [Need.COMMIT]
    assert jobs.release(mine)
    free = jobs.get("1")
    assert free is not None
    assert (free.state, free.attempts, free.token, free.lease_owner, free.lease_expires) == (
        "Created",
        0,
        1,
        None,
        None,
    )
    again = jobs.claim("me", 15.0)
    assert again is not None
    assert (again.attempts, again.token) == (1, 2)
    assert jobs.not_held([mine, again]) == [mine]
    assert jobs.abandon(again)
    third = jobs.claim("me", 15.0)
    assert third is not None
    assert jobs.expire(Lease("1", 3, 1015.0))
    assert jobs.claim("me", 15.0) is None
    given_up = jobs.get("1")
    assert given_up is not None
    assert (given_up.state, given_up.attempts, given_up.token) == (State.ERROR, 2, 4)
    assert given_up.error == "The job was given up: its worker died in each of 2 attempts."
    assert jobs.not_held([third]) == [third]


def test_a_lease_without_an_end_is_given_back(jobs: Queue, engine: Engine) -> None:
    jobs.add(jobs.new("1", ALL))
    jobs.claim("me", 15.0)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET lease_expires = NULL"))
    assert not jobs.expire(Lease("1", 1, 1015.0))
    assert jobs.expire(Lease("1", 1, None))


def test_a_job_is_renamed_and_deleted_whole(jobs: Queue) -> None:
    jobs.add(jobs.new("1", ALL))
    jobs.add(jobs.new("2", JobRequest("x")))
    assert jobs.rename("1", "b.csv") == whole(name="b.csv", mappings=None, output_mappings=None)
    assert jobs.rename("3", "b.csv") is None
    assert jobs.delete("1") == whole(name="b.csv")
    assert [job.name for job in jobs.list(9)] == [None]


def test_a_job_that_is_settled_is_there(jobs: Queue) -> None:
    jobs.add(jobs.new("1", ALL))
    assert jobs.settle("1").result() is True
    assert jobs.settle("2").result() is False
    assert jobs.get("1") == whole(mappings=None, output_mappings=None)


def test_a_queue_that_is_closed_closes_what_it_has(jobs: Queue) -> None:
    made: Any = jobs._commits
    assert jobs.stalled_seconds == 4.5
    connection = SimpleNamespace(close=lambda: NEEDS.append("closed"))  # type: ignore[arg-type]
    jobs._kept.append(connection)  # type: ignore[arg-type]
    jobs.close()
    assert (made.closed, NEEDS[-1:], len(jobs._kept)) == (1, ["closed"], 0)


def test_a_queue_without_a_build_is_of_no_build(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "Commits", AtOnce)
    made = Queue(engine, "m", 2)
    before = time.time()
    made.servers.announce("s")
    assert made.new("1", ALL, None, Claim("me", 1.0)).build_id is None
    assert before <= made.new("1", ALL).created <= time.time()
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text("SELECT id, build_id, beat FROM servers"))]
        owner = [tuple(row) for row in connection.execute(text("SELECT model, layout FROM owner"))]
    assert (found, owner) == ([("s", "", 0)], [("m", schema.LAYOUT)])
    made.servers.announce("s")
    assert made.servers.beats() == [("s", 1)]
    NEEDS.clear()
    made.servers.announce("t")
    assert not made.servers.dismiss("s", 0)
    assert made.servers.dismiss("t")
    assert NEEDS == [Need.COMMIT, Need.DISK, Need.DISK]
    assert made.servers.beats() == [("s", 1)]


def test_the_queue_of_another_model_is_refused_with_the_remedy(
    jobs: Queue, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert jobs.count() == 0
    with pytest.raises(VolumeError) as caught:
        Queue(engine, "wine", 2)
    assert str(caught.value) == (
        "the job queue belongs to the model 'm', this image is 'wine'; nothing was changed; "
        "every model needs a queue of its own: name another database by MODEL_QUEUE_URL"
    )
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM owner"))
    assert Queue(engine, "wine", 2).count() == 0


def test_postgres_upgrades_one_server_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    connection: Any = SimpleNamespace(
        dialect=SimpleNamespace(name="postgresql"),
        execute=lambda *words: told.append(tuple(map(str, words))) or SimpleNamespace(rowcount=1),
    )
    monkeypatch.setattr(schema, "_check_owner", lambda *words: told.append("checked"))
    monkeypatch.setattr(schema.metadata, "create_all", lambda _: told.append("made"))
    monkeypatch.setattr(schema, "_add_what_is_missing", lambda _: told.append("added"))
    schema.prepare(connection, "m")
    assert told == [
        ("SELECT pg_advisory_xact_lock(:key)", str({"key": int.from_bytes(b"model")})),
        *("checked", "made", "added", ("UPDATE owner SET layout=:layout",)),
    ]


class Raw:
    """A driver's connection whose cursor fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def cursor(self) -> Any:
        def fail(*_: Any) -> None:
            raise self.error

        return SimpleNamespace(execute=fail, description=None, rowcount=0, close=lambda: None)


class DriverError(Exception):
    """An error of the driver."""


@pytest.mark.parametrize(
    ("error", "disconnects", "lost"),
    [(OSError("reset"), False, True), (DriverError("gone"), True, True), (DriverError("wrong"), False, False)],
)
def test_a_statement_that_fails_is_told_and_a_lost_connection_is_given_up(
    error: Exception, disconnects: bool, lost: bool
) -> None:
    told: list[Any] = []
    statement: Any = Prepared.__new__(Prepared)
    statement._text, statement._names, statement._own = "SELECT 1", ["a", "b"], {"a": 1, "b": 2}
    statement._dialect = SimpleNamespace(
        loaded_dbapi=SimpleNamespace(Error=DriverError), is_disconnect=lambda *_: disconnects
    )
    connection: Any = SimpleNamespace(
        connection=Raw(error), invalidate=told.append, engine=SimpleNamespace(dispose=lambda: told.append("disposed"))
    )
    with pytest.raises(DBAPIError) as caught:
        statement.first(connection, {})
    found = caught.value
    assert (found.statement, found.orig, found.hide_parameters, found.connection_invalidated) == (
        *("SELECT 1", error, True, lost),
    )
    assert told == ([error, "disposed"] if lost else [])
    assert statement._given({"b": 3}) == (1, 3)


class TestCommits:
    """The thread that commits, without a thread."""

    @pytest.fixture
    def commits(self, monkeypatch: pytest.MonkeyPatch) -> Commits:
        self.started: list[Any] = []

        def thread(**options: Any) -> Any:
            self.started.append(options)
            return SimpleNamespace(start=lambda: None)

        monkeypatch.setattr(commits_module, "threading", SimpleNamespace(Thread=thread))
        engine: Any = SimpleNamespace(dialect=SimpleNamespace(name="sqlite"))
        return Commits(engine)

    def test_its_thread_ends_with_the_process(self, commits: Commits) -> None:
        assert self.started == [{"target": commits._serve, "name": "commits", "daemon": True}]

    def test_the_age_of_a_transaction_is_told(self, commits: Commits, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [100.0]
        monkeypatch.setattr(commits_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
        assert commits.stalled_seconds == 0.0
        ages: list[float] = []
        course: list[Any] = []

        class Connected:
            """A connection that takes three seconds to be had."""

            def __enter__(self) -> Any:
                now[0] += 3.0
                ages.append(commits.stalled_seconds)
                return "connection"

            def __exit__(self, *_: object) -> None:
                ages.append(commits.stalled_seconds)

        def commit(connection: Any, group: Any) -> None:
            course.append((connection, len(group)))
            now[0] += 2.0
            ages.append(commits.stalled_seconds)
            for change in group:
                change.future.set_result(None)
            commits.close()

        commits._engine = SimpleNamespace(connect=Connected)  # type: ignore[assignment]
        commits._commit = commit  # type: ignore[method-assign]
        commits.post(lambda _: None)
        commits.post(lambda _: None)
        commits._serve()
        assert course == [("connection", 2)]
        assert ages == [3.0, 2.0, 0.0]
        assert commits.stalled_seconds == 0.0

    def test_a_connection_is_kept_for_a_moment(self, commits: Commits) -> None:
        waits: list[float | None] = []
        commits._wait = waits.append  # type: ignore[method-assign]
        assert commits._next_group() == []
        commits.post(lambda _: None)
        assert len(commits._next_group()) == 1
        commits._is_over = True
        assert commits._next_group() == []
        assert waits == [0.02]

    def test_a_change_that_nobody_waits_for_any_more_is_not_made(self, commits: Commits) -> None:
        first, second = commits.post(lambda _: None), commits.post(lambda _: None)
        assert first.cancel()
        assert [change.future for change in commits._taken()] == [second]

    def test_a_fault_of_the_thread_is_told_to_all_who_wait(
        self, commits: Commits, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def connect() -> Any:
            commits._is_over = True
            raise ValueError("ours")

        commits._engine = SimpleNamespace(connect=connect)  # type: ignore[assignment]
        future = commits.post(lambda _: None)
        commits._serve()
        assert str(future.exception(0)) == "ours"
        assert caplog.messages == ["the thread of commits met a fault and goes on"]
        assert commits.stalled_seconds == 0.0

    def test_changes_are_told_each_in_its_loop(self, commits: Commits) -> None:
        calls: list[Any] = []

        class Loop:
            """A loop that is running, or has ended."""

            def __init__(self, ended: bool) -> None:
                self.ended = ended

            def call_soon_threadsafe(self, call: Any, told: Any) -> None:
                if self.ended:
                    raise RuntimeError
                calls.append(len(told))
                call(told)

        loops: list[Any] = [None, Loop(False), Loop(True)]
        made = [commits_module._Change(lambda _: None, Need.DISK, loop) for loop in (*loops, loops[1])]
        error = ValueError("x")
        commits_module._tell([(made[0], 1, None), (made[1], 2, None), (made[2], None, error), (made[3], 4, None)])
        assert [change.future.result(0) for change in (made[0], made[1], made[3])] == [1, 2, 4]
        assert made[2].future.exception(0) is error
        assert calls == [2]
