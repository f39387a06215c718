"""The stage of the service: what is asked of ECS in which order, what a bad end becomes, and what goes back."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws import ecs, ground
from model_dockerize.aws.ecs import Action
from model_dockerize.aws.model import Foundations, Runtime, Service
from model_dockerize.errors import (
    AwsError,
    DeployedSmokeError,
    PausedError,
    RolloutError,
    SupersededError,
)
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import deployed, memory, own_queues, unexpected
from model_dockerize.pipeline.context import FromArchive, Named, Prepared
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import service as stage_of
from model_dockerize.progress import Silent
from model_dockerize.report import facts
from model_dockerize.smoke import Expectation
from tests.rig.told import Calls, Told, run_told

SILENT = Silent()
ARN = "arn:aws:ecs:r:1:task-definition/iris:"
DEFINITION: Any = SimpleNamespace(arn=f"{ARN}7", short="iris:7")
SERVICE = Service("arn:s", "iris", "c", True, "ecs-svc/1", f"{ARN}7", f"{ARN}6", proving=True, sampled=())
PREPARED = Prepared(Named("iris", "2"), "b", "linux/arm64", Expectation("b"))
OTHERS: Any = SimpleNamespace(claim="")
ARCHIVE = FromArchive(Named("iris", "2"), "b", "linux/arm64", Expectation(""), OTHERS)


def verdict(outcome: Outcome = Outcome.DEPLOYED, **more: Any) -> Any:
    known = {"pause": None, "reason": "why.", "lacks_role": False, "is_baking": False, "stuck": False, "meaning": ""}
    told = {"stopped_tasks": (), "remedy": "its remedy", "details": lambda: ("detail",)}
    return SimpleNamespace(**{"outcome": outcome, **known, **told, "running_task_definition_arn": f"{ARN}6", **more})


class Account:
    """Stand in for a connection."""

    def __init__(self) -> None:
        self.changes: list[Any] = []

    def has_changed(self, since: int = 0) -> bool:
        return len(self.changes) > since


def release(flags: dict[str, str] | None = None, **more: Any) -> tuple[Release, Told]:
    run, told = run_told({"wait-timeout": "600", **(flags or {})})
    stands = Foundations(
        *("arn:execution", "arn:task", "/log", more.pop("fresh", False), "vpc", ("subnet",), ("sg",), "c", True),
        run.settings.service,
        volume=None,
    )
    account: Any = Account()
    prepared = more.pop("prepared", PREPARED)
    return Release(run, prepared, account, uri="image", runtime=stands, **more), told


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Let everything go well."""
    made = Calls(monkeypatch)
    made.stand_in(stage_of, "take_turn")
    container = SimpleNamespace()
    container.with_queue = lambda url: made.made.append(("with_queue", url)) or container
    container.with_volume = lambda volume: made.made.append(("with_volume", volume)) or container
    container.with_access = lambda settings: made.made.append(("with_access", settings)) or "container"
    made.stand_in(ground, "container_of", container)
    made.stand_in(ecs, "ensure_task_definition", DEFINITION)
    made.stand_in(ecs, "ensure_service", SERVICE)
    made.stand_in(own_queues, "tell")
    made.stand_in(ecs, "follow", verdict())
    made.stand_in(ecs, "ensure_scaling")
    made.stand_in(ecs, "mark_proved")
    made.stand_in(ecs, "rollback", verdict())
    made.stand_in(ecs, "end_pause", verdict())
    made.stand_in(ecs, "leave_or_put_back")
    made.stand_in(ecs, "settle_failed_first_deployment", "Nothing runs.")
    for name in ("address", "test_address"):
        made.stand_in(deployed, name, f"the {name}")
    for name in ("smoke_deployed", "smoke_waiting", "smoke_again", "own_check"):
        made.stand_in(deployed, name, ())
    made.stand_in(deployed, "answered_sample", True)
    made.stand_in(memory, "was_killed", False)
    made.stand_in(unexpected, "remedy", "")
    return made


STAGES = ["deploy", "smoke-deployed"]


