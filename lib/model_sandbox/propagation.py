"""IAM's delay: a new role can be passed on, and assumed, only some moments later.

On AWS it takes seconds, and tasks start more slowly than here. Source: terraform-aws-modules/terraform-aws-ecs issue
414 (passing on), pulumi/pulumi-awsx issue 927 (assuming), hashicorp/terraform-provider-aws issue 37945 (AWS Batch).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from model_sandbox.api import ApiError
from model_sandbox.upstream import Upstream

_PASSED_SECONDS, _ASSUMED_SECONDS = 2.0, 3.0  # since the whole second in which the role was made


def check_passed(upstream: Upstream, *arns: str | None) -> None:
    """Raise ApiError if a role is too new to pass."""
    for arn in filter(None, arns):
        role = upstream.iam._roles.get(arn.rpartition("/")[2])
        if role and is_new(role):
            caller = f"arn:aws:iam::{upstream.scope().account}:root"
            message = f"User: {caller} is not authorized to perform: iam:PassRole on resource: {arn}"
            raise ApiError("AccessDeniedException", message)


def is_new(role: Mapping[str, Any]) -> bool:
    """Tell whether a role is not yet known everywhere."""
    return _age(role) < _PASSED_SECONDS


def is_assumable(role: Mapping[str, Any], service: str) -> bool:
    """Tell whether principal `service` can assume a role now."""
    return service in str(role.get("AssumeRolePolicyDocument")) and _age(role) >= _ASSUMED_SECONDS


def _age(role: Mapping[str, Any]) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(str(role["CreateDate"]))).total_seconds()
