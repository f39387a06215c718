"""The policies are asked for each request as AWS asks them, by the Service Authorization Reference."""

from typing import Any

import pytest

from model_sandbox.needs import needs
from model_sandbox.resources import Call

A = "arn:aws"
HERE = "us-east-1:123456789012"
ROLE = f"{A}:iam::123456789012:role/r"


def asked(action: str, params: dict[str, Any], resource: str = "*") -> list[tuple[str, str]]:
    call = Call(action, params, "123456789012", "us-east-1", resource)
    return [(need.action, need.resource) for need in needs(call)]


@pytest.mark.parametrize(
    ("action", "params", "resources"),
    [
        ("ecs:CreateCluster", {"clusterName": "c"}, [f"{A}:ecs:{HERE}:cluster/c"]),
        ("ecs:DescribeClusters", {"clusters": ["c", "d"]}, [f"{A}:ecs:{HERE}:cluster/c", f"{A}:ecs:{HERE}:cluster/d"]),
        ("ecs:RegisterTaskDefinition", {"family": "f"}, [f"{A}:ecs:{HERE}:task-definition/f:*"]),
        ("ecs:DescribeTaskDefinition", {"taskDefinition": "f:3"}, ["*"]),
        ("ecs:CreateService", {"cluster": "c", "serviceName": "s"}, [f"{A}:ecs:{HERE}:service/c/s"]),
        (
            "ecs:UpdateService",
            {"cluster": f"{A}:ecs:{HERE}:cluster/c", "service": "s"},
            [f"{A}:ecs:{HERE}:service/c/s"],
        ),
        ("ecs:DescribeServices", {"cluster": "c", "services": ["s"]}, [f"{A}:ecs:{HERE}:service/c/s"]),
        ("ecs:DescribeServiceDeployments", {"serviceDeploymentArns": ["arn:x"]}, ["arn:x"]),
        ("ecs:ListTasks", {"cluster": "c"}, ["*"]),
        ("ecs:DescribeTasks", {"cluster": "c", "tasks": ["1"]}, [f"{A}:ecs:{HERE}:task/c/1"]),
        ("ecs:TagResource", {"resourceArn": "arn:x", "tags": [1]}, ["arn:x"]),
        ("batch:RegisterJobDefinition", {"jobDefinitionName": "j"}, [f"{A}:batch:{HERE}:job-definition/j"]),
        ("batch:DescribeJobs", {"jobs": ["1"]}, ["*"]),
        (
            "batch:CreateJobQueue",
            {"jobQueueName": "q", "computeEnvironmentOrder": [{"computeEnvironment": "e"}]},
            [f"{A}:batch:{HERE}:job-queue/q", f"{A}:batch:{HERE}:compute-environment/e"],
        ),
        (
            "batch:SubmitJob",
            {"jobQueue": "q", "jobDefinition": "arn:aws:batch:r:1:job-definition/j:2"},
            [f"{A}:batch:{HERE}:job-queue/q", "arn:aws:batch:r:1:job-definition/j:2", f"{A}:batch:{HERE}:job/*"],
        ),
        ("ecr:DescribeRepositories", {"repositoryNames": ["a/b"]}, [f"{A}:ecr:{HERE}:repository/a/b"]),
        ("ecr:GetAuthorizationToken", {}, ["*"]),
        (
            "logs:GetLogEvents",
            {"logGroupName": "/g", "logStreamName": "s"},
            [f"{A}:logs:{HERE}:log-group:/g:log-stream:s"],
        ),
        ("logs:PutRetentionPolicy", {"logGroupName": "/g"}, [f"{A}:logs:{HERE}:log-group:/g:*"]),
        ("logs:DeleteLogGroup", {"logGroupName": "/g"}, [f"{A}:logs:{HERE}:log-group:/g:*"]),
        (
            "logs:ListTagsForResource",
            {"resourceArn": f"{A}:logs:{HERE}:log-group:/g"},
            [f"{A}:logs:{HERE}:log-group:/g"],
        ),
        *(
            (
                f"ecs:{name}ServiceDeployment",
                {"serviceDeploymentArn": f"{A}:ecs:{HERE}:service-deployment/c/s/X"},
                [f"{A}:ecs:{HERE}:service/c/s", f"{A}:ecs:{HERE}:service-deployment/c/s/X"],
            )
            for name in ("Continue", "Stop")
        ),
        ("logs:DescribeLogGroups", {"logGroupNamePrefix": "/g"}, ["*"]),
        ("iam:GetRole", {"RoleName": "r"}, [ROLE]),
        ("iam:GetInstanceProfile", {"InstanceProfileName": "r"}, [f"{A}:iam::123456789012:instance-profile/r"]),
        ("ec2:DescribeVpcs", {}, ["*"]),
        ("elasticfilesystem:CreateFileSystem", {"CreationToken": "t"}, ["*"]),
        ("elasticfilesystem:DescribeMountTargets", {}, ["*"]),
        (
            "elasticloadbalancing:CreateTargetGroup",
            {"Name": "g"},
            [f"{A}:elasticloadbalancing:{HERE}:targetgroup/g/*"],
        ),
        ("elasticloadbalancing:DescribeTags", {"ResourceArns.member.1": "arn:x"}, ["*"]),
        ("elasticloadbalancing:AddTags", {"ResourceArns.member.1": "arn:x"}, ["arn:x"]),
        ("elasticloadbalancing:DeleteRule", {"RuleArn": "arn:x"}, ["arn:x"]),
        ("lambda:CreateFunction", {"FunctionName": "f"}, [f"{A}:lambda:{HERE}:function:f"]),
        ("application-autoscaling:DescribeScalableTargets", {}, ["*"]),
        ("cloudformation:CreateChangeSet", {"StackName": "s"}, [f"{A}:cloudformation:{HERE}:stack/s/*"]),
        ("cloudformation:DescribeStacks", {"StackName": "arn:x"}, ["arn:x"]),
        ("cloudformation:ListImports", {"ExportName": "e"}, ["*"]),
    ],
)
def test_resources(action: str, params: dict[str, Any], resources: list[str]) -> None:
    assert asked(action, params) == [(action, resource) for resource in resources]


