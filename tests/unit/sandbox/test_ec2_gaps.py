"""The operations of EC2 that the sandbox answers or refuses in place of ministack."""

from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.ec2_gaps import Ec2Gaps

Params = dict[str, Any]
DESCRIBED = (
    *("DescribeAddresses", "DescribeNetworkInterfaces", "DescribeSecurityGroups", "DescribeVpcEndpoints"),
    *("CreateNatGateway", "DeleteNatGateway", "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress"),
    *("CreateSecurityGroup", "ReleaseAddress", "DeleteSubnet", "DeleteSecurityGroup", "DeleteRouteTable"),
    *("DetachInternetGateway", "DescribeVpcs"),
)


class Ec2:
    """The stand-in of ministack's EC2: what we use of it. `filters` and `ids` are those of the next request."""

    def __init__(self) -> None:
        self._addresses: dict[str, Any] = {}
        self._network_interfaces: dict[str, Any] = {}
        self._security_groups: dict[str, Any] = {}
        self._vpc_endpoints: dict[str, Any] = {}
        self._nat_gateways: dict[str, Any] = {}
        self._route_tables: dict[str, Any] = {}
        self._subnets: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        self.efs: Any = SimpleNamespace(_mount_targets={})
        self.asked: list[str] = []
        self._ACTION_MAP: dict[str, Any] = {name: self._plain(name) for name in DESCRIBED}
        Ec2Gaps(SimpleNamespace(ec2=self, efs=self.efs)).install()  # type: ignore[arg-type]

    def _plain(self, operation: str) -> Any:
        def answer(params: Params) -> str:
            self.asked.append(operation)
            return f"ministack's {operation} {sorted(params)}"

        return answer

    def call(self, operation: str, **params: Any) -> Any:
        return self._ACTION_MAP[operation](params)

    def refused(self, operation: str, **params: Any) -> Any:
        """Return what an operation is refused with, and None where ministack answers it."""
        before = len(self.asked)
        answer = self.call(operation, **params)
        if len(self.asked) > before:
            assert answer == f"ministack's {operation} {sorted(params)}"
            return None
        return answer

    @staticmethod
    def _p(params: Params, name: str) -> str:
        return str(params.get(name, ""))

    @staticmethod
    def _parse_filters(params: Params) -> Any:
        return params.get("filters", {})

    @staticmethod
    def _parse_member_list(params: Params, name: str) -> Any:
        return params.get(name, [])

    def _resource_matches_tag_filters(self, identity: str, filters: dict[str, list[str]]) -> bool:
        return "tag:a" not in filters or self.tags.get(identity) in filters["tag:a"]

    def _tag_set_xml(self, identity: str) -> str:
        return f"<tags>{self.tags.get(identity, '')}</tags>"

    @staticmethod
    def _eni_fields_xml(interface: Any) -> str:
        return f"<i>{interface['NetworkInterfaceId']}</i>"

    @staticmethod
    def _sg_xml(group: Any) -> str:
        return f"<g>{group['GroupId']}</g>"

    @staticmethod
    def _vpce_fields_xml(endpoint: Any) -> str:
        return f"<e>{endpoint['VpcEndpointId']}</e>"

    @staticmethod
    def _xml(status: int, tag: str, inner: str) -> Any:
        return status, tag, inner

    @staticmethod
    def _error(code: str, message: str, status: int) -> Any:
        return status, code, message


@pytest.fixture
def ec2() -> Ec2:
    return Ec2()


