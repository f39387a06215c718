"""`smoke --keep`: the answer becomes the expected one, and nothing else is written. It is named where it may help."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from model_dockerize import image, pipeline
from model_dockerize.errors import SmokeError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Run, make
from model_dockerize.report import Recorder
from model_dockerize.settings import Given, to_settings
from model_dockerize.smoke import Check, Expectation, SmokeResult
from tests.rig.deployer import Quiet
from tests.rig.reports import reported


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text("print()\n", encoding="utf-8")
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "input.csv").write_text("a\n1\n", encoding="utf-8")
    return tmp_path


def kept(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, detail: str = "the same bytes") -> Any:
    """Keep what a model at an address answers; return the report."""
    result = SmokeResult("http://m", (Check("result", True, 0.1, ""), Check("repeat", True, 0.1, detail)), (), content)

    def prove(_: Run, prepared: Any, *__: object) -> SmokeResult:
        assert prepared.expectation.sample_expected is None
        return result

    monkeypatch.setattr(make, "prove", prove)
    given = {"program-path": str(folder), "smoke-url": "http://m"}
    settings = to_settings([{name: Given(text, name, Path()) for name, text in given.items()}])
    return reported(Run(settings, {}, Recorder(Quiet())), lambda run: pipeline.smoke(run, keep=True))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"a,b\n1,2\n", "expected.csv"),
        (b'[{"a": 1}]', "expected.json"),
        (b"words", "expected.txt"),
        (b"\x89PNG\r\n\x1a\n..", "expected.png"),
        (b"\x80", "expected.bin"),
    ],
)
def test_the_answer_is_written_as_what_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, name: str
) -> None:
    report = kept(folder, monkeypatch, content)
    assert (report.outcome, report.headline) == (
        Outcome.WRITTEN,
        f"{folder}/smoke/{name}: check it, then commit it",
    )
    assert {path.name for path in (folder / "smoke").iterdir()} == {"input.csv", name}
    assert (folder / "smoke" / name).read_bytes() == content


def test_a_wrong_expected_answer_is_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "smoke" / "expected.csv").write_text("wrong", encoding="utf-8")
    assert kept(folder, monkeypatch, b"a,b\n1,2\n").failure is None
    assert (folder / "smoke" / "expected.csv").read_bytes() == b"a,b\n1,2\n"


def test_answers_that_differ_are_warned_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = kept(folder, monkeypatch, b"x", "2 more jobs, the bytes differ from job to job")
    assert [warning for warning in report.warnings if "differently from job to job" in warning]


def test_a_link_in_the_folder_is_not_written_through(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = folder.parent / "outside.txt"
    outside.write_text("theirs", encoding="utf-8")
    (folder / "smoke" / "expected.csv").symlink_to(outside)
    assert kept(folder, monkeypatch, b"a,b\n1,2\n").failure
    assert outside.read_text(encoding="utf-8") == "theirs"


def test_without_a_sample_there_is_nothing_to_keep(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "smoke" / "input.csv").unlink()
    assert kept(folder, monkeypatch, b"x").exit_code == 2


@pytest.mark.parametrize(
    ("check", "is_named"),
    [
        ("result: not the result of expected.csv: row 3, column 2 (n): expected 1, got 2", True),
        ("repeat: not the result of expected.csv: row 3, column 2 (n): expected 1, got 2", False),
        ("status: the job ended as Error: no message", False),
    ],
)
def test_a_wrong_answer_is_said_to_be_kept_if_it_is_right(
    folder: Path, monkeypatch: pytest.MonkeyPatch, check: str, is_named: bool
) -> None:
    name, _, detail = check.partition(": ")
    result = SmokeResult("http://m", (Check(name, False, 0.1, detail),))
    monkeypatch.setattr(make, "prove", lambda *_: result)
    monkeypatch.setattr(image, "run", lambda *_, **__: nullcontext(SimpleNamespace(urls=(), logs=lambda _: "a line")))
    run = Run(to_settings([]), {}, Recorder(Quiet()))
    built, prepared = SimpleNamespace(id="1", ref="iris:1"), SimpleNamespace(expectation=Expectation(""))
    with run.recorder.stage("smoke-local") as stage, pytest.raises(SmokeError) as failed:
        make.smoke_local(run, cast(Any, prepared), cast(Any, None), cast(Any, built), stage)
    assert ("smoke FOLDER --keep" in failed.value.remedy) is is_named
    assert "Correct the program" in failed.value.remedy
    at_address = Given("http://m", "smoke-url", Path())
    run.settings = to_settings([{"smoke-url": at_address, "program-path": Given(str(folder), "", Path())}])
    report = reported(run, pipeline.smoke)
    assert report.failure and ("smoke FOLDER --keep" in report.failure.remedy) is is_named


def test_another_build_is_told_with_what_tests_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detail = "another build answers: expected 12ab, /health says 34cd"
    result = SmokeResult("http://m", (Check("build-id", False, 0.1, detail),))
    monkeypatch.setattr(make, "prove", lambda *_: result)
    given = {"program-path": str(folder), "smoke-url": "http://m"}
    settings = to_settings([{name: Given(text, name, Path()) for name, text in given.items()}])
    report = reported(Run(settings, {}, Recorder(Quiet())), pipeline.smoke)
    assert report.failure
    assert "model-dockerize run FOLDER" in report.failure.remedy
    assert "model-dockerize smoke --service NAME" in report.failure.remedy
    assert "model-dockerize ask http://m FILE" in report.failure.remedy
