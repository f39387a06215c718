"""The operations on ECS tasks."""

from collections.abc import Callable
from typing import Any

from model_sandbox.api import ApiError
from model_sandbox.ecs import shapes
from model_sandbox.ecs.state import MISSING, State
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.task_runner import TaskRunner
from model_sandbox.tokens import Scope


class Tasks:
    """ECS's tasks. `is_monitored`: whether GuardDuty adds a container."""

    def __init__(self, state: State, runner: TaskRunner, is_monitored: Callable[[Scope, str], bool]) -> None:
        self._state, self._runner, self._is_monitored = state, runner, is_monitored

    def run_task(self, request: dict[str, Any]) -> dict[str, Any]:
        cluster = self._state.cluster(request)
        definition = self._state.task_definition(request.get("taskDefinition", ""))
        network = self._state.checked_network(request, definition, request.get("launchType", "EC2"))
        tasks = [
            Task(
                scope=self._state.upstream.scope(),
                cluster_arn=cluster["clusterArn"],
                definition=definition,
                network=network,
                launch_type=request.get("launchType", "EC2"),
                group=request.get("group") or f"family:{definition['family']}",
                started_by=request.get("startedBy", ""),
                overrides=request.get("overrides") or {},
                tags=request.get("tags") or [],
                is_monitored=self._is_monitored(self._state.upstream.scope(), request.get("launchType", "EC2")),
            )
            for _ in range(int(request.get("count", 1)))
        ]
        with self._state.lock:
            self._state.tasks.update({task.arn: task for task in tasks})
        shown = [task.describe() for task in tasks]
        for task in tasks:
            self._runner.start(task)
        return {"tasks": shown, "failures": []}

    def stop_task(self, request: dict[str, Any]) -> dict[str, Any]:
        task = self._state.find_task(self._state.cluster(request), request.get("task", ""))
        if task is None:
            raise ApiError("InvalidParameterException", "The referenced task was not found.")
        task.request_stop("UserInitiated", request.get("reason") or "Task stopped by user")
        return {"task": task.describe()}

    def describe_tasks(self, request: dict[str, Any]) -> dict[str, Any]:
        cluster = self._state.cluster(request)
        wanted = request.get("tasks", [])
        found = {reference: self._state.find_task(cluster, reference) for reference in wanted}
        shown = [task.describe() for task in found.values() if task]
        return {"tasks": shown, "failures": [{"arn": r, **MISSING} for r, task in found.items() if not task]}

    def list_tasks(self, request: dict[str, Any]) -> dict[str, Any]:
        cluster = self._state.cluster(request)["clusterArn"]
        with self._state.lock:
            tasks = [t for t in self._state.tasks.values() if t.cluster_arn == cluster]
        tasks = [t for t in tasks if t.desired_status == request.get("desiredStatus", "RUNNING")]
        if name := request.get("serviceName"):
            tasks = [t for t in tasks if t.group == f"service:{name.rsplit('/', 1)[-1]}"]
        if family := request.get("family"):
            tasks = [t for t in tasks if t.definition["family"] == family]
        if starter := request.get("startedBy"):
            tasks = [t for t in tasks if t.started_by == starter]
        newest = sorted(tasks, key=lambda t: t.created_at, reverse=True)
        return shapes.page([t.arn for t in newest], "taskArns", request, 100)
