"""Which services of somebody else's making can be rolled, told before anything is built. Pure."""

from typing import Any

from model_dockerize.errors import InputError
from model_dockerize.settings import ServiceSettings

_OTHERS = "Choose another name (service), or make this one anew"


def check_fit(there: Any, settings: ServiceSettings, container: str) -> None:
    """Refuse a service, as DescribeServices shows it, that no request of ours would roll to `container`.

    Source: Amazon ECS API reference, `UpdateService`, `TagResource`; "Amazon Resource Names (ARNs) and IDs".

    Raises:
        InputError: with what can be done.
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
    balanced = () if settings.balanced else there.get("loadBalancers", [])
    for container_name in sorted({b["containerName"] for b in balanced if "containerName" in b} - {container}):
        raise InputError(
            f"Service {name} sends its load balancer's requests to the container {container_name}, and the model's is "
            f"called {container}, as its task definition.",
            f"Set task-definition to {container_name}, or load-balancer to have another one in its place.",
        )


def check_controller(there: Any) -> None:
    """Refuse a service whose deployments are not made by ECS itself.

    Raises:
        InputError: with what can be done.
    """
    controller = there.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise InputError(
            f"Service {there['serviceName']} is deployed by {controller}, and model-dockerize rolls what ECS deploys.",
            f"{_OTHERS} with the deployment controller ECS.",
        )