@pytest.mark.parametrize("changed", [False, True])
def test_a_service_is_rolled_and_proved(calls: Calls, changed: bool) -> None:
    given, told = release({"skip-bake": "true"}, changed=changed)
    done = stage_of.deploy(given)
    account, settings = given.account, given.settings.service
    assert done == replace(given, changed=True)
    made = {call[0]: call for call in calls.made}
    assert ("take_turn" in made) is changed
    assert made["container_of"] == (*("container_of", account, settings, "image", "linux/arm64", given.runtime),)
    assert made["with_queue"] == ("with_queue", settings.queue_url)
    assert made["with_access"] == ("with_access", settings)
    assert made["ensure_task_definition"][:4] == ("ensure_task_definition", account, "iris", "container")
    _, ensured, named = made["ensure_service"]
    assert ensured[:5] == (account, settings, "iris", DEFINITION, given.runtime)
    assert named == {"smoke_seconds": given.settings.smoke.seconds}
    assert made["tell"][:4] == ("tell", PREPARED, SERVICE, settings)
    _, followed, named = made["follow"]
    assert (followed[:3], named) == ((account, SERVICE, 600), {"skip_bake": True})
    assert made["address"][:4] == ("address", given.run, account, SERVICE)
    assert made["smoke_deployed"][:6] == ("smoke_deployed", given.run, PREPARED, account, SERVICE, "the address")
    assert made["own_check"][:4] == ("own_check", given.run, "the address", "")
    assert made["mark_proved"] == ("mark_proved", account, SERVICE, True)
    assert told.lines == []
    assert [each.name for each in given.run.recorder.stages] == STAGES
    assert given.run.recorder.facts == (facts.Rolled("arn:s", f"{ARN}7"), facts.Traffic("rolling", 0, False))


def test_an_unchanged_service_is_looked_at_again(calls: Calls) -> None:
    calls.stand_in(ecs, "ensure_service", replace(SERVICE, changed=False, proving=False, sampled=("iris:7",)))
    given, told = release()
    assert stage_of.deploy(given) == given
    assert told.lines == [("deploy", "info", "The service runs iris:7 already.")]
    assert given.run.recorder.stages[0].status == "unchanged"
    assert "smoke_again" in calls.names and "smoke_deployed" not in calls.names


def test_nobody_waits_where_that_is_not_wanted(calls: Calls) -> None:
    given, told = release({"wait": "false"})
    assert stage_of.deploy(given) == replace(given, changed=True)
    assert told.lines == [
        ("deploy", "info", "wait is false: ECS goes on by itself, and this run does not know how it ends."),
    ]
    assert "follow" not in calls.names and "mark_proved" not in calls.names
    assert calls.made[-1][:4] == ("ensure_scaling", given.account, given.settings.service, SERVICE)


def test_without_tasks_there_is_nothing_to_test(calls: Calls) -> None:
    calls.stand_in(ecs, "ensure_service", replace(SERVICE, desired=0))
    given, told = release()
    stage_of.deploy(given)
    text = "No task is wanted (desired-count is 0), so there is nothing to test."
    assert told.lines == [("deploy", "info", text)]
    assert "address" not in calls.names and "mark_proved" in calls.names


@pytest.mark.parametrize("smoke", ["true", "image"])
def test_a_version_that_waits_gets_its_traffic_after_the_test(calls: Calls, smoke: str) -> None:
    shifting = replace(SERVICE, strategy="BLUE_GREEN")
    calls.stand_in(ecs, "ensure_service", shifting)
    calls.stand_in(ecs, "follow", verdict(Outcome.PAUSED, pause="pause"))
    calls.stand_in(ecs, "end_pause", verdict(is_baking=True))
    given, _ = release({"skip-bake": "true", "smoke-test": smoke})
    settings = replace(given.settings.service, bake_minutes=5)
    given.run.settings = replace(given.settings, service=settings)
    stage_of.deploy(given)
    made = {call[0]: call for call in calls.made}
    assert made["test_address"][:3] == ("test_address", given.account, shifting)
    assert ("smoke_waiting" in made) is (smoke == "true")
    assert made["own_check"][2:4] == ("the test_address", "b")
    _, ended, named = made["end_pause"]
    assert ended[:5] == (given.account, shifting, "pause", Action.CONTINUE, 600)
    assert named == {"skip_bake": True}
    assert made["address"][:4] == ("address", given.run, given.account, shifting)
    assert [each.name for each in given.run.recorder.stages] == [*STAGES, "shift"]
    assert given.run.recorder.facts[-1] == facts.Traffic("blue-green", 5, True)
    assert (facts.Untested("service") in given.run.recorder.facts) is (smoke == "image")


