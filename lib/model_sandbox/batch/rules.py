"""AWS Batch's rules for environments, definitions and waiting jobs.

Source: AWS Batch user guide, "Updating compute environments", "Jobs stuck in a RUNNABLE status"; API reference,
`ComputeResource`, `ResourceRequirement`.
"""

import re
from collections.abc import Mapping
from typing import Any

from model_sandbox.api import ApiError
from model_sandbox.definitions import is_fargate_size

Record = dict[str, Any]
_ONLY_OF_INSTANCES = ("minvCpus", "desiredvCpus", "instanceTypes", "instanceRole")
_OF_FARGATE = {"subnets", "securityGroupIds", "maxvCpus"}
_OF_SCALING = {"minvCpus", "maxvCpus", "desiredvCpus"}
#: Families of instances that have GPUs: p3, g5g, gr6, p4de.
_WITH_GPU = re.compile(r"(g|gr|p)\d")


def refuse(message: str) -> ApiError:
    return ApiError("ClientException", message)


def check_new(resources: Record) -> None:
    if not is_fargate(resources):
        return
    for key in _ONLY_OF_INSTANCES:
        if key in resources:
            raise refuse(f"Error executing request, Exception : {key} must not be set for Fargate.")
    if not resources.get("subnets") or not resources.get("securityGroupIds"):
        raise refuse("Error executing request, Exception : Fargate needs subnets and securityGroupIds.")


def check_change(environment: Record, changes: Record) -> None:
    """Raise ApiError if a change needs another environment."""
    resources = environment.get("computeResources")
    if resources is None and changes:
        raise refuse("Error executing request, Exception : computeResources cannot be set for UNMANAGED environments.")
    there = resources or {}
    other = {key for key, value in changes.items() if value != there.get(key)}
    if is_fargate(there):
        fixed = other - _OF_FARGATE
        why = "of Fargate"
    elif environment.get("serviceRole") or there.get("allocationStrategy", "BEST_FIT") == "BEST_FIT":
        fixed = other - _OF_SCALING
        why = "with a service role of its own or the allocation strategy BEST_FIT"
    else:
        fixed = {"type"} & other if is_fargate(changes) else set()
        why = "on instances"
    if fixed:
        names = ", ".join(sorted(fixed))
        raise refuse(f"Error executing request, Exception : {names} cannot be updated for compute environments {why}.")


def check_definition(request: Record) -> None:
    container = request.get("containerProperties") or {}
    wanted = _wanted(container)
    if "FARGATE" in request.get("platformCapabilities", []):
        if not container.get("executionRoleArn"):
            raise refuse("Error executing request, Exception : EXECUTION_ROLE_ARN is required for Fargate jobs.")
        if not is_fargate_size(f"{wanted.get('VCPU', 0)} vcpu", wanted.get("MEMORY")):
            raise refuse(
                "Error executing request, Exception : Fargate resource requirements "
                f"({wanted.get('VCPU')} vCPU, {wanted.get('MEMORY')} MiB) not valid."
            )
    elif not re.fullmatch(r"[1-9]\d*", wanted.get("VCPU", "1")):
        raise refuse(
            "Error executing request, Exception : For EC2 resources a job has whole vCPUs, and one at least, not "
            f"{wanted['VCPU']}."
        )


def why_waiting(environment: Record, container: Record) -> str | None:
    """Return Batch's reason why there will never be room."""
    resources, wanted = environment.get("computeResources") or {}, _wanted(container)
    if float(wanted.get("VCPU") or container.get("vcpus", 1)) > float(resources.get("maxvCpus", 256)):
        return (
            "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the "
            "job requirements: maxvCpus is lower than the job's vCPUs."
        )
    types = resources.get("instanceTypes", [])
    if wanted.get("GPU") and not is_fargate(resources) and not any(map(_WITH_GPU.match, types)):
        return (
            "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than "
            "that can be met by the CE(s) attached to the job queue."
        )
    return None


def is_fargate(resources: Mapping[str, Any]) -> bool:
    return str(resources.get("type", "")).startswith("FARGATE")


def _wanted(container: Record) -> dict[str, str]:
    return {each["type"]: str(each["value"]) for each in container.get("resourceRequirements", [])}
