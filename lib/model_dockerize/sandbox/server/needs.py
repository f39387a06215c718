"""What AWS asks of the caller's policies for one request: every (action, resource) that must be allowed. Pure.

Source: AWS's Service Authorization Reference, for what a run and `destroy` call. Beyond the operation itself: what is
tagged when it is made needs the tagging action too, and a role that is handed on needs `iam:PassRole`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: For what else is called, the resource that ministack reads from a request is taken.
SERVICES = ("batch", "ec2", "ecr", "ecs", "iam", "logs")
_TASKS = "ecs-tasks.amazonaws.com"
_INSTANCES = "ec2.amazonaws.com"
#: CreateX of EC2 -> the type of what it makes.
_EC2_MADE = {
    "Vpc": "vpc",
    "Subnet": "subnet",
    "InternetGateway": "internet-gateway",
    "NatGateway": "natgateway",
    "RouteTable": "route-table",
    "SecurityGroup": "security-group",
    "VpcEndpoint": "vpc-endpoint",
}
_LOG_STREAM = ("GetLogEvents", "PutLogEvents", "DeleteLogStream", "CreateLogStream")


@dataclass(frozen=True)
class Need:
    """One question to the policies. `context` are the condition keys that only this request has."""

    action: str  # ecs:CreateService
    resource: str  # an ARN, or * where AWS knows no resource
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request as it arrived. `params` are the members of its JSON, or its form's fields (`Tags.member.1.Key`)."""

    action: str  # ecs:CreateService
    params: Mapping[str, Any]
    account: str
    region: str
    resource: str = "*"  # as ministack reads it

    @property
    def service(self) -> str:
        """The part of the action before the colon."""
        return self.action.partition(":")[0]

    @property
    def operation(self) -> str:
        """The part after it."""
        return self.action.partition(":")[2]

    def arn(self, rest: str, service: str = "") -> str:
        """An ARN of this account; IAM's have no region."""
        service = service or self.service
        return f"arn:aws:{service}:{'' if service == 'iam' else self.region}:{self.account}:{rest}"

    def named(self, kind: str, value: object) -> str:
        """The ARN of a thing that may be given by its name or its ARN."""
        text = str(value)
        return text if text.startswith("arn:") else self.arn(f"{kind}/{text}")


def needs(call: Call) -> tuple[Need, ...]:
    """Everything that must be allowed, in the order in which it is looked at."""
    resources = tuple(dict.fromkeys(_RESOURCES[call.service](call))) or ("*",)
    return (
        *(Need(call.action, resource) for resource in resources),
        *_tagging(call, resources),
        *_passing(call),
    )


def _ecs(call: Call) -> Iterator[str]:
    given, cluster = call.params, _last(call.params.get("cluster", "default"))
    if call.operation in ("CreateCluster",):
        yield call.named("cluster", given.get("clusterName", "default"))
    elif call.operation == "DescribeClusters":
        yield from (call.named("cluster", name) for name in given.get("clusters", ["default"]))
    elif call.operation in ("DeleteCluster", "UpdateCluster", "PutClusterCapacityProviders"):
        yield call.named("cluster", given.get("cluster", "default"))
    elif call.operation == "RegisterTaskDefinition":
        yield call.arn(f"task-definition/{given.get('family')}:*")
    elif call.operation == "RunTask":
        yield call.named("task-definition", given.get("taskDefinition"))
    elif call.operation == "DeleteTaskDefinitions":
        yield from (call.named("task-definition", name) for name in given.get("taskDefinitions", []))
    elif call.operation in ("CreateService", "UpdateService", "DeleteService", "ListServiceDeployments"):
        yield call.named(f"service/{cluster}", given.get("serviceName") or given.get("service"))
    elif call.operation == "DescribeServices":
        yield from (call.named(f"service/{cluster}", name) for name in given.get("services", []))
    elif call.operation in ("DescribeServiceDeployments", "DescribeServiceRevisions"):
        yield from (str(a) for key in ("serviceDeploymentArns", "serviceRevisionArns") for a in given.get(key, []))
    elif call.operation == "DescribeTasks":
        yield from (call.named(f"task/{cluster}", task) for task in given.get("tasks", []))
    elif call.operation == "StopTask":
        yield call.named(f"task/{cluster}", given.get("task"))
    elif call.operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        yield str(given.get("resourceArn"))


