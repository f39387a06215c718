"""Task and job definitions resolved for containers."""

import json
from typing import Any

from model_sandbox.api import ApiError
from model_sandbox.container_log import LogStream
from model_sandbox.container_spec import Health
from model_sandbox.propagation import is_assumable
from model_sandbox.upstream import Upstream

#: Fargate: CPU units -> memory in MiB. Source: AWS Fargate developer guide, "Task CPU and memory".
_FARGATE_MEMORY: dict[int, range | tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
    32768: (61440, 122880, 249856),
}


class DefinitionError(Exception):
    """A definition is wrong; the message is AWS's."""


def is_fargate_size(cpu: object, memory: object) -> bool:
    """Tell whether Fargate has this CPU (units, `1 vCPU`) with this memory (MiB, `2 GB`)."""
    try:
        return _amount(memory, "gb") in _FARGATE_MEMORY.get(_amount(cpu, "vcpu"), ())
    except ValueError:
        return False


def check_fargate_task(request: dict[str, Any]) -> None:
    """Raise ApiError if RegisterTaskDefinition's `request` breaks Fargate's rules."""
    if "FARGATE" not in request.get("requiresCompatibilities", []):
        return
    cpu, memory = request.get("cpu"), request.get("memory")
    if not is_fargate_size(cpu, memory):
        message = f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory."
        raise ApiError("ClientException", message)
    if request.get("networkMode") != "awsvpc":
        raise ApiError("ClientException", "Fargate only supports network mode 'awsvpc'.")
    if not request.get("executionRoleArn"):
        message = "Fargate requires task definition to have execution role ARN to support ECR images."
        raise ApiError("ClientException", message)


def environment(container: dict[str, Any], override: dict[str, Any]) -> dict[str, str]:
    """Return the plain variables; the override wins."""
    entries = [*container.get("environment", []), *override.get("environment", [])]
    return {entry["name"]: entry.get("value", "") for entry in entries}


def secrets(upstream: Upstream, container: dict[str, Any]) -> dict[str, str]:
    """Return the values of `secrets`.

    Raises:
        DefinitionError: it names the secret and never its value.
    """
    found = {}
    for entry in container.get("secrets", []):
        reference, key = entry["valueFrom"], ""
        if ":secretsmanager:" in reference:
            parts = reference.split(":")
            reference, key = ":".join(parts[:7]), (parts[7] if len(parts) > 7 else "")
            value = upstream.secrets.resolve_secret_string(reference)
        else:
            value = upstream.parameters.resolve_parameter_value(reference, decrypt=True)
        if value is None:
            raise DefinitionError(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
                f"failed: unable to retrieve secret {reference} for {entry['name']}"
            )
        found[entry["name"]] = _member(str(value), key, entry["valueFrom"]) if key else str(value)
    return found


def check_role(upstream: Upstream, arn: str) -> None:
    """Raise DefinitionError unless ECS tasks can assume the role by now. "" is fine."""
    role = upstream.iam._roles.get(arn.rsplit("/", 1)[-1]) if arn else None
    if arn and (role is None or not is_assumable(role, "ecs-tasks.amazonaws.com")):
        raise DefinitionError(
            f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role "
            "being passed has the proper trust relationship and permissions and that your IAM user has permissions to "
            "pass this role."
        )


def health(container: dict[str, Any]) -> Health | None:
    check = container.get("healthCheck")
    if not check:
        return None
    return Health(
        test=tuple(check["command"]),
        interval=check.get("interval", 30),
        timeout=check.get("timeout", 5),
        retries=check.get("retries", 3),
        start_period=check.get("startPeriod", 0),
    )


def log_stream(container: dict[str, Any], task: str) -> tuple[LogStream, bool] | None:
    """Return where `awslogs` writes, and whether it may make the group."""
    configuration = container.get("logConfiguration") or {}
    options = configuration.get("options") or {}
    if configuration.get("logDriver") != "awslogs" or "awslogs-group" not in options:
        return None
    prefix = options.get("awslogs-stream-prefix")
    name = f"{prefix}/{container['name']}/{task}" if prefix else task
    return LogStream(options["awslogs-group"], name), str(options.get("awslogs-create-group")).lower() == "true"


def _amount(value: object, unit: str) -> int:
    text = str(value).lower().strip()
    return int(float(text.removesuffix(unit)) * 1024) if text.endswith(unit) else int(text)


def _member(text: str, key: str, reference: str) -> str:
    try:
        return str(json.loads(text)[key])
    except (ValueError, KeyError, TypeError) as error:
        raise DefinitionError(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            f"failed: retrieved secret from {reference} did not contain json key {key}"
        ) from error
