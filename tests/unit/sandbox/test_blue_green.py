"""The scheduler shifts a service's traffic as ECS does, second by second, without a container."""

import re
from typing import Any

import pytest

from model_sandbox.ecs import shapes
from model_sandbox.ecs.course import Course, Hook
from model_sandbox.ecs.service import ServiceDeployment
from model_sandbox.ecs.task import Task
from tests.rig.ecs_stage import BALANCER, Stage

PAUSE: dict[str, Any] = {
    **{"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]},
    "timeoutConfiguration": {"timeoutInMinutes": 21, "action": "ROLLBACK"},
}
HOOKED: dict[str, Any] = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5, "lifecycleHooks": [PAUSE]}
PLAIN: dict[str, Any] = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}
STOPPED = "Service deployment rolled back because it was stopped by StopServiceDeployment."


class Blue(Stage):
    """A service that runs revision `one` in group `a`, and then deploys `two`, by `configuration`."""

    def __init__(self, desired: int = 1, **configuration: object) -> None:
        super().__init__(desired)
        self.steady("one", BALANCER)
        self.service.configuration |= configuration
        self.deploy("two", BALANCER)

    @property
    def record(self) -> ServiceDeployment:
        return self.service.records[0]

    @property
    def course(self) -> Course:
        assert self.record.course
        return self.record.course

    @property
    def hook(self) -> Hook:
        return next(hook for hook in self.course.hooks if hook.waits)

    def until(self, stage: str, seconds: float = 0.5) -> "Blue":
        """Let time pass, and every task start that is wanted, until a stage or a status is reached."""
        for _ in range(400):
            if stage in (self.course.stage, self.record.status) or (stage == "PAUSE" and self.waits):
                return self
            self.up(self.step(seconds))
        raise AssertionError(f"stays in {self.course.stage}, {self.record.status}")

    @property
    def waits(self) -> bool:
        return any(hook.waits for hook in self.course.hooks)

    def of(self, name: str) -> list[Task]:
        return [task for task in self.running if task.definition["taskDefinitionArn"] == name]

    def shares(self) -> tuple[dict[str, int], dict[str, int]]:
        return self.around.rules["production"], self.around.rules["test"]


def test_a_good_revision_goes_through_every_stage_and_blue_goes_last() -> None:
    stage = Blue(**HOOKED)
    seen: list[str] = []
    for _ in range(2000):
        if not seen or seen[-1] != stage.course.stage:
            seen.append(stage.course.stage)
        if stage.record.finished_at:
            break
        stage.up(stage.step())
        if stage.waits:
            stage.hook.status = "SUCCEEDED"
        if stage.course.stage not in ("CLEAN_UP", "SCALE_UP"):
            assert len(stage.of("one")) == 1
    assert seen[1:] == [
        *("PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"),
        *("PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"),
        *("BAKE_TIME", "CLEAN_UP"),
    ]
    assert stage.record.status == "SUCCESSFUL"
    assert [task.definition["taskDefinitionArn"] for task in stage.running] == ["two"]


def test_at_the_pause_green_has_the_test_traffic_and_blue_production() -> None:
    stage = Blue(2, **HOOKED).until("PAUSE")
    assert stage.course.stage == "POST_TEST_TRAFFIC_SHIFT"
    assert stage.shares() == ({"a": 100, "b": 0}, {"a": 0, "b": 100})
    assert (len(stage.of("one")), len(stage.of("two"))) == (2, 2)
    assert stage.service.groups_of(stage.record.target) == ("b",)
    shown = shapes.service_deployment(stage.service, stage.record, stage.tasks)
    assert (shown["status"], shown["lifecycleStage"]) == ("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT")
    (hook,) = shown["lifecycleHookDetails"]
    assert (hook["targetType"], hook["status"], hook["timeoutAction"]) == ("PAUSE", "AWAITING_ACTION", "ROLLBACK")
    assert hook["expiresAt"] == stage.course.since + 21 * 60
    target, (source,) = shown["targetServiceRevision"], shown["sourceServiceRevisions"]
    assert (target["requestedTestTrafficWeight"], target["requestedProductionTrafficWeight"]) == (100.0, 0.0)
    assert source["requestedProductionTrafficWeight"] == 100.0
    assert (source["requestedTaskCount"], target["runningTaskCount"]) == (2, 2)


