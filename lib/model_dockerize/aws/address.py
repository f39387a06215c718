"""Where a deployed model answers."""

from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from model_dockerize.aws.errors import translate
from model_dockerize.aws.eventual import once_visible
from model_dockerize.aws.service import Service
from model_dockerize.aws.session import Aws
from model_dockerize.errors import AwsError
from model_dockerize.progress import Progress

_SECONDS = 60


def public_address(aws: Aws, service: Service, progress: Progress, seconds: float = _SECONDS) -> str:
    """`http://IP` of the newest running task of our task definition: public where it has one, else private.

    Raises:
        AwsError: no such task got an address within `seconds`.
    """
    retrying = Retrying(
        stop=stop_after_delay(seconds), wait=wait_fixed(1), retry=retry_if_result(lambda address: address is None)
    )
    with translate(f"address of service {service.name}"):
        try:
            address: Any = retrying(_address, aws, service)
        except RetryError as error:
            raise AwsError(
                f"No running task of service {service.name} got an address within {seconds:.0f} s.",
                remedy="Run again; if it stays, look at the service's events in the ECS console.",
            ) from error
    ip, public = address
    if not public:
        progress.info(f"service {service.name} has no public IP: {ip} answers inside its network only")
    return f"http://{ip}"


def _address(aws: Aws, service: Service) -> tuple[str, bool] | None:
    pages = aws.ecs.get_paginator("list_tasks").paginate(
        cluster=service.cluster, serviceName=service.name, desiredStatus="RUNNING"
    )
    arns = [arn for page in pages for arn in page["taskArns"]]
    tasks: list[Any] = []
    for start in range(0, len(arns), 100):
        tasks += aws.ecs.describe_tasks(cluster=service.cluster, tasks=arns[start : start + 100])["tasks"]
    eni = newest_interface(tasks, service.task_definition_arn)
    if eni is None:
        return None
    found: Any = once_visible(lambda: aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni]))
    interface = found["NetworkInterfaces"][0]
    public = interface.get("Association", {}).get("PublicIp")
    return (public, True) if public else (interface["PrivateIpAddress"], False)


def newest_interface(tasks: list[Any], task_definition_arn: str) -> str | None:
    """The network interface of the running task of `task_definition_arn` that started last."""
    ours = [t for t in tasks if t["taskDefinitionArn"] == task_definition_arn and t.get("lastStatus") == "RUNNING"]
    for task in sorted(ours, key=lambda t: str(t.get("startedAt", "")), reverse=True):
        for attachment in task.get("attachments", []):
            for detail in attachment.get("details", []):
                if detail["name"] == "networkInterfaceId":
                    return str(detail["value"])
    return None
