"""IAM: roles are looked up, and statements of policies written."""

from model_dockerize.aws.iam.statement import Where

__all__ = [
    "Where",
]
