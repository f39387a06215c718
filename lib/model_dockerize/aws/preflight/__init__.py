"""Looks for what may stop a run."""

from model_dockerize.aws.preflight.account import distrusting, lifetime, linked_roles, quotas, similar_region
from model_dockerize.aws.preflight.policy_simulation import simulate

__all__ = [
    "distrusting",
    "lifetime",
    "linked_roles",
    "quotas",
    "similar_region",
    "simulate",
]
