"""Limits in botocore's models that botocore does not check: length, number, range, pattern, enumeration."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import regex
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

#: Java counts what lies beyond U+FFFF as two halves, and so do the patterns of some models.
_HALVES = (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")


def refusals(operation: OperationModel, parameters: Any) -> Iterator[str]:
    """Yield what is wrong with a request, each with its place."""
    if operation.input_shape is not None:
        yield from _wrong(operation.input_shape, parameters, "")


def _wrong(shape: Shape, value: Any, place: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _wrong(member, value[name], f"{place}.{name}")
        return
    yield from (f"{place.lstrip('.')}: {said}" for said in _limits(shape, value))
    if isinstance(shape, ListShape):
        for number, each in enumerate(value):
            yield from _wrong(shape.member, each, f"{place}.{number}")
    elif isinstance(shape, MapShape):
        for key, each in value.items():
            yield from _wrong(shape.key, key, f"{place}.{key}")
            yield from _wrong(shape.value, each, f"{place}.{key}")


def _limits(shape: Shape, value: Any) -> Iterator[str]:
    said = shape.metadata
    size = len(value) if hasattr(value, "__len__") else value
    if isinstance(size, int | float):
        if "min" in said and size < float(said["min"]):
            yield f"{size} is less than {said['min']}"
        if "max" in said and size > float(said["max"]):
            yield f"{size} is more than {said['max']}"
    if isinstance(value, str):
        if "enum" in said and value not in said["enum"]:
            yield f"{value!r} is none of {', '.join(said['enum'])}"
        if "pattern" in said and not _pattern(said["pattern"]).fullmatch(value):
            yield f"{value!r} does not match {said['pattern']}"


@cache
def _pattern(text: str) -> Any:
    return regex.compile(text.replace(*_HALVES))
