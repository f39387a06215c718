"""The life of one task of the sandbox, from its start to its end, in containers of a fake engine."""

import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import network as networks
from model_sandbox.container_spec import ContainerSpec, Health, Mount
from model_sandbox.ecs import task as task_module
from model_sandbox.ecs import task_runner
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.task_runner import TaskRunner
from model_sandbox.engine import ContainerState
from model_sandbox.files import Directory
from model_sandbox.network import AwsVpc, Network
from tests.rig.fake_engine import ENDED, RUNNING, FakeEngine
from tests.rig.fake_ministack import OTHER, SCOPE, StraightThread, fake_upstream

ARN = "arn:aws:ecs:us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role"
VPC = AwsVpc(("subnet-a",), ("sg-web",), False)
WEB: dict[str, Any] = {"name": "web", "image": "registry/iris@sha256:1"}
LOG: dict[str, Any] = {"logDriver": "awslogs", "options": {"awslogs-group": "/iris", "awslogs-create-group": "true"}}


class Stage:
    """One task and all that it needs. `looks`: what its containers are found to be, one by one."""

    def __init__(self, *looks: ContainerState | None, network: AwsVpc | None = VPC, **definition: Any) -> None:
        self.upstream = fake_upstream()
        self.upstream.ec2._ensure_defaults_initialized()
        self.engine = FakeEngine(*looks, prints=b"hello\n")
        self.network = Network(self.upstream, 40000)
        self.reached: list[str] = []
        self.statuses: list[str] = []
        self.mounts: dict[str, Directory] = {}
        monitoring: Any = SimpleNamespace(reach=self.reached.append)
        files: Any = SimpleNamespace(directory=lambda wanted, network: self.mounts[wanted["fileSystemId"]])
        engine: Any = self.engine
        self.runner = TaskRunner(self.upstream, engine, self.network, files, monitoring, self._changed, lambda _: False)
        self.task = Task(
            scope=SCOPE,
            cluster_arn=f"{ARN}:cluster/c",
            definition={"family": "iris", "revision": 7, "containerDefinitions": [WEB], **definition},
            network=network,
            launch_type="FARGATE",
            group="family:iris",
        )

    def _changed(self) -> None:
        if self.task.last_status not in self.statuses[-1:]:
            self.statuses.append(self.task.last_status)

    def live(self) -> Task:
        self.runner.start(self.task)
        return self.task

    def failure(self) -> str:
        """Let the task live, and return why it did not start."""
        task = self.live()
        assert (task.stop_code, task.last_status, task.desired_status) == ("TaskFailedToStart", "STOPPED", "STOPPED")
        return task.stopped_reason


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look at the clock be a second later, and threads run at once; number what is random."""
    seconds = iter(range(100, 10_000))
    clock = SimpleNamespace(time=lambda: float(next(seconds)), monotonic=lambda: 0.0, sleep=lambda _: None)
    monkeypatch.setattr(task_runner, "time", clock)
    monkeypatch.setattr(task_module, "time", clock)
    monkeypatch.setattr(task_runner, "threading", SimpleNamespace(Thread=StraightThread))
    monkeypatch.setattr(task_runner, "_LOOK_SECONDS", 0.0)
    numbers = iter(range(1, 1000))
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(numbers)))
    monkeypatch.setattr(networks, "secrets", SimpleNamespace(token_hex=lambda size: "ab" * size))


def test_a_task_lives_from_its_image_to_the_end_of_its_container() -> None:
    stage = Stage(RUNNING, RUNNING, ENDED)
    interfaces: list[dict[str, Any]] = []
    plain = stage.network.detach

    def detach(identity: str) -> None:
        interfaces.append(stage.upstream.ec2._network_interfaces[identity])
        plain(identity)

    vars(stage.network)["detach"] = detach
    task = stage.live()
    identity = uuid.UUID(int=1).hex
    assert stage.statuses == [
        *("PENDING", "ACTIVATING", "RUNNING", "STOPPING", "DEPROVISIONING", "STOPPED"),
    ]
    assert stage.engine.specs == [
        ContainerSpec(
            image="registry/iris@sha256:1",
            name=f"fake-iris-{identity[:8]}-web",
            environment={
                **{"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"},
                "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            },
            labels={
                "com.amazonaws.ecs.task-arn": f"{ARN}:task/c/{identity}",
                "com.amazonaws.ecs.cluster": f"{ARN}:cluster/c",
                "com.amazonaws.ecs.container-name": "web",
                "com.amazonaws.ecs.task-definition-family": "iris",
                "com.amazonaws.ecs.task-definition-version": "7",
            },
        )
    ]
    assert stage.engine.happened == [
        ("pull", "registry/iris@sha256:1", SCOPE),
        ("start", "container-1"),
        ("stop", "container-1", 30),
        ("remove", "container-1"),
    ]
    assert (task.stop_code, task.stopped_reason) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert task.times == {
        **{"pullStartedAt": 100.0, "pullStoppedAt": 101.0, "connectivityAt": 102.0, "startedAt": 103.0},
        **{"stoppingAt": 104.0, "executionStoppedAt": 105.0, "stoppedAt": 106.0},
    }
    (container,) = task.containers
    assert (container.identity, container.digest, container.status, container.exit_code, container.reason) == (
        *("container-1", "sha256:of-registry/iris@sha256:1"),
        *("STOPPED", 0, ""),
    )
    assert (task.zone, stage.reached) == ("us-east-1a", [])
    eni = "eni-" + "ab" * 8 + "a"
    assert task.interface == {
        **{"subnetId": "subnet-a", "networkInterfaceId": eni, "macAddress": "0e:ab:ab:ab:ab:ab"},
        **{"privateDnsName": "ip-172-17-0-9.ec2.internal", "privateIPv4Address": "172.17.0.9"},
    }
    assert interfaces == [
        {
            **{"NetworkInterfaceId": eni, "SubnetId": "subnet-a", "VpcId": "vpc-default", "OwnerId": "123456789012"},
            **{"AvailabilityZone": "us-east-1a", "Status": "in-use", "PrivateIpAddress": "172.17.0.9"},
            "Description": f"arn:aws:ecs:us-east-1:123456789012:attachment/{identity}",
            **{"MacAddress": "0e:ab:ab:ab:ab:ab", "Attachment": None, "_public_address": None},
            "Groups": [{"GroupId": "sg-web", "GroupName": "web"}],
        }
    ]
    assert stage.upstream.ec2._network_interfaces == {}


def test_what_a_definition_says_of_containers_is_done(tmp_path: Path) -> None:
    web = {
        **{**WEB, "command": ["serve"], "entryPoint": ["/bin/sh"], "memory": 256, "user": "1000", "stopTimeout": 5},
        **{"workingDirectory": "/w", "readonlyRootFilesystem": True, "portMappings": [{"containerPort": 80}]},
        **{"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "logConfiguration": LOG},
        **{"secrets": [{"name": "S", "valueFrom": "/parameter"}], "healthCheck": {"command": ["CMD", "true"]}},
        "mountPoints": [
            {"sourceVolume": "models", "containerPath": "/models", "readOnly": True},
            {"sourceVolume": "models", "containerPath": "/again"},
            {"sourceVolume": "scratch", "containerPath": "/scratch"},
        ],
    }
    side = {"name": "side", "image": "other", "essential": False, "portMappings": [{"containerPort": "8080"}]}
    volumes = [{"name": "models", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}, {"name": "scratch"}]
    stage = Stage(
        *(RUNNING, ENDED),
        network=AwsVpc(("subnet-a",), ("sg-web",), True),
        containerDefinitions=[web, side],
        volumes=volumes,
        memory="512",
        executionRoleArn=f"{ROLE}/known",
        taskRoleArn=f"{ROLE}/known",
    )
    stage.mounts["fs-1"] = Directory(tmp_path, "models/iris")
    of_web = {"command": ["predict"], "environment": [{"name": "B", "value": "3"}], "name": "web"}
    stage.task.overrides = {"containerOverrides": [{"name": "none", "command": ["x"]}, of_web]}
    stage.task.is_monitored = True
    task = stage.live()
    first, second = stage.engine.specs
    assert (first.command, first.entry_point, first.user, first.working_directory, first.read_only) == (
        *(("predict",), ("/bin/sh",)),
        *("1000", "/w", True),
    )
    assert first.environment == {
        **{"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"},
        **{"S": "/parameter True", "A": "1", "B": "3"},
    }
    assert first.mounts == (
        Mount(tmp_path, "models/iris", "/models", True),
        Mount(tmp_path, "models/iris", "/again", False),
    )
    assert (first.memory_mib, first.health, first.join) == (256, Health(("CMD", "true")), None)
    # Of the ports of all containers, those that the groups open are the first one's, whose network the others share.
    assert first.ports == (("127.156.64.1", 80),)
    assert (second.command, second.entry_point, second.memory_mib, second.ports, second.join) == (
        *(None, None),
        *(512, (), "container-1"),
    )
    assert (second.environment["AWS_REGION"], second.mounts, second.health) == ("us-east-1", (), None)
    assert stage.engine.happened == [
        *(("pull", "registry/iris@sha256:1", SCOPE), ("pull", "other", SCOPE)),
        *(("start", "container-1"), ("start", "container-2")),
        *(("stop", "container-2", 30), ("stop", "container-1", 5)),
        *(("remove", "container-2"), ("remove", "container-1")),
    ]
    assert stage.upstream.logs._log_groups == {"/iris": {task.identity: ["hello"]}}
    assert [container.log is not None for container in task.containers] == [True, False]
    assert stage.reached == ["vpc-default"]
    assert task.public_address == "127.156.64.1"
    assert [stage.network.addresses.take() for _ in range(254)][-1] == "127.156.64.1"


def test_a_task_without_a_network_has_no_address_and_no_variable_of_fargate() -> None:
    stage = Stage(ENDED, network=None)
    stage.task.launch_type, stage.task.is_monitored = "EC2", True
    task = stage.live()
    assert (task.interface, task.zone, stage.reached) == ({}, "", [])
    assert stage.engine.specs[0].environment == {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    assert "connectivityAt" not in task.times
    assert task.last_status == "STOPPED"


def test_a_task_acts_for_its_own_account() -> None:
    stage = Stage(ENDED)
    stage.task.scope = OTHER
    seen: list[Any] = []
    stage.engine.pull = lambda *_: seen.append(stage.upstream.scope()) or "sha256:1"  # type: ignore[method-assign, func-returns-value]
    stage.live()
    assert (seen, stage.upstream.scope()) == ([OTHER], SCOPE)


def test_an_engine_that_is_slow_to_answer_gives_no_address_at_first() -> None:
    stage = Stage(None, ENDED)
    assert stage.live().interface["privateIPv4Address"] == ""


NO_ROUTE = (
    "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from "
    "Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration: "
    "subnet subnet-x has no route out."
)
LOGGER = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."
)
NO_SECRET = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable "
    "to retrieve secret arn:aws:secretsmanager:us-east-1:1:secret:none for S"
)
SECRET = {"name": "S", "valueFrom": "arn:aws:secretsmanager:us-east-1:1:secret:none"}
UNCREATED = {**LOG, "options": {"awslogs-group": "/none"}}


def assumed(name: str) -> str:
    return (
        f"ECS was unable to assume the role '{ROLE}/{name}' that was provided for this task. Please verify that the "
        "role being passed has the proper trust relationship and permissions and that your IAM user has permissions to "
        "pass this role."
    )


@pytest.mark.parametrize(
    ("definition", "network", "told"),
    [
        ({"executionRoleArn": f"{ROLE}/young"}, VPC, assumed("young")),
        ({"taskRoleArn": f"{ROLE}/missing"}, VPC, assumed("missing")),
        ({}, AwsVpc(("subnet-x",), (), False), NO_ROUTE),
        ({"containerDefinitions": [{**WEB, "secrets": [SECRET]}]}, VPC, NO_SECRET),
        ({"containerDefinitions": [{**WEB, "logConfiguration": UNCREATED}]}, VPC, LOGGER),
    ],
)
def test_a_task_that_cannot_be_prepared_pulls_nothing(definition: dict[str, Any], network: AwsVpc, told: str) -> None:
    stage = Stage(network=network, **definition)
    assert stage.failure() == told
    assert stage.engine.happened == []
    assert stage.statuses == ["PENDING", "STOPPING", "DEPROVISIONING", "STOPPED"]


def test_an_image_that_cannot_be_pulled() -> None:
    stage = Stage()
    stage.engine.cannot_pull = "not found"
    told = "CannotPullContainerError: failed to resolve ref registry/iris@sha256:1: not found"
    assert stage.failure() == told
    assert stage.task.containers[0].reason == told
    assert stage.statuses == ["PENDING", "ACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]


def test_a_container_that_cannot_be_started_takes_the_others_with_it() -> None:
    stage = Stage(containerDefinitions=[WEB, {"name": "side", "image": "other"}])
    plain = stage.engine.start

    def start(spec: ContainerSpec) -> str:
        stage.engine.cannot_start = "no space" if stage.engine.specs else ""
        return plain(spec)

    stage.engine.start = start  # type: ignore[method-assign]
    assert stage.failure() == "CannotStartContainerError: no space"
    assert [container.status for container in stage.task.containers] == ["STOPPED", "STOPPED"]
    assert stage.task.containers[1].reason == "CannotStartContainerError: no space"
    assert stage.engine.happened[-2:] == [("stop", "container-1", 30), ("remove", "container-1")]


def test_when_all_public_addresses_are_given_away() -> None:
    stage = Stage(network=AwsVpc(("subnet-a",), ("sg-web",), True))
    while stage.network.addresses.take():
        pass
    assert stage.failure() == "RESOURCE:ENI: the sandbox has no public address left"


def test_what_nobody_expected_ends_a_task() -> None:
    stage = Stage()
    stage.engine.pull = lambda *_: 1 / 0  # type: ignore[assignment, method-assign]
    assert stage.failure() == "InternalError: ZeroDivisionError: division by zero"


def test_a_task_that_is_stopped_while_it_pulls_starts_nothing() -> None:
    stage = Stage(containerDefinitions=[WEB, {"name": "side", "image": "other"}])
    plain = stage.engine.pull

    def pull(image: str, scope: Any) -> str:
        stage.task.request_stop("UserInitiated", "so")
        return plain(image, scope)

    stage.engine.pull = pull  # type: ignore[method-assign]
    task = stage.live()
    assert [each[0] for each in stage.engine.happened] == ["pull"]
    assert (task.stop_code, task.last_status, "pullStoppedAt" in task.times) == ("UserInitiated", "STOPPED", False)


def watched(stage: Stage, *then: Callable[[], object]) -> list[str]:
    """Do something at each look at the containers; return the health of the first at each change."""
    doing, plain = list(then), stage.engine.state

    def state(container: str) -> ContainerState | None:
        if doing:
            doing.pop(0)()
        return plain(container)

    stage.engine.state = state  # type: ignore[method-assign]
    seen: list[str] = []
    changed = stage._changed

    def note() -> None:
        seen.append(f"{stage.task.containers[0].status} {stage.task.containers[0].health}")
        changed()

    stage.runner._changed = note
    return seen


def looked(health: str) -> ContainerState:
    return ContainerState(None, False, health, "172.17.0.9")


def test_the_health_of_a_container_that_has_a_check_is_told_at_each_change() -> None:
    checks = [*(looked(each) for each in ("starting", "healthy", "healthy", "unhealthy", "")), ENDED]
    stage = Stage(RUNNING, *checks, containerDefinitions=[{**WEB, "healthCheck": {"command": ["CMD", "true"]}}])
    seen = watched(stage)
    assert stage.live().containers[0].health == "UNKNOWN"
    assert seen == [
        *("PENDING UNKNOWN", "PENDING UNKNOWN", "RUNNING UNKNOWN"),  # the task is PENDING, ACTIVATING, RUNNING
        *("RUNNING HEALTHY", "RUNNING UNHEALTHY", "RUNNING UNKNOWN"),
        *("STOPPED UNKNOWN", "STOPPED UNKNOWN", "STOPPED UNKNOWN", "STOPPED UNKNOWN"),
    ]


def test_what_docker_says_of_an_images_own_check_does_not_count() -> None:
    stage = Stage(RUNNING, looked("unhealthy"), ENDED)
    assert stage.live().containers[0].health == "UNKNOWN"


def test_memory_that_is_used_up_is_told_at_the_container() -> None:
    container = Stage(RUNNING, ContainerState(137, True, "", "")).live().containers[0]
    assert (container.exit_code, container.reason) == (137, "OutOfMemoryError: Container killed due to memory usage")


def test_the_end_of_a_container_that_is_not_essential_is_no_end_of_its_task() -> None:
    side = {"name": "side", "image": "other", "essential": False}
    stage = Stage(RUNNING, RUNNING, ContainerState(4, False, "", ""), RUNNING, ENDED, containerDefinitions=[WEB, side])
    task = stage.live()
    assert [container.exit_code for container in task.containers] == [0, 0]
    assert stage.engine.happened.count(("remove", "container-2")) == 1


def test_a_task_of_which_nothing_is_essential_ends_with_its_last_container() -> None:
    parts = [{**WEB, "essential": False}, {"name": "side", "image": "other", "essential": False}]
    stage = Stage(RUNNING, ENDED, RUNNING, ENDED, ENDED, containerDefinitions=parts)
    task = stage.live()
    assert (task.stop_code, task.stopped_reason) == ("EssentialContainerExited", "Essential container in task exited")


def test_a_task_that_is_asked_to_stop_is_stopped_though_it_runs() -> None:
    stage = Stage(RUNNING)
    watched(stage, lambda: None, lambda: stage.task.request_stop("UserInitiated", "so"))
    task = stage.live()
    assert (task.stop_code, task.stopped_reason, task.containers[0].status) == ("UserInitiated", "so", "STOPPED")
    assert task.containers[0].exit_code is None
    assert stage.statuses[-3:] == ["STOPPING", "DEPROVISIONING", "STOPPED"]
