"""A connection that changes nothing, for plans.

A request leaves this process only if its operation is a known read, or asks CloudFormation for a plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.model import TO_COME, Change

#: CloudFormation itself says what it would do to a stack that is there, and nothing of that is done.
_PLANS = ("CreateChangeSet", "DeleteChangeSet")
_READS = ("Describe", "List", "Get", "BatchGet", "Simulate")


@dataclass(frozen=True)
class Rehearsal:
    """A plan; `calls` are `service:Operation`."""

    aws: Aws
    calls: list[str] = field(default_factory=list)

    @property
    def changes(self) -> list[Change]:
        return self.aws.changes


def is_read(operation: str) -> bool:
    """Tell whether it is a known read."""
    return operation.startswith(_READS)


def rehearse(aws: Aws) -> Rehearsal:
    """Return `aws` with clients that only read."""
    rehearsal = Rehearsal(aws.apart(only_asks=True))
    to_be_made: set[tuple[str, str, str]] = set()  # service, kind of name ("cluster"), name

    def remember(params: Any, context: dict[str, Any], **_: Any) -> None:
        context["rehearsed"] = params

    def answer(model: OperationModel, context: dict[str, Any], **_: Any) -> Any:
        given, service = context.get("rehearsed", {}), model.service_model.service_name
        if service == "cloudformation" and model.name in _PLANS:
            return None
        if not is_read(model.name):
            rehearsal.calls.append(f"{service}:{model.name}")
            if model.name.startswith("Create"):
                named = ((key.lower(), value) for key, value in given.items())
                to_be_made.update(
                    (service, key.removesuffix("name"), value) for key, value in named if key.endswith("name")
                )
            return _ok(_made(model, given))
        # AWS cannot be asked about what is not there yet.
        unknown = any(text == TO_COME or _is_one_of(to_be_made, service, key, text) for key, text in _texts(given))
        return _ok(_nothing(model.output_shape)) if unknown else None

    rehearsal.aws.listen("before-parameter-build", remember)
    rehearsal.aws.listen("before-call", answer)
    return rehearsal


def _ok(parsed: Any) -> tuple[AWSResponse, Any]:
    return AWSResponse("", 200, HTTPHeaders(), None), {**parsed, "ResponseMetadata": {"HTTPStatusCode": 200}}


def _made(model: OperationModel, given: Any) -> Any:
    # What was given, and placeholders for what only AWS can know.
    made = _echo(model.output_shape, given)
    if model.name in ("CreateService", "UpdateService"):
        made["service"]["deployments"] = [
            {"id": TO_COME, "status": "PRIMARY", "taskDefinition": given.get("taskDefinition", TO_COME)}
        ]
    return made


def _echo(shape: Shape | None, given: Any) -> Any:
    # What was given may belong into the one structure of an answer: {"role": {...}}, {"Listeners": [{...}]}.
    members = shape.members if isinstance(shape, StructureShape) else {}
    return {name: _member(member, given.get(name), given) for name, member in members.items()}


def _member(shape: Shape, same: Any, given: Any) -> Any:
    if isinstance(shape, StructureShape):
        return {key: given.get(key, _leaf(inner)) for key, inner in shape.members.items()}
    if same is None and isinstance(shape, ListShape) and isinstance(shape.member, StructureShape):
        return [_member(shape.member, None, given)]
    return _leaf(shape) if same is None else same


def _nothing(shape: Shape | None) -> Any:
    # A missing thing: no page token, empty lists.
    members = shape.members if isinstance(shape, StructureShape) else {}
    return {name: _leaf(member) for name, member in members.items() if not _is_text(member)}


def _leaf(shape: Shape | None) -> Any:
    if isinstance(shape, ListShape):
        return []
    if isinstance(shape, StructureShape | MapShape) or shape is None:
        return {}
    if _is_text(shape):
        return TO_COME
    return datetime.now(UTC) if shape.type_name == "timestamp" else 0


def _is_text(shape: Shape) -> bool:
    return shape.type_name in ("string", "character", "blob")


def _is_one_of(to_be_made: set[tuple[str, str, str]], service: str, key: str, text: str) -> bool:
    # `clusters` names a cluster; a family of the same name is another thing.
    return any((service, text) == (where, name) and key.startswith(kind) for where, kind, name in to_be_made)


def _texts(given: Any, key: str = "") -> Iterator[tuple[str, str]]:
    # Each text comes with its member's name, in lower case.
    if isinstance(given, dict):
        for name, value in given.items():
            yield from _texts(value, name.lower())
    elif isinstance(given, list | tuple):
        for value in given:
            yield from _texts(value, key)
    elif isinstance(given, str):
        yield key, given
