"""The network of the sandbox's tasks: what is refused, who reaches the internet, who is let in, and addresses."""

from typing import Any

import pytest

from model_sandbox.api import ApiError
from model_sandbox.network import Addresses, AwsVpc, Network
from tests.rig.fake_ministack import fake_upstream

ROUTE = {"DestinationCidrBlock": "0.0.0.0/0"}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}


def network(**ec2: Any) -> Network:
    """Return a network with a VPC `v` of subnets s and t, whose route tables and gateways are given."""
    upstream = fake_upstream()
    subnets = {name: {"VpcId": "v", "AvailabilityZone": f"us-east-1{name}"} for name in ("s", "t")}
    upstream.ec2._subnets.update(subnets)
    upstream.ec2._security_groups["g"] = {"VpcId": "v", "GroupName": "default", "IpPermissions": []}
    for name, value in ec2.items():
        getattr(upstream.ec2, f"_{name}").update(value)
    return Network(upstream, 40000)


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (None, None),
        ({}, None),
        ({"awsvpcConfiguration": {}}, None),
        ({"awsvpcConfiguration": {"assignPublicIp": "ENABLED"}}, AwsVpc((), (), True)),
        (
            {"awsvpcConfiguration": {"subnets": ["s"], "securityGroups": ["g"], "assignPublicIp": "DISABLED"}},
            AwsVpc(("s",), ("g",), False),
        ),
        ({"awsvpcConfiguration": {"subnets": ["s"]}}, AwsVpc(("s",), (), False)),
    ],
)
def test_a_network_configuration(given: Any, parsed: AwsVpc | None) -> None:
    assert AwsVpc.parse(given) == parsed


def test_tasks_are_spread_over_the_subnets_that_are_used_least() -> None:
    both = AwsVpc(("s", "t"), ("g",), True)
    assert both.placed([]) == AwsVpc(("s",), ("g",), True)
    assert both.placed(["s", "u", "u"]).subnets == ("t",)
    assert both.placed(["s", "t", "t"]).subnets == ("s",)
    assert AwsVpc((), ("g",), True).placed(["s"]) == AwsVpc((), ("g",), True)


def test_addresses_are_given_out_least_recently_used_first() -> None:
    addresses = Addresses(0x1234)
    assert [addresses.take() for _ in range(254)] == [f"127.18.52.{number}" for number in range(1, 255)]
    assert addresses.take() is None
    for number in (7, 3):
        addresses.give_back(f"127.18.52.{number}")
    assert [addresses.take(), addresses.take(), addresses.take()] == ["127.18.52.7", "127.18.52.3", None]


@pytest.mark.parametrize(
    ("subnets", "groups", "told"),
    [
        (("s", "t"), ("g",), ""),
        (("subnet-a",), ("sg-web",), ""),
        (("s", "none"), (), "The subnet ID 'none' does not exist"),
        ((), ("g", "none"), "The security group 'none' does not exist"),
        (
            ("s",),
            ("sg-web",),
            "Subnets and security groups must be in one VPC, these are in ['v', 'vpc-default']",
        ),
        (("s", "subnet-a"), (), "Subnets and security groups must be in one VPC, these are in ['v', 'vpc-default']"),
    ],
)
def test_subnets_and_groups_exist_in_one_vpc(subnets: tuple[str, ...], groups: tuple[str, ...], told: str) -> None:
    if not told:
        network().check(subnets, groups, "Code")
        return
    with pytest.raises(ApiError) as caught:
        network().check(subnets, groups, "Code")
    assert (caught.value.code, str(caught.value), caught.value.status) == ("Code", told, 400)


def table(vpc: str = "v", routes: list[dict[str, Any]] | None = None, **association: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"VpcId": vpc, "Associations": [association] if association else []}
    return made if routes is None else {**made, "Routes": routes}


INTERNET = {**ROUTE, "GatewayId": "igw"}
NAT = {**ROUTE, "NatGatewayId": "nat"}


@pytest.mark.parametrize(
    ("tables", "gateways", "reaches", "an_instance_does"),
    [
        ({}, {}, False, False),
        ({"m": table(routes=[LOCAL, INTERNET], Main=True)}, {}, True, False),
        ({"m": table(routes=[LOCAL], Main=True)}, {}, False, False),
        ({"m": table("w", [INTERNET], Main=True)}, {}, False, False),
        ({"m": table(routes=[INTERNET])}, {}, False, False),
        ({"m": table(routes=[INTERNET], Main=True), "o": table(routes=[LOCAL], SubnetId="s")}, {}, False, False),
        ({"m": table(routes=[LOCAL], Main=True), "o": table(routes=[INTERNET], SubnetId="s")}, {}, True, False),
        ({"o": table(routes=[INTERNET], SubnetId="t")}, {}, False, False),
        ({"o": table(SubnetId="s")}, {}, False, False),
        ({"o": table(routes=[NAT], SubnetId="s")}, {}, False, False),
        ({"o": table(routes=[NAT], SubnetId="s")}, {"nat": {"State": "available"}}, True, True),
        ({"o": table(routes=[NAT], SubnetId="s")}, {"nat": {"State": "deleted"}}, False, False),
    ],
)
def test_which_subnets_reach_the_internet(
    tables: dict[str, Any], gateways: dict[str, Any], reaches: bool, an_instance_does: bool
) -> None:
    there = network(route_tables=tables, nat_gateways=gateways)
    assert there.reaches_internet("s") is reaches
    assert there.instance_reaches_internet("s") is an_instance_does
    there._upstream.ec2._subnets["s"]["MapPublicIpOnLaunch"] = True
    assert there.instance_reaches_internet("s") is reaches


