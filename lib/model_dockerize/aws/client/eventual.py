"""Waiting for what AWS has made but does not show everywhere yet. Only for that: real refusals pass at once."""

import re
import time
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from model_dockerize.aws.client.errors import code_of, message_of
from model_dockerize.errors import AwsError

T = TypeVar("T")

# Not iam:PassRole: policies are asked for the role's ARN, which they know whether or not there is such a role yet.
_NEW_ROLE = re.compile(r"role is not valid|role .*(is|are) not valid|unable to assume|cannot be assumed", re.IGNORECASE)
_HELD = {
    "ClusterContainsTasksException",
    "DependencyViolation",
    "FileSystemInUse",
    "InvalidGroup.InUse",
    "InvalidIPAddress.InUse",
    "ResourceInUse",
    "ResourceInUseException",
    # Another call works on it: often the former one of ours, whose answer was lost.
    "ConcurrentModification",
    "ConcurrentUpdateException",
    "OperationAbortedException",
    "ResourceConflictException",
}
#: Batch has one code for all that a caller did wrong; the queue of an environment stays its own for a moment longer.
_HELD_BY_BATCH = re.compile(r"resource is being modified|existing JobQueue relationship", re.IGNORECASE)
_SERVICE_LINKED_ROLE = re.compile(r"service.linked role", re.IGNORECASE)


def once_visible(call: Callable[[], T], seconds: float = 30) -> T:
    """`call`, again while EC2 does not know a thing that it has just made (`Invalid...NotFound`)."""
    return _again(call, lambda e: re.fullmatch(r"Invalid\w+\.NotFound", code_of(e)) is not None, seconds)


def once_assumable(call: Callable[[], T], fresh: bool, seconds: float = 60) -> T:
    """`call`, again while a role made moments ago (`fresh`) cannot be assumed yet."""
    return _again(call, lambda e: fresh and _NEW_ROLE.search(message_of(e)) is not None, seconds)


def lacks_service_linked_role(error: ClientError) -> bool:
    """ECS could not use its own role: it is missing, or was made by this very call and is not there yet."""
    return _SERVICE_LINKED_ROLE.search(message_of(error)) is not None


def once_linked(call: Callable[[], T], seconds: float = 60) -> T:
    """`call`, again while ECS's service-linked role is being made."""
    return _again(call, lacks_service_linked_role, seconds)


def once_free(call: Callable[[], T], seconds: float = 120) -> T:
    """`call`, again while what is being removed is held by something that is just going away (a task's interface)."""
    return _again(call, _is_held, seconds)


def once_invocable(call: Callable[[], T], seconds: float = 30) -> T:
    """`call`, again while S3 does not know yet that it may invoke a function."""
    return _again(call, lambda e: "Unable to validate the following destination" in message_of(e), seconds)


def once_settled(what: str, first: T, look: Callable[[], T], passing: Callable[[T], bool], seconds: float = 600) -> T:
    """`what` as it was seen first, or as `look` shows it once it is not `passing` any more.

    A look a second at first, seldom later.

    Raises:
        AwsError: it still was, when `seconds` were over.
    """
    now, waited, pause = first, 0.0, 1.0
    while passing(now):
        if waited >= seconds:
            raise AwsError(
                f"{what} is not ready after {waited:.0f} s.", "Run again: what was made is found and waited for."
            )
        time.sleep(pause)
        waited, pause = waited + pause, min(pause * 1.3, 5.0)
        now = look()
    return now


def _is_held(error: ClientError) -> bool:
    if code_of(error) == "ClientException":
        return _HELD_BY_BATCH.search(message_of(error)) is not None
    return code_of(error) in _HELD


def _again(call: Callable[[], T], worth_it: Callable[[ClientError], bool], seconds: float) -> T:
    retrying = Retrying(
        stop=stop_after_delay(seconds),
        wait=wait_exponential(multiplier=0.5, max=5),
        retry=retry_if_exception(lambda e: isinstance(e, ClientError) and worth_it(e)),
        reraise=True,
    )
    return retrying(call)
