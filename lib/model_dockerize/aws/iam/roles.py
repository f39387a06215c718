"""Looks up roles and instance profiles."""

from collections.abc import Collection, Mapping
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import TAG, short_arn, tagged


def get_instance_profile(aws: Aws, name: str) -> Any:
    """Return IAM's description, or None."""
    try:
        return aws.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None


def get_role(aws: Aws, name: str) -> Any:
    """Return IAM's description, or None."""
    try:
        return aws.iam.get_role(RoleName=name)["Role"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None


def named_roles(aws: Aws, arns: Mapping[str, str | None], own: Collection[str]) -> dict[str, object]:
    """Return roles given by somebody, not our stacks'.

    Args:
        own: ARNs of our stacks' roles, as far as known.
    """
    return {name: arn for name, arn in arns.items() if arn and arn not in own and not _is_stacks(aws, arn)}


def _is_stacks(aws: Aws, arn: str) -> bool:
    name = short_arn(arn)
    if not name.startswith(f"{TAG}-"):
        return False
    with translate(f"role {name}"):
        role = get_role(aws, name)
    return role is None or tagged(role.get("Tags", []))
