"""Checks that a service can be rolled. Pure."""

from typing import Any

from model_dockerize.aws.existing.own_container import PORT
from model_dockerize.errors import InputError
from model_dockerize.settings import ServiceSettings

_OTHERS = "Choose another name (service), or make this one anew"


def check_fit(there: Any, definition: Any, settings: ServiceSettings) -> None:
    """Refuse a service that we cannot roll.

    Source: Amazon ECS API reference, `UpdateService`, `TagResource`; "Amazon Resource Names (ARNs) and IDs".

    Args:
        definition: None: it is gone.
    """
    check_controller(there)
    name = there["serviceName"]
    if there.get("schedulingStrategy", "REPLICA") != "REPLICA":
        raise InputError(
            f"Service {name} is a {there['schedulingStrategy']}: it runs one task an instance, and the model runs on "
            "Fargate, which has none.",
            f"{_OTHERS} with the scheduling strategy REPLICA.",
        )
    if there["serviceArn"].count("/") < 2:
        raise InputError(
            f"Service {name} has an ARN of the old, short form, and AWS puts no tags on such: in tags it is kept which "
            "run deployed it and whether it proved itself.",
            f"{_OTHERS}: a new service gets a long ARN.",
        )
    launch, mode = there.get("launchType", "FARGATE"), (definition or {}).get("networkMode", "awsvpc")
    providers = [each["capacityProvider"] for each in there.get("capacityProviderStrategy", [])]
    # AWS keeps names that begin so for its own.
    instances = [each for each in providers if not each.startswith("FARGATE")] or [launch] * (launch != "FARGATE")
    if instances or mode != "awsvpc":
        where = f"instances ({', '.join(instances)})" if instances else f"the network {mode}"
        raise InputError(
            f"Service {name} runs on {where}, and the model on Fargate, where each task has an address of its own.",
            f"{_OTHERS} on Fargate.",
        )
    _check_balancers(name, () if settings.balanced else there.get("loadBalancers", []))


def check_controller(there: Any) -> None:
    """Refuse a service that ECS does not deploy."""
    controller = there.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise InputError(
            f"Service {there['serviceName']} is deployed by {controller}, and model-dockerize rolls what ECS deploys.",
            f"{_OTHERS} with the deployment controller ECS.",
        )


def _check_balancers(name: str, balancers: Any) -> None:
    containers = sorted({each["containerName"] for each in balancers if "containerName" in each})
    if len(containers) > 1:
        raise InputError(
            f"Service {name} sends its load balancers' requests to the containers {', '.join(containers)}, and the "
            "model is one.",
            f"{_OTHERS}, or set load-balancer to have another one in their place.",
        )
    ports = sorted({each["containerPort"] for each in balancers} - {PORT})
    if ports:
        raise InputError(
            f"Service {name} sends its load balancer's requests to port {ports[0]}, and the model answers on {PORT}.",
            f"{_OTHERS}, or set load-balancer to have another one in its place.",
        )
