"""EC2's resources."""

from typing import Any, ClassVar

from model_sandbox.cloudformation.resource import (
    Properties,
    Resource,
    given,
    is_true,
    lost_tags,
    tag_list,
)

_RULES = (("SecurityGroupIngress", "ingress"), ("SecurityGroupEgress", "egress"))


class _Ec2(Resource):
    kind: ClassVar[str]  # as TagSpecifications name it
    create_operation: ClassVar[str]
    delete_operation: ClassVar[str]
    made: ClassVar[str]  # member of the answer that describes it
    key: ClassVar[str]  # the member of that with its id, and the parameter of the deletion

    def _make(self, name: str, properties: Properties) -> str:
        create = getattr(self._client("ec2"), self.create_operation)
        return str(create(**self._parameters(name, properties), **self._tagged(properties))[self.made][self.key])

    def _parameters(self, name: str, properties: Properties) -> dict[str, Any]:
        del name
        return given(properties, *self.replacing)

    def _tagged(self, properties: Properties) -> dict[str, Any]:
        tags = tag_list(properties)
        return {"TagSpecifications": [{"ResourceType": self.kind, "Tags": tags}]} if tags else {}

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if not old:
            return
        if gone := lost_tags(old, new):
            self._client("ec2").delete_tags(Resources=[identity], Tags=[{"Key": key} for key in gone])
        if tag_list(new) != tag_list(old):
            self._client("ec2").create_tags(Resources=[identity], Tags=tag_list(new))

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {self.key: identity}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        getattr(self._client("ec2"), self.delete_operation)(**{self.key: identity})


