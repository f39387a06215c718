"""The follower against a scripted ECS and a virtual clock: when it knows, what it says, how often it asks.

The script answers through botocore's own client, so every request is checked against AWS's model.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize.aws import ecs
from model_dockerize.aws.ecs import Verdict
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsAccessError, TimedOutError

from .conftest import Account

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = Service(
    arn="arn:aws:ecs:us-east-1:1:service/c/iris",
    name="iris",
    cluster="c",
    changed=True,
    deployment_id="ecs-svc/22",
    task_definition_arn="arn:aws:ecs:us-east-1:1:task-definition/iris:2",
    previous_task_definition_arn="arn:aws:ecs:us-east-1:1:task-definition/iris:1",
)
SERVICE_DEPLOYMENT = "arn:aws:ecs:us-east-1:1:service-deployment/c/iris/xyz"


def deployment(number: int, status: str, state: str, running: int, failed: int = 0) -> dict[str, Any]:
    return {
        "id": f"ecs-svc/{number}{number}",
        "status": status,
        "taskDefinition": f"arn:aws:ecs:us-east-1:1:task-definition/iris:{number}",
        "rolloutState": state,
        "rolloutStateReason": "ECS deployment in progress.",
        "desiredCount": 1,
        "runningCount": running,
        "pendingCount": 0,
        "failedTasks": failed,
        "createdAt": BEGIN,
    }


def shown(*deployments: dict[str, Any], events: tuple[str, ...] = ()) -> dict[str, Any]:
    said = [{"id": text, "createdAt": BEGIN + timedelta(seconds=1), "message": text} for text in events]
    past = {"id": "old", "createdAt": BEGIN - timedelta(hours=1), "message": "an event of last week"}
    return {"status": "ACTIVE", "serviceName": "iris", "deployments": list(deployments), "events": [*said[::-1], past]}


ROLLING = shown(deployment(2, "PRIMARY", "IN_PROGRESS", 0), deployment(1, "ACTIVE", "COMPLETED", 1))
DONE = shown(deployment(2, "PRIMARY", "COMPLETED", 1), events=("(service iris) has reached a steady state.",))
DYING = shown(deployment(2, "PRIMARY", "IN_PROGRESS", 0, failed=1), deployment(1, "ACTIVE", "COMPLETED", 1))
BACK = shown(deployment(3, "PRIMARY", "IN_PROGRESS", 1), deployment(2, "ACTIVE", "FAILED", 0, failed=3))
DEAD = {
    "taskArn": "arn:aws:ecs:us-east-1:1:task/c/dead",
    "taskDefinitionArn": SERVICE.task_definition_arn,
    "startedBy": "ecs-svc/22",
    "lastStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "containers": [{"name": "iris", "exitCode": 137, "reason": "OutOfMemoryError: killed"}],
}
REPLACED = {**DEAD, "taskArn": "arn:aws:ecs:us-east-1:1:task/c/replaced", "startedBy": "ecs-svc/11"}


class Script:
    """ECS from `BEGIN` on: what the service shows from which second, and what became of our service deployment."""

    def __init__(self, account: Account, *shows: tuple[float, dict[str, Any], str]) -> None:
        self.account, self.shows, self.now = account, shows, 0.0
        self.refuse: dict[str, str] = {}
        self.waits: list[float] = []
        self.revision = "arn:aws:ecs:us-east-1:1:service-revision/c/iris/22"
        account.hooks.add(self.answer)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now

    def answer(self, model: Any, params: Any, **_: Any) -> Any:
        self.now += 0.05
        asked = json.loads(params["body"])
        if code := self.refuse.get(model.name):
            raise ClientError({"Error": {"Code": code, "Message": "refused"}}, model.name)
        _since, service, status = [s for s in self.shows if s[0] <= self.now][-1]
        failed = any(d["failedTasks"] for d in service["deployments"])
        ours = {"serviceDeploymentArn": SERVICE_DEPLOYMENT, "status": status, "createdAt": BEGIN}
        answers: dict[str, Any] = {
            "DescribeServices": {"services": [service]},
            "ListServiceDeployments": {"serviceDeployments": [{**ours, "targetServiceRevisionArn": self.revision}]},
            "DescribeServiceDeployments": {"serviceDeployments": [{**ours, "rollback": {"reason": "tasks failed."}}]},
            "ListTasks": {"taskArns": [DEAD["taskArn"], REPLACED["taskArn"]] if failed else []},
            "DescribeTasks": {"tasks": [t for t in (DEAD, REPLACED) if t["taskArn"] in asked.get("tasks", [])]},
            "DescribeTaskDefinition": {
                "taskDefinition": {
                    "containerDefinitions": [
                        {
                            "name": "iris",
                            "logConfiguration": {
                                "options": {
                                    "awslogs-group": "/model-dockerize/iris",
                                    "awslogs-stream-prefix": "service",
                                }
                            },
                        }
                    ]
                }
            },
            "GetLogEvents": {"events": [{"message": "loading the model"}, {"message": "Killed"}]},
        }
        response = type("Response", (), {"status_code": 200})()
        return response, answers[model.name]

    def follow(self, timeout: float = 600) -> Verdict:
        return ecs.follow(self.account.aws, SERVICE, timeout, self.account.said, self.sleep, self.monotonic)


@pytest.mark.parametrize("at", [3.0, 20.0, 47.0, 130.0, 290.0])
def test_green_soon_after_it_is_true(account: Account, at: float) -> None:
    script = Script(account, (0, ROLLING, "IN_PROGRESS"), (at, DONE, "SUCCESSFUL"))
    verdict = script.follow()
    assert verdict.outcome == "deployed"
    assert 0 <= verdict.seconds - at < 3
    assert verdict.running_task_definition_arn == SERVICE.task_definition_arn
    assert "(service iris) has reached a steady state." in account.said.infos
    assert "an event of last week" not in account.said.infos
    assert account.changes() == []


def test_the_first_dead_task_is_said_when_it_dies_not_at_the_end(account: Account) -> None:
    script = Script(
        account, (0, ROLLING, "IN_PROGRESS"), (10, DYING, "IN_PROGRESS"), (100, BACK, "ROLLBACK_IN_PROGRESS")
    )
    said_at: list[float] = []
    output = account.said.output

    def note(text: str) -> None:
        said_at.append(script.now)
        output(text)

    account.said.output = note  # type: ignore[method-assign]
    verdict = script.follow()
    assert 10 <= said_at[0] < 13
    assert verdict.outcome == "rolled-back"
    assert verdict.seconds - 100 < 3
    assert verdict.reason == "tasks failed."
    assert verdict.running_task_definition_arn is not None
    (dead,) = verdict.stopped_tasks
    assert (dead.exit_code, dead.log) == (137, ("loading the model", "Killed"))
    assert "raise memory" in account.said.warnings[0]
    assert account.said.outputs == ["loading the model", "Killed"]
    assert verdict.details()[1:] == ("loading the model", "Killed")


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnsupportedFeatureException", "InvalidAction"])
def test_without_service_deployments_the_service_tells(account: Account, code: str) -> None:
    script = Script(account, (0, ROLLING, "IN_PROGRESS"), (5, DONE, "SUCCESSFUL"))
    script.refuse = {"ListServiceDeployments": code}
    assert script.follow().outcome == "deployed"
    assert account.calls.count("ecs:ListServiceDeployments") == 1


def test_throttled_it_asks_less_often_and_goes_on(account: Account) -> None:
    script = Script(account, (0, ROLLING, "IN_PROGRESS"), (5, DONE, "SUCCESSFUL"))
    script.refuse = {"DescribeServices": "ThrottlingException"}
    recovered = script.sleep

    def sleep(seconds: float) -> None:
        recovered(seconds)
        if script.now > 20:
            script.refuse = {}

    script.sleep = sleep  # type: ignore[method-assign]
    assert script.follow().outcome == "deployed"
    assert script.waits[:4] == [2, 4, 8, 16]


def test_time_is_up(account: Account) -> None:
    script = Script(account, (0, ROLLING, "IN_PROGRESS"), (10, DYING, "IN_PROGRESS"))
    with pytest.raises(TimedOutError, match="after 60 s") as caught:
        script.follow(60)
    assert "exit code 137" in caught.value.details[0]
    assert caught.value.remedy


def test_a_denied_read_ends_it_at_once(account: Account) -> None:
    script = Script(account, (0, ROLLING, "IN_PROGRESS"))
    script.refuse = {"DescribeServices": "AccessDeniedException"}
    with pytest.raises(AwsAccessError, match="DescribeServices"):
        script.follow()
    assert script.waits == []


def test_a_deployment_without_a_number_in_its_revision_is_found_by_its_time(account: Account) -> None:
    script = Script(account, (0, ROLLING, "IN_PROGRESS"), (5, BACK, "ROLLBACK_SUCCESSFUL"))
    script.revision = "arn:aws:ecs:us-east-1:1:service-revision/c/iris/another-number"
    assert script.follow().reason == "tasks failed."