def test_a_test_that_cannot_be_made_leaves_the_version_waiting(calls: Calls) -> None:
    calls.stand_in(ecs, "follow", verdict(Outcome.PAUSED, pause="pause"))
    calls.stand_in(deployed, "smoke_waiting", AwsError("no task"))
    given, told = release()
    with pytest.raises(AwsError):
        stage_of.deploy(given)
    text = "The new version still waits for its test, without traffic. Run again to test it."
    assert told.lines == [("smoke-deployed", "warning", text)]
    assert "leave_or_put_back" not in calls.names


@pytest.mark.parametrize(("fresh", "lacks", "follows"), [(True, True, 13), (False, True, 1), (True, False, 1)])
def test_a_role_that_ecs_does_not_see_yet_is_waited_for(calls: Calls, fresh: bool, lacks: bool, follows: int) -> None:
    calls.stand_in(ecs, "follow", verdict(Outcome.FAILED, lacks_role=lacks))
    waited: list[float] = []
    given, told = release(fresh=fresh, pause=waited.append)
    with pytest.raises(RolloutError):
        stage_of.deploy(given)
    assert calls.names.count("follow") == follows
    assert waited == [5.0] * (follows - 1)
    assert calls.names.count("ensure_service") == follows
    text = "ECS does not see its new role yet: the rollout is started again."
    assert told.lines == [("deploy", "info", text)] * (follows - 1)


@pytest.mark.parametrize(
    ("changed", "proving", "looks"), [(True, False, True), (False, True, True), (False, False, False)]
)
@pytest.mark.parametrize("when", ["follow", "smoke_deployed"])
def test_cancelled_it_is_left_or_put_back(calls: Calls, changed: bool, proving: bool, looks: bool, when: str) -> None:
    service = replace(SERVICE, changed=changed, proving=proving)
    calls.stand_in(ecs, "ensure_service", service)
    for name in ("smoke_deployed", "smoke_again") if when != "follow" else ():
        calls.stand_in(deployed, name, KeyboardInterrupt())
    if when == "follow":
        calls.stand_in(ecs, "follow", KeyboardInterrupt())
    given, _ = release({"on-cancel": "rollback"})
    with pytest.raises(KeyboardInterrupt):
        stage_of.deploy(given)
    left = [call[:4] for call in calls.made if call[0] == "leave_or_put_back"]
    assert left == [("leave_or_put_back", given.account, service, "rollback")] * looks


RUNS = "The service runs iris:6."


