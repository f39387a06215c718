"""The tasks of a cluster: what RunTask makes of a request, who is counted, and what is told of one that cannot run."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.api import ApiError
from model_sandbox.ecs import Ecs, registration
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.task_runner import LaunchError, TaskRunner
from model_sandbox.ecs.tasks import Tasks
from model_sandbox.engine import StartError
from model_sandbox.files import MountError
from model_sandbox.network import AwsVpc
from tests.rig.ecs_stage import BALANCER, CLUSTER, SCOPE, Stage

DEFINITION: dict[str, Any] = {
    **{"taskDefinitionArn": "arn:1", "family": "f", "revision": 1},
    "containerDefinitions": [{"name": "web", "image": "i"}],
}
NETWORK = AwsVpc(("subnet-1",), ("sg-1",), False)


def test_each_task_is_known_started_and_of_the_group_that_was_asked_for() -> None:
    definition = {"taskDefinitionArn": "arn:1", "family": "f", "containerDefinitions": []}
    state: Any = SimpleNamespace(
        upstream=SimpleNamespace(scope=lambda: SCOPE),
        cluster=lambda _: {"clusterArn": CLUSTER},
        task_definition=lambda _: definition,
        checked_network=lambda *_: NETWORK,
        lock=threading.Lock(),
        tasks={},
    )
    started: list[Task] = []
    runner: Any = SimpleNamespace(start=started.append)
    tasks = Tasks(state, runner, lambda *_: False)
    assert len(tasks.run_task({"taskDefinition": "f", "count": 2})["tasks"]) == 2
    (shown,) = tasks.run_task({"taskDefinition": "f", "group": "nightly", "startedBy": "me"})["tasks"]
    assert [task.group for task in started] == ["family:f", "family:f", "nightly"]
    assert list(state.tasks.values()) == started
    assert {task.network for task in started} == {NETWORK}
    assert (shown["group"], shown["startedBy"], shown["clusterArn"]) == ("nightly", "me", CLUSTER)


def task(cluster: str = CLUSTER, status: str = "RUNNING") -> Task:
    made = Task(SCOPE, cluster, DEFINITION, None, "FARGATE", "family:f")
    made.last_status = status
    return made


def ecs(*tasks: Task) -> tuple[Any, dict[str, Any]]:
    """Return what installs the operations, and the record of the cluster that it counts."""
    cluster: dict[str, Any] = {"clusterArn": CLUSTER}
    made: Any = object.__new__(Ecs)  # its own start begins a thread that follows services
    made._upstream = SimpleNamespace(ecs=SimpleNamespace(_clusters={"c": cluster}))
    made._state = SimpleNamespace(
        lock=threading.Lock(), cluster=lambda _: cluster, services={}, tasks={one.arn: one for one in tasks}
    )
    return made, cluster


def test_a_cluster_counts_its_own_tasks_and_stays_while_one_of_them_lives() -> None:
    made, cluster = ecs(task(), task(status="PENDING"), task(status="STOPPED"), task("arn:other"), task("arn:other"))
    made._recount("c")
    counted = [cluster[f"{kind}Count"] for kind in ("runningTasks", "pendingTasks", "activeServices")]
    assert counted == [1, 1, 0]
    with pytest.raises(ApiError, match="while Tasks are active"):
        made._check_cluster_is_empty({"cluster": "c"})
    others, _ = ecs(task("arn:other"), task(status="STOPPED"))
    others._check_cluster_is_empty({"cluster": "c"})


def runner(**parts: Any) -> TaskRunner:
    nothing: Any = SimpleNamespace()
    parts = {"engine": nothing, "files": nothing, **parts}
    return TaskRunner(nothing, parts["engine"], nothing, parts["files"], nothing, lambda: None, lambda _: False)


def test_a_container_that_cannot_start_says_so_itself() -> None:
    def start(_: object) -> str:
        raise StartError("exec format error")

    one = task()
    engine = SimpleNamespace(container_name=lambda *names: "-".join(names), start=start)
    with pytest.raises(LaunchError, match="CannotStartContainerError: exec format error"):
        runner(engine=engine)._start_container(one, one.containers[0], {}, (), {})
    assert one.containers[0].reason == "CannotStartContainerError: exec format error"


def test_a_volume_that_cannot_be_mounted_is_why_a_task_does_not_start() -> None:
    def directory(*_: object) -> str:
        raise MountError("Failed to resolve fs-1")

    one = task()
    one.definition = {**DEFINITION, "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]}
    with pytest.raises(LaunchError, match="Failed to resolve fs-1"):
        runner(files=SimpleNamespace(directory=directory))._mounts(one)


def test_a_task_is_a_target_from_when_it_runs_and_new_until_it_was_checked() -> None:
    stage = Stage()
    stage.deploy("d:1", BALANCER)
    (one,) = stage.tasks = stage.step()
    one.network, one.interface, registered, targets = NETWORK, {"privateIPv4Address": "10.0.0.7"}, [], {}
    balancers: Any = SimpleNamespace(
        register=lambda group, wanted: registered.append((group, dict(wanted))),
        target=lambda group, address: targets.get((group, address)),
    )
    registration.tell(balancers, stage.service, stage.tasks)
    assert (registered, one.target_state, one.target_reason) == ([("a", {})], "initial", "")
    one.last_status, targets["a", "10.0.0.7"] = "RUNNING", SimpleNamespace(state="healthy", description="checked")
    registration.tell(balancers, stage.service, stage.tasks)
    assert registered[1:] == [("a", {"10.0.0.7": (NETWORK, 80)})]
    assert (one.target_state, one.target_reason) == ("healthy", "checked")
