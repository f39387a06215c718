"""The model's container among those that AWS adds to a task, in any order."""

from collections.abc import Mapping
from itertools import permutations
from types import MappingProxyType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize.aws.client import Aws
from model_dockerize.aws.ecs.run_task import run_once
from model_dockerize.aws.ecs.stopped_tasks import diagnose
from model_dockerize.aws.existing.own_container import own_container
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsError
from model_dockerize.progress import Silent
from tests.rig.answers import answering
from tests.rig.progress import Said

ARN = "arn:aws:ecs:us-east-1:123456789012"
TASK, DEFINITION = f"{ARN}:task/c/0123", f"{ARN}:task-definition/iris:1"
#: As DescribeTasks shows them: aws-cdk issue 32877, with an agent that could not be pulled, or was ended.
AGENTS = (
    {"name": "aws-guardduty-agent-mfjGLB", "reason": "CannotPullContainerError: pull image manifest"},
    {"name": "aws-guardduty-agent-mfjGLB", "exitCode": 143},
)
PROXY = {"name": "ecs-service-connect-abc", "exitCode": 0}
LOG = {"options": {"awslogs-group": "/g", "awslogs-stream-prefix": "service"}}
SERVICE = Service("arn", "iris", "c", True, "ecs-svc/1", DEFINITION, None)
NETWORK = {"subnets": ["subnet-0123456789abcdef0"], "securityGroups": ["sg-0123456789abcdef0"]}


def task(containers: Any) -> dict[str, Any]:
    """Return a task that has ended."""
    return {
        "taskArn": TASK,
        "taskDefinitionArn": DEFINITION,
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": list(containers),
    }


def world(containers: Any, more: Mapping[str, Any] = MappingProxyType({})) -> tuple[Aws, list[tuple[str, Any]]]:
    """Make an account in which a task of iris has ended, with a line in its log; return also the calls to it."""
    definitions = [{"name": "sidecar", "image": "s"}, {"name": "iris", "image": "i", "logConfiguration": LOG}]
    services = [{"networkConfiguration": {"awsvpcConfiguration": NETWORK}}]
    return answering(
        {
            "DescribeServices": lambda _: {"services": services},
            "RunTask": lambda _: {"tasks": [{"taskArn": TASK}], "failures": []},
            "DescribeTasks": lambda _: {"tasks": [task(containers)]},
            "DescribeTaskDefinition": lambda _: {"taskDefinition": {"containerDefinitions": definitions}},
            "GetLogEvents": lambda asked: {"events": [{"message": asked["logStreamName"]}]},
            **more,
        }
    )


@pytest.mark.parametrize("agent", AGENTS)
def test_what_ends_and_why_is_the_models_whatever_stands_beside_it(agent: Any) -> None:
    ours = {"name": "iris", "exitCode": 1}
    for containers in permutations([agent, PROXY, ours]):
        account, _ = world(containers)
        stopped = diagnose(account, task(containers), Silent(), lambda _: None)
        assert (stopped.exit_code, stopped.log) == (1, ("service/iris/0123",))
        ended = run_once(account, SERVICE, ("probe",), {}, (), 60, lambda _: True, Silent(), lambda _: None)
        assert (ended.exit_code, ended.lines) == (1, ("service/iris/0123",))


def test_of_somebody_elses_definition_the_first_that_aws_did_not_add() -> None:
    running, ended = {"name": "web"}, {"name": "worker", "exitCode": 2}
    assert own_container([*AGENTS, running, ended], DEFINITION) == ended
    assert own_container([*AGENTS, running], DEFINITION) == running
    assert own_container([PROXY], DEFINITION) == {}


def test_a_task_that_stopped_as_another_did_is_no_new_warning() -> None:
    containers = [{"name": "iris", "exitCode": 1}]
    (account, _), said = world(containers), Said()
    first = diagnose(account, task(containers), said, lambda _: None)
    assert (said.infos, said.outputs) == (["the last 1 lines that it wrote:"], ["service/iris/0123"])
    diagnose(account, task(containers), said, lambda _: None, (first,))
    assert len(said.warnings) == 1
    diagnose(account, task([{"name": "iris", "exitCode": 2}]), said, lambda _: None, (first,))
    assert len(said.warnings) == 2


def test_of_a_log_group_that_was_deleted_the_command_that_makes_it_has_its_name() -> None:
    containers = [{"name": "iris", "reason": "ResourceInitializationError: The specified log group does not exist."}]
    (account, _), said = world(containers, {"GetLogEvents": lambda _: {"events": []}}), Said()
    stopped = diagnose(account, task(containers), said, lambda _: None)
    assert "(aws logs create-log-group --log-group-name /g)" in stopped.hint
    assert said.infos == [stopped.hint]

    def deny(_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetLogEvents")

    (account, _), said = world(containers, {"GetLogEvents": deny}), Said()
    assert diagnose(account, task(containers), said, lambda _: None).hint == stopped.hint
    assert said.infos[0].startswith("its log cannot be read: ")


def test_a_one_off_task_that_does_not_end_is_stopped() -> None:
    running = {"DescribeTasks": lambda _: {"tasks": [{"taskArn": TASK, "lastStatus": "RUNNING"}]}}
    account, asked = world([], running)
    with pytest.raises(AwsError, match=r"^Task 0123 did not end within \d+ s and was stopped") as late:
        run_once(account, SERVICE, ("probe",), {}, (), 3, lambda _: True, Silent(), lambda _: None)
    assert "smoke-timeout" in late.value.remedy
    assert asked[-1][0] == "StopTask"
    assert (asked[-1][1]["cluster"], asked[-1][1]["task"]) == ("c", TASK)
