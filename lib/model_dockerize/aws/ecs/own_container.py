"""Find the model's container in a task: AWS may add others (GuardDuty's agent, Service Connect's proxy)."""

from collections.abc import Iterable
from typing import Any

#: Beginnings of the names of containers that AWS adds. Source: GuardDuty user guide, "Runtime Monitoring: coverage";
#: Amazon ECS developer guide, "Service Connect".
_ADDED = ("aws-guardduty-agent", "ecs-service-connect")


def own_container(containers: Iterable[Any], task_definition_arn: str) -> Any:
    """Return the container of a task, or of its definition, that is called like the family, as ours are.

    Of a definition of somebody else, the first that AWS did not add, one that has ended before others; {}: none.
    """
    family = task_definition_arn.rsplit("/", 1)[-1].partition(":")[0]
    theirs = [each for each in containers if not each["name"].startswith(_ADDED)]
    named = [each for each in theirs if each["name"] == family]
    ended = [each for each in theirs if each.get("exitCode") is not None]
    return next(iter((*named, *ended, *theirs)), {})
