"""The two roles of a task: one for Fargate (pull the image, write the log), one for the model's own code (nothing)."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.names import ROLE, TAG, tagged
from model_dockerize.aws.session import Aws
from model_dockerize.aws.thing import Thing
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress

#: The name that the ECS console gives it, so an account that has used ECS has it already.
EXECUTION_ROLE = "ecsTaskExecutionRole"
TASK_ROLE = "model-dockerize-task"
#: The name that Batch's console gives it.
INSTANCE_ROLE = "ecsInstanceRole"
#: The name that Batch's console gave it before it had a role of its own.
BATCH_ROLE = "AWSBatchServiceRole"
_BATCH_POLICY = "service-role/AWSBatchServiceRole"
_INSTANCE_POLICY = "service-role/AmazonEC2ContainerServiceforEC2Role"
_EXECUTION_POLICY = "service-role/AmazonECSTaskExecutionRolePolicy"
#: IAM shows a new role everywhere within seconds; twice what was ever reported.
_FRESH = timedelta(minutes=2)


@dataclass(frozen=True)
class Role:
    """A role, whether it is so new that other services may not see it yet, and whether we made it."""

    arn: str
    fresh: bool
    ours: bool = False

    @property
    def name(self) -> str:
        """The last word of the ARN."""
        return self.arn.rsplit("/", 1)[-1]


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


def ensure_instance_profile(aws: Aws, wanted: str, progress: Progress) -> str:
    """ARN of the profile of Batch's EC2 instances. Only `ecsInstanceRole` is made if absent, with AWS's own policy.

    Raises:
        InputError: another name, and no such profile.
    """
    with translate(f"instance role {wanted}"):
        if wanted.startswith("arn:"):
            return wanted
        profile = _instance_profile(aws, wanted)
        if profile and (profile["Roles"] or not tagged(profile.get("Tags", []))):
            return str(profile["Arn"])
        if wanted != INSTANCE_ROLE:
            raise InputError(
                f"There is no instance profile {wanted} (instance-role).",
                remedy=f"Correct the name, or leave it out to use {INSTANCE_ROLE}.",
            )
        # Made, or completed where a former run was ended half way.
        if _get(aws, wanted) is None:
            _create(aws, wanted, "Lets instances of AWS Batch run containers.", progress, "ec2.amazonaws.com")
        policy = f"arn:{aws.identity.partition}:iam::aws:policy/{_INSTANCE_POLICY}"
        aws.iam.attach_role_policy(RoleName=wanted, PolicyArn=policy)
        if profile is None:
            made = aws.iam.create_instance_profile(InstanceProfileName=wanted, Tags=[{"Key": TAG, "Value": ROLE}])
            profile = made["InstanceProfile"]
        aws.iam.add_role_to_instance_profile(InstanceProfileName=wanted, RoleName=wanted)
        aws.settled(progress, "make", "instance profile", wanted)
        return str(profile["Arn"])


def instance_profile_things(aws: Aws) -> Iterator[Thing]:
    """The profile of Batch's instances, if it is ours. It goes before its role."""
    profile = _instance_profile(aws, INSTANCE_ROLE)
    if profile and tagged(profile.get("Tags", [])):
        yield Thing("instance profile", INSTANCE_ROLE, lambda: _end_instance_profile(aws))


def _end_instance_profile(aws: Aws) -> None:
    with suppress(aws.iam.exceptions.NoSuchEntityException):  # a former try has taken it off
        aws.iam.remove_role_from_instance_profile(InstanceProfileName=INSTANCE_ROLE, RoleName=INSTANCE_ROLE)
    aws.iam.delete_instance_profile(InstanceProfileName=INSTANCE_ROLE)


def _instance_profile(aws: Aws, name: str) -> Any:
    try:
        return aws.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None


