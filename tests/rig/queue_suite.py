"""Tests that every database of the queue must pass. A test module for each collects it and brings the fixture
`queue`.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import SQLAlchemyError

from model_server import bounds
from model_server.jobs import deferred as deferred_jobs
from model_server.jobs.job import CallbackState, Claim, Job, JobRequest, JobResult, State
from model_server.jobs.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Callable

LEASE = 15.0
MAX_ATTEMPTS = 3
CSV = JobRequest("text/csv")
CALLED = JobRequest("text/csv", callback_url="http://localhost/x")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(queue: Queue, owner: str = "a") -> Job:
    job = queue.claim(owner, LEASE)
    assert job is not None
    return job


def read(queue: Queue, job_id: str = "1") -> Job:
    job = queue.get(job_id)
    assert job is not None
    return job


def lapse(queue: Queue) -> int:
    """Give back the jobs of all workers, as if they were dead; return how many."""
    return sum(queue.expire(lease) for lease in queue.leases())


def done(queue: Queue, job_id: str, job_request: JobRequest = CSV) -> Job:
    """Return a job that is complete."""
    queue.put(job_id, job_request)
    assert queue.complete(taken(queue), f"{job_id}-1")
    return read(queue, job_id)


def test_what_is_put_is_what_is_read(queue: Queue) -> None:
    job_request = JobRequest("text/csv; header=present", '[{"source":"ä"}]', "[]", "https://x/y?z=1", "key", "f" * 64)
    job_request = replace(job_request, name="ä.csv", size=2**40, rows=2**33)
    put = queue.put("1", job_request)
    job = read(queue)
    assert job == replace(put, mappings=None, output_mappings=None)  # they may be large, and nobody shows them
    assert (job.state, job.attempts, job.token, job.created) == (State.CREATED, 0, 0, 1000.0)
    assert queue.get("2") is None
    for known in (put, taken(queue)):
        given = (known.mappings, known.output_mappings, known.callback_url, known.idempotency_key, known.fingerprint)
        sent = {"name": known.name, "size": known.size, "rows": known.rows}
        assert JobRequest(known.mime_type, *given, **sent) == job_request  # type: ignore[arg-type]
    found = queue.get_result("1")
    assert found and found[0].output_mappings == "[]"


@pytest.mark.parametrize("text", ["", "half \udcf6 of a pair", "zero\0", "\U0010ffff" * 5, "x" * 100_000], ids=range(5))
def test_an_end_is_recorded_whatever_its_text(queue: Queue, text: str) -> None:
    queue.put("1", CALLED)
    assert queue.fail(taken(queue), text)
    job = read(queue)
    error = job.error
    assert job.state is State.ERROR
    assert error is not None and len(error) <= bounds.ERROR_CHARACTERS
    assert error == text.replace("\udcf6", "\\udcf6").replace("\0", "") or error[:8000] == text[:8000]
    (called,) = queue.claim_callbacks(1, 60)
    assert queue.record_callback(called, CallbackState.FAILED, text, None)
    assert queue.list(1)[0].error == error


def test_the_oldest_job_is_claimed_first_and_only_once(queue: Queue) -> None:
    queue.put("2", CSV)
    queue.put("1", CSV)
    assert [taken(queue).id, taken(queue).id, queue.claim("a", LEASE)] == ["2", "1", None]


def test_a_claim_says_when_it_was_started(queue: Queue, clock: Clock) -> None:
    queue.put("1", CSV)
    clock.now += 5
    assert taken(queue) == read(queue)
    assert (read(queue).started, read(queue).lease_expires) == (1005.0, 1005.0 + LEASE)


def test_a_lease_is_over_when_it_stays_as_it_is_whatever_the_clock_says(queue: Queue, clock: Clock) -> None:
    queue.put("1", CSV)
    first = taken(queue)
    (before,) = queue.leases()
    for hours in (1, -48, 0.0001):
        clock.now += 3600 * hours
        assert queue.claim("b", LEASE) is None
        assert queue.heartbeat(first, LEASE)
        assert not queue.expire(before)  # it has given a sign of life
        (before,) = queue.leases()
    assert queue.expire(before)
    assert not queue.expire(before)
    second = taken(queue, "b")
    assert (second.token, second.attempts, second.lease_owner) == (2, 2, "b")
    assert not queue.expire(before)
    assert queue.not_held([first, second]) == [first]


def test_a_late_worker_records_nothing(queue: Queue) -> None:
    queue.put("1", CALLED)
    late = taken(queue)
    assert lapse(queue) == 1
    current = taken(queue, "b")
    verbs = (queue.release, queue.abandon)
    assert not any([queue.complete(late, "1-1"), queue.fail(late, "x"), queue.heartbeat(late, LEASE)])
    assert not any(verb(late) for verb in verbs)
    assert queue.claim_callbacks(5, 60) == []
    assert queue.complete(current, "1-2")
    assert (read(queue).state, read(queue).result) == (State.COMPLETE, "1-2")
    assert not any([queue.complete(current, "again"), queue.fail(current, "x"), queue.complete(late, "1-1")])


def test_a_job_that_kills_its_workers_is_given_up(queue: Queue) -> None:
    queue.put("1", CALLED)
    queue.put("2", CSV)
    for _ in range(MAX_ATTEMPTS):
        job = taken(queue)
        assert job.id == "1"
        queue.abandon(job)
    assert taken(queue).id == "2"
    given_up = read(queue)
    assert (given_up.state, given_up.attempts) == (State.ERROR, MAX_ATTEMPTS)
    assert given_up.error == "The job was given up: its worker died in each of 3 attempts."
    assert [job.id for job in queue.claim_callbacks(5, 60)] == ["1"]  # its client hears of it too


def test_a_job_that_was_given_back_of_free_will_does_not_count(queue: Queue) -> None:
    queue.put("1", CSV)
    for _ in range(MAX_ATTEMPTS * 2):
        assert queue.release(taken(queue))
    assert taken(queue).attempts == 1


def test_the_jobs_of_a_dead_owner_are_free_at_once(queue: Queue) -> None:
    for name in "123":
        queue.put(name, CSV)
    finished = taken(queue, "dead")
    queue.complete(finished, "1-1")
    taken(queue, "dead")
    taken(queue, "alive")
    assert queue.abandon_all("dead") == 1
    assert (taken(queue).id, queue.claim("a", LEASE)) == ("2", None)


def beside(queue: Queue, build_id: str) -> Queue:
    """Return the same queue as a server of that build has it."""
    return Queue(queue._commits._engine, "m", MAX_ATTEMPTS, build_id=build_id)


def test_what_a_build_accepted_waits_for_it_while_it_has_a_server(queue: Queue) -> None:
    blue, green = beside(queue, "blue"), beside(queue, "green")
    blue.servers.announce("b")
    green.servers.announce("g")
    blue.put("1", CSV)
    green.put("2", CSV)
    assert taken(green).id == "2"
    assert green.claim("g", LEASE) is None
    assert taken(blue).id == "1"
    assert blue.release(read(blue, "1"))
    assert green.claim("g", LEASE) is None, "it is given back to its own build"
    blue.servers.announce("b2")
    assert blue.servers.dismiss("b")
    assert green.claim("g", LEASE) is None, "another server of the build lives"
    assert blue.servers.dismiss("b2")
    assert taken(green).id == "1"


def test_what_nobody_accepted_and_what_is_of_a_dead_build_is_for_all(queue: Queue) -> None:
    blue, green = beside(queue, "blue"), beside(queue, "green")
    queue.put("1", CSV)  # as by a server without a build
    blue.put("2", CSV)
    blue.servers.announce("b")
    assert taken(green).id == "1"
    assert green.claim("g", LEASE) is None
    assert blue.abandon_all("b") == 0
    assert taken(green).id == "2"


def test_a_server_that_beats_is_not_dismissed_for_another_beat(queue: Queue) -> None:
    assert not queue.servers.dismiss("a")
    queue.servers.announce("a")
    [(_, first)] = queue.servers.beats()
    queue.servers.announce("a")
    [(_, second)] = queue.servers.beats()
    assert first != second
    assert not queue.servers.dismiss("a", first)
    assert queue.servers.dismiss("a", second)
    assert queue.servers.beats() == []


def test_a_deferred_job_is_of_its_build_too(queue: Queue) -> None:
    blue, green = beside(queue, "blue"), beside(queue, "green")
    blue.servers.announce("b")

    async def work() -> None:
        deferred(blue, "1", claim=None)
        assert await asyncio.wrap_future(blue.settle("1"))

    asyncio.run(work())
    assert green.claim("g", LEASE) is None
    assert taken(blue).id == "1"


def test_list_is_newest_first_and_paged(queue: Queue) -> None:
    for name in "12345":
        queue.put(name, CSV)
    assert [job.id for job in queue.list(limit=2, offset=1)] == ["4", "3"]
    assert queue.count() == 5


def test_who_waits_before_and_the_times_of_the_newest(queue: Queue, clock: Clock) -> None:
    for number in range(6):
        clock.now = 1000.0 + number
        queue.put(str(number), replace(CSV, client="ann" if number % 2 else "bob"))
    taken(queue)
    assert [queue.before(str(number)) for number in (1, 2, 5)] == [0, 1, 4]
    assert [(job.created, job.started, job.finished) for job in queue.times(100, 0)][-2:] == [
        *((1001.0, None, None), (1000.0, 1005.0, None))
    ]
    assert [job.created for job in queue.times(2, 0)] == [1005, 1004]
    assert [job.created for job in queue.times(100, 1003, "ann")] == [1005, 1003]
    assert [job.id for job in queue.list(9, 0, None, State.CREATED)] == ["5", "4", "3", "2", "1"]
    assert [job.id for job in queue.list(9, 0, "bob", State.IN_PROGRESS)] == ["0"]


def test_a_deleted_job_is_gone_also_for_its_worker(queue: Queue) -> None:
    queue.put("1", CSV)
    job = taken(queue)
    assert queue.delete("1") == job
    assert (queue.delete("1"), queue.get("1"), queue.heartbeat(job, LEASE)) == (None, None, False)
    assert queue.not_held([job]) == [job]


def test_the_same_key_is_the_same_job_in_every_state(queue: Queue) -> None:
    job_request = replace(CSV, idempotency_key="k")
    assert queue.put("1", job_request).id == "1"
    assert queue.put("2", job_request).id == "1"
    queue.complete(taken(queue), "1-1")
    assert queue.put("3", job_request) == read(queue)
    assert queue.count() == 1
    queue.delete("1")
    assert queue.put("4", job_request).id == "4"


def test_many_threads_with_one_key_make_one_job(queue: Queue) -> None:
    found: list[str] = []
    job_request = replace(CSV, idempotency_key="k")
    in_threads(8, lambda number: found.append(queue.put(str(number), job_request).id))
    assert (len(found), len(set(found)), queue.count()) == (8, 1, 1)


def test_a_callback_is_due_when_its_job_is_over_and_claimed_once(queue: Queue, clock: Clock) -> None:
    queue.put("0", CALLED)
    job = taken(queue)
    assert queue.claim_callbacks(5, 60) == []
    queue.fail(job, "broken\x00off")
    done(queue, "2")
    (claimed,) = queue.claim_callbacks(5, 60)
    assert (claimed.id, claimed.error, claimed.callback_state) == ("0", "brokenoff", CallbackState.WAITING)
    assert queue.claim_callbacks(5, 60) == []
    clock.now += 60  # whoever claimed it died
    (again,) = queue.claim_callbacks(5, 60)
    assert again.callback_attempts == 2
    assert not queue.record_callback(claimed, CallbackState.DELIVERED, None, None)
    assert queue.record_callback(again, CallbackState.WAITING, "refused", 10)
    clock.now += 10
    (last,) = queue.claim_callbacks(5, 60)
    assert queue.record_callback(last, CallbackState.DELIVERED, None, None)
    clock.now += 1000
    assert queue.claim_callbacks(5, 60) == []
    found = read(queue, "0")
    assert (found.callback_state, found.callback_attempts, found.callback_error) == (CallbackState.DELIVERED, 3, None)


def test_callbacks_of_a_busy_receiver_stand_back(queue: Queue) -> None:
    urls = ["http://Slow/1", "http://slow?2", "https://slow/3", "http://good/4"]
    for url in urls:
        done(queue, url, replace(CSV, callback_url=url))
    claimed = [queue.claim_callbacks(1, 60, ["http://slow"])[0].callback_url for _ in range(2)]
    assert claimed == urls[2:]
    assert queue.claim_callbacks(1, 60, ["http://slow"]) == []
    assert {job.callback_url for job in queue.claim_callbacks(5, 60)} == set(urls[:2])


def test_old_jobs_and_many_jobs_may_go_but_none_that_is_not_over_or_still_to_be_called(
    queue: Queue, clock: Clock
) -> None:
    for name in "123":
        done(queue, name)
        clock.now += 10
    done(queue, "4", CALLED)
    queue.put("5", CSV)
    assert queue.expired(None, None, 10) == []
    assert queue.expired(1015.0, None, 10) == ["1", "2"]
    assert queue.expired(1e9, None, 10) == ["1", "2", "3"]
    assert queue.expired(None, 2, 10) == ["1", "2"]
    assert queue.expired(1005.0, 3, 10) == ["1"]
    assert queue.expired(1e9, 1, 2) == ["1", "2"]
    assert queue.expired(None, 4, 10) == []
    (call,) = queue.claim_callbacks(1, 60)
    queue.record_callback(call, CallbackState.FAILED, "x", None)
    assert queue.expired(1e9, None, 10) == ["1", "2", "3", "4"]


def test_counts(queue: Queue, clock: Clock) -> None:
    assert queue.counts().oldest_waiting is None
    done(queue, "1", CALLED)
    clock.now += 1
    queue.put("2", CSV)
    clock.now += 1
    queue.put("3", CSV)
    found = queue.counts()
    assert found.by_state == {State.CREATED: 2, State.IN_PROGRESS: 0, State.COMPLETE: 1, State.ERROR: 0}
    assert (found.oldest_waiting, found.callbacks_waiting) == (1001.0, 1)
    queue.ping()


def test_many_threads_never_claim_the_same_job(queue: Queue) -> None:
    count = 40
    for number in range(count):
        queue.put(str(number), CSV)
    claimed: list[str] = []

    def work(number: int) -> None:
        while (job := queue.claim(str(number), LEASE)) is not None:
            claimed.append(job.id)
            assert queue.complete(job, f"{job.id}-1")

    in_threads(4, work)
    assert sorted(claimed) == sorted(map(str, range(count)))


def test_a_change_that_fails_harms_no_other_in_its_group(queue: Queue) -> None:
    queue.put("taken", CSV)
    failed: list[str] = []

    def put(number: int) -> None:
        try:
            queue.put("taken" if number % 2 else str(number), CSV)
        except SQLAlchemyError:
            failed.append(str(number))

    in_threads(8, put)
    assert sorted(failed) == ["1", "3", "5", "7"]
    assert sorted(job.id for job in queue.list(10)) == ["0", "2", "4", "6", "taken"]


MINE = Claim("me", LEASE)


@pytest.fixture
def slow_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep deferred jobs as long as the test takes: a slow machine would have them recorded."""
    monkeypatch.setattr(deferred_jobs, "_DEFERRED_SECONDS", 3600.0)


