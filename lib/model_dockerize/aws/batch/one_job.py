"""Sends the Batch job of a BatchConfig.yml."""

import uuid
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.batch.job_definition import latest_job_definition
from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import BATCH, TAG
from model_dockerize.aws.client.retries import finds_what_was_lost
from model_dockerize.progress import Progress
from model_dockerize.settings import JobConfig

#: A tag of the job: the sending of it that we mean, where others of its name are in the queue.
_SENDING = f"{TAG}:sending"
_NEWEST = 100  # jobs of one name; ListJobs with a filter gives the newest first, DescribeJobs takes 100


@dataclass(frozen=True)
class SubmittedJob:
    """A submitted job."""

    id: str
    name: str
    queue: str
    definition: str  # ARN, with the revision


def submit_one(aws: Aws, job: JobConfig, progress: Progress) -> SubmittedJob:
    """Send the job once."""
    definition = latest_job_definition(aws, job.definition)
    retries: Any = {"retryStrategy": {"attempts": job.retry_attempts}} if job.retry_attempts else {}
    sending, sent = uuid.uuid4().hex, list[str]()

    @finds_what_was_lost
    def send() -> str:
        with translate(f"submit job {job.name}"):
            if sent and (there := _sent(aws, job, sending)):
                return there
            sent.append(sending)
            return aws.batch.submit_job(
                jobName=job.name,
                jobQueue=job.queue,
                jobDefinition=definition.arn,
                parameters=dict(job.parameters),
                containerOverrides=overrides(job),  # type: ignore[arg-type]
                propagateTags=True,
                tags={TAG: BATCH, _SENDING: sending, **aws.tags},
                **retries,
            )["jobId"]

    identity = send()
    progress.info(f"job {job.name}: submitted to {job.queue} as {identity}, by {job.definition}:{definition.revision}")
    return SubmittedJob(identity, job.name, job.queue, definition.arn)


def _sent(aws: Aws, job: JobConfig, sending: str) -> str:
    named: Any = [{"name": "JOB_NAME", "values": [job.name]}]
    there = aws.batch.list_jobs(jobQueue=job.queue, filters=named, maxResults=_NEWEST)["jobSummaryList"]
    described = aws.batch.describe_jobs(jobs=[j["jobId"] for j in there])["jobs"] if there else []
    return next((j["jobId"] for j in described if j.get("tags", {}).get(_SENDING) == sending), "")


def overrides(job: JobConfig) -> dict[str, Any]:
    """Return the job's `containerOverrides`."""
    sizes = (("VCPU", job.vcpus), ("MEMORY", job.memory))
    found: dict[str, Any] = {
        "command": list(job.command or ()),
        "environment": [{"name": name, "value": value} for name, value in job.environment],
        "resourceRequirements": [{"type": kind, "value": str(size)} for kind, size in sizes if size],
    }
    return {name: value for name, value in found.items() if value}
