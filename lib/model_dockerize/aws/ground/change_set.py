"""Makes and reads a stack's change set."""

import uuid
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.template import LONGEST
from model_dockerize.aws.ground.values import ResourceChange, Stack, Wanted
from model_dockerize.errors import AwsError, InputError

#: Of a plan: another plan of the same stack that takes it away meanwhile is looked for again, as other races are.
_PLAN = "md-plan"
#: AWS has two sentences for it.
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
#: Bytes of a parameter's value.
_LONGEST_VALUE = 4096


@dataclass(frozen=True)
class ChangeSet:
    """A change set; without changes, of outputs or tags only."""

    arn: str
    stack_id: str
    changes: tuple[ResourceChange, ...]


def plan_change_set(client: Any, wanted: Wanted, there: Stack, pace: Pace) -> tuple[ResourceChange, ...] | None:
    """Return what would change of an existing stack: None, nothing; empty, only its outputs or tags.

    Its fixed name removes what a killed plan left.
    """
    client.delete_change_set(StackName=wanted.name, ChangeSetName=_PLAN)  # AWS takes it where there is none, too
    made = create_change_set(client, wanted, there, pace, _PLAN)
    if made is None:
        return None
    client.delete_change_set(StackName=wanted.name, ChangeSetName=made.arn)
    return made.changes


def create_change_set(client: Any, wanted: Wanted, there: Stack | None, pace: Pace, own: str = "") -> ChangeSet | None:
    """Make a change set, if anything would change."""
    name, token = wanted.name, f"md-{uuid.uuid4().hex}"
    # By the token AWS knows the call that is repeated after a lost answer.
    arn = client.create_change_set(
        StackName=name, ChangeSetName=own or token, ClientToken=token, **_request(wanted, there)
    )["Id"]
    shown = client.describe_change_set(StackName=name, ChangeSetName=arn)
    while shown["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
        pace.wait(f"change set of stack {name}")
        shown = client.describe_change_set(StackName=name, ChangeSetName=arn)
    if shown["Status"] == "FAILED":
        reason = shown.get("StatusReason", "")
        details = () if any(said in reason for said in _UNCHANGED) else _findings(client, arn)
        client.delete_change_set(StackName=name, ChangeSetName=arn)
        if any(said in reason for said in _UNCHANGED):
            return None
        raise AwsError(
            f"Stack {name}: CloudFormation does not take the change: {reason or 'it gives no reason'}",
            remedy="Correct what it names. Nothing was changed.",
            details=details,
        )
    changes = [ResourceChange.of(each) for each in shown.get("Changes", [])]
    while more := shown.get("NextToken"):
        shown = client.describe_change_set(StackName=name, ChangeSetName=arn, NextToken=more)
        changes += [ResourceChange.of(each) for each in shown.get("Changes", [])]
    return ChangeSet(arn, shown["StackId"], tuple(changes))


def check_lengths(wanted: Wanted) -> None:
    """Refuse what is too long for CloudFormation."""
    if len(wanted.template.body.encode()) > LONGEST:
        raise AssertionError(f"the template has more than {LONGEST} bytes")
    for name, value in wanted.values().items():
        if len(value.encode()) > _LONGEST_VALUE:
            raise InputError(
                f"{name} has {len(value.encode())} bytes; CloudFormation takes {_LONGEST_VALUE}.",
                remedy="Name fewer: about forty secrets fit.",
            )


def _request(wanted: Wanted, there: Stack | None) -> dict[str, Any]:
    check_lengths(wanted)
    values = wanted.values()
    kept = (there.parameters.keys() if there else set()) & wanted.template.parameters - values.keys()
    request: dict[str, Any] = {
        "ChangeSetType": "UPDATE" if there else "CREATE",
        "TemplateBody": wanted.template.body,
        "Parameters": [
            *({"ParameterKey": name, "ParameterValue": value} for name, value in sorted(values.items())),
            *({"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)),
        ],
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": wanted.tag_list(),
    }
    if not there:  # what a failed creation made goes with it
        request["OnStackFailure"] = "DELETE"
    if wanted.role:
        request["RoleARN"] = wanted.role
    return request


def _findings(client: Any, change_set: str) -> tuple[str, ...]:
    # Only these events hold AWS's early validation.
    try:
        events = client.describe_events(ChangeSetName=change_set, Filters={"FailedEvents": True})["OperationEvents"]
    except ClientError:
        return ()
    return tuple(
        f"{event.get('ValidationPath') or event.get('LogicalResourceId', '')}: {event['ValidationStatusReason']}"
        for event in events
        if event.get("ValidationStatusReason")
    )