def deferred(queue: Queue, job_id: str, job_request: JobRequest = CSV, claim: Claim | None = MINE) -> Job:
    job = queue.new(job_id, job_request, b"1", claim)
    queue.defer(job)
    return job


@pytest.mark.usefixtures("slow_hand")
def test_a_deferred_job_is_recorded_at_its_end_with_all_that_belongs_to_it(queue: Queue, clock: Clock) -> None:
    async def work() -> None:
        good, bad = deferred(queue, "good", CALLED), deferred(queue, "bad")
        assert (queue.count(), queue.not_held([good, bad])) == (0, [])
        clock.now += 5
        ends = queue.end(good, JobResult(None, "r", b"2")), queue.end(bad, JobResult("no\x00", None, None))
        assert all([await asyncio.wrap_future(end) for end in ends])

    asyncio.run(work())
    queue.put("old", CALLED)  # recorded when it comes, claimed, and ended: three changes
    job = taken(queue)
    clock.now += 5
    assert queue.end(job, JobResult(None, "r", b"2")).result()
    found, usual = queue.get_result("good"), queue.get_result("old")
    assert found is not None
    assert usual is not None
    times = {"created": 1000, "started": 1000, "finished": 1005, "callback_due": 1005}
    assert found == (replace(usual[0], id="good", size=found[0].size, **times), b"2")  # type: ignore[arg-type]
    failed = read(queue, "bad")
    assert (failed.state, failed.error, failed.lease_owner, failed.callback_state) == (State.ERROR, "no", None, None)
    assert [job.id for job in queue.claim_callbacks(9, 60)] == ["good", "old"]


