"""The inputs about the tasks' network."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, ClassVar

from model_dockerize.patterns import SECURITY_GROUP, SUBNET, VPC
from model_dockerize.settings.input import Input


def _wrong_block(text: str) -> str:
    try:
        # AWS takes /16 as the largest VPC and /28 as the smallest subnet, and we cut a VPC into 16.
        return "" if 16 <= IPv4Network(text).prefixlen <= 24 else f"{text!r} is not valid: a block from /16 to /24"
    except ValueError as error:
        return f"{text!r} is not a block of IPv4 addresses like 10.0.0.0/16: {error}"


@dataclass(frozen=True)
class Network:
    """The tasks' network."""

    TITLE: ClassVar = "The network of the tasks"

    vpc: Annotated[str, Input("VPC to run in. One of our own is made when empty.", rule=VPC)] = ""
    subnets: Annotated[
        tuple[str, ...],
        Input("Subnets to run in. Chosen from vpc, one a zone, or those of our own VPC, when empty.", rule=SUBNET),
    ] = ()
    zones: Annotated[
        int | None,
        Input(
            "How many availability zones of our own VPC the tasks run in: 1 to 6. Empty: 1 for a new model, 2 "
            "with load-balancer true, and others stay as they are.",
            most=6,
        ),
    ] = None
    vpc_cidr: Annotated[
        str,
        Input(
            "Addresses of our own VPC, from /16 to /24. It counts when that is made; 10.0.0.0/16 when empty.",
            rule=_wrong_block,
        ),
    ] = ""
    security_groups: Annotated[
        tuple[str, ...],
        Input(
            "Security groups of the tasks. Each model gets one of its own when empty.",
            rule=SECURITY_GROUP,
            may_end=True,
        ),
    ] = ()
    assign_public_ip: Annotated[
        bool,
        Input(
            "Give the tasks public addresses. If false, our own VPC gets private subnets and a NAT gateway, "
            "which costs money all the time."
        ),
    ] = True
