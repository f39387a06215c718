"""Every right that is printed or given, statement by statement: nobody gets one more, or one less, unseen.

`printed/policies.txt` has them, a line each. After a change that is meant, write it anew and read what differs:
`PYTHONPATH=lib:. python -m tests.unit.aws.test_printed_policies`.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.function.role import _function_policy
from model_dockerize.aws.ground.names import Names
from model_dockerize.aws.ground.permissions import boundary_policy, service_role_policy
from model_dockerize.aws.iam import Where
from model_dockerize.aws.model import Identity
from model_dockerize.aws.permissions import (
    destroy_policy,
    files_policy,
    function_policy,
    run_policy,
    stack_policy,
    trust_policy,
    unbound,
)
from model_dockerize.settings import Settings, to_settings
from model_dockerize.settings.sources import from_flags

FILE = Path(__file__).parent / "printed" / "policies.txt"
HERE, CHINA = Where("123456789012", "us-east-1"), Where("123456789012", "cn-north-1", "aws-cn")
NAMES = Names("iris", "models/iris", "iris-jobs", "iris-service", "iris-tasks", "c")
BOUND = "arn:aws:iam::123456789012:policy/bound"
SHARED = {"queue-url": "arn:aws:secretsmanager:us-east-1:123456789012:secret:q-AbCdEf", "volume": "data"}
QUEUE = {"job-queue": "q", "compute-environment": "e"}
#: What each run is told.
RUNS: dict[str, dict[str, str]] = {
    "as it comes": {},
    "only pushed": {"create-job-def": "false", "deploy-service": "false", "cache": "registry"},
    "nothing pushed": {"push-to-ecr": "false", "create-job-def": "false"},
    "definition alone": {"deploy-service": "false", "cache": "none"},
    "queue of Fargate": {"deploy-service": "false", **QUEUE, "compute-type": "FARGATE_SPOT"},
    "queue of instances": {"deploy-service": "false", **QUEUE, "compute-type": "EC2", "service-role": "batch"},
    "roles of instances": {
        "deploy-service": "false",
        **QUEUE,
        "compute-type": "SPOT",
        "instance-role": "arn:aws:iam::123456789012:instance-profile/p",
        "service-role": "arn:aws:iam::123456789012:role/b",
    },
    "service alone": {"create-job-def": "false", "vpc": "vpc-0123abcd", "execution-role": "e"},
    "roles by name and by ARN": {"execution-role": "e", "task-role": "arn:aws:iam::123456789012:role/t"},
    "roles that shift": {
        "execution-role": "e",
        "task-role": "t",
        "rollout": "canary",
        "load-balancer": "true",
        **SHARED,
    },
    "scanned": {"scan": "true", "scan-gate": "HIGH", "immutable-tags": "true"},
    "scaled": {"max-count": "3", **SHARED, "security-groups": "sg-0123abcd"},
    "volume of others": {"volume": "fs-0123abcd", "adopt": "true"},
    "subnets": {"subnets": "subnet-0123abcd", "volume": "data"},
}
FUNCTIONS = {
    "function": {**QUEUE, "update-function": "on-upload"},
    "function of a bucket": {**QUEUE, "update-function": "on-upload", "function-source": "data/in/"},
    "bound function": {**QUEUE, "update-function": "on-upload", "permissions-boundary": BOUND},
}


def told(inputs: dict[str, str]) -> Settings:
    return to_settings([from_flags(inputs)])


def of_a_file(image: str) -> Settings:
    """Return the settings of a BatchConfig.yml whose job definition has this image."""
    settings = told(RUNS["queue of Fargate"])
    file: Any = SimpleNamespace(job_definition=SimpleNamespace(image=image))
    batch, registry = replace(settings.batch, file=file), replace(settings.registry, push_to_ecr=False)
    return replace(settings, batch=batch, registry=registry)


def documents() -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield every document with its name."""
    for name, inputs in RUNS.items():
        yield f"run, {name}", run_policy(told(inputs), NAMES, HERE)
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/science/iris:3"
    yield "run, image of a file", run_policy(of_a_file(image), NAMES, HERE)
    yield "run, local image of a file", run_policy(of_a_file("iris"), NAMES, HERE)
    for name, inputs in FUNCTIONS.items():
        yield name, function_policy(told(inputs), HERE)
        yield f"{name}, after bootstrap", function_policy(told(inputs), HERE, after_bootstrap=True)
    yield "files", files_policy(HERE)
    yield "stacks", stack_policy(told({}), HERE, after_bootstrap=False)
    yield "stacks, bound", stack_policy(told({"permissions-boundary": BOUND}), HERE, after_bootstrap=False)
    yield "stacks, after bootstrap", stack_policy(told({}), HERE, after_bootstrap=True)
    yield "the role of stacks", service_role_policy(HERE)
    yield "the role of stacks, bound", service_role_policy(HERE, BOUND)
    yield "the boundary", boundary_policy(HERE)
    yield "destroy", destroy_policy(NAMES, HERE)
    yield "destroy with function", destroy_policy(replace(NAMES, function="on-upload"), HERE)
    yield "trust", trust_policy("owner/name", "7", "3", HERE)
    aws: Any = SimpleNamespace(identity=Identity("123456789012", "arn:aws-cn:iam::123456789012:user/x", "cn-north-1"))
    yield "the role of a function", _function_policy(aws, "on-upload", "q", "iris")
    for name, document in (
        ("run", run_policy(told({**QUEUE, "compute-type": "EC2"}), NAMES, CHINA)),
        ("files", files_policy(CHINA)),
        ("the role of stacks", service_role_policy(CHINA)),
        ("the boundary", boundary_policy(CHINA)),
        ("stacks, after bootstrap", stack_policy(told({}), CHINA, after_bootstrap=True)),
    ):
        yield f"{name}, in China", document