# ---- lists


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({}, "12"),
        ({"AllocationId": ["eipalloc-2"]}, "2"),
        ({"filters": {"tag:a": ["x"]}}, "1"),
        ({"filters": {"tag:a": ["x"]}, "AllocationId": ["eipalloc-2"]}, ""),
    ],
)
def test_addresses_are_shown_with_what_uses_them(ec2: Ec2, params: Params, shown: str) -> None:
    ec2._addresses = {
        "eipalloc-1": {"PublicIp": "1.1.1.1"},
        "eipalloc-2": {"PublicIp": "2.2.2.2", "AssociationId": "eipassoc-2"},
    }
    ec2.tags = {"eipalloc-1": "x"}
    items = {
        "1": (
            "<item><allocationId>eipalloc-1</allocationId><publicIp>1.1.1.1</publicIp><domain>vpc</domain>"
            "<tags>x</tags></item>"
        ),
        "2": (
            "<item><allocationId>eipalloc-2</allocationId><publicIp>2.2.2.2</publicIp><domain>vpc</domain>"
            "<associationId>eipassoc-2</associationId><tags></tags></item>"
        ),
    }
    inner = f"<addressesSet>{''.join(items[each] for each in shown)}</addressesSet>"
    assert ec2.call("DescribeAddresses", **params) == (200, "DescribeAddressesResponse", inner)


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({}, "123"),
        ({"NetworkInterfaceId": ["eni-2"]}, "2"),
        ({"filters": {"vpc-id": ["vpc-1"]}}, "1"),
        ({"filters": {"subnet-id": ["subnet-2"]}}, "2"),
        ({"filters": {"network-interface-id": ["eni-1"]}}, "1"),
        ({"filters": {"group-id": ["sg-1"]}}, "1"),
        ({"filters": {"group-id": ["sg-3", "sg-2"]}}, "12"),
        ({"filters": {"group-id": ["sg-1"], "vpc-id": ["vpc-2"]}}, ""),
        ({"filters": {"vpc-id": ["vpc-1"], "subnet-id": ["subnet-2"]}}, ""),
    ],
)
def test_interfaces_are_found_by_their_filters(ec2: Ec2, params: Params, shown: str) -> None:
    groups: dict[str, list[str]] = {"1": ["sg-1", "sg-2"], "2": ["sg-2"], "3": []}
    ec2._network_interfaces = {
        f"eni-{n}": {
            **{"NetworkInterfaceId": f"eni-{n}", "VpcId": f"vpc-{n}", "SubnetId": f"subnet-{n}"},
            "Groups": [{"GroupId": group} for group in names],
        }
        for n, names in groups.items()
    }
    inner = f"<networkInterfaceSet>{''.join(f'<i>eni-{n}</i>' for n in shown)}</networkInterfaceSet>"
    assert ec2.call("DescribeNetworkInterfaces", **params) == (200, "DescribeNetworkInterfacesResponse", inner)


@pytest.mark.parametrize(("name", "shown"), [("ip-permission.group-id", "1"), ("egress.ip-permission.group-id", "2")])
def test_groups_are_found_by_the_groups_that_their_rules_name(ec2: Ec2, name: str, shown: str) -> None:
    def rules(*groups: str) -> list[dict[str, Any]]:
        return [{"UserIdGroupPairs": [{"GroupId": group} for group in groups]}, {}]

    ec2._security_groups = {
        "sg-1": {"GroupId": "sg-1", "IpPermissions": rules("sg-8", "sg-9")},
        "sg-2": {"GroupId": "sg-2", "IpPermissions": rules("sg-8"), "IpPermissionsEgress": rules("sg-9")},
        "sg-3": {"GroupId": "sg-3"},
    }
    inner = f"<securityGroupInfo><g>sg-{shown}</g></securityGroupInfo>"
    found = ec2.call("DescribeSecurityGroups", filters={name: ["sg-9", "sg-7"]})
    assert found == (200, "DescribeSecurityGroupsResponse", inner)
    assert ec2.refused("DescribeSecurityGroups", filters={"group-name": ["x"]}) is None


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({}, "12"),
        ({"VpcEndpointId": ["vpce-2"]}, "2"),
        ({"filters": {"vpc-id": ["vpc-1"]}}, "1"),
        ({"filters": {"service-name": ["s3-2"]}}, "2"),
        ({"filters": {"vpc-endpoint-type": ["type-1"]}}, "1"),
        ({"filters": {"tag:a": ["x"]}}, "2"),
        ({"filters": {"tag:a": ["x"], "vpc-id": ["vpc-1"]}}, ""),
        ({"filters": {"service-name": ["s3-2"], "vpc-id": ["vpc-1"]}}, ""),
    ],
)
def test_endpoints_are_found_by_their_filters(ec2: Ec2, params: Params, shown: str) -> None:
    ec2._vpc_endpoints = {
        f"vpce-{n}": {
            **{"VpcEndpointId": f"vpce-{n}", "VpcId": f"vpc-{n}", "ServiceName": f"s3-{n}"},
            "VpcEndpointType": f"type-{n}",
        }
        for n in "12"
    }
    ec2.tags = {"vpce-2": "x"}
    inner = f"<vpcEndpointSet>{''.join(f'<e>vpce-{n}</e>' for n in shown)}</vpcEndpointSet>"
    assert ec2.call("DescribeVpcEndpoints", **params) == (200, "DescribeVpcEndpointsResponse", inner)


