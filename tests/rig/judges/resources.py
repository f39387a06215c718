"""Requests as the resources that CloudFormation would make of them, judged by cfn-lint: AWS's schemas and rules.

A property is found by the request's name for it in any letter case. What CloudFormation calls otherwise, or does not
have, is written down here; a name that it does not know is refused, so a request cannot pass untranslated.

cfn-lint takes a second of every process that loads it, so only functions do that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

_REGION = "us-east-1"
_REQUIRED = ("E3003", "E3018")  # of a part, what the whole must have is not asked
_UNIQUE = "E3019"  # a name once: these resources share no template but the judges'
#: A template holds 500 at most.
_TOGETHER = 200

#: Service, operation, parameters.
Request = tuple[str, str, Any]


@dataclass(frozen=True)
class _Resource:
    """A type, what it calls otherwise, what of the request it does not have, and whether a request is but a part."""

    type: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    is_part: bool = False


_RESOURCES = {
    ("ecs", "CreateCluster"): _Resource("AWS::ECS::Cluster"),
    ("ecs", "RegisterTaskDefinition"): _Resource("AWS::ECS::TaskDefinition"),
    ("ecs", "CreateService"): _Resource("AWS::ECS::Service"),
    ("ecs", "UpdateService"): _Resource(
        "AWS::ECS::Service", {"service": "ServiceName"}, ("forceNewDeployment",), is_part=True
    ),
    ("batch", "RegisterJobDefinition"): _Resource("AWS::Batch::JobDefinition"),
    ("batch", "CreateComputeEnvironment"): _Resource("AWS::Batch::ComputeEnvironment"),
    ("batch", "UpdateComputeEnvironment"): _Resource(
        "AWS::Batch::ComputeEnvironment", {"computeEnvironment": "ComputeEnvironmentName"}, is_part=True
    ),
    ("batch", "CreateJobQueue"): _Resource("AWS::Batch::JobQueue"),
    ("batch", "UpdateJobQueue"): _Resource("AWS::Batch::JobQueue", {"jobQueue": "JobQueueName"}, is_part=True),
    ("ecr", "CreateRepository"): _Resource("AWS::ECR::Repository"),
    ("ecr", "PutImageTagMutability"): _Resource(
        "AWS::ECR::Repository",
        {
            "filterType": "ImageTagMutabilityExclusionFilterType",
            "filter": "ImageTagMutabilityExclusionFilterValue",
        },
    ),
    ("ecr", "PutImageScanningConfiguration"): _Resource("AWS::ECR::Repository"),
    ("ecr", "PutLifecyclePolicy"): _Resource("AWS::ECR::Repository", {"lifecyclePolicyText": "LifecyclePolicy"}),
    ("logs", "CreateLogGroup"): _Resource("AWS::Logs::LogGroup"),
    ("logs", "PutRetentionPolicy"): _Resource("AWS::Logs::LogGroup"),
    ("lambda", "CreateFunction"): _Resource("AWS::Lambda::Function"),
    ("lambda", "UpdateFunctionConfiguration"): _Resource(
        "AWS::Lambda::Function", without=("RevisionId",), is_part=True
    ),
    ("application-autoscaling", "RegisterScalableTarget"): _Resource("AWS::ApplicationAutoScaling::ScalableTarget"),
    ("application-autoscaling", "PutScalingPolicy"): _Resource("AWS::ApplicationAutoScaling::ScalingPolicy"),
}


def makes_one(service: str, operation: str) -> bool:
    """Tell whether a request makes or changes a resource."""
    return (service, operation) in _RESOURCES


def refusals(requests: Sequence[Request]) -> list[list[str]]:
    """Return what cfn-lint has against the resource of each request; nothing where it makes none."""
    said: list[list[str]] = [[] for _ in requests]
    numbers = [number for number, request in enumerate(requests) if makes_one(*request[:2])]
    for first in range(0, len(numbers), _TOGETHER):
        resources = {f"It{number}": number for number in numbers[first : first + _TOGETHER]}
        template = {"Resources": {name: _resource(*requests[number]) for name, number in resources.items()}}
        for match in _linter().validate_template(template):
            _, name, _, *place = [*(match.path or ()), "", "", ""]
            # What is wrong with no certain one is wrong with all.
            for number in [resources[name]] if name in resources else resources.values():
                is_part = _RESOURCES[requests[number][:2]].is_part
                if match.rule.id != _UNIQUE and not (is_part and match.rule.id in _REQUIRED):
                    said[number].append(f"{match.rule.id} {'/'.join(map(str, place)).rstrip('/')}: {match.message}")
    return said


def _resource(service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
    made = _RESOURCES[service, operation]
    asked = {key: value for key, value in parameters.items() if key not in made.without}
    return {"Type": made.type, "Properties": _properties(made, asked)}


def _properties(made: _Resource, asked: Mapping[str, Any]) -> Any:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, made.type).schema

    def translated(shape: Any, value: Any) -> Any:
        """Return `value` with the names of `shape`."""
        while "$ref" in shape:
            shape = schema["definitions"][shape["$ref"].rpartition("/")[2]]
        if isinstance(value, bytes):
            return "code"  # of a function; CloudFormation takes its text
        if isinstance(value, list | tuple):
            return [translated(shape.get("items", {}), each) for each in value]
        properties = shape.get("properties", {})
        if not isinstance(value, Mapping):
            return {"LifecyclePolicyText": value} if "LifecyclePolicyText" in properties else value
        if shape.get("type") == "array":  # tags, which some services take as a map
            return [{"Key": key, "Value": each} for key, each in value.items()]
        if not properties:
            return dict(value)
        names = {name.lower(): name for name in properties}
        found = {made.renamed.get(key) or names.get(key.lower(), key): each for key, each in value.items()}
        return {name: translated(properties.get(name, {}), each) for name, each in found.items()}

    return translated(schema, asked)


@cache
def _linter() -> Any:
    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    return Runner(ConfigMixIn(regions=[_REGION]))
