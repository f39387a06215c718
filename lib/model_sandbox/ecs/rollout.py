"""The next step of an ECS service to the tasks it should have. `step` only decides.

Source: ECS developer guide, "Amazon ECS rolling updates" and "deployment circuit breaker".
"""

from collections.abc import Callable

from model_sandbox.ecs import blue_green, failures
from model_sandbox.ecs.decision import Decision, Stop
from model_sandbox.ecs.failures import Failure
from model_sandbox.ecs.service import Deployment, Service
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.traffic import Surroundings

#: A rollback whose old tasks never left is over at once; AWS shows it for some seconds, and who polls must see it.
_ROLLBACK_SECONDS = 3.0


def step(service: Service, tasks: list[Task], now: float, around: Surroundings) -> Decision:
    """Take in what happened, in the records of `service`, and decide.

    `tasks` include stopped ones.
    """
    if service.status == "DRAINING":
        return _drain(service, tasks)
    stops = failures.take_in(service, tasks, now)
    if service.records[0].shifting:
        shifting = blue_green.step(service, tasks, now, around)
        return Decision(shifting.start, (*stops, *shifting.stop))
    failure = failures.failure(service, service.primary, around) if service.primary.state == "IN_PROGRESS" else None
    if failure:
        _break(service, tasks, failure, now)
    primary = service.primary
    live = [task for task in tasks if task.is_live and task.desired_status == "RUNNING"]
    new = [task for task in live if task.deployment == primary.identity]
    old = [task for task in live if task.deployment != primary.identity]
    if primary.state == "FAILED":
        stops += [Stop(task, f"ECS deployment {primary.identity} failed") for task in new]
        _finish(service, tasks, now)
        return Decision((), tuple(stops))
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
    return Decision((primary,) * start, tuple(stops))


def _drain(service: Service, tasks: list[Task]) -> Decision:
    live = [task for task in tasks if task.is_live]
    if not live:
        service.status = "INACTIVE"
    return Decision((), tuple(Stop(task, "Service is being deleted") for task in live))


def _break(service: Service, tasks: list[Task], failure: Failure, now: float) -> None:
    failed = service.primary
    is_breaker = failed.record.breaker == "TRIGGERED"
    failed.state, failed.updated_at = "FAILED", now
    failed.reason = "ECS deployment circuit breaker: tasks failed to start." if is_breaker else failure.words
    said = "tasks failed to start." if is_breaker else failure.words
    service.say(f"(deployment {failed.identity}) deployment failed: {said}", now)
    if not failure.goes_back:
        reason = "Service deployment circuit breaker was triggered." if is_breaker else failure.words
        failed.record.finish("STOPPED", reason, now)
        return
    good = next((d for d in service.deployments if d is not failed and d.state == "COMPLETED"), None)
    if good is None or failed.is_rollback:
        failed.record.finish("ROLLBACK_FAILED", blue_green.NO_CANDIDATE, now)
        service.say(blue_green.NO_CANDIDATE, now)
        return
    failed.status = "ACTIVE"
    failed.record.go_back(good.revision, failure.words, now)
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
    serving = [task for task in old if task.is_healthy(now)]
    idle = [task for task in old if task not in serving]
    healthy = sum(task.is_healthy(now) for task in new) + len(serving)
    return idle + serving[: max(0, healthy - service.minimum_healthy)]


def _finish(service: Service, tasks: list[Task], now: float) -> None:
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
        primary.record.finish(status, primary.record.cause, now)
        service.say(f"(deployment {primary.identity}) deployment completed.", now)
        service.deployments = [primary]
    if is_there and primary.state == "COMPLETED" and not service.is_steady:
        service.is_steady = True
        service.say("has reached a steady state.", now)
    used = {task.deployment for task in live}
    service.deployments = [
        d for d in service.deployments if d is primary or d.identity in used or d.state in ("FAILED", "COMPLETED")
    ]


def run(
    service: Service, tasks: list[Task], now: float, around: Surroundings, start: Callable[[Deployment], Task]
) -> list[Task]:
    """Do one `step`: stop tasks, and return new ones."""
    decision = step(service, tasks, now, around)
    for stop in decision.stop:
        if not stop.task.stopping.is_set():
            stop.task.request_stop("ServiceSchedulerInitiated", stop.reason)
            service.say(f"has stopped 1 running tasks: (task {stop.task.identity}).", now)
    started = [start(deployment) for deployment in decision.start]
    if started:
        names = " ".join(f"(task {task.identity})" for task in started)
        service.say(f"has started {len(started)} tasks: {names}.", now)
    return started
