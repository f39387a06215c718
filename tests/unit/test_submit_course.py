"""The course of `submit`: what is asked of AWS, what is said, and what comes back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.batch import JobDefinition
from model_dockerize.aws.batch.jobs import Job
from model_dockerize.errors import BatchError, InputError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Run, Work, batch, work
from model_dockerize.pipeline import jobs as submit
from model_dockerize.pipeline.context import Named, Prepared
from model_dockerize.report.facts import Headline, Jobs
from model_dockerize.smoke import Expectation
from tests.rig.told import Calls, Told, run_told

DEFINITION = JobDefinition("arn:iris:3", "iris", 3, existed=True, changed=False, role="arn:role", log_group="/log")
PREPARED = Prepared(Named("iris", "1"), "b", "linux/arm64", Expectation(""))
ACCOUNT: Any = SimpleNamespace()
BUCKET = "bucket"


@dataclass
class Files:
    """Stand in for the files of a definition in S3."""

    there: dict[str, int] = field(default_factory=dict)  # results
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sent: dict[str, Path] = field(default_factory=dict)
    fetched: list[Any] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    prefix, output = "iris/3", "s3://bucket/iris/3/out/{name}"

    def __call__(self, *given: Any) -> "Files":
        self.made.append(given)
        return self

    def source(self, name: str) -> str:
        return f"s3://bucket/iris/3/in/{name}"

    def results(self) -> dict[str, int]:
        return self.there

    def noted(self, ids: Any = None) -> dict[str, tuple[str, ...]]:
        return {each: paths for each, paths in self.notes.items() if ids is None or each in ids}

    def note(self, job: Job) -> None:
        self.notes[job.id] = job.inputs

    def send(self, files: dict[str, Path], _: Any) -> int:
        self.sent |= files
        return len(files)

    def fetch(self, name: str, target: Path, moved: Any) -> None:
        target.write_text(name)
        moved(self.there[name])
        self.fetched.append((name, target))


@dataclass
class Course:
    """One run of `submit`, and all that it asked for."""

    run: Run
    told: Told
    calls: Calls
    files: Files = field(default_factory=Files)
    ends: tuple[str, ...] = ("SUCCEEDED",)
    going: tuple[str, ...] = ()  # ids of jobs of former runs that are under way

    def __post_init__(self) -> None:
        calls = self.calls
        calls.stand_in(submit, "latest_job_definition", DEFINITION)
        calls.stand_in(work, "check_places")
        calls.stand_in(batch, "ensure_queue")
        calls.stand_in(submit, "ensure_bucket", BUCKET)
        calls.stand_in(submit, "send_jobs", self._send)
        calls.stand_in(submit, "follow_to_end", self._follow)
        calls.stand_in(submit, "log_of", ("one", "", "two "))
        calls.stand_in(submit, "underway", lambda _, jobs: tuple(job for job in jobs if job.id in self.going))
        calls.patch.setattr(submit, "JobFiles", self.files)
        calls.patch.setattr(submit, "name_of", lambda path: f"0-{path.name}")

    def _send(self, *given: Any, **_: Any) -> Iterator[Job]:
        for number, path in enumerate(given[4]):
            yield Job(f"job{number}", (path,), "SUBMITTED")

    def _follow(self, *given: Any, **_: Any) -> Iterator[Job]:
        for job, status in zip(given[2], self.ends * 9, strict=False):
            for path in job.inputs:
                name = path.rpartition("/")[2]
                if status == "SUCCEEDED":
                    self.files.there[name] = 7
            yield Job(job.id, job.inputs, status, reason="it was ended", exit_code=3)

    def go(self, asked: Work) -> Outcome:
        return submit.submit(self.run, PREPARED, ACCOUNT, asked)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.chdir(tmp_path)  # results come into it
    run, told = run_told({"job-queue": "fast"})
    return Course(run, told, Calls(monkeypatch))


def test_inputs_in_s3_are_sent_as_they_are(course: Course) -> None:
    asked = Work((), ("s3://in/a.csv", "s3://in/b.csv"), "s3://out/{name}", folders=("data: 2 files",))
    assert course.go(asked) is Outcome.SUCCEEDED
    checked, placed, queued, sent, followed = course.calls.made
    assert checked == ("latest_job_definition", ACCOUNT, "iris")
    assert placed == ("check_places", asked, DEFINITION)
    assert queued[:-1] == ("ensure_queue", course.run, ACCOUNT, "fast", "linux/arm64")
    name, given, named = sent
    assert (name, *given[:6]) == ("send_jobs", ACCOUNT, "fast", "arn:iris:3", "iris", asked.inputs, asked.output)
    assert named == {"once": False}
    name, given, named = followed
    assert (name, *given[:2], named) == ("follow_to_end", ACCOUNT, "fast", {"done": 0})
    assert [job.id for job in given[2]] == ["job0", "job1"]
    assert course.told.lines == [("submit", "info", "data: 2 files")]
    assert course.run.recorder.facts == (
        Jobs("arn:iris:3", 3),
        Headline("2 of 2 jobs; the results are at s3://out/{name}"),
    )


def test_a_retry_is_sent_to_the_same_queue_and_noted(course: Course) -> None:
    course.go(Work((Path("a.csv"),), (), "results"))
    again = course.calls.made[-1][1][3]
    course.calls.made.clear()
    course.files.notes.clear()
    assert [job.id for job in again(["s3://bucket/x"])] == ["job0"]
    ((name, *given),) = course.calls.made
    assert (name, *given[:6]) == (
        *("send_jobs", ACCOUNT, "fast", "arn:iris:3", "iris"),
        *(["s3://bucket/x"], course.files.output),
    )
    assert course.files.notes == {"job0": ("s3://bucket/x",)}


def test_without_a_queue_the_tools_own_is_used_and_logs_hold_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    run, told = run_told()
    course = Course(run, told, Calls(monkeypatch))
    course.go(Work((), ("s3://in/a.csv",), "-"))
    queued = next(call for call in course.calls.made if call[0] == "ensure_queue")
    assert queued[3] == "model-dockerize"
    assert told.lines == [("jobs", "output", f"s3://in/a.csv: {line}") for line in ("one", "", "two ")]
    assert course.calls.made[-1] == (
        "log_of",
        ACCOUNT,
        "/log",
        Job("job0", ("s3://in/a.csv",), "SUCCEEDED", "it was ended", 3),
    )
    assert run.recorder.facts[-1] == Headline("1 of 1 jobs; the results are in the jobs' logs, in /log")


def files_of(folder: Path, *names: str) -> tuple[Path, ...]:
    return tuple(folder / name for name in names)


def test_files_go_by_a_bucket_and_their_results_come_back(course: Course, tmp_path: Path) -> None:
    paths, output = files_of(tmp_path, "a.csv", "b.csv"), str(tmp_path / "results")
    assert course.go(Work(paths, (), output)) is Outcome.SUCCEEDED
    assert next(call[:4] for call in course.calls.made if call[0] == "ensure_bucket") == (
        "ensure_bucket",
        ACCOUNT,
        "iris",
        "arn:role",
    )
    assert course.files.made == [(ACCOUNT, BUCKET, "iris/3")]
    assert course.files.sent == {"0-a.csv": paths[0], "0-b.csv": paths[1]}
    _, given, named = next(call for call in course.calls.made if call[0] == "send_jobs")
    sources = ("s3://bucket/iris/3/in/0-a.csv", "s3://bucket/iris/3/in/0-b.csv")
    assert (given[4], given[5], named) == (sources, course.files.output, {"once": True})
    assert course.files.notes == {"job0": sources[:1], "job1": sources[1:]}
    assert course.files.fetched == [(f"0-{path.name}", tmp_path / "results" / path.name) for path in paths]
    assert course.told.lines == [
        ("submit", "info", "2 of 2 files sent to s3://bucket/iris/3"),
        ("jobs", "info", f"2 results in {output}"),
    ]
    assert course.run.recorder.facts[-1] == Headline(f"2 of 2 jobs; 2 results in {output}")


def test_what_is_done_or_under_way_is_not_sent_again(course: Course, tmp_path: Path) -> None:
    paths = files_of(tmp_path, "a.csv", "b.csv", "c.csv")
    course.files.there = {"0-a.csv": 5, "0-z.csv": 9}
    course.files.notes = {
        "old": ("s3://bucket/iris/3/in/0-b.csv",),
        "other": ("s3://x/0-y.csv",),
        "over": ("s3://x/0-c.csv",),
    }
    course.going = ("old", "other")
    course.go(Work(paths, (), str(tmp_path / "results"), bucket="mine"))
    assert "ensure_bucket" not in course.calls.names
    assert course.files.made == [(ACCOUNT, "mine", "iris/3")]
    assert course.files.sent == {"0-c.csv": paths[2]}
    assert course.told.lines[:2] == [
        ("submit", "info", "1 of 3 files are left to do: 1 have a result, 1 are under way"),
        ("submit", "info", "1 of 3 files sent to s3://mine/iris/3"),
    ]
    _, given, named = next(call for call in course.calls.made if call[0] == "follow_to_end")
    assert [(job.id, job.inputs) for job in given[2]] == [
        ("old", ("s3://bucket/iris/3/in/0-b.csv",)),
        ("job0", ("s3://bucket/iris/3/in/0-c.csv",)),
    ]
    assert named == {"done": 1}
    assert [name for name, _ in course.files.fetched] == ["0-a.csv", "0-b.csv", "0-c.csv"]


def test_results_in_the_log_do_not_come_back(course: Course, tmp_path: Path) -> None:
    course.files.there = {"0-a.csv": 5}
    course.files.notes = {"old": ("s3://bucket/iris/3/in/0-a.csv",)}
    course.going = ("old",)
    course.go(Work(files_of(tmp_path, "a.csv"), (), "-"))
    assert course.files.sent.keys() == {"0-a.csv"}
    _, given, named = next(call for call in course.calls.made if call[0] == "send_jobs")
    assert (given[5], named) == ("-", {"once": False})
    assert course.files.fetched == []
    assert [text for stage, _, text in course.told.lines if stage == "jobs"] == [
        f"{tmp_path}/a.csv: {line}" for line in ("one", "", "two ")
    ]


def test_jobs_without_a_role_cannot_read_files(course: Course, tmp_path: Path) -> None:
    course.calls.stand_in(submit, "latest_job_definition", JobDefinition("a", "iris", 3, existed=True, changed=False))
    with pytest.raises(InputError) as refused:
        course.go(Work(files_of(tmp_path, "a.csv"), (), "results"))
    assert str(refused.value) == "The jobs of iris have no role, so they can read no file from S3."
    assert refused.value.remedy == "Give them one: task-role, then model-dockerize batch FOLDER."
    assert "send_jobs" not in course.calls.names


def test_results_of_the_jobs_that_succeeded_come_back_before_the_others_are_told(
    course: Course, tmp_path: Path
) -> None:
    course.ends = ("FAILED", "SUCCEEDED")
    output = str(tmp_path / "results")
    with pytest.raises(BatchError) as failed:
        course.go(Work(files_of(tmp_path, "a.csv", "b.csv"), (), output))
    assert str(failed.value) == f"1 of 2 jobs failed; 1 results in {output}."
    assert failed.value.remedy == (
        "Their logs are below. Correct the inputs or the program, then run the same command again: only what has no "
        "result is sent."
    )
    reason = f"{tmp_path}/a.csv: two, exit code 3 (job job0)"
    assert failed.value.details == (f"{reason}\none\ntwo ",)
    assert ("jobs", "output", reason) in course.told.lines
    assert "cancel" not in {stage for stage, *_ in course.told.lines}


@pytest.mark.parametrize(
    ("log", "reason", "code", "text"),
    [
        ((), "it was ended", None, "it was ended (job j)"),
        ((), "", 3, "no reason given, exit code 3 (job j)"),
        ((" ", "one line "), "r", 0, "one line, exit code 0 (job j)"),
    ],
)
def test_of_a_failed_job_the_last_line_is_told_else_what_aws_says(
    log: tuple[str, ...], reason: str, code: int | None, text: str
) -> None:
    assert submit._why("a.csv", Job("j", ("x",), "FAILED", reason, code), log) == (f"a.csv: {text}",)


@pytest.mark.parametrize("many", [5, 6, 20, 21])
def test_many_failures_are_told_in_part(many: int) -> None:
    error = submit._failure([str(n) for n in range(many)], 30, submit.Sending((), "-", {}), "")
    assert str(error) == f"{many} of 30 jobs failed."
    logs = "Their logs are below." if many == 5 else "The logs of the first 5 are below."
    assert error.remedy == f"{logs} Correct the inputs or the program, then submit those again."
    assert error.details == (*map(str, range(min(many, 20))), *(["and 1 more"] if many == 21 else []))


def test_beyond_twenty_failures_no_log_is_read(course: Course, tmp_path: Path) -> None:
    course.ends = ("FAILED",)
    with pytest.raises(BatchError):
        course.go(Work((), tuple(f"s3://in/{n}" for n in range(9)), "-"))
    assert course.calls.names.count("log_of") == 9
    course.calls.made.clear()
    course._follow = lambda *given, **_: (Job("j", job.inputs, "FAILED", "r") for job in given[2])  # type: ignore[method-assign]
    course.calls.stand_in(submit, "follow_to_end", course._follow)
    with pytest.raises(BatchError):
        course.go(Work((), tuple(f"s3://in/{n}" for n in range(22)), "-"))
    assert course.calls.names.count("log_of") == 20
    assert course.told.lines.count(("jobs", "output", "s3://in/4: two (job j)")) == 1
    assert ("jobs", "output", "s3://in/5: two (job j)") not in course.told.lines


def test_a_result_that_cannot_be_written_is_said_with_what_helps(course: Course, tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(InputError) as refused:
        course.go(Work(files_of(tmp_path, "a.csv"), (), str(tmp_path / "results")))
    assert str(refused.value) == f"A result cannot be written to {tmp_path}/results: File exists."
    assert refused.value.remedy == "Make room there, and run the same command again: nothing is computed twice."


@pytest.mark.parametrize("stage", ["submit", "jobs"])
@pytest.mark.parametrize("on_cancel", ["leave", "rollback"])
def test_cancelled_it_says_what_goes_on_or_ends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: str, on_cancel: str
) -> None:
    run, told = run_told({"on-cancel": on_cancel})
    course = Course(run, told, Calls(monkeypatch))
    going = (Job("job0", ("a", "b"), "RUNNING"), Job("job1", ("c",), "RUNNING"))
    course.calls.stand_in(submit, "underway", going)
    course.calls.stand_in(submit, "end_jobs", going[:1])

    def interrupted(*given: Any, **_: Any) -> Iterator[Job]:
        yield from course._send(*given) if stage == "submit" else ()
        raise KeyboardInterrupt

    course.calls.stand_in(submit, "send_jobs" if stage == "submit" else "follow_to_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        course.go(Work(files_of(tmp_path, "a.csv"), (), str(tmp_path / "results")))
    said = [(level, text) for where, level, text in told.lines if where == "cancel"]
    many = [("warning", f"Job job0 for 2 inputs goes on. End it: {END} job0")]
    one = [("warning", f"Job job1 goes on. End it: {END} job1")]
    ended = [("info", "1 of 2 jobs that were under way were told to end.")]
    last = [("info", "The same command follows what goes on, and fetches the results. Nothing is sent twice.")]
    assert said == ([*ended, *many] if on_cancel == "rollback" else [*many, *one]) + last
    if on_cancel == "rollback":
        assert course.calls.made[-1] == ("end_jobs", ACCOUNT, going, "model-dockerize submit was cancelled")


END = "aws batch terminate-job --reason cancelled --job-id"


def test_cancelled_before_anything_was_sent_nothing_is_looked_after(course: Course) -> None:
    course.calls.stand_in(submit, "send_jobs", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        course.go(Work((), ("s3://in/a.csv",), "-"))
    assert "underway" not in course.calls.names
