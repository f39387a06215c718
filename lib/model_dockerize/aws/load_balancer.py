"""The application load balancer before a service: one of our own, or one that is there; and its listener for us."""

import hashlib
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.ec2 import ANYWHERE
from model_dockerize.aws.errors import translate
from model_dockerize.aws.load_balancer_tags import tags_for
from model_dockerize.aws.lost import finds_what_was_lost
from model_dockerize.aws.names import legal_name, tagged
from model_dockerize.aws.network import Network
from model_dockerize.aws.security_group import Opening, ensure_group
from model_dockerize.aws.session import Aws
from model_dockerize.aws.target_group import ensure_target_group
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

_LONGEST_NAME = 32
_GROUP = "model-dockerize-load-balancer"
_TASKS = "model-dockerize-behind-load-balancer"
#: TLS 1.2 and 1.3 with forward secrecy: AWS's recommendation. The API's own default is of 2016.
_TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"


@dataclass(frozen=True)
class LoadBalancer:
    """Where a service's tasks are registered, and which groups admit the load balancer to them."""

    target_group_arn: str
    security_group_ids: tuple[str, ...]  # of the load balancer
    task_group_ids: tuple[str, ...]  # of the tasks


def ensure_load_balancer(
    aws: Aws, settings: ServiceSettings, service: str, network: Network, progress: Progress
) -> LoadBalancer:
    """The load balancer that `settings` asks for, listening for the tasks of `service`.

    Raises:
        InputError: public subnets in fewer than two zones; no such load balancer; its port belongs to somebody else.
    """
    name, tags = balancer_name(settings.cluster, service, network.vpc_id), tags_for(settings.cluster, service)
    if settings.load_balancer == "true":
        balancer = _ensure_own(aws, settings, name, network, tags, progress)
    else:
        balancer = _given(aws, settings.load_balancer, network.vpc_id)
    target = ensure_target_group(aws, name, network.vpc_id, tags, progress)
    _ensure_listener(aws, balancer, settings.listener_port, settings.certificate, _forward(target), tags, progress)
    if settings.load_balancer == "true" and settings.certificate and settings.listener_port == 443:
        _ensure_listener(aws, balancer, 80, "", _to_https(), tags, progress)
    groups = tuple(balancer.get("SecurityGroups", []))
    return LoadBalancer(target, groups, _task_groups(aws, settings, network, groups, progress))


def balancer_name(cluster: str, service: str, vpc: str) -> str:
    """Of the load balancer and target group of a service: neither can move to another VPC, so each has its own."""
    mark = hashlib.sha256(f"{cluster}/{legal_name(service)}/{vpc}".encode()).hexdigest()[:8]
    return f"{name_stem(service)}-{mark}"


def name_stem(service: str) -> str:
    """What those names begin with: letters, digits and hyphens, and not what ELB keeps for itself."""
    words = legal_name(service).replace("_", "-").removeprefix("internal-").strip("-") or "model"
    return words[: _LONGEST_NAME - 9].rstrip("-")


@finds_what_was_lost
def _ensure_own(
    aws: Aws, settings: ServiceSettings, name: str, network: Network, tags: list[Any], progress: Progress
) -> Any:
    subnets = sorted(subnet.id for subnet in network.public_subnets)
    if len(subnets) < 2:
        raise InputError(
            f"A load balancer needs public subnets in two availability zones; {network.vpc_id} has {len(subnets)}.",
            remedy="Set zones to 2 or more (own VPC), add public subnets to yours, or name a load balancer that is "
            "there (load-balancer).",
        )
    ports = sorted({settings.listener_port, 80} if settings.certificate else {settings.listener_port})
    openings = tuple(Opening(port, ANYWHERE, "users of the models") for port in ports)
    with translate(f"load balancer {name}"):
        group = ensure_group(
            aws, network.vpc_id, _GROUP, "model-dockerize: load balancers of the models", openings, progress
        )
        there = _find(aws, Names=[name])
        if there is None:
            made = aws.elbv2.create_load_balancer(
                Name=name,
                Subnets=subnets,
                SecurityGroups=[group],
                Scheme="internet-facing",
                Type="application",
                IpAddressType="ipv4",
                Tags=tags,
            )["LoadBalancers"][0]
            aws.settled(progress, "make", "load balancer", name)
            return {**made, "SecurityGroups": [group]}
        arn = there["LoadBalancerArn"]
        if not tagged(_tags(aws, arn)):
            raise InputError(
                f"There is a load balancer {name} that we did not make.", f"To use it: load-balancer: {name}"
            )
        differing = []
        if not set(subnets) <= {zone["SubnetId"] for zone in there["AvailabilityZones"]}:
            aws.elbv2.set_subnets(LoadBalancerArn=arn, Subnets=subnets)
            differing.append("subnets")
        if group not in there.get("SecurityGroups", []):
            aws.elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[group])
            differing.append("security groups")
    aws.settled(progress, "change" if differing else "leave", "load balancer", name, *differing)
    return {**there, "SecurityGroups": [group]}