def test_before_the_test_shift_the_test_rule_is_as_it_was() -> None:
    stage = Blue(**HOOKED).until("POST_SCALE_UP")
    assert stage.shares() == ({"a": 100, "b": 0}, {"b": 1})


def test_the_next_deployment_takes_the_other_group_as_the_rule_says() -> None:
    stage = Blue(**PLAIN).until("SUCCESSFUL", 60)
    assert stage.shares()[0] == {"a": 0, "b": 100}
    stage.deploy("three", BALANCER)
    stage.until("POST_TEST_TRAFFIC_SHIFT")
    assert stage.service.groups_of(stage.record.target) == ("a",)
    stage.until("SUCCESSFUL", 60)
    assert stage.shares() == ({"a": 100, "b": 0}, {"a": 100, "b": 0})


def test_a_pause_that_expires_goes_back() -> None:
    stage = Blue(**HOOKED).until("PAUSE")
    before = stage.hook
    stage.step(21 * 60 - 1)
    assert stage.record.status == "IN_PROGRESS"
    stage.step(1)
    assert (before.status, stage.record.status) == ("TIMED_OUT", "ROLLBACK_IN_PROGRESS")
    stage.until("ROLLBACK_SUCCESSFUL")
    words = "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."
    assert (stage.record.status_reason, stage.record.rollback["reason"]) == (words, words)
    assert stage.shares() == ({"a": 100, "b": 0}, {"b": 0, "a": 100})
    assert len(stage.running) == len(stage.of("one")) == 1


def test_a_pause_that_continues_by_itself() -> None:
    patient = {**PAUSE, "timeoutConfiguration": {"timeoutInMinutes": 1, "action": "CONTINUE"}}
    stage = Blue(**{**HOOKED, "lifecycleHooks": [patient]}).until("PAUSE")
    stage.step(60)
    assert stage.until("BAKE_TIME").record.status == "IN_PROGRESS"
    assert [hook.status for hook in stage.course.hooks] == ["TIMED_OUT"]


def test_two_hooks_of_one_stage_must_both_be_over() -> None:
    stage = Blue(**{**HOOKED, "lifecycleHooks": [PAUSE, PAUSE]}).until("PAUSE")
    first, second = stage.course.hooks
    assert first.identity != second.identity
    first.status = "SUCCEEDED"
    for _ in range(5):
        stage.step()
    assert stage.course.stage == "POST_TEST_TRAFFIC_SHIFT"
    second.status = "SUCCEEDED"
    stage.until("BAKE_TIME")


def test_a_stop_in_the_bake_is_back_in_one_step() -> None:
    stage = Blue(**PLAIN).until("BAKE_TIME")
    assert stage.shares()[0] == {"a": 0, "b": 100}
    stage.record.cause = STOPPED
    stage.step(0.25)
    assert stage.shares()[0] == {"a": 100, "b": 0}
    assert stage.record.status == "ROLLBACK_IN_PROGRESS"
    assert stage.until("ROLLBACK_SUCCESSFUL").record.status_reason == STOPPED
    assert len(stage.running) == len(stage.of("one")) == 1


def test_a_stop_while_blue_is_cleaned_up_shifts_only_to_what_runs() -> None:
    stage = Blue(**PLAIN).until("CLEAN_UP", 30)
    assert stage.of("one") == []
    stage.record.cause = STOPPED
    fresh = stage.step()
    assert stage.shares()[0] == {"a": 0, "b": 100}, "nobody is there to answer"
    assert len(stage.of("two")) == 1
    stage.up(fresh)
    stage.until("ROLLBACK_SUCCESSFUL")
    assert stage.shares()[0] == {"a": 100, "b": 0}


def test_a_first_deployment_has_nothing_to_go_back_to() -> None:
    stage = Blue(**HOOKED)
    stage.service.deployments.clear()
    stage.tasks.clear()
    stage.deploy("two", BALANCER)
    stage.until("PAUSE")
    stage.record.cause = "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT lifecycle hook(s) failed."
    stage.step()
    assert stage.record.status == "ROLLBACK_FAILED"
    assert stage.record.status_reason == "No rollback candidate was found to run the rollback."
    assert not stage.waits
    stage.step()
    assert stage.running == []
    assert all(stage.step(10) == [] for _ in range(5))
    stage.deploy("three", BALANCER)
    stage.until("PAUSE").hook.status = "SUCCEEDED"
    assert len(stage.until("SUCCESSFUL", 60).of("three")) == 1


