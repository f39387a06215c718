"""The network of tasks: subnets, groups, reachability, public addresses.

A public address is a loopback address of its own, so that port 80 works and nothing leaves the computer.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from model_sandbox.api import ApiError
from model_sandbox.upstream import Upstream


@dataclass(frozen=True)
class AwsVpc:
    """`networkConfiguration.awsvpcConfiguration` of a service or task."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_address: bool

    @classmethod
    def parse(cls, configuration: dict[str, Any] | None) -> "AwsVpc | None":
        found = (configuration or {}).get("awsvpcConfiguration")
        if not found:
            return None
        enabled = found.get("assignPublicIp", "DISABLED") == "ENABLED"
        return cls(tuple(found.get("subnets", [])), tuple(found.get("securityGroups", [])), enabled)

    def placed(self, used: Iterable[str]) -> "AwsVpc":
        """Keep the subnet least `used`, as ECS spreads tasks."""
        often = Counter(used)
        return replace(self, subnets=(min(self.subnets, key=lambda subnet: often[subnet]),)) if self.subnets else self


class Addresses:
    """Gives out `127.x.y.1` to `127.x.y.254`, least recently used first; x.y is the sandbox's port."""

    def __init__(self, port: int) -> None:
        # This sandbox listens on `port`: nobody else has addresses on which it is free.
        prefix = f"127.{port >> 8}.{port & 255}"
        self._free = [f"{prefix}.{n}" for n in range(1, 255)]
        self._lock = threading.Lock()

    def take(self) -> str | None:
        with self._lock:
            return self._free.pop(0) if self._free else None

    def give_back(self, address: str) -> None:
        with self._lock:
            self._free.append(address)


