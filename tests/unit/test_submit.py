"""Test what `submit` tells of jobs that failed."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.batch import JobDefinition
from model_dockerize.aws.batch.jobs import Job
from model_dockerize.errors import BatchError
from model_dockerize.pipeline import Work
from model_dockerize.pipeline import jobs as submit
from model_dockerize.report import Failure, Recorder, Report
from model_dockerize.report.console import ConsoleDisplay, Verbosity
from tests.rig.progress import Said
from tests.unit.test_log_lines import CODE, JOB, TRACEBACK

LOG = (*(f"{JOB} | {line}" for line in TRACEBACK), f"model-server: {TRACEBACK[0]}", *TRACEBACK[1:])


def failed(monkeypatch: pytest.MonkeyPatch, many: int, verbosity: Verbosity = "normal") -> tuple[str, BatchError]:
    """Let jobs fail; return what a terminal shows, and the error."""
    ended = [Job(str(n), (f"{n}.csv",), "FAILED", exit_code=1) for n in range(many)]
    monkeypatch.setattr(submit, "follow_to_end", lambda *_, **__: iter(ended))
    monkeypatch.setattr(submit, "log_of", lambda *_: LOG)
    account: Any = None
    definition = JobDefinition("arn", "iris", 3, existed=True, changed=False)
    sending = submit.Sending((), "-", {})
    out = io.StringIO()
    display = ConsoleDisplay(out, out, verbosity)
    with display, Recorder(display).stage("jobs") as stage:
        found = submit._follow(account, "q", definition, "iris", sending, stage)
    error = submit._failure(found, many, sending, "")
    display.finish(Report(failure=Failure.of(error)))
    return out.getvalue(), error


def test_a_traceback_is_shown_once_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    told, _ = failed(monkeypatch, 1)
    assert len(told.splitlines()) < 25
    assert told.count(CODE) == 1, "the place in the program"
    assert told.count("KeyError: 'tenure'") == 3, "at once, as the reason, and at the traceback's end"
    assert JOB not in told and "model-server:" not in told
    assert "Their logs are below" in told and "more lines with -v" in told


def test_with_v_the_traceback_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    told, _ = failed(monkeypatch, 1, "verbose")
    assert [told.count(line) for line in TRACEBACK[:-1]] == [1] * len(TRACEBACK[:-1])


def test_of_many_the_first_have_their_log_and_the_others_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told, error = failed(monkeypatch, 30)
    assert told.count(CODE) == 5
    assert [detail.partition(":")[0] for detail in error.details[:20]] == [f"{n}.csv" for n in range(20)]
    assert error.details[20:] == ("and 10 more",)


@pytest.mark.parametrize(
    ("output", "where"),
    [
        ("-", "the results are in the jobs' logs, in /model-dockerize/iris"),
        ("s3://b/{name}.csv", "the results are at s3://b/{name}.csv"),
    ],
)
def test_the_last_words_say_where_the_results_are(output: str, where: str) -> None:
    definition = JobDefinition("arn", "iris", 3, existed=True, changed=False, log_group="/model-dockerize/iris")
    assert submit._where(Work((), ("s3://b/a",), output), definition) == where


@pytest.mark.parametrize(("on_cancel", "told", "left"), [("leave", [], ["1", "2"]), ("rollback", ["1", "2"], ["2"])])
def test_cancelled_it_ends_its_jobs_if_that_is_wanted_and_names_those_that_go_on(
    monkeypatch: pytest.MonkeyPatch, on_cancel: str, told: list[str], left: list[str]
) -> None:
    going = tuple(Job(number, (f"{number}.csv",), "RUNNING") for number in ("1", "2"))
    ended = list[str]()

    def end(_: object, jobs: tuple[Job, ...], __: str) -> tuple[Job, ...]:
        ended.extend(job.id for job in jobs)
        return jobs[1:]  # the second cannot be ended

    monkeypatch.setattr(submit, "underway", lambda *_: going)
    monkeypatch.setattr(submit, "end_jobs", end)
    account: Any = None
    said = Said()
    submit._leave_or_end(account, submit.Sending((), "-", {}, jobs=list(going)), on_cancel, said)
    assert ended == told
    assert [warning.split()[1] for warning in said.warnings] == left


def test_whatever_ends_it_but_a_jobs_failure_its_jobs_are_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    going = (Job("1", ("a.csv",), "RUNNING"),)
    monkeypatch.setattr(submit, "underway", lambda *_: going)
    account: Any = None
    out = io.StringIO()
    with ConsoleDisplay(out, out, "normal") as display:
        settings = SimpleNamespace(service=SimpleNamespace(on_cancel="leave"))
        run: Any = SimpleNamespace(recorder=Recorder(display), settings=settings)
        for error, named in ((BatchError("it failed"), False), (KeyboardInterrupt(), True)):
            sending = submit.Sending((), "-", {}, jobs=list(going))
            with pytest.raises(type(error)), submit._cancelled(run, account, sending):
                raise error
            assert ("Job 1 goes on" in out.getvalue()) is named


def test_results_come_into_the_folder_of_their_name(tmp_path: Path) -> None:
    inputs = (Path("a.csv"), Path("b.csv"))
    files: Any = SimpleNamespace(results=lambda: {"0-a": 1}, fetch=lambda _, target, __: target.write_bytes(b"1"))
    work = Work(inputs, (), str(tmp_path / "results" / "{name}" / "scores.csv"))
    said = Said()
    told = submit._fetch(submit.Sending((), "", {}, files, ("0-a", "0-b")), work, said)
    assert told == f"1 results in {work.output}"
    assert [path.relative_to(tmp_path).parts[-1] for path in tmp_path.rglob("*.csv")] == ["scores.csv"]
