"""Takes back what did not work."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.ecs.rollout.decide import Action, decide, look
from model_dockerize.aws.ecs.rollout.evidence import Pause, Verdict
from model_dockerize.aws.ecs.rollout.follow import follow
from model_dockerize.aws.ecs.rollout.shift_judge import Shift
from model_dockerize.aws.ecs.service import put_back, scale_to_zero
from model_dockerize.aws.ecs.service_state import describe
from model_dockerize.aws.model import Service
from model_dockerize.progress import Progress


def settle_failed_first_deployment(aws: Aws, service: Service, progress: Progress) -> str:
    """Stop all tasks where there is nothing to go back to.

    The service stays with events and log, at no cost.
    """
    with translate(f"service {service.name}"):
        now: Any = describe(aws, service.cluster, service.name)
        idle = now is None or now["status"] != "ACTIVE" or now["desiredCount"] == 0
    if not idle:
        scale_to_zero(aws, service)
    done = f"service {service.name}: at 0 tasks, nothing runs that did not answer"
    progress.info(done)
    return done


def rollback(
    aws: Aws,
    service: Service,
    to_task_definition_arn: str | None,
    timeout_seconds: float,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Verdict | None:
    """Go back to a verified revision, without test or bake.

    Args:
        to_task_definition_arn: None: stop all tasks.
    """
    if to_task_definition_arn is None:
        settle_failed_first_deployment(aws, service, progress)
        return None
    here, there = short_arn(service.task_definition_arn), short_arn(to_task_definition_arn)
    progress.info(f"service {service.name}: rolling back {here} -> {there}")
    back = put_back(aws, service, to_task_definition_arn)
    verdict = follow(aws, back, timeout_seconds, progress, sleep, monotonic, skip_bake=True)
    if verdict.pause is None:
        return verdict
    return end_pause(aws, back, verdict.pause, Action.CONTINUE, timeout_seconds, progress, sleep, monotonic, True)


def end_pause(
    aws: Aws,
    service: Service,
    pause: Pause,
    action: Action,
    timeout_seconds: float,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
    skip_bake: bool = False,
) -> Verdict:
    """Decide on a waiting version, and follow it to the end.

    Raises:
        PausedError: the decision is not allowed.
        TimedOutError: it was not over in time.
    """
    with translate(f"pause of service {service.name}"):
        decide(aws, pause.service_deployment_arn, pause.hook_id, action, progress, sleep)
    return follow(aws, service, timeout_seconds, progress, sleep, monotonic, decided=pause.hook_id, skip_bake=skip_bake)


def back_from_bake(
    aws: Aws,
    service: Service,
    timeout_seconds: float,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Verdict | None:
    """Move traffic back and follow that; None: nothing is under way."""
    with translate(f"rollout of service {service.name}"):
        shift = _under_way(_current(aws, service), service)
        if shift is None:
            return None
        progress.info(f"service {service.name}: its rollout is under way ({shift.stage}), the traffic goes back")
        decide(aws, shift.arn, "", Action.STOP, progress, sleep)
    return follow(aws, replace(service, is_paused_by_us=False), timeout_seconds, progress, sleep, monotonic)


def is_under_way(aws: Aws, service: Service) -> bool:
    """Tell whether `back_from_bake` would move traffic."""
    with translate(f"rollout of service {service.name}"):
        return _under_way(_current(aws, service), service) is not None


def _current(aws: Aws, service: Service) -> Shift | None:
    there: Any = describe(aws, service.cluster, service.name) if service.shifts else None
    arn = there.get("currentServiceDeployment", "") if there else ""
    return look(aws, arn) if arn else None


def _is_ours(shift: Shift, service: Service) -> bool:
    return shift.revision == service.deployment_id.rpartition("/")[2]


def _under_way(shift: Shift | None, service: Service) -> Shift | None:
    return shift if shift and _is_ours(shift, service) and shift.is_under_way and shift.has_former else None


def leave_or_put_back(aws: Aws, service: Service, on_cancel: str, progress: Progress) -> None:
    """End a cancelled run unwatched: time is short.

    Args:
        on_cancel: `leave` or `rollback`.
    """
    here, former = short_arn(service.task_definition_arn), service.previous_task_definition_arn
    name = service.name
    with translate(f"rollout of service {name}"):
        current = _current(aws, service)
        if current and not _is_ours(current, service):
            progress.warning(f"Cancelled: service {name} has a newer deployment than {here}, which is left alone.")
            return
        if current and current.has_former and current.goes_back and current.status != "ROLLBACK_FAILED":
            progress.warning(f"Cancelled: service {name} goes back from {here} by itself.")
            return
        shift = current if current and current.is_under_way else None
        if shift and shift.has_former and on_cancel == "rollback":
            hook = shift.pause("") if service.is_paused_by_us else None
            action = Action.ROLLBACK if hook else Action.STOP
            decide(aws, shift.arn, hook.id if hook else "", action, progress, time.sleep)
            progress.warning(f"Cancelled: service {name} goes back from {here}, unwatched.")
            return
    if on_cancel == "rollback" and former:
        put_back(aws, service, former, is_watched=False)
        progress.warning(f"Cancelled: service {name} goes back from {here} to {short_arn(former)}, unwatched.")
    elif on_cancel == "rollback":
        settle_failed_first_deployment(aws, service, progress)
        progress.warning(f"Cancelled: service {name} ran nothing before {here}, so it is brought to no task.")
    elif shift and (hook := shift.pause("")) and service.is_paused_by_us:
        until = f" at {hook.expires_at:%H:%M} UTC" if hook.expires_at else ""
        progress.warning(
            f"Cancelled: {here} waits for its test without traffic, and ECS takes it back{until}. Run again to test it."
        )
    elif shift and service.is_paused_by_us and shift.is_before_traffic:
        progress.warning(
            f"Cancelled: service {name} starts {here} by itself, which then waits for its test and has no traffic. Run "
            "again to test it; without that ECS takes it back."
        )
    else:
        progress.warning(
            f"Cancelled: service {name} goes on to {here} by itself. Run again to follow it, or go back with: "
            "model-dockerize rollback"
        )
