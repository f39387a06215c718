"""The network of our own: one VPC, public subnets, and private ones with a way out when tasks get no public address.

Every piece is looked for first: what a killed run left is completed, not doubled; more zones add what they lack.
Why a NAT gateway, and one for all zones: docs/adr/0014-one-nat-gateway.md.
"""

from functools import partial
from typing import Any

from model_dockerize.aws.ec2 import ANYWHERE, NAME, OURS, found, name_of, tags, within
from model_dockerize.aws.eventual import once_settled, once_visible
from model_dockerize.aws.names import NETWORK, TAG
from model_dockerize.aws.session import Aws
from model_dockerize.aws.subnets import Subnet, block, zone_names
from model_dockerize.errors import AwsError, InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

_VPC_CIDR = "10.0.0.0/16"
_PRIVATE = f"{NAME}-private"


def ensure_own_network(
    aws: Aws, settings: ServiceSettings, progress: Progress
) -> tuple[str, tuple[Subnet, ...], tuple[Subnet, ...]]:
    """The VPC, the subnets of the tasks, and the public subnets: one a zone. Call inside `translate`.

    Raises:
        InputError: the region has fewer zones than `settings` ask for.
    """
    vpc, cidr = _ensure_vpc(aws, settings.vpc_cidr, progress)
    private = not settings.assign_public_ip
    there = found(aws.ec2.describe_subnets, "Subnets", Filters=[within(vpc), OURS])
    zones = _zones(aws, settings.zones, cidr, there, private)
    public = tuple(_ensure_subnet(aws, vpc, block(cidr, i, False), zone, there, progress) for i, zone in zones)
    gateway = _ensure_gateway(aws, vpc, progress)
    tables = found(aws.ec2.describe_route_tables, "RouteTables", Filters=[within(vpc), OURS])
    _ensure_routes(aws, vpc, tables, NAME, {"GatewayId": gateway}, public, progress)
    if not private:
        return vpc, public, public
    tasks = tuple(_ensure_subnet(aws, vpc, block(cidr, i, True), zone, there, progress) for i, zone in zones)
    nat = _ensure_nat(aws, vpc, public[0].id, progress)
    table = _ensure_routes(aws, vpc, tables, _PRIVATE, {"NatGatewayId": nat}, tasks, progress)
    _ensure_way_to_s3(aws, vpc, table, progress)
    return vpc, tasks, public


def _ensure_vpc(aws: Aws, wanted: str, progress: Progress) -> tuple[str, str]:
    ec2: Any = aws.ec2
    there = sorted(found(aws.ec2.describe_vpcs, "Vpcs", Filters=[OURS]), key=lambda v: str(v["VpcId"]))
    cidr: str
    if there:
        vpc, cidr = there[0]["VpcId"], there[0]["CidrBlock"]
        aws.settled(progress, "leave", "network", vpc)
        if len(there) > 1:
            ids = ", ".join(v["VpcId"] for v in there)
            progress.warning(f"VPCs {ids} all carry the tag {TAG}={NETWORK}; {vpc} is used.")
        if wanted and wanted != cidr:
            progress.warning(f"The network {vpc} is there with {cidr} and stays so: vpc-cidr counts when it is made.")
    else:
        cidr = wanted or _VPC_CIDR
        vpc = aws.ec2.create_vpc(CidrBlock=cidr, TagSpecifications=[tags("vpc")])["Vpc"]["VpcId"]
        aws.settled(progress, "make", "network", f"{vpc} ({cidr})")
    for attribute, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        now = once_visible(partial(ec2.describe_vpc_attribute, VpcId=vpc, Attribute=attribute))
        if not now[key].get("Value"):
            ec2.modify_vpc_attribute(VpcId=vpc, **{key: {"Value": True}})
    return vpc, cidr


def _zones(aws: Aws, count: int, cidr: str, subnets: list[Any], private: bool) -> list[tuple[int, str]]:
    """The zone of each place: where there is a subnet of ours in that place, its zone; else one that has none yet."""
    zone_of = {s["CidrBlock"]: s["AvailabilityZone"] for s in subnets}
    places = [
        zone_of.get(block(cidr, i, False)) or (zone_of.get(block(cidr, i, True)) if private else None)
        for i in range(count)
    ]
    if None in places:
        described = aws.ec2.describe_availability_zones(
            Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
        )["AvailabilityZones"]
        known = zone_names(aws.identity.region, described)
        free = iter([zone for zone in known if zone not in places])
        places = [zone or next(free, None) for zone in places]
        if None in places:
            raise InputError(
                f"zones is {count}, but Fargate runs in {len(known)} zones of {aws.identity.region}.",
                remedy=f"Set zones to at most {len(known)}.",
                details=tuple(known),
            )
    return [(i, str(zone)) for i, zone in enumerate(places)]


def _ensure_subnet(aws: Aws, vpc: str, cidr: str, zone: str, there: list[Any], progress: Progress) -> Subnet:
    for subnet in there:
        if subnet["CidrBlock"] == cidr:
            return Subnet.of(subnet)
    made = once_visible(
        lambda: aws.ec2.create_subnet(
            VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone, TagSpecifications=[tags("subnet")]
        )
    )["Subnet"]
    aws.settled(progress, "make", "subnet", f"{made['SubnetId']} ({cidr} in {zone})")
    return Subnet(made["SubnetId"], zone)


