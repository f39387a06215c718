"""Where the tasks run: a network of our own, found again by its tag, or the one that was given."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.errors import code_of, message_of, translate
from model_dockerize.aws.eventual import once_visible
from model_dockerize.aws.lost import finds_what_was_lost
from model_dockerize.aws.names import NETWORK, TAG
from model_dockerize.aws.session import Aws
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

_VPC_CIDR = "10.0.0.0/16"
_SUBNET_CIDR = "10.0.0.0/20"
_ANYWHERE = "0.0.0.0/0"
_NAME = "model-dockerize"
_OURS = {"Name": f"tag:{TAG}", "Values": [NETWORK]}


@dataclass(frozen=True)
class Network:
    """Subnets and security groups, all of one VPC."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@finds_what_was_lost
def ensure_network(aws: Aws, settings: ServiceSettings, progress: Progress) -> Network:
    """What `settings` names, checked; what it leaves open is ours: found by tag, completed or made.

    Raises:
        InputError: something given does not exist, or not all of it is in one VPC.
    """
    with translate("network"):
        vpc, subnets = _given(aws, settings) if settings.vpc or settings.subnets else _own(aws, progress)
        if settings.security_groups:
            groups = _given_groups(aws, settings.security_groups, vpc)
        else:
            groups = (_ensure_group(aws, vpc, progress),)
    return Network(vpc, subnets, groups)


def _given(aws: Aws, settings: ServiceSettings) -> tuple[str, tuple[str, ...]]:
    if not settings.subnets:
        there = _found(aws.ec2.describe_subnets, "Subnets", Filters=[{"Name": "vpc-id", "Values": [settings.vpc]}])
        raise InputError(
            f"vpc {settings.vpc} is given without subnets.",
            remedy="Name in subnets those of it in which the tasks are to run."
            if there
            else "It has no subnets, or does not exist: correct vpc, or leave it out to have a network made.",
            details=tuple(f"{s['SubnetId']}: {s['CidrBlock']} in {s['AvailabilityZone']}" for s in there),
        )
    subnets = _found(aws.ec2.describe_subnets, "Subnets", SubnetIds=list(settings.subnets))
    vpcs = {s["VpcId"] for s in subnets} | ({settings.vpc} if settings.vpc else set())
    if len(vpcs) != 1:
        raise InputError(
            "The subnets given are not all in one VPC" + (f", {settings.vpc}." if settings.vpc else "."),
            remedy="Name subnets of one VPC.",
            details=tuple(f"{s['SubnetId']}: {s['VpcId']}" for s in subnets),
        )
    return vpcs.pop(), settings.subnets


def _given_groups(aws: Aws, ids: tuple[str, ...], vpc: str) -> tuple[str, ...]:
    groups = _found(aws.ec2.describe_security_groups, "SecurityGroups", GroupIds=list(ids))
    elsewhere = [g for g in groups if g["VpcId"] != vpc]
    if elsewhere:
        raise InputError(
            f"Not every security group given is in {vpc}, the VPC of the subnets.",
            remedy="Name security groups of that VPC, or none to have one made.",
            details=tuple(f"{g['GroupId']}: {g['VpcId']}" for g in elsewhere),
        )
    return ids


def _found(describe: Any, key: str, **query: Any) -> list[Any]:
    """All pages of an EC2 describe call; an id that does not exist is the user's mistake."""
    found: list[Any] = []
    token: dict[str, str] = {}
    while True:
        try:
            page = describe(**query, **token)
        except ClientError as error:
            if code_of(error).startswith("Invalid"):
                raise InputError(
                    message_of(error), remedy="Correct vpc, subnets or security-groups, or leave them out."
                ) from error
            raise
        found += page[key]
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def _own(aws: Aws, progress: Progress) -> tuple[str, tuple[str, ...]]:
    """One VPC, one public subnet. Every piece is looked for first: what a killed run left is completed, not doubled."""
    vpc = _ensure_vpc(aws, progress)
    subnet = _ensure_subnet(aws, vpc, progress)
    gateway = _ensure_gateway(aws, vpc, progress)
    _ensure_route(aws, vpc, subnet, gateway, progress)
    return vpc, (subnet,)


def _ensure_vpc(aws: Aws, progress: Progress) -> str:
    ec2: Any = aws.ec2
    vpc: str
    there = sorted(v["VpcId"] for v in _found(aws.ec2.describe_vpcs, "Vpcs", Filters=[_OURS]))
    if there:
        vpc = there[0]
        aws.settled(progress, "leave", "network", vpc)
        if len(there) > 1:
            progress.warning(f"VPCs {', '.join(there)} all carry the tag {TAG}={NETWORK}; {vpc} is used.")
    else:
        vpc = aws.ec2.create_vpc(CidrBlock=_VPC_CIDR, TagSpecifications=[_tags("vpc")])["Vpc"]["VpcId"]
        aws.settled(progress, "make", "network", f"{vpc} ({_VPC_CIDR})")
    for attribute, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        now = once_visible(partial(ec2.describe_vpc_attribute, VpcId=vpc, Attribute=attribute))
        if not now[key].get("Value"):
            ec2.modify_vpc_attribute(VpcId=vpc, **{key: {"Value": True}})
    return vpc


