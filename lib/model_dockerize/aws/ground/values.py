"""The values of stacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_dockerize.aws.ground.template import Template
from model_dockerize.aws.model import Action

#: The tag by which a stack is ours. CloudFormation hands it on to what it makes: no template has a tag of that key.
TAG = {"Key": "model-dockerize-stack", "Value": "ground"}
#: By which parameters of one kind are told apart: templates have no lists of unknown length.
LETTERS = "ABCDEF"
#: What a creation that failed leaves.
_NEVER_WHOLE = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_GOOD = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)
#: What a change set may neither replace nor remove unasked: data, logs, addresses that others know, what tasks are in.
_PRECIOUS = (
    "AWS::EC2::EIP",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::ECS::Cluster",
    "AWS::EFS::FileSystem",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::Logs::LogGroup",
)


def lettered(stem: str, values: Sequence[str], most: int = len(LETTERS)) -> dict[str, str]:
    """Return `values` as parameters `stem`A, `stem`B, the rest empty."""
    return {f"{stem}{letter}": value for letter, value in zip(LETTERS[:most], [*values, *[""] * most], strict=False)}


@dataclass(frozen=True)
class Wanted:
    """A wanted stack; unnamed parameters keep their values."""

    name: str
    template: Template
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)  # besides ours
    role: str = ""  # ARN of the one that CloudFormation acts by; empty: whoever calls
    may_lose: frozenset[str] = frozenset()  # logical ids of precious resources that may go

    def values(self) -> dict[str, str]:
        """Return all parameters."""
        return {**self.parameters, "Fingerprint": self.template.fingerprint}

    def tag_list(self) -> list[dict[str, str]]:
        return [TAG, *({"Key": key, "Value": value} for key, value in sorted(self.tags.items()))]


@dataclass(frozen=True)
class Stack:
    """A stack as DescribeStacks shows it."""

    name: str
    id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    exports: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    is_protected: bool = False
    role: str = ""  # ARN of the one that CloudFormation acts by
    action: Action = "leave"

    @classmethod
    def of(cls, shown: Any) -> "Stack":
        """Read an entry of DescribeStacks."""
        outputs = shown.get("Outputs", [])
        return cls(
            shown["StackName"],
            shown["StackId"],
            shown["StackStatus"],
            {each["ParameterKey"]: each["ParameterValue"] for each in shown.get("Parameters", [])},
            {each["OutputKey"]: each["OutputValue"] for each in outputs},
            tuple(each["ExportName"] for each in outputs if each.get("ExportName")),
            tuple(sorted((each["Key"], each["Value"]) for each in shown.get("Tags", []))),
            bool(shown.get("EnableTerminationProtection")),
            shown.get("RoleARN", ""),
        )

    def filled(self, *stems: str) -> tuple[str, ...]:
        """Return the non-empty parameters `SubnetA`, `SubnetB`, ..."""
        found = (self.parameters.get(f"{stem}{letter}", "") for stem in stems for letter in LETTERS)
        return tuple(value for value in found if value)

    @property
    def is_ours(self) -> bool:
        return (TAG["Key"], TAG["Value"]) in self.tags

    @property
    def own_tags(self) -> dict[str, str]:
        return {key: value for key, value in self.tags if key != TAG["Key"]}

    @property
    def is_to_be_made(self) -> bool:
        """Tell whether it is only a change set."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def was_never_made(self) -> bool:
        return self.is_to_be_made or self.status in _NEVER_WHOLE

    @property
    def was_never_good(self) -> bool:
        """Tell whether only deletion is left."""
        return self.status in (*_NEVER_WHOLE, "DELETE_FAILED")

    def suits(self, wanted: Wanted) -> bool:
        return (
            self.status in _GOOD
            and all(self.parameters.get(name) == value for name, value in wanted.parameters.items())
            and self.outputs.get("Fingerprint") == wanted.template.fingerprint
            and self.tags == tuple(sorted((tag["Key"], tag["Value"]) for tag in wanted.tag_list()))
        )


@dataclass(frozen=True)
class ResourceChange:
    """One resource's change."""

    action: str  # Add, Modify, Remove
    logical_id: str
    type: str
    replacement: str = ""  # True, Conditional, False
    properties: tuple[str, ...] = ()

    @classmethod
    def of(cls, shown: Any) -> "ResourceChange":
        """Read an entry of DescribeChangeSet."""
        change = shown["ResourceChange"]
        targets = [detail["Target"] for detail in change.get("Details", [])]
        names = sorted({target.get("Name") or target["Attribute"] for target in targets})
        return cls(
            change["Action"],
            change["LogicalResourceId"],
            change["ResourceType"],
            change.get("Replacement", ""),
            tuple(names),
        )

    @property
    def loses(self) -> bool:
        """Tell whether something precious might go."""
        goes = self.action == "Remove" or self.replacement in ("True", "Conditional")
        return self.type in _PRECIOUS and goes

    @property
    def again(self) -> str:
        return {"True": ", made anew", "Conditional": ", perhaps made anew"}.get(self.replacement, "")

    def __str__(self) -> str:
        sign = {"Add": "+", "Modify": "~", "Remove": "-"}.get(self.action, "?")
        why = f": {', '.join(self.properties)}" if self.properties else ""
        return f"{sign} {self.logical_id} ({self.type}){self.again}{why}"
