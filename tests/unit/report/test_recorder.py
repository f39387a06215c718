"""The recorder: what happened, in order, and never a secret."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.report import Level, Recorder, StageResult


class Kept:
    """A Display that keeps what it was shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ended: list[StageResult] = []
        self.secrets: list[str] = []

    def begin(self, stage: str) -> None:
        self.lines.append(f"begin {stage}")

    def end(self, result: StageResult) -> None:
        self.ended.append(result)

    def line(self, stage: str, level: Level, text: str, file: Path | None = None, line: int | None = None) -> None:
        self.lines.append(text)

    def transfer(self, stage: str, what: str, done: int, total: int) -> None: ...

    def tick(self) -> None: ...

    def secret(self, value: str) -> None:
        self.secrets.append(value)


def test_a_stage_ends_as_it_says() -> None:
    recorder = Recorder(Kept())
    with recorder.stage("push") as stage:
        stage.unchanged("already there")
    with recorder.stage("build"):
        pass
    with recorder.stage("archive") as stage:
        stage.skipped("not asked for")
    assert [(result.name, result.status) for result in recorder.stages] == [
        ("push", "unchanged"),
        ("build", "done"),
        ("archive", "skipped"),
    ]


def test_an_exception_marks_the_stage_failed_and_goes_on() -> None:
    recorder = Recorder(Kept())
    with pytest.raises(KeyboardInterrupt), recorder.stage("build"):
        raise KeyboardInterrupt
    assert recorder.stages[0].status == "failed"


@given(st.text(min_size=4, alphabet=st.characters(exclude_categories=["Z", "C"])), st.text(), st.text())
def test_a_secret_is_never_shown(secret: str, before: str, after: str) -> None:
    display = Kept()
    recorder = Recorder(display)
    recorder.secret(secret)
    with recorder.stage("push") as stage:
        stage.info(f"{before}{secret}{after}")
        stage.warning(f"{secret}")
        stage.output(secret * 2)
    shown = [line for line in display.lines if line != "begin push"]
    assert all(secret not in line for line in shown) or secret in "***"
    assert display.secrets == [secret]


def test_each_line_of_a_secret_is_one() -> None:
    display = Kept()
    recorder = Recorder(display)
    recorder.secret("first-line\nsecond-line\n\n")
    recorder.line("x", "output", "has second-line in it\nand first-line")
    assert display.lines == ["has *** in it", "and ***"]


def test_stages_may_run_side_by_side() -> None:
    recorder = Recorder(Kept())

    def work(number: int) -> None:
        with recorder.stage(f"stage-{number}") as stage:
            for _ in range(50):
                stage.info("word")
            stage.warning(f"w{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert {result.name for result in recorder.stages} == {f"stage-{number}" for number in range(8)}
    assert sorted(recorder.warnings) == [f"w{number}" for number in range(8)]
