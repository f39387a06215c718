"""Shows values that are no secret: numbers, and safe fields."""

from collections.abc import Iterator
from typing import Any

from model_dockerize.aws.model import TO_COME

#: Fields whose text may be shown. Variables, commands, labels and options of log drivers may hold what is nobody's
#: business; an image and a task definition say nothing that the line does not.
_SAFE = frozenset(
    (
        *("accessPointId", "alarmNames", "allocationStrategy", "appProtocol", "assignPublicIp", "assign_public_ip"),
        *("availabilityZoneRebalancing", "awslogs_group", "capacityProvider", "computeEnvironment", "condition"),
        *("containerName", "containerPath", "cpu", "cpuArchitecture", "execution_role", "executionRoleArn"),
        *("fileSystemId", "instanceRole", "instanceTypes", "instance_role", "instance_types", "iam", "jobRoleArn"),
        *("launchType", "logDriver", "memory", "name", "networkMode", "operatingSystemFamily", "platformCapabilities"),
        *("platformVersion", "propagateTags", "protocol", "registryArn", "rootDirectory", "securityGroupIds"),
        *("securityGroups", "security_groups", "serviceRole", "sourceVolume", "state", "strategy", "subnets"),
        *("targetGroupArn", "task_role", "taskRoleArn", "transitEncryption", "type", "user", "valueFrom"),
        *("task_definition", "vpc", "workingDirectory"),
    )
)
_MOST = 160  # characters


def shown(path: str, before: Any, after: Any) -> str:
    """Return `desiredCount 3 -> 1`, or the path alone."""
    name = _leaf(path)
    values = [_text(name, before), _text(name, after)]
    if None in values:
        return path
    return f"{path} {values[0]} -> {values[1]}"


def told(path: str, value: Any) -> str:
    """Return `desiredCount 3`, or the path alone."""
    text = _text(_leaf(path), value)
    return path if text is None else f"{path} {text}"


def _leaf(path: str) -> str:
    return next((part for part in reversed(path.split(".")) if not part.isdigit()), path).replace("-", "_")


def _text(name: str, value: Any) -> str | None:
    if value is None or value in ("", (), [], {}):
        return "none"
    parts = list(_parts(name, value))
    if not parts:
        return None
    text = ", ".join(parts)
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def _parts(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value.keys() == {"type", "value"}:  # a size
        yield f"{value['type']} {value['value']}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            parts = list(_parts(str(key).replace("-", "_"), inner))
            if parts:
                yield f"{key} ({', '.join(parts)})" if isinstance(inner, dict) else f"{key} {' '.join(parts)}"
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _parts(name, each)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, int | float) or name in _SAFE or value == TO_COME:
        text = str(value)
        # Of an ARN the name: where it lies, everything else of the plan does too.
        yield text.rpartition("/")[2] if text.startswith("arn:") else text
