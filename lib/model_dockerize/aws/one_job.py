"""One Batch job as a BatchConfig.yml describes it: the latest revision of a definition, with what is different."""

from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.batch import latest_job_definition
from model_dockerize.aws.errors import translate
from model_dockerize.aws.names import BATCH, TAG
from model_dockerize.aws.session import Aws
from model_dockerize.progress import Progress
from model_dockerize.settings import JobConfig


@dataclass(frozen=True)
class SubmittedJob:
    """A job that AWS Batch took. How it ends is another matter."""

    id: str
    name: str
    queue: str
    definition: str  # ARN, with the revision


def submit_one(aws: Aws, job: JobConfig, progress: Progress) -> SubmittedJob:
    """Sends the job to its queue, by the highest ACTIVE revision of its definition.

    Raises:
        InputError: there is no such definition.
        AwsError: Batch did not take it, e.g. because there is no such queue.
    """
    definition = latest_job_definition(aws, job.definition)
    retries: Any = {"retryStrategy": {"attempts": job.retry_attempts}} if job.retry_attempts else {}
    with translate(f"submit job {job.name}"):
        made = aws.batch.submit_job(
            jobName=job.name,
            jobQueue=job.queue,
            jobDefinition=definition.arn,
            parameters=dict(job.parameters),
            containerOverrides=overrides(job),  # type: ignore[arg-type]
            propagateTags=True,
            tags={TAG: BATCH},
            **retries,
        )
    progress.info(
        f"job {job.name}: submitted to {job.queue} as {made['jobId']}, by {job.definition}:{definition.revision}"
    )
    return SubmittedJob(made["jobId"], job.name, job.queue, definition.arn)


def overrides(job: JobConfig) -> dict[str, Any]:
    """`containerOverrides` of the job: only what it says. Pure."""
    sizes = (("VCPU", job.vcpus), ("MEMORY", job.memory))
    found: dict[str, Any] = {
        "command": list(job.command or ()),
        "environment": [{"name": name, "value": value} for name, value in job.environment],
        "resourceRequirements": [{"type": kind, "value": str(size)} for kind, size in sizes if size],
    }
    return {name: value for name, value in found.items() if value}
