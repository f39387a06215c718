"""The sandbox takes and refuses ways to deploy as ECS does: strategies, hooks, load balancers' rules, decisions."""

import re
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.api import ApiError
from model_sandbox.ecs import balancer_rules, strategy
from model_sandbox.ecs.course import Course
from model_sandbox.ecs.service_deployments import ServiceDeployments
from model_sandbox.ecs.strategy import Step, Strategy
from model_sandbox.ecs.traffic import Route, shares
from tests.rig.ecs_stage import BALANCER, SCOPE, Stage

BLUE_GREEN: dict[str, Any] = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}
LISTENERS = "arn:aws:elasticloadbalancing:us-east-1:1:listener-rule/app/b/1/2"


def pause(stage: str = "POST_TEST_TRAFFIC_SHIFT", minutes: Any = 21, **more: Any) -> dict[str, Any]:
    timeout = {"timeoutInMinutes": minutes, "action": more.pop("action", "ROLLBACK")}
    return {"targetType": "PAUSE", "lifecycleStages": [stage], "timeoutConfiguration": timeout, **more}


def canary(**values: Any) -> dict[str, Any]:
    return {"strategy": "CANARY", "canaryConfiguration": values}


def linear(**values: Any) -> dict[str, Any]:
    return {"strategy": "LINEAR", "linearConfiguration": values}


@pytest.mark.parametrize(
    ("configuration", "says"),
    [
        (BLUE_GREEN, ""),
        ({}, ""),
        ({"strategy": "PURPLE"}, "Invalid deployment strategy: PURPLE"),
        ({"strategy": "BLUE_GREEN"}, "bakeTimeInMinutes is required"),
        ({**BLUE_GREEN, "bakeTimeInMinutes": 1440}, ""),
        ({**BLUE_GREEN, "bakeTimeInMinutes": 1441}, "bakeTimeInMinutes must be between 0 and 1440"),
        ({**BLUE_GREEN, "bakeTimeInMinutes": -1}, "bakeTimeInMinutes must be between"),
        ({**BLUE_GREEN, "bakeTimeInMinutes": 1.5}, "bakeTimeInMinutes must be a whole number"),
        ({**BLUE_GREEN, "bakeTimeInMinutes": True}, "bakeTimeInMinutes must be between"),
        (canary(canaryPercent=0.1, canaryBakeTimeInMinutes=0), ""),
        (canary(canaryPercent=0.05), "canaryPercent must be between 0.1 and 100"),
        (canary(canaryPercent=0.15), "canaryPercent must be a multiple of 0.1"),
        (canary(canaryBakeTimeInMinutes=1441), "canaryBakeTimeInMinutes must be between"),
        (linear(stepPercent=3.0), ""),
        (linear(stepPercent=2.9), "stepPercent must be between 3.0 and 100"),
        (linear(stepBakeTimeInMinutes=-1), "stepBakeTimeInMinutes must be between"),
        ({**BLUE_GREEN, "canaryConfiguration": {}}, "canaryConfiguration is only valid"),
        ({"linearConfiguration": {}}, "linearConfiguration is only valid"),
        ({**BLUE_GREEN, "lifecycleHooks": [pause()] * 10}, ""),
        ({**BLUE_GREEN, "lifecycleHooks": [pause()] * 11}, "at most 10 PAUSE hooks"),
        ({**BLUE_GREEN, "lifecycleHooks": [pause(minutes=20160)]}, ""),
        ({**BLUE_GREEN, "lifecycleHooks": [pause(minutes=20161)]}, "timeoutInMinutes must be between 1 and 20160"),
        ({**BLUE_GREEN, "lifecycleHooks": [pause(minutes=0)]}, "timeoutInMinutes must be between"),
        ({**BLUE_GREEN, "lifecycleHooks": [pause(action="WAIT")]}, "Invalid timeout action"),
        ({**BLUE_GREEN, "lifecycleHooks": [pause(hookTargetArn="arn:x")]}, "not applicable for PAUSE hooks"),
        ({**BLUE_GREEN, "lifecycleHooks": [{"targetType": "SQS"}]}, "Invalid targetType. Valid values are"),
        ({**BLUE_GREEN, "lifecycleHooks": [{"hookTargetArn": "arn:x"}]}, "runs no Lambda functions"),
        ({"lifecycleHooks": [pause()]}, "pauses no ROLLING deployments"),
        ({**BLUE_GREEN, "alarms": {"alarmNames": ["a"], "enable": True, "rollback": False}}, "only with rollback"),
        ({**BLUE_GREEN, "alarms": {"alarmNames": ["a"], "enable": False, "rollback": False}}, ""),
        *(
            ({**BLUE_GREEN, "lifecycleHooks": [pause(stage)]}, "Invalid lifecycle stage provided for Pause Hook")
            for stage in ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "RECONCILE_SERVICE", "BAKE_TIME", "")
        ),
    ],
)
def test_configurations(configuration: dict[str, Any], says: str) -> None:
    if not says:
        strategy.check(configuration, "ECS", (BALANCER,))
        return
    with pytest.raises(ApiError, match=re.escape(says)) as refused:
        strategy.check(configuration, "ECS", (BALANCER,))
    assert refused.value.code == "InvalidParameterException"