def _ensure_subnet(aws: Aws, vpc: str, progress: Progress) -> str:
    there = _found(aws.ec2.describe_subnets, "Subnets", Filters=[_in(vpc), _OURS])
    if there:
        return str(sorted(s["SubnetId"] for s in there)[0])
    made = once_visible(
        lambda: aws.ec2.create_subnet(VpcId=vpc, CidrBlock=_SUBNET_CIDR, TagSpecifications=[_tags("subnet")])
    )["Subnet"]
    aws.settled(progress, "make", "subnet", f"{made['SubnetId']} ({_SUBNET_CIDR} in {made['AvailabilityZone']})")
    return made["SubnetId"]


def _ensure_gateway(aws: Aws, vpc: str, progress: Progress) -> str:
    attached = _found(
        aws.ec2.describe_internet_gateways,
        "InternetGateways",
        Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}],
    )
    if attached:
        return str(attached[0]["InternetGatewayId"])
    ours = _found(aws.ec2.describe_internet_gateways, "InternetGateways", Filters=[_OURS])
    loose = sorted(g["InternetGatewayId"] for g in ours if not g["Attachments"])
    gateway = (
        loose[0]
        if loose
        else aws.ec2.create_internet_gateway(TagSpecifications=[_tags("internet-gateway")])["InternetGateway"][
            "InternetGatewayId"
        ]
    )
    once_visible(lambda: aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc))
    aws.settled(progress, "make", "internet gateway", gateway, text=f"internet gateway {gateway}: attached to {vpc}")
    return gateway


def _ensure_route(aws: Aws, vpc: str, subnet: str, gateway: str, progress: Progress) -> None:
    there = _found(aws.ec2.describe_route_tables, "RouteTables", Filters=[_in(vpc), _OURS])
    table: Any
    if there:
        table = min(there, key=lambda t: str(t["RouteTableId"]))
    else:
        table = aws.ec2.create_route_table(VpcId=vpc, TagSpecifications=[_tags("route-table")])["RouteTable"]
        aws.settled(progress, "make", "route table", table["RouteTableId"])
    table_id = table["RouteTableId"]
    default = [r for r in table.get("Routes", []) if r.get("DestinationCidrBlock") == _ANYWHERE]
    route = {"RouteTableId": table_id, "DestinationCidrBlock": _ANYWHERE, "GatewayId": gateway}
    if not default:
        once_visible(lambda: aws.ec2.create_route(**route))
    elif default[0].get("GatewayId") != gateway or default[0].get("State") == "blackhole":
        aws.ec2.replace_route(**route)
    if subnet not in {a.get("SubnetId") for a in table.get("Associations", [])}:
        once_visible(lambda: aws.ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet))


def _ensure_group(aws: Aws, vpc: str, progress: Progress) -> str:
    """A group that lets port 80 in. Rules that somebody added stay."""
    named = {"Name": "group-name", "Values": [_NAME]}
    there = _found(aws.ec2.describe_security_groups, "SecurityGroups", Filters=[_in(vpc), named])
    rules: list[Any] = []
    if there:
        group, rules = there[0]["GroupId"], there[0].get("IpPermissions", [])
    else:
        group = once_visible(
            lambda: aws.ec2.create_security_group(
                GroupName=_NAME,
                Description="model-dockerize: port 80 of the models",
                VpcId=vpc,
                TagSpecifications=[_tags("security-group")],
            )
        )["GroupId"]
        aws.settled(progress, "make", "security group", f"{group} (TCP 80 from anywhere)")
    if any(_admits_http(rule) for rule in rules):
        return str(group)
    try:
        once_visible(
            lambda: aws.ec2.authorize_security_group_ingress(
                GroupId=group,
                IpPermissions=[
                    {
                        "IpProtocol": "tcp",
                        "FromPort": 80,
                        "ToPort": 80,
                        "IpRanges": [{"CidrIp": _ANYWHERE, "Description": "the model's HTTP"}],
                    }
                ],
            )
        )
    except ClientError as error:
        if code_of(error) != "InvalidPermission.Duplicate":
            raise
    return str(group)


def _admits_http(rule: Any) -> bool:
    if _ANYWHERE not in {r.get("CidrIp") for r in rule.get("IpRanges", [])}:
        return False
    if rule["IpProtocol"] == "-1":
        return True
    return rule["IpProtocol"] in ("tcp", "6") and rule["FromPort"] <= 80 <= rule["ToPort"]


def _in(vpc: str) -> Any:
    return {"Name": "vpc-id", "Values": [vpc]}


def _tags(resource: str) -> Any:
    return {"ResourceType": resource, "Tags": [{"Key": TAG, "Value": NETWORK}, {"Key": "Name", "Value": _NAME}]}
