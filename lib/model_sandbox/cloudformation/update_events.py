"""An update's events as on AWS: ministack calls every resource updated, touched or not."""

from collections.abc import Callable
from typing import Any

_STACK = "AWS::CloudFormation::Stack"


class UpdateEvents:
    """Holds events back until their resource's change is known."""

    def __init__(self, record: Callable[..., None], is_there: Callable[[str, str], bool]) -> None:
        # `record` is ministack's function; `is_there` tells whether a stack has a resource.
        self._record, self._is_there = record, is_there
        self._held: dict[tuple[str, str], tuple[str, tuple[Any, ...]]] = {}  # -> UPDATE or CREATE, and the event
        self._touched: set[tuple[str, str]] = set()

    def touch(self, stack: str, resource: str) -> None:
        self._touched.add((stack, resource))

    def add(self, identity: str, stack: str, resource: str, kind: str, status: str, *more: Any, **named: Any) -> None:
        """Add an event, in place of ministack's function."""
        key, reason = (stack, resource), str(more[0] if more else named.get("reason", ""))
        if kind == _STACK or not status.startswith("UPDATE_"):
            self._record(identity, stack, resource, kind, status, *more, **named)
        elif status == "UPDATE_IN_PROGRESS" and not reason:
            self._touched.discard(key)
            verb = "UPDATE" if self._is_there(stack, resource) else "CREATE"
            self._held[key] = (verb, (identity, stack, resource, kind, f"{verb}_IN_PROGRESS"))
        else:
            verb, event = self._held.pop(key, ("UPDATE", ()))
            if event and key not in self._touched and status == "UPDATE_COMPLETE":
                return  # nothing was done to it
            if event:
                self._record(*event)
            self._record(identity, stack, resource, kind, status.replace("UPDATE", verb), *more, **named)
            if status == "UPDATE_IN_PROGRESS":  # it is made anew, and ends with another event
                self._touched.add(key)