@pytest.mark.parametrize(
    ("ended", "kind", "sentence", "remedy"),
    [
        (
            verdict(Outcome.SUPERSEDED),
            SupersededError,
            f"The rollout of iris:7 was superseded: why. {RUNS}",
            "Nothing to do if the newer deployment was meant; its own run tells how it ends.",
        ),
        (
            verdict(Outcome.PAUSED),
            PausedError,
            f"The rollout of iris:7 is paused: why. {RUNS}",
            "Continue or roll back the deployment (ecs:ContinueServiceDeployment, or the console), then run again.",
        ),
        (
            verdict(Outcome.FAILED, meaning="No memory. ", running_task_definition_arn=None),
            RolloutError,
            "The rollout of iris:7 failed: No memory. why. The service runs nothing.",
            "its remedy",
        ),
        (verdict(Outcome.ROLLED_BACK), RolloutError, f"The rollout of iris:7 failed: why. {RUNS}", "its remedy"),
        (
            verdict(Outcome.FAILED, stuck=True),
            RolloutError,
            "The rollout of iris:7 failed: why. The service was put back to iris:6.",
            "its remedy",
        ),
    ],
)
def test_a_bad_end_is_told_by_its_kind(
    calls: Calls, ended: Any, kind: type[RolloutError], sentence: str, remedy: str
) -> None:
    calls.stand_in(ecs, "follow", ended)
    given, _ = release()
    with pytest.raises(kind) as refused:
        stage_of.deploy(given)
    assert (str(refused.value), refused.value.remedy) == (sentence, remedy)
    if ended.stuck:
        assert refused.value.outcome is Outcome.ROLLED_BACK
        back, proved = [call for call in calls.made if call[0] in ("rollback", "mark_proved")]
        assert back[:5] == ("rollback", given.account, SERVICE, f"{ARN}6", 600)
        assert proved == ("mark_proved", given.account, SERVICE)
    else:
        assert "rollback" not in calls.names


@pytest.mark.parametrize(
    ("killed", "known", "remedy"),
    [(True, "", "more memory"), (False, "known", "known"), (True, "known", "more memory")],
)
def test_what_is_known_of_a_failure_is_its_remedy(calls: Calls, killed: bool, known: str, remedy: str) -> None:
    calls.stand_in(ecs, "follow", verdict(Outcome.FAILED, meaning="m"))
    calls.stand_in(memory, "was_killed", killed)
    calls.stand_in(memory, "remedy", "more memory")
    calls.stand_in(unexpected, "remedy", known)
    given, _ = release()
    with pytest.raises(RolloutError) as refused:
        stage_of.deploy(given)
    assert (refused.value.remedy, refused.value.details) == (remedy, ("detail",))
    assert ("remedy", ("m",), given.settings) in calls.made
    assert ("was_killed", ("detail",)) in calls.made


@pytest.mark.parametrize(
    ("former", "runs", "back", "after"),
    [
        (None, None, None, "Nothing runs."),
        (None, f"{ARN}5", None, "The service runs iris:5."),
        (f"{ARN}6", None, verdict(Outcome.FAILED), "Putting it back to iris:6 did not work: why."),
        (f"{ARN}6", None, None, "Putting it back to iris:6 did not work: nothing runs."),
    ],
)
def test_what_is_stuck_and_cannot_go_back_is_told(calls: Calls, former: Any, runs: Any, back: Any, after: str) -> None:
    calls.stand_in(ecs, "ensure_service", replace(SERVICE, previous_task_definition_arn=former))
    calls.stand_in(ecs, "follow", verdict(Outcome.FAILED, stuck=True, running_task_definition_arn=runs))
    calls.stand_in(ecs, "rollback", back)
    given, _ = release()
    with pytest.raises(RolloutError) as refused:
        stage_of.deploy(given)
    assert str(refused.value) == f"The rollout of iris:7 failed: why. {after}"
    assert refused.value.outcome is Outcome.FAILED
    assert "mark_proved" not in calls.names


BAD = "The deployed model does not answer as it must. "
SAME = "Where the same image passed on this computer, what differs is the environment of the service."


