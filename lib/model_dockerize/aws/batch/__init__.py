"""AWS Batch: queues, definitions, jobs."""

from model_dockerize.aws.batch.compute_environment import (
    ComputeEnvironment,
    ensure_compute_environment,
    existing_environment,
)
from model_dockerize.aws.batch.job_bucket import bucket_of_ours, end_bucket, ensure_bucket
from model_dockerize.aws.batch.job_definition import (
    JobDefinition,
    as_defined,
    check_job_definition,
    ensure_job_definition,
    every_job_definition,
    latest_job_definition,
    secrets_of,
    with_roles,
)
from model_dockerize.aws.batch.job_queue import JobQueue, ensure_queue, feed, others_queue, place_of_jobs

__all__ = [
    "ComputeEnvironment",
    "JobDefinition",
    "JobQueue",
    "as_defined",
    "bucket_of_ours",
    "check_job_definition",
    "end_bucket",
    "ensure_bucket",
    "ensure_compute_environment",
    "ensure_job_definition",
    "ensure_queue",
    "every_job_definition",
    "existing_environment",
    "feed",
    "latest_job_definition",
    "others_queue",
    "place_of_jobs",
    "secrets_of",
    "with_roles",
]
