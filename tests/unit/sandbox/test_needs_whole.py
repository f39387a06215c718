"""All that AWS asks of policies for a request: actions, resources and condition keys, in their order."""

from typing import Any

import pytest

from model_sandbox.needs import SERVICES, Need, needs
from model_sandbox.resources import Call, last

A = "arn:aws"
HERE = "us-east-1:123456789012"
ROLE = f"{A}:iam::123456789012:role/r"
READ = "arn:read"


def asked(action: str, params: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Ask about a request, of which ministack reads the resource READ."""
    found = needs(Call(action, params, "123456789012", "us-east-1", READ))
    return [(need.action, need.resource, dict(need.context)) for need in found]


@pytest.mark.parametrize(
    ("action", "params", "resources"),
    [
        ("ecs:CreateCluster", {}, [f"{A}:ecs:{HERE}:cluster/default"]),
        ("ecs:DescribeClusters", {}, [f"{A}:ecs:{HERE}:cluster/default"]),
        *(
            (f"ecs:{name}", {"cluster": "c"}, [f"{A}:ecs:{HERE}:cluster/c"])
            for name in ("DeleteCluster", "UpdateCluster", "PutClusterCapacityProviders")
        ),
        ("ecs:DeleteCluster", {}, [f"{A}:ecs:{HERE}:cluster/default"]),
        ("ecs:RunTask", {"taskDefinition": "f:1"}, [f"{A}:ecs:{HERE}:task-definition/f:1"]),
        ("ecs:RunTask", {"taskDefinition": "arn:t"}, ["arn:t"]),
        (
            *("ecs:DeleteTaskDefinitions", {"taskDefinitions": ["f:1", "arn:t"]}),
            [f"{A}:ecs:{HERE}:task-definition/f:1", "arn:t"],
        ),
        ("ecs:DeleteTaskDefinitions", {}, ["*"]),
        ("ecs:DeleteService", {"service": "s"}, [f"{A}:ecs:{HERE}:service/default/s"]),
        ("ecs:ListServiceDeployments", {"cluster": "c", "service": "s"}, [f"{A}:ecs:{HERE}:service/c/s"]),
        ("ecs:DescribeServices", {"services": ["s", "s", "t"]}, [f"{A}:ecs:{HERE}:service/default/{n}" for n in "st"]),
        ("ecs:DescribeServices", {}, ["*"]),
        ("ecs:DescribeServiceRevisions", {"serviceRevisionArns": ["arn:r"]}, ["arn:r"]),
        ("ecs:DescribeServiceDeployments", {}, ["*"]),
        ("ecs:DescribeTasks", {"tasks": ["1"]}, [f"{A}:ecs:{HERE}:task/default/1"]),
        ("ecs:DescribeTasks", {}, ["*"]),
        ("ecs:StopTask", {"cluster": "c", "task": "1"}, [f"{A}:ecs:{HERE}:task/c/1"]),
        ("ecs:UntagResource", {"resourceArn": "arn:x"}, ["arn:x"]),
        ("ecs:ListTagsForResource", {"resourceArn": "arn:x"}, ["arn:x"]),
        ("batch:DeregisterJobDefinition", {"jobDefinition": "d:1"}, [f"{A}:batch:{HERE}:job-definition/d:1"]),
        *(
            (f"batch:{name}ComputeEnvironment", {key: "e"}, [f"{A}:batch:{HERE}:compute-environment/e"])
            for name, key in (("Create", "computeEnvironmentName"), ("Update", "computeEnvironment"))
        ),
        ("batch:UpdateJobQueue", {"jobQueue": "q"}, [f"{A}:batch:{HERE}:job-queue/q"]),
        ("batch:TerminateJob", {"jobId": "1"}, [f"{A}:batch:{HERE}:job/1"]),
        ("batch:CancelJob", {"jobId": "1"}, [f"{A}:batch:{HERE}:job/1"]),
        ("batch:ListJobs", {}, ["*"]),
        *(
            (f"ec2:Create{name}", {}, [f"{A}:ec2:{HERE}:{kind}/*", READ])
            for name, kind in (
                *(("Vpc", "vpc"), ("Subnet", "subnet"), ("InternetGateway", "internet-gateway")),
                *(("NatGateway", "natgateway"), ("RouteTable", "route-table")),
                *(("SecurityGroup", "security-group"), ("VpcEndpoint", "vpc-endpoint")),
            )
        ),
        ("ec2:DeleteVpc", {}, [READ]),
        ("ec2:DescribeVpcs", {}, ["*"]),
        (
            *("iam:CreateServiceLinkedRole", {"AWSServiceName": "ecs.amazonaws.com"}),
            [f"{A}:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRole"],
        ),
        ("iam:ListRoles", {}, [READ]),
        ("iam:GetRole", {"RoleName": "r"}, [ROLE]),
        *(
            (
                *(f"logs:{name}", {"logGroupName": "/g", "logStreamName": "s"}),
                [f"{A}:logs:{HERE}:log-group:/g:log-stream:s"],
            )
            for name in ("PutLogEvents", "DeleteLogStream", "CreateLogStream")
        ),
        (
            *("logs:FilterLogEvents", {"logGroupIdentifier": f"{A}:logs:{HERE}:log-group:/g"}),
            [f"{A}:logs:{HERE}:log-group:/g:*"],
        ),
        ("logs:TagResource", {"resourceArn": "arn:x"}, ["arn:x"]),
        ("logs:DescribeLogGroups", {}, [READ]),
        ("ecr:DeleteRepository", {"repositoryName": "a"}, [f"{A}:ecr:{HERE}:repository/a"]),
        ("ecr:TagResource", {"resourceArn": "arn:x"}, ["arn:x"]),
        (
            "elasticfilesystem:CreateAccessPoint",
            {"FileSystemId": "fs"},
            [f"{A}:elasticfilesystem:{HERE}:file-system/fs"],
        ),
        ("elasticfilesystem:DeleteFileSystem", {}, [READ]),
        ("elasticfilesystem:DescribeFileSystems", {}, ["*"]),
        ("elasticfilesystem:DescribeMountTargetSecurityGroups", {}, [READ]),
        ("elasticloadbalancing:RemoveTags", {"ResourceArns.member.1": "a", "TagKeys.member.1": "b"}, ["a"]),
        *(
            (f"elasticloadbalancing:Delete{name}", {f"{name}Arn": "arn:x"}, ["arn:x"])
            for name in ("Rule", "Listener", "LoadBalancer", "TargetGroup")
        ),
        ("elasticloadbalancing:ModifyRule", {"TargetGroupArn": "arn:t", "RuleArn": "arn:r"}, ["arn:r"]),
        ("elasticloadbalancing:SetSubnets", {}, [READ]),
        ("elasticloadbalancing:DescribeRules", {"ListenerArn": "arn:l"}, ["*"]),
        *(
            (f"application-autoscaling:{name}", {"ResourceARN": "arn:x"}, ["arn:x"])
            for name in ("TagResource", "UntagResource", "ListTagsForResource")
        ),
        ("lambda:InvokeFunction", {}, [READ]),
        ("cloudformation:CreateStack", {"StackName": "s"}, [f"{A}:cloudformation:{HERE}:stack/s/*"]),
        ("cloudformation:ListExports", {"StackName": "s"}, ["*"]),
        ("cloudformation:ListStacks", {"StackName": "s"}, ["*"]),
        ("cloudformation:DescribeChangeSet", {}, [READ]),
        ("guardduty:CreateDetector", {}, [READ]),
        ("s3:PutObject", {}, [READ]),
    ],
)
def test_resources(action: str, params: dict[str, Any], resources: list[str]) -> None:
    assert asked(action, params) == [(action, resource, {}) for resource in resources]


BALANCER = f"{A}:elasticloadbalancing:{HERE}:loadbalancer/app/b/*"


@pytest.mark.parametrize(
    ("action", "params", "whole"),
    [
        (
            *("ecs:CreateCluster", {"clusterName": "c", "tags": [{"key": "a"}, {"key": "b"}]}),
            [
                ("ecs:CreateCluster", f"{A}:ecs:{HERE}:cluster/c", {"aws:TagKeys": ["a", "b"]}),
                (
                    *("ecs:TagResource", f"{A}:ecs:{HERE}:cluster/c"),
                    {"aws:TagKeys": ["a", "b"], "ecs:CreateAction": "CreateCluster"},
                ),
            ],
        ),
        (
            *("elasticfilesystem:CreateAccessPoint", {"FileSystemId": "fs", "Tags": [{"Key": "a"}]}),
            [
                (
                    *("elasticfilesystem:CreateAccessPoint", f"{A}:elasticfilesystem:{HERE}:file-system/fs"),
                    {"aws:TagKeys": ["a"]},
                ),
                (
                    *("elasticfilesystem:TagResource", f"{A}:elasticfilesystem:{HERE}:access-point/*"),
                    {"aws:TagKeys": ["a"], "elasticfilesystem:CreateAction": "CreateAccessPoint"},
                ),
            ],
        ),
        (
            *("elasticfilesystem:CreateFileSystem", {"Tags": [{"Key": "a"}]}),
            [
                ("elasticfilesystem:CreateFileSystem", READ, {"aws:TagKeys": ["a"]}),
                (
                    *("elasticfilesystem:TagResource", f"{A}:elasticfilesystem:{HERE}:file-system/*"),
                    {"aws:TagKeys": ["a"], "elasticfilesystem:CreateAction": "CreateFileSystem"},
                ),
            ],
        ),
        (
            "ec2:CreateVpc",
            {"TagSpecification.1.ResourceType": "vpc", "TagSpecification.2.ResourceType": "subnet", "Vpc": "x"},
            [
                *(("ec2:CreateVpc", f"{A}:ec2:{HERE}:vpc/*", {}), ("ec2:CreateVpc", READ, {})),
                ("ec2:CreateTags", f"{A}:ec2:{HERE}:subnet/*", {"ec2:CreateAction": "CreateVpc"}),
                ("ec2:CreateTags", f"{A}:ec2:{HERE}:vpc/*", {"ec2:CreateAction": "CreateVpc"}),
            ],
        ),
        (
            *("elasticloadbalancing:CreateTargetGroup", {"Name": "g", "Tags.member.1.Key": "a"}),
            [
                (
                    "elasticloadbalancing:CreateTargetGroup",
                    *(f"{A}:elasticloadbalancing:{HERE}:targetgroup/g/*", {}),
                ),
                (
                    *("elasticloadbalancing:AddTags", f"{A}:elasticloadbalancing:{HERE}:targetgroup/g/*"),
                    {"elasticloadbalancing:CreateAction": "CreateTargetGroup"},
                ),
            ],
        ),
        (
            *("iam:CreateInstanceProfile", {"InstanceProfileName": "p", "Tags.member.1.Key": "a"}),
            [
                ("iam:CreateInstanceProfile", f"{A}:iam::123456789012:instance-profile/p", {}),
                ("iam:TagInstanceProfile", f"{A}:iam::123456789012:instance-profile/p", {}),
            ],
        ),
        ("iam:TagRole", {"RoleName": "r", "Tags.member.1.Key": "a"}, [("iam:TagRole", ROLE, {})]),
        (
            *("batch:UntagResource", {"tagKeys": ["a"], "tags": {}}),
            [("batch:UntagResource", "*", {"aws:TagKeys": ["a"]})],
        ),
        (
            *("elasticfilesystem:UntagResource", {"TagKeys": ["a"]}),
            [("elasticfilesystem:UntagResource", READ, {"aws:TagKeys": ["a"]})],
        ),
        (
            "ecs:RegisterTaskDefinition",
            {"family": "f", "taskRoleArn": "other", "executionRoleArn": ROLE},
            [
                ("ecs:RegisterTaskDefinition", f"{A}:ecs:{HERE}:task-definition/f:*", {}),
                (
                    *("iam:PassRole", f"{A}:iam::123456789012:role/other"),
                    {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
                ),
                ("iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}),
            ],
        ),
        (
            *(
                "batch:RegisterJobDefinition",
                {"jobDefinitionName": "j", "containerProperties": {"executionRoleArn": ROLE}},
            ),
            [
                ("batch:RegisterJobDefinition", f"{A}:batch:{HERE}:job-definition/j", {}),
                ("iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}),
            ],
        ),
        (
            "batch:UpdateComputeEnvironment",
            {"computeEnvironment": "e", "serviceRole": ROLE, "computeResources": {"instanceRole": "x/r"}},
            [
                ("batch:UpdateComputeEnvironment", f"{A}:batch:{HERE}:compute-environment/e", {}),
                ("iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
                ("iam:PassRole", ROLE, {"iam:PassedToService": "batch.amazonaws.com"}),
            ],
        ),
        (
            *("ecs:UpdateService", {"service": "s", "loadBalancers": [{}, {"advancedConfiguration": None}]}),
            [("ecs:UpdateService", f"{A}:ecs:{HERE}:service/default/s", {})],
        ),
        (
            *("elasticfilesystem:CreateMountTarget", {"FileSystemId": "fs"}),
            [
                ("elasticfilesystem:CreateMountTarget", f"{A}:elasticfilesystem:{HERE}:file-system/fs", {}),
                *(
                    (f"ec2:{name}", "*", {})
                    for name in ("DescribeSubnets", "DescribeNetworkInterfaces", "CreateNetworkInterface")
                ),
            ],
        ),
        (
            *("elasticfilesystem:DeleteMountTarget", {}),
            [("elasticfilesystem:DeleteMountTarget", READ, {}), ("ec2:DeleteNetworkInterface", "*", {})],
        ),
        (
            *("elasticloadbalancing:CreateLoadBalancer", {"Name": "b"}),
            [
                ("elasticloadbalancing:CreateLoadBalancer", BALANCER, {}),
                *(
                    (f"ec2:Describe{name}", "*", {})
                    for name in (
                        *("AccountAttributes", "Addresses", "InternetGateways", "SecurityGroups", "Subnets", "Vpcs"),
                    )
                ),
            ],
        ),
        (
            *("application-autoscaling:RegisterScalableTarget", {"ResourceId": "service/c/s"}),
            [
                (
                    "application-autoscaling:RegisterScalableTarget",
                    *(f"{A}:application-autoscaling:{HERE}:scalable-target/*", {}),
                ),
                ("ecs:DescribeServices", f"{A}:ecs:{HERE}:service/c/s", {}),
                ("ecs:UpdateService", f"{A}:ecs:{HERE}:service/c/s", {}),
            ],
        ),
        (
            *("application-autoscaling:PutScalingPolicy", {}),
            [
                (
                    "application-autoscaling:PutScalingPolicy",
                    *(f"{A}:application-autoscaling:{HERE}:scalable-target/*", {}),
                ),
                *((f"cloudwatch:{name}", "*", {}) for name in ("DescribeAlarms", "PutMetricAlarm")),
            ],
        ),
        (
            *("application-autoscaling:DeregisterScalableTarget", {}),
            [
                (
                    "application-autoscaling:DeregisterScalableTarget",
                    *(f"{A}:application-autoscaling:{HERE}:scalable-target/*", {}),
                ),
                ("cloudwatch:DeleteAlarms", "*", {}),
            ],
        ),
        (
            *("ecs:CreateCluster", {"RoleARN": ROLE, "PermissionsBoundary": "b", "PolicyArn": "p"}),
            [("ecs:CreateCluster", f"{A}:ecs:{HERE}:cluster/default", {})],
        ),
    ],
)
def test_all_needs_of_a_request(
    action: str, params: dict[str, Any], whole: list[tuple[str, str, dict[str, Any]]]
) -> None:
    assert asked(action, params) == whole


def test_which_services_are_known_and_how_names_are_read() -> None:
    assert {"ecs", "batch", "s3", "guardduty"} <= set(SERVICES)
    assert (last("a/b/c"), last("c"), last(None)) == ("c", "c", "None")
    assert Need("a", "b").context == {}
    call = Call("ecs:CreateService", {}, "1", "r")
    assert (call.service, call.operation, call.resource) == ("ecs", "CreateService", "*")
    assert (call.arn("x/y"), call.arn("x/y", "iam"), call.named("k", 7)) == (
        *("arn:aws:ecs:r:1:x/y", "arn:aws:iam::1:x/y"),
        "arn:aws:ecs:r:1:k/7",
    )
