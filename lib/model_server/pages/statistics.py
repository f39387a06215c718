"""The queue's last day in figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model_server.jobs.job import JobTimes

DAY = 86_400.0
_STEPS = 48
_SHORTEST = 600.0
_SHARES = (50, 95, 99)


@dataclass(frozen=True)
class Day:
    """Figures since `since`; a list has a value for each equal step."""

    count: int
    since: float
    #: Jobs that came in a minute.
    rates: list[float]
    #: The most jobs that waited at once.
    depths: list[int]
    #: How long half, 95 and 99 of a hundred programs ran at most, seconds; empty: none has ended.
    percentiles: list[tuple[int, float]]


def of(times: Sequence[JobTimes], now: float) -> Day | None:
    if not times:
        return None
    since = min(*(job.created for job in times), now - _SHORTEST)
    step = max(now - since, 1.0) / _STEPS

    def place(moment: float) -> int:
        return min(max(int((moment - since) / step), 0), _STEPS - 1)

    rates = [0.0] * _STEPS
    for job in times:
        rates[place(job.created)] += 60 / step
    changes = [(job.created, 1) for job in times]
    changes += [(max(job.started, job.created), -1) for job in times if job.started is not None]
    depths, waiting, at = [0] * _STEPS, 0, 0
    for moment, change in sorted(changes):
        for between in range(at, place(moment) + 1):
            depths[between] = max(depths[between], waiting)
        at = place(moment)
        waiting += change
        depths[at] = max(depths[at], waiting)
    for after in range(at, _STEPS):
        depths[after] = max(depths[after], waiting)
    return Day(len(times), since, rates, depths, _percentiles(times))


def _percentiles(times: Sequence[JobTimes]) -> list[tuple[int, float]]:
    seconds = sorted(job.finished - job.started for job in times if job.started and job.finished)
    return [(share, seconds[math.ceil(len(seconds) * share / 100) - 1]) for share in _SHARES] if seconds else []
