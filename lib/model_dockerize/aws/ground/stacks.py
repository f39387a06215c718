"""Makes, changes, plans and deletes stacks."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import code_of, message_of, translate
from model_dockerize.aws.ground.change_set import ChangeSet, check_lengths, create_change_set, plan_change_set
from model_dockerize.aws.ground.events import End, Pace, follow
from model_dockerize.aws.ground.values import ResourceChange, Stack, Wanted
from model_dockerize.aws.model import Action
from model_dockerize.errors import AwsError, InputError
from model_dockerize.progress import Progress

T = TypeVar("T")

_GOOD_ENDS = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
#: Somebody else was at the same stack, and came first.
_RACES = ("AlreadyExistsException", "ChangeSetNotFound", "ChangeSetNotFoundException", "InvalidChangeSetStatus")
_RACE_TEXTS = ("_IN_PROGRESS state", "already exists and cannot be created again with the changeSet")
_TRIES = 5


def ensure_stack(
    aws: Aws, wanted: Wanted, progress: Progress, pace: Pace | None = None, seen: Stack | None = None
) -> Stack:
    """Make or change the stack, also after a killed run.

    Args:
        seen: the stack a moment ago.

    Raises:
        InputError: it is not ours, or would lose something precious.
    """
    if seen and seen.is_ours and seen.is_protected and seen.suits(wanted):
        aws.settled(progress, "leave", "stack", seen.name)
        return seen
    return _while_others_change_it(lambda clock: _ensure(aws, wanted, progress, clock), wanted.name, pace or Pace())


def plan_stack(aws: Aws, wanted: Wanted, pace: Pace | None = None) -> tuple[ResourceChange, ...] | None:
    """Return the plan: None, nothing changes; empty, only outputs or tags.

    A new stack's change set would make the stack.
    """

    def plan(clock: Pace) -> tuple[ResourceChange, ...] | None:
        client = aws.client("cloudformation")
        there = _settled(client, wanted.name, clock)
        _check_ours(there, wanted.name)
        if there is None or there.was_never_good or there.is_to_be_made:
            check_lengths(wanted)
            return tuple(ResourceChange("Add", *each) for each in wanted.template.resources(wanted.values()))
        return None if there.suits(wanted) else plan_change_set(client, wanted, there, clock)

    return _while_others_change_it(plan, wanted.name, pace or Pace())


def delete_stack(aws: Aws, name: str, progress: Progress, pace: Pace | None = None, role: str = "") -> tuple[str, ...]:
    """Delete the stack; return what its template keeps.

    Raises:
        AwsError: another stack imports from it, or part is in use.
    """

    def delete(clock: Pace) -> tuple[str, ...]:
        client = aws.client("cloudformation")
        there = _settled(client, name, clock)
        if there is None:
            return ()
        _check_ours(there, name)
        # AWS would refuse it, too, but only after the protection is gone.
        if users := _users(client, there):
            raise AwsError(
                f"Stack {name} is in use by {', '.join(users)}.", remedy="Remove those models first (destroy)."
            )
        return _delete(client, there, progress, clock, role)

    return _while_others_change_it(delete, name, pace or Pace())


def describe_stack(aws: Aws, name: str) -> Stack | None:
    """Return a stack that was made, or None."""
    with translate(f"stack {name}"):
        there = _look(aws.client("cloudformation"), name)
    return None if there and there.was_never_made else there


def _ensure(aws: Aws, wanted: Wanted, progress: Progress, pace: Pace) -> Stack:
    client, name = aws.client("cloudformation"), wanted.name
    there = _settled(client, name, pace)
    _check_ours(there, name)
    if there and there.was_never_good:
        progress.info(f"stack {name} is {there.status}, as a failed run leaves it: removed first")
        _delete(client, there, progress, pace, wanted.role)
        there = None
    if there and there.status == "UPDATE_ROLLBACK_FAILED":
        there = _way_back_continued(client, there, progress, pace)
    if there and there.suits(wanted):
        _protect(client, there)  # a run may have been killed before it came to that
        aws.settled(progress, "leave", "stack", name)
        return there
    former = None if there is None or there.is_to_be_made else there
    change_set = create_change_set(client, wanted, former, pace.anew())
    if change_set is None:  # what differs makes no difference to AWS
        aws.settled(progress, "leave", "stack", name)
        return there or _known(client, name)
    _check_loss(client, wanted, change_set)
    end = _execute(client, name, change_set, progress, pace)
    action: Action = "change" if former else "make"
    aws.settled(progress, action, "stack", name, *(end.touched if former else ()))
    made = _known(client, name)
    _protect(client, made)
    return replace(made, action=action, is_protected=True)


def _execute(client: Any, name: str, change_set: ChangeSet, progress: Progress, pace: Pace) -> End:
    token = f"md-{uuid.uuid4().hex}"
    client.execute_change_set(StackName=name, ChangeSetName=change_set.arn, ClientRequestToken=token)
    end = follow(client, name, change_set.stack_id, token, progress, pace.anew())
    if end.status not in _GOOD_ENDS:
        raise end.error(name)
    return end


def _way_back_continued(client: Any, stack: Stack, progress: Progress, pace: Pace) -> Stack:
    progress.info(f"stack {stack.name} is {stack.status}: the way back of a former change is continued")
    token = f"md-{uuid.uuid4().hex}"
    client.continue_update_rollback(StackName=stack.name, ClientRequestToken=token)
    end = follow(client, stack.name, stack.id, token, progress, pace.anew())
    if end.status != "UPDATE_ROLLBACK_COMPLETE":
        error = end.error(stack.name)
        error.remedy = (
            "Mend what the reason names. Where it can be left as it is: aws cloudformation continue-update-rollback "
            f"--stack-name {stack.name} --resources-to-skip NAME. Then run again."
        )
        raise error
    return _known(client, stack.name)


def _delete(client: Any, stack: Stack, progress: Progress, pace: Pace, role: str) -> tuple[str, ...]:
    token = f"md-{uuid.uuid4().hex}"
    if stack.is_protected:
        client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
    client.delete_stack(StackName=stack.id, ClientRequestToken=token, **({"RoleARN": role} if role else {}))
    if stack.is_to_be_made:  # it holds nothing, and has no events of its deletion to wait for
        return ()
    end = follow(client, stack.name, stack.id, token, progress, pace.anew())
    if end.status != "DELETE_COMPLETE":
        if left := _look(client, stack.name):
            _protect(client, left)
        raise end.error(stack.name)
    return end.kept


def _protect(client: Any, stack: Stack) -> None:
    # A deletion by hand would take the roles of running tasks.
    if not stack.is_protected:
        client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=True)


def _check_ours(stack: Stack | None, name: str) -> None:
    if stack and not stack.is_to_be_made and not stack.is_ours:
        raise InputError(
            f"There is a stack {name} that model-dockerize did not make.",
            remedy="Remove or rename it, or choose another name. Nothing was changed.",
        )


def _check_loss(client: Any, wanted: Wanted, change_set: ChangeSet) -> None:
    lost = [change for change in change_set.changes if change.loses and change.logical_id not in wanted.may_lose]
    if lost:
        client.delete_change_set(StackName=wanted.name, ChangeSetName=change_set.arn)
        raise InputError(
            f"Stack {wanted.name}: the change would lose what is not to be lost unasked.",
            remedy="Leave the inputs that bring this about as they were, or destroy the model first.",
            details=tuple(str(change) for change in lost),
        )


def _users(client: Any, stack: Stack) -> list[str]:
    users: set[str] = set()
    for export in stack.exports:
        try:
            pages = client.get_paginator("list_imports").paginate(ExportName=export)
            users.update(name for page in pages for name in page["Imports"])
        except ClientError as error:
            if "not imported" not in message_of(error):
                raise
    return sorted(users)


def _settled(client: Any, name: str, pace: Pace) -> Stack | None:
    # CloudFormation outlives a killed run.
    clock = pace.anew()
    stack = _look(client, name)
    while stack and stack.status.endswith("_IN_PROGRESS") and not stack.is_to_be_made:
        clock.wait(f"stack {name}")
        stack = _look(client, name)
    return stack


def _look(client: Any, name: str) -> Stack | None:
    try:
        return Stack.of(client.describe_stacks(StackName=name)["Stacks"][0])
    except ClientError as error:
        if "does not exist" in message_of(error):
            return None
        raise


def _known(client: Any, name: str) -> Stack:
    stack = _look(client, name)
    if stack is None:
        raise AwsError(f"Stack {name} was removed meanwhile.", remedy="Run again: it is made anew.")
    return stack


def _while_others_change_it(step: Callable[[Pace], T], name: str, pace: Pace) -> T:
    clock = pace.anew()
    with translate(f"stack {name}"):
        for _ in range(_TRIES - 1):
            try:
                return step(pace)
            except ClientError as error:
                if code_of(error) not in _RACES and not any(text in message_of(error) for text in _RACE_TEXTS):
                    raise
            clock.wait(f"stack {name}")
        return step(pace)
