"""The function that sends a Batch job for each file in S3."""

from model_dockerize.aws.function.function import ensure_function

__all__ = [
    "ensure_function",
]
