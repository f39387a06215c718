"""Repeats calls for reasons that botocore cannot know.

Some operations take no idempotency token: after a lost answer, the `ensure_` around them, which reads before it makes,
runs again.
"""

import functools
import re
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from model_dockerize.aws.client.errors import THROTTLED, code_of, message_of
from model_dockerize.errors import AwsError, ModelDockerizeError

P = ParamSpec("P")
T = TypeVar("T")

#: The last is Lambda's other answer, of the key that it makes a grant on.
_NEW_ROLE = re.compile(
    r"role is not valid|role .*(is|are) not valid|unable to assume|cannot be assumed|not refer to a valid principal",
    re.IGNORECASE,
)
#: For some seconds AWS also refuses to pass on a new role, in the words of a policy that does not allow it.
_NOT_PASSED = re.compile(r"not authorized to perform: iam:PassRole")
_PASSED_SECONDS = 15.0
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
#: Operations that make another one when they are called again.
NOT_REPEATED = {
    "ecs": ("RegisterTaskDefinition",),
    "batch": ("RegisterJobDefinition", "SubmitJob"),
}
_TRIES_AFTER_LOSS = 5
# Two are Lambda's (there, or changed since we looked). The last are Batch's words, which have no code of their own.
_THERE = re.compile(r"AlreadyExists|ResourceConflict|PreconditionFailed|[Aa]lready exists")
#: The errors by which the services say that a thing is not there, as their models and EC2's list of codes name them:
#: ...NotFound of EC2, EFS and ELB, ...NotFoundException of ECS, ECR, Lambda, CloudWatch Logs and Application Auto
#: Scaling, IAM's, and EC2's for an internet gateway that was taken off its VPC.
_GONE = re.compile(r"\w*\.?NotFound(Exception)?|NoSuchEntity|Gateway\.NotAttached")
#: Batch, and ECS of task definitions, have one code for all that a caller did wrong.
_GONE_BY_WORDS = re.compile(r"does not exist|Unable to describe task definition")
#: More than any removal has steps; each step may lose its answer once.
_MOST_STEPS = 10


def once_visible(call: Callable[[], T], seconds: float = 30) -> T:
    """Repeat while EC2 does not show what it made."""
    return _again(call, lambda e: re.fullmatch(r"Invalid\w+\.NotFound", code_of(e)) is not None, seconds)


def once_assumable(call: Callable[[], T], fresh: bool, seconds: float = 60) -> T:
    """Repeat while a `fresh` role cannot be used."""
    if not fresh:
        return call()

    def passed() -> T:
        return _again(call, lambda e: _NOT_PASSED.search(message_of(e)) is not None, min(seconds, _PASSED_SECONDS))

    return _again(passed, lambda e: says_role_is_new(message_of(e)), seconds)


def says_role_is_new(text: str) -> bool:
    """Tell whether a role may be too new."""
    return _NEW_ROLE.search(text) is not None


def lacks_service_linked_role(error: ClientError) -> bool:
    return _SERVICE_LINKED_ROLE.search(message_of(error)) is not None


def once_linked(call: Callable[[], T], seconds: float = 60) -> T:
    """Repeat while AWS makes ECS's service-linked role."""
    return _again(call, lacks_service_linked_role, seconds)


def once_free(call: Callable[[], T], seconds: float = 120) -> T:
    """Repeat while something that goes away holds it."""
    return _again(call, _is_held, seconds)


def once_invocable(call: Callable[[], T], seconds: float = 30) -> T:
    """Repeat while S3 may not invoke the function yet."""
    return _again(call, lambda e: "Unable to validate the following destination" in message_of(e), seconds)


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


class AnswerLostError(AwsError):
    """Nobody knows whether the call had an effect."""


def never_repeat(client: Any) -> None:
    """Raise AnswerLostError instead of repeating one of NOT_REPEATED."""
    service = client.meta.service_model.service_name
    for operation in NOT_REPEATED.get(service, ()):
        client.meta.events.register(f"needs-retry.{service}.{operation}", _lost)


def finds_what_was_lost(ensure: Callable[P, T]) -> Callable[P, T]:
    """Run `ensure` again after a lost answer."""

    @functools.wraps(ensure)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        for wait in range(1, _TRIES_AFTER_LOSS):
            try:
                return ensure(*args, **kwargs)
            except ModelDockerizeError as error:
                # Also where AWS says that a thing exists which `ensure` did not see: another run, or botocore's
                # repeated call, made it.
                if not _may_be_there(error):
                    raise
                # What was made may take a moment until it is shown.
                time.sleep(wait)
        return ensure(*args, **kwargs)

    return again


def _may_be_there(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, AnswerLostError):
            return True
        if isinstance(error, ClientError) and _THERE.search(f"{code_of(error)}: {message_of(error)}"):
            return True
        error = error.__cause__
    return False


def _lost(operation: Any, response: Any, caught_exception: Any, **_: Any) -> None:
    # None tells botocore not to repeat the call.
    if caught_exception is not None:
        raise _error(operation, str(caught_exception)) from caught_exception
    http, parsed = response
    if http.status_code >= 500:
        error = ClientError(parsed, operation.name)
        if code_of(error) not in THROTTLED:
            raise _error(operation, message_of(error))


def _error(operation: Any, why: str) -> AnswerLostError:
    return AnswerLostError(
        f"{operation.service_model.service_name}:{operation.name}: AWS did not answer: {why}",
        remedy="Check the network; then run again: what was made is found again.",
    )


def gone_is_well(remove: Callable[[], object]) -> None:
    """Run `remove` until it ends, or finds the same gone twice."""
    said: tuple[str, str] | None = None
    for _ in range(_MOST_STEPS):
        try:
            remove()
        except ClientError as error:
            # botocore's repeated call finds the work done; the rest of `remove` is still to do.
            if not says_gone(error):
                raise
            now = (error.operation_name, message_of(error))
            if now == said:
                return
            said = now
        else:
            return


def says_gone(error: ClientError) -> bool:
    """Tell whether AWS says that it is gone."""
    if code_of(error) == "ClientException":
        return _GONE_BY_WORDS.search(message_of(error)) is not None
    return _GONE.fullmatch(code_of(error)) is not None
