"""The one rule of equality between what AWS has and what is wanted."""

from typing import Any

import botocore.session
import pytest
from botocore.model import Shape

from model_dockerize.aws.batch.job_definition import job_definition
from model_dockerize.aws.client.compare import differences
from model_dockerize.aws.ecs.task_definition import task_definition
from tests.rig.iris import batch_settings

from .test_values import container


def shape(service: str, operation: str) -> Shape:
    found: Shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    return found


ECS, BATCH = shape("ecs", "RegisterTaskDefinition"), shape("batch", "RegisterJobDefinition")


def fields(whole: Shape | None, asked: dict[str, Any], found: Any) -> list[str]:
    return [str(each) for each in differences(asked, found, whole)]


def wanted(**changes: Any) -> dict[str, Any]:
    return task_definition("iris", container(**changes), "iris")


def as_aws_answers(request: dict[str, Any]) -> dict[str, Any]:
    """Return the same definition as DescribeTaskDefinition does: with all that AWS adds."""
    container = {
        **request["containerDefinitions"][0],
        "cpu": 0,
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
    }
    return {
        **request,
        "containerDefinitions": [container],
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:1:task-definition/iris:7",
        "revision": 7,
        "status": "ACTIVE",
        "volumes": [],
        "placementConstraints": [],
        "requiresAttributes": [{"name": "ecs.capability.execution-role-awslogs"}],
        "compatibilities": ["EC2", "FARGATE"],
        "registeredAt": "2026-01-01",
        "registeredBy": "arn:aws:iam::1:root",
        "enableFaultInjection": False,
        "inventedNextYear": {"by": "AWS"},
    }


def test_what_aws_adds_is_no_difference() -> None:
    assert fields(ECS, wanted(), as_aws_answers(wanted())) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"cpu": "2048"}, "cpu"),
        ({"taskRoleArn": "arn:aws:iam::1:role/other"}, "taskRoleArn"),
        ({"ephemeralStorage": {"sizeInGiB": 50}}, "ephemeralStorage"),
        ({"containerDefinitions.0.image": "x@sha256:00"}, "containerDefinitions.0.image"),
        ({"containerDefinitions.0.environment": [{"name": "A", "value": "1"}]}, "containerDefinitions.0.environment"),
        ({"containerDefinitions.0.stopTimeout": 31}, "containerDefinitions.0.stopTimeout"),
    ],
)
def test_what_somebody_changed_is_a_difference(change: dict[str, Any], path: str) -> None:
    found = as_aws_answers(wanted())
    for key, value in change.items():
        target = found["containerDefinitions"][0] if key.startswith("containerDefinitions.0.") else found
        target[key.removeprefix("containerDefinitions.0.")] = value
    (told,) = fields(ECS, wanted(), found)
    assert told.partition(" ")[0] == path


def test_the_order_of_named_lists_is_no_difference_but_that_of_a_command_is() -> None:
    job = job_definition(batch_settings(), "iris", container(), ("run", "a", "b"), {})
    properties = job["containerProperties"]
    turned = {**properties, "resourceRequirements": properties["resourceRequirements"][::-1], "volumes": []}
    assert fields(BATCH, job, {**job, "containerProperties": turned, "revision": 3, "schedulingPriority": 0}) == []
    other = {**turned, "command": ["run", "b", "a"]}
    assert fields(BATCH, job, {**job, "containerProperties": other}) == [
        "containerProperties.command.1",
        "containerProperties.command.2",
    ]


def test_tags_do_not_make_a_revision() -> None:
    found = {**as_aws_answers(wanted()), "tags": [{"key": "team", "value": "x"}]}
    assert fields(ECS, wanted(), found) == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"tags": []}, {}),
        ({"on": False, "n": 0, "text": "", "inner": {"x": None}}, {"on": None, "inner": {}}),
        ({"subnets": ["a", "b"]}, {"subnets": ["b", "a"]}),
        ({"instanceTypes": ["c7i", "m7i"]}, {"instanceTypes": ["m7i", "c7i"]}),
        ({"targets": [{"name": "x"}, {"name": "y"}]}, {"targets": [{"name": "y", "of": "AWS"}, {"name": "x"}]}),
        ({"serviceRole": "mine"}, {"serviceRole": "arn:aws:iam::1:role/path/mine"}),
        ({"instanceRole": "arn:aws:iam::1:instance-profile/mine"}, {"instanceRole": "mine"}),
        ({"TargetValue": 70}, {"TargetValue": 70.0}),
        ({"breaker": {"enable": False}}, {"breaker": {"enable": False, "rollback": True}}),
    ],
)
def test_what_means_the_same_is_no_difference(asked: dict[str, Any], found: dict[str, Any]) -> None:
    assert differences(asked, found) == []


@pytest.mark.parametrize(
    ("asked", "found", "told"),
    [
        ({"desiredCount": 2}, {"desiredCount": 1}, ["desiredCount 1 -> 2"]),
        ({"desiredCount": 2}, None, ["desiredCount none -> 2"]),
        ({"on": False}, {"on": True}, ["on true -> false"]),
        ({"subnets": ["a"]}, {"subnets": ["a", "b"]}, ["subnets a, b -> a"]),
        ({"place": {"subnets": ["a"]}}, {"place": {"subnets": ["b"]}}, ["place.subnets b -> a"]),
        ({"place": {"subnets": ["a"]}}, {}, ["place none -> subnets a"]),
        ({"command": ["x", "y"]}, {"command": ["y", "x"]}, ["command.0", "command.1"]),
        ({"pairs": [{"cpu": 1}, {"cpu": 1}]}, {"pairs": [{"cpu": 1}, {"cpu": 2}]}, ["pairs.1.cpu 2 -> 1"]),
        (
            {"serviceRole": "arn:aws:iam::1:role/mine"},
            {"serviceRole": "arn:aws:iam::2:role/mine"},
            ["serviceRole mine -> mine"],
        ),
        ({"instanceRole": "mine"}, {"instanceRole": "arn:aws:iam::1:role/not-mine"}, ["instanceRole not-mine -> mine"]),
        ({"secrets": "a/b"}, {"secrets": "b"}, ["secrets"]),  # only a role is the same as the end of its ARN
    ],
)
def test_what_is_not_as_wanted_is_told_by_its_path(asked: dict[str, Any], found: Any, told: list[str]) -> None:
    assert fields(None, asked, found) == told


def test_a_definition_is_compared_in_all_that_its_request_can_say() -> None:
    former = {**wanted(), "volumes": [{"name": "theirs"}]}
    assert fields(None, wanted(), former) == []
    assert fields(ECS, wanted(), former) == ["volumes name theirs -> none"]
