"""The stacks and change sets of the rig's CloudFormation, with their events, and as AWS shows them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from model_sandbox.cloudformation.resource import Properties

ACCOUNT, REGION, MOMENT = "123456789012", "us-east-1", "2026-01-01T00:00:00Z"
_STACK = "AWS::CloudFormation::Stack"
_OVER = object()  # the end of work


class RefusedError(Exception):
    """A refusal of AWS: a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Made:
    """A resource of a stack."""

    type: str
    attributes: dict[str, str]  # `Ref` is its physical id
    properties: Properties
    policy: str = ""  # of its deletion


@dataclass
class Stack:
    """A stack, with what it is at."""

    name: str
    id: str
    status: str = "REVIEW_IN_PROGRESS"
    given: dict[str, str] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    outputs: list[tuple[str, str, str]] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    parameters: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Made] = field(default_factory=dict)
    events: list[dict[str, str]] = field(default_factory=list)  # the newest first
    is_protected: bool = False
    role: str = ""
    token: str = ""
    work: Iterator[None] | None = None

    def begin(self, token: str, work: Iterator[None]) -> None:
        """Have it do that, a step at a look."""
        self.token, self.work = token, work
        self.go_on(1)

    def go_on(self, steps: int) -> None:
        """Do so many steps of what it is at."""
        for _ in range(steps):
            if self.work and next(self.work, _OVER) is _OVER:
                self.work = None

    def tell(self, logical: str, kind: str, identity: str, status: str, reason: str = "") -> None:
        """Add an event."""
        self.events.insert(
            0,
            {
                "StackId": self.id,
                "StackName": self.name,
                "EventId": f"{len(self.events)}",
                "Timestamp": MOMENT,
                "LogicalResourceId": logical,
                "ResourceType": kind,
                "PhysicalResourceId": identity,
                "ResourceStatus": status,
                "ClientRequestToken": self.token,
                **({"ResourceStatusReason": reason} if reason else {}),
            },
        )

    def become(self, status: str, reason: str = "") -> None:
        """Change its status, with an event."""
        self.status = status
        self.tell(self.name, _STACK, self.id, status, reason)

    def record(self) -> dict[str, str]:
        """Return it as stack_rules know it."""
        return {"StackName": self.name, "StackId": self.id, "StackStatus": self.status}


@dataclass
class ChangeSet:
    """A planned change of a stack."""

    name: str
    stack: Stack
    kind: str
    given: dict[str, str]
    template: Mapping[str, Any]
    tags: list[dict[str, str]]
    role: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""  # why it failed
    looks: int = 0


def shown(stack: Stack) -> dict[str, Any]:
    """Return it as DescribeStacks shows it."""
    return {
        "StackName": stack.name,
        "StackId": stack.id,
        "StackStatus": stack.status,
        "CreationTime": MOMENT,
        "EnableTerminationProtection": stack.is_protected,
        **({"RoleARN": stack.role} if stack.role else {}),
        "Tags": stack.tags,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in stack.parameters.items()],
        "Outputs": [
            {"OutputKey": key, "OutputValue": value, **({"ExportName": export} if export else {})}
            for key, value, export in stack.outputs
        ],
    }


def change(
    action: str, logical: str, kind: str, replacement: str = "", properties: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return it as DescribeChangeSet shows it."""
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": logical,
            "ResourceType": kind,
            **({"Replacement": replacement} if replacement else {}),
            "Details": [{"Target": {"Attribute": "Properties", "Name": name}} for name in properties],
        },
    }


def different(old: Properties, new: Properties) -> tuple[str, ...]:
    """Return the names of the properties that are not the same."""
    return tuple(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))


def arn(change_set: ChangeSet) -> str:
    """Return the ARN of a change set."""
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/{change_set.name}/{change_set.stack.name}"
