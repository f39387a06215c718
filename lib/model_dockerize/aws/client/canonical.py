"""Compares a definition in AWS with the wanted one, only in what a caller can set.

The shape of the register call says what that is: read-only fields (ARN, revision, registeredAt, and those that AWS
invents tomorrow) are not in it. Empty values and the order of named lists mean nothing to AWS.
"""

import json
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from model_dockerize.aws.client.shown import shown


def canonical(shape: Shape | None, value: Any) -> Any:
    """Reduce `value` to what `shape` can express: no empty values, lists of structures sorted."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        members = {k: canonical(shape.members[k], v) for k, v in value.items() if k in shape.members}
        return {k: v for k, v in sorted(members.items()) if not _empty(v)}
    if isinstance(shape, ListShape):
        items = [canonical(shape.member, item) for item in value]
        return sorted(items, key=_text) if isinstance(shape.member, StructureShape) else items
    if isinstance(shape, MapShape):
        return {k: canonical(shape.value, v) for k, v in sorted(value.items())}
    return value


def differences(operation: OperationModel, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return where `found` does not mean the request `wanted` of `operation`: `cpu 256 -> 1024`.

    Tags are left out, and values that may be secret.
    """
    shape = operation.input_shape
    left, right = ({**canonical(shape, value), "tags": None} for value in (wanted, found))
    return _differing(left, right, "")


def _differing(left: Any, right: Any, at: str) -> list[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        names = sorted(left.keys() | right.keys())
        return [each for n in names for each in _differing(left.get(n), right.get(n), f"{at}.{n}" if at else n)]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return [each for i, pair in pairs for each in _differing(*pair, f"{at}.{i}")]
    return [] if left == right else [shown(at, right, left)]


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", 0, [], {})


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