# ---- addresses of NAT gateways


def test_a_nat_gateway_holds_its_address_until_it_is_deleted(ec2: Ec2) -> None:
    ec2._subnets["subnet-1"] = {}
    address = ec2._addresses["eipalloc-1"] = {"PublicIp": "1.1.1.1"}
    made = {"SubnetId": "subnet-1", "AllocationId": "eipalloc-1"}
    assert ec2.refused("CreateNatGateway", **made) is None
    held = address["AssociationId"]
    assert (held[:9], len(held)) == ("eipassoc-", 26)
    refused = (400, "Resource.AlreadyAssociated", "eipalloc-1 is already associated")
    assert ec2.refused("CreateNatGateway", **made) == refused
    refused = (400, "InvalidIPAddress.InUse", "Address eipalloc-1 is in use.")
    assert ec2.refused("ReleaseAddress", AllocationId="eipalloc-1") == refused
    ec2._nat_gateways["nat-1"] = {"AllocationId": "eipalloc-1", "State": "available"}
    assert ec2.refused("DeleteNatGateway", NatGatewayId="nat-2") is None
    assert address["AssociationId"] == held
    assert ec2.refused("DeleteNatGateway", NatGatewayId="nat-1") is None
    assert address["AssociationId"] is None
    assert ec2.refused("ReleaseAddress", AllocationId="eipalloc-1") is None
    assert ec2.refused("ReleaseAddress", AllocationId="eipalloc-2") is None
    assert ec2.refused("CreateNatGateway", **made) is None


def test_a_nat_gateway_needs_a_subnet_and_an_address(ec2: Ec2) -> None:
    refused = (400, "InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist")
    assert ec2.refused("CreateNatGateway", SubnetId="subnet-1", AllocationId="eipalloc-1") == refused
    ec2._subnets["subnet-1"] = {}
    refused = (400, "InvalidAllocationID.NotFound", "The allocation ID 'eipalloc-1' does not exist")
    assert ec2.refused("CreateNatGateway", SubnetId="subnet-1", AllocationId="eipalloc-1") == refused


# ---- refusals

TEXTS = "are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"


@pytest.mark.parametrize(
    ("operation", "parameter", "what"),
    [
        (
            "AuthorizeSecurityGroupEgress",
            "IpPermissions.1.IpRanges.1.Description",
            "rule description. Valid descriptions",
        ),
        (
            "AuthorizeSecurityGroupIngress",
            "IpPermissions.1.Groups.2.Description",
            "rule description. Valid descriptions",
        ),
        ("CreateSecurityGroup", "GroupDescription", "security group description. Valid descriptions"),
        ("CreateSecurityGroup", "GroupName", "group name. Valid names"),
    ],
)
def test_texts_have_at_most_255_of_ec2s_characters(ec2: Ec2, operation: str, parameter: str, what: str) -> None:
    for fine in ("", "x" * 255, "aZ09. _-:/()#,@[]+=&;{}!$*"):
        assert ec2.refused(operation, **{parameter: fine}) is None
    for wrong in ("x" * 256, "it's", "a\nb"):
        assert ec2.refused(operation, **{parameter: wrong}) == (400, "InvalidParameterValue", f"Invalid {what} {TEXTS}")


