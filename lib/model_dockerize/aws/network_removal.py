"""The pieces of our own network, in the order in which EC2 lets go of them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from model_dockerize.aws.names import NETWORK, TAG
from model_dockerize.aws.session import Aws
from model_dockerize.aws.thing import Thing

_OURS: Any = [{"Name": f"tag:{TAG}", "Values": [NETWORK]}]


def network_things(aws: Aws) -> Iterator[Thing]:
    """Groups (also those in networks that were given), tables, subnets, gateways, and the VPC last."""
    ec2 = aws.ec2
    for group in _all(aws, "describe_security_groups", "SecurityGroups"):
        yield Thing("security group", group["GroupId"], partial(ec2.delete_security_group, GroupId=group["GroupId"]))
    for table in _all(aws, "describe_route_tables", "RouteTables"):
        yield Thing("route table", table["RouteTableId"], partial(_end_table, aws, table["RouteTableId"]))
    for subnet in _all(aws, "describe_subnets", "Subnets"):
        yield Thing("subnet", subnet["SubnetId"], partial(ec2.delete_subnet, SubnetId=subnet["SubnetId"]))
    for gateway in _all(aws, "describe_internet_gateways", "InternetGateways"):
        yield Thing("internet gateway", gateway["InternetGatewayId"], partial(_end_gateway, aws, gateway))
    for vpc in _all(aws, "describe_vpcs", "Vpcs"):
        yield Thing("network", vpc["VpcId"], partial(ec2.delete_vpc, VpcId=vpc["VpcId"]))


def _all(aws: Aws, operation: str, key: str) -> list[Any]:
    pages: Any = aws.ec2.get_paginator(operation).paginate(Filters=_OURS)  # type: ignore[call-overload]
    return [thing for page in pages for thing in page[key]]


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
