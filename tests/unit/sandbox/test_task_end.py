"""The end of a task behind a load balancer: it answers first, then it is stopped."""

from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.ecs import task_runner
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.task_runner import TaskRunner
from model_sandbox.tokens import Scope


def ended(monkeypatch: pytest.MonkeyPatch, target_state: str, asked_for: int, exits_after: int = 99) -> list[str]:
    """Return what happens, in order, to a task that still answers for so many looks, or dies after some."""
    happened: list[str] = []

    def is_asked(address: str) -> bool:
        happened.append(f"asked {address}")
        return len([one for one in happened if one.startswith("asked")]) <= asked_for

    def state(_identity: str) -> Any:
        looks = happened.count(f"asked {task.interface['privateIPv4Address']}")
        return SimpleNamespace(health="", exit_code=0 if looks >= exits_after else None, out_of_memory=False)

    engine: Any = SimpleNamespace(
        state=state, stop=lambda *_: happened.append("stop"), remove=lambda *_: happened.append("remove")
    )
    monkeypatch.setattr(task_runner.time, "sleep", lambda _: None)
    nothing: Any = SimpleNamespace()
    network: Any = SimpleNamespace(detach=lambda _: None)
    definition: Any = {"containerDefinitions": [{"name": "iris", "image": "x"}], "family": "iris", "revision": 1}
    task = Task(
        Scope("123456789012", "us-east-1"), "arn:aws:ecs:x:y:cluster/c", definition, None, "FARGATE", "service:x"
    )
    task.target_state, task.interface = target_state, {"privateIPv4Address": "10.0.0.7", "networkInterfaceId": "eni"}
    task.containers[0].status, task.containers[0].identity = "RUNNING", "abc"
    runner = TaskRunner(nothing, engine, network, nothing, nothing, lambda: happened.append(task.last_status), is_asked)
    runner._tear_down(task)
    return [one for one in happened if one not in ("remove", "DEPROVISIONING")]


def test_what_the_load_balancer_has_sent_is_answered_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["asked 10.0.0.7"] * 3
    assert ended(monkeypatch, "healthy", 2) == ["DEACTIVATING", *asked, "STOPPING", "stop", "STOPPED"]
    assert ended(monkeypatch, "", 2) == ["STOPPING", "stop", "STOPPED"]


def test_nobody_waits_for_what_is_dead_or_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, "healthy", 9, exits_after=1)[:3] == ["DEACTIVATING", "asked 10.0.0.7", "STOPPING"]
    monkeypatch.setattr(task_runner, "_DEREGISTRATION_SECONDS", 0.05)
    assert ended(monkeypatch, "healthy", 10**9)[-3:] == ["STOPPING", "stop", "STOPPED"]
