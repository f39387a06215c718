"""RunTask: what is made of a request, before anything of it runs."""

import threading
from types import SimpleNamespace
from typing import Any

from model_sandbox.ecs.task import Task
from model_sandbox.ecs.tasks import Tasks
from model_sandbox.network import AwsVpc
from tests.rig.ecs_stage import CLUSTER, SCOPE

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
