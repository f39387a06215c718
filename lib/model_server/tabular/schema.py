"""The schema of structured data: fields and types."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from model_server.tabular import paths
from model_server.tabular.paths import MISSING, Keys, Path, PathError, Vector

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,400}", re.ASCII)
_TRUTHS: Final = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
#: Beside ISO 8601. The text itself stays as it was written.
_DATE_FORMATS = ("%Y/%m/%d", "%m/%d/%Y", "%d.%m.%Y")
_KEYS = {"path", "datatype", "optional"}


class DataType(StrEnum):
    """The type of a field."""

    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


class TypeProblem(ValueError):  # noqa: N818 - not an error of ours: the text is part of a sentence about data
    """A value lacks its field's type."""


@dataclass(frozen=True)
class Field:
    """An entry of a schema."""

    path: Path
    type: DataType
    optional: bool


def parse_fields(entries: object, is_table: bool) -> tuple[Field, ...]:
    """Read a list of `{"Path","DataType","Optional"}`, in any letter case.

    Args:
        is_table: paths are column names, with any characters.

    Raises:
        ValueError: with every problem.
    """
    if not isinstance(entries, list):
        raise ValueError("must be a list of entries with Path, DataType, Optional")  # noqa: TRY004 - told with the others
    problems: list[str] = []
    fields: list[Field] = []
    for number, entry in enumerate(entries, start=1):
        try:
            fields.append(_field(entry, is_table))
        except ValueError as error:
            problems.append(f"entry {number}: {error}")
    names = [str(field.path) for field in fields]
    problems += [f"{name!r} is there twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(fields)


def document(fields: Sequence[Field]) -> list[dict[str, Any]]:
    """Return the fields as `parse_fields` reads them."""
    return [{"Path": str(field.path), "DataType": field.type.value, "Optional": field.optional} for field in fields]


def coerce(value: Any, kind: DataType) -> Any:
    """Convert a value to a type, or raise TypeProblem."""
    return _COERCIONS[kind](value)


class Fitter:
    """Fits records to a schema: its fields first, absent ones null."""

    def __init__(self, fields: Sequence[Field], *, as_text: bool) -> None:
        # `as_text`: texts stay as they were written (the model reads CSV).
        #: With the column's name, where the path is no more than that.
        self._fields = tuple((field, field.path.name if len(field.path.steps) == 1 else "") for field in fields)
        self._as_text = as_text
        self._names = tuple(name for name in dict.fromkeys(field.path.name for field in fields) if name)

    def __call__(self, record: Any, complain: Callable[[str], None]) -> Any:
        keys = Keys()
        if isinstance(record, dict):
            record = self._ordered(record, keys)
        for field, name in self._fields:
            if name and isinstance(record, dict):
                record[name] = _leaf(record.get(name), field, self._as_text, complain)
            else:
                record = _fit(record, field.path.steps, field, self._as_text, complain, keys)
        return record

    def _ordered(self, record: dict[str, Any], keys: Keys) -> dict[str, Any]:
        # The schema's spelling counts; absent fields are null.
        found = {name: keys.of(record, name) for name in self._names}
        ordered = {name: None if key is None else record[key] for name, key in found.items()}
        taken = set(found.values())
        ordered.update((key, value) for key, value in record.items() if key not in taken)
        return ordered


def _fit(
    node: Any, steps: tuple[str | Vector, ...], field: Field, as_text: bool, complain: Callable[[str], None], keys: Keys
) -> Any:
    # Everything that `steps` lead to is made to fit.
    if not steps:
        return _leaf(node, field, as_text, complain)
    step, rest = steps[0], steps[1:]
    if node is None or node is MISSING:
        if not field.optional:
            complain(f"{field.path} is missing")
            return None
        return {step: _fit(None, rest, field, as_text, complain, keys)} if isinstance(step, str) else None
    if isinstance(step, str) and isinstance(node, dict):
        key = keys.of(node, step)
        value = _fit(MISSING if key is None else node[key], rest, field, as_text, complain, keys)
        if key is not None and key != step:
            del node[key]
        node[step] = value
    elif isinstance(step, Vector) and isinstance(node, list):
        if step.single and step.start >= len(node) and not field.optional:
            complain(f"{field.path} is missing")
        for index in step.indices(len(node)):
            node[index] = _fit(node[index], rest, field, as_text, complain, keys)
    else:
        wanted = "an object" if isinstance(step, str) else "an array"
        complain(f"{field.path}: {wanted} is needed, {_shown(node)} is there")
    return node


def _leaf(value: Any, field: Field, as_text: bool, complain: Callable[[str], None]) -> Any:
    if value is None or value is MISSING:
        if not field.optional:
            complain(f"{field.path} is missing")
        return None
    if value == "" and (field.optional or field.type is not DataType.STRING):
        if not field.optional:
            complain(f"{field.path} is empty, a {field.type} is needed")
        return None
    try:
        typed = coerce(value, field.type)
    except TypeProblem as problem:
        complain(f"{field.path}: {problem}")
        return value
    return value if as_text and isinstance(value, str) else typed


def _field(entry: object, is_table: bool) -> Field:
    if not isinstance(entry, Mapping):
        raise ValueError("must be an object with Path, DataType, Optional")  # noqa: TRY004 - told with the others
    given = {str(key).lower().replace("_", ""): value for key, value in entry.items()}
    problems = [f"unknown key {key!r}" for key in given if key not in _KEYS]
    path, kind = given.get("path"), str(given.get("datatype", "")).lower()
    optional = given.get("optional", False)
    parsed: Path | None = None
    try:
        parsed = (paths.parse_column if is_table else paths.parse)(path) if isinstance(path, str) else None
        if parsed is None:
            problems.append("Path must be a text")
    except PathError as error:
        problems.append(str(error))
    if kind not in list(DataType):
        problems.append(f"DataType must be one of {', '.join(DataType)}")
    if optional is None:
        optional = False
    if not isinstance(optional, bool):
        problems.append("Optional must be true or false")
    if problems or parsed is None:
        raise ValueError(", ".join(problems))
    return Field(parsed, DataType(kind), bool(optional))


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise TypeProblem(f"a string is needed, {_shown(value)} is there")


def _number(value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    raise TypeProblem(f"a number is needed, {_shown(value)} is there")


def _date(value: Any) -> str:
    if isinstance(value, str):
        text = value.strip()
        with suppress(ValueError):
            datetime.fromisoformat(text)
            return text
        for form in _DATE_FORMATS:
            with suppress(ValueError):
                datetime.strptime(text, form)
                return text
    raise TypeProblem(f"a date like 2024-12-31 or 2024-12-31T23:59:00Z is needed, {_shown(value)} is there")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int) and str(value).strip().lower() in _TRUTHS:
        return _TRUTHS[str(value).strip().lower()]
    raise TypeProblem(f"true or false is needed, {_shown(value)} is there")


_COERCIONS: Final[Mapping[DataType, Callable[[Any], Any]]] = {
    DataType.STRING: _string,
    DataType.NUMBER: _number,
    DataType.DATE: _date,
    DataType.BOOLEAN: _boolean,
}


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if value is None:
        return "null"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]} …"