def test_other_parameters_of_a_rule_are_no_text(ec2: Ec2) -> None:
    assert ec2.refused("AuthorizeSecurityGroupIngress", **{"IpPermissions.1.IpProtocol": "'"}) is None


def test_a_subnet_that_is_used_stays(ec2: Ec2) -> None:
    refused = (400, "DependencyViolation", "The subnet 's' has dependencies and cannot be deleted.")
    for users in (ec2._network_interfaces, ec2.efs._mount_targets):
        users["other"] = {"SubnetId": "o"}
        assert ec2.refused("DeleteSubnet", SubnetId="s") is None
        users["user"] = {"SubnetId": "s"}
        assert ec2.refused("DeleteSubnet", SubnetId="s") == refused
        users.clear()
    ec2._nat_gateways["n"] = {"SubnetId": "s", "State": "available"}
    assert ec2.refused("DeleteSubnet", SubnetId="s") == refused
    ec2._nat_gateways["n"]["State"] = "deleted"
    assert ec2.refused("DeleteSubnet", SubnetId="s") is None


def test_a_group_that_somebody_carries_or_names_stays(ec2: Ec2) -> None:
    refused = (400, "DependencyViolation", "resource sg-1 has a dependent object")
    ec2._network_interfaces = {"a": {"Groups": [{"GroupId": "sg-2"}, {"GroupId": "sg-1"}]}, "b": {"Groups": None}}
    assert ec2.refused("DeleteSecurityGroup", GroupId="sg-1") == refused
    del ec2._network_interfaces["a"]
    assert ec2.refused("DeleteSecurityGroup", GroupId="sg-1") is None
    ec2.efs._mount_targets["m"] = {"SecurityGroups": ["sg-2", "sg-1"]}
    assert ec2.refused("DeleteSecurityGroup", GroupId="sg-1") == refused
    ec2.efs._mount_targets.clear()
    rules = [{}, {"UserIdGroupPairs": [{}, {"GroupId": "sg-1"}]}]
    for way in ("IpPermissions", "IpPermissionsEgress"):
        ec2._security_groups = {"sg-1": {way: rules}, "sg-2": {}}
        assert ec2.refused("DeleteSecurityGroup", GroupId="sg-1") is None, "its own rules go with it"
        ec2._security_groups = {"sg-1": {}, "sg-2": {way: rules}}
        assert ec2.refused("DeleteSecurityGroup", GroupId="sg-1") == refused
        assert ec2.refused("DeleteSecurityGroup", GroupId="sg-2") is None


def test_a_route_table_that_subnets_use_stays(ec2: Ec2) -> None:
    ec2._route_tables = {"t": {"Associations": [{}]}, "free": {"Associations": []}}
    refused = (400, "DependencyViolation", "The routeTable 't' has dependencies and cannot be deleted.")
    assert ec2.refused("DeleteRouteTable", RouteTableId="t") == refused
    assert ec2.refused("DeleteRouteTable", RouteTableId="free") is None
    assert ec2.refused("DeleteRouteTable", RouteTableId="unknown") is None


def test_a_gateway_stays_while_its_network_has_public_addresses(ec2: Ec2) -> None:
    refused = (400, "DependencyViolation", "Network v has some mapped public address(es).")
    ec2._network_interfaces = {
        "i": {"VpcId": "v", "_public_address": "1.1.1.1"},
        "private": {"VpcId": "w"},
    }
    assert ec2.refused("DetachInternetGateway", VpcId="v") == refused
    assert ec2.refused("DetachInternetGateway", VpcId="w") is None
    ec2._network_interfaces.clear()
    assert ec2.refused("DetachInternetGateway", VpcId="v") is None
    ec2._nat_gateways = {"n": {"VpcId": "v", "State": "pending"}, "gone": {"VpcId": "w", "State": "deleted"}}
    assert ec2.refused("DetachInternetGateway", VpcId="v") == refused
    assert ec2.refused("DetachInternetGateway", VpcId="w") is None


def test_other_operations_are_left_to_ministack(ec2: Ec2) -> None:
    assert ec2.refused("DescribeVpcs") is None