def _ensure_gateway(aws: Aws, vpc: str, progress: Progress) -> str:
    attached = found(
        aws.ec2.describe_internet_gateways,
        "InternetGateways",
        Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}],
    )
    if attached:
        return str(attached[0]["InternetGatewayId"])
    ours = found(aws.ec2.describe_internet_gateways, "InternetGateways", Filters=[OURS])
    loose = sorted(g["InternetGatewayId"] for g in ours if not g["Attachments"])
    gateway = (
        loose[0]
        if loose
        else aws.ec2.create_internet_gateway(TagSpecifications=[tags("internet-gateway")])["InternetGateway"][
            "InternetGatewayId"
        ]
    )
    once_visible(lambda: aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc))
    aws.settled(progress, "make", "internet gateway", gateway, text=f"internet gateway {gateway}: attached to {vpc}")
    return gateway


def _ensure_routes(
    aws: Aws,
    vpc: str,
    tables: list[Any],
    name: str,
    way_out: dict[str, str],
    subnets: tuple[Subnet, ...],
    progress: Progress,
) -> str:
    """The route table `name` has `way_out` as its default route, and `subnets` use it. Its id."""
    mine = [t for t in tables if (name_of(t) == _PRIVATE) == (name == _PRIVATE)]
    table: Any
    if mine:
        table = min(mine, key=lambda t: str(t["RouteTableId"]))
    else:
        table = aws.ec2.create_route_table(VpcId=vpc, TagSpecifications=[tags("route-table", name)])["RouteTable"]
        aws.settled(progress, "make", "route table", table["RouteTableId"])
    table_id: str = table["RouteTableId"]
    default = [r for r in table.get("Routes", []) if r.get("DestinationCidrBlock") == ANYWHERE]
    route: Any = {"RouteTableId": table_id, "DestinationCidrBlock": ANYWHERE, **way_out}
    if not default:
        once_visible(lambda: aws.ec2.create_route(**route))
    elif not way_out.items() <= default[0].items() or default[0].get("State") == "blackhole":
        aws.ec2.replace_route(**route)
    associated = {a.get("SubnetId") for a in table.get("Associations", [])}
    for subnet in subnets:
        if subnet.id not in associated:
            once_visible(partial(aws.ec2.associate_route_table, RouteTableId=table_id, SubnetId=subnet.id))
    return table_id


def _ensure_nat(aws: Aws, vpc: str, subnet: str, progress: Progress) -> str:
    """A NAT gateway with an address of its own, and it works."""
    nats = found(aws.ec2.describe_nat_gateways, "NatGateways", Filter=[within(vpc), OURS])
    there = sorted((n for n in nats if n["State"] in ("pending", "available")), key=lambda n: str(n["NatGatewayId"]))
    nat: Any
    if there:
        nat = there[0]
    else:
        nat = once_visible(
            partial(
                aws.ec2.create_nat_gateway,
                SubnetId=subnet,
                AllocationId=_ensure_address(aws, progress),
                TagSpecifications=[tags("natgateway")],
            )
        )["NatGateway"]
        aws.settled(progress, "make", "NAT gateway", nat["NatGatewayId"])
    nat_id: str = nat["NatGatewayId"]
    if nat["State"] == "pending":
        progress.info(f"NAT gateway {nat_id}: waiting until it works (about two minutes)")

    def look() -> Any:
        shown = found(aws.ec2.describe_nat_gateways, "NatGateways", Filter=[within(vpc), OURS])
        return next((n for n in shown if n["NatGatewayId"] == nat_id), nat)

    now = once_settled(f"NAT gateway {nat_id}", nat, look, lambda n: n["State"] == "pending")
    if now["State"] in ("failed", "deleting", "deleted"):
        raise AwsError(
            f"NAT gateway {nat_id} is {now['State']}: {now.get('FailureMessage', 'AWS gives no reason')}",
            remedy="Correct what the reason names (often a quota) and run again: another one is made.",
        )
    return nat_id


def _ensure_address(aws: Aws, progress: Progress) -> str:
    ours = found(aws.ec2.describe_addresses, "Addresses", Filters=[OURS])
    loose = sorted(a["AllocationId"] for a in ours if not a.get("AssociationId"))
    if loose:
        return str(loose[0])
    made = aws.ec2.allocate_address(Domain="vpc", TagSpecifications=[tags("elastic-ip")])["AllocationId"]
    aws.settled(progress, "make", "address", made)
    return made


def _ensure_way_to_s3(aws: Aws, vpc: str, table: str, progress: Progress) -> None:
    """Image layers lie in S3: by this endpoint they come free of charge, and not through the NAT gateway."""
    service = f"com.amazonaws.{aws.identity.region}.s3"
    named = {"Name": "service-name", "Values": [service]}
    endpoints = found(aws.ec2.describe_vpc_endpoints, "VpcEndpoints", Filters=[within(vpc), named])
    there = [e for e in endpoints if e["VpcEndpointType"] == "Gateway" and e["State"] in ("pending", "available")]
    if not there:
        made = once_visible(
            lambda: aws.ec2.create_vpc_endpoint(
                VpcEndpointType="Gateway",
                VpcId=vpc,
                ServiceName=service,
                RouteTableIds=[table],
                TagSpecifications=[tags("vpc-endpoint")],
            )
        )["VpcEndpoint"]
        aws.settled(progress, "make", "S3 endpoint", made["VpcEndpointId"])
    elif not any(table in e.get("RouteTableIds", []) for e in there):
        endpoint = there[0]["VpcEndpointId"]
        aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[table])
        aws.settled(progress, "change", "S3 endpoint", endpoint, "route tables")
