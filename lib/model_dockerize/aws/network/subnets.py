"""Chooses subnets for tasks."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

from model_dockerize.aws.model import Subnet
from model_dockerize.aws.network.queries import ANYWHERE
from model_dockerize.errors import InputError

#: A VPC is cut into 16 equal blocks: one a zone for public subnets, and as many for private ones.
_BITS, _PRIVATE = 4, 8
#: A zone of a region, and not one of those outside of it, which are called us-west-2-lax-1a.
_ZONE = re.compile(r"([a-z]+(?:-[a-z]+)+-[0-9])[a-z]")
#: Where Fargate runs, in regions in which it does not run in all zones.
#: Source: ECS developer guide, "Supported Regions for Amazon ECS on AWS Fargate".
_FARGATE_ZONES = {
    "us-west-1": {"usw1-az1", "usw1-az3"},
    "ap-northeast-1": {"apne1-az1", "apne1-az2", "apne1-az4"},
    "cn-north-1": {"cnn1-az1", "cnn1-az2"},
}


def block(vpc_cidr: str, place: int, private: bool) -> str:
    """Return our subnet's addresses in zone number `place`."""
    blocks = list(IPv4Network(vpc_cidr).subnets(prefixlen_diff=_BITS))
    return str(blocks[place + (_PRIVATE if private else 0)])


def zone_names(region: str, described: Iterable[Any]) -> list[str]:
    """Return the zones with Fargate, in order."""
    only = _FARGATE_ZONES.get(region)
    return sorted(z["ZoneName"] for z in described if only is None or z.get("ZoneId") in only)


def ways_out(subnets: Iterable[Any], tables: Iterable[Any]) -> dict[str, str]:
    """Return `public`, `private` or `isolated` by subnet id."""
    known = list(tables)
    main = {t["VpcId"]: t for t in known for a in t.get("Associations", []) if a.get("Main")}
    own = {a["SubnetId"]: t for t in known for a in t.get("Associations", []) if a.get("SubnetId")}
    return {s["SubnetId"]: _way_out(own.get(s["SubnetId"], main.get(s["VpcId"], {}))) for s in subnets}


def one_a_zone(subnets: Iterable[Any]) -> tuple[Subnet, ...]:
    """Return a subnet a zone, preferably AWS's default one."""
    chosen: dict[str, Subnet] = {}
    for subnet in sorted(subnets, key=lambda s: (not s.get("DefaultForAz"), s["SubnetId"])):
        chosen.setdefault(subnet["AvailabilityZone"], Subnet.of(subnet))
    return tuple(chosen[zone] for zone in sorted(chosen))


def suitable(vpc: str, subnets: list[Any], ways: dict[str, str], public_address: bool) -> tuple[Subnet, ...]:
    """Return one fit subnet a zone."""
    details = tuple(
        f"{s['SubnetId']}: {s.get('CidrBlock', 'IPv6')} in {s['AvailabilityZone']}, {_unfit(s) or ways[s['SubnetId']]}"
        for s in subnets
    )
    if not subnets:
        raise InputError(
            f"vpc {vpc} has no subnets, or does not exist.",
            remedy="Correct vpc, or leave it out to have a network made.",
        )
    usable = [s for s in subnets if not _unfit(s)]
    kinds = ("public",) if public_address else ("private", "isolated")
    for kind in kinds:
        chosen = one_a_zone(s for s in usable if ways[s["SubnetId"]] == kind)
        if chosen:
            return chosen
    if public_address:
        raise InputError(
            f"vpc {vpc} has no subnet with a route to an internet gateway.",
            remedy="Set assign-public-ip: false to run in its private subnets, or name the right ones in subnets.",
            details=details,
        )
    raise InputError(
        f"vpc {vpc} has public subnets only; tasks without public addresses get nowhere from there.",
        remedy="Set assign-public-ip: true, or add subnets whose way out is a NAT gateway or endpoints.",
        details=details,
    )


def _way_out(table: Any) -> str:
    routes = [r for r in table.get("Routes", []) if r.get("DestinationCidrBlock") == ANYWHERE]
    if not routes or routes[0].get("State") == "blackhole":
        return "isolated"
    return "public" if routes[0].get("GatewayId", "").startswith("igw-") else "private"


def takes_balancer(subnet: Any) -> bool:
    """Tell whether our load balancer may use it."""
    return bool(subnet.get("CidrBlock")) and not subnet.get("OutpostArn") and _region(subnet) != ""


def _unfit(subnet: Any) -> str:
    # Source: ECS developer guide, "Amazon ECS clusters in Local Zones, Wavelength Zones, and AWS Outposts".
    if subnet.get("OutpostArn"):
        return "on an Outpost"
    if not subnet.get("CidrBlock"):
        return "without addresses of IPv4"
    region = _region(subnet)
    only = _FARGATE_ZONES.get(region)
    if not region or (only is not None and subnet.get("AvailabilityZoneId") not in only):
        return "where Fargate does not run"
    return ""


def _region(subnet: Any) -> str:
    # Empty for a Local Zone and its like.
    zone = _ZONE.fullmatch(subnet["AvailabilityZone"])
    return zone[1] if zone else ""
