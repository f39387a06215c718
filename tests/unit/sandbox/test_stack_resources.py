"""Each resource type of the sandbox's CloudFormation: all that it calls when it is made, changed and removed."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.cloudformation import file_system, load_balancing
from model_sandbox.cloudformation.resource import InvalidPropertyError
from model_sandbox.cloudformation.resource_types import RESOURCE_TYPES
from tests.rig.fake_clients import BALANCER, GROUP, Calls, FakeClients, NotThereError

Properties = dict[str, Any]
TAGS = [{"Key": "a", "Value": 1}, {"Key": "b", "Value": "2"}]
TAGGED = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
#: As TAGS with one that is lost, and one that has another value.
RETAGGED = [{"Key": "b", "Value": "3"}]
TRUST = {"Version": "2012-10-17", "Statement": []}
NAME = "a-long-model-name-which-a-stack-has-LoadBalancer-1A2B3C4D5E6F"
SHORT = "a-long-model-name-w-1A2B3C4D5E6F"


def of(kind: str, tags: list[dict[str, str]] = TAGGED) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}


@pytest.fixture(autouse=True)
def one_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "uuid", SimpleNamespace(uuid4=lambda: "token"))


MADE: list[tuple[str, Properties, tuple[str, dict[str, str]], Calls]] = [
    (
        "AWS::EC2::VPC",
        {"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": "true", "EnableDnsHostnames": False, "Tags": TAGS},
        ("vpc-1", {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}),
        [
            ("ec2.create_vpc", {"CidrBlock": "10.0.0.0/16", **of("vpc")}),
            ("ec2.modify_vpc_attribute", {"VpcId": "vpc-1", "EnableDnsSupport": {"Value": True}}),
            ("ec2.modify_vpc_attribute", {"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": False}}),
        ],
    ),
    (
        "AWS::EC2::VPC",
        {"CidrBlock": "10.0.0.0/16"},
        ("vpc-1", {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}),
        [("ec2.create_vpc", {"CidrBlock": "10.0.0.0/16"})],
    ),
    (
        "AWS::EC2::Subnet",
        {"VpcId": "v", "CidrBlock": "c", "AvailabilityZone": "z", "MapPublicIpOnLaunch": "true", "Tags": TAGS},
        ("subnet-1", {"SubnetId": "subnet-1"}),
        [
            ("ec2.create_subnet", {"VpcId": "v", "CidrBlock": "c", "AvailabilityZone": "z", **of("subnet")}),
            ("ec2.modify_subnet_attribute", {"SubnetId": "subnet-1", "MapPublicIpOnLaunch": {"Value": True}}),
        ],
    ),
    (
        "AWS::EC2::Subnet",
        {"VpcId": "v", "MapPublicIpOnLaunch": False},
        ("subnet-1", {"SubnetId": "subnet-1"}),
        [("ec2.create_subnet", {"VpcId": "v"})],
    ),
    (
        "AWS::EC2::InternetGateway",
        {"Tags": TAGS},
        ("igw-1", {"InternetGatewayId": "igw-1"}),
        [("ec2.create_internet_gateway", of("internet-gateway"))],
    ),
    (
        "AWS::EC2::VPCGatewayAttachment",
        {"VpcId": "v", "InternetGatewayId": "i"},
        ("IGW|v", {}),
        [("ec2.attach_internet_gateway", {"VpcId": "v", "InternetGatewayId": "i"})],
    ),
    (
        "AWS::EC2::RouteTable",
        {"VpcId": "v", "Tags": TAGS},
        ("rtb-1", {"RouteTableId": "rtb-1"}),
        [("ec2.create_route_table", {"VpcId": "v", **of("route-table")})],
    ),
    (
        "AWS::EC2::Route",
        {"RouteTableId": "t", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "i"},
        ("t|0.0.0.0/0", {}),
        [("ec2.create_route", {"RouteTableId": "t", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "i"})],
    ),
    (
        "AWS::EC2::SubnetRouteTableAssociation",
        {"SubnetId": "s", "RouteTableId": "t"},
        ("rtbassoc-1", {"Id": "rtbassoc-1"}),
        [("ec2.associate_route_table", {"SubnetId": "s", "RouteTableId": "t"})],
    ),
    (
        "AWS::EC2::EIP",
        {"Domain": "vpc", "Tags": TAGS},
        ("1.2.3.4", {"AllocationId": "eipalloc-1", "PublicIp": "1.2.3.4"}),
        [("ec2.allocate_address", {"Domain": "vpc", **of("elastic-ip")}), ("ec2.describe_addresses", {})],
    ),
    (
        "AWS::EC2::NatGateway",
        {"SubnetId": "s", "AllocationId": "a", "ConnectivityType": "public", "Tags": TAGS},
        ("nat-1", {"NatGatewayId": "nat-1"}),
        [
            (
                "ec2.create_nat_gateway",
                {"SubnetId": "s", "AllocationId": "a", "ConnectivityType": "public", **of("natgateway")},
            )
        ],
    ),
    (
        "AWS::EC2::VPCEndpoint",
        {"ServiceName": "s3", "VpcEndpointType": "Gateway", "VpcId": "v", "RouteTableIds": ["t"], "Tags": TAGS},
        ("vpce-1", {"Id": "vpce-1"}),
        [
            (
                "ec2.create_vpc_endpoint",
                {
                    **{"ServiceName": "s3", "VpcEndpointType": "Gateway", "VpcId": "v", "RouteTableIds": ["t"]},
                    **of("vpc-endpoint"),
                },
            )
        ],
    ),
    (
        "AWS::EC2::SecurityGroup",
        {
            **{"GroupDescription": "d", "GroupName": "own", "VpcId": "v", "Tags": TAGS},
            "SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": "80", "ToPort": "81", "CidrIp": "0.0.0.0/0"}],
            "SecurityGroupEgress": [{"IpProtocol": -1, "DestinationSecurityGroupId": "sg-2", "Description": "e"}],
        },
        ("sg-1", {"GroupId": "sg-1"}),
        [
            (
                "ec2.create_security_group",
                {"GroupName": "own", "Description": "d", "VpcId": "v", **of("security-group")},
            ),
            (
                "ec2.authorize_security_group_ingress",
                {
                    "GroupId": "sg-1",
                    "IpPermissions": [
                        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
                    ],
                },
            ),
            (
                "ec2.authorize_security_group_egress",
                {
                    "GroupId": "sg-1",
                    "IpPermissions": [
                        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-2", "Description": "e"}]}
                    ],
                },
            ),
        ],
    ),
    (
        "AWS::EC2::SecurityGroup",
        {"GroupDescription": "d"},
        ("sg-1", {"GroupId": "sg-1"}),
        [("ec2.create_security_group", {"GroupName": NAME, "Description": "d"})],
    ),
    (
        "AWS::EC2::SecurityGroupIngress",
        {
            **{"GroupId": "sg-1", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "CidrIp": "c"},
            **{"SourceSecurityGroupId": "sg-2", "Description": "d"},
        },
        ("sgr-1", {}),
        [
            (
                "ec2.authorize_security_group_ingress",
                {
                    "GroupId": "sg-1",
                    "IpPermissions": [
                        {
                            **{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2},
                            "IpRanges": [{"CidrIp": "c", "Description": "d"}],
                            "UserIdGroupPairs": [{"GroupId": "sg-2", "Description": "d"}],
                        }
                    ],
                },
            )
        ],
    ),
    (
        "AWS::ECS::Cluster",
        {"ClusterName": "c", "Tags": TAGS},
        ("c", {"Arn": "arn:c"}),
        [
            (
                "ecs.create_cluster",
                {"clusterName": "c", "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]},
            ),
            ("ecs.describe_clusters", {"clusters": ["c"]}),
        ],
    ),
    (
        "AWS::ECS::Cluster",
        {},
        (NAME, {"Arn": "arn:c"}),
        [
            ("ecs.create_cluster", {"clusterName": NAME, "tags": []}),
            ("ecs.describe_clusters", {"clusters": [NAME]}),
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        {"LogGroupName": "/g", "RetentionInDays": "30", "Tags": TAGS},
        ("/g", {"Arn": "arn:/g:*"}),
        [
            ("logs.create_log_group", {"logGroupName": "/g", "tags": {"a": "1", "b": "2"}}),
            ("logs.put_retention_policy", {"logGroupName": "/g", "retentionInDays": 30}),
            ("logs.describe_log_groups", {"logGroupNamePrefix": "/g"}),
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        {"LogGroupName": "/g"},
        ("/g", {"Arn": "arn:/g:*"}),
        [
            ("logs.create_log_group", {"logGroupName": "/g"}),
            ("logs.describe_log_groups", {"logGroupNamePrefix": "/g"}),
        ],
    ),
    (
        "AWS::EFS::FileSystem",
        {
            **{"BackupPolicy": {"Status": "ENABLED"}, "Encrypted": "true", "FileSystemTags": TAGS, "KmsKeyId": "k"},
            **{"PerformanceMode": "generalPurpose", "ThroughputMode": "elastic"},
        },
        ("fs-1", {"FileSystemId": "fs-1", "Arn": "arn:fs"}),
        [
            (
                "efs.create_file_system",
                {
                    **{"CreationToken": "a-long-model-name-which-a-s-token", "Encrypted": True, "Tags": TAGGED},
                    **{"KmsKeyId": "k", "PerformanceMode": "generalPurpose", "ThroughputMode": "elastic"},
                },
            ),
            ("efs.put_backup_policy", {"FileSystemId": "fs-1", "BackupPolicy": {"Status": "ENABLED"}}),
            ("efs.describe_file_systems", {"FileSystemId": "fs-1"}),
        ],
    ),
    (
        "AWS::EFS::FileSystem",
        {"ThroughputMode": "elastic"},
        ("fs-1", {"FileSystemId": "fs-1", "Arn": "arn:fs"}),
        [
            (
                "efs.create_file_system",
                {
                    **{"CreationToken": "a-long-model-name-which-a-s-token", "Encrypted": False, "Tags": []},
                    "ThroughputMode": "elastic",
                },
            ),
            ("efs.describe_file_systems", {"FileSystemId": "fs-1"}),
        ],
    ),
    (
        "AWS::EFS::MountTarget",
        {"FileSystemId": "fs-1", "SecurityGroups": ["sg-1"], "SubnetId": "s"},
        ("fsmt-1", {"Id": "fsmt-1", "IpAddress": "10.0.0.9"}),
        [
            ("efs.create_mount_target", {"FileSystemId": "fs-1", "SecurityGroups": ["sg-1"], "SubnetId": "s"}),
            ("efs.describe_mount_targets", {"MountTargetId": "fsmt-1"}),
        ],
    ),
    (
        "AWS::EFS::AccessPoint",
        {
            **{"AccessPointTags": TAGS, "FileSystemId": "fs-1", "PosixUser": {"Uid": "1", "Gid": "2"}},
            "RootDirectory": {"Path": "/m"},
        },
        ("fsap-1", {"AccessPointId": "fsap-1", "Arn": "arn:ap"}),
        [
            (
                "efs.create_access_point",
                {
                    **{"ClientToken": "token", "FileSystemId": "fs-1", "Tags": TAGGED},
                    **{"PosixUser": {"Uid": 1, "Gid": 2}, "RootDirectory": {"Path": "/m"}},
                },
            ),
            ("efs.describe_access_points", {"AccessPointId": "fsap-1"}),
        ],
    ),
    (
        "AWS::EFS::AccessPoint",
        {"FileSystemId": "fs-1"},
        ("fsap-1", {"AccessPointId": "fsap-1", "Arn": "arn:ap"}),
        [
            ("efs.create_access_point", {"ClientToken": "token", "FileSystemId": "fs-1", "Tags": []}),
            ("efs.describe_access_points", {"AccessPointId": "fsap-1"}),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {
            **{"Name": "b", "Scheme": "internal", "SecurityGroups": ["sg-1"], "Subnets": ["s"], "Tags": TAGS},
            "Type": "application",
        },
        (
            BALANCER,
            {
                **{"LoadBalancerArn": BALANCER, "DNSName": "b.elb", "LoadBalancerName": "b"},
                **{"LoadBalancerFullName": "app/b/1", "CanonicalHostedZoneID": "Z35SXDOTRQ7X7K"},
            },
        ),
        [
            (
                "elbv2.create_load_balancer",
                {
                    **{"Name": "b", "Tags": TAGGED, "Subnets": ["s"], "SecurityGroups": ["sg-1"]},
                    **{"Scheme": "internal", "Type": "application"},
                },
            ),
            ("elbv2.describe_load_balancers", {"LoadBalancerArns": [BALANCER]}),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {
            **{"HealthCheckPath": "/ping", "HealthCheckIntervalSeconds": "10", "HealthCheckTimeoutSeconds": "5"},
            **{"HealthyThresholdCount": "2", "UnhealthyThresholdCount": "3", "Matcher": {"HttpCode": "200"}},
            **{"Name": "g", "Port": "80", "Protocol": "HTTP", "Tags": TAGS, "TargetType": "ip", "VpcId": "v"},
            "TargetGroupAttributes": [{"Key": "k", "Value": "1"}],
        },
        (
            GROUP,
            {"TargetGroupArn": GROUP, "TargetGroupName": "g", "TargetGroupFullName": "targetgroup/g/2"},
        ),
        [
            (
                "elbv2.create_target_group",
                {
                    **{"Name": "g", "Port": 80, "Tags": TAGGED, "Protocol": "HTTP", "VpcId": "v", "TargetType": "ip"},
                    **{"HealthCheckPath": "/ping", "HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 5},
                    **{"HealthyThresholdCount": 2, "UnhealthyThresholdCount": 3, "Matcher": {"HttpCode": "200"}},
                },
            ),
            (
                "elbv2.modify_target_group_attributes",
                {"TargetGroupArn": GROUP, "Attributes": [{"Key": "k", "Value": "1"}]},
            ),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {"Port": 80},
        (
            GROUP,
            {"TargetGroupArn": GROUP, "TargetGroupName": "g", "TargetGroupFullName": "targetgroup/g/2"},
        ),
        [("elbv2.create_target_group", {"Name": SHORT, "Port": 80, "Tags": []})],
    ),
    (
        "AWS::ElasticLoadBalancingV2::Listener",
        {
            **{"Certificates": [{"CertificateArn": "c"}], "DefaultActions": [{"Type": "forward"}]},
            **{"LoadBalancerArn": BALANCER, "Port": "443", "Protocol": "HTTPS", "SslPolicy": "p", "Tags": TAGS},
        },
        ("arn:l", {"ListenerArn": "arn:l"}),
        [
            (
                "elbv2.create_listener",
                {
                    **{"LoadBalancerArn": BALANCER, "Tags": TAGGED, "Port": 443, "Protocol": "HTTPS"},
                    **{"DefaultActions": [{"Type": "forward"}], "Certificates": [{"CertificateArn": "c"}]},
                    "SslPolicy": "p",
                },
            )
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        {
            "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP}]}}],
            **{"Conditions": [{"Field": "f"}], "ListenerArn": "arn:l", "Priority": "7", "Tags": TAGS},
        },
        ("arn:r", {"RuleArn": "arn:r"}),
        [
            (
                "elbv2.create_rule",
                {
                    **{"ListenerArn": "arn:l", "Priority": 7, "Conditions": [{"Field": "f"}], "Tags": TAGGED},
                    "Actions": [
                        {
                            "Type": "forward",
                            "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP, "Weight": 1}]},
                        }
                    ],
                },
            )
        ],
    ),
    (
        "AWS::IAM::Role",
        {
            **{"AssumeRolePolicyDocument": TRUST, "Description": "d", "ManagedPolicyArns": ["arn:2", "arn:1"]},
            **{"Path": "/p/", "PermissionsBoundary": "arn:b", "RoleName": "own", "Tags": TAGS},
            "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": [1]}}],
        },
        ("own", {"Arn": "arn:role", "RoleId": "AROA1"}),
        [
            (
                "iam.create_role",
                {
                    **{"RoleName": "own", "AssumeRolePolicyDocument": json.dumps(TRUST), "Tags": TAGGED},
                    **{"Path": "/p/", "Description": "d", "PermissionsBoundary": "arn:b"},
                },
            ),
            ("iam.attach_role_policy", {"RoleName": "own", "PolicyArn": "arn:1"}),
            ("iam.attach_role_policy", {"RoleName": "own", "PolicyArn": "arn:2"}),
            ("iam.put_role_policy", {"RoleName": "own", "PolicyName": "p", "PolicyDocument": '{"Statement": [1]}'}),
            ("iam.get_role", {"RoleName": "own"}),
        ],
    ),
    (
        "AWS::IAM::Role",
        {"AssumeRolePolicyDocument": TRUST},
        (NAME, {"Arn": "arn:role", "RoleId": "AROA1"}),
        [
            (
                "iam.create_role",
                {"RoleName": NAME, "AssumeRolePolicyDocument": json.dumps(TRUST), "Tags": []},
            ),
            ("iam.get_role", {"RoleName": NAME}),
        ],
    ),
    (
        "AWS::IAM::InstanceProfile",
        {"InstanceProfileName": "own", "Path": "/p/", "Roles": ["r"]},
        ("own", {"Arn": "arn:profile"}),
        [
            ("iam.create_instance_profile", {"InstanceProfileName": "own", "Path": "/p/"}),
            ("iam.add_role_to_instance_profile", {"InstanceProfileName": "own", "RoleName": "r"}),
            ("iam.get_instance_profile", {"InstanceProfileName": "own"}),
        ],
    ),
    (
        "AWS::IAM::InstanceProfile",
        {"Roles": []},
        (NAME, {"Arn": "arn:profile"}),
        [
            ("iam.create_instance_profile", {"InstanceProfileName": NAME}),
            ("iam.get_instance_profile", {"InstanceProfileName": NAME}),
        ],
    ),
]


@pytest.mark.parametrize(("kind", "properties", "told", "calls"), MADE)
def test_a_resource_is_made(kind: str, properties: Properties, told: tuple[str, dict[str, str]], calls: Calls) -> None:
    account = FakeClients()
    assert account.resource(kind).create(NAME, properties) == told
    assert account.calls == calls


def test_every_type_is_made_above_and_in_its_fullest_form() -> None:
    # A property that no case gives could be dropped unnoticed.
    given: dict[str, set[str]] = {}
    for kind, properties, _, _ in MADE:
        given.setdefault(kind, set()).update(properties)
    given["AWS::EC2::Route"].add("NatGatewayId")  # a route has one of two ways
    assert given == {name: set(kind.properties) for name, kind in RESOURCE_TYPES.items()}


@pytest.mark.parametrize(
    ("kind", "required"), [(name, key) for name, kind in RESOURCE_TYPES.items() for key in kind.required]
)
def test_nothing_is_made_without_what_is_required(kind: str, required: str) -> None:
    whole = next(properties for name, properties, _, _ in MADE if name == kind)
    account = FakeClients()
    with pytest.raises(InvalidPropertyError) as refused:
        account.resource(kind).create(NAME, {key: whole[key] for key in whole if key != required})
    assert str(refused.value) == f"Properties validation failed: #: required key [{required}] not found"
    assert account.calls == []


RULE = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "c"}
PERMISSION = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "c"}]}
FORWARD = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP, "Weight": "2"}]}}]
FORWARDED = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP, "Weight": 2}]}}]


def retagged(identity: str) -> Calls:
    return [
        ("ec2.delete_tags", {"Resources": [identity], "Tags": [{"Key": "a"}]}),
        ("ec2.create_tags", {"Resources": [identity], "Tags": RETAGGED}),
    ]


def retagged_at_elb(identity: str) -> Calls:
    return [
        ("elbv2.remove_tags", {"ResourceArns": [identity], "TagKeys": ["a"]}),
        ("elbv2.add_tags", {"ResourceArns": [identity], "Tags": RETAGGED}),
    ]


def retagged_at_efs(identity: str) -> Calls:
    return [
        ("efs.untag_resource", {"ResourceId": identity, "TagKeys": ["a"]}),
        ("efs.tag_resource", {"ResourceId": identity, "Tags": RETAGGED}),
    ]


CHANGED: list[tuple[str, str, Properties, Properties, Calls]] = [
    (
        "AWS::EC2::VPC",
        "vpc-1",
        {"CidrBlock": "c", "EnableDnsSupport": True, "EnableDnsHostnames": True, "Tags": TAGS},
        {"CidrBlock": "c", "EnableDnsSupport": True, "EnableDnsHostnames": False, "Tags": RETAGGED},
        [
            *retagged("vpc-1"),
            ("ec2.modify_vpc_attribute", {"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": False}}),
        ],
    ),
    ("AWS::EC2::VPC", "vpc-1", {"CidrBlock": "c", "EnableDnsSupport": True}, {"CidrBlock": "c"}, []),
    (
        "AWS::EC2::Subnet",
        "s",
        {"VpcId": "v", "MapPublicIpOnLaunch": True, "Tags": TAGS},
        {"VpcId": "v", "Tags": RETAGGED},
        [
            *retagged("s"),
            ("ec2.modify_subnet_attribute", {"SubnetId": "s", "MapPublicIpOnLaunch": {"Value": False}}),
        ],
    ),
    (
        "AWS::EC2::Subnet",
        "s",
        {"VpcId": "v", "MapPublicIpOnLaunch": "True"},
        {"VpcId": "v", "MapPublicIpOnLaunch": True},
        [],
    ),
    ("AWS::EC2::VPCGatewayAttachment", "IGW|v", {"VpcId": "v"}, {"VpcId": "v"}, []),
    (
        "AWS::EC2::Route",
        "t|c",
        {"RouteTableId": "t", "DestinationCidrBlock": "c", "GatewayId": "i"},
        {"RouteTableId": "t", "DestinationCidrBlock": "c", "NatGatewayId": "n"},
        [("ec2.replace_route", {"RouteTableId": "t", "DestinationCidrBlock": "c", "NatGatewayId": "n"})],
    ),
    (
        "AWS::EC2::EIP",
        "1.2.3.4",
        {"Tags": TAGS},
        {"Tags": RETAGGED},
        [("ec2.describe_addresses", {}), *retagged("eipalloc-1"), ("ec2.describe_addresses", {})],
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "vpce-1",
        {"VpcId": "v", "RouteTableIds": ["t1", "t2", "t4"], "Tags": TAGS},
        {"VpcId": "v", "RouteTableIds": ["t5", "t2", "t3"], "Tags": RETAGGED},
        [
            *retagged("vpce-1"),
            (
                "ec2.modify_vpc_endpoint",
                {"VpcEndpointId": "vpce-1", "AddRouteTableIds": ["t3", "t5"], "RemoveRouteTableIds": ["t1", "t4"]},
            ),
        ],
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "vpce-1",
        {"VpcId": "v", "RouteTableIds": ["t1", "t2"]},
        {"VpcId": "v", "RouteTableIds": ["t2", "t1"]},
        [],
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "vpce-1",
        {"VpcId": "v"},
        {"VpcId": "v", "RouteTableIds": ["t"]},
        [
            (
                "ec2.modify_vpc_endpoint",
                {"VpcEndpointId": "vpce-1", "AddRouteTableIds": ["t"], "RemoveRouteTableIds": []},
            )
        ],
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "vpce-1",
        {"VpcId": "v", "RouteTableIds": ["t"]},
        {"VpcId": "v"},
        [
            (
                "ec2.modify_vpc_endpoint",
                {"VpcEndpointId": "vpce-1", "AddRouteTableIds": [], "RemoveRouteTableIds": ["t"]},
            )
        ],
    ),
    (
        "AWS::EC2::SecurityGroup",
        "sg-1",
        {"GroupDescription": "d", "SecurityGroupIngress": [RULE], "SecurityGroupEgress": [RULE], "Tags": TAGS},
        {"GroupDescription": "d", "SecurityGroupIngress": [RULE], "Tags": RETAGGED},
        [
            *retagged("sg-1"),
            ("ec2.revoke_security_group_egress", {"GroupId": "sg-1", "IpPermissions": [PERMISSION]}),
        ],
    ),
    (
        "AWS::EC2::SecurityGroupIngress",
        "sgr-1",
        {"GroupId": "sg-1", **RULE, "Description": "was"},
        {"GroupId": "sg-1", **RULE, "Description": "is"},
        [
            (
                "ec2.update_security_group_rule_descriptions_ingress",
                {
                    "GroupId": "sg-1",
                    "IpPermissions": [{**PERMISSION, "IpRanges": [{"CidrIp": "c", "Description": "is"}]}],
                },
            )
        ],
    ),
    ("AWS::EC2::SecurityGroupIngress", "sgr-1", {"GroupId": "sg-1", **RULE}, {"GroupId": "sg-1", **RULE}, []),
    (
        "AWS::ECS::Cluster",
        "c",
        {"Tags": TAGS},
        {"Tags": RETAGGED},
        [
            ("ecs.describe_clusters", {"clusters": ["c"]}),
            ("ecs.untag_resource", {"resourceArn": "arn:c", "tagKeys": ["a"]}),
            ("ecs.tag_resource", {"resourceArn": "arn:c", "tags": [{"key": "b", "value": "3"}]}),
            ("ecs.describe_clusters", {"clusters": ["c"]}),
        ],
    ),
    (
        "AWS::ECS::Cluster",
        "c",
        {"Tags": TAGS},
        {"Tags": TAGS},
        [("ecs.describe_clusters", {"clusters": ["c"]}), ("ecs.describe_clusters", {"clusters": ["c"]})],
    ),
    (
        "AWS::Logs::LogGroup",
        "/g",
        {"RetentionInDays": 30, "Tags": TAGS},
        {"Tags": RETAGGED},
        [
            ("logs.delete_retention_policy", {"logGroupName": "/g"}),
            ("logs.describe_log_groups", {"logGroupNamePrefix": "/g"}),
            ("logs.untag_resource", {"resourceArn": "arn:/g", "tagKeys": ["a"]}),
            ("logs.tag_resource", {"resourceArn": "arn:/g", "tags": {"b": "3"}}),
            ("logs.describe_log_groups", {"logGroupNamePrefix": "/g"}),
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        "/g",
        {"RetentionInDays": 30, "Tags": TAGS},
        {"RetentionInDays": 30, "Tags": TAGS},
        [
            ("logs.describe_log_groups", {"logGroupNamePrefix": "/g"}),
            ("logs.describe_log_groups", {"logGroupNamePrefix": "/g"}),
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        "/g",
        {"LogGroupName": "/g"},
        {"LogGroupName": "/g", "RetentionInDays": 3653},
        [
            ("logs.put_retention_policy", {"logGroupName": "/g", "retentionInDays": 3653}),
            ("logs.describe_log_groups", {"logGroupNamePrefix": "/g"}),
            ("logs.describe_log_groups", {"logGroupNamePrefix": "/g"}),
        ],
    ),
    (
        "AWS::EFS::FileSystem",
        "fs-1",
        {"BackupPolicy": {"Status": "ENABLED"}, "ThroughputMode": "elastic", "FileSystemTags": TAGS},
        {"FileSystemTags": RETAGGED},
        [
            ("efs.put_backup_policy", {"FileSystemId": "fs-1", "BackupPolicy": {"Status": "DISABLED"}}),
            ("efs.update_file_system", {"FileSystemId": "fs-1", "ThroughputMode": "bursting"}),
            *retagged_at_efs("fs-1"),
            ("efs.describe_file_systems", {"FileSystemId": "fs-1"}),
        ],
    ),
    (
        "AWS::EFS::FileSystem",
        "fs-1",
        {"ThroughputMode": "bursting", "FileSystemTags": TAGS},
        {"ThroughputMode": "elastic", "FileSystemTags": TAGS},
        [
            ("efs.update_file_system", {"FileSystemId": "fs-1", "ThroughputMode": "elastic"}),
            ("efs.describe_file_systems", {"FileSystemId": "fs-1"}),
        ],
    ),
    (
        "AWS::EFS::FileSystem",
        "fs-1",
        {"ThroughputMode": "elastic"},
        {"ThroughputMode": "elastic"},
        [("efs.describe_file_systems", {"FileSystemId": "fs-1"})],
    ),
    (
        "AWS::EFS::MountTarget",
        "fsmt-1",
        {"FileSystemId": "fs-1", "SecurityGroups": ["sg-1"], "SubnetId": "s"},
        {"FileSystemId": "fs-1", "SecurityGroups": ["sg-2"], "SubnetId": "s"},
        [
            ("efs.modify_mount_target_security_groups", {"MountTargetId": "fsmt-1", "SecurityGroups": ["sg-2"]}),
            ("efs.describe_mount_targets", {"MountTargetId": "fsmt-1"}),
        ],
    ),
    (
        "AWS::EFS::AccessPoint",
        "fsap-1",
        {"FileSystemId": "fs-1", "AccessPointTags": TAGS},
        {"FileSystemId": "fs-1", "AccessPointTags": RETAGGED},
        [*retagged_at_efs("fsap-1"), ("efs.describe_access_points", {"AccessPointId": "fsap-1"})],
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        BALANCER,
        {"Subnets": ["s1"], "SecurityGroups": ["g1"], "Tags": TAGS},
        {"Subnets": ["s2"], "SecurityGroups": ["g2"], "Tags": RETAGGED},
        [
            ("elbv2.set_subnets", {"LoadBalancerArn": BALANCER, "Subnets": ["s2"]}),
            ("elbv2.set_security_groups", {"LoadBalancerArn": BALANCER, "SecurityGroups": ["g2"]}),
            *retagged_at_elb(BALANCER),
            ("elbv2.describe_load_balancers", {"LoadBalancerArns": [BALANCER]}),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        BALANCER,
        {"Subnets": ["s1"], "Tags": TAGS},
        {"Subnets": ["s1"], "Tags": TAGS},
        [("elbv2.describe_load_balancers", {"LoadBalancerArns": [BALANCER]})],
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        GROUP,
        {"Port": 80, "HealthCheckPath": "/", "TargetGroupAttributes": [1], "Tags": TAGS},
        {
            **{"Port": 80, "HealthCheckPath": "/ping", "HealthyThresholdCount": "2", "Tags": RETAGGED},
            "TargetGroupAttributes": [2],
        },
        [
            ("elbv2.modify_target_group_attributes", {"TargetGroupArn": GROUP, "Attributes": [2]}),
            (
                "elbv2.modify_target_group",
                {"TargetGroupArn": GROUP, "HealthCheckPath": "/ping", "HealthyThresholdCount": 2},
            ),
            *retagged_at_elb(GROUP),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        GROUP,
        {"HealthyThresholdCount": "2", "TargetGroupAttributes": [1]},
        {"HealthyThresholdCount": 2, "TargetGroupAttributes": [1]},
        [],
    ),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", GROUP, {"TargetGroupAttributes": [1]}, {"Port": 80}, []),
    (
        "AWS::ElasticLoadBalancingV2::Listener",
        "arn:l",
        {"DefaultActions": [{"Type": "t"}], "LoadBalancerArn": BALANCER, "Port": 80, "Tags": TAGS},
        {"DefaultActions": FORWARD, "LoadBalancerArn": BALANCER, "Port": "81", "Tags": RETAGGED},
        [
            ("elbv2.modify_listener", {"ListenerArn": "arn:l", "Port": 81, "DefaultActions": FORWARDED}),
            *retagged_at_elb("arn:l"),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::Listener",
        "arn:l",
        {"DefaultActions": FORWARD, "LoadBalancerArn": BALANCER, "Port": 80},
        {"DefaultActions": FORWARDED, "LoadBalancerArn": BALANCER, "Port": "80"},
        [],
    ),
    (
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        "arn:r",
        {"Actions": [{"Type": "t"}], "Conditions": [], "Priority": 1, "Tags": TAGS},
        {"Actions": FORWARD, "Conditions": [], "Priority": "2", "Tags": RETAGGED},
        [
            ("elbv2.set_rule_priorities", {"RulePriorities": [{"RuleArn": "arn:r", "Priority": 2}]}),
            ("elbv2.modify_rule", {"RuleArn": "arn:r", "Conditions": [], "Actions": FORWARDED}),
            *retagged_at_elb("arn:r"),
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        "arn:r",
        {"Actions": FORWARD, "Conditions": [1], "Priority": "1"},
        {"Actions": FORWARD, "Conditions": [2], "Priority": 1},
        [("elbv2.modify_rule", {"RuleArn": "arn:r", "Conditions": [2], "Actions": FORWARDED})],
    ),
    (
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        "arn:r",
        {"Actions": FORWARD, "Conditions": [1], "Priority": "1"},
        {"Actions": FORWARD, "Conditions": [1], "Priority": 1},
        [],
    ),
    (
        "AWS::IAM::Role",
        "r",
        {
            **{"AssumeRolePolicyDocument": {}, "Description": "was", "PermissionsBoundary": "arn:b", "Tags": TAGS},
            "ManagedPolicyArns": ["arn:1", "arn:2", "arn:4"],
            "Policies": [{"PolicyName": name, "PolicyDocument": {}} for name in ("gone", "same", "other")],
        },
        {
            **{"AssumeRolePolicyDocument": TRUST, "Tags": RETAGGED},
            "ManagedPolicyArns": ["arn:5", "arn:2", "arn:3"],
            "Policies": [
                {"PolicyName": "same", "PolicyDocument": {}},
                {"PolicyName": "other", "PolicyDocument": {"Statement": []}},
            ],
        },
        [
            ("iam.update_assume_role_policy", {"RoleName": "r", "PolicyDocument": json.dumps(TRUST)}),
            ("iam.update_role", {"RoleName": "r", "Description": ""}),
            ("iam.delete_role_permissions_boundary", {"RoleName": "r"}),
            ("iam.untag_role", {"RoleName": "r", "TagKeys": ["a"]}),
            ("iam.tag_role", {"RoleName": "r", "Tags": RETAGGED}),
            ("iam.attach_role_policy", {"RoleName": "r", "PolicyArn": "arn:3"}),
            ("iam.attach_role_policy", {"RoleName": "r", "PolicyArn": "arn:5"}),
            ("iam.detach_role_policy", {"RoleName": "r", "PolicyArn": "arn:1"}),
            ("iam.detach_role_policy", {"RoleName": "r", "PolicyArn": "arn:4"}),
            ("iam.put_role_policy", {"RoleName": "r", "PolicyName": "other", "PolicyDocument": '{"Statement": []}'}),
            ("iam.delete_role_policy", {"RoleName": "r", "PolicyName": "gone"}),
            ("iam.get_role", {"RoleName": "r"}),
        ],
    ),
    (
        "AWS::IAM::Role",
        "r",
        {"AssumeRolePolicyDocument": TRUST, "Tags": TAGS},
        {"AssumeRolePolicyDocument": TRUST, "Description": "is", "PermissionsBoundary": "arn:b", "Tags": TAGS},
        [
            ("iam.update_role", {"RoleName": "r", "Description": "is"}),
            ("iam.put_role_permissions_boundary", {"RoleName": "r", "PermissionsBoundary": "arn:b"}),
            ("iam.get_role", {"RoleName": "r"}),
        ],
    ),
    (
        "AWS::IAM::InstanceProfile",
        "p",
        {"Roles": ["a", "b"]},
        {"Roles": ["b", "c"]},
        [
            ("iam.remove_role_from_instance_profile", {"InstanceProfileName": "p", "RoleName": "a"}),
            ("iam.add_role_to_instance_profile", {"InstanceProfileName": "p", "RoleName": "c"}),
            ("iam.get_instance_profile", {"InstanceProfileName": "p"}),
        ],
    ),
]


@pytest.mark.parametrize(("kind", "identity", "old", "new", "calls"), CHANGED)
def test_a_resource_changes_by_what_differs_alone(
    kind: str, identity: str, old: Properties, new: Properties, calls: Calls
) -> None:
    account = FakeClients()
    same, attributes = account.resource(kind).update(identity, old, new)
    assert (same, account.calls) == (identity, calls)
    assert attributes.keys() == next(told[1] for name, _, told, _ in MADE if name == kind).keys()


def test_an_updated_resource_is_held_against_its_schema_too() -> None:
    account = FakeClients()
    with pytest.raises(InvalidPropertyError) as refused:
        account.resource("AWS::EC2::VPC").update("vpc-1", {}, {"Ipv4IpamPoolId": "p"})
    assert str(refused.value) == "Encountered unsupported property Ipv4IpamPoolId (the sandbox does not know it)"
    assert account.calls == []


@pytest.mark.parametrize(
    ("kind", "identity", "properties", "calls"),
    [
        ("AWS::EC2::VPC", "vpc-1", {}, [("ec2.delete_vpc", {"VpcId": "vpc-1"})]),
        ("AWS::EC2::Subnet", "s", {}, [("ec2.delete_subnet", {"SubnetId": "s"})]),
        ("AWS::EC2::InternetGateway", "i", {}, [("ec2.delete_internet_gateway", {"InternetGatewayId": "i"})]),
        (
            "AWS::EC2::VPCGatewayAttachment",
            "IGW|v",
            {"VpcId": "v", "InternetGatewayId": "i"},
            [("ec2.detach_internet_gateway", {"VpcId": "v", "InternetGatewayId": "i"})],
        ),
        ("AWS::EC2::RouteTable", "t", {}, [("ec2.delete_route_table", {"RouteTableId": "t"})]),
        (
            "AWS::EC2::Route",
            "t|c",
            {"RouteTableId": "t", "DestinationCidrBlock": "c", "GatewayId": "i"},
            [("ec2.delete_route", {"RouteTableId": "t", "DestinationCidrBlock": "c"})],
        ),
        (
            "AWS::EC2::SubnetRouteTableAssociation",
            "a",
            {},
            [("ec2.disassociate_route_table", {"AssociationId": "a"})],
        ),
        (
            "AWS::EC2::EIP",
            "1.2.3.4",
            {},
            [("ec2.describe_addresses", {}), ("ec2.release_address", {"AllocationId": "eipalloc-1"})],
        ),
        ("AWS::EC2::NatGateway", "n", {}, [("ec2.delete_nat_gateway", {"NatGatewayId": "n"})]),
        ("AWS::EC2::VPCEndpoint", "e", {}, [("ec2.delete_vpc_endpoints", {"VpcEndpointIds": ["e"]})]),
        ("AWS::EC2::SecurityGroup", "sg-1", {}, [("ec2.delete_security_group", {"GroupId": "sg-1"})]),
        (
            "AWS::EC2::SecurityGroupIngress",
            "sgr-1",
            {"GroupId": "sg-1", **RULE},
            [("ec2.revoke_security_group_ingress", {"GroupId": "sg-1", "IpPermissions": [PERMISSION]})],
        ),
        ("AWS::ECS::Cluster", "c", {}, [("ecs.delete_cluster", {"cluster": "c"})]),
        ("AWS::Logs::LogGroup", "/g", {}, [("logs.delete_log_group", {"logGroupName": "/g"})]),
        ("AWS::EFS::FileSystem", "fs-1", {}, [("efs.delete_file_system", {"FileSystemId": "fs-1"})]),
        ("AWS::EFS::MountTarget", "m", {}, [("efs.delete_mount_target", {"MountTargetId": "m"})]),
        ("AWS::EFS::AccessPoint", "a", {}, [("efs.delete_access_point", {"AccessPointId": "a"})]),
        (
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            BALANCER,
            {},
            [("elbv2.delete_load_balancer", {"LoadBalancerArn": BALANCER})],
        ),
        (
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            GROUP,
            {},
            [("elbv2.delete_target_group", {"TargetGroupArn": GROUP})],
        ),
        ("AWS::ElasticLoadBalancingV2::Listener", "l", {}, [("elbv2.delete_listener", {"ListenerArn": "l"})]),
        ("AWS::ElasticLoadBalancingV2::ListenerRule", "r", {}, [("elbv2.delete_rule", {"RuleArn": "r"})]),
        (
            "AWS::IAM::Role",
            "r",
            {},
            [
                ("iam.list_attached_role_policies", {"RoleName": "r"}),
                ("iam.detach_role_policy", {"RoleName": "r", "PolicyArn": "arn:p"}),
                ("iam.list_role_policies", {"RoleName": "r"}),
                ("iam.delete_role_policy", {"RoleName": "r", "PolicyName": "q"}),
                ("iam.delete_role", {"RoleName": "r"}),
            ],
        ),
        (
            "AWS::IAM::InstanceProfile",
            "p",
            {"Roles": ["r"]},
            [
                ("iam.remove_role_from_instance_profile", {"InstanceProfileName": "p", "RoleName": "r"}),
                ("iam.delete_instance_profile", {"InstanceProfileName": "p"}),
            ],
        ),
    ],
)
def test_a_resource_is_removed(kind: str, identity: str, properties: Properties, calls: Calls) -> None:
    account = FakeClients()
    account.resource(kind).delete(identity, properties)
    assert account.calls == calls


def test_an_instance_profile_goes_though_its_role_has_left_it() -> None:
    account = FakeClients({"iam.remove_role_from_instance_profile": NotThereError()})
    account.resource("AWS::IAM::InstanceProfile").delete("p", {"Roles": ["r"]})
    assert account.calls[-1] == ("iam.delete_instance_profile", {"InstanceProfileName": "p"})


def test_what_could_not_be_described_is_removed_again() -> None:
    account = FakeClients({"efs.describe_mount_targets": PermissionError()})
    asked = {"FileSystemId": "fs-1", "SecurityGroups": [], "SubnetId": "s"}
    with pytest.raises(PermissionError):
        account.resource("AWS::EFS::MountTarget").create(NAME, asked)
    assert account.calls[-1] == ("efs.delete_mount_target", {"MountTargetId": "fsmt-1"})


#: Of "Valid Values" of RetentionInDays in the reference of AWS::Logs::LogGroup.
DAYS = (*(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731), *(1096, 1827, 2192, 2557, 2922, 3288, 3653))


def test_logs_are_kept_as_long_as_aws_knows_and_no_other_time() -> None:
    account, kept = FakeClients(), []
    group = account.resource("AWS::Logs::LogGroup")
    for days in range(3660):
        try:
            group._check({"RetentionInDays": days})
            kept.append(days)
        except InvalidPropertyError as refused:
            assert str(refused) == (
                f"Properties validation failed: #/RetentionInDays: #: {days} is not a valid enum value"
            )
    assert kept == list(DAYS)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("x" * 32, "x" * 32),
        ("x" * 33 + "-END", "x" * 28 + "-END"),
        ("stack-LoadBalancer-and-more-123456789012", "stack-LoadBalancer-123456789012"),
    ],
)
def test_a_generated_name_has_at_most_32_characters(name: str, short: str) -> None:
    assert load_balancing.short_name(name) == short
