"""EC2 operations for private subnets that ministack lacks.

Filters of lists, addresses of NAT gateways, and refusals to delete what is in use.
"""

import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from model_sandbox.upstream import Upstream

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[Params], Answer]

#: Source: Description of IpRange and of CreateSecurityGroup in the API reference of EC2.
_TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")


class Ec2Gaps:
    def __init__(self, upstream: Upstream) -> None:
        self._ec2: Any = upstream.ec2
        self._efs: Any = upstream.efs

    def install(self) -> None:
        actions: dict[str, Handler] = self._ec2._ACTION_MAP
        actions["DescribeAddresses"] = self.describe_addresses
        actions["DescribeNetworkInterfaces"] = self.describe_network_interfaces
        actions["DescribeSecurityGroups"] = partial(self.describe_security_groups, actions["DescribeSecurityGroups"])
        actions["DescribeVpcEndpoints"] = self.describe_vpc_endpoints
        actions["CreateNatGateway"] = partial(self.create_nat_gateway, actions["CreateNatGateway"])
        actions["DeleteNatGateway"] = partial(self.delete_nat_gateway, actions["DeleteNatGateway"])
        checks: dict[str, Callable[[Params], Answer | None]] = {
            "AuthorizeSecurityGroupEgress": self._rule_is_described,
            "AuthorizeSecurityGroupIngress": self._rule_is_described,
            "CreateSecurityGroup": self._group_is_described,
            "ReleaseAddress": self._address_is_free,
            "DeleteSubnet": self._subnet_is_free,
            "DeleteSecurityGroup": self._group_is_free,
            "DeleteRouteTable": self._table_is_free,
            "DetachInternetGateway": self._no_public_address,
        }
        for action, check in checks.items():
            actions[action] = partial(_checked, actions[action], check)

    def describe_addresses(self, params: Params) -> Answer:
        filters, ids = self._ec2._parse_filters(params), self._ec2._parse_member_list(params, "AllocationId")
        items = ""
        for identity, address in self._ec2._addresses.items():
            if (ids and identity not in ids) or not self._ec2._resource_matches_tag_filters(identity, filters):
                continue
            used = address.get("AssociationId")
            items += (
                f"<item><allocationId>{identity}</allocationId><publicIp>{address['PublicIp']}</publicIp>"
                f"<domain>vpc</domain>{f'<associationId>{used}</associationId>' if used else ''}"
                f"{self._ec2._tag_set_xml(identity)}</item>"
            )
        return self._xml("DescribeAddressesResponse", f"<addressesSet>{items}</addressesSet>")

    def describe_network_interfaces(self, params: Params) -> Answer:
        filters, ids = self._ec2._parse_filters(params), self._ec2._parse_member_list(params, "NetworkInterfaceId")
        fields = {"vpc-id": "VpcId", "subnet-id": "SubnetId", "network-interface-id": "NetworkInterfaceId"}
        items = "".join(
            self._ec2._eni_fields_xml(interface)
            for identity, interface in self._ec2._network_interfaces.items()
            if (not ids or identity in ids)
            and all(interface[field] in filters[name] for name, field in fields.items() if name in filters)
            and ("group-id" not in filters or any(g["GroupId"] in filters["group-id"] for g in interface["Groups"]))
        )
        return self._xml("DescribeNetworkInterfacesResponse", f"<networkInterfaceSet>{items}</networkInterfaceSet>")

    def describe_security_groups(self, describe: Handler, params: Params) -> Answer:
        filters = self._ec2._parse_filters(params)
        for name, key in (
            ("ip-permission.group-id", "IpPermissions"),
            ("egress.ip-permission.group-id", "IpPermissionsEgress"),
        ):
            if name in filters:
                wanted = set(filters[name])
                items = "".join(
                    self._ec2._sg_xml(group)
                    for group in self._ec2._security_groups.values()
                    if wanted & {p.get("GroupId") for r in group.get(key, []) for p in r.get("UserIdGroupPairs", [])}
                )
                return self._xml("DescribeSecurityGroupsResponse", f"<securityGroupInfo>{items}</securityGroupInfo>")
        return describe(params)

    def describe_vpc_endpoints(self, params: Params) -> Answer:
        filters, ids = self._ec2._parse_filters(params), self._ec2._parse_member_list(params, "VpcEndpointId")
        fields = {"vpc-id": "VpcId", "service-name": "ServiceName", "vpc-endpoint-type": "VpcEndpointType"}
        items = "".join(
            self._ec2._vpce_fields_xml(endpoint)
            for identity, endpoint in self._ec2._vpc_endpoints.items()
            if (not ids or identity in ids)
            and self._ec2._resource_matches_tag_filters(identity, filters)
            and all(endpoint[field] in filters[name] for name, field in fields.items() if name in filters)
        )
        return self._xml("DescribeVpcEndpointsResponse", f"<vpcEndpointSet>{items}</vpcEndpointSet>")

    def create_nat_gateway(self, create: Handler, params: Params) -> Answer:
        subnet, allocation = self._ec2._p(params, "SubnetId"), self._ec2._p(params, "AllocationId")
        if subnet not in self._ec2._subnets:
            return self._error("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")
        address = self._ec2._addresses.get(allocation)
        if address is None:
            return self._error("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")
        if address.get("AssociationId"):
            return self._error("Resource.AlreadyAssociated", f"{allocation} is already associated")
        answer = create(params)
        address["AssociationId"] = f"eipassoc-{secrets.token_hex(9)[:17]}"
        return answer

    def delete_nat_gateway(self, delete: Handler, params: Params) -> Answer:
        gateway = self._ec2._nat_gateways.get(self._ec2._p(params, "NatGatewayId")) or {}
        answer = delete(params)
        if address := self._ec2._addresses.get(gateway.get("AllocationId")):
            address["AssociationId"] = None
        return answer

    # ---- refusals

    def _group_is_described(self, params: Params) -> Answer | None:
        for name in ("GroupDescription", "GroupName"):
            if not _TEXT.fullmatch(self._ec2._p(params, name)):
                return self._bad_text("security group description" if name == "GroupDescription" else "group name")
        return None

    def _rule_is_described(self, params: Params) -> Answer | None:
        texts = [self._ec2._p(params, name) for name in params if name.endswith(".Description")]
        return None if all(_TEXT.fullmatch(text) for text in texts) else self._bad_text("rule description")

    def _bad_text(self, what: str) -> Answer:
        kind = what.rpartition(" ")[2]
        return self._error(
            "InvalidParameterValue",
            f"Invalid {what}. Valid {kind}s are strings less than 256 characters from the following set:  "
            "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        )

    def _address_is_free(self, params: Params) -> Answer | None:
        identity = self._ec2._p(params, "AllocationId")
        if (self._ec2._addresses.get(identity) or {}).get("AssociationId"):
            return self._error("InvalidIPAddress.InUse", f"Address {identity} is in use.")
        return None

    def _subnet_is_free(self, params: Params) -> Answer | None:
        subnet = self._ec2._p(params, "SubnetId")
        users = [*self._ec2._network_interfaces.values(), *self._efs._mount_targets.values(), *self._live_nats()]
        if any(user.get("SubnetId") == subnet for user in users):
            return self._dependency(f"The subnet '{subnet}' has dependencies and cannot be deleted.")
        return None

    def _group_is_free(self, params: Params) -> Answer | None:
        group = self._ec2._p(params, "GroupId")
        carried = {g["GroupId"] for eni in self._ec2._network_interfaces.values() for g in eni.get("Groups") or []}
        carried |= {g for target in self._efs._mount_targets.values() for g in target["SecurityGroups"]}
        named = {
            pair.get("GroupId")
            for identity, other in self._ec2._security_groups.items()
            for rule in [*other.get("IpPermissions", []), *other.get("IpPermissionsEgress", [])]
            for pair in rule.get("UserIdGroupPairs", [])
            if identity != group
        }
        if group in carried | named:
            return self._dependency(f"resource {group} has a dependent object")
        return None

    def _table_is_free(self, params: Params) -> Answer | None:
        identity = self._ec2._p(params, "RouteTableId")
        table = self._ec2._route_tables.get(identity) or {}
        if table.get("Associations"):
            return self._dependency(f"The routeTable '{identity}' has dependencies and cannot be deleted.")
        return None

    def _no_public_address(self, params: Params) -> Answer | None:
        vpc = self._ec2._p(params, "VpcId")
        public = [i for i in self._ec2._network_interfaces.values() if i.get("_public_address")]
        if any(user.get("VpcId") == vpc for user in (*public, *self._live_nats())):
            return self._dependency(f"Network {vpc} has some mapped public address(es).")
        return None

    def _live_nats(self) -> list[dict[str, Any]]:
        return [nat for nat in self._ec2._nat_gateways.values() if nat["State"] != "deleted"]

    def _dependency(self, message: str) -> Answer:
        return self._error("DependencyViolation", message)

    def _error(self, code: str, message: str) -> Answer:
        answer: Answer = self._ec2._error(code, message, 400)
        return answer

    def _xml(self, tag: str, inner: str) -> Answer:
        answer: Answer = self._ec2._xml(200, tag, inner)
        return answer


def _checked(handler: Handler, check: Callable[[Params], Answer | None], params: Params) -> Answer:
    return check(params) or handler(params)
