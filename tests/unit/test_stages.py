"""The one list of stages: who walks it, in which order, and what becomes of the stage beside another."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws import ecr
from model_dockerize.aws.batch import JobDefinition
from model_dockerize.aws.client import TO_COME, Aws
from model_dockerize.aws.ecr import PushedImage
from model_dockerize.aws.model import Change, Runtime
from model_dockerize.errors import AwsError, BuildError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import batch, doctor_aws, everything, make
from model_dockerize.pipeline.checks import Checks
from model_dockerize.pipeline.context import Named, Prepared, Run
from model_dockerize.pipeline.everything import carry_out
from model_dockerize.pipeline.release import Release, Stage
from model_dockerize.pipeline.stages import FOUNDATIONS, JOBS, PUSHED, SERVICE, STAGES
from model_dockerize.pipeline.stages.foundations import told
from model_dockerize.progress import Silent
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from model_dockerize.settings.sources import from_flags
from model_dockerize.smoke import Expectation
from tests.rig.deployer import Quiet
from tests.rig.reports import so_far

RUNTIME = Runtime("arn:execution", "arn:task", "/log", fresh_roles=False)


def release(uri: str = "") -> Release:
    prepared = Prepared(Named("iris", "1"), "b", "linux/amd64", Expectation(""))
    nothing: Any = None
    return Release(Run(to_settings([]), {}, Recorder(Quiet())), prepared, nothing, uri=uri)


def stage(name: str, does: Callable[[Release], Release], wanted: bool = True, **more: Any) -> Stage:
    return Stage(name, lambda _: wanted, does, lambda given, _: does(given), **more)


def adds(name: str) -> Stage:
    return stage(name, lambda given: replace(given, uri=f"{given.uri}{name}"))


def test_run_plan_and_doctor_walk_one_list() -> None:
    assert everything.STAGES is doctor_aws.STAGES is STAGES


def test_jobs_come_after_the_service_and_both_after_what_they_need() -> None:
    places = [STAGES.index(each) for each in (FOUNDATIONS, PUSHED, SERVICE, JOBS)]
    assert places == sorted(places)


def test_the_foundations_name_what_is_new_and_what_was_changed() -> None:
    made = [Change("make", "stack", name) for name in ("model-dockerize", "model-dockerize-iris")]
    changed = [Change("change", "stack", "model-dockerize", ("Zones",)), Change("leave", "role", "other")]
    assert told(made) == "new: stack model-dockerize, stack model-dockerize-iris"
    assert told([*made[1:], *changed]) == "new: stack model-dockerize-iris; changed: stack model-dockerize"


def test_one_hands_on_to_the_next_and_what_is_not_wanted_is_left_out() -> None:
    never = stage("never", lambda _: pytest.fail("it is not wanted"), wanted=False)
    assert carry_out(release(), (adds("a"), never, adds("b"))).uri == "ab"


@pytest.mark.parametrize(("action", "ends"), [("leave", Outcome.UNCHANGED), ("change", Outcome.DEPLOYED)])
def test_scaling_alone_that_was_changed_is_not_told_as_unchanged(
    monkeypatch: pytest.MonkeyPatch, action: Any, ends: Outcome
) -> None:
    account: Any = SimpleNamespace(changes=[Change("leave", "service", "iris"), Change(action, "scaling", "iris")])
    account.has_changed = partial(Aws.has_changed, account)
    given = replace(release(), account=account)
    monkeypatch.setattr(make, "prepare", lambda _: given.prepared)
    monkeypatch.setattr(everything, "check", lambda *_: (None, given))
    monkeypatch.setattr(everything, "STAGES", ())
    assert everything.run(given.run) is ends


def test_one_beside_runs_while_the_next_one_does_and_is_waited_for() -> None:
    met = threading.Barrier(2, timeout=30)

    def beside(given: Release) -> Release:
        met.wait()
        return replace(given, runtime=RUNTIME, changed=True)

    def meanwhile(given: Release) -> Release:
        assert given.runtime is None
        met.wait()
        return replace(given, uri="built")

    def after(given: Release) -> Release:
        assert given.runtime == RUNTIME
        return given

    stages = (stage("f", beside, is_beside=True), stage("p", meanwhile), stage("s", after))
    done = carry_out(release(), stages)
    assert (done.uri, done.runtime, done.changed) == ("built", RUNTIME, True)


def test_one_beside_nothing_is_waited_for() -> None:
    alone = stage("f", lambda given: replace(given, runtime=RUNTIME), is_beside=True)
    assert carry_out(release(), (alone, stage("p", adds("p").run, wanted=False))).runtime == RUNTIME


def test_one_that_fails_has_the_one_beside_it_end_at_its_next_pause() -> None:
    ended = threading.Event()

    def beside(given: Release) -> Release:
        try:
            given.pause(60)
        finally:
            ended.set()
        return given

    def fails(_: Release) -> Release:
        raise BuildError("it does not build")

    with pytest.raises(BuildError):
        carry_out(release(), (stage("f", beside, is_beside=True), stage("p", fails)))
    assert ended.wait(30)


def test_one_beside_that_has_failed_is_met_before_the_push() -> None:
    failed = threading.Event()

    def beside(_: Release) -> Release:
        failed.set()
        raise AwsError("no VPC")

    def pushes(given: Release) -> Release:
        assert failed.wait(30)
        while True:  # what it raised is there a moment after it was raised
            given.check_beside()

    with pytest.raises(AwsError, match="no VPC"):
        carry_out(release(), (stage("f", beside, is_beside=True), stage("p", pushes)))


def test_doctor_goes_on_after_a_failure_and_leaves_out_what_needs_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Release) -> Release:
        raise AwsError("no VPC")

    asked: list[str] = []

    def look(given: Release) -> Release:
        asked.append(given.uri)
        return given

    needs = Stage("service", lambda given: given.runtime is not None, look, lambda given, _: look(given))
    stages = (stage("foundations", fails), stage("repository", look, finding=lambda _: "it is there"), needs)
    monkeypatch.setattr(doctor_aws, "STAGES", stages)
    checks, given = Checks(), release()
    rehearsal: Any = SimpleNamespace(aws=None, changes=[])
    doctor_aws._check_stages(checks, given.run, given.prepared, rehearsal)
    assert [(found.name, found.status, found.text) for found in checks.findings] == [
        ("foundations", "failed", "no VPC"),
        ("repository", "ok", "it is there"),
    ]
    assert asked == [f"iris@{TO_COME}"]


def test_doctor_asks_of_the_service_with_the_build_that_the_registry_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would say that the definition has to be changed, right after a run that made it."""
    held = PushedImage("iris", "sha256:d", ("1",), "registry/iris@sha256:d")
    for name, answer in (("find_build", held), ("ensure_rules", None), ("tag_image", ())):
        monkeypatch.setattr(ecr, name, lambda *_, _answer=answer: _answer)
    asked: list[str] = []

    def look(given: Release) -> Release:
        asked.append(given.uri)
        return given

    monkeypatch.setattr(doctor_aws, "STAGES", (PUSHED, stage("service", look)))
    checks, given = Checks(), release()
    rehearsal: Any = SimpleNamespace(aws=None, changes=[])
    doctor_aws._check_stages(checks, given.run, given.prepared, rehearsal)
    assert asked == [held.uri]
    assert [found.text for found in checks.findings] == [
        "iris holds this build already: nothing will be built or pushed",
        "as it should be",
    ]