@pytest.mark.parametrize(
    ("action", "params", "besides"),
    [
        (
            "elasticfilesystem:CreateMountTarget",
            {"FileSystemId": "fs-1"},
            ["ec2:DescribeSubnets", "ec2:DescribeNetworkInterfaces", "ec2:CreateNetworkInterface"],
        ),
        ("elasticfilesystem:DeleteMountTarget", {}, ["ec2:DeleteNetworkInterface"]),
        (
            "application-autoscaling:RegisterScalableTarget",
            {"ResourceId": "service/c/s"},
            ["ecs:DescribeServices", "ecs:UpdateService"],
        ),
        (
            "elasticloadbalancing:CreateLoadBalancer",
            {"Name": "b"},
            [
                *("ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeInternetGateways"),
                *("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
            ],
        ),
        ("application-autoscaling:PutScalingPolicy", {}, ["cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"]),
        ("application-autoscaling:DeregisterScalableTarget", {}, ["cloudwatch:DeleteAlarms"]),
    ],
)
def test_what_a_service_does_in_another_one_is_asked_too(
    action: str, params: dict[str, Any], besides: list[str]
) -> None:
    assert [name for name, _ in asked(action, params)] == [action, *besides]


@pytest.mark.parametrize(
    ("action", "params", "context"),
    [
        ("ecs:TagResource", {"resourceArn": "a", "tags": [{"key": "k"}]}, {"aws:TagKeys": ["k"]}),
        ("ecs:UntagResource", {"resourceArn": "a", "tagKeys": ["k", "l"]}, {"aws:TagKeys": ["k", "l"]}),
        ("batch:TagResource", {"tags": {"k": "v"}}, {"aws:TagKeys": ["k"]}),
        ("ecs:DescribeServices", {"services": ["s"]}, {}),
    ],
)
def test_the_keys_of_tags_are_told(action: str, params: dict[str, Any], context: dict[str, Any]) -> None:
    assert dict(needs(Call(action, params, "123456789012", "us-east-1"))[0].context) == context


def test_what_is_tagged_when_it_is_made_says_by_what() -> None:
    params = {"cluster": "c", "serviceName": "s", "tags": [{"key": "k", "value": "v"}]}
    tagging = needs(Call("ecs:CreateService", params, "123456789012", "us-east-1"))[1]
    assert (tagging.action, tagging.resource) == ("ecs:TagResource", f"{A}:ecs:{HERE}:service/c/s")
    assert dict(tagging.context) == {"aws:TagKeys": ["k"], "ecs:CreateAction": "CreateService"}


def test_a_service_that_is_scaled_is_named() -> None:
    needed = asked("application-autoscaling:RegisterScalableTarget", {"ResourceId": "service/c/s"})
    assert needed[1] == ("ecs:DescribeServices", f"{A}:ecs:{HERE}:service/c/s")


def test_the_tags_of_a_listener_are_asked_of_the_listener() -> None:
    balancer = f"{A}:elasticloadbalancing:{HERE}:loadbalancer/app/b/1"
    made = asked("elasticloadbalancing:CreateListener", {"Tags.member.1.Key": "a"}, balancer)
    listener = f"{A}:elasticloadbalancing:{HERE}:listener/app/b/1/*"
    assert made == [("elasticloadbalancing:CreateListener", balancer), ("elasticloadbalancing:AddTags", listener)]


def test_what_ec2_makes_stands_for_all_of_its_kind() -> None:
    vpc = f"{A}:ec2:{HERE}:vpc/vpc-1"
    assert asked("ec2:CreateSubnet", {"VpcId": "vpc-1"}, vpc) == [
        ("ec2:CreateSubnet", f"{A}:ec2:{HERE}:subnet/*"),
        ("ec2:CreateSubnet", vpc),
    ]


@pytest.mark.parametrize(
    ("action", "params", "tagging"),
    [
        ("ecs:CreateCluster", {"clusterName": "c", "tags": [{"key": "a"}]}, "ecs:TagResource"),
        ("ecr:CreateRepository", {"repositoryName": "r", "tags": [{"Key": "a"}]}, "ecr:TagResource"),
        ("logs:CreateLogGroup", {"logGroupName": "g", "tags": {"a": "b"}}, "logs:TagResource"),
        ("batch:RegisterJobDefinition", {"jobDefinitionName": "j", "tags": {"a": "b"}}, "batch:TagResource"),
        ("iam:CreateRole", {"RoleName": "r", "Tags.member.1.Key": "a"}, "iam:TagRole"),
        ("iam:CreateInstanceProfile", {"InstanceProfileName": "r", "Tags.member.1.Key": "a"}, "iam:TagInstanceProfile"),
        ("ec2:CreateVpc", {"TagSpecification.1.ResourceType": "vpc"}, "ec2:CreateTags"),
        ("elasticfilesystem:CreateFileSystem", {"Tags": [{"Key": "a"}]}, "elasticfilesystem:TagResource"),
        ("lambda:CreateFunction", {"FunctionName": "f", "Tags": {"a": "b"}}, "lambda:TagResource"),
    ],
)
def test_tags_given_with_the_making_need_the_tagging_too(action: str, params: dict[str, Any], tagging: str) -> None:
    assert [name for name, _ in asked(action, params)] == [action, tagging]


@pytest.mark.parametrize(
    ("action", "params", "service"),
    [
        ("ecs:RegisterTaskDefinition", {"family": "f", "executionRoleArn": ROLE}, "ecs-tasks.amazonaws.com"),
        ("ecs:RegisterTaskDefinition", {"family": "f", "taskRoleArn": ROLE}, "ecs-tasks.amazonaws.com"),
        (
            "batch:RegisterJobDefinition",
            {"jobDefinitionName": "j", "containerProperties": {"jobRoleArn": ROLE}},
            "ecs-tasks.amazonaws.com",
        ),
        (
            "batch:CreateComputeEnvironment",
            {"computeEnvironmentName": "e", "computeResources": {"instanceRole": f"{A}:iam::1:instance-profile/r"}},
            "ec2.amazonaws.com",
        ),
        ("iam:AddRoleToInstanceProfile", {"InstanceProfileName": "p", "RoleName": "r"}, "ec2.amazonaws.com"),
        *(
            (
                f"ecs:{name}Service",
                {"loadBalancers": [{"advancedConfiguration": {"roleArn": ROLE}}]},
                "ecs.amazonaws.com",
            )
            for name in ("Create", "Update")
        ),
        ("lambda:CreateFunction", {"FunctionName": "f", "Role": ROLE}, "lambda.amazonaws.com"),
        ("cloudformation:CreateChangeSet", {"StackName": "s", "RoleARN": ROLE}, "cloudformation.amazonaws.com"),
    ],
)
def test_a_role_that_is_handed_on_must_be_passable(action: str, params: dict[str, Any], service: str) -> None:
    last = needs(Call(action, params, "123456789012", "us-east-1"))[-1]
    assert (last.action, last.resource) == ("iam:PassRole", ROLE)
    assert last.context == {"iam:PassedToService": service}


@pytest.mark.parametrize(
    ("action", "params", "context"),
    [
        ("iam:CreateRole", {"RoleName": "r", "PermissionsBoundary": "arn:b"}, {"iam:PermissionsBoundary": "arn:b"}),
        ("iam:AttachRolePolicy", {"RoleName": "r", "PolicyArn": "arn:p"}, {"iam:PolicyARN": "arn:p"}),
        ("cloudformation:CreateChangeSet", {"StackName": "s", "RoleARN": ROLE}, {"cloudformation:RoleArn": ROLE}),
        ("cloudformation:ExecuteChangeSet", {"StackName": "s"}, {}),
    ],
)
def test_condition_keys_that_a_request_itself_says(
    action: str, params: dict[str, Any], context: dict[str, str]
) -> None:
    assert needs(Call(action, params, "123456789012", "us-east-1"))[0].context == context


def test_the_tags_of_a_rule_are_asked_of_the_rule() -> None:
    listener = f"{A}:elasticloadbalancing:{HERE}:listener/app/b/1/2"
    made = asked("elasticloadbalancing:CreateRule", {"Tags.member.1.Key": "a"}, listener)
    assert made[1] == ("elasticloadbalancing:AddTags", f"{A}:elasticloadbalancing:{HERE}:listener-rule/app/b/1/2/*")
