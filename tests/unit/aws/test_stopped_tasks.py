"""A stopped task counts as one of the deployment only where it is."""

from typing import Any

from model_dockerize.aws.ecs.stopped_tasks import stopped_tasks
from model_dockerize.aws.model import Service
from tests.rig.answers import answering

ARN = "arn:aws:ecs:us-east-1:123456789012"
TASK = f"{ARN}:task/c/1"
SERVICE = Service("arn", "iris", "c", True, "ecs-svc/1", f"{ARN}:task-definition/iris:1", None)


def test_they_are_looked_for_in_the_cluster_of_the_service() -> None:
    def describe(asked: Any) -> Any:
        found = ({"taskArn": arn, "lastStatus": "STOPPED", "startedBy": "ecs-svc/1"} for arn in asked["tasks"])
        return {"tasks": list(found)}

    account, asked = answering({"ListTasks": lambda _: {"taskArns": [TASK]}, "DescribeTasks": describe})
    assert [task["taskArn"] for task in stopped_tasks(account, SERVICE, frozenset())] == [TASK]
    assert [request["cluster"] for _, request in asked] == ["c", "c"]
