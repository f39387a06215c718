"""The service scheduler: a thread that advances every service."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from model_sandbox.ecs import registration, rollout
from model_sandbox.ecs.service import Deployment, Service
from model_sandbox.ecs.state import State
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.task_runner import TaskRunner
from model_sandbox.ecs.traffic import Surroundings
from model_sandbox.load_balancer import LoadBalancers
from model_sandbox.tokens import Scope

_TICK_SECONDS = 0.25
_STOPPED_TASKS_KEPT_SECONDS = 3600
_log = logging.getLogger(__name__)


class Scheduler:
    def __init__(
        self,
        state: State,
        balancers: LoadBalancers,
        around: Surroundings,
        runner: TaskRunner,
        is_monitored: Callable[[Scope, str], bool],
    ) -> None:
        self._state, self._balancers, self._around = state, balancers, around
        self._runner, self._is_monitored = runner, is_monitored

    def start(self) -> None:
        threading.Thread(target=self._schedule, daemon=True, name="service-scheduler").start()

    def _schedule(self) -> None:
        while True:
            self._state.wake.wait(_TICK_SECONDS)
            self._state.wake.clear()
            started: list[Task] = []
            with self._state.lock:
                for service in [s for s in self._state.services.values() if s.status != "INACTIVE"]:
                    try:
                        tasks, start = self._state.tasks_of(service), partial(self._new_task, service)
                        with self._state.upstream.within(service.scope):
                            registration.tell(self._balancers, service, tasks)
                            started += rollout.run(service, tasks, time.time(), self._around, start)
                            # What was asked to stop gets no connection more.
                            registration.tell(self._balancers, service, tasks)
                    except Exception:  # noqa: BLE001 - one broken service must not stop the others
                        _log.exception("service %s", service.name)
                self._forget_old_tasks()
            for task in started:
                self._runner.start(task)

    def _new_task(self, service: Service, deployment: Deployment) -> Task:
        revision = deployment.revision
        used = [
            t.network.subnets[0] for t in self._state.tasks_of(service) if t.is_live and t.network and t.network.subnets
        ]
        task = Task(
            scope=service.scope,
            cluster_arn=service.cluster_arn,
            definition=revision.task_definition,
            network=revision.network.placed(used) if revision.network else None,
            launch_type=revision.launch_type,
            group=service.group,
            started_by=deployment.identity,
            deployment=deployment.identity,
            is_monitored=self._is_monitored(service.scope, revision.launch_type),
        )
        self._state.tasks[task.arn] = task
        return task

    def _forget_old_tasks(self) -> None:
        oldest = time.time() - _STOPPED_TASKS_KEPT_SECONDS
        for arn in [a for a, t in self._state.tasks.items() if t.times.get("stoppedAt", oldest) < oldest]:
            del self._state.tasks[arn]