@pytest.mark.usefixtures("slow_hand")
def test_deferred_jobs_are_taken_in_their_order_and_by_nobody_else(queue: Queue, clock: Clock) -> None:
    async def work() -> None:
        for name in "ab":
            deferred(queue, name, claim=None)
        clock.now += 5
        first = queue.claim_deferred(MINE)
        assert first is not None
        assert (first.id, first.state, first.attempts, first.token) == ("a", State.IN_PROGRESS, 1, 1)
        assert (first.lease_owner, first.lease_expires, first.started) == ("me", clock.now + LEASE, clock.now)
        second = queue.claim_deferred(MINE)
        assert second is not None
        assert queue.claim_deferred(MINE) is None
        assert await asyncio.wrap_future(queue.claim_next("other", LEASE)) is None
        assert await asyncio.wrap_future(queue.end(second, JobResult(None, "b-1", None)))

    asyncio.run(work())
    assert (read(queue, "b").state, queue.get("a")) == (State.COMPLETE, None)


def test_a_job_that_is_not_soon_over_is_recorded_and_goes_on(queue: Queue) -> None:
    async def work() -> None:
        waits, runs = queue.new("waits", CSV, b"1"), queue.new("runs", CSV, b"1", MINE)
        recorded = [queue.defer(waits), queue.defer(runs)]
        assert [await asyncio.wrap_future(one) for one in recorded] == [waits, runs]
        assert queue.claim_deferred(MINE) is None  # from here on it is everybody's
        assert queue.not_held([waits, runs]) == [waits]
        assert await asyncio.wrap_future(queue.end(runs, JobResult(None, "runs-1", None)))

    asyncio.run(work())
    assert (read(queue, "runs").state, taken(queue).id) == (State.COMPLETE, "waits")