def lines() -> Iterator[str]:
    """Yield the lines of all documents, a statement a line."""
    for name, document in documents():
        assert document is not None
        yield f"# {name}: version {document['Version']}"
        for statement in document["Statement"]:
            yield json.dumps(statement)
        yield ""


def test_every_right_is_as_it_was_read() -> None:
    found, read = list(lines()), FILE.read_text(encoding="utf-8").splitlines()
    assert found == read


def test_who_asks_for_no_function_gets_no_right_to_one() -> None:
    assert function_policy(told(QUEUE), HERE) is None
    settings = told(FUNCTIONS["function"])
    assert function_policy(replace(settings, batch=replace(settings.batch, create_job_def=False)), HERE) is None


@pytest.mark.parametrize(
    ("actions", "condition", "found"),
    [
        *(
            (["iam:GetRole", action], {}, ("S",))
            for action in ("iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy")
        ),
        (["iam:CreateRole"], {"StringEquals": {"aws:x": "y"}}, ("S",)),
        (["iam:CreateRole"], {"StringEquals": {"aws:x": "y"}, "ArnEquals": {"iam:PermissionsBoundary": BOUND}}, ()),
        (["iam:GetRole"], {}, ()),
    ],
)
def test_a_statement_that_makes_roles_without_bound_gives_any_right(
    actions: list[str], condition: dict[str, Any], found: tuple[str, ...]
) -> None:
    statement = {"Sid": "S", "Action": actions, **({"Condition": condition} if condition else {})}
    assert unbound({"Statement": [{"Sid": "T", "Action": ["s3:GetObject"]}, statement]}) == found


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("moon", "aws")],
)
def test_a_region_is_in_a_partition(region: str, partition: str) -> None:
    assert Where.of("1", region) == Where("1", region, partition)


if __name__ == "__main__":
    FILE.write_text("\n".join(lines()) + "\n", encoding="utf-8")
