"""A request's resources, by AWS's Service Authorization Reference; part of `needs`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
class Call:
    """A request. `params`: of its JSON, or form fields (`Tags.member.1.Key`)."""

    action: str  # ecs:CreateService
    params: Mapping[str, Any]
    account: str
    region: str
    resource: str = "*"  # as ministack reads it

    @property
    def service(self) -> str:
        return self.action.partition(":")[0]

    @property
    def operation(self) -> str:
        return self.action.partition(":")[2]

    def arn(self, rest: str, service: str = "") -> str:
        """Return this account's ARN; IAM's have no region."""
        service = service or self.service
        return f"arn:aws:{service}:{'' if service == 'iam' else self.region}:{self.account}:{rest}"

    def named(self, kind: str, value: object) -> str:
        text = str(value)
        return text if text.startswith("arn:") else self.arn(f"{kind}/{text}")


def _ecs(call: Call) -> Iterator[str]:
    given, cluster = call.params, last(call.params.get("cluster", "default"))
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
    elif "ServiceDeployment" in call.operation or call.operation == "DescribeServiceRevisions":
        yield from _service_deployments(given)
    elif call.operation == "DescribeTasks":
        yield from (call.named(f"task/{cluster}", task) for task in given.get("tasks", []))
    elif call.operation == "StopTask":
        yield call.named(f"task/{cluster}", given.get("task"))
    elif call.operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        yield str(given.get("resourceArn"))


def _service_deployments(given: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(arn) for key in ("serviceDeploymentArns", "serviceRevisionArns") for arn in given.get(key, []))
    if arn := str(given.get("serviceDeploymentArn", "")):
        yield arn.rpartition("/")[0].replace(":service-deployment/", ":service/")
        yield arn


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
    """Yield a group's ARN with `:*`, unless its tags are meant. Source: Logs API, `LogGroup.arn`."""
    given = call.params
    group = given.get("logGroupName") or str(given.get("logGroupIdentifier", "")).rpartition("log-group:")[2]
    if call.operation in _LOG_STREAM:
        yield call.arn(f"log-group:{group}:log-stream:{given.get('logStreamName')}")
    elif group:
        yield call.arn(f"log-group:{group}:*")
    elif arn := given.get("resourceArn"):
        yield str(arn)
    else:
        yield call.resource


def _ecr(call: Call) -> Iterator[str]:
    names = call.params.get("repositoryNames") or [call.params.get("repositoryName")]
    yield from (call.arn(f"repository/{name}") for name in names if name)
    if arn := call.params.get("resourceArn"):
        yield str(arn)


def _elasticfilesystem(call: Call) -> Iterator[str]:
    """Yield EFS's resources; most requests name them in paths."""
    if call.operation in ("CreateMountTarget", "CreateAccessPoint"):
        yield call.named("file-system", call.params.get("FileSystemId"))
    elif not call.operation.startswith("Describe") or call.operation == "DescribeMountTargetSecurityGroups":
        yield call.resource


def _elasticloadbalancing(call: Call) -> Iterator[str]:
    name = call.params.get("Name")
    if call.operation == "CreateLoadBalancer":
        yield call.arn(f"loadbalancer/app/{name}/*")
    elif call.operation == "CreateTargetGroup":
        yield call.arn(f"targetgroup/{name}/*")
    elif call.operation in ("AddTags", "RemoveTags"):
        yield from _members(call, "ResourceArns")
    elif not call.operation.startswith("Describe"):
        names = ("RuleArn", "ListenerArn", "LoadBalancerArn", "TargetGroupArn")
        yield next((str(call.params[name]) for name in names if name in call.params), call.resource)


def _application_autoscaling(call: Call) -> Iterator[str]:
    if call.operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        yield str(call.params.get("ResourceARN"))
    elif not call.operation.startswith("Describe"):
        yield call.arn("scalable-target/*")


def _lambda(call: Call) -> Iterator[str]:
    if call.operation == "CreateFunction":
        yield call.arn(f"function:{call.params.get('FunctionName')}")
    else:
        yield call.resource


def _cloudformation(call: Call) -> Iterator[str]:
    name = str(call.params.get("StackName") or "")
    if call.operation in ("ListExports", "ListImports", "ListStacks"):
        yield "*"
    elif name:
        yield name if name.startswith("arn:") else call.arn(f"stack/{name}/*")
    else:
        yield call.resource


def _as_read(call: Call) -> Iterator[str]:
    yield call.resource


def _members(call: Call, field: str) -> Iterator[str]:
    yield from (str(v) for k, v in call.params.items() if k.startswith(f"{field}.member."))


RESOURCES: Mapping[str, Callable[[Call], Iterable[str]]] = {
    "application-autoscaling": _application_autoscaling,
    "batch": _batch,
    "cloudformation": _cloudformation,
    "ec2": _ec2,
    "ecr": _ecr,
    "ecs": _ecs,
    "elasticfilesystem": _elasticfilesystem,
    "elasticloadbalancing": _elasticloadbalancing,
    "guardduty": _as_read,
    "iam": _iam,
    "lambda": _lambda,
    "logs": _logs,
    "s3": _as_read,
}


def last(name: object) -> str:
    return str(name).rpartition("/")[2]
