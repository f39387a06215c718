"""Deployments that move traffic, against a scripted ECS and a virtual clock: what is decided, when, and what it costs.

The script answers through botocore's own client, so every request is checked against AWS's model.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize.aws import ecs
from model_dockerize.aws.ecs import Action, Verdict
from model_dockerize.aws.ecs.rollout.rollback import leave_or_put_back
from model_dockerize.aws.model import Service
from model_dockerize.errors import PausedError, TimedOutError
from model_dockerize.outcome import Outcome

from .conftest import Account

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_ARN = "arn:aws:ecs:us-east-1:1"
OURS, FORMER, NEWER = (f"{_ARN}:service-deployment/c/iris/{name}" for name in ("ours", "former", "newer"))
SERVICE = Service(
    arn=f"{_ARN}:service/c/iris",
    name="iris",
    cluster="c",
    changed=True,
    deployment_id="ecs-svc/22",
    task_definition_arn=f"{_ARN}:task-definition/iris:2",
    previous_task_definition_arn=f"{_ARN}:task-definition/iris:1",
    proving=True,
    strategy="BLUE_GREEN",
    is_paused_by_us=True,
)
FIRST = replace(SERVICE, previous_task_definition_arn=None)
PAUSE = "hook-1"
NO_CANDIDATE = "No rollback candidate was found to run the rollback."


@dataclass
class Ecs:
    """A service whose second version comes by BLUE_GREEN, as it stands at `now`. Times are seconds; NEVER is long."""

    account: Account
    now: float = 0.0
    healthy: float = 20.0  # green is, and waits at our pause
    expires: float = 1300.0
    moves: float = 6.0  # the shift takes
    bake: float = 300.0
    back: float = 25.0  # a rollback takes
    known: float = 0.0  # DescribeServices shows our service deployment
    first: bool = False  # there is nothing to go back to
    dies: tuple[float, ...] = ()  # tasks of green
    breaks: float = 1e9  # the breaker, an alarm or somebody turns it back, for this reason:
    reason: str = "Service deployment rolled back because the circuit breaker threshold was exceeded."
    replaced: float = 1e9  # a newer deployment takes over
    foreign: tuple[str, float, float] | None = None  # stage, from, until: the hook of somebody else
    refuses: dict[str, list[str]] = field(default_factory=dict)  # error codes to come, by operation
    state: str = ""  # rolloutState of every deployment; empty: it has none
    takes_it: bool = False  # a refused call is carried out all the same: its answer is lost
    share_at: tuple[tuple[float, float], ...] = ()  # seconds after CONTINUE, percent
    continued: float | None = None
    turned: float | None = None  # asked to go back
    calls: list[tuple[float, str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.account.hooks.add(self.answer)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now

    @property
    def turned_at(self) -> float:
        """Return when it turned back: asked to, by itself, or because nobody came to our pause in time."""
        asked = [self.turned] if self.turned is not None else []
        expired = [self.expires] if self.continued is None and self.now >= self.expires else []
        return min([*asked, *expired, *([self.breaks] if self.now >= self.breaks else [])], default=1e9)

    def shown(self) -> dict[str, Any]:
        status, stage, share = "IN_PROGRESS", "SCALE_UP", 0.0
        hooks: list[dict[str, Any]] = []
        if self.now >= self.replaced:
            return self._shown("STOPPED", "", 0.0, [], "")
        if self.turned_at <= self.now:
            if self.first:
                return self._shown("ROLLBACK_FAILED", "", 0.0, [], NO_CANDIDATE)
            over = self.now >= self.turned_at + self.back
            timed_out = [{"hookId": PAUSE, "targetType": "PAUSE", "status": "TIMED_OUT"}] if self.turned is None else []
            why = "POST_TEST_TRAFFIC_SHIFT pause hook timed out." if self.now >= self.expires else self.reason
            return self._shown("ROLLBACK_SUCCESSFUL" if over else "ROLLBACK_IN_PROGRESS", "", 0.0, timed_out, why)
        if self.continued is not None:
            since = self.now - self.continued
            share = next((p for at, p in reversed(self.share_at) if since >= at), 100.0)
            stage = "PRODUCTION_TRAFFIC_SHIFT" if since < self.moves else "BAKE_TIME"
            status = "SUCCESSFUL" if since >= self.moves + self.bake else status
        elif self.now >= self.healthy:
            stage, hooks = "POST_TEST_TRAFFIC_SHIFT", [_hook(PAUSE, self.expires)]
        if self.foreign and self.foreign[1] <= self.now < self.foreign[2]:
            stage, hooks = self.foreign[0], [{**_hook("theirs", 9e5), "timeoutAction": "CONTINUE"}]
        return self._shown(status, stage, share, hooks, "")

    def _shown(self, status: str, stage: str, share: float, hooks: list[Any], reason: str) -> dict[str, Any]:
        former = [] if self.first else [{"arn": f"{_ARN}:service-revision/c/iris/11"}]
        return {
            "serviceDeploymentArn": OURS,
            "status": status,
            "lifecycleStage": stage,
            "statusReason": reason,
            "lifecycleHookDetails": hooks,
            "sourceServiceRevisions": former,
            "targetServiceRevision": {
                "arn": f"{_ARN}:service-revision/c/iris/22",
                "requestedProductionTrafficWeight": share,
            },
            "deploymentConfiguration": {"bakeTimeInMinutes": int(self.bake // 60)},
        }

    def service(self) -> dict[str, Any]:
        back = self.turned_at <= self.now
        green = _deployment(2, back, 0 if self.now < self.healthy else 1, sum(self.now >= at for at in self.dies))
        blue = _deployment(1, not back, 1, 0)
        rows = [green] if self.first else [blue, green] if back else [green, blue]
        if self.now >= self.replaced:
            rows = [_deployment(3, False, 0, 0), blue]
        rows = [{**row, "rolloutState": self.state} if self.state else row for row in rows]
        arn = NEWER if self.now >= self.replaced else OURS if self.now >= self.known else FORMER
        hooks = {"lifecycleHooks": [_configured(21)], "strategy": "BLUE_GREEN"}
        return {
            **{"status": "ACTIVE", "serviceName": "iris", "serviceArn": SERVICE.arn, "desiredCount": 1},
            **{"clusterArn": f"{_ARN}:cluster/c", "deployments": rows, "events": [], "currentServiceDeployment": arn},
            **{"deploymentConfiguration": hooks, "taskDefinition": rows[0]["taskDefinition"]},
        }

    def answer(self, model: Any, params: Any, **_: Any) -> Any:
        self.now += 0.1
        asked = json.loads(params["body"])
        self.calls.append((self.now, model.name, asked))
        codes = self.refuses.get(model.name, [])
        code = codes.pop(0) if codes else ""
        waiting = [hook for hook in self.shown()["lifecycleHookDetails"] if hook["status"] == "AWAITING_ACTION"]
        if model.name == "ContinueServiceDeployment" and not waiting:
            code = "InvalidParameterException"
        if not code or self.takes_it:
            self._do(model.name, asked)
        if code:
            answer = {"HTTPStatusCode": 400}
            raise ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": answer}, model.name)  # type: ignore[typeddict-item]
        return type("Response", (), {"status_code": 200})(), self._said(model.name, asked)

    def _do(self, operation: str, asked: Any) -> None:
        if operation == "ContinueServiceDeployment" and self.now < self.expires:
            assert (asked["serviceDeploymentArn"], asked["hookId"]) == (OURS, PAUSE)
            if asked["action"] == "CONTINUE":
                self.continued = self.now
            else:
                self.turned, self.reason = self.now, "POST_TEST_TRAFFIC_SHIFT lifecycle hook(s) failed."
        elif operation == "StopServiceDeployment":
            assert asked == {"serviceDeploymentArn": OURS, "stopType": "ROLLBACK"}
            self.turned, self.reason = self.now, "StopServiceDeployment was called."

    def _said(self, operation: str, asked: Any) -> Any:
        if operation == "DescribeServiceDeployments":
            other = {**self._shown("IN_PROGRESS", "BAKE_TIME", 100.0, [], ""), "targetServiceRevision": {"arn": "x/33"}}
            return {"serviceDeployments": [self.shown() if asked["serviceDeploymentArns"] == [OURS] else other]}
        dead = [f"{_ARN}:task/c/dead{n}" for n, at in enumerate(self.dies) if self.now >= at]
        return {
            "DescribeServices": {"services": [self.service()]},
            "ListServiceDeployments": {"serviceDeployments": []},
            "UpdateService": {"service": self.service()},
            "ListTasks": {"taskArns": dead},
            "DescribeTasks": {"tasks": [_dead(arn) for arn in asked.get("tasks", [])]},
            "DescribeTaskDefinition": {"taskDefinition": {"containerDefinitions": []}},
        }.get(operation, {"serviceDeploymentArn": OURS})

    def follow(self, timeout: float = 600, service: Service = SERVICE, **more: Any) -> Verdict:
        return ecs.follow(self.account.aws, service, timeout, self.account.said, self.sleep, self.monotonic, **more)

    def end(self, verdict: Verdict, action: Action, service: Service = SERVICE, **more: Any) -> Verdict:
        assert verdict.pause
        return ecs.end_pause(
            self.account.aws, service, verdict.pause, action, 600, self.account.said, self.sleep, self.monotonic, **more
        )

    def changes(self) -> list[str]:
        return [name for _, name, _ in self.calls if not name.startswith(("Describe", "List"))]


def _hook(name: str, expires: float) -> dict[str, Any]:
    times = {"expiresAt": BEGIN + timedelta(seconds=expires), "timeoutAction": "ROLLBACK"}
    return {"hookId": name, "targetType": "PAUSE", "status": "AWAITING_ACTION", **times}


def _configured(minutes: int) -> dict[str, Any]:
    timeout = {"timeoutInMinutes": minutes, "action": "ROLLBACK"}
    return {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"], "timeoutConfiguration": timeout}


def _deployment(number: int, is_active: bool, running: int, failed: int) -> dict[str, Any]:
    return {
        **{"id": f"ecs-svc/{number}{number}", "status": "ACTIVE" if is_active else "PRIMARY", "createdAt": BEGIN},
        **{"taskDefinition": f"{_ARN}:task-definition/iris:{number}", "desiredCount": 1, "runningCount": running},
        **{"pendingCount": 0, "failedTasks": failed},
    }


def _dead(arn: str) -> dict[str, Any]:
    containers = [{"name": "iris", "exitCode": 3, "reason": ""}]
    return {
        **{"taskArn": arn, "taskDefinitionArn": SERVICE.task_definition_arn, "startedBy": "ecs-svc/22"},
        **{"lastStatus": "STOPPED", "stoppedReason": "Essential container in task exited", "containers": containers},
    }


def test_the_pause_is_found_at_once_and_after_it_the_end_within_seconds(account: Account) -> None:
    world = Ecs(account, known=3.0)
    waits = world.follow()
    assert waits.outcome is Outcome.PAUSED
    assert waits.pause
    assert (waits.pause.hook_id, waits.pause.service_deployment_arn) == (PAUSE, OURS)
    assert world.now - world.healthy < 3
    assert world.changes() == []
    assert world.end(waits, Action.CONTINUE).outcome is Outcome.DEPLOYED
    assert world.continued
    assert world.now - world.continued - world.moves - world.bake < 3
    assert world.changes() == ["ContinueServiceDeployment"]
    assert any("100 % of the traffic is at the new version" in line for line in account.said.infos)
    rate = len(world.calls) / world.now
    assert rate < 0.8, f"{rate:.2f} calls a second"


@pytest.mark.parametrize("state", ["COMPLETED", "IN_PROGRESS", "FAILED"])
def test_the_state_that_is_documented_for_rolling_alone_is_not_heeded(account: Account, state: str) -> None:
    world = Ecs(account, state=state)
    waits = world.follow()
    assert (waits.outcome, bool(waits.pause)) == (Outcome.PAUSED, True)
    assert world.now > world.healthy
    assert world.end(waits, Action.CONTINUE).outcome is Outcome.DEPLOYED
    assert world.continued
    assert world.now > world.continued + world.moves + world.bake


def test_rolled_back_is_said_when_it_is_true(account: Account) -> None:
    world = Ecs(account)
    back = world.end(world.follow(), Action.ROLLBACK)
    assert back.outcome is Outcome.ROLLED_BACK
    assert world.turned
    assert world.turned + world.back <= world.now < world.turned + world.back + 3
    assert back.running_task_definition_arn == SERVICE.previous_task_definition_arn


def test_a_version_that_dies_is_told_at_once_and_rolled_back_when_it_is(account: Account) -> None:
    world = Ecs(account, healthy=1e9, dies=(10.0, 18.0), breaks=19.0)
    back = world.follow()
    assert (back.outcome, back.reason) == (Outcome.ROLLED_BACK, world.reason)
    assert len(back.stopped_tasks) == 2
    assert world.now >= world.breaks + world.back
    assert world.changes() == []


def test_a_version_that_is_never_healthy_is_taken_back_when_the_time_is_up(account: Account) -> None:
    world = Ecs(account, healthy=1e9)
    back = world.follow(timeout=300)
    assert back.outcome is Outcome.ROLLED_BACK
    assert "wait-timeout" in back.reason
    assert world.changes() == ["StopServiceDeployment"]


def test_of_a_first_version_there_is_nothing_to_go_back_to(account: Account) -> None:
    world = Ecs(account, first=True)
    back = world.end(world.follow(service=FIRST), Action.ROLLBACK, FIRST)
    assert back.outcome is Outcome.FAILED
    assert "No rollback candidate" in back.reason


@pytest.mark.parametrize(("first", "skip_bake"), [(True, False), (False, True)])
def test_a_bake_that_proves_nothing_or_is_not_wanted_is_not_waited_for(
    account: Account, first: bool, skip_bake: bool
) -> None:
    world = Ecs(account, first=first)
    over = world.end(world.follow(), Action.CONTINUE, skip_bake=skip_bake)
    assert (over.outcome, over.is_baking) == (Outcome.DEPLOYED, True)
    assert world.continued
    assert world.now - world.continued < world.moves + 3


def test_nobody_came_before_the_pause_was_over(account: Account) -> None:
    world = Ecs(account)
    waits = world.follow()
    world.now = world.expires + 1
    late = world.end(waits, Action.CONTINUE)
    assert late.outcome is Outcome.ROLLED_BACK
    assert "timed out" in late.reason
    assert world.continued is None


def test_a_killed_runs_pause_is_taken_over_and_its_shift_followed(account: Account) -> None:
    world = Ecs(account)
    world.now = 500.0
    unchanged = replace(SERVICE, changed=False)
    assert world.follow(service=unchanged).pause
    world.continued = world.now
    assert world.follow(service=unchanged).outcome is Outcome.DEPLOYED
    assert world.changes() == []


def test_a_newer_deployment_supersedes_ours(account: Account) -> None:
    world = Ecs(account, healthy=1e9, replaced=30.0)
    assert world.follow().outcome is Outcome.SUPERSEDED
    assert world.changes() == []


def test_somebody_elses_pause_is_told_waited_for_and_left_alone(account: Account) -> None:
    world = Ecs(account, foreign=("PRE_SCALE_UP", 5.0, 1e9))
    paused = world.follow(timeout=200)
    assert (paused.outcome, paused.pause) == (Outcome.PAUSED, None)
    assert "PRE_SCALE_UP" in paused.reason
    assert [line for line in account.said.warnings if "theirs" in line]
    assert world.changes() == []


def test_somebody_elses_pause_that_ends_is_no_end(account: Account) -> None:
    world = Ecs(account, healthy=30.0, foreign=("PRE_SCALE_UP", 5.0, 25.0))
    assert world.follow(timeout=200).pause


@pytest.mark.parametrize("code", ["ServerException", "ClientException", "InvalidParameterException"])
@pytest.mark.parametrize("takes_it", [False, True])
def test_a_lost_or_refused_answer_is_looked_at_again(account: Account, code: str, takes_it: bool) -> None:
    world = Ecs(account, refuses={"ContinueServiceDeployment": [code]}, takes_it=takes_it)
    assert world.end(world.follow(), Action.CONTINUE).outcome is Outcome.DEPLOYED
    assert world.changes() == ["ContinueServiceDeployment"] * (1 if takes_it else 2)


def test_what_is_always_refused_is_no_success(account: Account) -> None:
    world = Ecs(account, refuses={"ContinueServiceDeployment": ["ServerException"] * 9})
    waits = world.follow()
    with pytest.raises(Exception, match="ServerException"):
        world.end(waits, Action.CONTINUE)
    assert world.continued is None


@pytest.mark.parametrize("action", [Action.CONTINUE, Action.ROLLBACK])
def test_a_missing_right_leaves_it_paused_and_names_the_right(account: Account, action: Action) -> None:
    world = Ecs(account, refuses={"ContinueServiceDeployment": ["AccessDeniedException"]})
    waits = world.follow()
    with pytest.raises(PausedError) as said:
        world.end(waits, action)
    assert "ecs:ContinueServiceDeployment" in f"{said.value} {said.value.remedy}"


def test_without_the_right_to_turn_it_back_nobody_is_told_that_it_waits(account: Account) -> None:
    world = Ecs(account)
    world.end(world.follow(), Action.CONTINUE, skip_bake=True)
    world.refuses = {"StopServiceDeployment": ["AccessDeniedException"]}
    with pytest.raises(PausedError, match="ecs:StopServiceDeployment") as said:
        ecs.back_from_bake(account.aws, SERVICE, 600, account.said, world.sleep, world.monotonic)
    assert "former version" not in f"{said.value} {said.value.remedy}"


def test_an_alarm_while_a_canary_has_a_share_moves_it_back(account: Account) -> None:
    world = Ecs(account, share_at=((0.0, 10.0), (300.0, 100.0)), moves=600.0)
    waits = world.follow()
    world.breaks, world.reason = world.now + 60, "Service deployment rolled back because alarms were triggered."
    back = world.end(waits, Action.CONTINUE)
    assert (back.outcome, back.reason) == (Outcome.ROLLED_BACK, world.reason)
    assert any("; 10 % of the traffic" in line for line in account.said.infos)


def test_throttled_looks_are_repeated(account: Account) -> None:
    world = Ecs(account, refuses={"DescribeServiceDeployments": ["ThrottlingException"] * 5})
    assert world.follow().pause


def test_unknown_for_ever_is_timed_out(account: Account) -> None:
    world = Ecs(account, known=1e9)
    with pytest.raises(TimedOutError):
        world.follow(timeout=100)
    assert world.changes() == []


def test_during_the_bake_the_traffic_goes_back_by_one_call(account: Account) -> None:
    world = Ecs(account, back=1.0)
    world.end(world.follow(), Action.CONTINUE, skip_bake=True)
    since = world.now
    back = ecs.back_from_bake(account.aws, SERVICE, 600, account.said, world.sleep, world.monotonic)
    assert back
    assert back.outcome is Outcome.ROLLED_BACK
    assert world.now - since < 4
    assert world.changes() == ["ContinueServiceDeployment", "StopServiceDeployment"]


def test_after_the_bake_there_is_nothing_to_take_back(account: Account) -> None:
    world = Ecs(account)
    world.end(world.follow(), Action.CONTINUE)
    assert ecs.back_from_bake(account.aws, SERVICE, 600, account.said, world.sleep, world.monotonic) is None
    assert world.changes() == ["ContinueServiceDeployment"]


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    yield


@pytest.mark.parametrize(
    ("at", "on_cancel", "changes", "says"),
    [
        (10.0, "leave", [], "waits for its test and has no traffic"),
        (10.0, "rollback", ["StopServiceDeployment"], "goes back from iris:2"),
        (30.0, "leave", [], "takes it back at 00:21 UTC"),
        (30.0, "rollback", ["ContinueServiceDeployment"], "goes back from iris:2"),
        (200.0, "leave", [], "goes on to iris:2 by itself"),
        (200.0, "rollback", ["StopServiceDeployment"], "goes back from iris:2"),
    ],
)
@pytest.mark.usefixtures("_no_pause")
def test_cancelled_it_ends_in_one_call(
    account: Account, at: float, on_cancel: str, changes: list[str], says: str
) -> None:
    world = Ecs(account)
    world.continued = 100.0 if at > 100 else None
    world.now = at
    leave_or_put_back(account.aws, SERVICE, on_cancel, account.said)
    assert world.changes() == changes
    assert says in account.said.warnings[-1]
    if on_cancel == "rollback":
        assert world.turned


@pytest.mark.parametrize("on_cancel", ["leave", "rollback"])
@pytest.mark.parametrize(
    ("event", "says"), [("replaced", "newer deployment"), ("breaks", "goes back from iris:2 by itself")]
)
@pytest.mark.usefixtures("_no_pause")
def test_cancelled_behind_a_newer_deployment_or_on_the_way_back_it_changes_nothing(
    account: Account, event: str, says: str, on_cancel: str
) -> None:
    world = Ecs(account, **{event: 10.0})
    world.now = 20.0
    leave_or_put_back(account.aws, SERVICE, on_cancel, account.said)
    assert world.changes() == []
    assert says in account.said.warnings[-1]


@pytest.mark.usefixtures("_no_pause")
def test_a_first_version_that_waits_is_not_said_to_go_on(account: Account) -> None:
    world = Ecs(account, first=True)
    world.now = 30.0
    leave_or_put_back(account.aws, FIRST, "leave", account.said)
    assert "takes it back at 00:21 UTC" in account.said.warnings[-1]


@pytest.mark.usefixtures("_no_pause")
def test_cancelled_after_its_end_it_goes_back_without_a_pause_that_nobody_would_end(account: Account) -> None:
    world = Ecs(account)
    world.continued, world.now = 30.0, 900.0
    leave_or_put_back(account.aws, SERVICE, "rollback", account.said)
    (asked,) = [asked for _, name, asked in world.calls if name == "UpdateService"]
    assert asked["taskDefinition"] == SERVICE.previous_task_definition_arn
    assert asked["deploymentConfiguration"]["lifecycleHooks"] == []


def test_going_back_after_the_end_ends_its_own_pause(account: Account) -> None:
    world = Ecs(account)
    back = ecs.rollback(
        account.aws, SERVICE, SERVICE.task_definition_arn, 600, account.said, world.sleep, world.monotonic
    )
    assert back
    assert back.outcome is Outcome.DEPLOYED
    assert world.changes() == ["UpdateService", "ContinueServiceDeployment"]