def test_the_default_vpc_reaches_the_internet_and_what_is_nowhere_does_not() -> None:
    assert network().reaches_internet("subnet-a")
    assert not network().instance_reaches_internet("subnet-a")
    assert not network().reaches_internet("none")
    assert not network().instance_reaches_internet("none")


def test_where_a_subnet_is() -> None:
    there = network()
    assert (there.vpc_of("s"), there.zone_of("t"), there.subnet("s")) == (
        *("v", "us-east-1t"),
        {"VpcId": "v", "AvailabilityZone": "us-east-1s"},
    )
    assert (there.vpc_of("none"), there.zone_of("none"), there.subnet("none")) == ("", "", None)
    # The default VPC is made by the first question.
    assert network().vpc_of("subnet-a") == network().subnet("subnet-a")["VpcId"] == "vpc-default"  # type: ignore[index]


ANYONE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@pytest.mark.parametrize(
    ("rule", "is_open"),
    [
        ({"IpProtocol": "-1", **ANYONE}, True),
        ({"IpProtocol": "-1"}, False),
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **ANYONE}, True),
        ({"IpProtocol": "6", "FromPort": "79", "ToPort": "80", "Ipv6Ranges": [1]}, True),
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "PrefixListIds": [1]}, True),
        ({"IpProtocol": "tcp", "FromPort": 81, "ToPort": 90, **ANYONE}, False),
        ({"IpProtocol": "tcp", "FromPort": 70, "ToPort": 79, **ANYONE}, False),
        ({"IpProtocol": "udp", "FromPort": 80, "ToPort": 80, **ANYONE}, False),
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": "x"}]}, False),
    ],
)
def test_a_port_is_open_where_a_group_admits_addresses(rule: dict[str, Any], is_open: bool) -> None:
    there = network()
    there._upstream.ec2._security_groups["g"]["IpPermissions"] = [rule]
    assert there.is_open(AwsVpc(("s",), ("g",), False), 80) is is_open
    # Without a group it is the default one of the VPC.
    assert there.is_open(AwsVpc(("s",), (), False), 80) is is_open
    assert there.is_open(AwsVpc(("subnet-a",), (), False), 80) is False
    assert there.is_open(AwsVpc((), (), False), 80) is False
    assert there.is_open(AwsVpc(("s",), ("none",), False), 80) is False


def test_only_the_group_called_default_stands_in_for_none() -> None:
    opened = {"IpProtocol": "-1", **ANYONE}
    other = {"VpcId": "v", "GroupName": "other", "IpPermissions": [opened]}
    there = network(security_groups={"o": other})
    assert there.is_open(AwsVpc(("s",), ("o",), False), 80)
    assert not there.is_open(AwsVpc(("s",), (), False), 80)


def test_a_group_admits_other_groups() -> None:
    pair = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": "lb"}, {}]}
    there = network()
    there._upstream.ec2._security_groups["g"]["IpPermissions"] = [{"IpProtocol": "-1", **ANYONE}, pair]
    mine = AwsVpc(("s",), ("none", "g"), False)
    assert there.admits_group(mine, 80, {"lb", "x"})
    assert not there.admits_group(mine, 81, {"lb"})
    assert not there.admits_group(mine, 80, {"x"})
    assert not there.admits_group(AwsVpc(("s",), (), False), 80, {"lb"})


def test_an_interface_is_shown_with_its_public_address() -> None:
    there = network()
    there.install()
    show = there._upstream.ec2._eni_fields_xml
    plain = {"NetworkInterfaceId": "eni-1", "_public_address": None}
    assert show(plain) == "<item>eni-1<groupSet/><groupSet></groupSet></item>"
    association = "<association><publicIp>127.0.0.2</publicIp><ipOwnerId>amazon</ipOwnerId></association>"
    shown = show({**plain, "_public_address": "127.0.0.2"}, "member")
    assert shown == f"<member>eni-1<groupSet/>{association}<groupSet></groupSet></member>"


def test_a_task_has_an_interface_until_it_goes() -> None:
    there = network()
    details = there.attach(AwsVpc(("s",), ("g", "none"), True), "task", "10.0.0.7", "127.0.0.2")
    ((identity, record),) = there._upstream.ec2._network_interfaces.items()
    assert details == {
        **{"subnetId": "s", "networkInterfaceId": identity, "macAddress": record["MacAddress"]},
        **{"privateDnsName": "ip-10-0-0-7.ec2.internal", "privateIPv4Address": "10.0.0.7"},
    }
    assert record == {
        **{"NetworkInterfaceId": identity, "SubnetId": "s", "VpcId": "v", "AvailabilityZone": "us-east-1s"},
        **{"Description": "task", "OwnerId": "123456789012", "Status": "in-use", "PrivateIpAddress": "10.0.0.7"},
        **{"MacAddress": record["MacAddress"], "Attachment": None, "_public_address": "127.0.0.2"},
        "Groups": [{"GroupId": "g", "GroupName": "default"}, {"GroupId": "none", "GroupName": "none"}],
    }
    there.detach(identity)
    there.detach(identity)
    assert there._upstream.ec2._network_interfaces == {}
    nowhere = there.attach(AwsVpc(("none",), (), False), "task", "", None)
    record = there._upstream.ec2._network_interfaces[nowhere["networkInterfaceId"]]
    assert (record["VpcId"], record["AvailabilityZone"]) == ("", "")
