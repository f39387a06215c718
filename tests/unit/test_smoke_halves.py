"""`smoke-test`: which half of the proof a run makes, and what it says of the other."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.errors import DeployedSmokeError, InputError
from model_dockerize.image import Cache
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import deployed, make, operate
from model_dockerize.pipeline.context import FromFolder, Run, smoke_report
from model_dockerize.pipeline.smoke import test as smoke_command
from model_dockerize.report import CheckReport, Recorder, SmokeReport, facts
from model_dockerize.settings import Given, Settings, to_settings
from model_dockerize.smoke import Check, Expectation, SmokeResult
from tests.rig.deployer import Quiet
from tests.rig.reports import so_far

_IRIS: Any = SimpleNamespace(name="iris", task_definition_arn="iris:1", proving=False, shifts=False, sampled=())


def settings(text: str) -> Settings:
    return to_settings([{"smoke-test": Given(text, "smoke-test", Path())}])


@pytest.mark.parametrize(
    ("text", "of_image", "of_service"),
    [
        ("", True, True),
        ("true", True, True),
        ("TRUE", True, True),
        ("image", True, False),
        ("Service", False, True),
        ("false", False, False),
    ],
)
def test_the_two_halves(text: str, of_image: bool, of_service: bool) -> None:
    smoke = settings(text).smoke
    assert (smoke.of_image, smoke.of_service) == (of_image, of_service)


def test_another_word_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        settings("local")
    assert refused.value.details == ("smoke-test: 'local' is neither true nor false, nor image or service",)


@pytest.mark.parametrize(("text", "tested"), [("true", True), ("image", True), ("service", False), ("false", False)])
def test_the_image_is_tested_or_it_is_said(monkeypatch: pytest.MonkeyPatch, text: str, tested: bool) -> None:
    calls: list[str] = []
    monkeypatch.setattr(make, "obtain", lambda *_: "the image")
    monkeypatch.setattr(make, "smoke_local", lambda *_: calls.append("asked"))
    run = Run(settings(text), {}, Recorder(Quiet()))
    nothing: Any = None
    make.build(run, nothing, nothing, Cache("none"))
    assert bool(calls) is tested
    assert so_far(run).untested == (() if tested else ("image",))
    assert run.recorder.stages[0].status == ("done" if tested else "skipped")


class Heard(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, _stage: str, _level: str, text: str, *_: Any) -> None:
        self.lines.append(text)


def marked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    marks: list[str] = []
    monkeypatch.setattr(operate.ecs, "mark_proving", lambda _, service, *__: marks.append("proving") or service)
    monkeypatch.setattr(operate.ecs, "mark_proved", lambda *_: marks.append("proved"))
    return marks


def went_back(monkeypatch: pytest.MonkeyPatch) -> None:
    over = SimpleNamespace(outcome=Outcome.DEPLOYED, pause=None, running_task_definition_arn="iris:1")
    monkeypatch.setattr(operate.history, "revisions", lambda *_: ())
    monkeypatch.setattr(operate.ecs, "put_back", lambda _, service, *__: service)
    monkeypatch.setattr(operate.ecs, "follow", lambda *_, **__: over)


def prepared() -> FromFolder:
    model: Any = SimpleNamespace(name="iris", version="1")
    return FromFolder(model, "b", "linux/amd64", Expectation(build_id="b"), "FROM scratch", "1")


@pytest.mark.parametrize(("text", "tested"), [("true", True), ("service", True), ("image", False), ("false", False)])
def test_a_service_that_went_back_is_tested_or_it_is_said(
    monkeypatch: pytest.MonkeyPatch, text: str, tested: bool
) -> None:
    calls: list[str] = []
    now = SimpleNamespace(
        service=_IRIS,
        tags={},
        desired=1,
    )
    monkeypatch.setattr(operate, "_running", lambda *_: now)
    monkeypatch.setattr(operate, "_target", lambda *_: "iris:1")
    monkeypatch.setattr(operate, "_tell", lambda *_: None)
    marks = marked(monkeypatch)
    went_back(monkeypatch)
    monkeypatch.setattr(operate.ground, "as_deployed", lambda _, service, *__: service)
    monkeypatch.setattr(operate.deployed, "address", lambda *_: None)
    monkeypatch.setattr(operate, "_prove", lambda *_: calls.append("asked"))
    run = Run(settings(text), {}, Recorder(Quiet()))
    nothing: Any = None
    assert operate.rollback(run, nothing, prepared(), "") is Outcome.DEPLOYED
    assert bool(calls) is tested
    assert marks == ["proving", "proved"]
    assert so_far(run).untested == (() if tested else ("service",))


def test_a_service_that_went_back_and_does_not_answer_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(
        service=_IRIS,
        tags={},
        desired=1,
        image="r@sha256:d",
    )
    monkeypatch.setattr(operate, "_running", lambda *_: now)
    monkeypatch.setattr(operate, "_target", lambda *_: "iris:1")
    monkeypatch.setattr(operate, "_tell", lambda *_: None)
    marks = marked(monkeypatch)
    went_back(monkeypatch)
    monkeypatch.setattr(operate.ground, "as_deployed", lambda _, service, *__: service)
    monkeypatch.setattr(operate.ecr, "version_and_build", lambda *_: ("", "b"))
    monkeypatch.setattr(operate.deployed, "address", lambda *_: None)
    monkeypatch.setattr(operate.deployed, "smoke_deployed", lambda *_: ("/health: 500",))
    run = Run(settings("true"), {}, Recorder(Quiet()))
    nothing: Any = None
    with pytest.raises(DeployedSmokeError) as failed:
        operate.rollback(run, nothing, prepared(), "")
    assert failed.value.outcome is Outcome.FAILED
    assert marks == ["proving"]


def test_a_service_that_went_back_is_not_said_to_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = SimpleNamespace(name="iris", task_definition_arn="iris:1")
    former: Any = SimpleNamespace(service=definition, image="r@sha256:d")
    monkeypatch.setattr(operate.ecr, "version_and_build", lambda *_: ("", "b"))
    monkeypatch.setattr(operate.deployed, "smoke_deployed", lambda *_: ())
    display = Heard()
    nothing: Any = None
    run = Run(settings("true"), {}, Recorder(display))
    operate._prove(run, nothing, prepared(), former, nothing, None, "2")
    assert operate.NOT_COMPARED in display.lines


@pytest.mark.parametrize(
    ("checks", "expected"),
    [((), False), (("reachable", "swagger"), False), (("add-job", "result"), True)],
)
def test_only_a_result_shows_that_the_program_ran(checks: tuple[str, ...], expected: bool) -> None:
    run = Run(settings("true"), {}, Recorder(Quiet()))
    good, bad = (tuple(CheckReport(name, passed, 0.1, "") for name in checks) for passed in (True, False))
    run.recorder.found(facts.SmokeTested("image", SmokeReport(True, (CheckReport("result", True, 0.1, ""),))))
    assert not deployed.answered_sample(run)
    run.recorder.found(facts.SmokeTested("service", SmokeReport(True, good)))
    assert deployed.answered_sample(run) is expected
    run.recorder.found(facts.SmokeTested("service", SmokeReport(False, bad)))
    assert not deployed.answered_sample(run)


def test_the_report_shows_a_check_as_it_ended() -> None:
    checks = (Check("health", True, 0.5, "ok"), Check("result", False, 2.0, "another one"))
    told = smoke_report(SmokeResult("http://m", checks), Expectation(""))
    assert told.checks == (CheckReport("health", True, 0.5, "ok"), CheckReport("result", False, 2.0, "another one"))


def test_the_command_smoke_checks_first_what_would_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    passed = SmokeResult("http://m", ())

    def note(name: str, value: object = None) -> Any:
        def called(*_: object, **__: object) -> object:
            order.append(name)
            return value

        return called

    monkeypatch.setattr(make, "prepare", note("prepare"))
    for name in ("engine_for", "check", "cache", "obtain"):
        monkeypatch.setattr(make, name, note(name))
    monkeypatch.setattr(make, "smoke_local", note("smoke_local", passed))
    smoke_command(Run(to_settings([]), {}, Recorder(Quiet())))
    assert order == ["prepare", "engine_for", "check", "cache", "obtain", "smoke_local"]
