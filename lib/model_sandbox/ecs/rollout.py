"""The next step of an ECS service from its tasks to those it should have. Decides only; starts and stops nothing.

Follows "Amazon ECS rolling updates" and "deployment circuit breaker" of the ECS developer guide.
"""

from collections.abc import Callable
from dataclasses import dataclass

from model_sandbox.ecs.service import Deployment, Service
from model_sandbox.ecs.task import Task

#: A rollback whose old tasks never left is over at once; AWS shows it for some seconds, and who polls must see it.
_ROLLBACK_SECONDS = 3.0
_BACK_OFF_FIRST, _BACK_OFF_MOST = 0.3, 10.0


@dataclass(frozen=True)
class Stop:
    """Stop a task, saying why."""

    task: Task
    reason: str


@dataclass(frozen=True)
class Decision:
    """The next step: how many tasks of the primary deployment to start, and which tasks to stop."""

    start: int
    stop: tuple[Stop, ...]


def step(service: Service, tasks: list[Task], now: float) -> Decision:
    """Take in what happened to the service's tasks since the last step and decide what to do.

    Changes the records of `service` (deployments, events, counters). `tasks`: all of the service, stopped ones too.
    """
    if service.status == "DRAINING":
        return _drain(service, tasks)
    stops = _take_in(service, tasks, now)
    if _must_break(service):
        _break(service, tasks, now)
    primary = service.primary
    live = [task for task in tasks if task.is_live and task.desired_status == "RUNNING"]
    new = [task for task in live if task.deployment == primary.identity]
    old = [task for task in live if task.deployment != primary.identity]
    if primary.state == "FAILED":
        stops += [Stop(task, f"ECS deployment {primary.identity} failed") for task in new]
        _finish(service, tasks, now)
        return Decision(0, tuple(stops))
    room = service.maximum - sum(task.is_live for task in tasks)
    missing = service.desired - len(new)
    start = max(0, min(missing, room)) if now >= primary.not_before else 0
    surplus = sorted(new, key=lambda task: task.created_at)[service.desired :]
    stops += [Stop(task, "Scaling activity initiated by service scheduler") for task in surplus]
    stops += [
        Stop(task, f"Scaling activity initiated by deployment {primary.identity}")
        for task in _spare(service, new, old, now)
    ]
    if start:
        service.is_steady = False
    _finish(service, tasks, now)
    return Decision(start, tuple(stops))


def _drain(service: Service, tasks: list[Task]) -> Decision:
    live = [task for task in tasks if task.is_live]
    if not live:
        service.status = "INACTIVE"
    return Decision(0, tuple(Stop(task, "Service is being deleted") for task in live))


def _take_in(service: Service, tasks: list[Task], now: float) -> list[Stop]:
    """Count new failures and first successes; return the tasks to stop because they are unhealthy."""
    stops = []
    primary = service.primary
    for task in tasks:
        of_primary = task.deployment == primary.identity
        if task.is_live and task.desired_status == "RUNNING" and task.health == "UNHEALTHY":
            service.say(f"(task {task.identity}) failed container health checks.", now)
            stops.append(Stop(task, "Task failed container health checks"))
            service.ended.add(task.identity)
            if of_primary:
                _count_failure(primary, now)
        elif _is_off_target(service, task, now):
            group = service.primary.revision.load_balancers[0]["targetGroupArn"]
            text = f"(port 80) is unhealthy in (target-group {group}) due to (reason {task.target_reason})"
            service.say(text, now)
            stops.append(Stop(task, f"Task failed ELB health checks in (target-group {group})"))
            service.ended.add(task.identity)
            if of_primary:
                _count_failure(primary, now)
        elif task.stop_code in ("EssentialContainerExited", "TaskFailedToStart") and task.identity not in service.ended:
            service.ended.add(task.identity)
            if of_primary:
                _count_failure(primary, now)
        elif task.is_healthy(now) and task.identity not in service.proven:
            service.proven.add(task.identity)
            if of_primary and service.breaker().get("resetOnHealthyTask", True):
                primary.consecutive = 0
    return stops


def _is_off_target(service: Service, task: Task, now: float) -> bool:
    if not (task.last_status == "RUNNING" and task.desired_status == "RUNNING" and task.target_state == "unhealthy"):
        return False
    return bool(service.primary.revision.load_balancers) and service.grace_is_over(task.times["startedAt"], now)


