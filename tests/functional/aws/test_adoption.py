"""A service that somebody else made: refused by name, or taken over with everything that no input says."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws import ecs, ground
from model_dockerize.aws.client import rehearse
from model_dockerize.aws.destroy import plan_destruction
from model_dockerize.aws.existing.adoption import ADOPTED
from model_dockerize.aws.model import Foundations, Service
from model_dockerize.errors import InputError
from tests.rig.iris import IMAGE, IRIS, NAMES, settings

from .conftest import Account
from .test_account import everything

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
LOG = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/theirs", "awslogs-region": "us-east-1"}}
#: What of a service somebody else set, as DescribeServices shows it. moto forgets most of it, AWS does not.
SERVICE: dict[str, Any] = {
    "desiredCount": 3,
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
    "platformVersion": "1.4.0",
    "deploymentConfiguration": {
        "minimumHealthyPercent": 50,
        "maximumPercent": 150,
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "alarms": {"alarmNames": ["dpl-5xx"], "enable": True, "rollback": True},
    },
    "enableExecuteCommand": True,
    "propagateTags": "TASK_DEFINITION",
    "enableECSManagedTags": True,
    "healthCheckGracePeriodSeconds": 120,
    "availabilityZoneRebalancing": "ENABLED",
    "serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"}],
    "loadBalancers": [
        {
            "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/t/0123456789abcdef",
            "containerName": "web",
            "containerPort": 80,
        }
    ],
}
WEB = {
    "name": "web",
    "image": "python:3.13-slim",
    "essential": True,
    "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "http", "appProtocol": "http"}],
    "entryPoint": ["python"],
    "command": ["-m", "http.server", "80"],
    "environment": [{"name": "FEATURE", "value": "very secret"}],
    "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/token"}],
    "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch"}],
    "dependsOn": [{"containerName": "agent", "condition": "START"}],
    "ulimits": [{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}],
    "linuxParameters": {"initProcessEnabled": True},
    "dockerLabels": {"team": "risk"},
    "stopTimeout": 90,
    "logConfiguration": LOG,
}
AGENT = {"name": "agent", "image": "agent:1", "essential": False, "logConfiguration": LOG}
#: What of its definition stays, beside both containers.
KEPT = ("cpu", "memory", "taskRoleArn", "executionRoleArn", "volumes", "ephemeralStorage", "networkMode")
KEPT_OF_CONTAINER = tuple(WEB.keys() - {"image", "entryPoint", "command", "essential"})


class Theirs:
    """The service iris of somebody else in the cluster prod, and what AWS shows of it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        ec2, api = account.aws.ec2, account.aws.ecs
        vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName="theirs", Description="theirs")["GroupId"]
        place = {"subnets": [subnet], "securityGroups": [group], "assignPublicIp": "DISABLED"}
        roles = [
            account.aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
            for name in ("teamTask", "teamExecution")
        ]
        api.create_cluster(clusterName="prod")
        self.definition = api.register_task_definition(
            family="theirs",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            taskRoleArn=roles[0],
            executionRoleArn=roles[1],
            containerDefinitions=[AGENT, WEB],  # type: ignore[list-item]
            volumes=[{"name": "scratch"}],
            ephemeralStorage={"sizeInGiB": 50},
            tags=[{"key": "ManagedBy", "value": "terraform"}],
        )["taskDefinition"]
        api.create_service(
            cluster="prod",
            serviceName="iris",
            taskDefinition="theirs",
            desiredCount=3,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": place},  # type: ignore[typeddict-item]
            tags=[{"key": "ManagedBy", "value": "terraform"}],
        )
        self.shown: dict[str, Any] = deepcopy(SERVICE) | {"networkConfiguration": {"awsvpcConfiguration": place}}
        account.hooks.add(self._show, "after-call")
        account.hooks.add(self._take, "provide-client-params")

    def _show(self, parsed: Any, model: Any, **_: Any) -> None:
        if model.name == "DescribeServices":
            for there in parsed.get("services", []):
                there.update(deepcopy(self.shown))

    def _take(self, params: Any, model: Any, **_: Any) -> None:
        """Change what is asked for, and nothing else, as AWS does."""
        if model.name == "UpdateService":
            assert params["platformVersion"] == "1.4.0"  # left out, AWS would take the latest
            self.shown |= {key: deepcopy(params[key]) for key in params.keys() & self.shown.keys()}

    def described(self) -> Any:
        (there,) = self.account.aws.ecs.describe_services(cluster="prod", services=["iris"], include=["TAGS"])[
            "services"
        ]
        return there

    def run(self, **inputs: Any) -> tuple[Foundations, Service]:
        """Do what a run does of it."""
        account, asked = self.account, settings(cluster="prod", **inputs)
        ecs.check_service(account.aws, asked, "iris", "iris")
        made = ground.ensure_foundations(account.aws, asked, IRIS, account.said)
        wanted = made.settings
        container = ground.container_of(account.aws, wanted, IMAGE, "linux/amd64", made)
        container = container.with_queue(wanted.queue_url).with_access(wanted)
        definition = ecs.ensure_task_definition(account.aws, wanted.task_definition or "iris", container, account.said)
        return made, ecs.ensure_service(account.aws, wanted, "iris", definition, made, account.said)

    def runs(self) -> Any:
        return self.account.aws.ecs.describe_task_definition(taskDefinition=self.described()["taskDefinition"])[
            "taskDefinition"
        ]


