"""ECS of the sandbox: what each operation answers and refuses, and what the scheduler does with services."""

import json
import uuid
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from model_sandbox.ecs import Ecs, scheduler, service, services
from model_sandbox.ecs import task as task_module
from model_sandbox.ecs.task import Task
from model_sandbox.network import Network
from model_sandbox.pace import Pace
from tests.rig.fake_engine import RUNNING, FakeEngine
from tests.rig.fake_ministack import OTHER, SCOPE, asked, fake_upstream

ARN = "arn:aws:ecs:us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role"
VPC: dict[str, Any] = {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-web"]}}
REQUEST: dict[str, Any] = {
    **{"cluster": "c", "serviceName": "s", "taskDefinition": "f:1", "launchType": "FARGATE"},
    "networkConfiguration": VPC,
}
BALANCER: dict[str, Any] = {
    **{"targetGroupArn": "a", "containerName": "web", "containerPort": 80},
    "advancedConfiguration": {
        **{
            "alternateTargetGroupArn": "b",
            "testListenerRule": f"{ARN[:7]}:elasticloadbalancing:x:1:listener-rule/app/t",
        },
        "productionListenerRule": f"{ARN[:7]}:elasticloadbalancing:x:1:listener-rule/app/p",
        "roleArn": f"{ROLE}/known",
    },
}
BLUE_GREEN: dict[str, Any] = {
    "strategy": "BLUE_GREEN",
    "bakeTimeInMinutes": 0,
    "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}],
}


class Balancers:
    """A fake of the load balancers: rules with weights, and what was registered."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, int]] = {}
        self.registered: list[tuple[str, list[str]]] = []
        for name in ("p", "t"):
            rule = BALANCER["advancedConfiguration"][{"p": "productionListenerRule", "t": "testListenerRule"}[name]]
            self.rules[rule] = {"a": 100, "b": 0}

    def is_used(self, group: str) -> bool:
        return group in ("a", "b")

    def weights(self, rule: str) -> Mapping[str, int] | None:
        return self.rules.get(rule)

    def write_weights(self, rule: str, weights: Mapping[str, int]) -> None:
        self.rules[rule] = dict(weights)

    def register(self, group: str, tasks: dict[str, Any]) -> None:
        self.registered.append((group, sorted(tasks)))

    def target(self, group: str, address: str) -> None:
        return None

    def is_asked(self, address: str) -> bool:
        return False


class Account:
    """ECS of one account, whose scheduler steps when it is told to, and whose tasks are only begun."""

    def __init__(self, access: Any = None, sessions: Any = None) -> None:
        self.now, self.balancers, self.begun = 1000.0, Balancers(), list[Task]()
        cloudwatch = SimpleNamespace(_alarms={"loud": {"StateValue": "ALARM"}, "calm": {"StateValue": "OK"}})
        self.upstream = fake_upstream(cloudwatch=cloudwatch)
        self.monitored: set[Any] = set()
        monitoring: Any = SimpleNamespace(is_on=lambda scope: scope in self.monitored)
        balancers: Any = self.balancers
        engine: Any = FakeEngine(RUNNING)
        nothing: Any = SimpleNamespace()
        self.network = Network(self.upstream, 40000)
        self.ecs = Ecs(
            self.upstream, engine, self.network, balancers, nothing, monitoring, sessions or nothing, access, Pace(30.0)
        )
        self.state = self.ecs._state
        self.state.clock = lambda: self.now
        self.runner: Any = self.ecs._scheduler._runner
        vars(self.runner)["start"] = self.begun.append
        self.ecs.install()

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        return asked(self.upstream, "ecs", operation, **request)

    def create(self, **request: Any) -> dict[str, Any]:
        """Create the service of REQUEST with changes; None leaves a member out."""
        asked_for = {key: value for key, value in {**REQUEST, **request}.items() if value is not None}
        return self.ask("CreateService", **asked_for)

    def show(self) -> dict[str, Any]:
        (found,) = self.ask("DescribeServices", cluster="c", services=["s"])["services"]
        return dict(found)

    def define(self, revision: int, **definition: Any) -> None:
        known = self.upstream.ecs._task_defs
        arn = f"{ARN}:task-definition/f:{revision}"
        known[f"f:{revision}"] = {**known["f:1"], "revision": revision, "taskDefinitionArn": arn, **definition}

    def tick(self, times: int = 1) -> list[str]:
        """Let the scheduler look so many times, and return the waits before each look."""
        waits: list[str] = []

        class OverError(Exception):
            """The scheduler has looked often enough."""

        def wait(seconds: float) -> None:
            if len(waits) == times:
                raise OverError
            waits.append(str(seconds))

        plain = self.state.wake
        self.state.wake = SimpleNamespace(wait=wait, clear=plain.clear, set=plain.set)  # type: ignore[assignment]
        with pytest.raises(OverError):
            self.ecs._scheduler._schedule()
        self.state.wake = plain
        return waits

    def run(self, *tasks: Task) -> None:
        for task in tasks:
            task.last_status = "RUNNING"
            task.times["startedAt"] = self.now


@pytest.fixture(autouse=True)
def _numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Number or count what is random, and start no scheduler."""
    numbers = iter(range(1, 1000))
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(numbers)))
    monkeypatch.setattr(services, "time", SimpleNamespace(time_ns=lambda: next(numbers)))
    fakes = SimpleNamespace(
        token_urlsafe=lambda size: f"{size}-bytes-{next(numbers)}",
        token_hex=lambda size: f"hex-{size}",
        randbelow=lambda most: most - 1,
    )
    monkeypatch.setattr(service, "secrets", fakes)
    monkeypatch.setattr(task_module, "time", SimpleNamespace(time=lambda: 7.0))
    monkeypatch.setattr(scheduler, "threading", SimpleNamespace(Thread=NotStarted))
    NotStarted.made = []


class NotStarted:
    """Stands in for threading.Thread, and keeps what would run."""

    made: ClassVar[list[Any]] = []

    def __init__(self, *, target: Any, daemon: bool, name: str) -> None:
        assert daemon, f"{name} would hold up the end of the sandbox"
        self._target = target

    def start(self) -> None:
        self.made.append(self._target)


def test_the_scheduler_runs_from_the_start() -> None:
    account = Account()
    assert NotStarted.made == [account.ecs._scheduler._schedule]
    assert account.tick() == ["0.25"]


