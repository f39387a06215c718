"""Finds the model's container in a task: AWS may add others (GuardDuty's agent, Service Connect's proxy)."""

from collections.abc import Iterable
from typing import Any

#: Beginnings of the names of containers that AWS adds. Source: GuardDuty user guide, "Runtime Monitoring: coverage";
#: Amazon ECS developer guide, "Service Connect".
_ADDED = ("aws-guardduty-agent", "ecs-service-connect")
#: Where the model's server answers in its container.
PORT = 80


def own_container(containers: Iterable[Any], task_definition_arn: str) -> Any:
    """Return the container of a task, or of its definition, that is called like the family, as ours are.

    Of a definition of somebody else, the first that AWS did not add, one that has ended before others; {}: none.
    """
    family = task_definition_arn.rsplit("/", 1)[-1].partition(":")[0]
    theirs = [each for each in containers if not each["name"].startswith(_ADDED)]
    named = [each for each in theirs if each["name"] == family]
    ended = [each for each in theirs if each.get("exitCode") is not None]
    return next(iter((*named, *ended, *theirs)), {})


def replaced_container(definition: Any, service: Any) -> Any:
    """Return the container of the definition whose place the model takes, of the service that runs it.

    It is the one that requests reach, by load balancer, name or port; else the first essential one.
    """
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
