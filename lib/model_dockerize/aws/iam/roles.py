"""Looks up roles and instance profiles."""

from typing import Any

from model_dockerize.aws.client.account import Aws


def get_instance_profile(aws: Aws, name: str) -> Any:
    """Return the profile as IAM shows it; None where there is none."""
    try:
        return aws.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None


def get_role(aws: Aws, name: str) -> Any:
    """Return the role as IAM shows it; None where there is none."""
    try:
        return aws.iam.get_role(RoleName=name)["Role"]
    except aws.iam.exceptions.NoSuchEntityException:
        return None
