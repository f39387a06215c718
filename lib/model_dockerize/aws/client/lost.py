"""Calls that make a second thing when they are repeated, and whose answer got lost: look first, then make.

botocore repeats a call after a lost connection or a server's failure. The call may have been carried out though, and
for a few operations AWS takes no token by which it would know the second call for the first. They are not repeated;
instead the `ensure_` around them, which reads before it makes, runs again.
"""

import functools
import re
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import ClientError

from model_dockerize.aws.client.errors import THROTTLED, code_of, message_of
from model_dockerize.errors import AwsError, ModelDockerizeError

P = ParamSpec("P")
T = TypeVar("T")

#: Operations that make another one when they are called again.
NOT_REPEATED = {
    "ecs": ("RegisterTaskDefinition",),
    "batch": ("RegisterJobDefinition", "SubmitJob"),
}
_TRIES = 5
# Two are Lambda's (there, or changed since we looked). The last are Batch's words, which have no code of their own.
_THERE = re.compile(r"AlreadyExists|ResourceConflict|PreconditionFailed|[Aa]lready exists")


class AnswerLostError(AwsError):
    """Nobody knows whether the call was carried out."""


def never_repeat(client: Any) -> None:
    """Has `client` raise AnswerLostError where botocore would repeat one of NOT_REPEATED."""
    service = client.meta.service_model.service_name
    for operation in NOT_REPEATED.get(service, ()):
        client.meta.events.register(f"needs-retry.{service}.{operation}", _lost)


def finds_what_was_lost(ensure: Callable[P, T]) -> Callable[P, T]:
    """`ensure` reads, compares and makes what is missing: after a lost answer it does so again, up to five times.

    Also when AWS says that a thing is there already which was not when `ensure` looked: made by a call that botocore
    repeated, or by another run.
    """

    @functools.wraps(ensure)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        for wait in range(1, _TRIES):
            try:
                return ensure(*args, **kwargs)
            except ModelDockerizeError as error:
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
    """botocore's question whether to repeat: never answered with yes, and with an error where the answer is lost."""
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