# ---- services


def test_a_service_is_shown_as_it_was_made() -> None:
    account = Account()
    made = account.create(desiredCount=2, tags=[{"key": "a", "value": "b"}])["service"]
    revision = f"{ARN}:service-revision/c/s/1"
    expected = {
        "serviceArn": f"{ARN}:service/c/s",
        "serviceName": "s",
        "clusterArn": f"{ARN}:cluster/c",
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": 0,
        "pendingCount": 0,
        "taskDefinition": f"{ARN}:task-definition/f:1",
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "networkConfiguration": VPC,
        "loadBalancers": [],
        "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
        "deploymentController": {"type": "ECS"},
        "schedulingStrategy": "REPLICA",
        "deployments": [
            {
                **{"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": f"{ARN}:task-definition/f:1"},
                **{"desiredCount": 2, "runningCount": 0, "pendingCount": 0, "failedTasks": 0},
                **{"createdAt": 1000.0, "updatedAt": 1000.0, "launchType": "FARGATE", "platformVersion": "1.4.0"},
                **{"networkConfiguration": VPC, "rolloutState": "IN_PROGRESS"},
                "rolloutStateReason": "ECS deployment ecs-svc/1 in progress.",
            }
        ],
        "events": [],
        "createdAt": 1000.0,
        "currentServiceDeployment": f"{ARN}:service-deployment/c/s/15-bytes-2",
        "currentServiceRevisions": [
            {"arn": revision, "requestedTaskCount": 2, "runningTaskCount": 0, "pendingTaskCount": 0}
        ],
        "availabilityZoneRebalancing": "ENABLED",
    }
    assert made == {**expected, "tags": [{"key": "a", "value": "b"}]}
    assert account.state.wake.is_set()
    assert account.ask("DescribeServices", cluster="c", services=[f"{ARN}:service/c/s", "none"]) == {
        "services": [expected],
        "failures": [{"arn": f"{ARN}:service/c/none", "reason": "MISSING"}],
    }
    shown = account.ask("DescribeServices", cluster=f"{ARN}:cluster/c", services=["s"], include=["TAGS"])
    assert shown["services"] == [made]
    assert account.upstream.ecs._tags == {f"{ARN}:service/c/s": [{"key": "a", "value": "b"}]}
    assert account.ask("ListServices", cluster="c") == {"serviceArns": [f"{ARN}:service/c/s"]}
    assert account.ask("DescribeServices", cluster="c") == {"services": [], "failures": []}


def test_what_was_said_of_a_service_is_shown_back_and_the_rest_is_not() -> None:
    account = Account()
    said = {
        **{"serviceRegistries": [{"registryArn": "r"}], "healthCheckGracePeriodSeconds": 30, "placementStrategy": [1]},
        **{"placementConstraints": [2], "enableECSManagedTags": True, "propagateTags": "SERVICE"},
        **{"enableExecuteCommand": True, "availabilityZoneRebalancing": "DISABLED"},
        **{"deploymentController": {"type": "ECS"}, "schedulingStrategy": "REPLICA"},
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}],
    }
    made = account.create(launchType=None, role="dropped", **said)["service"]
    assert {key: made[key] for key in said} == said
    assert (made["desiredCount"], made["tags"], "role" in made, "launchType" in made) == (1, [], False, False)
    assert made["deployments"][0]["capacityProviderStrategy"] == said["capacityProviderStrategy"]
    assert account.state.services[f"{ARN}:service/c/s"].primary.revision.launch_type == "FARGATE"
    on_instances = {"capacityProviderStrategy": [{"capacityProvider": "mine"}]}
    account.create(serviceName="t", launchType=None, **on_instances)
    assert account.state.services[f"{ARN}:service/c/t"].primary.revision.launch_type == "EC2"
    account.create(serviceName="u", launchType=None)
    assert account.state.services[f"{ARN}:service/c/u"].primary.revision.launch_type == "EC2"


def test_a_service_that_others_deploy_has_task_sets() -> None:
    made = Account().create(deploymentController={"type": "EXTERNAL"})["service"]
    assert (made["deployments"], made["deploymentController"]) == ([], {"type": "EXTERNAL"})
    assert made["taskSets"] == [
        {
            **{"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": f"{ARN}:task-definition/f:1"},
            "scale": {"value": 100.0, "unit": "PERCENT"},
        }
    ]


NOT_FOUND = "ClusterNotFoundException: Cluster not found."
NO_NETWORK = "InvalidParameterException: Network Configuration must be provided when networkMode 'awsvpc' is specified."


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"cluster": "none"}, NOT_FOUND),
        ({"cluster": None}, NOT_FOUND),
        ({"serviceName": ""}, "InvalidParameterException: Service name cannot be empty."),
        ({"taskDefinition": "none"}, "ClientException: Unable to describe task definition."),
        ({"taskDefinition": None}, "ClientException: Unable to describe task definition."),
        ({"taskDefinition": "f:9"}, "ClientException: TaskDefinition is inactive"),
        ({"networkConfiguration": None}, NO_NETWORK),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": [], "assignPublicIp": "ENABLED"}}}, NO_NETWORK),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["none"]}}},
            "InvalidParameterException: The subnet ID 'none' does not exist",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-lax"]}}},
            "InvalidParameterException: The subnet subnet-lax is in us-west-2-lax-1a, and Fargate does not run there.",
        ),
        (
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
            "InvalidParameterException: Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again.",
        ),
        (
            {"schedulingStrategy": "DAEMON"},
            "InvalidParameterException: The daemon scheduling strategy is not supported on Fargate.",
        ),
        (
            {"availabilityZoneRebalancing": "ENABLED", "deploymentConfiguration": {"maximumPercent": 100}},
            "InvalidParameterException: The service couldn't be updated because Availability Zone Rebalancing does not "
            "support maximumPercent <= 100 % as deployment configuration.",
        ),
        (
            {"loadBalancers": [{**BALANCER, "containerName": "other"}]},
            "InvalidParameterException: The container other does not exist in the task definition.",
        ),
        (
            {"loadBalancers": [{"targetGroupArn": "unused", "containerName": "web", "containerPort": 80}]},
            "InvalidParameterException: The target group with targetGroupArn unused does not have an associated load "
            "balancer.",
        ),
        (
            {"deploymentConfiguration": BLUE_GREEN, "deploymentController": {"type": "CODE_DEPLOY"}},
            "InvalidParameterException: The BLUE_GREEN deployment strategy requires the ECS deployment controller.",
        ),
        (
            {"deploymentConfiguration": BLUE_GREEN, "loadBalancers": [{"targetGroupArn": "a", "containerPort": 80}]},
            "InvalidParameterException: advancedConfiguration field is required for all loadBalancers when using a "
            "non-ROLLING deployment strategy",
        ),
        (
            {
                "loadBalancers": [
                    {**BALANCER, "advancedConfiguration": {**BALANCER["advancedConfiguration"], "roleArn": "r/young"}}
                ]
            },
            "AccessDeniedException: User: arn:aws:iam::123456789012:root is not authorized to perform: iam:PassRole on "
            "resource: r/young",
        ),
    ],
)
def test_a_service_that_cannot_be_made(request_: dict[str, Any], told: str) -> None:
    account = Account()
    account.define(9, status="INACTIVE")
    account.upstream.ec2._ensure_defaults_initialized()
    account.upstream.ec2._subnets["subnet-lax"] = {"VpcId": "v", "AvailabilityZone": "us-west-2-lax-1a"}
    assert account.create(**request_) == {"refused": told}
    assert account.state.services == {}


