"""A plan shows values, and neither secrets nor very long ones."""

from typing import Any

import pytest

from model_dockerize.aws.client.shown import shown, told
from model_dockerize.aws.model import TO_COME

PLACE = {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"], "assignPublicIp": "DISABLED"}}


@pytest.mark.parametrize(
    ("path", "before", "after", "says"),
    [
        ("desiredCount", 3, 1, "desiredCount 3 -> 1"),
        ("enableExecuteCommand", True, False, "enableExecuteCommand true -> false"),
        ("cpu", "256", "1024", "cpu 256 -> 1024"),
        ("volumes", None, [{"name": "scratch"}], "volumes none -> name scratch"),
        ("taskRoleArn", "arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b", "taskRoleArn a -> b"),
        ("containerDefinitions.0.command", ["x", "--password=1"], None, "containerDefinitions.0.command"),
        ("subnets", ["subnet-a"], [TO_COME], f"subnets subnet-a -> {TO_COME}"),
        ("dockerLabels", {"team": "x"}, {"team": "y"}, "dockerLabels"),
        ("taskDefinition", "arn:aws:ecs:r:1:task-definition/a:1", TO_COME, "taskDefinition"),
    ],
)
def test_values_are_shown_where_they_are_no_secret(path: str, before: Any, after: Any, says: str) -> None:
    assert shown(path, before, after) == says


def test_of_variables_the_names_are_shown_and_of_secrets_where_they_lie() -> None:
    assert told("environment", [{"name": "KEY", "value": "hunter2"}]) == "environment name KEY"
    assert told("secrets", [{"name": "K", "valueFrom": "arn:aws:ssm:r:1:parameter/k"}]) == "secrets name K, valueFrom k"
    log = {"logDriver": "splunk", "options": {"splunk-token": "hunter2", "awslogs-group": "/g"}}
    assert told("logConfiguration", log) == "logConfiguration logDriver splunk, options (awslogs-group /g)"


def test_structures_are_told_apart() -> None:
    text = "awsvpcConfiguration (subnets subnet-a subnet-b, assignPublicIp DISABLED)"
    assert told("networkConfiguration", PLACE) == f"networkConfiguration {text}"
    assert told("resourceRequirements", [{"type": "VCPU", "value": "2"}]) == "resourceRequirements VCPU 2"


def test_a_long_value_is_cut() -> None:
    assert told("subnets", ["subnet-0123456789abcdef0"] * 20).endswith("...")


@pytest.mark.parametrize(
    "name",
    [
        *("accessPointId", "alarmNames", "allocationStrategy", "appProtocol", "assignPublicIp", "assign-public-ip"),
        *("availabilityZoneRebalancing", "awslogs-group", "capacityProvider", "computeEnvironment", "condition"),
        *("containerName", "containerPath", "cpu", "cpuArchitecture", "execution-role", "executionRoleArn"),
        *("fileSystemId", "instanceRole", "instanceTypes", "instance-role", "instance-types", "iam", "jobRoleArn"),
        *("launchType", "logDriver", "memory", "name", "networkMode", "operatingSystemFamily"),
        *("platformCapabilities", "platformVersion", "propagateTags", "protocol", "registryArn", "rootDirectory"),
        *("securityGroupIds", "securityGroups", "security-groups", "serviceRole", "sourceVolume", "state", "strategy"),
        *("subnets", "targetGroupArn", "task-role", "taskRoleArn", "transitEncryption", "type", "user", "valueFrom"),
        *("task-definition", "vpc", "workingDirectory"),
    ],
)
def test_what_nobody_has_to_hide_is_shown(name: str) -> None:
    assert told(name, "x") == f"{name} x"
    assert told(f"a.0.{name}", ["x", "y"]) == f"a.0.{name} x, y"


@pytest.mark.parametrize("name", ["value", "command", "environment", "dockerLabels", "options", "image", "0"])
def test_what_may_hold_a_secret_is_not(name: str) -> None:
    assert told(name, "x") == name
    assert shown(name, "x", "y") == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((empty, "x none") for empty in (None, "", (), [], {})),
        *((0, "x 0"), (1.5, "x 1.5"), (True, "x true"), (TO_COME, f"x {TO_COME}")),
        ({"type": "COUNT", "value": 2}, "x COUNT 2"),
        ({"type": "COUNT", "value": 2, "more": 1}, "x type COUNT, value 2, more 1"),
        ({"cpu": {"memory": 1}, "secret": "s"}, "x cpu (memory 1)"),
        ({"secret": "s"}, "x"),
    ],
)
def test_a_value_is_written_by_its_kind(value: Any, text: str) -> None:
    assert told("x", value) == text


def test_a_value_has_a_hundred_and_sixty_characters() -> None:
    assert told("user", "u" * 160) == f"user {'u' * 160}"
    assert told("user", "u" * 161) == f"user {'u' * 160}..."
