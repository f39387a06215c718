"""Follows a stack's operation by its events."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from model_dockerize.errors import AwsAccessError, AwsError, ModelDockerizeError, TimedOutError
from model_dockerize.progress import Progress

_STACK = "AWS::CloudFormation::Stack"
#: After these an operation is over. CREATE_FAILED and UPDATE_FAILED are not: the way back follows.
_ENDS = (
    "CREATE_COMPLETE",
    "DELETE_COMPLETE",
    "DELETE_FAILED",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
)
#: A creation that failed is deleted after these. Where that does not begin, they are the end.
_BACK = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_LOOKS_AFTER_BACK = 5
_SAID = {
    "CREATE_COMPLETE": "made",
    "UPDATE_COMPLETE": "changed",
    "DELETE_COMPLETE": "removed",
    "DELETE_SKIPPED": "kept",
}
#: Said of resources that were stopped because another one failed.
_CANCELLED = ("Resource creation cancelled", "Resource update cancelled")
_ACCESS = re.compile(r"not authorized to perform|AccessDenied|UnauthorizedOperation|is not authorized", re.IGNORECASE)
_REMEDIES = (
    (
        re.compile(r"already exists|AlreadyExists|DuplicateListener", re.IGNORECASE),
        "Something of that name is there which no stack of ours made: remove or rename it, or name it in its input.",
    ),
    (
        re.compile(r"limit|quota|maximum number", re.IGNORECASE),
        "A quota of the account is reached: raise it (Service Quotas), or remove what is not needed any more.",
    ),
    (
        re.compile(r"in use by", re.IGNORECASE),
        "Stacks of models use it: remove those first (model-dockerize destroy).",
    ),
    (
        re.compile(r"DependencyViolation|has dependencies|dependent object|mapped public address", re.IGNORECASE),
        "Something that the stack did not make is in it: a running task, a network interface, an endpoint and a group "
        "of GuardDuty. Remove that, then run again.",
    ),
    (
        re.compile(r"service.linked role", re.IGNORECASE),
        "AWS has just made its own role for this service: run again in a minute.",
    ),
)
_ENDED = {
    "DELETE_COMPLETE": "could not be made, and was removed again",
    "DELETE_FAILED": "could not be removed whole",
    "ROLLBACK_COMPLETE": "could not be made",
    "ROLLBACK_FAILED": "could not be made, nor removed whole",
    "UPDATE_ROLLBACK_COMPLETE": "could not be changed, and is as it was",
    "UPDATE_ROLLBACK_FAILED": "could not be changed, nor put back as it was",
}
_ELSE = "Correct what the reason names, then run again."


@dataclass
class Pace:
    """The time between looks, and in all."""

    limit: float = 3600.0
    first: float = 0.25
    longest: float = 3.0
    sleep: Callable[[float], None] = time.sleep
    _waited: float = 0.0
    _pause: float = field(default=0.0)

    def wait(self, what: str) -> None:
        """Pause, or raise TimedOutError at the limit."""
        if self._waited >= self.limit:
            raise TimedOutError(
                f"{what}: not at its end after {self._waited:.0f} s.",
                remedy="CloudFormation goes on by itself: run again, and it is waited for.",
            )
        self._pause = min(max(self._pause * 1.4, self.first), self.longest)
        self.sleep(self._pause)
        self._waited += self._pause

    def anew(self) -> "Pace":
        return Pace(self.limit, self.first, self.longest, self.sleep)


@dataclass(frozen=True)
class End:
    """An operation's end."""

    status: str
    reasons: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()  # logical ids

    def error(self, name: str) -> ModelDockerizeError:
        said = "; ".join(self.reasons) or "CloudFormation gives no reason"
        message = f"Stack {name} {_ENDED.get(self.status, self.status)}: {said}"
        if _ACCESS.search(said):
            remedy = "Allow that action to whom CloudFormation acts for, or let an administrator make the stack."
            return AwsAccessError(message, remedy=remedy)
        remedy = next((remedy for pattern, remedy in _REMEDIES if pattern.search(said)), _ELSE)
        return AwsError(message, remedy=remedy)


def follow(client: Any, name: str, identity: str, token: str, progress: Progress, pace: Pace) -> End:
    """Report resources until the operation has ended."""
    # The stack's status alone cannot tell: other runs may change the stack at once.
    seen: list[Any] = []
    looks = 0
    while True:
        for event in reversed(list(_new_events(client, identity, token, {each["EventId"] for each in seen}))):
            seen.append(event)
            _tell(name, event, progress)
            if event["PhysicalResourceId"] == identity and event["ResourceStatus"] in _ENDS:
                return _end(event["ResourceStatus"], seen, identity)
        if seen and seen[-1]["ResourceStatus"] in _BACK and seen[-1]["PhysicalResourceId"] == identity:
            looks += 1
            if looks > _LOOKS_AFTER_BACK:
                return _end(seen[-1]["ResourceStatus"], seen, identity)
        pace.wait(f"stack {name}")


def _new_events(client: Any, identity: str, token: str, known: set[str]) -> Iterator[Any]:
    # Newest first, until a known or an older one.
    found = False
    for page in client.get_paginator("describe_stack_events").paginate(StackName=identity):
        for event in page["StackEvents"]:
            if event["EventId"] in known:
                return
            if event.get("ClientRequestToken") == token:
                found = True
                yield event
            elif found:
                return


def _tell(name: str, event: Any, progress: Progress) -> None:
    status, what = event["ResourceStatus"], f"{event['LogicalResourceId']} ({event['ResourceType']})"
    if event["ResourceType"] == _STACK:
        return
    if status in _SAID:
        progress.info(f"stack {name}: {what}: {_SAID[status]}")
    elif status.endswith("_FAILED"):
        progress.info(f"stack {name}: {what}: {status}: {event.get('ResourceStatusReason', '')}")


def _end(status: str, events: list[Any], identity: str) -> End:
    failed = [e for e in events if e["ResourceStatus"].endswith("_FAILED")]
    own = [e for e in failed if e["PhysicalResourceId"] == identity]
    first = [e for e in failed if e not in own and not e.get("ResourceStatusReason", "").startswith(_CANCELLED)] or own
    reasons = tuple(
        f"{e['LogicalResourceId']} ({e['ResourceType']}): {e.get('ResourceStatusReason', '')}" for e in first[:3]
    )
    kept = tuple(
        f"{e['ResourceType']} {e['PhysicalResourceId']}" for e in events if e["ResourceStatus"] == "DELETE_SKIPPED"
    )
    touched = {e["LogicalResourceId"] for e in events if e["ResourceType"] != _STACK and e["ResourceStatus"] in _SAID}
    return End(status, reasons, kept, tuple(sorted(touched)))
