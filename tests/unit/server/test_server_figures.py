"""The text of /metrics, whole, and the figures that processes share."""

import asyncio
import socket
import time
from typing import Any

import pytest

from model_server import siblings
from model_server.jobs.job import Counts, State
from model_server.metrics import CONTENT_TYPE, Metrics
from model_server.siblings import News

TEXT = """\
# HELP model_info The model that answers.
# TYPE model_info gauge
model_info{build_id="b1d",model="iris",version="1.2"} 1.0
# HELP model_jobs Jobs in the queue by state.
# TYPE model_jobs gauge
model_jobs{state="Created"} 1.0
model_jobs{state="InProgress"} 2.0
model_jobs{state="Complete"} 3.0
model_jobs{state="Error"} 4.0
# HELP model_oldest_waiting_job_seconds Age of the oldest job that waits, 0 if none.
# TYPE model_oldest_waiting_job_seconds gauge
model_oldest_waiting_job_seconds 7.5
# HELP model_callbacks_waiting Callbacks that are still to be made.
# TYPE model_callbacks_waiting gauge
model_callbacks_waiting 5.0
# HELP model_volume_room_bytes What new jobs may still take of the data volume; below 0 none is taken.
# TYPE model_volume_room_bytes gauge
model_volume_room_bytes -6.0
# HELP model_job_attempts_total Jobs started here, again and again counted.
# TYPE model_job_attempts_total counter
model_job_attempts_total 3.0
# HELP model_job_duration_seconds How long the program ran for a job.
# TYPE model_job_duration_seconds histogram
"""
BOUNDS = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0"]
BOUNDS += ["300.0", "900.0", "3600.0", "+Inf"]


def histogram(outcome: str, counts: list[int], seconds: float) -> str:
    lines = [
        f'model_job_duration_seconds_bucket{{le="{most}",outcome="{outcome}"}} {count:.1f}\n'
        for most, count in zip(BOUNDS, counts, strict=True)
    ]
    ends = (
        f'model_job_duration_seconds_count{{outcome="{outcome}"}} {counts[-1]:.1f}\n'
        f'model_job_duration_seconds_sum{{outcome="{outcome}"}} {seconds}\n'
    )
    return "".join(lines) + ends


def counts(oldest: float | None) -> Counts:
    return Counts({state: number for number, state in enumerate(State, 1)}, oldest, 5)


def test_the_metrics_are_those_of_all_processes() -> None:
    first, second = (Metrics("iris", "1.2", "b1d", family) for family in siblings.make(2))
    for metrics in (first, first, second):
        metrics.started()
    first.ended(True, 0.005)
    first.ended(True, 0.0051)
    second.ended(True, 4000.0)
    second.ended(False, 1.0)
    expected = (
        TEXT + histogram("error", [0] * 7 + [1] * 10, 1.0) + histogram("complete", [1] + [2] * 15 + [3], 4000.0101)
    )
    for metrics in (first, second):
        assert metrics.exposition(counts(92.5), 100.0, -6).decode() == expected
    assert CONTENT_TYPE.startswith("text/plain; version=")


@pytest.mark.parametrize("oldest", [None, 101.0])
def test_no_job_waits_for_less_than_nothing(oldest: float | None) -> None:
    text = Metrics("m", "1", "b").exposition(counts(oldest), 100.0, 0).decode()
    assert "\nmodel_oldest_waiting_job_seconds 0.0\n" in text
    assert text.endswith(histogram("error", [0] * 17, 0.0) + histogram("complete", [0] * 17, 0.0))


def test_news_reach_all_others_and_the_full_hold_up_nobody() -> None:
    family = siblings.make(3)
    heard: list[tuple[int, str, str]] = []
    for one in family:
        for news in News:
            one.on(news, lambda text, one=one, news=news: heard.append((one.number, news.name, text)))  # type: ignore[misc]
        one._read(one._inboxes[one.number][0])
    family[0].tell(News.ENDED, "job ü")
    family[2].tell(News.WAITING)
    for one in family:
        one._read(one._inboxes[one.number][0])
    assert heard == [(0, "WAITING", ""), (1, "ENDED", "job ü"), (1, "WAITING", ""), (2, "ENDED", "job ü")]
    assert [news.value for news in News] == [b"w", b"e", b"d", b"c", b"a", b"s"]
    for ends in family[0]._inboxes:
        for end in ends:
            assert end.type == socket.SOCK_DGRAM
            assert not end.getblocking()
            end.close()
    family[1].tell(News.CALL)


def test_a_loop_shows_that_it_turns_until_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = siblings.make(2)
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    later: list[tuple[float, Any, Any]] = []
    readers: list[int] = []

    class Loop:
        """A loop whose next turn comes when it is told."""

        def add_reader(self, descriptor: int, _call: Any, inbox: socket.socket) -> None:
            assert descriptor == inbox.fileno()
            readers.append(descriptor)

        def call_later(self, *words: Any) -> None:
            later.append(words)

    loop: Any = Loop()
    assert (first.count, first.number, second.number) == (2, 0, 1)
    assert not second.is_one_stuck(), "it has not begun"
    first.listen(loop)
    assert readers == [first._inboxes[0][0].fileno()]
    now[0] += 10.0
    assert not second.is_one_stuck()
    now[0] += 0.1
    assert (second.is_one_stuck(), first.is_one_stuck()) == (True, False)
    ((seconds, beat, given),) = later
    assert (seconds, given) == (1.0, loop)
    beat(given)
    assert not second.is_one_stuck()
    now[0] += 99
    first.leave()
    assert not second.is_one_stuck()
    alone = siblings.alone()
    alone.listen(loop)
    assert (alone.count, alone.number, len(readers), len(later)) == (1, 0, 1, 2)
    alone.tell(News.CALL)
    for ends in first._inboxes:
        for end in ends:
            end.close()


def test_figures_are_added_for_all() -> None:
    first, second = siblings.make(2)
    for one, figure, value in ((first, 1, 2.5), (second, 1, 1.0), (first, 63, 1.0), (second, 0, 7.0)):
        one.add(figure, value)
    first.add(1, 1.0)
    assert [first.total(figure) for figure in (0, 1, 2, 63)] == [7.0, 4.5, 0.0, 1.0]
    assert second.total(1) == 4.5


def test_a_message_that_is_read_in_a_loop_is_heard() -> None:
    async def work() -> str:
        first, second = siblings.make(2)
        heard = asyncio.get_running_loop().create_future()
        first.on(News.SAID, heard.set_result)
        first.listen(asyncio.get_running_loop())
        second.tell(News.SAID, "x" * 60_000)
        return str(await asyncio.wait_for(heard, 60))

    assert asyncio.run(work()) == "x" * 60_000