def ensure_batch_role(aws: Aws, wanted: str, progress: Progress) -> str:
    """ARN of the role by which Batch acts. Only `AWSBatchServiceRole` is made if absent, with AWS's own policy.

    Raises:
        InputError: another name, and no such role.
    """
    with translate(f"service role {wanted}"):
        if wanted.startswith("arn:"):
            return wanted
        role = _get(aws, wanted)
        if role is None and wanted != BATCH_ROLE:
            raise InputError(
                f"There is no role {wanted} (service-role).",
                remedy="Correct the name, or leave service-role out: Batch then uses the role that is its own.",
            )
        if role is None:
            role = _create(aws, wanted, "Lets AWS Batch run instances.", progress, "batch.amazonaws.com")
        policy = f"arn:{aws.identity.partition}:iam::aws:policy/{_BATCH_POLICY}"
        if _is_ours(role) and policy not in _attached(aws, wanted):
            aws.iam.attach_role_policy(RoleName=wanted, PolicyArn=policy)
        return str(role["Arn"])


def ensure_function_role(aws: Aws, name: str, queue: str, definition: str, progress: Progress) -> Role:
    """The role of the function `name`: it may submit `definition` to `queue`, look at jobs, and write its log."""
    role_name = function_role_name(name)
    with translate(f"role {role_name}"):
        role = _get(aws, role_name)
        made = role is None
        if role is None:
            role = _create(aws, role_name, "Lets a function submit Batch jobs.", progress, "lambda.amazonaws.com")
        wanted = _function_policy(aws, name, queue, definition)
        differs = made or wanted != _inline_policy(aws, role_name)
        if differs:
            aws.iam.put_role_policy(RoleName=role_name, PolicyName=TAG, PolicyDocument=json.dumps(wanted))
        if not made:
            fields = ("policy",) if differs else ()
            aws.settled(progress, "change" if differs else "leave", "role", role_name, *fields)
        return _role(role)


def function_role_things(aws: Aws, name: str) -> Iterator[Thing]:
    """The role of the function `name`, if it is ours."""
    role = _get(aws, function_role_name(name))
    if role and _is_ours(role):
        yield Thing("role", role["RoleName"], lambda: _end_function_role(aws, role["RoleName"]))


def _end_function_role(aws: Aws, name: str) -> None:
    with suppress(aws.iam.exceptions.NoSuchEntityException):
        aws.iam.delete_role_policy(RoleName=name, PolicyName=TAG)
    aws.iam.delete_role(RoleName=name)


def function_role_name(name: str) -> str:
    """What the role of the function `name` is called."""
    return f"model-dockerize-{name}"[:64]


def _function_policy(aws: Aws, name: str, queue: str, definition: str) -> dict[str, Any]:
    place = f"{aws.identity.region}:{aws.identity.account}"
    batch, logs = (f"arn:{aws.identity.partition}:{service}:{place}" for service in ("batch", "logs"))
    own = [
        f"{batch}:job-queue/{queue}",
        f"{batch}:job-definition/{definition}",
        f"{batch}:job-definition/{definition}:*",
    ]
    looking = ["batch:DescribeJobDefinitions", "batch:DescribeJobs", "batch:ListJobs"]
    writing = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["batch:SubmitJob"], "Resource": own},
            {"Effect": "Allow", "Action": looking, "Resource": "*"},
            {"Effect": "Allow", "Action": writing, "Resource": f"{logs}:log-group:/aws/lambda/{name}:*"},
        ],
    }


def _inline_policy(aws: Aws, role: str) -> Any:
    try:
        return aws.iam.get_role_policy(RoleName=role, PolicyName=TAG)["PolicyDocument"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None


def _get(aws: Aws, name: str) -> Any:
    try:
        return aws.iam.get_role(RoleName=name)["Role"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None


def _create(aws: Aws, name: str, description: str, progress: Progress, service: str = "ecs-tasks.amazonaws.com") -> Any:
    try:
        role = aws.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=_trust(service),
            Description=description,
            Tags=[{"Key": TAG, "Value": ROLE}],
        )["Role"]
    except aws.iam.exceptions.EntityAlreadyExistsException:
        return _get(aws, name)
    aws.settled(progress, "make", "role", name)
    return {**role, "Tags": [{"Key": TAG, "Value": ROLE}]}


def _trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _attached(aws: Aws, name: str) -> set[str]:
    pages = aws.iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
    return {p["PolicyArn"] for page in pages for p in page["AttachedPolicies"]}


def _is_ours(role: Any) -> bool:
    return tagged(role.get("Tags", []))


def _role(role: Any) -> Role:
    return Role(role["Arn"], datetime.now(UTC) - role["CreateDate"] < _FRESH, _is_ours(role))
