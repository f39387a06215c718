"""A service is shown as it runs and ran; it goes back by whole calls, and how that ended is told and reported."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws import ecr, ecs, ground
from model_dockerize.aws.ecs import Action, endpoint, history
from model_dockerize.aws.ecs.history import Revision
from model_dockerize.errors import AwsError, DeployedSmokeError, InputError, RolloutError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import deployed, operate
from model_dockerize.pipeline.context import Named, Prepared
from model_dockerize.report import facts
from model_dockerize.report.listing import ANSWERS, PROVED, RevisionRow
from model_dockerize.smoke import Expectation
from tests.rig.told import Calls, run_told

ARN = "arn:aws:ecs:r:1:task-definition/iris:"
ACCOUNT: Any = SimpleNamespace()
PREPARED = Prepared(Named("iris", "2"), "b", "linux/amd64", Expectation("b"))
SINCE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def running(number: int = 7, **more: Any) -> Any:
    """Return a service as it runs."""
    service = SimpleNamespace(
        name="iris", arn="arn:s", task_definition_arn=f"{ARN}{number}", target_groups=(), proving=False
    )
    known = {
        **{"service": service, "image": "r/iris@sha256:1", "digest": "sha256:1", "since": SINCE, "state": "COMPLETED"},
        **{"desired": 2, "running": 1, "is_proved": True, "is_sampled": False},
        "tags": {"model-dockerize:run": "12", "model-dockerize:commit": "abc", "other": "x"},
    }
    return SimpleNamespace(**{**known, **more})


NOW = running()
OLD = Revision(f"{ARN}6", "r/iris@sha256:0", SINCE, "", 0)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls(monkeypatch)
    made.stand_in(history, "running", NOW)
    made.stand_in(history, "revisions", (Revision(f"{ARN}7", NOW.image, SINCE, "", 1), OLD))
    made.stand_in(history, "previous", f"{ARN}6")
    made.stand_in(history, "is_sampled", False)
    made.stand_in(history, "named", lambda _, __, number: f"{ARN}{number}")
    made.stand_in(ecr, "version_and_build", lambda _, image: ("2", "b") if image else ("", ""))
    made.stand_in(endpoint, "address_of", SimpleNamespace(url="http://m"))
    made.stand_in(deployed, "who", "who")
    made.stand_in(operate, "how_long", "for now")
    made.stand_in(ground, "as_deployed", lambda _, settings, __: settings)
    return made


def rows(first: str, second: str = "not known") -> facts.Revisions:
    return facts.Revisions(
        (
            RevisionRow(7, "2", "b", SINCE, first, 1, current=True, rollback=False),
            RevisionRow(6, "2", "b", SINCE, second, 0, current=False, rollback=True),
        )
    )


TOLD = (
    facts.Rolled("arn:s", f"{ARN}7"),
    facts.Pushed("r/iris@sha256:1", "sha256:1"),
    facts.Identity("iris:7", "b"),
)


def test_a_service_is_shown_as_it_runs(calls: Calls) -> None:
    run, told = run_told({"cluster": "c", "service": "web"})
    assert operate.status(run, ACCOUNT, PREPARED) is Outcome.RUNNING
    assert calls.made[0] == ("running", ACCOUNT, "c", "web")
    assert told.lines == [
        ("status", "info", "task definition iris:7, rollout completed"),
        ("status", "info", "commit abc"),
        ("status", "info", "run 12"),
    ]
    assert run.recorder.facts == (
        *TOLD,
        facts.Address("http://m", "who", "for now"),
        rows(ANSWERS),
        facts.Headline("iris:7, 1 of 2 tasks since 2026-01-02 03:04 UTC, commit abc, run 12"),
    )
    name, given, service_name = next(call[1:4] for call in calls.made if call[0] == "as_deployed")
    assert (name is ACCOUNT, given.cluster, service_name) == (True, "c", "iris")


@pytest.mark.parametrize(
    ("now", "flags", "address", "outcome", "headline"),
    [
        (running(running=0, since=None, tags={}), {}, None, Outcome.STOPPED, "iris:7, 0 of 2 tasks"),
        (running(tags={}), {"smoke-url": "http://x"}, None, Outcome.RUNNING, None),
        (running(tags={"model-dockerize:run": "3"}), {}, "for now", Outcome.RUNNING, None),
    ],
)
def test_who_does_not_run_has_no_address(
    calls: Calls, now: Any, flags: dict[str, str], address: Any, outcome: Outcome, headline: str | None
) -> None:
    calls.stand_in(history, "running", now)
    run, _ = run_told(flags)
    assert operate.status(run, ACCOUNT, PREPARED) is outcome
    found = [fact for fact in run.recorder.facts if isinstance(fact, facts.Address)]
    assert found == ([facts.Address("http://m", "who", "for now")] if address else [])
    if headline:
        assert run.recorder.facts[-1] == facts.Headline(headline)


def test_behind_a_load_balancer_an_address_stays_and_nobody_may_have_to_say_who(calls: Calls) -> None:
    balanced = running()
    balanced.service.target_groups = ("arn:group",)
    calls.stand_in(history, "running", balanced)
    calls.stand_in(ground, "as_deployed", AwsError("not allowed"))
    run, _ = run_told()
    operate.status(run, ACCOUNT, PREPARED)
    assert facts.Address("http://m", "", "") in run.recorder.facts


@pytest.mark.parametrize(
    ("more", "first"),
    [
        ({"is_sampled": True}, PROVED),
        ({}, ANSWERS),
        ({"is_proved": False}, "not proved"),
        ({"state": "IN_PROGRESS"}, "in_progress"),
    ],
)
@pytest.mark.parametrize("sampled", [False, True])
def test_each_revision_says_what_proved_it(calls: Calls, more: dict[str, Any], first: str, sampled: bool) -> None:
    calls.stand_in(history, "running", running(**more))
    calls.stand_in(history, "is_sampled", lambda _, arn: sampled and arn == OLD.arn)
    run, _ = run_told()
    operate.status(run, ACCOUNT, PREPARED)
    assert rows(first, PROVED if sampled else "not known") in run.recorder.facts


@pytest.mark.parametrize(("follow", "reader"), [(False, "log_lines"), (True, "follow_log")])
def test_a_log_is_shown_line_by_line(calls: Calls, follow: bool, reader: str) -> None:
    calls.stand_in(operate, "log_lines", ("a", "b"))
    calls.stand_in(operate, "follow_log", ("a", "b"))
    run, _ = run_told()
    shown: list[str] = []
    assert operate.logs(run, ACCOUNT, PREPARED, 5, follow, shown.append) is Outcome.READ
    assert shown == ["a", "b"]
    assert calls.made[-1] == (reader, ACCOUNT, NOW.service, 5)
    assert run.recorder.facts == (facts.Headline("the log of service iris"),)


@pytest.mark.parametrize("failed", [(), ("health: 500",)])
def test_what_runs_is_tested(calls: Calls, failed: tuple[str, ...]) -> None:
    where = SimpleNamespace(url="http://m")
    calls.stand_in(deployed, "address", where)
    calls.stand_in(deployed, "smoke_deployed", failed)
    run, _ = run_told()
    if failed:
        with pytest.raises(DeployedSmokeError) as refused:
            operate.smoke(run, ACCOUNT, PREPARED)
        assert str(refused.value) == "The model at http://m does not answer as it must."
        assert refused.value.remedy == (
            "Look at what it says: model-dockerize logs; go back: model-dockerize rollback."
        )
        assert refused.value.details == failed
    else:
        assert operate.smoke(run, ACCOUNT, PREPARED) is Outcome.ANSWERS
    address, tested = calls.made[-2:]
    assert address[:4] == ("address", run, ACCOUNT, NOW.service)
    assert tested[:6] == ("smoke_deployed", run, PREPARED, ACCOUNT, NOW.service, where)


@pytest.mark.parametrize(
    ("to", "under_way", "line"),
    [
        ("", True, "~ service iris: from revision 7, whose rollout is under way, to the one before"),
        (
            "",
            False,
            "~ service iris: from revision 7 to 6 (r/iris@sha256:0, version 2, build b), deployed 2026-01-02 03:04 UTC",
        ),
        (
            "6",
            True,
            "~ service iris: from revision 7 to 6 (r/iris@sha256:0, version 2, build b), deployed 2026-01-02 03:04 UTC",
        ),
        ("3", False, "~ service iris: from revision 7 to 3"),
    ],
)
def test_a_way_back_is_planned_and_not_gone(calls: Calls, to: str, under_way: bool, line: str) -> None:
    calls.stand_in(ecs, "is_under_way", under_way)
    run, _ = run_told({"dry-run": "true"})
    assert operate.rollback(run, ACCOUNT, PREPARED, to) is Outcome.PLANNED
    assert run.recorder.facts == (facts.Planned((line,)), facts.Headline("iris"))
    if to:
        assert next(call for call in calls.made if call[0] == "named")[1:] == (ACCOUNT, NOW, int(to))


def test_an_image_that_nobody_knows_is_planned_as_that(calls: Calls) -> None:
    calls.stand_in(ecs, "is_under_way", False)
    calls.stand_in(ecr, "version_and_build", ("", ""))
    run, _ = run_told({"dry-run": "true"})
    operate.rollback(run, ACCOUNT, PREPARED, "")
    planned = run.recorder.facts[0]
    assert isinstance(planned, facts.Planned)
    assert "version unknown, build unknown" in planned.lines[0]


def test_the_first_has_nothing_to_go_back_to(calls: Calls) -> None:
    calls.stand_in(history, "previous")
    calls.stand_in(ecs, "is_under_way", False)
    run, _ = run_told({"dry-run": "true"})
    with pytest.raises(InputError) as refused:
        operate.rollback(run, ACCOUNT, PREPARED, "")
    assert str(refused.value) == "Service iris has nothing to go back to: iris:7 is the first that it ran."
    assert refused.value.remedy == ("Deploy a corrected program, or name a revision: model-dockerize rollback --to N")


def verdict(outcome: Outcome = Outcome.DEPLOYED, pause: Any = None, here: int = 6) -> Any:
    return SimpleNamespace(
        **{"outcome": outcome, "pause": pause, "reason": "why", "details": lambda: ("detail",)},
        running_task_definition_arn=f"{ARN}{here}",
    )


MARKED: Any = SimpleNamespace(name="iris", task_definition_arn=f"{ARN}7")
PUT: Any = SimpleNamespace(name="put")


@pytest.fixture
def back(calls: Calls) -> Calls:
    """Let going back work."""
    looks = iter([NOW, running(6)])
    calls.stand_in(history, "running", lambda *_: next(looks))
    calls.stand_in(ecs, "back_from_bake")
    calls.stand_in(ecs, "mark_proving", MARKED)
    calls.stand_in(ecs, "put_back", PUT)
    calls.stand_in(ecs, "follow", verdict())
    calls.stand_in(ecs, "mark_proved")
    calls.stand_in(ecs, "end_pause", verdict())
    calls.stand_in(deployed, "address", "where")
    calls.stand_in(deployed, "test_address", "test where")
    calls.stand_in(deployed, "smoke_deployed", ())
    calls.stand_in(deployed, "smoke_waiting", ())
    calls.stand_in(deployed, "answered_sample", True)
    return calls


@pytest.mark.parametrize("to", ["", "6"])
def test_a_service_goes_back_and_proves_itself(back: Calls, to: str) -> None:
    run, told = run_told({"wait-timeout": "600"})
    assert operate.rollback(run, ACCOUNT, PREPARED, to) is Outcome.DEPLOYED
    made = {call[0]: call[1:] for call in back.made}
    assert ("back_from_bake" in made) is (to == "")
    assert made["mark_proving"] == (ACCOUNT, NOW.service, NOW.tags, f"{ARN}6")
    assert made["put_back"] == (ACCOUNT, MARKED, f"{ARN}6")
    given, named = made["follow"]
    assert (given[:3], named) == ((ACCOUNT, PUT, 600), {"skip_bake": True})
    service = made["smoke_deployed"][3]
    assert service.task_definition_arn == f"{ARN}6"
    tested = made["smoke_deployed"][1]
    assert tested.expectation == Expectation("b", sample_expected=None)
    assert made["mark_proved"] == (ACCOUNT, service, True)
    assert "end_pause" not in made
    assert [line for line in told.lines if line[0] != "smoke-deployed"] == [
        ("rollback", "info", "service iris: rolling back iris:7 -> iris:6"),
    ]
    assert told.lines[-1] == ("smoke-deployed", "info", operate.NOT_COMPARED)
    assert run.recorder.facts == (
        facts.Rolled("arn:s", f"{ARN}6"),
        *TOLD[1:2],
        facts.Identity("iris:6", "b"),
        facts.Headline("iris went back from 7 to 6, deployed 2026-01-02 03:04 UTC"),
    )


def test_one_that_bakes_goes_back_at_once(back: Calls) -> None:
    back.stand_in(ecs, "back_from_bake", verdict(Outcome.ROLLED_BACK))
    run, _ = run_told({"wait-timeout": "600"})
    operate.rollback(run, ACCOUNT, PREPARED, "")
    assert "put_back" not in back.names
    asked = next(call for call in back.made if call[0] == "back_from_bake")
    assert asked[1:4] == (ACCOUNT, NOW.service, 600)


def test_traffic_that_ecs_moves_comes_after_the_test(back: Calls) -> None:
    back.stand_in(ecs, "follow", verdict(Outcome.PAUSED, pause="pause", here=7))
    run, _ = run_told({"wait-timeout": "600"})
    assert operate.rollback(run, ACCOUNT, PREPARED, "") is Outcome.DEPLOYED
    names = [
        name for name in back.names if name in ("test_address", "address", "smoke_waiting", "end_pause", "mark_proved")
    ]
    assert names == ["test_address", "smoke_waiting", "end_pause", "address", "mark_proved"]
    given, named = next(call[1:] for call in back.made if call[0] == "end_pause")
    assert (given[:5], named) == ((ACCOUNT, PUT, "pause", Action.CONTINUE, 600), {"skip_bake": True})
    assert next(call for call in back.made if call[0] == "smoke_waiting")[5] == "test where"


@pytest.mark.parametrize(("proving", "here", "marked"), [(False, 7, True), (True, 7, False), (False, 6, False)])
def test_a_way_back_that_failed_says_why(back: Calls, proving: bool, here: int, marked: bool) -> None:
    NOW.service.proving = proving
    back.stand_in(ecs, "follow", verdict(Outcome.FAILED, here=here))
    run, _ = run_told()
    try:
        with pytest.raises(RolloutError) as refused:
            operate.rollback(run, ACCOUNT, PREPARED, "")
    finally:
        NOW.service.proving = False
    assert str(refused.value) == "Going back to iris:6 ended as failed: why"
    assert refused.value.remedy == "Read why above; model-dockerize status says what runs now."
    assert refused.value.details == ("detail",)
    assert [call[1:] for call in back.made if call[0] == "mark_proved"] == [(ACCOUNT, MARKED)] * marked


@pytest.mark.parametrize("pause", [None, "pause"])
def test_one_that_went_back_and_does_not_answer_is_told_with_the_way_on(back: Calls, pause: Any) -> None:
    back.stand_in(ecs, "follow", verdict(Outcome.PAUSED if pause else Outcome.DEPLOYED, pause))
    for name in ("smoke_deployed", "smoke_waiting"):
        back.stand_in(deployed, name, ("health: 500",))
    run, _ = run_told({"wait-timeout": "600"})
    with pytest.raises(DeployedSmokeError) as refused:
        operate.rollback(run, ACCOUNT, PREPARED, "")
    assert refused.value.details == ("health: 500",)
    if pause:
        assert str(refused.value) == "iris:6 does not answer as a model must, and no user has met it: why"
        assert refused.value.remedy == (
            "Go further back with model-dockerize rollback --to, or deploy a corrected program."
        )
        ended = next(call for call in back.made if call[0] == "end_pause")
        assert ended[3:6] == ("pause", Action.ROLLBACK, 600)
    else:
        assert str(refused.value) == "The service is back at iris:6, but it does not answer as a model must."
        assert refused.value.remedy == (
            "Return with model-dockerize rollback --to 7, go further back with model-dockerize rollback, or deploy a "
            "corrected program."
        )
    assert "mark_proved" not in back.names


@pytest.mark.parametrize("desired", [0, 1])
def test_without_a_test_it_is_said_where_something_runs(back: Calls, desired: int) -> None:
    looks = iter([NOW, running(6, desired=desired, is_sampled=True)])
    back.stand_in(history, "running", lambda *_: next(looks))
    back.stand_in(history, "is_sampled", True)
    run, _ = run_told({"smoke-test": "false"})
    operate.rollback(run, ACCOUNT, PREPARED, "")
    assert ("address" in back.names, "smoke_deployed" in back.names) == (desired == 1, False)
    assert facts.Sampled() in run.recorder.facts
    assert (facts.Untested("service") in run.recorder.facts) is (desired == 1)
