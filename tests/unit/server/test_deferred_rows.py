"""Jobs that are recorded at their end, turn by turn: what is posted when, and what each waiter is told."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import fields, replace
from typing import Any

import pytest

from model_server.jobs.deferred import DeferredJobs
from model_server.jobs.job import Claim, Job, JobResult, State

DONE = JobResult(None, "r", b"1")


class Loop:
    """A loop that does nothing by itself."""

    def __init__(self) -> None:
        self.now = 100.0
        self.later: list[tuple[str, float, Callable[..., None], tuple[Any, ...]]] = []
        self.cancelled = 0

    def time(self) -> float:
        return self.now

    def call_at(self, moment: float, call: Callable[..., None], *words: Any) -> None:
        self.later.append(("at", moment, call, words))

    def call_later(self, seconds: float, call: Callable[..., None], *words: Any) -> "Loop":
        self.later.append(("in", seconds, call, words))
        return self

    def cancel(self) -> None:
        self.cancelled += 1

    def turn(self) -> None:
        _, _, call, words = self.later.pop(0)
        call(*words)


class Rows:
    """Deferred jobs, what they post, and the rows that are written."""

    def __init__(self) -> None:
        self.posted: list[tuple[Callable[[Any], Any], dict[str, Any], Future[Any]]] = []
        self.written: list[list[tuple[str, JobResult | None]]] = []
        self.fault: Exception | None = None
        self.connections: list[Any] = []
        self.jobs = DeferredJobs(self, self.insert)  # type: ignore[arg-type]

    def post(self, change: Callable[[Any], Any], **options: Any) -> Future[Any]:
        self.posted.append((change, options, Future()))
        return self.posted[-1][2]

    def insert(self, rows: Any, connection: Any) -> None:
        self.connections.append(connection)
        if self.fault is not None:
            raise self.fault
        self.written.append([(job.id, ended) for job, ended in rows])

    def do(self) -> None:
        """Make the changes that are posted so far."""
        posted, self.posted = self.posted, []
        for change, options, future in posted:
            assert options == {"is_one_statement": True}
            try:
                result = change("connection")
            except Exception as error:  # noqa: BLE001 - as the thread of commits does
                future.set_exception(error)
            else:
                future.set_result(result)

    def add(self, *names: str, state: State = State.IN_PROGRESS) -> list[Future[Job]]:
        return [self.jobs.add(job(name, state)) for name in names]


def job(name: str, state: State = State.IN_PROGRESS) -> Job:
    values: dict[str, Any] = {field.name: None for field in fields(Job)}
    return Job(**{**values, "id": name, "state": state, "attempts": 0, "token": 0, "lease_owner": "old"})


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    monkeypatch.setattr(asyncio, "_get_running_loop", lambda: made)
    return made


@pytest.fixture
def rows(loop: Loop) -> Rows:
    assert loop.later == []
    return Rows()


def test_what_waits_is_claimed_in_its_order_with_the_claims_values(rows: Rows) -> None:
    rows.add("runs")
    futures = rows.add("a", "b", state=State.CREATED)
    assert ("a" in rows.jobs, "x" in rows.jobs, rows.jobs.running, rows.jobs.waiting) == (True, False, 1, 2)
    claimed = rows.jobs.claim(Claim("me", 15.0), 1000.0, "blue")
    expected = replace(
        job("a"),
        **{"attempts": 1, "token": 1, "lease_owner": "me", "lease_expires": 1015.0, "started": 1000.0},  # type: ignore[arg-type]
        build_id="blue",
    )
    assert claimed == expected
    assert (rows.jobs.running, rows.jobs.waiting) == (2, 1)
    rows.jobs.record("a")
    rows.do()
    assert futures[0].result(0) == expected
    assert rows.jobs.claim(Claim("me", 15.0), 1000.0, None) == replace(expected, id="b", build_id=None)
    assert rows.jobs.claim(Claim("me", 15.0), 1000.0, None) is None


def test_a_job_that_was_recorded_while_it_waited_is_claimed_by_nobody(rows: Rows) -> None:
    rows.add("a", state=State.CREATED)
    rows.jobs.record("a")
    assert (rows.jobs.running, rows.jobs.waiting, "a" in rows.jobs) == (0, 0, False)
    assert rows.jobs.claim(Claim("me", 15.0), 1000.0, None) is None


def test_who_no_longer_waits_for_a_row_does_not_undo_it(rows: Rows) -> None:
    (future,) = rows.add("a")
    assert not future.cancel()
    rows.jobs.record("a", DONE)
    rows.do()
    assert future.result(0).id == "a"
    assert rows.written == [[("a", DONE)]]
    assert rows.connections == ["connection"]


def test_a_job_that_ends_last_is_posted_at_once(rows: Rows, loop: Loop) -> None:
    rows.add("a")
    assert rows.jobs.record("x", DONE) is None
    assert rows.jobs.record("a", DONE) is not None
    assert len(rows.posted) == 1
    assert [kind for kind, *_ in loop.later] == ["at"]
    assert rows.jobs.record("a", DONE) is None


def test_jobs_that_end_while_others_run_are_held_for_a_moment(rows: Rows, loop: Loop) -> None:
    rows.add(*"abcd")
    loop.later.clear()
    rows.jobs.record("a", DONE)
    assert [(kind, seconds) for kind, seconds, *_ in loop.later] == [("in", 0.002)]
    assert rows.posted == []
    rows.jobs.record("b", DONE)  # as many are held as are left
    assert (len(rows.posted), loop.cancelled, len(loop.later)) == (1, 1, 1)
    rows.do()
    assert rows.written == [[("a", DONE), ("b", DONE)]]
    loop.later.clear()
    rows.add("e", "f")
    loop.later.clear()
    rows.jobs.record("c", DONE)
    loop.turn()
    assert (len(rows.posted), loop.cancelled) == (1, 2)
    rows.do()
    assert rows.written[1:] == [[("c", DONE)]]


def test_what_comes_while_a_batch_is_posted_goes_with_it(rows: Rows, loop: Loop) -> None:
    rows.add("a", "b", "c")
    loop.later.clear()
    rows.jobs.record("a", DONE)
    rows.jobs.record("b", DONE)
    rows.jobs.record("c", DONE)
    assert len(rows.posted) == 1
    assert len(loop.later) == 1
    rows.do()
    assert rows.written == [[("a", DONE), ("b", DONE), ("c", DONE)]]
    rows.add("d")
    rows.jobs.record("d", DONE)
    rows.do()
    assert rows.written[1:] == [[("d", DONE)]]


def test_a_statement_has_sixteen_rows_at_most(rows: Rows) -> None:
    names = [f"{number:02}" for number in range(60)]
    rows.add(*names)
    for name in names[:33]:
        rows.jobs.record(name, DONE)
    rows.do()
    assert [len(group) for group in rows.written] == [16, 16]
    for name in names[33:]:
        rows.jobs.record(name, DONE)
    rows.do()
    assert [name for group in rows.written for name, _ in group] == names
    assert max(map(len, rows.written)) == 16


def test_who_asks_for_a_row_has_all_that_is_held_written_before(rows: Rows, loop: Loop) -> None:
    rows.add("a", "b", "c", "d")
    loop.later.clear()
    rows.jobs.record("a", DONE)
    assert rows.posted == []
    assert rows.jobs.record("nobody") is None
    assert (len(rows.posted), loop.cancelled) == (1, 1)
    rows.do()
    rows.jobs.record("b")
    rows.do()
    assert rows.written == [[("a", DONE)], [("b", None)]]
    rows.jobs.record("nobody")
    assert rows.posted == []


def test_in_another_thread_a_job_is_posted_by_itself(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    rows.add("a", "b", "c")
    rows.jobs.record("a", DONE)
    monkeypatch.setattr(asyncio, "_get_running_loop", lambda: None)
    assert rows.jobs.record("nobody", DONE) is None
    assert rows.posted == []
    assert rows.jobs.record("b", DONE) is not None
    rows.do()
    assert rows.written == [[("b", DONE)]]
    rows.jobs.record_all()
    rows.do()
    assert rows.written == [[("b", DONE)], [("c", None)], [("a", DONE)]]
    rows.jobs.record_all()
    assert rows.posted == []


def test_what_is_posted_already_is_not_posted_again_at_the_end(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    rows.add("a")
    rows.jobs.record("a", DONE)
    monkeypatch.setattr(asyncio, "_get_running_loop", lambda: None)
    rows.jobs.record_all()
    assert len(rows.posted) == 1


def test_of_rows_that_fail_together_each_is_tried_alone(rows: Rows) -> None:
    futures = rows.add("a", "b")
    rows.jobs.record("a", DONE)
    rows.jobs.record("b", DONE)
    rows.fault = ValueError("no")
    rows.do()
    assert [future.done() for future in futures] == [False, False]
    assert len(rows.posted) == 2
    change, options, future = rows.posted.pop(0)
    rows.fault = None
    change("connection")
    future.set_result(None)
    rows.fault = ValueError("its own")
    rows.do()
    assert futures[0].result(0).id == "a"
    with pytest.raises(ValueError, match="its own"):
        futures[1].result(0)
    assert (options, rows.posted, rows.written) == ({"is_one_statement": True}, [], [[("a", DONE)]])


def test_a_batch_that_was_never_begun_is_closed_all_the_same(rows: Rows) -> None:
    (first,) = rows.add("a")
    rows.jobs.record("a", DONE)
    _, _, future = rows.posted.pop()
    future.set_exception(OSError("the database is away"))
    with pytest.raises(OSError, match="away"):
        first.result(0)
    (second,) = rows.add("b")
    rows.jobs.record("b", DONE)
    rows.do()
    assert second.result(0).id == "b"
    assert rows.written == [[("b", DONE)]]


def test_a_job_that_takes_longer_is_recorded_before_its_end(rows: Rows, loop: Loop) -> None:
    rows.add("a")
    assert [(kind, moment, words) for kind, moment, _, words in loop.later] == [("at", 100.1, (loop,))]
    loop.now += 0.05
    rows.add("b")
    assert len(loop.later) == 1
    loop.now = 100.1
    loop.turn()
    rows.do()
    assert rows.written == [[("a", None)]]
    assert [(kind, moment, words) for kind, moment, _, words in loop.later] == [("at", 100.05 + 0.1, (loop,))]
    loop.now = 100.2
    loop.turn()
    rows.do()
    assert (rows.written[1:], loop.later) == ([[("b", None)]], [])
    rows.add("c")
    assert [(kind, moment) for kind, moment, *_ in loop.later] == [("at", 100.2 + 0.1)]
