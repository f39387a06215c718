"""The two roles of a task: one for Fargate (pull the image, write the log), one for the model's own code (nothing)."""

import hashlib
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
        role = get_role(aws, wanted)
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
        fields = _marked(aws, role)
        if _is_ours(role) and policy not in _attached(aws, wanted):
            aws.iam.attach_role_policy(RoleName=wanted, PolicyArn=policy)
            fields += ("attached policies",)
        if not made:
            aws.settled(progress, "change" if fields else "leave", "role", wanted, *fields)
        return _role(role)


def ensure_task_role(aws: Aws, wanted: str, progress: Progress) -> Role:
    """The role that `wanted` (name or ARN) says; empty: our own, which allows nothing.

    Raises:
        InputError: no role of that name.
    """
    with translate(f"task role {wanted or TASK_ROLE}"):
        if wanted.startswith("arn:"):
            return Role(wanted, fresh=False)
        role = get_role(aws, wanted or TASK_ROLE)
        if role is None and wanted:
            raise InputError(
                f"There is no role {wanted} (task-role).",
                remedy="Correct the name, or leave task-role out: the model then has no rights in AWS.",
            )
        if role is None:
            return _role(_create(aws, TASK_ROLE, "What a model may do in AWS: nothing.", progress))
        fields = _marked(aws, role)
        aws.settled(progress, "change" if fields else "leave", "role", wanted or TASK_ROLE, *fields)
        return _role(role)


def ensure_instance_profile(aws: Aws, wanted: str, progress: Progress) -> str:
    """ARN of the profile of Batch's EC2 instances. Only `ecsInstanceRole` is made if absent, with AWS's own policy.

    Raises:
        InputError: another name, and no such profile.
    """
    with translate(f"instance role {wanted}"):
        if wanted.startswith("arn:"):
            return wanted
        profile = get_instance_profile(aws, wanted)
        if profile and not tagged(profile.get("Tags", [])):
            return str(profile["Arn"])
        role = get_role(aws, wanted)
        if profile and profile["Roles"]:
            if role and (fields := _marked(aws, role)):
                aws.settled(progress, "change", "role", wanted, *fields)
            return str(profile["Arn"])
        if wanted != INSTANCE_ROLE:
            raise InputError(
                f"There is no instance profile {wanted} (instance-role).",
                remedy=f"Correct the name, or leave it out to use {INSTANCE_ROLE}.",
            )
        # Made, or completed where a former run was ended half way.
        if role is None:
            _create(aws, wanted, "Lets instances of AWS Batch run containers.", progress, "ec2.amazonaws.com")
        policy = f"arn:{aws.identity.partition}:iam::aws:policy/{_INSTANCE_POLICY}"
        aws.iam.attach_role_policy(RoleName=wanted, PolicyArn=policy)
        if profile is None:
            made = aws.iam.create_instance_profile(InstanceProfileName=wanted, Tags=[{"Key": TAG, "Value": ROLE}])
            profile = made["InstanceProfile"]
        aws.iam.add_role_to_instance_profile(InstanceProfileName=wanted, RoleName=wanted)
        aws.settled(progress, "make", "instance profile", wanted)
        return str(profile["Arn"])


def get_instance_profile(aws: Aws, name: str) -> Any:
    """The profile as IAM shows it; None where there is none."""
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
        role = get_role(aws, wanted)
        if role is None and wanted != BATCH_ROLE:
            raise InputError(
                f"There is no role {wanted} (service-role).",
                remedy="Correct the name, or leave service-role out: Batch then uses the role that is its own.",
            )
        if role is None:
            role = _create(aws, wanted, "Lets AWS Batch run instances.", progress, "batch.amazonaws.com")
        elif fields := _marked(aws, role):
            aws.settled(progress, "change", "role", wanted, *fields)
        policy = f"arn:{aws.identity.partition}:iam::aws:policy/{_BATCH_POLICY}"
        if _is_ours(role) and policy not in _attached(aws, wanted):
            aws.iam.attach_role_policy(RoleName=wanted, PolicyArn=policy)
        return str(role["Arn"])


def ensure_function_role(aws: Aws, name: str, queue: str, definition: str, progress: Progress) -> Role:
    """The role of the function `name`: it may submit `definition` to `queue`, look at jobs, and write its log."""
    role_name = function_role_name(name, aws.identity.region)
    with translate(f"role {role_name}"):
        role = get_role(aws, role_name)
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


def function_role_name(name: str, region: str) -> str:
    """What the role of the function `name` is called: roles are the account's, functions are a region's."""
    mark = hashlib.sha256(f"{region}/{name}".encode()).hexdigest()[:8]
    return f"{TAG}-{name[:39]}-{mark}"


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


def get_role(aws: Aws, name: str) -> Any:
    """The role as IAM shows it; None where there is none."""
    try:
        return aws.iam.get_role(RoleName=name)["Role"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None


def region_tag(region: str) -> str:
    """The key of the tag on a role of ours that `region` uses: it stays until no region does."""
    return f"{TAG}:{region}"


def regions_of(role: Any) -> set[str]:
    """The regions that use a role of ours, by its tags."""
    keys = (tag["Key"] for tag in role.get("Tags", []))
    return {key.partition(":")[2] for key in keys if key.startswith(f"{TAG}:")}


def _marked(aws: Aws, role: Any) -> tuple[str, ...]:
    """One of ours says that this region uses it. What of it had to be changed for that."""
    region = aws.identity.region
    if not _is_ours(role) or region in regions_of(role):
        return ()
    aws.iam.tag_role(RoleName=role["RoleName"], Tags=[_mark(region)])
    return ("regions",)


def _mark(region: str) -> Any:
    return {"Key": region_tag(region), "Value": "uses it"}


def _create(aws: Aws, name: str, description: str, progress: Progress, service: str = "ecs-tasks.amazonaws.com") -> Any:
    tags: Any = [{"Key": TAG, "Value": ROLE}, _mark(aws.identity.region)]
    try:
        role = aws.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=_trust(service), Description=description, Tags=tags
        )["Role"]
    except aws.iam.exceptions.EntityAlreadyExistsException:
        return get_role(aws, name)
    aws.settled(progress, "make", "role", name)
    return {**role, "Tags": tags}


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
