"""Ends our pause or a deployment."""

from collections.abc import Callable
from enum import Enum

from botocore.exceptions import BotoCoreError, ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import DENIED, EXPIRED, code_of, message_of
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.ecs.rollout.shift_judge import Shift
from model_dockerize.errors import AwsError, PausedError
from model_dockerize.progress import Progress

_TRIES = 3
_AGAIN = 2.0  # seconds


class Action(Enum):
    """A decision on a deployment."""

    CONTINUE = "CONTINUE"
    ROLLBACK = "ROLLBACK"
    STOP = "STOP"  # and go back, wherever it is


def decide(
    aws: Aws, arn: str, hook_id: str, action: Action, progress: Progress, sleep: Callable[[float], None]
) -> None:
    """Ask ECS for `action` until it heard.

    Args:
        arn: of the service deployment.
        hook_id: empty to STOP.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            if action is Action.STOP:
                aws.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
            else:
                aws.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook_id, action=action.value)
            return
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError):
                if code_of(error) in DENIED:
                    raise _denied(error, action) from error
                if code_of(error) in EXPIRED:
                    raise
            if not _waits(look(aws, arn), hook_id, action):
                return
            if attempt == _TRIES:
                raise
            progress.info(f"AWS did not take {action.value.lower()}, asking again: {error}")
            sleep(_AGAIN)


def look(aws: Aws, arn: str) -> Shift:
    """Return the service deployment's state."""
    found = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    if not found:
        raise AwsError(
            f"ECS does not show service deployment {short_arn(arn)}.",
            remedy="Run again: the next run finds what is there.",
        )
    return Shift.of(found[0])


def _waits(shift: Shift, hook_id: str, action: Action) -> bool:
    if action is Action.STOP:
        return shift.is_under_way
    return shift.is_under_way and any(hook.id == hook_id for hook in shift.waiting)


def _denied(error: ClientError, action: Action) -> PausedError:
    name = f"ecs:{error.operation_name}"
    if action is Action.STOP:
        return PausedError(
            f"The deployment is under way, and this run may not turn it back: {name} is not allowed for these "
            "credentials.",
            f"Allow {name} (model-dockerize iam-policy prints the policy) and run again, or stop it in the console.",
            (message_of(error),),
        )
    asked = "go on" if action is Action.CONTINUE else "go back"
    return PausedError(
        f"The deployment waits, and this run may not let it {asked}: {name} is not allowed for these credentials.",
        f"Allow {name} (model-dockerize iam-policy prints the policy) and run again. Until then users have the former "
        "version, and ECS goes back to it by itself when the pause is over.",
        (message_of(error),),
    )
