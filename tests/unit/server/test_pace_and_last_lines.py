"""A job waits only where short ones have more workers than processors, and its last lines are found in any process."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from model_server.jobs import said as module
from model_server.jobs.pace import Pace
from model_server.jobs.said import Said
from model_server.siblings import News


@pytest.mark.parametrize(
    ("processors", "running", "seconds", "enough"),
    [
        (2, 3, 0.0019, True),
        (2, 2, 0.0019, False),
        (2, 3, 0.002, False),
        (None, 99, 0.0019, False),
    ],
)
def test_a_job_waits_where_short_ones_have_more_workers_than_processors(
    processors: int | None, running: int, seconds: float, enough: bool
) -> None:
    pace = Pace(processors)
    assert not pace.is_enough(running), "nothing is known yet"
    pace.ended(seconds)
    assert pace.is_enough(running) is enough


def test_a_shorter_time_counts_at_once_and_a_longer_one_little_by_little() -> None:
    pace = Pace(1)
    pace.ended(0.5)
    assert pace._seconds == 0.5
    pace.ended(0.25)
    pace.ended(0.5)
    assert pace._seconds == 0.25 + 0.25 / 32
    assert pace.ends == 3
    pace.ended(0.001)
    pace.ended(0.032)  # one that was held up changes little
    assert pace.is_enough(2)
    pace.ended(0.064)
    assert not pace.is_enough(2)


class Family:
    """The processes of a server, as one of them sees them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.told: list[tuple[News, str]] = []
        self.hears: dict[News, Any] = {}

    def tell(self, news: News, text: str = "") -> None:
        self.told.append((news, text))

    def on(self, news: News, hear: Any) -> None:
        self.hears[news] = hear


OWN = {"mine": ("a", "b")}


def said(count: int = 2) -> tuple[Said, Family]:
    family = Family(count)
    return Said(lambda job_id: OWN.get(job_id, ()), family), family  # type: ignore[arg-type]


def test_own_lines_are_known_without_a_question() -> None:
    for count in (1, 2):
        one, family = said(count)
        assert asyncio.run(one.lines("mine")) == ("a", "b")
        assert family.told == []
    alone, family = said(1)
    assert (asyncio.run(alone.lines("other")), family.told) == ((), [])


def test_others_are_asked_once_and_all_who_wait_hear_the_answer() -> None:
    async def work() -> None:
        one, family = said()
        waits = [asyncio.create_task(one.lines("other")) for _ in range(2)]
        await asyncio.sleep(0)
        assert family.told == [(News.ASKED, "other")]
        family.hears[News.SAID]('["nobody", "x"]')
        family.hears[News.SAID]('["other", "c", "ä"]')
        family.hears[News.SAID]('["other", "too late"]')
        assert await asyncio.gather(*waits) == [("c", "ä")] * 2
        assert one._asked == {}

    asyncio.run(work())


def test_who_is_busy_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []

    async def wait(asked: Any, *, timeout: float) -> None:
        waits.append((len(asked), timeout))

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "wait": wait}))
    one, family = said()
    for _ in range(2):
        assert asyncio.run(one.lines("other")) == ()
    assert waits == [(1, 1.0)] * 2
    assert family.told == [(News.ASKED, "other")] * 2


def test_a_question_of_others_is_answered_by_whoever_knows() -> None:
    _, family = said()
    family.hears[News.ASKED]("other")
    assert family.told == []
    family.hears[News.ASKED]("mine")
    assert family.told == [(News.SAID, '["mine", "a", "b"]')]
