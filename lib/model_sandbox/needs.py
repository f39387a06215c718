"""The IAM permissions that a request needs: (action, resource) pairs.

Source: AWS's Service Authorization Reference, for what a run and `destroy` call. Tags at creation, `iam:PassRole`, and
what services do elsewhere for the caller come on top.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from model_sandbox.resources import RESOURCES, Call, last

#: Anything else that is called is judged by the one resource that ministack reads from a request.
SERVICES = tuple(RESOURCES)
_TASKS = "ecs-tasks.amazonaws.com"
_INSTANCES = "ec2.amazonaws.com"
_LOOKS_OF_BALANCING = (
    *("DescribeAccountAttributes", "DescribeAddresses", "DescribeInternetGateways", "DescribeSecurityGroups"),
    *("DescribeSubnets", "DescribeVpcs"),
)
#: What the tags of a thing that is being made are asked for, where that is not the thing that the request is about.
_TAGGED = {
    "elasticfilesystem:CreateFileSystem": "file-system/*",
    "elasticfilesystem:CreateAccessPoint": "access-point/*",
}


@dataclass(frozen=True)
class Need:
    """A question to policies, with the request's condition keys."""

    action: str  # ecs:CreateService
    resource: str  # an ARN, or * where AWS knows no resource
    context: Mapping[str, str | list[str]] = field(default_factory=dict)


def needs(call: Call) -> tuple[Need, ...]:
    """Return all needs, in order of the checks."""
    resources = tuple(dict.fromkeys(RESOURCES[call.service](call))) or ("*",)
    return (
        *(Need(call.action, resource, _conditions(call)) for resource in resources),
        *_tagging(call, resources),
        *_passing(call),
        *_elsewhere(call),
    )


def _conditions(call: Call) -> dict[str, str | list[str]]:
    # Only keys whose values the request itself says.
    keys = _tag_keys(call)
    found = {
        "cloudformation:RoleArn": call.params.get("RoleARN") if call.service == "cloudformation" else None,
        "iam:PermissionsBoundary": call.params.get("PermissionsBoundary") if call.service == "iam" else None,
        "iam:PolicyARN": call.params.get("PolicyArn") if call.service == "iam" else None,
    }
    told: dict[str, str | list[str]] = {key: str(value) for key, value in found.items() if value}
    return told | ({"aws:TagKeys": keys} if keys else {})


def _tag_keys(call: Call) -> list[str]:
    tags = call.params.get("tags") or call.params.get("Tags") or []
    if isinstance(tags, Mapping):
        return [str(key) for key in tags]
    named = [tag.get("key", tag.get("Key")) for tag in tags if isinstance(tag, Mapping)]
    return [str(key) for key in (*named, *(call.params.get("tagKeys") or call.params.get("TagKeys") or ()))]


def _tagging(call: Call, resources: tuple[str, ...]) -> Iterator[Need]:
    # Tags at creation need the tagging action, too.
    if "Tag" in call.operation:
        return
    if call.service == "ec2":
        types = {str(v) for k, v in call.params.items() if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", k)}
        for kind in sorted(types):
            yield Need("ec2:CreateTags", call.arn(f"{kind}/*"), {"ec2:CreateAction": call.operation})
    elif call.service in ("iam", "elasticloadbalancing"):
        if any(key.startswith("Tags.member.") for key in call.params):
            yield _tagging_in_a_form(call, resources[0])
    elif call.params.get("tags") or call.params.get("Tags"):
        tagged = call.arn(_TAGGED[call.action]) if call.action in _TAGGED else resources[0]
        made = {f"{call.service}:CreateAction": call.operation}
        yield Need(f"{call.service}:TagResource", tagged, _conditions(call) | made)


def _tagging_in_a_form(call: Call, resource: str) -> Need:
    if call.service == "iam":
        return Need(f"iam:Tag{'InstanceProfile' if 'InstanceProfile' in call.operation else 'Role'}", resource)
    if call.operation == "CreateRule":
        resource = f"{resource.replace(':listener/', ':listener-rule/')}/*"
    if call.operation == "CreateListener":
        resource = f"{resource.replace(':loadbalancer/', ':listener/')}/*"
    return Need("elasticloadbalancing:AddTags", resource, {"elasticloadbalancing:CreateAction": call.operation})


def _passing(call: Call) -> Iterator[Need]:
    given: list[tuple[object, str]] = []
    if call.action == "ecs:RegisterTaskDefinition":
        given = [(call.params.get(key), _TASKS) for key in ("taskRoleArn", "executionRoleArn")]
    elif call.action in ("ecs:CreateService", "ecs:UpdateService"):
        balancers = call.params.get("loadBalancers") or []
        given = [((each.get("advancedConfiguration") or {}).get("roleArn"), "ecs.amazonaws.com") for each in balancers]
    elif call.action == "batch:RegisterJobDefinition":
        container = call.params.get("containerProperties", {})
        given = [(container.get(key), _TASKS) for key in ("jobRoleArn", "executionRoleArn")]
    elif call.action in ("batch:CreateComputeEnvironment", "batch:UpdateComputeEnvironment"):
        profile = last(call.params.get("computeResources", {}).get("instanceRole", ""))
        given = [(profile, _INSTANCES), (call.params.get("serviceRole"), "batch.amazonaws.com")]
    elif call.action == "iam:AddRoleToInstanceProfile":
        given = [(call.params.get("RoleName"), _INSTANCES)]
    elif call.service == "cloudformation":
        given = [(call.params.get("RoleARN"), "cloudformation.amazonaws.com")]
    elif call.action == "lambda:CreateFunction":
        given = [(call.params.get("Role"), "lambda.amazonaws.com")]
    for role, service in given:
        if role:
            arn = role if str(role).startswith("arn:") else call.arn(f"role/{role}", "iam")
            yield Need("iam:PassRole", str(arn), {"iam:PassedToService": service})


def _elsewhere(call: Call) -> Iterator[Need]:
    # What a service does in another one with the caller's permissions. Source: CreateMountTarget and DeleteMountTarget
    # in the API reference of EFS; "API permissions" in the user guide of Elastic Load Balancing; "permissions for
    # target resources" in that of Application Auto Scaling.
    if call.action == "elasticfilesystem:CreateMountTarget":
        for action in ("DescribeSubnets", "DescribeNetworkInterfaces", "CreateNetworkInterface"):
            yield Need(f"ec2:{action}", "*")
    elif call.action == "elasticfilesystem:DeleteMountTarget":
        yield Need("ec2:DeleteNetworkInterface", "*")
    elif call.action == "elasticloadbalancing:CreateLoadBalancer":
        for action in _LOOKS_OF_BALANCING:
            yield Need(f"ec2:{action}", "*")
    elif call.action == "application-autoscaling:RegisterScalableTarget":
        for action in ("DescribeServices", "UpdateService"):
            yield Need(f"ecs:{action}", call.arn(str(call.params.get("ResourceId")), "ecs"))
    elif call.action == "application-autoscaling:PutScalingPolicy":
        for action in ("DescribeAlarms", "PutMetricAlarm"):
            yield Need(f"cloudwatch:{action}", "*")
    elif call.action == "application-autoscaling:DeregisterScalableTarget":
        yield Need("cloudwatch:DeleteAlarms", "*")