def test_a_cluster_that_goes_takes_no_service_and_the_default_one_needs_no_name() -> None:
    account = Account()
    known = account.upstream.ecs._clusters
    known["default"] = {**known["c"], "clusterArn": f"{ARN}:cluster/default"}
    assert account.create(cluster=None)["service"]["clusterArn"] == f"{ARN}:cluster/default"
    known["c"]["status"] = "INACTIVE"
    assert account.create() == {"refused": NOT_FOUND}


def test_a_definition_without_awsvpc_needs_no_network() -> None:
    account = Account()
    account.define(2, networkMode="bridge")
    made = account.create(taskDefinition="f:2", networkConfiguration=None, launchType="EC2")["service"]
    assert (made["networkConfiguration"], made["launchType"]) == ({}, "EC2")


def test_the_name_of_a_service_is_free_when_it_is_gone() -> None:
    account = Account()
    account.create()
    refused = "InvalidParameterException: Creation of service was not idempotent."
    assert account.create() == {"refused": refused}
    (one,) = account.state.services.values()
    one.status = "DRAINING"
    refused = "InvalidParameterException: Unable to Start a service that is still Draining."
    assert account.create() == {"refused": refused}
    one.status = "INACTIVE"
    assert account.create()["service"]["status"] == "ACTIVE"


def test_where_none_may_start_before_one_ends_tasks_are_not_balanced() -> None:
    for percent, balanced in ((100, "DISABLED"), (101, "ENABLED")):
        made = Account().create(deploymentConfiguration={"maximumPercent": percent})["service"]
        assert made["availabilityZoneRebalancing"] == balanced
        assert made["deploymentConfiguration"] == {"maximumPercent": percent, "minimumHealthyPercent": 100}


def test_what_changes_tasks_is_deployed_and_nothing_else() -> None:
    account = Account()
    account.create()
    account.define(2)
    records = account.state.services[f"{ARN}:service/c/s"].records
    account.state.wake.clear()

    def update(**request: Any) -> tuple[int, dict[str, Any]]:
        shown = account.ask("UpdateService", cluster="c", service="s", **request)["service"]
        return len(records), shown

    assert update(desiredCount=3)[0] == 1
    assert account.state.wake.is_set()
    count, shown = update(enableExecuteCommand=True, deploymentConfiguration={"maximumPercent": 150})
    assert (count, shown["desiredCount"], shown["enableExecuteCommand"]) == (1, 3, True)
    assert shown["deploymentConfiguration"] == {"maximumPercent": 150, "minimumHealthyPercent": 100}
    assert shown["tags"] == []
    assert update(taskDefinition="f:1", networkConfiguration=VPC, loadBalancers=[])[0] == 1
    account.now = 2000.0
    count, shown = update(taskDefinition="f:2")
    assert (count, shown["taskDefinition"], shown["launchType"]) == (2, f"{ARN}:task-definition/f:2", "FARGATE")
    assert [(each["status"], each["createdAt"]) for each in shown["deployments"]] == [
        ("PRIMARY", 2000.0),
        ("ACTIVE", 1000.0),
    ]
    other = {"awsvpcConfiguration": {"subnets": ["subnet-b"]}}
    count, shown = update(networkConfiguration=other)
    assert (count, shown["networkConfiguration"], shown["taskDefinition"][-3:]) == (3, other, "f:2")
    balanced = [{"targetGroupArn": "a", "containerName": "web", "containerPort": 80}]
    count, shown = update(loadBalancers=balanced)
    assert (count, shown["loadBalancers"], shown["networkConfiguration"]) == (4, balanced, other)
    assert update(forceNewDeployment=True)[0] == 5
    assert update(forceNewDeployment=False)[0] == 5


def test_a_change_of_the_count_ends_the_steady_state() -> None:
    account = Account()
    account.create(desiredCount=2)
    (one,) = account.state.services.values()
    for before, count, after in ((True, 2, True), (True, 3, False), (False, 3, False)):
        one.is_steady = before
        account.ask("UpdateService", cluster="c", service="s", desiredCount=count)
        assert (one.is_steady, one.desired) == (after, count)


def test_an_update_that_is_refused_changes_nothing() -> None:
    account = Account()
    account.create()
    before = account.show()

    def refused(**request: Any) -> str:
        return str(account.ask("UpdateService", **{"cluster": "c", "service": "s", **request})["refused"])

    assert refused(service="none") == "ServiceNotFoundException: Service not found."
    assert refused(taskDefinition="none") == "ClientException: Unable to describe task definition."
    tight = {"deploymentConfiguration": {"maximumPercent": 100}, "desiredCount": 4, "enableExecuteCommand": True}
    assert refused(**tight).startswith("InvalidParameterException: The service couldn't be updated because Avail")
    assert refused(deploymentConfiguration={"strategy": "OTHER"}).startswith(
        "InvalidParameterException: Invalid deployment strategy: OTHER."
    )
    assert account.show() == before
    (one,) = account.state.services.values()
    one.settings["deploymentController"] = {"type": "CODE_DEPLOY"}
    assert refused(forceNewDeployment=True).startswith("InvalidParameterException: Cannot force a new deployment")
    one.status = "DRAINING"
    assert refused() == "ServiceNotActiveException: Service was not ACTIVE."


