"""Reads the inputs that would make what is there. Pure.

A default is for making, never for changing: tests/functional/aws/test_as_it_is.py tries every input.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from model_dockerize.aws.existing.own_container import replaced_container
from model_dockerize.aws.model import HOSTS, JOB_LIST, OPEN_PATHS, PROCESSES, QUEUE, RETENTION, SELF_PROOF
from model_dockerize.settings.access import KEY

_SERVERS = (QUEUE, OPEN_PATHS, HOSTS, JOB_LIST, RETENTION, SELF_PROOF, PROCESSES, KEY)
#: What ECS calls the share and the minutes of a step.
STEPS = {
    "canary": ("canaryPercent", "canaryBakeTimeInMinutes"),
    "linear": ("stepPercent", "stepBakeTimeInMinutes"),
}
_UNIT = 1024  # CPU units of a vCPU

Found = dict[str, object]


def of_service(there: Any, is_placed: bool) -> Found:
    """Return the inputs that DescribeServices shows.

    Args:
        is_placed: the model's stack knows its network.
    """
    place = there.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    found: Found = {}
    if runs := there.get("taskDefinition"):  # a service that something else deploys has none
        found["task_definition"] = runs.rpartition("/")[2].partition(":")[0]
    if place:
        found["assign_public_ip"] = place.get("assignPublicIp") == "ENABLED"
        if not is_placed:
            found["subnets"] = tuple(sorted(place["subnets"]))
            found["security_groups"] = tuple(sorted(place.get("securityGroups", ())))
    return found | _of_rollout(there.get("deploymentConfiguration", {}))


def _of_rollout(configuration: Any) -> Found:
    if not configuration:
        return {}
    found: Found = {"rollout": configuration.get("strategy", "ROLLING").lower().replace("_", "-")}
    if "bakeTimeInMinutes" in configuration:
        found["bake_minutes"] = int(configuration["bakeTimeInMinutes"])
    for strategy in ("canary", "linear"):
        if steps := configuration.get(f"{strategy}Configuration"):
            percent, minutes = STEPS[strategy]
            found |= {"step_percent": int(steps[percent]), "step_minutes": int(steps[minutes])}
    alarms = configuration.get("alarms", {})
    return found | {"alarms": tuple(alarms.get("alarmNames", ())) if alarms.get("enable") else ()}


def of_definition(definition: Any, there: Any, is_ours: bool) -> Found:
    """Return the inputs that the definition shows.

    Args:
        is_ours: a missing variable means its default.
    """
    container = replaced_container(definition, there)
    found = {
        **_variables(container),
        **_roles(definition.get("taskRoleArn"), definition.get("executionRoleArn")),
        **{name: int(definition[name]) for name in ("cpu", "memory") if str(definition.get(name, "")).isdigit()},
    }
    told, secret = _pairs(container, "environment", "value"), _pairs(container, "secrets", "valueFrom")
    if is_ours or told.keys() & {OPEN_PATHS, RETENTION}:
        found |= {
            "allowed_hosts": _words(told.get(HOSTS, "")),
            "job_list": told.get(JOB_LIST) != "false",
            "self_proof": told.get(SELF_PROOF) == "true",
            "api_key": tuple(_key(name, arn) for name, arn in secret.items() if name.startswith(KEY)),
            "queue_url": told.get(QUEUE, secret.get(QUEUE, "")),
        }
        if (count := told.get(PROCESSES, "1")).isdecimal():
            found["server_processes"] = int(count)
        if (days := told.get(RETENTION, "0")).isdecimal():
            found["retention_days"] = int(days)
        if OPEN_PATHS in told:
            found["open_paths"] = _words(told[OPEN_PATHS])
    return found


def of_job_definition(there: Any) -> Found:
    """Return the inputs that it shows."""
    container = there.get("containerProperties", {})
    needs = needs_of(container)
    found: Found = {**_variables(container), **_roles(container.get("jobRoleArn"), container.get("executionRoleArn"))}
    if "VCPU" in needs:
        found["cpu"] = int(float(needs["VCPU"]) * _UNIT)
    if "MEMORY" in needs:
        found["memory"] = int(needs["MEMORY"])
    found["gpus"] = int(needs.get("GPU", "0"))
    capabilities = there.get("platformCapabilities") or ["EC2"]
    found["compute_type"] = capabilities[0]
    if network := container.get("networkConfiguration"):
        found["assign_public_ip"] = network.get("assignPublicIp") == "ENABLED"
    return found


def needs_of(container: Any) -> dict[str, str]:
    """Return a job's needs by type: VCPU, MEMORY, GPU."""
    old = {"VCPU": container.get("vcpus"), "MEMORY": container.get("memory")}  # as definitions said it until 2020
    new = {each["type"]: each["value"] for each in container.get("resourceRequirements", [])}
    return {kind: str(value) for kind, value in old.items() if value} | new


def of_environment(there: Any) -> Found:
    """Return the inputs that it shows."""
    resources = there.get("computeResources", {})
    names = {"type": "compute_type", "maxvCpus": "max_vcpus", "instanceRole": "instance_role"}
    found: Found = {ours: resources[theirs] for theirs, ours in names.items() if theirs in resources}
    if "instanceTypes" in resources:
        found["instance_types"] = tuple(resources["instanceTypes"])
    return found


def _variables(container: Any) -> Found:
    told, secret = _pairs(container, "environment", "value"), _pairs(container, "secrets", "valueFrom")
    return {
        "environment": tuple((name, value) for name, value in told.items() if not name.startswith(_SERVERS)),
        "secrets": tuple((name, arn) for name, arn in secret.items() if not name.startswith(_SERVERS)),
    }


def _roles(task: str | None, execution: str | None) -> Found:
    named = {"task_role": task, "execution_role": execution}
    return {name: arn for name, arn in named.items() if arn}


def _pairs(container: Any, kind: str, value: str) -> Mapping[str, str]:
    entries: Iterable[Any] = container.get(kind, [])
    return {entry["name"]: entry.get(value, "") for entry in entries}


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _key(variable: str, arn: str) -> str:
    name = variable.removeprefix(KEY).removeprefix("_")
    return f"{name}={arn}" if name else arn
