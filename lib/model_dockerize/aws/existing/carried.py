"""Carries what no input says from revision to revision. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.model import Shape, StructureShape

#: What is the model's: not said of it means that it has none.
_MODELS = ("command", "entryPoint", "environment", "healthCheck", "image", "name", "secrets")
#: The same of a job: roles are found by the inputs; sizes are read-only echoes of resourceRequirements.
_JOBS = (*_MODELS, "executionRoleArn", "instanceType", "jobRoleArn", "memory", "vcpus")
#: Log groups of stacks of ours begin so.
_OWN_LOG = "/model-dockerize/"
_LOG_GROUP = "awslogs-group"


def task_definition(shape: Shape | None, asked: Mapping[str, Any], former: Any, container: str) -> dict[str, Any]:
    """Complete the request `asked` from `former`.

    Args:
        container: of `former`, which the model replaces.
    """
    kept = _said(former, shape)
    (model,) = asked["containerDefinitions"]
    others = [each for each in former["containerDefinitions"] if each["name"] != container]
    there: Any = next((each for each in former["containerDefinitions"] if each["name"] == container), {})
    together = {**kept, **asked, "containerDefinitions": [_container(model, there), *others]}
    if "FARGATE" in former.get("requiresCompatibilities", []):
        together["requiresCompatibilities"] = former["requiresCompatibilities"]
    if volumes := _united(asked.get("volumes", []), former.get("volumes", []), "name"):
        together["volumes"] = volumes
    if former.get("runtimePlatform"):
        together["runtimePlatform"] = {**former["runtimePlatform"], **asked["runtimePlatform"]}
    return together


def job_definition(shape: Shape | None, asked: Mapping[str, Any], former: Any) -> dict[str, Any]:
    """Complete the request `asked` from `former`."""
    kept = _said(former, shape)
    container, there = asked["containerProperties"], former.get("containerProperties", {})
    outer = {**kept, **asked, "propagateTags": former.get("propagateTags", asked.get("propagateTags", False))}
    outer["parameters"] = asked["parameters"] or former.get("parameters", {})
    # On Fargate half of what instances take is refused.
    if former.get("platformCapabilities", ["EC2"]) != asked["platformCapabilities"]:
        return outer
    inner = {name: value for name, value in there.items() if value and name not in _JOBS} | container
    if "logConfiguration" in container:
        inner["logConfiguration"] = _log(container["logConfiguration"], there)
    if version := there.get("fargatePlatformConfiguration"):
        inner["fargatePlatformConfiguration"] = version
    return {**outer, "containerProperties": inner}


def _container(asked: Mapping[str, Any], there: Any) -> dict[str, Any]:
    kept = {name: value for name, value in there.items() if value and name not in _MODELS}
    together = {**kept, **asked}
    if there.get("stopTimeout"):
        together["stopTimeout"] = there["stopTimeout"]
    together["logConfiguration"] = _log(asked["logConfiguration"], there)
    together["portMappings"] = _united(there.get("portMappings", []), asked["portMappings"], "containerPort")
    if mounts := _united(asked.get("mountPoints", []), there.get("mountPoints", []), "sourceVolume"):
        together["mountPoints"] = mounts
    return together


def _log(asked: Any, there: Any) -> Any:
    """Keep somebody's choice; our own groups may have changed."""
    former = there.get("logConfiguration")
    is_own = not former or former.get("options", {}).get(_LOG_GROUP, "").startswith(_OWN_LOG)
    return asked if is_own else former


def _united(first: Iterable[Any], second: Iterable[Any], key: str) -> list[Any]:
    found = {each.get(key): each for each in second} | {each.get(key): each for each in first}
    return list(found.values())


def _said(former: Any, shape: Shape | None) -> dict[str, Any]:
    """Leave out empty lists, which AWS shows but does not take."""
    members = shape.members if isinstance(shape, StructureShape) else {}
    return {name: value for name, value in former.items() if value and name in members}
