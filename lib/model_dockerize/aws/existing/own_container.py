"""Finds the model's container among those that AWS adds."""

from collections.abc import Iterable
from typing import Any

#: Beginnings of the names of containers that AWS adds. Source: GuardDuty user guide, "Runtime Monitoring: coverage";
#: Amazon ECS developer guide, "Service Connect".
_ADDED = ("aws-guardduty-agent", "ecs-service-connect")
#: Where the model's server answers in its container.
PORT = 80


def own_container(containers: Iterable[Any], task_definition_arn: str) -> Any:
    """Return the container named like the family, else the likeliest; {}: none."""
    family = task_definition_arn.rsplit("/", 1)[-1].partition(":")[0]
    theirs = [each for each in containers if not each["name"].startswith(_ADDED)]
    named = [each for each in theirs if each["name"] == family]
    ended = [each for each in theirs if each.get("exitCode") is not None]
    return next(iter((*named, *ended, *theirs)), {})


def replaced_container(definition: Any, service: Any) -> Any:
    """Return the container that the model replaces."""
    containers = [each for each in definition["containerDefinitions"] if not each["name"].startswith(_ADDED)]
    balanced = {each.get("containerName") for each in service.get("loadBalancers", [])}
    questions = (
        lambda each: each["name"] in balanced,
        lambda each: each["name"] == definition["family"],
        lambda each: any(port.get("containerPort") == PORT for port in each.get("portMappings", [])),
        lambda each: each.get("essential", True),
    )
    for is_meant in questions:
        for each in containers:
            if is_meant(each):
                return each
    return {}
