"""The policies that a role needs for what the other packages call."""

from model_dockerize.aws.permissions.policy import run_policy, stack_policy, trust_policy
from model_dockerize.aws.permissions.removal import destroy_policy

__all__ = [
    "destroy_policy",
    "run_policy",
    "stack_policy",
    "trust_policy",
]
