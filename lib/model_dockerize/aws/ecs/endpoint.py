"""Addresses of a deployed model."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.retries import once_visible
from model_dockerize.aws.client.waiting import wait_until
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsError
from model_dockerize.progress import Progress

_SECONDS = 60
_STANDARD = {"HTTP": 80, "HTTPS": 443}
_FIRST_FREE = 1024
#: Seconds until an address answers, if it does at all: the name of a new load balancer spreads slowly.
_NEW_NAME, _PUBLIC, _PRIVATE = 120.0, 30.0, 3.0
#: After so long every resolver knows the name of a load balancer.
_SPREAD = timedelta(minutes=15)


@dataclass(frozen=True)
class Address:
    """A model's addresses."""

    url: str
    outside: str  # `url` where a test may be worth a try; empty where it cannot work
    patience: float  # seconds that `outside` may take until it accepts a connection
    inside: str = ""  # http://IP of the newest task
    admitted: tuple[str, ...] = ()  # security groups that its tasks admit; empty: their own


def address_of(
    aws: Aws, service: Service, progress: Progress, seconds: float = _SECONDS, *, of_test: bool = False
) -> Address:
    """Return the load balancer's address, else our newest task's.

    Args:
        of_test: of the test port.

    Raises:
        AwsError: no task got an address in time.
    """

    def late(_: object, waited: float) -> AwsError:
        return AwsError(
            f"No running task of service {service.name} got an address within {waited:.0f} s.",
            remedy="Run again; if it stays, look at the service's events in the ECS console.",
        )

    with translate(f"address of service {service.name}"):
        task: Any = wait_until(lambda: _task_address(aws, service), lambda found: found is not None, seconds, late)
        public, private = task
        rule = service.rule_arns[-1 if of_test else 0] if service.rule_arns else ""
        balancer = next((found for group in service.target_groups if (found := _balancer(aws, group, rule))), None)
    inside = f"http://{private}"
    if balancer:
        url, patience, groups = balancer
        # A certificate is for a name of its owner's, never for the load balancer's own.
        return Address(url, "" if url.startswith("https") else url, patience, inside, groups)
    if public:
        return Address(f"http://{public}", f"http://{public}", _PUBLIC, inside)
    progress.info(f"service {service.name} has no public IP: {private} answers inside its network only")
    return Address(inside, inside, _PRIVATE, inside)


def _balancer(aws: Aws, target_group: str, rule: str) -> tuple[str, float, tuple[str, ...]] | None:
    (group,) = aws.elbv2.describe_target_groups(TargetGroupArns=[target_group])["TargetGroups"]
    for arn in group["LoadBalancerArns"]:
        (balancer,) = aws.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        pages = aws.elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
        for listener in (found for page in pages for found in page["Listeners"]):
            if _forwards(aws, listener, target_group, rule):
                scheme, port = listener["Protocol"], listener["Port"]
                # The sandbox's name also says a port, in place of one that only root may have.
                name, _, instead = balancer["DNSName"].partition(":")
                port = int(instead) if instead and port < _FIRST_FREE else port
                suffix = "" if port == _STANDARD.get(scheme) else f":{port}"
                is_new = datetime.now(UTC) - balancer["CreatedTime"] < _SPREAD if rule else True
                patience = _NEW_NAME if balancer["Scheme"] == "internet-facing" and is_new else _PRIVATE
                groups = tuple(balancer.get("SecurityGroups", []))
                return f"{scheme.lower()}://{name}{suffix}", patience, groups
    return None


def _forwards(aws: Aws, listener: Any, target_group: str, rule: str) -> bool:
    pages = aws.elbv2.get_paginator("describe_rules").paginate(ListenerArn=listener["ListenerArn"])
    rules = [found for page in pages for found in page["Rules"]]
    if rule:
        return any(found["RuleArn"] == rule for found in rules)
    # The default actions are a rule, too.
    actions = [action for found in rules for action in found["Actions"]]
    groups = [g for action in actions for g in action.get("ForwardConfig", {}).get("TargetGroups", [])]
    return any(found.get("TargetGroupArn") == target_group for found in (*actions, *groups))


def _task_address(aws: Aws, service: Service) -> tuple[str, str] | None:
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
    return interface.get("Association", {}).get("PublicIp", ""), interface["PrivateIpAddress"]


def newest_interface(tasks: list[Any], task_definition_arn: str) -> str | None:
    """Return the newest running task's network interface; of a healthy one, if any is."""
    ours = [t for t in tasks if t["taskDefinitionArn"] == task_definition_arn and t.get("lastStatus") == "RUNNING"]
    # One that has not proved itself yet takes no jobs.
    ours.sort(key=lambda t: (t.get("healthStatus") == "HEALTHY", str(t.get("startedAt", ""))), reverse=True)
    for task in ours:
        for attachment in task.get("attachments", []):
            for detail in attachment.get("details", []):
                if detail["name"] == "networkInterfaceId":
                    return str(detail["value"])
    return None
