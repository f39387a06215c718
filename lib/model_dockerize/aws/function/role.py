"""Makes a function's role, which no stack holds."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import ROLE, TAG, tagged
from model_dockerize.aws.ground.names import SHARED
from model_dockerize.aws.ground.stacks import describe_stack
from model_dockerize.aws.iam.roles import get_role
from model_dockerize.progress import Progress

#: IAM shows a new role everywhere within seconds; twice what was ever reported.
_FRESH = timedelta(minutes=2)


@dataclass(frozen=True)
class Role:
    """A role; a `fresh` one is too new for other services."""

    arn: str
    fresh: bool
    ours: bool = False

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]


def ensure_function_role(aws: Aws, name: str, queue: str, definition: str, progress: Progress) -> Role:
    """Make or change the function's role."""
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
    """Include the region: roles are the account's, functions a region's."""
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


def _create(aws: Aws, name: str, description: str, progress: Progress, service: str) -> Any:
    tags: Any = [{"Key": TAG, "Value": ROLE}, *({"Key": key, "Value": value} for key, value in aws.tags.items())]
    boundary = aws.permissions_boundary or _boundary_of_all(aws)
    bound: Any = {"PermissionsBoundary": boundary} if boundary else {}
    try:
        role = aws.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=_trust(service), Description=description, Tags=tags, **bound
        )["Role"]
    except aws.iam.exceptions.EntityAlreadyExistsException:
        return get_role(aws, name)
    aws.settled(progress, "make", "role", name)
    return {**role, "Tags": tags}


def _boundary_of_all(aws: Aws) -> str:
    shared = describe_stack(aws, SHARED)
    return shared.parameters.get("PermissionsBoundary", "") if shared else ""


def _trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _is_ours(role: Any) -> bool:
    return tagged(role.get("Tags", []))


def _role(role: Any) -> Role:
    return Role(role["Arn"], datetime.now(UTC) - role["CreateDate"] < _FRESH, _is_ours(role))
