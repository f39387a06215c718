"""Batch jobs: submitted, followed to their end, their logs read; and why one does not start."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.logs import last_lines
from model_dockerize.aws.names import BATCH, TAG, legal_name
from model_dockerize.aws.session import Aws
from model_dockerize.progress import Progress

_STUCK_SECONDS = 120.0
_LINES = 50


@dataclass(frozen=True)
class Job:
    """One submitted job, and what was known of it last."""

    id: str
    input: str
    status: str  # SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED, FAILED
    reason: str = ""
    exit_code: int | None = None
    stream: str = ""  # of its log

    @property
    def over(self) -> bool:
        """Whether it will not change any more."""
        return self.status in ("SUCCEEDED", "FAILED")


def submit(aws: Aws, queue: str, definition: str, name: str, parameters: Mapping[str, str], progress: Progress) -> Job:
    """Sends one job: `definition` (ARN or NAME) with `parameters` in place of its `Ref::`."""
    with translate(f"submit a job of {definition.rsplit('/', 1)[-1]}"):
        made = aws.batch.submit_job(
            jobName=legal_name(name, 128),
            jobQueue=queue,
            jobDefinition=definition,
            parameters=dict(parameters),
            propagateTags=True,
            tags={TAG: BATCH},
        )
    progress.info(f"job {made['jobId']}: {parameters.get('input', '')}")
    return Job(made["jobId"], parameters.get("input", ""), "SUBMITTED")


def follow_jobs(
    aws: Aws,
    queue: str,
    jobs: tuple[Job, ...],
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Job]:
    """Every job once, as soon as it is over. A job that stays RUNNABLE is explained while it waits."""
    waiting = {job.id: job for job in jobs}
    changed = clock()
    explained = False
    while waiting:
        for now in _look(aws, waiting):
            if now.status != waiting[now.id].status:
                changed = clock()
                progress.info(f"job {now.id}: {now.status}{f' ({now.reason})' if now.status == 'FAILED' else ''}")
            waiting[now.id] = now
            if now.over:
                yield waiting.pop(now.id)
        quiet = clock() - changed
        runnable = any(job.status == "RUNNABLE" for job in waiting.values())
        if runnable and quiet > _STUCK_SECONDS and not explained:
            explained = True
            for line in why_runnable(aws, queue, next(j for j in waiting if waiting[j].status == "RUNNABLE")):
                progress.warning(line)
        if waiting:
            sleep(1.0 if quiet < 30 else 5.0)


def log_of(aws: Aws, group: str, job: Job) -> tuple[str, ...]:
    """The last lines that the job wrote."""
    return last_lines(aws, group, job.stream, _LINES) if job.stream else ()


def why_runnable(aws: Aws, queue: str, job_id: str) -> tuple[str, ...]:
    """What keeps a RUNNABLE job from starting, as far as AWS shows it. Batch itself gives no reason."""
    with translate("look why no job starts"):
        (there,) = aws.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
        order = [entry["computeEnvironment"] for entry in there["computeEnvironmentOrder"]]
        environments = aws.batch.describe_compute_environments(computeEnvironments=order)["computeEnvironments"]
        (job,) = aws.batch.describe_jobs(jobs=[job_id])["jobs"]
    needed = _vcpus(job)
    found = []
    if there["state"] != "ENABLED" or there["status"] != "VALID":
        found.append(f"Queue {there['jobQueueName']} is {there['state']} and {there['status']}.")
    for environment in environments:
        name, resources = environment["computeEnvironmentName"], environment.get("computeResources", {})
        if environment["state"] != "ENABLED" or environment["status"] != "VALID":
            reason = environment.get("statusReason", "")
            found.append(f"Compute environment {name} is {environment['state']} and {environment['status']}: {reason}")
        if needed > resources.get("maxvCpus", needed):
            found.append(f"The job wants {needed:g} vCPUs; compute environment {name} has {resources['maxvCpus']}.")
    return tuple(found) or (
        "The job waits for capacity. If it stays: the limit max-vcpus is used up by other jobs, the account's quota is "
        "reached, no instance type fits its memory or GPUs, or instances cannot reach ECS from their subnets.",
    )


def _look(aws: Aws, waiting: Mapping[str, Job]) -> Iterator[Job]:
    ids = list(waiting)
    with translate("follow the jobs"):
        for start in range(0, len(ids), 100):
            for job in aws.batch.describe_jobs(jobs=ids[start : start + 100])["jobs"]:
                container: Any = job.get("container", {})
                yield Job(
                    job["jobId"],
                    waiting[job["jobId"]].input,
                    job["status"],
                    str(container.get("reason") or job.get("statusReason", "")),
                    container.get("exitCode"),
                    container.get("logStreamName", ""),
                )


def _vcpus(job: Any) -> float:
    requirements = job.get("container", {}).get("resourceRequirements", [])
    return sum(float(r["value"]) for r in requirements if r["type"] == "VCPU")