def _count_failure(deployment: Deployment, now: float) -> None:
    deployment.failed_tasks += 1
    deployment.consecutive += 1
    deployment.updated_at = now
    deployment.record.failures = deployment.consecutive
    wait = min(_BACK_OFF_FIRST * 2 ** (deployment.consecutive - 1), _BACK_OFF_MOST)
    deployment.not_before = now + wait


def _must_break(service: Service) -> bool:
    primary = service.primary
    watched = primary.state == "IN_PROGRESS" and bool(service.breaker().get("enable"))
    return watched and primary.consecutive >= service.threshold()


def _break(service: Service, tasks: list[Task], now: float) -> None:
    """Fail the deployment, as the circuit breaker does, and go back to the last completed one if allowed."""
    failed = service.primary
    failed.state, failed.reason = "FAILED", "ECS deployment circuit breaker: tasks failed to start."
    failed.updated_at = now
    failed.record.breaker = "TRIGGERED"
    service.say(f"(deployment {failed.identity}) deployment failed: tasks failed to start.", now)
    if not service.breaker().get("rollback"):
        failed.record.finish("STOPPED", "Service deployment circuit breaker was triggered.", now)
        return
    good = next((d for d in service.deployments if d is not failed and d.state == "COMPLETED"), None)
    if good is None or failed.is_rollback:
        reason = "No rollback candidate was found to run the rollback."
        failed.record.finish("ROLLBACK_FAILED", reason, now)
        service.say(reason, now)
        return
    failed.status = "ACTIVE"
    failed.record.status, failed.record.updated_at = "ROLLBACK_IN_PROGRESS", now
    failed.record.rollback = {
        "reason": "Service deployment rolled back because the circuit breaker threshold was exceeded.",
        "startedAt": now,
        "serviceRevisionArn": good.revision.arn,
    }
    back = Deployment(good.revision, failed.record, now, is_rollback=True)
    back.reason = f"ECS deployment circuit breaker: rolling back to deploymentId {good.identity}."
    service.deployments.remove(good)
    service.deployments.insert(0, back)
    for task in tasks:
        # The tasks of the good deployment never stopped; they are what is rolled back to.
        if task.deployment == good.identity:
            task.deployment = back.identity
    service.say(f"rolling back to deployment {good.identity}.", now)


def _spare(service: Service, new: list[Task], old: list[Task], now: float) -> list[Task]:
    """Return the old tasks that may stop: enough healthy ones remain."""
    serving = [task for task in old if task.is_healthy(now)]
    idle = [task for task in old if task not in serving]
    healthy = sum(task.is_healthy(now) for task in new) + len(serving)
    return idle + serving[: max(0, healthy - service.minimum_healthy)]


def _finish(service: Service, tasks: list[Task], now: float) -> None:
    """Notice that the deployment is complete and the service steady, and forget deployments without tasks."""
    primary = service.primary
    live = [task for task in tasks if task.is_live]
    healthy = [t for t in live if t.deployment == primary.identity and t.is_healthy(now)]
    is_there = len(healthy) == service.desired == len(live)
    if primary.is_rollback and now - primary.created_at < _ROLLBACK_SECONDS:
        return
    if is_there and primary.state == "IN_PROGRESS":
        primary.state, primary.reason, primary.updated_at = (
            "COMPLETED",
            f"ECS deployment {primary.identity} completed.",
            now,
        )
        status = "ROLLBACK_SUCCESSFUL" if primary.is_rollback else "SUCCESSFUL"
        primary.record.breaker = "TRIGGERED" if primary.is_rollback else "MONITORING_COMPLETE"
        primary.record.finish(status, "", now)
        service.say(f"(deployment {primary.identity}) deployment completed.", now)
        service.deployments = [primary]
    if is_there and primary.state == "COMPLETED" and not service.is_steady:
        service.is_steady = True
        service.say("has reached a steady state.", now)
    used = {task.deployment for task in live}
    service.deployments = [
        d for d in service.deployments if d is primary or d.identity in used or d.state in ("FAILED", "COMPLETED")
    ]


def run(service: Service, tasks: list[Task], now: float, start: Callable[[Deployment], Task]) -> list[Task]:
    """Do one `step`: stop tasks, and return those made by `start`, which are to be run."""
    decision = step(service, tasks, now)
    for stop in decision.stop:
        if not stop.task.stopping.is_set():
            stop.task.request_stop("ServiceSchedulerInitiated", stop.reason)
            service.say(f"has stopped 1 running tasks: (task {stop.task.identity}).", now)
    started = [start(service.primary) for _ in range(decision.start)]
    if started:
        names = " ".join(f"(task {task.identity})" for task in started)
        service.say(f"has started {len(started)} tasks: {names}.", now)
    return started
