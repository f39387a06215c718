"""The judges of what we send to AWS: they refuse what AWS would, also where a client of ours sends it."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from model_dockerize.aws.client import TO_COME
from model_dockerize.aws.ground import permissions
from model_dockerize.aws.iam.statement import Where
from model_dockerize.aws.permissions import stack_policy
from model_dockerize.settings.fargate import memories
from model_sandbox.definitions import is_fargate_size
from tests.rig import judges
from tests.rig.iam_configurations import CONFIGURATIONS
from tests.rig.judges import policies, resources
from tests.rig.judges.docket import Docket
from tests.rig.leaks import planted
from tests.rig.permissions import configured, documents

ARN = "arn:aws:iam::123456789012:role/r"
DIGEST = "sha256:" + "ab" * 32


def task(**changes: Any) -> dict[str, Any]:
    """Return a RegisterTaskDefinition request of Fargate."""
    container = {"name": "m", "image": f"r@{DIGEST}", "portMappings": [{"containerPort": 80, "protocol": "tcp"}]}
    return {
        "family": "m",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "512",
        "memory": "1024",
        "containerDefinitions": [container],
        **changes,
    }


def rule(description: str) -> dict[str, Any]:
    """Return an AuthorizeSecurityGroupIngress request."""
    ranges = [{"CidrIp": "0.0.0.0/0", "Description": description}]
    return {
        "GroupId": "sg-0123456789abcdef0",
        "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": ranges}],
    }


QUEUE = {
    "jobQueueName": "q",
    "priority": 1,
    "state": "ENABLED",
    "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "e"}],
}
ENVIRONMENT = {"computeEnvironmentName": "e", "type": "MANAGED", "state": "ENABLED"}
RESOURCES = {
    "type": "FARGATE",
    "maxvCpus": 4,
    "subnets": ["subnet-0123456789abcdef0"],
    "securityGroupIds": ["sg-0123456789abcdef0"],
}
FUNCTION = {"FunctionName": "f", "Role": ARN, "Code": {"ZipFile": b"code"}, "Handler": "a.b", "Runtime": "python3.13"}
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/c/s",
    "ScalableDimension": "ecs:service:DesiredCount",
    "MinCapacity": 1,
    "MaxCapacity": 3,
}
JOB = {
    "jobDefinitionName": "j",
    "type": "container",
    "platformCapabilities": ["FARGATE"],
    "containerProperties": {
        "image": "i",
        "executionRoleArn": ARN,
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
    },
}

#: Service, operation, a request that AWS takes, one that it refuses, and a word of why.
REQUESTS = {
    "apostrophe": ("ec2", "AuthorizeSecurityGroupIngress", rule("HTTP of the model"), rule("the model's HTTP"), "'s"),
    "size": ("ecs", "RegisterTaskDefinition", task(), task(memory="300"), "not compatible"),
    "enumeration": ("ecs", "RegisterTaskDefinition", task(), task(networkMode="vpc"), "'vpc' is none of"),
    "unknown name": ("ecs", "RegisterTaskDefinition", task(), task(memoryMiB="1024"), "memoryMiB"),
    "count": (
        "ecs",
        "CreateService",
        {"serviceName": "s", "cluster": "c", "taskDefinition": "m:1", "launchType": "FARGATE", "desiredCount": 1},
        {"serviceName": "s", "cluster": "c", "taskDefinition": "m:1", "launchType": "FARGATEE", "desiredCount": 1},
        "FARGATEE",
    ),
    "part": (
        "batch",
        "UpdateJobQueue",
        {"jobQueue": "q", "state": "DISABLED"},
        {"jobQueue": "q", "state": "OFF"},
        "OFF",
    ),
    "state": ("batch", "CreateJobQueue", QUEUE, {**QUEUE, "state": "ON"}, "ON"),
    "type": (
        "batch",
        "CreateComputeEnvironment",
        {**ENVIRONMENT, "computeResources": RESOURCES},
        {**ENVIRONMENT, "computeResources": {**RESOURCES, "type": "LAMBDA"}},
        "LAMBDA",
    ),
    "capability": (
        "batch",
        "RegisterJobDefinition",
        JOB,
        {**JOB, "platformCapabilities": ["MAINFRAME"]},
        "MAINFRAME",
    ),
    "name": ("ecr", "CreateRepository", {"repositoryName": "iris"}, {"repositoryName": "Iris"}, "Iris"),
    "retention": (
        "logs",
        "PutRetentionPolicy",
        {"logGroupName": "/m", "retentionInDays": 30},
        {"logGroupName": "/m", "retentionInDays": 2},
        "2 is not one of",
    ),
    "runtime": ("lambda", "CreateFunction", FUNCTION, {**FUNCTION, "Runtime": "python3.9"}, "deprecated"),
    "target": (
        "application-autoscaling",
        "RegisterScalableTarget",
        TARGET,
        {**TARGET, "ScalableDimension": "ecs:service:Desired"},
        "ecs:service:Desired",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_what_aws_takes_passes_and_what_it_refuses_is_refused(name: str) -> None:
    service, operation, right, wrong, why = REQUESTS[name]
    assert judges.refusals(service, operation, right) == []
    assert why in "\n".join(judges.refusals(service, operation, wrong))


def test_the_sizes_of_fargate_are_those_of_aws() -> None:
    sold = {(cpu, memory) for cpu in (256, 512, 1024, 2048, 4096, 8192, 16384, 32768) for memory in memories(cpu)}
    assert len(sold) == 77
    for cpu, memory in sorted(sold):
        size = task(cpu=str(cpu), memory=str(memory))
        assert judges.refusals("ecs", "RegisterTaskDefinition", size) == [], (cpu, memory)
        assert is_fargate_size(cpu, memory)
    for cpu, memory in ((256, 1536), (32768, 65536), (65536, 249856)):
        assert memory not in memories(cpu)
        assert judges.refusals("ecs", "RegisterTaskDefinition", task(cpu=str(cpu), memory=str(memory))) != []


def test_a_client_of_ours_is_refused_where_it_asks_and_again_at_the_end() -> None:
    client = boto3.client(
        "ecs",
        "us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key=planted("judged"),
        config=Config(user_agent_extra="model-dockerize"),
    )
    docket = Docket()
    with Stubber(client) as answers, pytest.raises(judges.RefusedError, match=r"RegisterTaskDefinition.*'vpc'"):
        answers.add_response("register_task_definition", {})
        answers.add_response("register_task_definition", {})
        with judges.judging(docket.note):
            client.register_task_definition(**task())
            client.register_task_definition(**task(memory="300", executionRoleArn=TO_COME))  # only a plan asks that
            with pytest.raises(judges.RefusedError):
                client.register_task_definition(**task(networkMode="vpc"))
    assert len(docket.noted) == 1
    assert docket.refused() == []


def test_what_takes_long_to_judge_is_judged_when_the_tests_are_over_and_names_its_test() -> None:
    worker, main = Docket(), Docket()
    assert len({worker, main}) == 2  # pytest keeps plugins in sets
    for number, memory in enumerate(("1024", "300", "300", "2048", "512")):
        worker.pytest_runtest_logstart(f"test_{number}")
        worker.note(memory, judges.as_line("ecs", "RegisterTaskDefinition", task(memory=memory)))
    session: Any = SimpleNamespace(config=SimpleNamespace(workeroutput={}), exitstatus=0)
    worker.pytest_sessionfinish(session)
    main.pytest_testnodedown(SimpleNamespace(workeroutput=session.config.workeroutput))
    main.pytest_testnodedown(SimpleNamespace())  # it crashed
    session = SimpleNamespace(config=SimpleNamespace(), exitstatus=0)
    main.pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.TESTS_FAILED
    first, second = main.refused()
    assert re.match(r"test_1: AWS would refuse ecs:RegisterTaskDefinition: .*300", first)
    assert re.match(r"test_4: AWS would refuse ecs:RegisterTaskDefinition: .*512", second)


def test_many_are_judged_together_as_each_alone() -> None:
    requests = [
        (service, operation, parameters)
        for service, operation, right, wrong, _ in REQUESTS.values()
        for parameters in (right, wrong, right)
    ]
    alone = [resources.refusals([request])[0] for request in requests]
    assert list(map(sorted, resources.refusals(requests))) == list(map(sorted, alone))


def test_what_a_command_line_noted_is_judged_but_not_what_it_only_planned(tmp_path: Path) -> None:
    notes = tmp_path / "requests.jsonl"
    judges.judge_noted(notes)
    planned = task(memory="300", executionRoleArn=TO_COME)
    notes.write_text(f"{json.dumps(['ecs', 'RegisterTaskDefinition', planned])}\n", encoding="utf-8")
    judges.judge_noted(notes)
    with notes.open("a", encoding="utf-8") as more:
        more.write(f"{json.dumps(['ecs', 'RegisterTaskDefinition', task(memory='300')])}\n")
    with pytest.raises(judges.RefusedError, match="not compatible"):
        judges.judge_noted(notes)


PARTITIONS = pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])


def where(partition: str) -> Where:
    """Return the place that the policies of these tests are for."""
    return Where("123456789012", "us-east-1", partition)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("*", "aws"),  # not said
        ("mars-north-1", "aws"),
    ],
)
def test_the_partition_is_that_of_the_region(region: str, partition: str) -> None:
    there = Where.of("123456789012", region)
    assert there.arn("ecs", "cluster/c") == f"arn:{partition}:ecs:{region}:123456789012:cluster/c"
    settings = configured(Path("/tmp/model"), **CONFIGURATIONS["everything"].inputs)
    for document in documents(settings, there):
        assert policies.findings(document, partition) == []


@PARTITIONS
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_printed_policy_says_what_aws_knows_and_fits(name: str, partition: str) -> None:
    settings = configured(Path("/tmp/model"), **CONFIGURATIONS[name].inputs)
    own = [stack_policy(settings, where(partition), after_bootstrap) for after_bootstrap in (False, True)]
    for document in (*documents(settings, where(partition)), *own):
        assert policies.findings(document, partition) == []


@PARTITIONS
def test_the_policies_of_the_ground_say_what_aws_knows_and_fit(partition: str) -> None:
    for document in (
        permissions.service_role_policy(where(partition)),
        permissions.caller_policy(where(partition)),
        permissions.boundary_policy(where(partition)),
    ):
        assert policies.findings(document, partition) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"Action": ["ecs:RunTasks"]}, "no action ecs:RunTasks"),
        ({"Action": "ecs:Fly*"}, "no action"),
        ({"Action": ["ecs:ListClusters"]}, "knows no resources"),
        ({"Resource": ["arn:aws:ecs:eu-west-1:123456789012:cluster/c"]}, "needs a resource task-definition"),
        ({"Resource": ["arn:aws:ecs:*:*:task-definition/m:*", "arn:aws:s3:::b"]}, "no action is on arn:aws:s3:::b"),
        ({"Resource": ["arn:aws-cn:ecs:*:*:task-definition/m:*"]}, "another partition"),
        ({"Condition": {"StringEquals": {"ecs:Cluster-Name": "c"}}}, "no condition key ecs:Cluster-Name"),
        ({"Sid": "long" * 1750}, "of 6144"),
    ],
)
def test_a_policy_that_is_not_what_it_says_is_found(changes: dict[str, Any], says: str) -> None:
    right = {
        "Action": ["ecs:RunTask"],
        "Resource": ["arn:aws:ecs:eu-west-1:123456789012:task-definition/m:*"],
        "Condition": {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/c"}},
    }
    assert policies.findings({"Statement": [right]}) == []
    assert says in "\n".join(policies.findings({"Statement": [{**right, **changes}]}))


def test_the_quotas_of_users_and_roles_are_others() -> None:
    document = {"Statement": [{"Sid": "x" * 3000, "Action": "ecs:ListClusters", "Resource": "*"}]}
    assert policies.findings(document, most=policies.OF_A_ROLE) == policies.findings(document) == []
    assert "of 2048" in "\n".join(policies.findings(document, most=policies.OF_A_USER))
