"""Removing our roles: what all regions of the account share goes with the last region that uses it.

Each region writes a tag of its own on the roles that it uses (`ensure_` in iam.py), and takes it off here.
"""

from collections.abc import Iterator
from functools import partial

from botocore.exceptions import ClientError

from model_dockerize.aws.errors import code_of, message_of
from model_dockerize.aws.iam import (
    BATCH_ROLE,
    EXECUTION_ROLE,
    INSTANCE_ROLE,
    TASK_ROLE,
    function_role_name,
    get_instance_profile,
    get_role,
    region_tag,
    regions_of,
)
from model_dockerize.aws.names import TAG, tagged
from model_dockerize.aws.session import Aws
from model_dockerize.aws.thing import Thing
from model_dockerize.errors import AwsError


def role_things(aws: Aws) -> Iterator[Thing]:
    """The roles of tasks and instances, the profile before its role; of one that others use, only our region's mark."""
    here = aws.identity.region
    for name in (TASK_ROLE, EXECUTION_ROLE, INSTANCE_ROLE, BATCH_ROLE):
        role = get_role(aws, name)
        ours = role is not None and tagged(role.get("Tags", []))
        regions = regions_of(role) if ours else set()
        if regions - {here}:
            if here in regions:
                what = f"{name}, which stays for {', '.join(sorted(regions - {here}))}"
                yield Thing("use of role", what, partial(_leave, aws, name, here))
            continue
        if name == INSTANCE_ROLE:
            yield from _instance_profile_things(aws)
        if ours:
            yield Thing("role", name, partial(_end_role, aws, name))


def function_role_things(aws: Aws, function: str) -> Iterator[Thing]:
    """The role of the function, if it is ours."""
    name = function_role_name(function, aws.identity.region)
    role = get_role(aws, name)
    if role and tagged(role.get("Tags", [])):
        yield Thing("role", name, partial(_end_role, aws, name))


def our_policies(aws: Aws, role: str) -> list[str]:
    """Inline policies of ours in a role; none where there is no such role."""
    try:
        pages = aws.iam.get_paginator("list_role_policies").paginate(RoleName=role)
        return [name for page in pages for name in page["PolicyNames"] if name.startswith(TAG)]
    except aws.iam.exceptions.NoSuchEntityException:
        return []


def _instance_profile_things(aws: Aws) -> Iterator[Thing]:
    profile = get_instance_profile(aws, INSTANCE_ROLE)
    if profile and tagged(profile.get("Tags", [])):
        yield Thing("instance profile", INSTANCE_ROLE, partial(_end_instance_profile, aws))


def _end_instance_profile(aws: Aws) -> None:
    profile = get_instance_profile(aws, INSTANCE_ROLE)
    for role in profile["Roles"] if profile else ():
        aws.iam.remove_role_from_instance_profile(InstanceProfileName=INSTANCE_ROLE, RoleName=role["RoleName"])
    aws.iam.delete_instance_profile(InstanceProfileName=INSTANCE_ROLE)


def _leave(aws: Aws, name: str, region: str) -> None:
    aws.iam.untag_role(RoleName=name, TagKeys=[region_tag(region)])


def _end_role(aws: Aws, name: str) -> None:
    for inline in our_policies(aws, name):
        aws.iam.delete_role_policy(RoleName=name, PolicyName=inline)
    for page in aws.iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        for policy in page["AttachedPolicies"]:
            aws.iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    try:
        aws.iam.delete_role(RoleName=name)
    except ClientError as error:
        if code_of(error) == "DeleteConflict":
            raise AwsError(f"role {name}", "Somebody gave it policies or a profile.", (message_of(error),)) from error
        raise
