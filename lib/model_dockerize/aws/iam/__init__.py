"""IAM: roles, and statements of policies."""

from model_dockerize.aws.iam.statement import Where

__all__ = [
    "Where",
]
