"""The simulator of ECS tells stories in which traffic shifts: over HTTP, on a clock of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.rig.ecs_shifts import ShiftingWorld
from tests.rig.ecs_simulator import Refusal, Simulator, simulator
from tests.rig.ecs_stage import BALANCER
from tests.rig.ecs_stories import Story

PAUSE: dict[str, Any] = {
    **{"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]},
    "timeoutConfiguration": {"timeoutInMinutes": 21, "action": "ROLLBACK"},
}
RULE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/b/1/2"
HOOKED: dict[str, Any] = {
    **{"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5, "lifecycleHooks": [PAUSE]},
    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
}


class Told:
    """A client of the simulator that has asked for `iris:2`."""

    def __init__(self, simulated: Simulator) -> None:
        self.simulated, self.world = simulated, simulated.world
        assert isinstance(self.world, ShiftingWorld)
        self.world.around.rules = {f"{RULE}/3": {"a": 100, "b": 0}, f"{RULE}/4": {"b": 1}}
        self.ecs: Any = boto3.client(
            "ecs", "us-east-1", endpoint_url=simulated.url, aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.ecs.register_task_definition(family="iris", containerDefinitions=[{"name": "iris", "image": "i"}])
        self.deployment = str(self.deploy("iris:2")["currentServiceDeployment"])

    def deploy(self, definition: str) -> dict[str, Any]:
        rules = {"productionListenerRule": f"{RULE}/3", "testListenerRule": f"{RULE}/4"}
        balancer = {
            **BALANCER,
            "containerName": "iris",
            "advancedConfiguration": {**BALANCER["advancedConfiguration"], **rules},
        }
        return dict(
            self.ecs.update_service(
                cluster="c",
                service="iris",
                taskDefinition=definition,
                deploymentConfiguration=HOOKED,
                loadBalancers=[balancer],
            )["service"]
        )

    def after(self, seconds: float) -> dict[str, Any]:
        self.simulated.clock.sleep(seconds)
        found = self.ecs.describe_service_deployments(serviceDeploymentArns=[self.deployment])
        return dict(found["serviceDeployments"][0])

    def decide(self, action: str) -> None:
        (hook,) = self.after(0)["lifecycleHookDetails"]
        self.ecs.continue_service_deployment(serviceDeploymentArn=self.deployment, hookId=hook["hookId"], action=action)


@contextmanager
def told(*stories: Story) -> Iterator[Told]:
    with simulator(*stories, world=ShiftingWorld) as simulated:
        yield Told(simulated)


def test_a_good_version() -> None:
    with told(Story(runs=10)) as run:
        assert run.after(5)["lifecycleStage"] == "SCALE_UP"
        at_pause = run.after(30)
        assert (at_pause["lifecycleStage"], at_pause["lifecycleHookDetails"][0]["status"]) == (
            "POST_TEST_TRAFFIC_SHIFT",
            "AWAITING_ACTION",
        )
        run.decide("CONTINUE")
        assert run.after(20)["lifecycleStage"] == "BAKE_TIME"
        assert run.after(400)["status"] == "SUCCESSFUL"


def test_a_client_that_never_comes_back() -> None:
    with told(Story(runs=10)) as run:
        run.after(60)
        assert run.after(21 * 60)["status"] in ("ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
        assert run.after(30)["statusReason"].endswith("POST_TEST_TRAFFIC_SHIFT pause hook timed out.")


def test_deaths_are_told_with_their_logs() -> None:
    with told(Story(runs=2, dies=(3, 6, 9, 12), log=("no weights",))) as run:
        assert run.after(60)["status"] == "ROLLBACK_SUCCESSFUL"
        assert run.after(0)["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
        stopped = run.ecs.list_tasks(cluster="c", desiredStatus="STOPPED")["taskArns"]
        shown = run.ecs.describe_tasks(cluster="c", tasks=stopped)["tasks"]
        assert [each["containers"][0]["exitCode"] for each in shown] == [1, 1, 1]


@pytest.mark.parametrize(
    ("story", "status", "reason"),
    [
        (Story(alarmed=20), "ROLLBACK_SUCCESSFUL", "CloudWatch alarms"),
        (Story(hook_fails=20), "ROLLBACK_SUCCESSFUL", "returned FAILED status"),
        (Story(stopped=20), "ROLLBACK_SUCCESSFUL", "StopServiceDeployment"),
        (Story(superseded=20), "STOPPED", "newer"),
    ],
)
def test_what_others_do_in_the_middle(story: Story, status: str, reason: str) -> None:
    with told(story) as run:
        assert run.after(10)["status"] == "IN_PROGRESS"
        ended = run.after(60)
        assert (ended["status"], reason in ended["statusReason"]) == (status, True)


def test_a_decision_that_is_refused_and_one_that_comes_too_late() -> None:
    with told(Story()) as run:
        run.after(30)
        run.simulated.refusals = [Refusal("ContinueServiceDeployment", "AccessDeniedException")]
        with pytest.raises(ClientError, match="AccessDeniedException"):
            run.decide("CONTINUE")
        run.simulated.refusals = []
        run.decide("ROLLBACK")
        with pytest.raises(ClientError, match="either completed"):
            run.decide("CONTINUE")
