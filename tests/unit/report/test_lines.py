"""A run takes few lines: a good stage one, a first run 30, one without changes 15 (16 at 80 columns)."""

import io
import re

import pytest
from rich.live import Live

from model_dockerize.answer import read
from model_dockerize.errors import BuildError, RolloutError
from model_dockerize.outcome import Outcome
from model_dockerize.report import CheckReport, Failure, Recorder, Report, SmokeReport, StageResult
from model_dockerize.report.console import ConsoleDisplay, Verbosity
from model_dockerize.report.model import Status

#: Name, seconds, what became of it, last words: as a run against the sandbox has them.
FIRST = (
    ("program", 1, "done", "iris:latest runs python main.py {input} {output} on python:3.13-slim-trixie"),
    ("sandbox", 16, "done", "AWS on this computer: http://127.0.0.1:60919"),
    ("check", 1, "done", "us-east-1, as arn:aws:iam::123456789012:root"),
    ("foundations", 7, "done", "new: role AWSServiceRoleForECS, stack model-dockerize, stack model-dockerize-iris"),
    ("build", 95, "done", "iris:latest: 174 MB, 9 steps ran, 0 cached"),
    ("smoke-local", 5, "done", "10 checks passed; result: 515 bytes, as expected.csv"),
    ("push", 3, "done", "iris:latest is sha256:524b47d6ae5a"),
    ("deploy", 19, "done", "service iris: deployed after 19 s"),
    ("smoke-deployed", 4, "done", "10 checks passed; result: 515 bytes, as expected.csv"),
    ("batch", 0, "done", "job definition iris:1: new"),
)
AGAIN = {"foundations", "build", "smoke-local", "push", "deploy", "batch"}
OPEN = (
    "Anyone on the internet can use the model, see and delete its jobs. Set allow-from (who may connect), api-key (who "
    "may ask), or both."
)
ROWS = (
    b"sepal_length,sepal_width,petal_length,petal_width,species,probability\n" + b"5.1,3.5,1.4,0.2,setosa,0.98\n" * 10
)
GREEN = Report(
    Outcome.DEPLOYED,
    image="iris:latest",
    image_uri="127.0.0.1:60919/iris@sha256:524b47d6ae5abe342f0cf818ebcdadddff094d7905819825244dfb9e4f3098f4",
    job_definition_arn="arn:aws:batch:us-east-1:123456789012:job-definition/iris:1",
    job_definition_revision=1,
    url="http://127.237.247.1",
    access="anyone on the internet",
    lasts="changes with the next deployment; load-balancer: true keeps one (about 24 US dollars a month)",
    smoke_deployed=SmokeReport(True, (CheckReport("result", True, 0.1, ""),), (), read(ROWS)),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(
    report: Report,
    ends: dict[str, Status],
    is_terminal: bool = False,
    verbosity: Verbosity = "normal",
    until: str = "batch",
) -> list[str]:
    """Play the events of a run, a second at a time; return its lines on both streams."""
    now, out = [0.0], Terminal() if is_terminal else io.StringIO()
    display = ConsoleDisplay(out, out, verbosity, lambda: now[0])
    with display:
        recorder = Recorder(display)
        for name, seconds, done, words in FIRST:
            status = ends.get(name, done)
            display.begin(name)
            for second in range(seconds if status != "unchanged" else 0):
                now[0] += 1
                recorder.line(name, "output", f"a line of the step, the {second}th")
                display.tick()
            if name == "foundations":
                recorder.line(name, "warning", OPEN)
            recorder.line(name, "info", words)
            display.end(StageResult(name, status, seconds))
            if name == until:
                break
    display.finish(report)
    return re.sub(r"\x1b\[\d*m", "", out.getvalue()).splitlines()


@pytest.fixture(autouse=True, params=[80, 100])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(Live, "start", lambda _: None)  # what moves is no line that stays


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_first_run_takes_30_lines(is_terminal: bool) -> None:
    assert 15 < len(shown(GREEN, {}, is_terminal)) <= 30


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_run_that_changes_nothing_takes_15_lines(is_terminal: bool) -> None:
    lines = shown(GREEN.with_(outcome=Outcome.UNCHANGED), dict.fromkeys(AGAIN, "unchanged"), is_terminal)
    assert len(lines) <= (16 if is_terminal else 15)
    told = "\n".join(lines)
    assert all(name in told for name in AGAIN)


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (BuildError("It did not build: two versions.", "Loosen one.", tuple(f"line {n}" for n in range(21))), "build"),
        (RolloutError("It failed: it died.", "Correct it.", tuple(f"line {n}" for n in range(16))), "deploy"),
    ],
)
def test_a_failure_says_what_and_what_to_do_before_a_short_log(
    error: BuildError | RolloutError, stage: str, is_terminal: bool
) -> None:
    report = Report(failure=Failure.of(error))
    lines = [line.strip() for line in shown(report, {stage: "failed"}, is_terminal, until=stage)]
    assert len(lines) <= 30
    plain = "\n".join(lines)
    assert plain.index(str(error)) < plain.index(error.remedy) < plain.index("line 0") < plain.index(error.details[-1])
    assert len([line for line in lines if line.startswith("line ")]) == 8
    assert f"… {len(error.details) - 8} more lines with -v" in plain
    whole = "\n".join(shown(report, {stage: "failed"}, is_terminal, "verbose", until=stage))
    assert all(line in whole for line in error.details)


def test_problems_of_the_input_are_all_told() -> None:
    failure = Failure("input", 3, "30 problems.", "Correct them.", tuple(f"problem {n}" for n in range(30)))
    assert "\n".join(shown(Report(failure=failure), {}, until="program")).count("problem ") == 30


def test_with_v_an_unchanged_stage_has_its_own_line_and_all_facts_are_told() -> None:
    lines = shown(GREEN.with_(outcome=Outcome.UNCHANGED), dict.fromkeys(AGAIN, "unchanged"), verbosity="verbose")
    assert sum(line.startswith("= ") for line in lines) == len(AGAIN)
    assert {"image", "batch", "pages"} <= {line.split(maxsplit=1)[0] for line in lines if line}


def test_with_q_the_address_is_all() -> None:
    assert shown(GREEN, {}, verbosity="quiet") == [GREEN.url]