def test_a_first_deployment_that_is_good_ends_with_the_alternate_group_serving() -> None:
    stage = Blue(**PLAIN)
    stage.service.deployments.clear()
    stage.tasks.clear()
    stage.deploy("two", BALANCER)
    stage.until("SUCCESSFUL", 60)
    assert stage.shares()[0] == {"a": 0, "b": 100}


def test_crashes_of_green_trip_the_breaker_and_leave_production_alone() -> None:
    stage = Blue(**PLAIN).until("SCALE_UP")
    for _ in range(3):
        stage.crash(stage.of("two"))
        stage.step(0.01)
        stage.up(stage.step(0.8))
    assert (stage.record.status, stage.record.breaker) == ("ROLLBACK_IN_PROGRESS", "TRIGGERED")
    assert stage.shares() == ({"a": 100, "b": 0}, {"b": 1})
    stage.until("ROLLBACK_SUCCESSFUL")
    words = "Service deployment rolled back because the circuit breaker threshold was exceeded."
    assert stage.record.status_reason == words
    assert stage.record.failures == 3


def test_a_blue_task_that_dies_is_replaced_by_a_blue_one() -> None:
    stage = Blue(**HOOKED).until("PAUSE")
    stage.crash(stage.of("one"))
    stage.up(stage.step())
    assert (len(stage.of("one")), len(stage.of("two"))) == (1, 1)


def test_a_scale_out_at_the_pause_is_for_both_sides() -> None:
    stage = Blue(**HOOKED).until("PAUSE")
    stage.service.desired = 3
    stage.up(stage.step())
    assert (len(stage.of("one")), len(stage.of("two"))) == (3, 3)


def test_canary_shifts_a_part_and_waits() -> None:
    canary = {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 2}
    stage = Blue(strategy="CANARY", bakeTimeInMinutes=1, canaryConfiguration=canary)
    stage.until("PRODUCTION_TRAFFIC_SHIFT")
    assert stage.shares()[0] == {"a": 90, "b": 10}
    assert stage.course.production == 10.0
    stage.step(119)
    assert stage.shares()[0] == {"a": 90, "b": 10}
    stage.step(1)
    assert stage.course.stage == "PRE_PRODUCTION_TRAFFIC_SHIFT"
    stage.until("POST_PRODUCTION_TRAFFIC_SHIFT")
    assert stage.shares()[0] == {"a": 0, "b": 100}
    stage.until("SUCCESSFUL", 10)


