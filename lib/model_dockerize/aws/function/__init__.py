"""The function that sends jobs for files in S3."""

from model_dockerize.aws.function.function import ensure_function

__all__ = [
    "ensure_function",
]
