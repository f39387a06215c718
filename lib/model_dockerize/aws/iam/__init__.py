"""Looks at roles, and writes what policies are made of."""

from model_dockerize.aws.iam.statement import Where

__all__ = [
    "Where",
]