@pytest.mark.parametrize(
    ("more", "back", "after", "outcome"),
    [
        ({}, verdict(), "The service was put back to iris:6.", Outcome.SMOKE_FAILED_ROLLED_BACK),
        ({}, None, "The service was put back to iris:6.", Outcome.SMOKE_FAILED_ROLLED_BACK),
        ({}, verdict(Outcome.FAILED), "Putting it back to iris:6 failed: why.", Outcome.FAILED),
        ({"previous_task_definition_arn": None}, None, "It was the first: no task is left.", Outcome.FAILED),
        (
            {"proving": False},
            verdict(),
            "It did when it was deployed, so the service is left as it is.",
            Outcome.FAILED,
        ),
        (
            {"previous_task_definition_arn": f"{ARN}7"},
            verdict(),
            "It did when it was deployed, so the service is left as it is.",
            Outcome.FAILED,
        ),
    ],
)
def test_a_service_that_does_not_answer_goes_back(
    calls: Calls, more: dict[str, Any], back: Any, after: str, outcome: Outcome
) -> None:
    service = replace(SERVICE, **more)
    calls.stand_in(ecs, "ensure_service", service)
    calls.stand_in(deployed, "smoke_deployed", ("health: 500",))
    calls.stand_in(ecs, "rollback", back)
    given, _ = release()
    with pytest.raises(DeployedSmokeError) as refused:
        stage_of.deploy(given)
    assert str(refused.value) == BAD + after
    assert (refused.value.outcome, refused.value.remedy) == (outcome, SAME)
    assert refused.value.details == ("health: 500",)
    went = outcome is Outcome.SMOKE_FAILED_ROLLED_BACK
    assert (facts.Rolled("arn:s", f"{ARN}6") in given.run.recorder.facts) is went
    gone = went or more.get("previous_task_definition_arn", "") is None
    assert (facts.NoAddress() in given.run.recorder.facts) is gone
    if went:
        assert ("mark_proved", given.account, service) in calls.made
        last = [call for call in calls.made if call[0] == "address"][-1]
        assert last[3] == replace(service, task_definition_arn=f"{ARN}6")


@pytest.mark.parametrize(
    ("smoke", "killed", "known", "remedy"),
    [
        ("true", True, "", "more memory Its last lines: model-dockerize logs"),
        (
            "service",
            False,
            "known",
            "smoke-test is service: the image was not tested before, so the program itself may be wrong. known",
        ),
        (
            "service",
            False,
            "",
            "smoke-test is service: the image was not tested before, so the program itself may be wrong.",
        ),
    ],
)
def test_why_it_does_not_answer_is_its_remedy(calls: Calls, smoke: str, killed: bool, known: str, remedy: str) -> None:
    calls.stand_in(deployed, "smoke_deployed", ("health: 500",))
    calls.stand_in(ecs, "follow", verdict(stopped_tasks=("one",)))
    calls.stand_in(memory, "was_killed", killed)
    calls.stand_in(memory, "remedy", "more memory")
    calls.stand_in(unexpected, "remedy", known)
    given, _ = release({"smoke-test": smoke})
    with pytest.raises(DeployedSmokeError) as refused:
        stage_of.deploy(given)
    assert (refused.value.remedy, refused.value.details) == (remedy, ("health: 500", "detail"))


@pytest.mark.parametrize(
    ("former", "back", "after", "outcome"),
    [
        (
            f"{ARN}6",
            verdict(Outcome.ROLLED_BACK),
            "No user has met it: the service runs iris:6.",
            Outcome.SMOKE_FAILED_ROLLED_BACK,
        ),
        (
            f"{ARN}6",
            verdict(Outcome.ROLLED_BACK, running_task_definition_arn=f"{ARN}5"),
            "No user has met it: the service runs iris:5, which has not proved itself.",
            Outcome.SMOKE_FAILED_ROLLED_BACK,
        ),
        (
            None,
            verdict(Outcome.ROLLED_BACK, running_task_definition_arn=None),
            "It was the first, and no user has met it: no task is left.",
            Outcome.FAILED,
        ),
        (
            None,
            verdict(Outcome.FAILED),
            "It was the first, and no user has met it: no task is left.",
            Outcome.FAILED,
        ),
        (
            f"{ARN}6",
            verdict(Outcome.FAILED),
            "Taking it back ended as failed: why. It runs iris:6.",
            Outcome.FAILED,
        ),
        (
            f"{ARN}6",
            PausedError("it waits."),
            "No user has met it, and taking it back is not over: it waits.",
            Outcome.FAILED,
        ),
    ],
)
def test_a_version_that_waits_and_does_not_answer_is_taken_back(
    calls: Calls, former: Any, back: Any, after: str, outcome: Outcome
) -> None:
    service = replace(SERVICE, previous_task_definition_arn=former)
    calls.stand_in(ecs, "ensure_service", service)
    calls.stand_in(ecs, "follow", verdict(Outcome.PAUSED, pause="pause"))
    calls.stand_in(deployed, "smoke_waiting", ("health: 500",))
    calls.stand_in(ecs, "end_pause", back)
    given, _ = release()
    with pytest.raises(DeployedSmokeError) as refused:
        stage_of.deploy(given)
    assert (str(refused.value), refused.value.outcome) == (BAD + after, outcome)
    ended = next(call for call in calls.made if call[0] == "end_pause")
    assert ended[:6] == ("end_pause", given.account, service, "pause", Action.ROLLBACK, 600)
    assert ("settle_failed_first_deployment" in calls.names) is (former is None)
    proved = outcome is Outcome.SMOKE_FAILED_ROLLED_BACK and back.running_task_definition_arn == former
    assert ("mark_proved" in calls.names) is proved