@pytest.fixture
def theirs(account: Account) -> Iterator[Theirs]:
    made = Theirs(account)
    account.calls.clear()
    yield made


def tags(there: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in there["tags"]}


def model_of(definition: Any) -> Any:
    (found,) = [each for each in definition["containerDefinitions"] if each["name"] == "web"]
    return found


def test_it_is_refused_by_name_field_by_field_with_values_and_nothing_is_changed(theirs: Theirs) -> None:
    with pytest.raises(InputError, match="Service iris in cluster prod was made by somebody else") as caught:
        theirs.run(desired_count=1)
    assert theirs.account.changes() == []
    assert "adopt: true" in caught.value.remedy
    told = caught.value.details
    assert {
        "changes: container web, image python:3.13-slim -> the model's",
        "changes: container web, entryPoint, command: of the former image, so left out",
        "changes: desired-count 3 -> 1",
        "stays: enableExecuteCommand true",
        "stays: propagateTags TASK_DEFINITION",
        "stays: cpu 256",
        "stays: taskRoleArn teamTask",
        "stays: environment name FEATURE",
        "stays: container agent, image agent:1",
    } <= set(told)
    assert not [line for line in told if "very secret" in line]
    place = theirs.shown["networkConfiguration"]["awsvpcConfiguration"]
    (network,) = [line for line in told if line.startswith("stays: networkConfiguration")]
    assert place["subnets"][0] in network
    assert "assignPublicIp DISABLED" in network