def test_a_service_goes_when_it_is_scaled_down_or_forced() -> None:
    account = Account()
    account.create()
    refused = "InvalidParameterException: The service cannot be stopped while it is scaled above 0."
    assert account.ask("DeleteService", cluster="c", service="s") == {"refused": refused}
    account.state.wake.clear()
    account.now = 1005.0
    gone = account.ask("DeleteService", cluster="c", service="s", force=True)["service"]
    assert (gone["status"], gone["desiredCount"], "tags" in gone) == ("DRAINING", 0, False)
    assert account.state.wake.is_set()
    (one,) = account.state.services.values()
    told = (one.records[0].status, one.records[0].status_reason, one.records[0].finished_at)
    assert told == ("STOPPED", "The service is being deleted.", 1005.0)
    assert account.ask("ListServices", cluster="c")["serviceArns"] == [one.arn]
    account.tick()
    assert (one.status, account.ask("ListServices", cluster="c")["serviceArns"]) == ("INACTIVE", [])
    account.now = 1009.0
    assert account.ask("DeleteService", cluster="c", service="s")["service"]["status"] == "INACTIVE"
    assert one.records[0].finished_at == 1005.0


def test_a_deployment_that_ended_stays_as_it_ended() -> None:
    account = Account()
    account.create(desiredCount=0)
    account.tick()
    (one,) = account.state.services.values()
    assert one.records[0].status == "SUCCESSFUL"
    account.ask("DeleteService", cluster="c", service="s")
    assert one.records[0].status == "SUCCESSFUL"


def test_services_are_listed_ten_at_a_time() -> None:
    account = Account()
    for number in range(11):
        account.create(serviceName=f"s{number}")
    first = account.ask("ListServices", cluster="c")
    assert (len(first["serviceArns"]), first["nextToken"]) == (10, "10")
    last = account.ask("ListServices", cluster="c", nextToken="10")
    assert last == {"serviceArns": [f"{ARN}:service/c/s10"]}
    assert account.ask("ListServices", cluster="c", maxResults=11).keys() == {"serviceArns"}
    some = account.ask("ListServices", cluster="c", maxResults=2, nextToken="3")
    assert some == {"serviceArns": [f"{ARN}:service/c/s3", f"{ARN}:service/c/s4"], "nextToken": "5"}
    known = account.upstream.ecs._clusters
    known["d"] = {**known["c"], "clusterArn": f"{ARN}:cluster/d"}
    assert account.ask("ListServices", cluster="d") == {"serviceArns": []}


def test_scaling_raises_the_count_of_that_service_only() -> None:
    account = Account()
    for name in ("s", "t"):
        account.create(serviceName=name, desiredCount=2)
    account.state.wake.clear()
    one, other = account.state.services.values()
    one.is_steady = other.is_steady = True
    for account_, resource, count in (
        ("123456789012", "service/c/s", 2),
        ("123456789012", "service/d/s", 3),
        ("210987654321", "service/c/s", 3),
    ):
        account.ecs.services.at_least(account_, resource, count)
        assert (one.desired, one.is_steady) == (2, True)
    account.ecs.services.at_least("123456789012", "service/c/s", 3)
    assert [(each.desired, each.is_steady) for each in (one, other)] == [(3, False), (2, True)]
    assert account.state.wake.is_set()


# ---- deployments


def test_a_deployment_and_its_revision_are_shown() -> None:
    account = Account()
    breaker = {"enable": True, "rollback": True}
    alarms = {"enable": True, "rollback": True, "alarmNames": ["loud", "calm"]}
    configuration = {"deploymentCircuitBreaker": breaker, "alarms": alarms}
    account.create(desiredCount=1, deploymentConfiguration=configuration)
    arn, revision = f"{ARN}:service-deployment/c/s/15-bytes-2", f"{ARN}:service-revision/c/s/1"
    brief = {
        **{"serviceDeploymentArn": arn, "serviceArn": f"{ARN}:service/c/s", "clusterArn": f"{ARN}:cluster/c"},
        **{"createdAt": 1000.0, "startedAt": 1000.0, "status": "IN_PROGRESS"},
    }
    listed = account.ask("ListServiceDeployments", cluster="c", service="s")
    assert listed == {"serviceDeployments": [{**brief, "targetServiceRevisionArn": revision}]}
    shown = account.ask("DescribeServiceDeployments", serviceDeploymentArns=[arn, "none"])
    target = {"arn": revision, "requestedTaskCount": 1, "runningTaskCount": 0, "pendingTaskCount": 0}
    # The alarm was on before: it does not count.
    watched = {"status": "MONITORING", "alarmNames": ["loud", "calm"], "triggeredAlarmNames": []}
    expected = {
        **{**brief, "updatedAt": 1000.0, "sourceServiceRevisions": [], "targetServiceRevision": target},
        **{"deploymentConfiguration": configuration, "alarms": watched},
        "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": 0, "threshold": 3},
    }
    assert shown == {"serviceDeployments": [expected], "failures": [{"arn": "none", "reason": "MISSING"}]}
    assert account.ask("DescribeServiceRevisions", serviceRevisionArns=[revision, "none"]) == {
        "serviceRevisions": [
            {
                **{"serviceRevisionArn": revision, "serviceArn": f"{ARN}:service/c/s", "launchType": "FARGATE"},
                **{"clusterArn": f"{ARN}:cluster/c", "taskDefinition": f"{ARN}:task-definition/f:1"},
                **{"platformVersion": "1.4.0", "networkConfiguration": VPC, "loadBalancers": []},
                "resolvedConfiguration": {"loadBalancers": []},
                "containerImages": [{"containerName": "web", "image": "registry/iris@sha256:1"}],
                "createdAt": 1000.0,
            }
        ],
        "failures": [{"arn": "none", "reason": "MISSING"}],
    }
    (one,) = account.state.services.values()
    account.upstream.cloudwatch._alarms["calm"]["StateValue"] = "ALARM"
    account.tick()
    (ended,) = account.ask("DescribeServiceDeployments", serviceDeploymentArns=[arn])["serviceDeployments"]
    assert ended["alarms"] == {**watched, "status": "TRIGGERED", "triggeredAlarmNames": ["calm"]}
    assert one.records[0].status == "ROLLBACK_FAILED"
    assert account.ask("DescribeServiceDeployments") == {"serviceDeployments": [], "failures": []}
    assert account.ask("DescribeServiceRevisions") == {"serviceRevisions": [], "failures": []}


