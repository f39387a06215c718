"""Lets others than administrators make models."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.retries import finds_what_was_lost
from model_dockerize.aws.ground.permissions import BOUNDARY, SERVICE_ROLE, boundary_policy, service_role_policy
from model_dockerize.aws.ground.shared import Needs, ensure_shared
from model_dockerize.aws.ground.values import TAG
from model_dockerize.aws.iam.roles import get_role
from model_dockerize.aws.iam.statement import Where
from model_dockerize.errors import AwsError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

#: A load balancer stands in two, and nobody but an administrator can add one later.
_ZONES = 2
_POLICY = "model-dockerize"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
_TRIES, _PAUSE = 12, 5.0  # until CloudFormation may assume a role that was just made


def bootstrap(
    aws: Aws, settings: ServiceSettings, progress: Progress, sleep: Callable[[float], None] = time.sleep
) -> str:
    """Make CloudFormation's role and the shared stack; return the role's ARN."""
    where = Where(aws.identity.account, aws.identity.region, aws.identity.partition)
    bound = aws.permissions_boundary or _ensure_boundary(aws, where, progress)
    role, is_new = _ensure_role(aws, where, bound, progress)
    own_network = not (settings.vpc or settings.subnets)
    needs = Needs(
        cluster=True,
        instances=True,
        zones=(settings.zones or _ZONES) if own_network else 0,
        private=own_network and not settings.assign_public_ip,
        vpc_cidr=settings.vpc_cidr,
        role=role,
    )
    bounded = replace(aws, permissions_boundary=bound)
    for tries_left in reversed(range(_TRIES if is_new else 1)):
        try:
            ensure_shared(bounded, needs, progress)
            break
        except AwsError as error:
            if not tries_left or "assume" not in " ".join((str(error), *error.details)):
                raise
            sleep(_PAUSE)
    return role


@finds_what_was_lost
def _ensure_boundary(aws: Aws, where: Where, progress: Progress) -> str:
    arn, wanted = where.arn("iam", f"policy/{BOUNDARY}", regional=False), boundary_policy(where)
    with translate(f"policy {BOUNDARY}"):
        try:
            version = aws.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        except aws.iam.exceptions.NoSuchEntityException:
            aws.iam.create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(wanted), Tags=_tags(aws))
            aws.settled(progress, "make", "policy", BOUNDARY)
            return arn
        there = aws.iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        if there == wanted:
            aws.settled(progress, "leave", "policy", BOUNDARY)
            return arn
        # IAM keeps five versions of a policy.
        kept = aws.iam.list_policy_versions(PolicyArn=arn)["Versions"]
        for old in [each["VersionId"] for each in kept if not each["IsDefaultVersion"]][3:]:
            aws.iam.delete_policy_version(PolicyArn=arn, VersionId=old)
        aws.iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(wanted), SetAsDefault=True)
    aws.settled(progress, "change", "policy", BOUNDARY)
    return arn


@finds_what_was_lost
def _ensure_role(aws: Aws, where: Where, bound: str, progress: Progress) -> tuple[str, bool]:
    wanted = service_role_policy(where, bound)
    with translate(f"role {SERVICE_ROLE}"):
        role = get_role(aws, SERVICE_ROLE)
        if is_new := role is None:
            role = aws.iam.create_role(
                RoleName=SERVICE_ROLE,
                AssumeRolePolicyDocument=json.dumps(_TRUST),
                Description="By this CloudFormation makes the stacks of model-dockerize.",
                Tags=_tags(aws),
            )["Role"]
        is_right = not is_new and _inline(aws) == wanted
        if not is_right:
            document = json.dumps(wanted)
            aws.iam.put_role_policy(RoleName=SERVICE_ROLE, PolicyName=_POLICY, PolicyDocument=document)
    aws.settled(progress, "make" if is_new else "leave" if is_right else "change", "role", SERVICE_ROLE)
    return str(role["Arn"]), not is_right


def _inline(aws: Aws) -> Mapping[str, Any] | None:
    try:
        found: Any = aws.iam.get_role_policy(RoleName=SERVICE_ROLE, PolicyName=_POLICY)["PolicyDocument"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None
    return found  # type: ignore[no-any-return]


def _tags(aws: Aws) -> Any:
    return [TAG, *({"Key": key, "Value": value} for key, value in aws.tags.items())]
