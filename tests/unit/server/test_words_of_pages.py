"""Pages tell values, charts, figures of a day and a program's progress in words, and name the page that was meant."""

import math
from typing import Any

import pytest

from model_server.jobs.job import Job, JobTimes, State
from model_server.pages import charts, formatting, progress, results, statistics, strays
from model_server.tabular.view import Look


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("text/csv; header=present", "comma separated values file, includes header row (text/csv; header=present)"),
        ("text/csv; header=absent", "comma separated values file, no header row (text/csv; header=absent)"),
        ("application/csv", "comma separated values file (application/csv)"),
        ("text/csv; header=odd", "comma separated values file (text/csv; header=odd)"),
        ("application/json", "JSON file (application/json)"),
        ("text/plain; charset=utf-8", "text file (text/plain; charset=utf-8)"),
        ("image/png", "image/png"),
        ("no type", "no type"),
    ],
)
def test_a_type_in_words(text: str, label: str) -> None:
    assert formatting.label(text) == label


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        *((-1, "0 ms"), (0, "0 ms"), (0.0014, "1 ms"), (0.9994, "999 ms"), (1, "1.0 s"), (59.94, "59.9 s")),
        *((60, "1 min 0 s"), (61.6, "1 min 2 s"), (3599.4, "59 min 59 s"), (3599.6, "1 h 0 min"), (7290, "2 h 1 min")),
    ],
)
def test_a_duration_in_words(duration: float, words: str) -> None:
    assert formatting.seconds(duration) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        *((0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (99_950, "100 kB"), (999_499, "999 kB")),
        *((999_500, "1.0 MB"), (1_500_000_000, "1.5 GB"), (2 * 10**12, "2.0 TB"), (5 * 10**15, "5000 TB")),
    ],
)
def test_a_size_in_words(count: int, words: str) -> None:
    assert formatting.size(count) == words


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("", "The program failed without a word."),
        (" \n\t\n", "The program failed without a word."),
        ("Traceback\n  File\nValueError: no\n\n", "ValueError: no"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + " …"),
    ],
)
def test_an_error_is_told_by_its_last_line(error: str, line: str) -> None:
    assert formatting.last_line(error) == line


def job(**changes: Any) -> Job:
    return Job(**{**dict.fromkeys(Job.__dataclass_fields__), "id": "12345678-1", "state": State.CREATED, **changes})


def test_names_moments_numbers_and_states_in_words() -> None:
    assert [formatting.name(job(name=name)) for name in ("a.csv", "", None)] == [
        "a.csv",
        "job 12345678",
        "job 12345678",
    ]
    assert formatting.moment(1_700_000_000.9) == "2023-11-14 22:13:20 UTC"
    assert formatting.whole(1234567) == "1,234,567"
    assert [formatting.state(state) for state in State] == [
        "In progress" if state is State.IN_PROGRESS else state.value for state in State
    ]
    many = {State.ERROR: 1, State.CREATED: 1234, State.IN_PROGRESS: 2, State.COMPLETE: 0}
    assert formatting.jobs(many) == "1,234 waiting, 2 in progress, 1 failed"
    assert formatting.jobs({State.COMPLETE: 3}) == "3 complete"
    assert formatting.jobs({State.COMPLETE: 0}) == "none"


SVG = '<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
RECT = '<rect x="{}" y="{}" width="{}" height="{}"/>'


@pytest.mark.parametrize(
    ("values", "size", "drawn"),
    [
        ([], (), ((120, 28), "")),
        ([0, 0], (), ((120, 28), "")),
        (
            [1, 0, 4],
            (30, 8),
            ((30, 8), RECT.format("0.00", "6.00", "9.00", "2.00") + RECT.format("20.00", "0.00", "9.00", "8.00")),
        ),
        (
            [1, 1000],
            (4, 10),
            ((4, 10), RECT.format("0.00", "9.00", "1.60", "1.00") + RECT.format("2.00", "0.00", "1.60", "10.00")),
        ),
        ([5], (10, 10), ((10, 10), RECT.format("0.00", "0.00", "9.00", "10.00"))),
    ],
)
def test_bars_stand_on_zero(values: list[float], size: tuple[int, ...], drawn: tuple[tuple[int, int], str]) -> None:
    (width, height), inside = drawn
    assert str(charts.bars(values, "a <b>", *size)) == SVG.format("bars", width, height, "a &lt;b&gt;", inside)


@pytest.mark.parametrize(
    ("found", "label"),
    [
        ({"low": 2.0, "high": 2.0, "counts": [1]}, "n: 1 number from 2 to 2"),
        ({"low": -1.23456789, "high": 1e9, "counts": [2, 0, 1]}, "n: 3 numbers from -1.23457 to 1e+09"),
    ],
)
def test_a_histogram_is_told_to_who_cannot_see_it(found: dict[str, Any], label: str) -> None:
    assert charts.histogram(found, "n") == charts.bars(found["counts"], label)


def test_points_are_plotted_within_a_margin() -> None:
    circle = '<circle cx="{}" cy="{}" r="3"/>'
    drawn = charts.plot([(0, 10), (5, 20), (10, 15)], "a", "b")
    inside = circle.format("8.0", "312.0") + circle.format("320.0", "8.0") + circle.format("632.0", "160.0")
    assert str(drawn) == SVG.format("plot", 640, 320, "3 points: b over a", inside)
    middle = charts.plot([(7, 7)], "a", "b")
    assert str(middle) == SVG.format("plot", 640, 320, "1 points: b over a", circle.format("320.0", "160.0"))
    far = charts.plot([(-1.7e308, 0), (1.7e308, 1)], "a", "b")
    assert circle.format("8.0", "312.0") + circle.format("632.0", "8.0") in str(far)
    assert str(charts.plot([], "a", "b")) == SVG.format("plot", 640, 320, "0 points: b over a", "")