def test_deployments_are_listed_twenty_at_a_time_newest_first_and_by_status() -> None:
    account = Account()
    account.create()
    for _ in range(20):
        account.now += 1
        account.ask("UpdateService", cluster="c", service="s", forceNewDeployment=True)
    listed = account.ask("ListServiceDeployments", cluster="c", service="s")
    assert [each["createdAt"] for each in listed["serviceDeployments"]] == [1020.0 - age for age in range(20)]
    assert listed["nextToken"] == "20"
    going = account.ask("ListServiceDeployments", cluster="c", service="s", status=["IN_PROGRESS"])
    assert [each["createdAt"] for each in going["serviceDeployments"]] == [1020.0]
    stopped = account.ask("ListServiceDeployments", cluster="c", service="s", status=["STOPPED"], maxResults=1)
    (newest,) = stopped["serviceDeployments"]
    assert (newest["createdAt"], newest["finishedAt"]) == (1019.0, 1020.0)
    assert newest["statusReason"] == "A newer service deployment has started."


def shifting() -> tuple[Account, str, str]:
    """Return an account whose service waits for a person; its deployment, and the hook."""
    account = Account()
    account.create(deploymentConfiguration=BLUE_GREEN, loadBalancers=[BALANCER])
    account.tick()
    (one,) = account.state.services.values()
    record = one.records[0]
    assert record.course is not None
    (hook,) = record.course.hooks
    return account, record.arn, hook.identity


def test_a_deployment_that_shifts_shows_its_stage_weights_and_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(time=lambda: 2000.0))
    account, arn, hook = shifting()
    (shown,) = account.ask("DescribeServiceDeployments", serviceDeploymentArns=[arn])["serviceDeployments"]
    assert shown["lifecycleStage"] == "PRE_SCALE_UP"
    assert shown["lifecycleHookDetails"] == [
        {
            **{"hookId": hook, "targetType": "PAUSE", "status": "AWAITING_ACTION", "timeoutAction": "ROLLBACK"},
            "expiresAt": 2000.0 + 1440 * 30.0,  # by the pace of this sandbox
        }
    ]
    weights = {"requestedProductionTrafficWeight": 0.0, "requestedTestTrafficWeight": 0.0}
    assert shown["targetServiceRevision"] == {
        "arn": f"{ARN}:service-revision/c/s/1",
        **{"requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0, **weights},
    }
    assert shown["alarms"] == {"status": "DISABLED"}
    assert shown["deploymentCircuitBreaker"] == {"status": "DISABLED", "failureCount": 0, "threshold": 3}
    (service_,) = account.ask("DescribeServices", cluster="c", services=["s"])["services"]
    (deployment,) = service_["deployments"]
    assert "rolloutState" not in deployment
    assert deployment["desiredCount"] == 0
    revision = f"{ARN}:service-revision/c/s/1"
    (told,) = account.ask("DescribeServiceRevisions", serviceRevisionArns=[revision])["serviceRevisions"]
    production = BALANCER["advancedConfiguration"]["productionListenerRule"]
    # Production is on a, so b is the idle one.
    assert told["resolvedConfiguration"] == {
        "loadBalancers": [{"targetGroupArn": "b", "productionListenerRule": production}]
    }
    assert told["loadBalancers"] == [BALANCER]


def test_the_weights_of_both_revisions_add_up() -> None:
    account, arn, _ = shifting()
    (one,) = account.state.services.values()
    record = one.records[0]
    assert record.course is not None
    record.sources = (record.target,)
    record.course.production, record.course.test = 25.0, 100.0
    (shown,) = account.ask("DescribeServiceDeployments", serviceDeploymentArns=[arn])["serviceDeployments"]
    (source,) = shown["sourceServiceRevisions"]
    keys = ("requestedProductionTrafficWeight", "requestedTestTrafficWeight")
    assert [source[key] for key in keys] == [75.0, 0.0]
    assert [shown["targetServiceRevision"][key] for key in keys] == [25.0, 100.0]


@pytest.mark.parametrize(
    ("action", "status", "cause"),
    [
        (None, "SUCCEEDED", ""),
        ("CONTINUE", "SUCCEEDED", ""),
        ("ROLLBACK", "FAILED", "Service deployment rolled back because PRE_SCALE_UP lifecycle hook(s) failed."),
    ],
)
def test_a_hook_is_answered_once(action: str | None, status: str, cause: str) -> None:
    account, arn, hook = shifting()
    account.state.wake.clear()
    answer = account.ask("ContinueServiceDeployment", serviceDeploymentArn=arn, hookId=hook, action=action)
    assert answer == {"serviceDeploymentArn": arn}
    assert account.state.wake.is_set()
    (one,) = account.state.services.values()
    record = one.records[0]
    assert record.course is not None
    assert (record.course.hooks[0].status, record.cause) == (status, cause)
    again = account.ask("ContinueServiceDeployment", serviceDeploymentArn=arn, hookId=hook)
    refused = "Provided hookId is either completed, unavailable, or not associated with the given Resource ARN"
    assert again == {"refused": f"InvalidParameterException: {refused}"}


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (
            {"hookId": "pause"},
            "InvalidParameterException: Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}",
        ),
        (
            {"hookId": None},
            "InvalidParameterException: Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}",
        ),
        ({"action": "GO"}, "InvalidParameterException: Invalid action. Valid values are: CONTINUE, ROLLBACK"),
        (
            {"serviceDeploymentArn": "none"},
            "ServiceDeploymentNotFoundException: The service deployment does not exist.",
        ),
        (
            {"hookId": "ecs-pause-other"},
            "InvalidParameterException: Provided hookId is either completed, unavailable, or not associated with the "
            "given Resource ARN",
        ),
    ],
)
def test_a_hook_that_cannot_be_answered(request_: dict[str, Any], told: str) -> None:
    account, arn, hook = shifting()
    request = {"serviceDeploymentArn": arn, "hookId": hook, **request_}
    assert account.ask("ContinueServiceDeployment", **request) == {"refused": told}
    (one,) = account.state.services.values()
    assert one.records[0].course is not None
    assert one.records[0].course.hooks[0].waits


