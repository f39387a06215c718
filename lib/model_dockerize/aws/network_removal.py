"""The pieces of our own network, in the order in which EC2 lets go of them."""

from collections.abc import Iterator
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.ec2 import OURS, found
from model_dockerize.aws.eventual import once_settled
from model_dockerize.aws.session import Aws
from model_dockerize.aws.thing import Thing


def network_things(aws: Aws) -> Iterator[Thing]:
    """Groups (also those in networks that were given), ways out, tables, subnets, gateways, and the VPC last."""
    ec2 = aws.ec2
    for group in in_order_of_removal(found(ec2.describe_security_groups, "SecurityGroups", Filters=[OURS])):
        yield Thing("security group", group["GroupId"], partial(ec2.delete_security_group, GroupId=group["GroupId"]))
    for nat in found(ec2.describe_nat_gateways, "NatGateways", Filter=[OURS]):
        if nat["State"] != "deleted":
            yield Thing("NAT gateway", nat["NatGatewayId"], partial(_end_nat, aws, nat["NatGatewayId"]))
    for address in found(ec2.describe_addresses, "Addresses", Filters=[OURS]):
        identity = address["AllocationId"]
        yield Thing("address", identity, partial(ec2.release_address, AllocationId=identity))
    for endpoint in found(ec2.describe_vpc_endpoints, "VpcEndpoints", Filters=[OURS]):
        if endpoint["State"].lower() not in ("deleting", "deleted"):
            yield Thing(
                "S3 endpoint", endpoint["VpcEndpointId"], partial(_end_endpoint, aws, endpoint["VpcEndpointId"])
            )
    for table in found(ec2.describe_route_tables, "RouteTables", Filters=[OURS]):
        yield Thing("route table", table["RouteTableId"], partial(_end_table, aws, table["RouteTableId"]))
    for subnet in found(ec2.describe_subnets, "Subnets", Filters=[OURS]):
        yield Thing("subnet", subnet["SubnetId"], partial(ec2.delete_subnet, SubnetId=subnet["SubnetId"]))
    for gateway in found(ec2.describe_internet_gateways, "InternetGateways", Filters=[OURS]):
        yield Thing("internet gateway", gateway["InternetGatewayId"], partial(_end_gateway, aws, gateway))
    for vpc in found(ec2.describe_vpcs, "Vpcs", Filters=[OURS]):
        yield Thing("network", vpc["VpcId"], partial(ec2.delete_vpc, VpcId=vpc["VpcId"]))


def in_order_of_removal(groups: list[Any]) -> list[Any]:
    """Security groups, those first whose rules name others of them: EC2 keeps a group that a rule names. Pure."""
    by_id = {group["GroupId"]: group for group in groups}
    named_by: dict[str, set[str]] = {identity: set() for identity in by_id}
    for identity, group in by_id.items():
        rules = [*group.get("IpPermissions", []), *group.get("IpPermissionsEgress", [])]
        for named in {pair.get("GroupId") for rule in rules for pair in rule.get("UserIdGroupPairs", [])}:
            if named in by_id and named != identity:
                named_by[named].add(identity)
    try:
        return [by_id[identity] for identity in TopologicalSorter(named_by).static_order()]
    except CycleError:  # rules that somebody added; what cannot go is told
        return groups


def _end_nat(aws: Aws, identity: str) -> None:
    """Deleted, and gone: until then it holds its address and its subnet."""

    def look() -> Any:
        shown = found(aws.ec2.describe_nat_gateways, "NatGateways", Filter=[OURS])
        return next((n for n in shown if n["NatGatewayId"] == identity), {"State": "deleted"})

    if look()["State"] not in ("deleting", "deleted"):
        aws.ec2.delete_nat_gateway(NatGatewayId=identity)
    once_settled(f"The end of NAT gateway {identity}", look(), look, lambda n: n["State"] == "deleting")


def _end_endpoint(aws: Aws, identity: str) -> None:
    for refused in aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[identity]).get("Unsuccessful", []):
        error: Any = refused.get("Error", {})
        raise ClientError({"Error": error}, "DeleteVpcEndpoints")


def _end_table(aws: Aws, identity: str) -> None:
    table = aws.ec2.describe_route_tables(RouteTableIds=[identity])["RouteTables"][0]
    for association in table["Associations"]:
        aws.ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    aws.ec2.delete_route_table(RouteTableId=identity)


def _end_gateway(aws: Aws, gateway: Any) -> None:
    identity = gateway["InternetGatewayId"]
    now = aws.ec2.describe_internet_gateways(InternetGatewayIds=[identity])["InternetGateways"][0]
    for attachment in now["Attachments"]:
        aws.ec2.detach_internet_gateway(InternetGatewayId=identity, VpcId=attachment["VpcId"])
    aws.ec2.delete_internet_gateway(InternetGatewayId=identity)
