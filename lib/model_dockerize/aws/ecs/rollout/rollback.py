"""Takes back what did not work: the service runs its last verified revision again, or nothing."""

import time
from collections.abc import Callable
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.ecs.rollout.follow import Verdict, follow
from model_dockerize.aws.ecs.service import describe, put_back, scale_to_zero
from model_dockerize.aws.model import Service
from model_dockerize.progress import Progress


def settle_failed_first_deployment(aws: Aws, service: Service, progress: Progress) -> str:
    """Leave no task after a deployment that failed with nothing to go back to; return what was done.

    At zero tasks the service costs nothing, its events and log stay readable, and the next run rolls it.
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
    """Let the service run `to_task_definition_arn` again, and follow that; None: scale to zero.

    Returns:
        The verdict on going back; None if the service was brought to zero tasks instead.

    Raises:
        TimedOutError: going back was not over in time.
    """
    if to_task_definition_arn is None:
        settle_failed_first_deployment(aws, service, progress)
        return None
    here, there = short_arn(service.task_definition_arn), short_arn(to_task_definition_arn)
    progress.info(f"service {service.name}: rolling back {here} -> {there}")
    return follow(aws, put_back(aws, service, to_task_definition_arn), timeout_seconds, progress, sleep, monotonic)


def leave_or_put_back(aws: Aws, service: Service, on_cancel: str, progress: Progress) -> None:
    """End a cancelled run in one call, because little time is left: say what goes on, or roll back.

    Args:
        on_cancel: `leave` or `rollback`.
    """
    here, former = short_arn(service.task_definition_arn), service.previous_task_definition_arn
    if on_cancel == "rollback" and former:
        put_back(aws, service, former)
        progress.warning(f"Cancelled: service {service.name} goes back from {here} to {short_arn(former)}, unwatched.")
    elif on_cancel == "rollback":
        settle_failed_first_deployment(aws, service, progress)
        progress.warning(f"Cancelled: service {service.name} ran nothing before {here}, so it is brought to no task.")
    else:
        progress.warning(
            f"Cancelled: service {service.name} goes on to {here} by itself. Run again to follow it, or go back with: "
            "model-dockerize rollback"
        )
