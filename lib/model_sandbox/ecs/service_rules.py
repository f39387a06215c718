"""Refuses services by what they are, in ECS's words.

Source: API reference of ECS, `CreateService`, `UpdateService`, `DeploymentController`; keidarcy/e1s issue 145,
fabfuel/ecs-deploy issue 59, hashicorp/terraform-provider-aws pull request 44117, terraform-linters/tflint-ruleset-aws
issue 349; developer guide, "Amazon ECS clusters in Local Zones, Wavelength Zones, and AWS Outposts" (without words:
those about places are ours).
"""

import re
from collections.abc import Mapping
from typing import Any

from model_sandbox.api import ApiError

_WHOLE = 100  # percent of the tasks that are wanted
_ZONE = re.compile(r"[a-z]+(-[a-z]+)+-[0-9][a-z]")  # of a region: a Local Zone is called us-west-2-lax-1a
#: What UpdateService does not change of a service that somebody else deploys.
_OF_DEPLOYMENTS = {
    "taskDefinition": "Unable to update task definition on services with a {} deployment controller.",
    "networkConfiguration": "Unable to update network parameters on services with a {} deployment controller.",
    "forceNewDeployment": "Cannot force a new deployment on services with a {} deployment controller.",
}


def controller_of(settings: Mapping[str, Any]) -> str:
    """Return ECS, CODE_DEPLOY or EXTERNAL."""
    return str((settings.get("deploymentController") or {}).get("type", "ECS"))


def check_new(settings: Mapping[str, Any], launch_type: str) -> None:
    if settings.get("launchType") and settings.get("capacityProviderStrategy"):
        raise _refuse(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    if settings.get("schedulingStrategy") == "DAEMON" and launch_type == "FARGATE":
        raise _refuse("The daemon scheduling strategy is not supported on Fargate.")


def check_change(settings: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Raise ApiError for what controller or strategy does not take."""
    controller = controller_of(settings)
    if controller != "ECS":
        more = " Use AWS CodeDeploy to trigger a new deployment." if controller == "CODE_DEPLOY" else ""
        for name, words in _OF_DEPLOYMENTS.items():
            if request.get(name):
                raise _refuse(words.format(controller) + more)
    if settings.get("schedulingStrategy") == "DAEMON" and "desiredCount" in request:
        raise _refuse(
            "The daemon scheduling strategy does not support a desired count for services. Remove the desired count "
            "value and try again."
        )


def check_rebalancing(settings: Mapping[str, Any], configuration: Mapping[str, Any]) -> None:
    """Raise ApiError where tasks should move between zones, and none may start before one ends."""
    if is_tight(configuration) and settings.get("availabilityZoneRebalancing") == "ENABLED":
        raise _refuse(
            "The service couldn't be updated because Availability Zone Rebalancing does not support maximumPercent <= "
            "100 % as deployment configuration."
        )


def is_tight(configuration: Mapping[str, Any]) -> bool:
    return int(configuration.get("maximumPercent", 200)) <= _WHOLE


def check_places(zones: Mapping[str, str], launch_type: str) -> None:
    """Raise ApiError if a subnet (id: zone) has no Fargate."""
    if launch_type != "FARGATE":
        return
    for subnet, zone in zones.items():
        if zone and not _ZONE.fullmatch(zone):
            raise _refuse(f"The subnet {subnet} is in {zone}, and Fargate does not run there.")


def _refuse(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