class Vpc(_Ec2):
    properties = ("CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "Tags")
    replacing = ("CidrBlock",)
    kind, made, key = "vpc", "Vpc", "VpcId"
    create_operation, delete_operation = "create_vpc", "delete_vpc"

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        super()._settle(identity, old, new)
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            if name in new and new[name] != old.get(name):
                wish = {name: {"Value": is_true(new[name])}}
                self._client("ec2").modify_vpc_attribute(VpcId=identity, **wish)

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        return {"VpcId": identity, "CidrBlock": str(properties["CidrBlock"])}


class Subnet(_Ec2):
    properties = ("VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "Tags")
    required = ("VpcId",)
    replacing = ("VpcId", "CidrBlock", "AvailabilityZone")
    kind, made, key = "subnet", "Subnet", "SubnetId"
    create_operation, delete_operation = "create_subnet", "delete_subnet"

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        super()._settle(identity, old, new)
        wish = is_true(new.get("MapPublicIpOnLaunch"))
        if wish != is_true(old.get("MapPublicIpOnLaunch")):
            self._client("ec2").modify_subnet_attribute(SubnetId=identity, MapPublicIpOnLaunch={"Value": wish})


class InternetGateway(_Ec2):
    properties = ("Tags",)
    kind, made, key = "internet-gateway", "InternetGateway", "InternetGatewayId"
    create_operation, delete_operation = "create_internet_gateway", "delete_internet_gateway"


class VpcGatewayAttachment(Resource):
    properties = ("VpcId", "InternetGatewayId")
    required = ("VpcId",)
    replacing = ("VpcId",)
    tags = ""

    def _make(self, name: str, properties: Properties) -> str:
        del name
        self._client("ec2").attach_internet_gateway(**given(properties, "VpcId", "InternetGatewayId"))
        return f"IGW|{properties['VpcId']}"

    def delete(self, identity: str, properties: Properties) -> None:
        del identity
        self._client("ec2").detach_internet_gateway(**given(properties, "VpcId", "InternetGatewayId"))


class RouteTable(_Ec2):
    properties = ("VpcId", "Tags")
    required = ("VpcId",)
    replacing = ("VpcId",)
    kind, made, key = "route-table", "RouteTable", "RouteTableId"
    create_operation, delete_operation = "create_route_table", "delete_route_table"


class Route(Resource):
    properties = ("RouteTableId", "DestinationCidrBlock", "GatewayId", "NatGatewayId")
    required = ("RouteTableId",)
    replacing = ("RouteTableId", "DestinationCidrBlock")
    tags = ""

    def _make(self, name: str, properties: Properties) -> str:
        del name
        self._client("ec2").create_route(**properties)
        return f"{properties['RouteTableId']}|{properties['DestinationCidrBlock']}"

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        del identity
        if old:
            self._client("ec2").replace_route(**new)

    def delete(self, identity: str, properties: Properties) -> None:
        del identity
        self._client("ec2").delete_route(**given(properties, *self.replacing))


class SubnetRouteTableAssociation(Resource):
    properties = ("SubnetId", "RouteTableId")
    required = ("RouteTableId", "SubnetId")
    replacing = ("SubnetId", "RouteTableId")
    tags = ""

    def _make(self, name: str, properties: Properties) -> str:
        del name
        return str(self._client("ec2").associate_route_table(**properties)["AssociationId"])

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {"Id": identity}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("ec2").disassociate_route_table(AssociationId=identity)


class ElasticIp(_Ec2):
    """Its physical id is the address; EC2 wants the allocation."""

    properties = ("Domain", "Tags")
    kind = "elastic-ip"

    def _make(self, name: str, properties: Properties) -> str:
        del name
        return str(self._client("ec2").allocate_address(Domain="vpc", **self._tagged(properties))["PublicIp"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if old:
            super()._settle(self._allocation(identity), old, new)

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {"AllocationId": self._allocation(identity), "PublicIp": identity}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("ec2").release_address(AllocationId=self._allocation(identity))

    def _allocation(self, address: str) -> str:
        every = self._client("ec2").describe_addresses()["Addresses"]
        return str(next(known["AllocationId"] for known in every if known["PublicIp"] == address))


class NatGateway(_Ec2):
    properties = ("SubnetId", "AllocationId", "ConnectivityType", "Tags")
    replacing = ("SubnetId", "AllocationId", "ConnectivityType")
    kind, made, key = "natgateway", "NatGateway", "NatGatewayId"
    create_operation, delete_operation = "create_nat_gateway", "delete_nat_gateway"


class VpcEndpoint(_Ec2):
    properties = ("ServiceName", "VpcEndpointType", "VpcId", "RouteTableIds", "Tags")
    required = ("VpcId",)
    replacing = ("ServiceName", "VpcEndpointType", "VpcId")
    kind, made, key, create_operation = "vpc-endpoint", "VpcEndpoint", "VpcEndpointId", "create_vpc_endpoint"

    def _parameters(self, name: str, properties: Properties) -> dict[str, Any]:
        del name
        return given(properties, *self.replacing, "RouteTableIds")

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        super()._settle(identity, old, new)
        now, then = set(new.get("RouteTableIds", [])), set(old.get("RouteTableIds", []))
        if old and now != then:
            self._client("ec2").modify_vpc_endpoint(
                VpcEndpointId=identity, AddRouteTableIds=sorted(now - then), RemoveRouteTableIds=sorted(then - now)
            )

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {"Id": identity}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("ec2").delete_vpc_endpoints(VpcEndpointIds=[identity])


class SecurityGroup(_Ec2):
    properties = ("GroupDescription", "GroupName", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags")
    required = ("GroupDescription",)
    replacing = ("GroupDescription", "GroupName", "VpcId")
    kind, key, delete_operation = "security-group", "GroupId", "delete_security_group"

    def _make(self, name: str, properties: Properties) -> str:
        made = self._client("ec2").create_security_group(
            GroupName=properties.get("GroupName") or name,
            Description=properties["GroupDescription"],
            **given(properties, "VpcId"),
            **self._tagged(properties),
        )
        return str(made["GroupId"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        super()._settle(identity, old, new)
        for name, way in _RULES:
            now, then = ([rule_permission(rule) for rule in side.get(name, [])] for side in (new, old))
            authorize = getattr(self._client("ec2"), f"authorize_security_group_{way}")
            revoke = getattr(self._client("ec2"), f"revoke_security_group_{way}")
            for rule in now:
                if rule not in then:
                    authorize(GroupId=identity, IpPermissions=[rule])
            for rule in then:
                if rule not in now:
                    revoke(GroupId=identity, IpPermissions=[rule])


class SecurityGroupIngress(Resource):
    """A rule of another stack's group, or of none."""

    properties = ("GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "SourceSecurityGroupId", "Description")
    required = ("IpProtocol",)
    replacing = properties[:-1]
    tags = ""

    def _make(self, name: str, properties: Properties) -> str:
        del name
        made = self._client("ec2").authorize_security_group_ingress(**self._rule(properties))
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        del identity
        if old and old != new:
            self._client("ec2").update_security_group_rule_descriptions_ingress(**self._rule(new))

    def delete(self, identity: str, properties: Properties) -> None:
        del identity
        self._client("ec2").revoke_security_group_ingress(**self._rule(properties))

    @staticmethod
    def _rule(properties: Properties) -> dict[str, Any]:
        return {"GroupId": properties["GroupId"], "IpPermissions": [rule_permission(properties)]}


def rule_permission(rule: Properties) -> dict[str, Any]:
    said = given(rule, "Description")
    found: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    found |= {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule}
    if "CidrIp" in rule:
        found["IpRanges"] = [{"CidrIp": rule["CidrIp"], **said}]
    if group := rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId"):
        found["UserIdGroupPairs"] = [{"GroupId": group, **said}]
    return found