def test_adopted_it_keeps_every_field_that_no_input_says(theirs: Theirs) -> None:
    before, definition = deepcopy(theirs.shown), theirs.definition
    made, service = theirs.run(adopt=True)
    assert service.changed
    assert theirs.shown == before  # 12 fields, and what is in them
    now = theirs.runs()
    assert (now["family"], now["revision"]) == ("theirs", 2)
    assert {name: now[name] for name in KEPT} == {name: definition[name] for name in KEPT}
    model, former = model_of(now), model_of(definition)
    told = {each["name"] for each in model["environment"]} - {"FEATURE"}
    assert told == {"MODEL_OPEN_PATHS", "MODEL_RETENTION_DAYS", "MODEL_SELF_PROOF"}
    model["environment"] = [each for each in model["environment"] if each["name"] == "FEATURE"]
    assert {name: model[name] for name in KEPT_OF_CONTAINER} == {name: former[name] for name in KEPT_OF_CONTAINER}
    assert model["image"] == IMAGE
    assert not {"entryPoint", "command"} & {name for name, value in model.items() if value}
    assert [each for each in now["containerDefinitions"] if each["name"] == "agent"] == [
        each for each in definition["containerDefinitions"] if each["name"] == "agent"
    ]
    assert len(SERVICE) + 1 + len(KEPT) + len(KEPT_OF_CONTAINER) + 1 >= 20
    assert tags(theirs.described()) == {
        "ManagedBy": "terraform",
        "model-dockerize": "service",
        ADOPTED: "true",
        "model-dockerize:proving": "theirs:1",
    }
    assert made.settings.security_groups == tuple(
        before["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    )


def test_only_what_inputs_say_is_changed(theirs: Theirs) -> None:
    before = deepcopy(theirs.shown)
    theirs.run(adopt=True, desired_count=2, memory=1024, environment=(("MINE", "1"),))
    assert theirs.shown == before | {"desiredCount": 2}
    now = theirs.runs()
    assert (now["cpu"], now["memory"]) == ("256", "1024")
    names = {each["name"] for each in model_of(now)["environment"]}
    assert "MINE" in names and "FEATURE" not in names
    assert model_of(now)["secrets"] == WEB["secrets"]


def test_what_was_adopted_needs_no_input_any_more_and_a_second_run_changes_nothing(theirs: Theirs) -> None:
    _, service = theirs.run(adopt=True)
    ecs.mark_proved(theirs.account.aws, service)
    theirs.account.calls.clear()
    _, again = theirs.run()
    assert not again.changed
    assert theirs.account.changes() == []


def test_a_plan_of_it_says_what_changes_and_changes_nothing(theirs: Theirs) -> None:
    rehearsal = rehearse(theirs.account.aws)
    account = theirs.account
    theirs.account = replace(account, aws=rehearsal.aws)
    theirs.run(adopt=True, desired_count=1)
    said = list(map(str, rehearsal.changes))
    assert "~ service iris (taskDefinition, desiredCount 3 -> 1, adopted)" in said
    (definition,) = [line for line in said if line.startswith("~ task definition theirs (")]
    assert "very secret" not in definition
    assert account.changes() == []


def test_destroy_leaves_what_was_adopted_and_all_that_it_runs_on(theirs: Theirs) -> None:
    theirs.run(adopt=True)
    names = replace(NAMES, cluster="prod")  # its family is that which it runs
    found = plan_destruction(theirs.account.aws, names, theirs.account.said)
    kept = {f"{each.thing.kind} {each.thing.name}": each.users for each in found.kept}
    assert "service iris" in kept
    assert "adopted" in kept["service iris"][0]
    assert "task definition theirs:2" in kept
    assert not [thing for thing in found.things if thing.kind in ("service", "task definition")]


def register_of_others(account: Account, family: str, cpu: str, memory: str) -> None:
    """Register a revision as somebody else does, without our tag."""
    account.aws.ecs.register_task_definition(
        family=family,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu=cpu,
        memory=memory,
        containerDefinitions=[{**WEB, "dependsOn": [], "mountPoints": []}],  # type: ignore[list-item]
    )


def test_a_family_of_somebody_else_is_refused(account: Account) -> None:
    register_of_others(account, "iris", "256", "512")
    with pytest.raises(InputError, match="Task definition family iris was made by somebody else") as caught:
        ecs.check_service(account.aws, settings(), "iris", "iris")
    assert caught.value.details == ("iris:1: web python:3.13-slim",)
    ecs.check_service(account.aws, settings(adopt=True), "iris", "iris")


def test_a_family_is_adopted_with_what_it_has_also_where_its_service_was_not_made_yet(theirs: Theirs) -> None:
    account, definition = theirs.account, theirs.definition
    for inputs in ({"adopt": True}, {"memory": 1024}):  # the second run after one that ended before the service
        asked = settings(task_definition="theirs", **inputs)
        made = ground.ensure_foundations(account.aws, asked, IRIS, account.said)
        container = ground.container_of(account.aws, made.settings, IMAGE, "linux/amd64", made)
        ecs.ensure_task_definition(account.aws, "theirs", container.with_access(made.settings), account.said)
        now = account.aws.ecs.describe_task_definition(taskDefinition="theirs")["taskDefinition"]
        assert now["memory"] == str(inputs.get("memory", 512))
        same = [name for name in KEPT if name != "memory"]
        assert {name: now[name] for name in same} == {name: definition[name] for name in same}  # type: ignore[literal-required]
        assert {each["name"] for each in now["containerDefinitions"]} == {"agent", "web"}
        assert model_of(now)["secrets"] == WEB["secrets"]
        assert {"name": "FEATURE", "value": "very secret"} in model_of(now)["environment"]


def test_a_service_of_ours_that_runs_another_familys_revision_does_not_make_that_family_ours(account: Account) -> None:
    _, _, definition, service = everything(account)
    register_of_others(account, "theirs", "1024", "2048")
    account.aws.ecs.update_service(cluster=service.cluster, service="iris", taskDefinition="theirs")
    now = ground.ensure_foundations(account.aws, settings(), IRIS, account.said)
    assert (now.settings.task_definition, now.current is not None) == ("theirs", True)
    with pytest.raises(InputError, match="Task definition family theirs was made by somebody else"):
        ecs.check_service(account.aws, settings(), "iris", "iris")
    container = ground.container_of(account.aws, now.settings, IMAGE, "linux/amd64", now)
    with pytest.raises(InputError, match="Task definition family theirs was made by somebody else"):
        ecs.ensure_task_definition(account.aws, "theirs", container, account.said)
    ecs.check_service(account.aws, settings(task_definition=definition.family), "iris", "iris")  # the way on


def test_a_definition_that_batch_registered_is_in_nobodys_way(account: Account) -> None:
    account.aws.ecs.register_task_definition(
        family="iris", containerDefinitions=[{"name": "default", "image": IMAGE, "memory": 512}]
    )

    def by_batch(parsed: Any, model: Any, **_: Any) -> None:
        if model.name == "DescribeTaskDefinition":
            by = "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForBatch/aws-batch"
            parsed["taskDefinition"]["registeredBy"] = by

    account.hooks.add(by_batch, "after-call")
    ecs.check_service(account.aws, settings(), "iris", "iris")