def times(created: float, started: float | None = None, finished: float | None = None) -> JobTimes:
    return JobTimes(created, started, finished)


def steps(**there: float) -> list[float]:
    return [there.get(f"at{number}", 0) for number in range(48)]


NOW = 100_000.0
EARLY = times(NOW - 600, NOW - 700, NOW - 599)


@pytest.mark.parametrize(
    ("jobs", "since", "rates", "depths", "percentiles"),
    [
        # The shortest time is ten minutes: a step is 12.5 seconds, and a job in one of them 4.8 in a minute.
        ([times(NOW - 1, NOW, NOW + 2)], NOW - 600, steps(at47=4.8), steps(at47=1), [(50, 2), (95, 2), (99, 2)]),
        ([times(NOW)], NOW - 600, steps(at47=4.8), steps(at47=1), []),
        (
            [times(NOW - 600, NOW - 560, NOW - 559), times(NOW - 594, NOW - 500, NOW - 497)],
            NOW - 600,
            steps(at0=9.6),
            steps(at0=2, at1=2, at2=2, at3=2, at4=1, at5=1, at6=1, at7=1, at8=1),
            [(50, 1), (95, 3), (99, 3)],
        ),
        # By another host's clock it began before it came.
        ([EARLY], NOW - 600, steps(at0=4.8), steps(), [(n, 101) for n in (50, 95, 99)]),
        (
            [times(NOW - 4800, NOW - 4000), times(NOW - 100, NOW - 50)],
            NOW - 4800,
            steps(at0=0.6, at47=0.6),
            steps(**{f"at{number}": 1 for number in range(9)}, at47=1),
            [],
        ),
    ],
)  # fmt: skip
def test_a_day_in_figures(
    jobs: list[JobTimes], since: float, rates: list[float], depths: list[int], percentiles: list[tuple[int, float]]
) -> None:
    found = statistics.of(jobs, NOW)
    assert found is not None
    assert (found.count, found.since) == (len(jobs), since)
    assert [round(rate, 6) for rate in found.rates] == rates
    assert found.depths == depths
    assert found.percentiles == percentiles


def test_without_a_job_a_day_has_no_figures_and_of_many_the_slowest_are_told() -> None:
    assert statistics.of([], NOW) is None
    day = statistics.of([times(NOW, NOW, NOW + number) for number in range(1, 201)], NOW)
    assert day is not None
    assert day.percentiles == [(50, 100), (95, 190), (99, 198)]
    assert math.isclose(sum(day.rates), 200 * 60 / 12.5)


@pytest.mark.parametrize(
    ("lines", "share"),
    [
        ([], None),
        (["begin"], None),
        (["step 3/4"], 0.75),
        (["3 of 4"], 0.75),
        (["3of4, 1/4"], 0.25),
        (["5/4"], None),
        (["4/4"], 1.0),
        (["0/0"], None),
        (["0/1"], 0.0),
        (["5/4 50%"], 0.5),
        (["1/4 50%"], 0.25),
        (["10% 20 %"], 0.2),
        (["100%"], 1.0),
        (["101%"], None),
        (["101% 7.5%"], 0.075),
        (["1/4", "word"], 0.25),
        (["1/4", "2/4", "word"], 0.5),
        (["2024/01/31"], None),
        (["1.5/3"], None),
        (["1/2.5"], None),
        (["1234567890/1234567899"], None),
        (["1.23456%"], None),
    ],
)
def test_the_progress_that_a_program_tells(lines: list[str], share: float | None) -> None:
    assert progress.share(lines) == share


@pytest.mark.parametrize(
    ("path", "page"),
    [
        *(("/", ""), ("//", ""), ("/jobs", "Jobs"), ("/Job", "Jobs"), ("/docs", "swagger"), ("/redoc/x", "swagger")),
        *(("/api", "swagger"), ("/openapi", "swagger"), ("/api-docs", "swagger"), ("/ui", "swagger")),
        *(("/swagger-ui/index.html", "swagger"), ("/openapi.json", "swagger"), ("/run", "AddJob")),
        *(("/predict", "AddJob"), ("/upload", "AddJob"), ("/predictions", "AddJob"), ("/invocations", "AddJob")),
        *(("/infer", "AddJob"), ("/add", "AddJob"), ("/send", "AddJob"), ("/list", "Jobs"), ("/history", "Jobs")),
        *(("/results", "Jobs"), ("/queue", "Jobs"), ("/current-jobs", "Jobs"), ("/index.html", ""), ("/index", "")),
        *(("/home", ""), ("/dashboard", ""), ("/licence", "License"), ("/LICENSE/x", "License"), ("/addjob", "AddJob")),
        *(("/zzzz", None), ("/zzzz/jobs", None), ("/" + "x" * 200, None)),
    ],
)
def test_the_page_that_was_likely_meant(path: str, page: str | None) -> None:
    assert strays.likely(path) == page


@pytest.mark.parametrize(
    ("look", "page", "changes", "text"),
    [
        (Look(), 1, {}, ""),
        (Look(page=2, sort=0, is_descending=True, x=1, y=3), 4, {}, "page=4&rows=2&sort=0&order=desc&x=1&y=3"),
        (Look(page=2, sort=0), 2, {"sort": 5, "rows": None, "order": "asc"}, "page=2&sort=5&order=asc"),
        (Look(size=7), 1, {"x": "a b"}, "x=a+b"),
    ],
)
def test_a_look_is_kept_in_an_address(look: Look, page: int, changes: dict[str, Any], text: str) -> None:
    assert results.query(look, page, **changes) == text
