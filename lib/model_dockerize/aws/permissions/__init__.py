"""The policies that a role needs."""

from model_dockerize.aws.permissions.policy import (
    files_policy,
    function_policy,
    run_policy,
    stack_policy,
    trust_policy,
    unbound,
)
from model_dockerize.aws.permissions.removal import destroy_policy

__all__ = [
    "destroy_policy",
    "files_policy",
    "function_policy",
    "run_policy",
    "stack_policy",
    "trust_policy",
    "unbound",
]