def _given(aws: Aws, wanted: str, vpc: str) -> Any:
    query: Any = {"LoadBalancerArns": [wanted]} if wanted.startswith("arn:") else {"Names": [wanted]}
    with translate(f"load balancer {wanted}"):
        there = _find(aws, **query)
    if there is None or there["Type"] != "application":
        raise InputError(
            f"There is no application load balancer {wanted} in {aws.identity.region}.",
            remedy="Correct load-balancer, or set it to true to have one made.",
        )
    if there["VpcId"] != vpc:
        raise InputError(
            f"Load balancer {wanted} is in {there['VpcId']}, the tasks are in {vpc}.",
            remedy="Name subnets of the load balancer's VPC (subnets).",
        )
    return there


@finds_what_was_lost
def _ensure_listener(
    aws: Aws, balancer: Any, port: int, certificate: str, actions: list[Any], tags: list[Any], progress: Progress
) -> None:
    """The load balancer answers on `port` by `actions`. A listener that is not ours is not touched."""
    arn, what = balancer["LoadBalancerArn"], f"{balancer['LoadBalancerName']}:{port}"
    secure: dict[str, Any] = (
        {"Protocol": "HTTPS", "SslPolicy": _TLS, "Certificates": [{"CertificateArn": certificate}]}
        if certificate
        else {"Protocol": "HTTP"}
    )
    with translate(f"listener {what}"):
        pages = aws.elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
        there = next((found for page in pages for found in page["Listeners"] if found["Port"] == port), None)
        if there is None:
            aws.elbv2.create_listener(LoadBalancerArn=arn, Port=port, DefaultActions=actions, Tags=tags, **secure)
            aws.settled(progress, "make", "listener", what)
            return
        same = _plain(there["DefaultActions"]) == _plain(actions)
        if not same and not all(tag in _tags(aws, there["ListenerArn"]) for tag in tags):
            raise InputError(
                f"Port {port} of load balancer {balancer['LoadBalancerName']} answers for something else.",
                remedy="Choose a port that is free (load-balancer-port), or let the model have a load balancer of its "
                "own (load-balancer: true).",
            )
        differing = [] if same else ["actions"]
        if there["Protocol"] != secure["Protocol"] or _certificates(there) != _certificates(secure):
            differing.append("certificate")
        if differing:
            aws.elbv2.modify_listener(ListenerArn=there["ListenerArn"], DefaultActions=actions, **secure)
    aws.settled(progress, "change" if differing else "leave", "listener", what, *differing)


def _task_groups(
    aws: Aws, settings: ServiceSettings, network: Network, balancers: tuple[str, ...], progress: Progress
) -> tuple[str, ...]:
    """Those that are given; else ours, which admits nobody but the load balancer."""
    if settings.security_groups:
        return network.security_group_ids
    openings = tuple(Opening(80, group, "from the load balancer") for group in balancers)
    with translate("security group of the tasks"):
        description = "model-dockerize: tasks that only a load balancer reaches"
        return (ensure_group(aws, network.vpc_id, _TASKS, description, openings, progress),)


def _find(aws: Aws, **query: Any) -> Any:
    try:
        found = aws.elbv2.describe_load_balancers(**query)["LoadBalancers"]
    except aws.elbv2.exceptions.LoadBalancerNotFoundException:
        return None
    return found[0] if found else None


def _tags(aws: Aws, arn: str) -> list[Any]:
    described = aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    return [tag for entry in described for tag in entry["Tags"]]


def _forward(target_group: str) -> list[Any]:
    return [{"Type": "forward", "TargetGroupArn": target_group}]


def _to_https() -> list[Any]:
    return [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}]


def _plain(actions: list[Any]) -> list[tuple[str, ...]]:
    """What the actions do. ELB shows one target group both as itself and as a list of one."""
    return [
        (
            action["Type"],
            action.get("TargetGroupArn", ""),
            action.get("RedirectConfig", {}).get("Protocol", ""),
        )
        for action in actions
    ]


def _certificates(listener: Any) -> list[str]:
    return [certificate["CertificateArn"] for certificate in listener.get("Certificates", [])]