def test_who_deploys_and_where_traffic_comes_from() -> None:
    with pytest.raises(ApiError, match="requires the ECS deployment controller"):
        strategy.check(BLUE_GREEN, "CODE_DEPLOY", (BALANCER,))
    strategy.check(BLUE_GREEN, "ECS", ())
    with pytest.raises(ApiError, match="requires a load balancer"):
        strategy.check(canary(), "ECS", ())


def test_what_an_update_leaves_out_stays_where_it_fits() -> None:
    hooked = {**BLUE_GREEN, "lifecycleHooks": [pause()], "maximumPercent": 200}
    assert strategy.merged(hooked, {"bakeTimeInMinutes": 9}) == {**hooked, "bakeTimeInMinutes": 9}
    assert strategy.merged(hooked, {"lifecycleHooks": []})["lifecycleHooks"] == []
    assert strategy.merged(canary(canaryPercent=5.0), {"strategy": "LINEAR"}) == {"strategy": "LINEAR"}


@pytest.mark.parametrize(
    ("configuration", "steps"),
    [
        (BLUE_GREEN, (Step(100.0, 0),)),
        (canary(), (Step(5.0, 10), Step(100.0, 0))),
        (canary(canaryPercent=100), (Step(100.0, 0),)),
        (linear(stepPercent=33.3), (Step(33.3, 6), Step(66.6, 6), Step(99.9, 6), Step(100.0, 0))),
        (linear(stepPercent=50.0, stepBakeTimeInMinutes=2), (Step(50.0, 2), Step(100.0, 0))),
        ({}, ()),
    ],
)
def test_steps(configuration: dict[str, Any], steps: tuple[Step, ...]) -> None:
    assert Strategy.of(configuration).steps == steps


@pytest.mark.parametrize(
    ("percent", "own", "others"),
    [(0.0, 0, 100), (100.0, 100, 0), (10.0, 10, 90), (2.5, 25, 974), (0.1, 1, 998), (99.9, 998, 1)],
)
def test_weights_of_a_share(percent: float, own: int, others: int) -> None:
    assert shares(Route(("a", "b"), "p", "t", "r"), "b", percent) == {"a": others, "b": own}


class TestLoadBalancers:
    @staticmethod
    def balanced(**changes: Any) -> dict[str, Any]:
        advanced = {**BALANCER["advancedConfiguration"], "productionListenerRule": f"{LISTENERS}/3"}
        advanced |= {"testListenerRule": f"{LISTENERS}/4", **changes}
        kept = {key: value for key, value in advanced.items() if value is not None}
        return {**BALANCER, "advancedConfiguration": kept}

    @staticmethod
    def check(*balancers: dict[str, Any], shifts: bool = True) -> None:
        balancer_rules.check(balancers, shifts, {f"{LISTENERS}/3": {"a": 100}, f"{LISTENERS}/5": {"a": 1, "b": 0}}.get)

    def test_what_is_taken(self) -> None:
        self.check(self.balanced())
        self.check(self.balanced(productionListenerRule=f"{LISTENERS}/5", testListenerRule=None))
        self.check({**BALANCER, "advancedConfiguration": None}, shifts=False)
        self.check(self.balanced(), shifts=False)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"productionListenerRule": "arn:x"}, "productionListenerRule has an invalid ARN format. Must be RuleArn"),
            (
                {"testListenerRule": LISTENERS.replace("listener-rule", "listener")},
                "testListenerRule has an invalid ARN format",
            ),
            ({"testListenerRule": f"{LISTENERS}/3"}, "The following rules cannot be used as both production and test"),
            ({"testListenerRule": None}, "testListenerRule is required when productionListenerRule is not associated"),
            ({"alternateTargetGroupArn": "a"}, "Duplicate targetGroupArn found: a"),
            ({"roleArn": None}, "roleArn is required"),
        ],
    )
    def test_what_is_refused(self, changes: dict[str, Any], says: str) -> None:
        with pytest.raises(ApiError, match=re.escape(says)):
            self.check(self.balanced(**changes))

    def test_all_or_none_is_advanced(self) -> None:
        plain = {"targetGroupArn": "c", "containerName": "web", "containerPort": 80}
        with pytest.raises(ApiError, match="advancedConfiguration field is required for all loadBalancers"):
            self.check(plain)
        with pytest.raises(ApiError, match="Either all or none"):
            self.check(self.balanced(), plain)