def test_linear_pauses_before_each_step() -> None:
    before_each = {**PAUSE, "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]}
    linear = {"stepPercent": 40.0, "stepBakeTimeInMinutes": 1}
    stage = Blue(strategy="LINEAR", bakeTimeInMinutes=0, linearConfiguration=linear, lifecycleHooks=[before_each])
    seen = []
    for _ in range(3):
        stage.until("PAUSE")
        seen.append((stage.course.production, stage.shares()[0]["b"]))
        stage.hook.status = "SUCCEEDED"
        stage.step()
    assert seen == [(0.0, 0), (40.0, 40), (80.0, 80)]
    stage.until("SUCCESSFUL", 10)
    assert len({hook.identity for hook in stage.course.hooks}) == 3


def test_an_alarm_goes_back_and_one_that_was_ringing_is_ignored() -> None:
    alarms = {"alarmNames": ["old", "new"], "enable": True, "rollback": True}
    stage = Stage()
    stage.around.alarms = {"old"}
    stage = Blue(alarms=alarms, **PLAIN)
    stage.around.alarms = {"old"}
    stage.deploy("three", BALANCER)
    stage.until("BAKE_TIME")
    assert stage.record.status == "IN_PROGRESS"
    stage.around.alarms = {"old", "new"}
    stage.step()
    assert stage.shares()[0] == {"a": 100, "b": 0}
    stage.until("ROLLBACK_SUCCESSFUL")
    assert "alarm" in stage.record.status_reason
    shown = shapes.service_deployment(stage.service, stage.record, stage.tasks)["alarms"]
    assert (shown["status"], shown["triggeredAlarmNames"]) == ("TRIGGERED", ["new"])


def test_an_alarm_ends_a_rolling_deployment_too() -> None:
    stage = Stage(alarms={"alarmNames": ["x"], "enable": True, "rollback": True})
    (old,) = stage.steady()
    stage.deploy("two")
    stage.up(stage.step(0.1))
    stage.around.alarms = {"x"}
    stage.step(0.1)
    assert stage.service.records[0].status == "ROLLBACK_IN_PROGRESS"
    for _ in range(10):
        stage.step()
    assert stage.running == [old]
    assert "alarm" in stage.service.records[0].status_reason


def test_a_stopped_rolling_deployment_goes_back_even_without_a_breaker() -> None:
    stage = Stage(deploymentCircuitBreaker={"enable": False, "rollback": False})
    (old,) = stage.steady()
    stage.deploy("two")
    stage.step(0.1)
    stage.service.records[0].cause = STOPPED
    for _ in range(10):
        stage.step()
    assert (stage.service.records[0].status, stage.running) == ("ROLLBACK_SUCCESSFUL", [old])


class TestSuperseded:
    def test_at_the_pause_blue_stays_and_the_waiting_side_goes(self) -> None:
        stage = Blue(**HOOKED).until("PAUSE")
        former = stage.record
        stage.deploy("three", BALANCER)
        assert former.status == "STOPPED"
        stage.until("RECONCILE_SERVICE")
        stage.until("PAUSE")
        assert (len(stage.of("one")), len(stage.of("two")), len(stage.of("three"))) == (1, 0, 1)
        assert stage.shares() == ({"a": 100, "b": 0}, {"a": 0, "b": 100})
        assert [revision.arn for revision in stage.record.sources] == ["one"]

    def test_in_the_bake_the_new_side_is_what_serves(self) -> None:
        stage = Blue(**PLAIN).until("BAKE_TIME")
        stage.deploy("three", BALANCER)
        stage.until("POST_TEST_TRAFFIC_SHIFT")
        assert (len(stage.of("one")), len(stage.of("two")), len(stage.of("three"))) == (0, 1, 1)
        assert stage.service.groups_of(stage.record.target) == ("a",)
        stage.record.cause = STOPPED
        stage.until("ROLLBACK_SUCCESSFUL")
        assert len(stage.running) == len(stage.of("two")) == 1
        assert stage.shares()[0] == {"a": 0, "b": 100}

    def test_in_a_canary_all_traffic_goes_back_to_blue(self) -> None:
        canary = {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 2}
        stage = Blue(strategy="CANARY", bakeTimeInMinutes=1, canaryConfiguration=canary)
        stage.until("PRODUCTION_TRAFFIC_SHIFT")
        stage.deploy("three", BALANCER)
        stage.step()
        assert stage.shares() == ({"b": 0, "a": 100}, {"b": 0, "a": 100})

    def test_by_a_rolling_one(self) -> None:
        stage = Blue(**HOOKED).until("PAUSE")
        stage.service.configuration |= {"strategy": "ROLLING", "lifecycleHooks": []}
        stage.deploy("three", BALANCER)
        for _ in range(20):
            stage.up(stage.step())
        assert len(stage.running) == len(stage.of("three")) == 1
        assert stage.service.records[0].status == "SUCCESSFUL"


class TestWhatEcsFindsOutLater:
    INVALID = "Service deployment rolled back because of invalid networking configuration"

    def test_the_rule_is_gone_at_the_start(self) -> None:
        stage = Blue(**HOOKED)
        del stage.around.rules["production"]
        assert stage.until("ROLLBACK_SUCCESSFUL").record.status_reason == f"{self.INVALID}. One or more rules not found"

    def test_the_test_rule_goes_while_green_starts(self) -> None:
        stage = Blue(**HOOKED).until("SCALE_UP")
        del stage.around.rules["test"]
        assert stage.until("ROLLBACK_SUCCESSFUL").record.status_reason == f"{self.INVALID}. One or more rules not found"
        assert stage.around.rules == {"production": {"a": 100, "b": 0}}

    @pytest.mark.parametrize(
        ("production", "words"),
        [
            ({"a": 50, "b": 50}, "should have exactly one target group serving traffic but found 2"),
            ({"a": 0, "b": 0}, "should have exactly one target group serving traffic but found 0"),
            ({"a": 0, "b": 0, "c": 1}, "forwarding traffic to unexpected target group c. Expected .* a or .* b"),
            ({"b": 1}, "Both targetGroup and alternateTargetGroup must be associated"),
        ],
    )
    def test_the_rule_is_not_as_it_must_be(self, production: dict[str, int], words: str) -> None:
        stage = Blue(**HOOKED)
        stage.around.rules["production"] = production
        reason = stage.until("ROLLBACK_SUCCESSFUL").record.status_reason
        assert reason.startswith(self.INVALID)
        assert re.search(words, reason)

    def test_the_role_cannot_be_assumed(self) -> None:
        stage = Blue(**HOOKED)
        stage.around.can_assume = False
        words = "missing permissions on ECS Infrastructure Role 'role'."
        assert stage.until("ROLLBACK_SUCCESSFUL").record.status_reason.endswith(words)

    def test_the_role_may_not_modify_the_rule(self) -> None:
        stage = Blue(**HOOKED)
        stage.around.refuses["test"] = "User: x is not authorized to perform: elasticloadbalancing:ModifyRule"
        reason = stage.until("ROLLBACK_SUCCESSFUL").record.status_reason
        assert reason.startswith(
            "Service deployment rolled back because TEST_TRAFFIC_SHIFT lifecycle hook(s) failed. User: x is not"
        )
        assert stage.shares() == ({"a": 100, "b": 0}, {"b": 1})

    def test_green_never_gets_healthy_for_a_day(self) -> None:
        stage = Blue(**PLAIN)
        for _ in range(3):
            stage.step()
        assert stage.course.stage == "SCALE_UP"
        stage.step(24 * 3600 + 1)
        assert stage.record.status == "ROLLBACK_IN_PROGRESS"


def test_a_service_that_is_deleted_at_its_pause_drains() -> None:
    stage = Blue(**HOOKED).until("PAUSE")
    stage.service.status = "DRAINING"
    stage.step()
    assert stage.running == []
    stage.step()
    assert stage.service.status == "INACTIVE"


def test_with_no_task_wanted_there_is_nothing_to_wait_for() -> None:
    stage = Blue(0, **HOOKED).until("PAUSE")
    stage.record.cause = STOPPED
    assert stage.until("ROLLBACK_SUCCESSFUL").running == []


def test_without_a_load_balancer_the_stages_pass_and_nothing_is_shifted() -> None:
    stage = Stage()
    stage.steady("one")
    stage.service.configuration |= PLAIN
    stage.deploy("two")
    for _ in range(30):
        stage.up(stage.step(30))
    assert stage.service.records[0].status == "SUCCESSFUL"
    assert stage.around.rules == {"production": {"a": 100, "b": 0}, "test": {"b": 1}}


def test_of_a_side_that_is_not_up_yet_no_task_is_wanted() -> None:
    stage = Blue(2, **HOOKED)
    shown = shapes.service(stage.service, stage.tasks, None)["deployments"]
    assert [(each["taskDefinition"], each["desiredCount"]) for each in shown] == [("two", 0), ("one", 2)]


def test_services_that_shift_show_no_rollout_state() -> None:
    stage = Blue(**HOOKED).until("PAUSE")
    shown = shapes.service(stage.service, stage.tasks, None)
    assert [("rolloutState" in each, each["desiredCount"]) for each in shown["deployments"]] == [(False, 1), (False, 1)]
    assert [each["status"] for each in shown["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert shown["currentServiceDeployment"] == stage.record.arn
    assert [each["requestedTaskCount"] for each in shown["currentServiceRevisions"]] == [1, 1]
    revision = shapes.service_revision(stage.service, stage.record.target)
    assert revision["resolvedConfiguration"]["loadBalancers"] == [
        {"targetGroupArn": "b", "productionListenerRule": "production"}
    ]
