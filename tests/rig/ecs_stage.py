"""A service of the sandbox's scheduler, its tasks, its listener rules and a clock that the test moves."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from model_sandbox.ecs import rollout
from model_sandbox.ecs.service import Deployment, Revision, Service
from model_sandbox.ecs.task import Task
from model_sandbox.tokens import Scope

SCOPE = Scope("123456789012", "us-east-1")
CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/c"
CHECKED: dict[str, object] = {"name": "web", "image": "i", "healthCheck": {"command": ["CMD", "true"]}}
BALANCER: dict[str, Any] = {
    **{"targetGroupArn": "a", "containerName": "web", "containerPort": 80},
    "advancedConfiguration": {
        **{"alternateTargetGroupArn": "b", "productionListenerRule": "production", "testListenerRule": "test"},
        "roleArn": "role",
    },
}


@dataclass
class Around:
    """The rules and alarms about a service. `refuses`: why the role may not write, at the rule."""

    rules: dict[str, dict[str, int]] = field(
        default_factory=lambda: {"production": {"a": 100, "b": 0}, "test": {"b": 1}}
    )
    refuses: dict[str, str] = field(default_factory=dict)
    alarms: set[str] = field(default_factory=set)
    minute: float = 60.0
    can_assume: bool = True

    def weights(self, rule: str) -> Mapping[str, int] | None:
        return self.rules.get(rule)

    def write(self, rule: str, weights: Mapping[str, int], role: str) -> str:
        if rule not in self.refuses:
            self.rules[rule] = dict(weights)
        return self.refuses.get(rule, "")

    def is_assumable(self, role: str) -> bool:
        return self.can_assume

    def in_alarm(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(self.alarms & set(names))


class Stage:
    """One service. Whatever happens to its tasks happens between two steps of the scheduler."""

    def __init__(self, desired: int = 1, container: dict[str, object] | None = None, **configuration: object) -> None:
        self.now, self.container = time.time(), container or {"name": "web", "image": "i"}
        self.around = Around()
        breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
        arn = CLUSTER.replace(":cluster/", ":service/") + "/s"
        self.service = Service(SCOPE, arn, "s", CLUSTER, desired, self.now, {**breaker, **configuration})
        self.tasks: list[Task] = []

    def deploy(self, name: str, *balancers: dict[str, Any]) -> Deployment:
        definition = {"taskDefinitionArn": name, "family": "f", "revision": 1, "containerDefinitions": [self.container]}
        in_alarm = self.around.in_alarm(self.service.alarmed().get("alarmNames") or ())
        revision = Revision(name, definition, {}, "FARGATE", self.now, balancers)
        return self.service.deploy(revision, self.now, in_alarm)

    def step(self, seconds: float = 0.5) -> list[Task]:
        """Do one tick, and return the tasks that it started; what was asked to stop stops at once."""
        self.now += seconds

        def start(deployment: Deployment) -> Task:
            definition = deployment.revision.task_definition
            return Task(
                SCOPE,
                CLUSTER,
                definition,
                None,
                "FARGATE",
                "service:s",
                deployment=deployment.identity,
                created_at=self.now,
            )

        started = rollout.run(self.service, self.tasks, self.now, self.around, start)
        self.tasks += started
        for task in self.tasks:
            if task.stopping.is_set():
                task.last_status = "STOPPED"
        return started

    def up(self, tasks: list[Task]) -> None:
        for task in tasks:
            task.last_status = "RUNNING"
            task.times["startedAt"] = self.now

    def crash(self, tasks: list[Task]) -> None:
        for task in tasks:
            task.request_stop("EssentialContainerExited", "Essential container in task exited")
            task.last_status = "STOPPED"

    def steady(self, name: str = "one", *balancers: dict[str, Any]) -> list[Task]:
        """Let a deployment complete; return its tasks."""
        self.deploy(name, *balancers)
        started: list[Task] = []
        for _ in range(60):
            self.up(ready := self.step())
            started += ready
            if self.service.records[0].finished_at is not None:
                break
        assert self.service.records[0].status == "SUCCESSFUL"
        self.step()
        return started

    @property
    def running(self) -> list[Task]:
        return [task for task in self.tasks if task.last_status == "RUNNING"]