def test_no_hook_is_answered_at_its_end_or_after_that_of_its_deployment() -> None:
    account, arn, hook = shifting()
    (one,) = account.state.services.values()
    record = one.records[0]
    assert record.course is not None
    request = {"serviceDeploymentArn": arn, "hookId": hook}
    late = (
        "InvalidParameterException: Provided hookId is either completed, unavailable, or not associated with the given "
        "Resource ARN"
    )
    account.now = record.course.hooks[0].expires_at
    assert account.ask("ContinueServiceDeployment", **request) == {"refused": late}
    account.now -= 1
    record.status = "ROLLBACK_REQUESTED"
    assert account.ask("ContinueServiceDeployment", **request) == {"refused": late}
    record.finished_at = account.now
    over = "Continuing a service deployment is not allowed for service deployment in terminal states."
    assert account.ask("ContinueServiceDeployment", **request) == {"refused": f"InvalidParameterException: {over}"}
    record.finished_at, record.course = None, None
    assert account.ask("ContinueServiceDeployment", **request) == {"refused": late}


def test_a_deployment_is_stopped_once_and_only_by_its_own_account() -> None:
    account, arn, _ = shifting()
    account.state.wake.clear()
    invalid = "InvalidParameterException: Invalid stopType. Valid values are: ROLLBACK"
    assert account.ask("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ABORT") == {"refused": invalid}
    unknown = {"refused": "ServiceDeploymentNotFoundException: The service deployment does not exist."}
    assert asked(account.upstream, "ecs", "StopServiceDeployment", OTHER, serviceDeploymentArn=arn) == unknown
    assert account.ask("StopServiceDeployment") == unknown
    answer = account.ask("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert answer == {"serviceDeploymentArn": arn}
    assert account.state.wake.is_set()
    (one,) = account.state.services.values()
    record = one.records[0]
    cause = "Service deployment rolled back because it was stopped by StopServiceDeployment."
    assert (record.status, record.cause) == ("ROLLBACK_REQUESTED", cause)
    record.status, record.cause = "ROLLBACK_IN_PROGRESS", "another"
    assert account.ask("StopServiceDeployment", serviceDeploymentArn=arn) == {"serviceDeploymentArn": arn}
    assert (record.status, record.cause) == ("ROLLBACK_IN_PROGRESS", "another")
    record.status = "IN_PROGRESS"
    account.ask("StopServiceDeployment", serviceDeploymentArn=arn)
    assert (record.status, record.cause) == ("ROLLBACK_REQUESTED", "another")
    record.finish("SUCCESSFUL", "", 1.0)
    over = "ConflictException: The service deployment is SUCCESSFUL and cannot be stopped."
    assert account.ask("StopServiceDeployment", serviceDeploymentArn=arn) == {"refused": over}


# ---- the scheduler


def test_the_scheduler_starts_and_stops_the_tasks_of_services(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account()
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(time=lambda: account.now))
    spread = {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-web"]}}
    account.create(desiredCount=3, networkConfiguration=spread)
    account.monitored = {SCOPE}
    account.tick()
    assert list(account.state.tasks.values()) == account.begun
    assert [task.network.subnets for task in account.begun if task.network] == [
        ("subnet-a",),
        ("subnet-b",),
        ("subnet-a",),
    ]
    first = account.begun[0]
    shown = (first.scope, first.cluster_arn, first.group, first.started_by, first.deployment, first.launch_type)
    assert shown == (SCOPE, f"{ARN}:cluster/c", "service:s", "ecs-svc/1", "ecs-svc/1", "FARGATE")
    assert (first.is_monitored, first.definition["family"]) == (True, "f")
    account.tick()
    assert len(account.begun) == 3
    account.run(*account.begun)
    account.now += 2.0
    account.tick()
    assert (account.show()["runningCount"], account.show()["deployments"][0]["rolloutState"]) == (3, "COMPLETED")
    account.ask("UpdateService", cluster="c", service="s", desiredCount=1)
    account.tick()
    assert [task.stopping.is_set() for task in account.begun] == [False, True, True]
    account.begun[1].last_status = account.begun[2].last_status = "STOPPED"
    account.ask("UpdateService", cluster="c", service="s", desiredCount=2)
    account.tick()
    assert account.begun[3].network is not None
    assert account.begun[3].network.subnets == ("subnet-b",)


def test_a_task_without_a_network_of_its_own_is_placed_nowhere() -> None:
    account = Account()
    account.define(2, networkMode="bridge")
    account.create(taskDefinition="f:2", networkConfiguration=None, launchType="EC2")
    account.monitored = {SCOPE}
    account.tick()
    assert [(task.network, task.is_monitored, task.launch_type) for task in account.begun] == [(None, False, "EC2")]


def test_a_stopped_task_is_known_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account()
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(time=lambda: account.now))
    account.create()
    account.tick()
    (task,) = account.begun
    account.state.services.clear()
    task.times["stoppedAt"] = 1000.0
    account.now = 4600.0
    account.tick()
    assert list(account.state.tasks.values()) == [task]
    account.now = 4600.5
    account.tick()
    assert account.state.tasks == {}


def test_a_broken_service_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    account = Account()
    account.create(serviceName="broken")
    account.create()
    account.state.services[f"{ARN}:service/c/broken"].deployments = []
    account.tick()
    assert [task.group for task in account.begun] == ["service:s"]
    assert [record.getMessage() for record in caplog.records] == ["service broken"]


def test_a_target_that_is_asked_to_stop_gets_no_connection_more() -> None:
    account = Account()
    balanced = [{"targetGroupArn": "a", "containerName": "web", "containerPort": 80}]
    account.create(loadBalancers=balanced)
    account.tick()
    (task,) = account.begun
    account.run(task)
    task.interface = {"privateIPv4Address": "172.17.0.9"}
    account.ask("DeleteService", cluster="c", service="s", force=True)
    account.balancers.registered.clear()
    account.tick()
    assert account.balancers.registered == [("a", ["172.17.0.9"]), ("a", [])]


# ---- tasks


def test_a_task_that_is_run_is_shown_whole() -> None:
    account = Account()
    account.monitored = {SCOPE}
    account.define(2, cpu="256", memory="512")
    more = {"startedBy": "me", "overrides": {"cpu": "512"}, "tags": [{"key": "a", "value": "b"}], "group": "nightly"}
    request = {"cluster": "c", "taskDefinition": "f:2", "networkConfiguration": VPC, "launchType": "FARGATE"}
    answer = account.ask("RunTask", **request, **more)
    (task,) = account.begun
    identity = uuid.UUID(int=1).hex
    arn = f"{ARN}:task/c/{identity}"
    expected = {
        **{"taskArn": arn, "clusterArn": f"{ARN}:cluster/c", "taskDefinitionArn": f"{ARN}:task-definition/f:2"},
        **{"lastStatus": "PROVISIONING", "desiredStatus": "RUNNING", "healthStatus": "UNKNOWN"},
        **{"launchType": "FARGATE", "cpu": "256", "memory": "512", "platformVersion": "1.4.0"},
        **{"platformFamily": "Linux", "connectivity": "CONNECTED", "availabilityZone": "us-east-1a", **more},
        "attachments": [{"id": identity, "type": "ElasticNetworkInterface", "status": "PRECREATED", "details": []}],
        "containers": [
            {
                **{"name": f"aws-guardduty-agent-{identity[:6]}", "lastStatus": "PENDING", "healthStatus": "UNKNOWN"},
            },
            {
                "containerArn": f"{ARN}:container/c/{identity}/{uuid.UUID(int=2)}",
                **{"taskArn": arn, "name": "web", "image": "registry/iris@sha256:1", "lastStatus": "PENDING"},
                **{"healthStatus": "UNKNOWN", "networkInterfaces": [], "networkBindings": []},
            },
        ],
        "version": 1,
        "createdAt": task.created_at,
    }
    assert answer == {"tasks": [expected], "failures": []}
    assert account.ask("DescribeTasks", cluster="c", tasks=[identity, "none"]) == {
        "tasks": [expected],
        "failures": [{"arn": "none", "reason": "MISSING"}],
    }


def test_a_running_and_a_stopped_task_show_what_they_have_of_the_world() -> None:
    account = Account()
    account.ask("RunTask", cluster="c", taskDefinition="f:1", networkConfiguration=VPC)
    (task,) = account.begun
    task.zone, task.interface = "us-east-1b", {"subnetId": "subnet-a", "privateIPv4Address": "172.17.0.9"}
    container = task.containers[0]
    container.identity, container.digest, container.status, container.health = (
        "d" * 64,
        "sha256:1",
        "RUNNING",
        "HEALTHY",
    )
    account.run(task)
    (shown,) = account.ask("DescribeTasks", cluster="c", tasks=[task.arn])["tasks"]
    assert (shown["availabilityZone"], shown["lastStatus"], shown["startedAt"]) == ("us-east-1b", "RUNNING", 1000.0)
    assert (shown["launchType"], shown["group"], "platformVersion" in shown, "cpu" in shown) == (
        *("EC2", "family:f"),
        *(False, False),
    )
    assert shown["version"] == 2
    details = [{"name": "subnetId", "value": "subnet-a"}, {"name": "privateIPv4Address", "value": "172.17.0.9"}]
    (attachment,) = shown["attachments"]
    assert (attachment["status"], attachment["details"]) == ("ATTACHED", details)
    (one,) = shown["containers"]
    assert (one["runtimeId"], one["imageDigest"], one["lastStatus"], one["healthStatus"]) == (
        *("d" * 32, "sha256:1"),
        *("RUNNING", "HEALTHY"),
    )
    address = {"attachmentId": task.identity, "privateIpv4Address": "172.17.0.9"}
    assert one["networkInterfaces"] == [address]
    task.last_status, container.exit_code, container.reason = "STOPPED", 0, "because"
    (shown,) = account.ask("DescribeTasks", cluster="c", tasks=[task.arn])["tasks"]
    assert shown["attachments"][0]["status"] == "DELETED"
    assert (shown["containers"][0]["exitCode"], shown["containers"][0]["reason"]) == (0, "because")


def test_a_task_that_runs_on_nothing_special() -> None:
    account = Account()
    account.define(2, networkMode="bridge")
    account.ask("RunTask", cluster="c", taskDefinition="f:2", count=3)
    assert len(account.begun) == 3
    assert {(task.launch_type, task.network, task.is_monitored) for task in account.begun} == {("EC2", None, False)}
    assert account.ask("DescribeTasks", cluster="c", tasks=[account.begun[0].arn])["tasks"][0]["attachments"] == []
    assert account.ask("DescribeTasks", cluster="c") == {"tasks": [], "failures": []}


def test_a_task_is_stopped_by_whoever_asks_with_the_reason_that_is_given() -> None:
    account = Account()
    for reason, told in ((None, "Task stopped by user"), ("enough", "enough")):
        account.ask("RunTask", cluster="c", taskDefinition="f:1", networkConfiguration=VPC)
        task = account.begun[-1]
        shown = account.ask("StopTask", cluster="c", task=task.identity, reason=reason)["task"]
        assert (shown["stopCode"], shown["stoppedReason"], shown["desiredStatus"], shown["stoppingAt"]) == (
            *("UserInitiated", told),
            *("STOPPED", 7.0),
        )
        account.ask("StopTask", cluster="c", task=task.arn, reason="later")
        assert task.stopped_reason == told
    missing = {"refused": "InvalidParameterException: The referenced task was not found."}
    assert account.ask("StopTask", cluster="c", task="none") == account.ask("StopTask", cluster="c") == missing


def test_tasks_are_listed_newest_first_by_what_is_asked_for() -> None:
    account = Account()
    account.create()
    account.tick()
    account.define(2, family="g")
    for definition, starter in (("f:1", "me"), ("f:2", "you")):
        account.ask("RunTask", cluster="c", taskDefinition=definition, networkConfiguration=VPC, startedBy=starter)
    for number, task in enumerate(account.begun):
        task.created_at = float(number)
    of_service, mine, yours = (task.arn for task in account.begun)

    def listed(**request: Any) -> list[str]:
        return list(account.ask("ListTasks", **{"cluster": "c", **request})["taskArns"])

    assert listed() == [yours, mine, of_service]
    assert listed(serviceName="s") == listed(serviceName=f"{ARN}:service/c/s") == [of_service]
    assert listed(serviceName="none") == []
    assert listed(family="f") == [mine, of_service]
    assert listed(family="g") == listed(startedBy="you") == [yours]
    account.begun[1].request_stop("UserInitiated", "so")
    assert listed(desiredStatus="STOPPED") == [mine]
    assert listed() == [yours, of_service]
    known = account.upstream.ecs._clusters
    known["d"] = {**known["c"], "clusterArn": f"{ARN}:cluster/d"}
    assert listed(cluster="d") == []
    account.ask("RunTask", cluster="c", taskDefinition="f:1", networkConfiguration=VPC, count=99)
    page = account.ask("ListTasks", cluster="c")
    assert (len(page["taskArns"]), page["nextToken"]) == (100, "100")


# ---- what ministack answers, after a look


def test_a_definition_is_looked_at_before_ministack_keeps_it() -> None:
    account = Account()
    answer = account.ask("RegisterTaskDefinition", family="f", executionRoleArn=f"{ROLE}/known")
    assert json.loads(answer["ministack"][3]) == {"family": "f", "executionRoleArn": f"{ROLE}/known"}
    for key in ("executionRoleArn", "taskRoleArn"):
        told = account.ask("RegisterTaskDefinition", family="f", **{key: f"{ROLE}/young"})["refused"]
        assert told.startswith("AccessDeniedException: ")
    told = account.ask("RegisterTaskDefinition", requiresCompatibilities=["FARGATE"], cpu="1", memory="2")["refused"]
    assert told == "ClientException: No Fargate configuration exists for given values: 1 CPU, 2 memory."
    mount = {
        "name": "v",
        "efsVolumeConfiguration": {"authorizationConfig": {"accessPointId": "a"}, "rootDirectory": "/"},
    }
    told = account.ask("RegisterTaskDefinition", volumes=[mount])["refused"]
    assert "Transit encryption must be enabled" in told


def test_a_cluster_goes_only_when_it_is_empty() -> None:
    account = Account()
    account.create()
    told = "ClusterContainsServicesException: The Cluster cannot be deleted while Services are active."
    assert account.ask("DeleteCluster", cluster="c") == {"refused": told}
    (one,) = account.state.services.values()
    one.status = "INACTIVE"
    account.ask("RunTask", cluster="c", taskDefinition="f:1", networkConfiguration=VPC)
    told = "ClusterContainsTasksException: The Cluster cannot be deleted while Tasks are active."
    assert account.ask("DeleteCluster", cluster="c") == {"refused": told}
    account.begun[0].last_status = "STOPPED"
    assert "ministack" in account.ask("DeleteCluster", cluster="c")
    known = account.upstream.ecs._clusters
    known["d"] = {**known["c"], "clusterArn": f"{ARN}:cluster/d"}
    one.status, account.begun[0].last_status = "ACTIVE", "RUNNING"
    assert "ministack" in account.ask("DeleteCluster", cluster="d")


def test_the_counters_of_a_cluster_are_ours() -> None:
    account = Account()
    account.create()
    account.create(serviceName="t")
    account.state.services[f"{ARN}:service/c/t"].status = "DRAINING"
    account.ask("RunTask", cluster="c", taskDefinition="f:1", networkConfiguration=VPC, count=4)
    for task, status in zip(account.begun, ("RUNNING", "PENDING", "ACTIVATING", "STOPPED"), strict=True):
        task.last_status = status
    known = account.upstream.ecs._clusters
    known["d"] = {**known["c"], "clusterArn": f"{ARN}:cluster/d"}
    for name, counts in (("c", (1, 2, 1)), ("d", (0, 0, 0))):
        account.upstream.ecs._recount_cluster(name)
        keys = ("runningTasksCount", "pendingTasksCount", "activeServicesCount")
        assert tuple(known[name][key] for key in keys) == counts
    account.upstream.ecs._recount_cluster("none")


def test_a_family_is_its_latest_active_revision() -> None:
    account = Account()
    account.define(2)
    account.define(3, status="INACTIVE")
    account.upstream.ecs._task_defs["g:9"] = {"revision": 9, "family": "g", "status": "ACTIVE"}
    resolve = account.upstream.ecs._resolve_td_key
    assert [resolve(each) for each in ("f", f"{ARN}:task-definition/f", "f:3", "x/f:1", "", "none")] == [
        *("f:2", "f:2"),
        *("f:3", "f:1", "", "none:0"),
    ]


# ---- what ECS reaches outside


def test_ecs_writes_rules_by_its_role_where_policies_count() -> None:
    ended: list[str] = []
    issued: list[tuple[str, str, str]] = []

    def issue(account_: str, role: str, name: str) -> Any:
        issued.append((account_, role, name))
        return SimpleNamespace(key="ASIA")

    asked_for: list[Any] = []
    answers: Iterator[str | None] = iter(["not allowed", None])

    def refusal(key: str, scope: Any, action: str, resource: str) -> str | None:
        asked_for.append((key, scope, action, resource))
        return next(answers)

    sessions = SimpleNamespace(issue=issue, end=lambda session: ended.append(session.key))
    account = Account(SimpleNamespace(refusal=refusal), sessions)
    around = account.ecs._scheduler._around
    assert around.write("rule", {"a": 1}, "role") == "not allowed"
    assert "rule" not in account.balancers.rules
    assert around.write("rule", {"a": 1}, "role") == ""
    assert account.balancers.rules["rule"] == {"a": 1}
    assert issued == [("123456789012", "role", "ECSNetworkingWithELB")] * 2
    assert asked_for == [("ASIA", SCOPE, "elasticloadbalancing:ModifyRule", "rule")] * 2
    assert ended == ["ASIA"] * 2
    plain = Account()
    assert plain.ecs._scheduler._around.write("rule", {"a": 1}, "role") == ""


def test_ecs_sees_alarms_roles_and_the_pace_of_minutes() -> None:
    around = Account().ecs._scheduler._around
    assert around.in_alarm(["loud", "calm", "none"]) == {"loud"}
    assert [around.is_assumable(f"{ROLE}/{name}") for name in ("known", "young", "none")] == [True, False, False]
    assert around.minute == 30.0
