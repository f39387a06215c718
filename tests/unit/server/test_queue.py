"""The queue: leases, fences, attempts. With a clock of the test's own."""

import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from model_server.jobs import database
from model_server.jobs.queue import Job, Order, Queue, State

LEASE = 15.0
MAX_ATTEMPTS = 3


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Queue:
    return Queue(database.open_sqlite(tmp_path / "jobs.sqlite3", on_network=False), "m", MAX_ATTEMPTS, clock)


def taken(queue: Queue, owner: str = "a") -> Job:
    job = queue.claim(owner, LEASE)
    assert job is not None
    return job


def read(queue: Queue, job_id: str = "1") -> Job:
    job = queue.get(job_id)
    assert job is not None
    return job


def test_the_oldest_job_is_claimed_first_and_only_once(queue: Queue) -> None:
    queue.put("2", Order("text/csv"))
    queue.put("1", Order("text/csv"))
    assert [taken(queue).id, taken(queue).id, queue.claim("a", LEASE)] == ["2", "1", None]


def test_a_heartbeat_extends_the_lease_and_its_end_frees_the_job(queue: Queue, clock: Clock) -> None:
    queue.put("1", Order("text/csv"))
    first = taken(queue)
    clock.now += LEASE - 1
    assert queue.heartbeat(first, LEASE)
    clock.now += LEASE - 1
    assert queue.claim("b", LEASE) is None
    clock.now += 1
    second = taken(queue, "b")
    assert (second.token, second.attempts, second.lease_owner) == (2, 2, "b")


def test_a_late_worker_records_nothing(queue: Queue, clock: Clock) -> None:
    queue.put("1", Order("text/csv"))
    late = taken(queue)
    clock.now += LEASE
    current = taken(queue, "b")
    verbs = (queue.release, queue.abandon)
    assert not any([queue.complete(late, "1-1"), queue.fail(late, "x"), queue.heartbeat(late, LEASE)])
    assert not any(verb(late) for verb in verbs)
    assert queue.complete(current, "1-2")
    assert (read(queue).state, read(queue).result) == (State.COMPLETE, "1-2")
    assert not any([queue.complete(current, "again"), queue.fail(current, "x"), queue.complete(late, "1-1")])


def test_a_job_that_kills_its_workers_is_given_up(queue: Queue, clock: Clock) -> None:
    queue.put("1", Order("text/csv"))
    queue.put("2", Order("text/csv"))
    for _ in range(MAX_ATTEMPTS):
        job = queue.claim("a", LEASE)
        assert job is not None
        assert job.id == "1"
        queue.abandon(job)
    assert taken(queue).id == "2"
    assert read(queue).state is State.ERROR
    assert read(queue).error == "The job was given up: its worker died in each of 3 attempts."


def test_a_job_that_was_given_back_of_free_will_does_not_count(queue: Queue) -> None:
    queue.put("1", Order("text/csv"))
    for _ in range(MAX_ATTEMPTS * 2):
        assert queue.release(taken(queue))
    assert taken(queue).attempts == 1


def test_the_jobs_of_a_dead_owner_are_free_at_once(queue: Queue) -> None:
    for name in "123":
        queue.put(name, Order("text/csv"))
    done = taken(queue, "dead")
    queue.complete(done, "1-1")
    taken(queue, "dead")
    taken(queue, "alive")
    assert queue.abandon_all("dead") == 1
    assert (taken(queue).id, queue.claim("a", LEASE)) == ("2", None)


def test_list_is_newest_first_and_paged(queue: Queue) -> None:
    for name in "12345":
        queue.put(name, Order("text/csv"))
    assert [job.id for job in queue.list(limit=2, offset=1)] == ["4", "3"]


def test_a_deleted_job_is_gone_also_for_its_worker(queue: Queue) -> None:
    queue.put("1", Order("text/csv"))
    job = taken(queue)
    assert queue.delete("1") == job
    assert (queue.delete("1"), queue.get("1"), queue.heartbeat(job, LEASE)) == (None, None, False)


def test_many_threads_never_claim_the_same_job(queue: Queue) -> None:
    count = 40
    for number in range(count):
        queue.put(str(number), Order("text/csv"))
    claimed: list[str] = []

    def work(owner: str) -> None:
        while (job := queue.claim(owner, LEASE)) is not None:
            claimed.append(job.id)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(claimed) == sorted(map(str, range(count)))


def test_the_journal_follows_the_file_system(tmp_path: Path) -> None:
    local = database.open_sqlite(tmp_path / "local.sqlite3", on_network=False)
    network = database.open_sqlite(tmp_path / "network.sqlite3", on_network=True)
    assert (database.journal_mode(local), database.journal_mode(network)) == ("WAL", "DELETE")
    assert sorted(path.name for path in tmp_path.iterdir() if "probe" in path.name) == []


class QueueMachine(RuleBasedStateMachine):
    """Whatever workers do, in whatever order: a job is recorded once, by the holder of its newest token."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.claims: list[Job] = []
        self.newest: dict[str, int] = {}
        self.recorded: dict[str, str] = {}

    @initialize()
    def open(self) -> None:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        self.queue = Queue(engine, "m", MAX_ATTEMPTS, self.clock)

    @rule()
    def put(self) -> None:
        self.queue.put(str(len(self.newest)), Order("text/csv"))
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

    @rule(seconds=st.sampled_from([1.0, LEASE]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

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
