"""The figures of the dashboard, the charts, progress, and where a stray address was meant to lead."""

from xml.etree import ElementTree

import pytest

from model_server.jobs.job import JobTimes
from model_server.pages import charts, progress, statistics, strays

NOW = 1_000_000.0


def test_a_day_in_figures() -> None:
    # Ten jobs an hour ago, a second each, one after the other; one that still waits.
    times = [JobTimes(NOW - 3600, NOW - 3600 + n, NOW - 3599 + n) for n in range(10)]
    times.append(JobTimes(NOW - 60, None, None))
    day = statistics.of(times, NOW)
    assert day is not None
    assert (day.count, day.since) == (11, NOW - 3600)
    step = 3600 / len(day.rates)
    assert sum(day.rates) * step / 60 == pytest.approx(11)
    assert day.depths[0] == 9
    assert set(day.depths[1:-1]) == {0}
    assert day.depths[-1] == 1
    assert day.percentiles == [(50, 1.0), (95, 1.0), (99, 1.0)]


def test_percentiles_are_durations_that_there_were() -> None:
    times = [JobTimes(NOW, NOW, NOW + n) for n in range(1, 101)]
    day = statistics.of(times, NOW + 200)
    assert day is not None
    assert day.percentiles == [(50, 50.0), (95, 95.0), (99, 99.0)]


def test_no_jobs_no_figures_and_clocks_that_differ_do_no_harm() -> None:
    assert statistics.of([], NOW) is None
    day = statistics.of([JobTimes(NOW + 500, NOW - 500, NOW - 900)], NOW)
    assert day is not None
    assert max(day.depths) <= 1


@pytest.mark.parametrize(
    ("lines", "share"),
    [
        (["scoring row 5/40"], 0.125),
        (["epoch 3 of 10", "loss 0.5"], 0.3),
        ([" 12%|█▏        | 5/40 [00:01<00:09,  3.6it/s]"], 0.125),
        (["12.5 % done"], 0.125),
        (["5/40", "100%"], 1.0),
        (["7/0", "50/40"], None),
        (["2024/12/31", "0.5/1.5", "150%"], None),
        (["nothing"], None),
        ([], None),
    ],
)
def test_progress_is_read_from_what_is_printed(lines: list[str], share: float | None) -> None:
    assert progress.share(lines) == share


@pytest.mark.parametrize(
    ("path", "page"),
    [
        *(
            ("/addjob", "AddJob"),
            ("/jobs", "Jobs"),
            ("/Swagger", "swagger"),
            ("/docs", "swagger"),
            ("/predict", "AddJob"),
        ),
        *(("/add-job", "AddJob"), ("/licence", "License"), ("/index.html", ""), ("/AddJobb/x", "AddJob"), ("/", "")),
        *(("/wp-login.php", None), ("/" + "x" * 10_000, None)),
    ],
)
def test_a_stray_address_leads_to_the_likely_page(path: str, page: str | None) -> None:
    assert strays.likely(path) == page


def test_charts_are_well_formed_hold_no_style_and_escape_names() -> None:
    name = '"><script>&'
    drawn = [
        charts.bars([0, 1, 2.5], name),
        charts.bars([], name),
        charts.histogram({"low": -1e308, "high": 1e308, "counts": [1, 0, 3]}, name),
        charts.plot([[1, 2], [3, 4]], name, name),
        charts.plot([[-1.7e308, 0], [1.7e308, 0]], name, name),
        charts.plot([], name, name),
    ]
    for chart in drawn:
        root = ElementTree.fromstring(str(chart))  # noqa: S314 - of our own making
        assert name in str(root.get("aria-label"))
        assert "style" not in chart
        assert not {"nan", "inf"} & {value for element in root for value in element.attrib.values()}
    assert [len(ElementTree.fromstring(str(chart))) for chart in drawn] == [2, 0, 2, 2, 2, 0]  # noqa: S314