class Network:
    """Reads ministack's EC2, adds tasks' interfaces. Call inside `Upstream.within`."""

    def __init__(self, upstream: Upstream, port: int) -> None:
        self._upstream = upstream
        self.addresses = Addresses(port)

    def install(self) -> None:
        plain = self._upstream.ec2._eni_fields_xml

        def with_public_address(interface: dict[str, Any], tag: str = "item") -> str:
            xml = str(plain(interface, tag))
            if not (address := interface.get("_public_address")):
                return xml
            association = f"<association><publicIp>{address}</publicIp><ipOwnerId>amazon</ipOwnerId></association>"
            return xml.replace("<groupSet>", f"{association}<groupSet>", 1)

        self._upstream.ec2._eni_fields_xml = with_public_address  # type: ignore[attr-defined]

    def check(self, subnets: tuple[str, ...], groups: tuple[str, ...], code: str) -> None:
        """Raise ApiError(`code`) unless all exist in one VPC."""
        ec2 = self._ec2()
        for subnet in subnets:
            if subnet not in ec2._subnets:
                raise ApiError(code, f"The subnet ID '{subnet}' does not exist")
        for group in groups:
            if group not in ec2._security_groups:
                raise ApiError(code, f"The security group '{group}' does not exist")
        networks = {ec2._subnets[s]["VpcId"] for s in subnets} | {ec2._security_groups[g]["VpcId"] for g in groups}
        if len(networks) > 1:
            raise ApiError(code, f"Subnets and security groups must be in one VPC, these are in {sorted(networks)}")

    def reaches_internet(self, subnet: str) -> bool:
        """Tell whether the subnet has a default route out."""
        ec2 = self._ec2()
        if ec2._subnets.get(subnet, {}).get("VpcId") == ec2._DEFAULT_VPC_ID:
            return True
        gateways = self._default_routes(subnet)
        return any(r.get("GatewayId") or self._is_live_nat(r.get("NatGatewayId")) for r in gateways)

    def _has_nat(self, subnet: str) -> bool:
        return any(self._is_live_nat(route.get("NatGatewayId")) for route in self._default_routes(subnet))

    def _default_routes(self, subnet: str) -> list[dict[str, Any]]:
        ec2 = self._ec2()
        vpc = ec2._subnets.get(subnet, {}).get("VpcId")
        own, main = [], []
        for table in ec2._route_tables.values():
            for association in table.get("Associations", []):
                if association.get("SubnetId") == subnet:
                    own.append(table)
                elif association.get("Main") and table["VpcId"] == vpc:
                    main.append(table)
        routes = [route for table in (own or main) for route in table.get("Routes", [])]
        return [r for r in routes if r.get("DestinationCidrBlock") == "0.0.0.0/0"]

    def instance_reaches_internet(self, subnet: str) -> bool:
        """Tell whether Batch's instance does, by NAT gateway or own address."""
        record = self._ec2()._subnets.get(subnet, {})
        return self.reaches_internet(subnet) and (bool(record.get("MapPublicIpOnLaunch")) or self._has_nat(subnet))

    def vpc_of(self, subnet: str) -> str:
        return str(self._ec2()._subnets.get(subnet, {}).get("VpcId", ""))

    def zone_of(self, subnet: str) -> str:
        return str(self._ec2()._subnets.get(subnet, {}).get("AvailabilityZone", ""))

    def _is_live_nat(self, identity: str | None) -> bool:
        gateway = self._ec2()._nat_gateways.get(identity) if identity else None
        return gateway is not None and gateway["State"] == "available"

    def is_open(self, network: AwsVpc, port: int) -> bool:
        """Tell whether a group admits an address range."""
        ec2 = self._ec2()
        vpc = ec2._subnets.get(network.subnets[0], {}).get("VpcId") if network.subnets else None
        groups = [ec2._security_groups.get(name) or {} for name in network.security_groups] or [
            group
            for group in ec2._security_groups.values()
            if group["GroupName"] == "default" and group["VpcId"] == vpc
        ]
        rules = [rule for group in groups for rule in group.get("IpPermissions", [])]
        return any(_admits(rule, port) for rule in rules)

    def admits_group(self, network: AwsVpc, port: int, sources: set[str]) -> bool:
        ec2 = self._ec2()
        rules = [
            r for g in network.security_groups for r in (ec2._security_groups.get(g) or {}).get("IpPermissions", [])
        ]
        return any(
            _covers(rule, port) and sources & {pair.get("GroupId") for pair in rule.get("UserIdGroupPairs", [])}
            for rule in rules
        )

    def subnet(self, identity: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._ec2()._subnets.get(identity)
        return found

    def attach(self, network: AwsVpc, description: str, private: str, public: str | None) -> dict[str, str]:
        """Make a task's interface; return DescribeTasks' details."""
        ec2 = self._ec2()
        identity = f"eni-{secrets.token_hex(9)[:17]}"
        subnet = network.subnets[0]
        mac = "0e:" + ":".join(secrets.token_hex(1) for _ in range(5))
        record = ec2._subnets.get(subnet, {})
        ec2._network_interfaces[identity] = {
            "NetworkInterfaceId": identity,
            "SubnetId": subnet,
            "VpcId": record.get("VpcId", ""),
            "AvailabilityZone": record.get("AvailabilityZone", ""),
            "Description": description,
            "OwnerId": self._upstream.scope().account,
            "Status": "in-use",
            "PrivateIpAddress": private,
            "MacAddress": mac,
            "Groups": [
                {"GroupId": name, "GroupName": (ec2._security_groups.get(name) or {}).get("GroupName", name)}
                for name in network.security_groups
            ],
            "Attachment": None,
            "_public_address": public,
        }
        return {
            "subnetId": subnet,
            "networkInterfaceId": identity,
            "macAddress": mac,
            "privateDnsName": f"ip-{private.replace('.', '-')}.ec2.internal",
            "privateIPv4Address": private,
        }

    def detach(self, identity: str) -> None:
        self._upstream.ec2._network_interfaces.pop(identity, None)

    def _ec2(self) -> Any:
        self._upstream.ec2._ensure_defaults_initialized()
        return self._upstream.ec2


def _admits(rule: dict[str, Any], port: int) -> bool:
    # A rule that names only other groups lets nobody in from outside.
    if not (rule.get("IpRanges") or rule.get("Ipv6Ranges") or rule.get("PrefixListIds")):
        return False
    return _covers(rule, port)


def _covers(rule: dict[str, Any], port: int) -> bool:
    if rule.get("IpProtocol") == "-1":
        return True
    return rule.get("IpProtocol") in ("tcp", "6") and int(rule["FromPort"]) <= port <= int(rule["ToPort"])
