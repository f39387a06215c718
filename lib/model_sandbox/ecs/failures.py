"""Counts a service's task failures, and judges its deployment."""

from dataclasses import dataclass

from model_sandbox.ecs.decision import Stop
from model_sandbox.ecs.service import Deployment, Service
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.traffic import ROLLED_BACK, Surroundings

_BACK_OFF_FIRST, _BACK_OFF_MOST = 0.3, 10.0


@dataclass(frozen=True)
class Failure:
    """A reason to end a deployment."""

    words: str
    goes_back: bool


def take_in(service: Service, tasks: list[Task], now: float) -> list[Stop]:
    """Count new failures and first successes; return unhealthy tasks."""
    stops = []
    primary = service.primary
    for task in tasks:
        of_primary = task.deployment == primary.identity
        if task.is_live and task.desired_status == "RUNNING" and task.health == "UNHEALTHY":
            service.say(f"(task {task.identity}) failed container health checks.", now)
            stops.append(Stop(task, "Task failed container health checks"))
            service.ended.add(task.identity)
            if of_primary:
                _count(primary, now)
        elif group := _off_target(service, task, now):
            text = f"(port 80) is unhealthy in (target-group {group}) due to (reason {task.target_reason})"
            service.say(text, now)
            stops.append(Stop(task, f"Task failed ELB health checks in (target-group {group})"))
            service.ended.add(task.identity)
            if of_primary:
                _count(primary, now)
        elif task.stop_code in ("EssentialContainerExited", "TaskFailedToStart") and task.identity not in service.ended:
            service.ended.add(task.identity)
            if of_primary:
                _count(primary, now)
        elif task.is_healthy(now) and task.identity not in service.proven:
            service.proven.add(task.identity)
            if of_primary and service.breaker().get("resetOnHealthyTask", True):
                primary.consecutive = 0
    return stops


def failure(service: Service, deployment: Deployment, around: Surroundings) -> Failure | None:
    """Return why the newest deployment must end."""
    record, alarms = service.records[0], service.records[0].alarms
    alarms.triggered = around.in_alarm(alarms.names) - alarms.ignored
    if record.cause and not deployment.is_rollback:
        return Failure(record.cause, goes_back=True)
    if service.breaker().get("enable") and deployment.consecutive >= service.threshold():
        record.breaker = "TRIGGERED"
        words = f"{ROLLED_BACK} the circuit breaker threshold was exceeded."
        return Failure(words, bool(service.breaker().get("rollback")))
    if alarms.triggered and not deployment.is_rollback:
        words = f"{ROLLED_BACK} CloudWatch alarms were triggered: {', '.join(sorted(alarms.triggered))}."
        return Failure(words, alarms.rollback)
    return None


def _off_target(service: Service, task: Task, now: float) -> str:
    if not (task.last_status == "RUNNING" and task.desired_status == "RUNNING" and task.target_state == "unhealthy"):
        return ""
    deployment = next((d for d in service.deployments if d.identity == task.deployment), None)
    groups = service.groups_of(deployment.revision) if deployment else ()
    return groups[0] if groups and service.grace_is_over(task.times["startedAt"], now) else ""


def _count(deployment: Deployment, now: float) -> None:
    deployment.failed_tasks += 1
    deployment.consecutive += 1
    deployment.updated_at = now
    deployment.record.failures = deployment.consecutive
    wait = min(_BACK_OFF_FIRST * 2 ** (deployment.consecutive - 1), _BACK_OFF_MOST)
    deployment.not_before = now + wait