class TestDecisions:
    @pytest.fixture
    def stage(self) -> Stage:
        """Make a service that waits at its pause."""
        stage = Stage(strategy="BLUE_GREEN", bakeTimeInMinutes=1, lifecycleHooks=[pause()])
        stage.now = time.time()
        stage.deploy("one", BALANCER)
        while not self.course(stage).hooks:
            stage.up(stage.step(0.1))
        return stage

    @staticmethod
    def course(stage: Stage) -> Course:
        course = stage.service.records[0].course
        assert course
        return course

    @staticmethod
    def api(stage: Stage, scope: Any = SCOPE) -> ServiceDeployments:
        upstream = SimpleNamespace(scope=lambda: scope)
        state: Any = SimpleNamespace(
            services={"s": stage.service},
            lock=threading.RLock(),
            wake=threading.Event(),
            upstream=upstream,
            clock=time.time,
        )
        return ServiceDeployments(state)

    def asked(self, stage: Stage, **changes: Any) -> dict[str, Any]:
        record = stage.service.records[0]
        return {"serviceDeploymentArn": record.arn, "hookId": self.course(stage).hooks[0].identity, **changes}

    def test_continue_goes_on_and_only_once(self, stage: Stage) -> None:
        asked = self.asked(stage)
        assert self.api(stage).continue_service_deployment(asked) == {
            "serviceDeploymentArn": asked["serviceDeploymentArn"]
        }
        with pytest.raises(ApiError, match="Provided hookId is either completed, unavailable"):
            self.api(stage).continue_service_deployment(asked)
        stage.step()
        assert self.course(stage).stage == "PRE_PRODUCTION_TRAFFIC_SHIFT"

    def test_rollback_goes_back(self, stage: Stage) -> None:
        self.api(stage).continue_service_deployment(self.asked(stage, action="ROLLBACK"))
        stage.step()
        assert stage.service.records[0].status == "ROLLBACK_FAILED", "it is the first"

    @pytest.mark.parametrize(
        ("changes", "code", "says"),
        [
            ({"hookId": "hook-1"}, "InvalidParameterException", "Invalid hookId: hookId must follow the format"),
            ({"hookId": "ecs-pause-x"}, "InvalidParameterException", "Provided hookId is either completed"),
            ({"action": "STOP"}, "InvalidParameterException", "Invalid action"),
            ({"serviceDeploymentArn": "arn:x"}, "ServiceDeploymentNotFoundException", "does not exist"),
        ],
    )
    def test_what_is_refused(self, stage: Stage, changes: dict[str, Any], code: str, says: str) -> None:
        with pytest.raises(ApiError, match=says) as refused:
            self.api(stage).continue_service_deployment(self.asked(stage, **changes))
        assert refused.value.code == code
        assert self.course(stage).hooks[0].waits

    def test_too_late_is_refused_though_the_scheduler_has_not_looked(self, stage: Stage) -> None:
        self.course(stage).hooks[0].expires_at = time.time() - 0.01
        with pytest.raises(ApiError, match="either completed, unavailable"):
            self.api(stage).continue_service_deployment(self.asked(stage))

    def test_another_account_does_not_see_it(self, stage: Stage) -> None:
        stranger = SimpleNamespace(account="000000000000", region="us-east-1")
        with pytest.raises(ApiError, match="does not exist"):
            self.api(stage, stranger).continue_service_deployment(self.asked(stage))

    def test_stop_asks_for_a_rollback_and_is_refused_at_the_end(self, stage: Stage) -> None:
        asked, record = self.asked(stage), stage.service.records[0]
        with pytest.raises(ApiError, match="Invalid stopType"):
            self.api(stage).stop_service_deployment({**asked, "stopType": "ABORT"})
        self.api(stage).stop_service_deployment({"serviceDeploymentArn": asked["serviceDeploymentArn"]})
        assert record.status == "ROLLBACK_REQUESTED"
        with pytest.raises(ApiError, match="either completed, unavailable"):
            self.api(stage).continue_service_deployment(asked)
        self.api(stage).stop_service_deployment(asked)
        stage.step()
        assert record.finished_at
        with pytest.raises(ApiError) as refused:
            self.api(stage).stop_service_deployment(asked)
        assert refused.value.code == "ConflictException"
        with pytest.raises(ApiError, match="not allowed for service deployment in terminal states"):
            self.api(stage).continue_service_deployment(asked)
