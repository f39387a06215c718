"""The two roles of a task: one for Fargate (pull the image, write the log), one for the model's own code (nothing)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.names import ROLE, TAG, tagged
from model_dockerize.aws.session import Aws
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress

#: The name that the ECS console gives it, so an account that has used ECS has it already.
EXECUTION_ROLE = "ecsTaskExecutionRole"
TASK_ROLE = "model-dockerize-task"
_EXECUTION_POLICY = "service-role/AmazonECSTaskExecutionRolePolicy"
_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
#: IAM shows a new role everywhere within seconds; twice what was ever reported.
_FRESH = timedelta(minutes=2)


@dataclass(frozen=True)
class Role:
    """A role, and whether it is so new that other services may not see it yet."""

    arn: str
    fresh: bool


def ensure_execution_role(aws: Aws, wanted: str, progress: Progress) -> Role:
    """The role that `wanted` (name or ARN) says. Only `ecsTaskExecutionRole` is made if absent, with AWS's own policy.

    Raises:
        InputError: another name, and no such role.
    """
    with translate(f"execution role {wanted}"):
        if wanted.startswith("arn:"):
            return Role(wanted, fresh=False)
        role = _get(aws, wanted)
        if role is None and wanted != EXECUTION_ROLE:
            raise InputError(
                f"There is no role {wanted} (execution-role).",
                remedy=f"Correct the name, or leave it out to use {EXECUTION_ROLE}.",
            )
        made = role is None
        if role is None:
            role = _create(aws, EXECUTION_ROLE, "Lets Fargate pull images and write logs.", progress)
        policy = f"arn:{aws.identity.partition}:iam::aws:policy/{_EXECUTION_POLICY}"
        # A role of somebody else may have its rights from a policy of their own: it is not touched.
        lacking = _is_ours(role) and policy not in _attached(aws, wanted)
        if lacking:
            aws.iam.attach_role_policy(RoleName=wanted, PolicyArn=policy)
        if not made:
            fields = ("attached policies",) if lacking else ()
            aws.settled(progress, "change" if lacking else "leave", "role", wanted, *fields)
        return _role(role)


def ensure_task_role(aws: Aws, wanted: str, progress: Progress) -> Role:
    """The role that `wanted` (name or ARN) says; empty: our own, which allows nothing.

    Raises:
        InputError: no role of that name.
    """
    with translate(f"task role {wanted or TASK_ROLE}"):
        if wanted.startswith("arn:"):
            return Role(wanted, fresh=False)
        role = _get(aws, wanted or TASK_ROLE)
        if role is None and wanted:
            raise InputError(
                f"There is no role {wanted} (task-role).",
                remedy="Correct the name, or leave task-role out: the model then has no rights in AWS.",
            )
        if role is None:
            return _role(_create(aws, TASK_ROLE, "What a model may do in AWS: nothing.", progress))
        aws.settled(progress, "leave", "role", wanted or TASK_ROLE)
        return _role(role)


def _get(aws: Aws, name: str) -> Any:
    try:
        return aws.iam.get_role(RoleName=name)["Role"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None


def _create(aws: Aws, name: str, description: str, progress: Progress) -> Any:
    try:
        role = aws.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=_TRUST,
            Description=description,
            Tags=[{"Key": TAG, "Value": ROLE}],
        )["Role"]
    except aws.iam.exceptions.EntityAlreadyExistsException:
        return _get(aws, name)
    aws.settled(progress, "make", "role", name)
    return {**role, "Tags": [{"Key": TAG, "Value": ROLE}]}


def _attached(aws: Aws, name: str) -> set[str]:
    pages = aws.iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
    return {p["PolicyArn"] for page in pages for p in page["AttachedPolicies"]}


def _is_ours(role: Any) -> bool:
    return tagged(role.get("Tags", []))


def _role(role: Any) -> Role:
    return Role(role["Arn"], fresh=datetime.now(UTC) - role["CreateDate"] < _FRESH)