def _batch(call: Call) -> Iterator[str]:
    given = call.params
    if call.operation == "RegisterJobDefinition":
        yield call.named("job-definition", given.get("jobDefinitionName"))
    elif call.operation == "DeregisterJobDefinition":
        yield call.named("job-definition", given.get("jobDefinition"))
    elif call.operation.endswith("ComputeEnvironment"):
        name = given.get("computeEnvironmentName") or given.get("computeEnvironment")
        yield call.named("compute-environment", name)
    elif call.operation.endswith("JobQueue"):
        yield call.named("job-queue", given.get("jobQueueName") or given.get("jobQueue"))
        for place in given.get("computeEnvironmentOrder", []):
            yield call.named("compute-environment", place.get("computeEnvironment"))
    elif call.operation == "SubmitJob":
        yield call.named("job-queue", given.get("jobQueue"))
        yield call.named("job-definition", given.get("jobDefinition"))
        yield call.arn("job/*")
    elif call.operation in ("TerminateJob", "CancelJob"):
        yield call.arn(f"job/{given.get('jobId')}")


def _ec2(call: Call) -> Iterator[str]:
    made = _EC2_MADE.get(call.operation.removeprefix("Create"))
    if made:
        yield call.arn(f"{made}/*")
    if call.resource != "*" and not call.operation.startswith("Describe"):
        yield call.resource


def _iam(call: Call) -> Iterator[str]:
    given = call.params
    if call.operation == "CreateServiceLinkedRole":
        yield call.arn(f"role/aws-service-role/{given.get('AWSServiceName')}/AWSServiceRole")
    elif "InstanceProfileName" in given:
        yield call.arn(f"instance-profile/{given['InstanceProfileName']}")
    elif "RoleName" in given:
        yield call.arn(f"role/{given['RoleName']}")
    else:
        yield call.resource


def _logs(call: Call) -> Iterator[str]:
    given = call.params
    group = given.get("logGroupName") or str(given.get("logGroupIdentifier", "")).rpartition("log-group:")[2]
    if call.operation in _LOG_STREAM:
        yield call.arn(f"log-group:{group}:log-stream:{given.get('logStreamName')}")
    elif group:
        yield call.arn(f"log-group:{group}")
    else:
        yield call.resource


def _ecr(call: Call) -> Iterator[str]:
    names = call.params.get("repositoryNames") or [call.params.get("repositoryName")]
    yield from (call.arn(f"repository/{name}") for name in names if name)
    if arn := call.params.get("resourceArn"):
        yield str(arn)


_RESOURCES: dict[str, Callable[[Call], Iterable[str]]] = {
    "batch": _batch,
    "ec2": _ec2,
    "ecr": _ecr,
    "ecs": _ecs,
    "iam": _iam,
    "logs": _logs,
}


def _tagging(call: Call, resources: tuple[str, ...]) -> Iterator[Need]:
    """Tags that are given to a thing when it is made."""
    if "Tag" in call.operation:
        return
    if call.service == "ec2":
        types = {str(v) for k, v in call.params.items() if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", k)}
        for kind in sorted(types):
            yield Need("ec2:CreateTags", call.arn(f"{kind}/*"), {"ec2:CreateAction": call.operation})
    elif call.service == "iam":
        if any(key.startswith("Tags.member.") for key in call.params):
            thing = "InstanceProfile" if "InstanceProfile" in call.operation else "Role"
            yield Need(f"iam:Tag{thing}", resources[0])
    elif call.params.get("tags"):
        yield Need(f"{call.service}:TagResource", resources[0], {f"{call.service}:CreateAction": call.operation})


def _passing(call: Call) -> Iterator[Need]:
    """Roles that the request hands on to a service."""
    given: list[tuple[object, str]] = []
    if call.action == "ecs:RegisterTaskDefinition":
        given = [(call.params.get(key), _TASKS) for key in ("taskRoleArn", "executionRoleArn")]
    elif call.action == "batch:RegisterJobDefinition":
        container = call.params.get("containerProperties", {})
        given = [(container.get(key), _TASKS) for key in ("jobRoleArn", "executionRoleArn")]
    elif call.action == "batch:CreateComputeEnvironment":
        profile = _last(call.params.get("computeResources", {}).get("instanceRole", ""))
        given = [(profile, _INSTANCES), (call.params.get("serviceRole"), "batch.amazonaws.com")]
    elif call.action == "iam:AddRoleToInstanceProfile":
        given = [(call.params.get("RoleName"), _INSTANCES)]
    for role, service in given:
        if role:
            arn = role if str(role).startswith("arn:") else call.arn(f"role/{role}", "iam")
            yield Need("iam:PassRole", str(arn), {"iam:PassedToService": service})


def _last(name: object) -> str:
    """The name in an ARN, or the name itself."""
    return str(name).rpartition("/")[2]
