"""Explains why a Batch job does not start.

Source: AWS Batch user guide, "Jobs stuck in a RUNNABLE status".
"""

from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate

#: How Batch begins its reason, and what helps.
_HELP = {
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": "Raise max-vcpus, or ask for less (cpu, memory).",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": "No instance of the environment is that large: name others "
    "(instance-types), or ask for less (cpu, memory, gpus).",
    "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS": "Mend the policies of the environment's service role.",
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": "AWS has no such instances there now: wait, or name more "
    "instance-types or subnets in more zones.",
}


def why_runnable(aws: Aws, queue: str, job_id: str) -> tuple[str, ...]:
    """Return the reasons, as far as AWS shows them."""
    with translate("look why no job starts"):
        (there,) = aws.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
        order = [entry["computeEnvironment"] for entry in there["computeEnvironmentOrder"]]
        environments = aws.batch.describe_compute_environments(computeEnvironments=order)["computeEnvironments"]
        (job,) = aws.batch.describe_jobs(jobs=[job_id])["jobs"]
    needed = _vcpus(job)
    found = []
    reason = job.get("statusReason", "")
    if reason and job["status"] == "RUNNABLE":
        helps = next((text for words, text in _HELP.items() if reason.startswith(words)), "")
        found.append(f"AWS Batch says: {reason} {helps}".strip())
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