@pytest.mark.usefixtures("slow_hand")
def test_a_job_that_is_recorded_takes_no_memory_though_no_worker_is_free(queue: Queue) -> None:
    async def work() -> weakref.ref[Job]:
        job = weakref.ref(deferred(queue, "waits", claim=None))
        assert await asyncio.wrap_future(queue.settle("waits"))
        return job

    job = asyncio.run(work())
    gc.collect()
    assert job() is None


@pytest.mark.usefixtures("slow_hand")
def test_what_needs_the_row_of_a_deferred_job_has_it_recorded_before(queue: Queue) -> None:
    async def work() -> None:
        jobs = [deferred(queue, name) for name in ("released", "abandoned", "beaten", "settled", "left")]
        assert queue.count() == 0
        assert await asyncio.to_thread(queue.release, jobs[0])
        assert await asyncio.to_thread(queue.abandon, jobs[1])
        assert await asyncio.to_thread(queue.heartbeat, jobs[2], LEASE)
        assert await asyncio.wrap_future(queue.settle("settled"))
        assert queue.get("left") is None
        assert await asyncio.to_thread(queue.abandon_all, "me") == 3

    asyncio.run(work())
    found = {job.id: (job.state, job.attempts) for job in queue.list(9)}
    assert found == {name: (State.CREATED, int(name != "released")) for name in found}
    assert len(found) == 5


@pytest.mark.usefixtures("slow_hand")
def test_of_ends_that_are_recorded_together_only_the_one_at_fault_fails(queue: Queue) -> None:
    queue.put("taken", CSV)

    async def work() -> list[object]:
        jobs = [deferred(queue, name) for name in ("1", "taken", "2")]
        ends = [asyncio.wrap_future(queue.end(job, JobResult(None, "r", None))) for job in jobs]
        return list(await asyncio.gather(*ends, return_exceptions=True))

    first, fault, second = asyncio.run(work())
    assert (bool(first), isinstance(fault, SQLAlchemyError), bool(second)) == (True, True, True)
    assert {job.id: job.state for job in queue.list(9)} == {
        **dict.fromkeys("12", State.COMPLETE),
        "taken": State.CREATED,
    }


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run `work(number)` in so many threads at once, to their end."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
