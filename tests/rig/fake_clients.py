"""The calls of a stack's resources: a client of any service that notes them, and answers as AWS does."""

from typing import Any

from model_sandbox.cloudformation.resource_types import RESOURCE_TYPES

#: A call: service and operation, and the whole request.
Calls = list[tuple[str, dict[str, Any]]]
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/b/1"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/g/2"
ANSWERS: dict[str, Any] = {
    "ec2.create_vpc": {"Vpc": {"VpcId": "vpc-1"}},
    "ec2.create_subnet": {"Subnet": {"SubnetId": "subnet-1"}},
    "ec2.create_internet_gateway": {"InternetGateway": {"InternetGatewayId": "igw-1"}},
    "ec2.create_route_table": {"RouteTable": {"RouteTableId": "rtb-1"}},
    "ec2.associate_route_table": {"AssociationId": "rtbassoc-1"},
    "ec2.allocate_address": {"PublicIp": "1.2.3.4", "AllocationId": "eipalloc-1"},
    "ec2.describe_addresses": {
        "Addresses": [
            {"PublicIp": "9.9.9.9", "AllocationId": "eipalloc-9"},
            {"PublicIp": "1.2.3.4", "AllocationId": "eipalloc-1"},
        ]
    },
    "ec2.create_nat_gateway": {"NatGateway": {"NatGatewayId": "nat-1"}},
    "ec2.create_vpc_endpoint": {"VpcEndpoint": {"VpcEndpointId": "vpce-1"}},
    "ec2.create_security_group": {"GroupId": "sg-1"},
    "ec2.authorize_security_group_ingress": {"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1"}]},
    "ecs.describe_clusters": {"clusters": [{"clusterArn": "arn:c"}]},
    "logs.describe_log_groups": {
        "logGroups": [{"logGroupName": "/g/1", "arn": "arn:/g/1:*"}, {"logGroupName": "/g", "arn": "arn:/g:*"}]
    },
    "efs.create_file_system": {"FileSystemId": "fs-1"},
    "efs.describe_file_systems": {"FileSystems": [{"FileSystemArn": "arn:fs"}]},
    "efs.create_mount_target": {"MountTargetId": "fsmt-1"},
    "efs.describe_mount_targets": {"MountTargets": [{"IpAddress": "10.0.0.9"}]},
    "efs.create_access_point": {"AccessPointId": "fsap-1"},
    "efs.describe_access_points": {"AccessPoints": [{"AccessPointArn": "arn:ap"}]},
    "elbv2.create_load_balancer": {"LoadBalancers": [{"LoadBalancerArn": BALANCER}]},
    "elbv2.describe_load_balancers": {"LoadBalancers": [{"DNSName": "b.elb", "LoadBalancerName": "b"}]},
    "elbv2.create_target_group": {"TargetGroups": [{"TargetGroupArn": GROUP}]},
    "elbv2.create_listener": {"Listeners": [{"ListenerArn": "arn:l"}]},
    "elbv2.create_rule": {"Rules": [{"RuleArn": "arn:r"}]},
    "iam.get_role": {"Role": {"Arn": "arn:role", "RoleId": "AROA1"}},
    "iam.get_instance_profile": {"InstanceProfile": {"Arn": "arn:profile"}},
    "iam.list_attached_role_policies": {"AttachedPolicies": [{"PolicyArn": "arn:p"}]},
    "iam.list_role_policies": {"PolicyNames": ["q"]},
}


class NotThereError(Exception):
    """IAM's word for what is not there."""


class FakeClients:
    """The clients of all services. `refused`: calls that fail, by service and operation."""

    def __init__(self, refused: dict[str, Exception] | None = None) -> None:
        self.calls: Calls = []
        self.refused = refused or {}

    def __call__(self, service: str) -> Any:
        return _Service(service, self)

    def resource(self, name: str) -> Any:
        return RESOURCE_TYPES[name](self)


class _Service:
    def __init__(self, name: str, account: FakeClients) -> None:
        self._name, self._account = name, account
        self.exceptions = type("Exceptions", (), {"NoSuchEntityException": NotThereError})

    def __getattr__(self, operation: str) -> Any:
        name = f"{self._name}.{operation}"

        def call(**request: Any) -> Any:
            self._account.calls.append((name, request))
            if name in self._account.refused:
                raise self._account.refused[name]
            return ANSWERS.get(name, {})

        return call