def test_one_that_a_newer_deployment_took_over_is_superseded(calls: Calls) -> None:
    calls.stand_in(ecs, "follow", verdict(Outcome.PAUSED, pause="pause"))
    calls.stand_in(deployed, "smoke_waiting", ("health: 500",))
    calls.stand_in(ecs, "end_pause", verdict(Outcome.SUPERSEDED))
    given, _ = release()
    with pytest.raises(SupersededError):
        stage_of.deploy(given)


def test_traffic_that_does_not_shift_is_no_success(calls: Calls) -> None:
    calls.stand_in(ecs, "follow", verdict(Outcome.PAUSED, pause="pause"))
    calls.stand_in(ecs, "end_pause", verdict(Outcome.FAILED))
    given, _ = release()
    with pytest.raises(RolloutError):
        stage_of.deploy(given)
    assert "mark_proved" not in calls.names


@pytest.mark.parametrize(
    ("most", "scaled", "changes", "told_of"),
    [(0, False, 0, None), (3, False, 1, "done"), (3, False, 0, "unchanged"), (0, True, 1, "done")],
)
def test_scaling_is_a_stage_where_it_is_asked_for_or_there(
    calls: Calls, most: int, scaled: bool, changes: int, told_of: str | None
) -> None:
    service = replace(SERVICE, scaled=scaled)
    calls.stand_in(ecs, "ensure_service", service)
    given, told = release()
    given.run.settings = replace(given.settings, service=replace(given.settings.service, max_count=most))
    given.account.changes.append("an earlier change")  # type: ignore[arg-type]
    calls.stand_in(ecs, "ensure_scaling", lambda account, *_: account.changes.extend(["a change"] * changes))
    stage_of.deploy(given)
    stages = {each.name: each.status for each in given.run.recorder.stages}
    assert stages.get("scaling") == told_of
    assert told.lines == ([("scaling", "info", "It is as asked for.")] if told_of == "unchanged" else [])


def test_a_plan_asks_of_definition_service_queues_and_scaling(calls: Calls) -> None:
    given, _ = release()
    assert stage_of.SERVICE.ask(given, SILENT) is given
    assert [name for name in calls.names if not name.startswith("with_")] == [
        *("container_of", "ensure_task_definition", "ensure_service", "tell", "ensure_scaling"),
    ]
    assert calls.made[-2] == ("tell", PREPARED, SERVICE, given.settings.service, SILENT)
    assert calls.made[-1] == ("ensure_scaling", given.account, given.settings.service, SERVICE, SILENT)


@pytest.mark.parametrize(
    ("runtime", "pushes", "wanted"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_service_needs_foundations_and_an_image(runtime: bool, pushes: bool, wanted: bool) -> None:
    given, _ = release()
    given.run.settings = replace(given.settings, registry=replace(given.settings.registry, push_to_ecr=pushes))
    stands = given.runtime if runtime else Runtime("arn:execution", "arn:task", "/log", fresh_roles=False)
    assert stage_of.SERVICE.is_wanted(replace(given, runtime=stands)) is wanted
