"""Why a Batch job does not start, as far as AWS shows it."""

from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.session import Aws


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


def _vcpus(job: Any) -> float:
    requirements = job.get("container", {}).get("resourceRequirements", [])
    return sum(float(r["value"]) for r in requirements if r["type"] == "VCPU")
