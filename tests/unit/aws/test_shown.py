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