@pytest.mark.parametrize("function", ["", "on-upload"])
def test_jobs_get_a_function_where_one_is_named(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    made = JobDefinition("arn", "iris", 1, existed=True, changed=False)
    asked = list[str]()

    def ensure(_: object, name: str, *__: object, **___: object) -> SimpleNamespace:
        asked.append(name)
        return SimpleNamespace(changed=True)

    monkeypatch.setattr(batch, "ensure_definition", lambda *_: made)
    monkeypatch.setattr(batch, "ensure_function", ensure)
    settings = to_settings([])
    run = Run(replace(settings, batch=replace(settings.batch, update_function=function)), {}, Recorder(Quiet()))
    account: Any = None
    done = batch.ensure_jobs(run, account, "iris", "uri", "linux/amd64", RUNTIME, Silent())
    assert (done, asked) == ((made, bool(function)), [function] if function else [])


@pytest.mark.parametrize("pushes", ["false", "true"])
def test_first_of_all_the_engine_is_looked_at(monkeypatch: pytest.MonkeyPatch, pushes: str) -> None:
    looked: list[object] = []
    engine = SimpleNamespace(version="28", buildx_version="0.30")
    monkeypatch.setattr(make, "engine_for", lambda _: engine)
    monkeypatch.setattr(make, "check", lambda *given: looked.append(given[2]))
    monkeypatch.setattr("model_dockerize.pipeline.account.connect", lambda *_: looked.append("account"))
    run = Run(to_settings([from_flags({"push-to-ecr": pushes})]), {}, Recorder(Quiet()))
    prepared: Any = None
    seen, release = everything.check(run, prepared)
    assert (seen, release is None) == (engine, pushes == "false")
    assert looked == [engine] if pushes == "false" else [engine, "account"]
    assert [each.name for each in so_far(run).stages] == ["check"]
