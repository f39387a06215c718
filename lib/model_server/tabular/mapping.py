"""Mappings from submitted fields to the model's (docs/mapping.md)."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from model_server import bounds
from model_server.tabular import paths
from model_server.tabular.paths import MISSING, Keys, Path, PathError, PlaceError, Room, RoomError
from model_server.tabular.problems import DataError, Problems
from model_server.tabular.schema import Field, TypeProblem, coerce

_KEYS = ("source", "destination", "defaultvalue")


@dataclass(frozen=True)
class Rule:
    """An entry of a mapping."""

    #: None: the default is always used.
    source: Path | None
    destination: Path
    #: Used when the source is absent, null or empty; None: there is no default.
    default: str | int | float | bool | None


def parse(
    text: str, *, source_is_table: bool, destination_is_table: bool, fields: Sequence[Field] = ()
) -> tuple[Rule, ...]:
    """Read a mapping's JSON, or raise DataError.

    Args:
        fields: the destination's schema; gives defaults their type.
    """
    try:
        entries = json.loads(text)
    except RecursionError:
        raise DataError("the text is nested too deeply") from None
    except ValueError as error:
        raise DataError(f"the text is not JSON: {error}") from None
    if not isinstance(entries, list):
        raise DataError("a mapping is a JSON array of objects with source, destination and perhaps defaultValue")
    if not entries:
        raise DataError("the mapping is empty; leave the field empty to use none")
    if len(entries) > bounds.RULES:
        raise DataError(f"the mapping has {len(entries)} entries; {bounds.RULES} are possible")
    problems = Problems()
    types = {str(field.path): field for field in fields}
    read_source = paths.parse_column if source_is_table else paths.parse
    read_destination = paths.parse_column if destination_is_table else paths.parse
    rules: list[Rule] = []
    taken: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        try:
            rule = _rule(entry, read_source, read_destination, types)
        except DataError as error:
            for problem in error.problems:
                problems.add(f"entry {number}: {problem}")
            continue
        if str(rule.destination) in taken:
            problems.add(f"entry {number}: destination {str(rule.destination)!r} is there twice")
        taken.add(str(rule.destination))
        rules.append(rule)
    problems.raise_if_any()
    return tuple(rules)


def apply(record: Any, rules: Sequence[Rule], names: Sequence[str], complain: Callable[[str], None]) -> Any:
    """Apply `rules` to `record`; `complain` gets every problem.

    Args:
        names: model fields, kept by name where no rule makes them.
    """
    made: Any = None
    keys, read, room = Keys(), Room("the mapping reads"), Room()
    for rule in rules:
        try:
            value = MISSING if rule.source is None else paths.select(record, rule.source, keys, read)
        except RoomError as error:
            complain(f"{rule.source}: {error}")
            break
        if rule.default is not None and (value is MISSING or value is None or value == ""):
            value = rule.default
        if value is MISSING or value is None:
            if any(isinstance(step, paths.Vector) and not step.single for step in rule.destination.steps):
                continue  # no values for several places
            value = None
        try:
            made = paths.place(made, rule.destination, value, room)
        except PlaceError as error:
            complain(f"{rule.source} to {rule.destination}: {error}")
            if isinstance(error, RoomError):
                break
    for name in names:
        if isinstance(record, dict) and isinstance(made, dict) and name and name not in made:
            key = keys.of(record, name)
            if key is not None:
                made[name] = record[key]
    return {} if made is None else made


def by_position(rules: Sequence[Rule], sources: Sequence[str], destinations: Sequence[str]) -> tuple[Rule, ...]:
    """Turn 1-based column numbers into names, if known."""
    return tuple(
        Rule(
            None if rule.source is None else _named(rule.source, sources),
            _named(rule.destination, destinations),
            rule.default,
        )
        for rule in rules
    )


def _named(path: Path, names: Sequence[str]) -> Path:
    name = path.name
    if name in names or not (name.isascii() and name.isdecimal() and len(name) < 10 and 1 <= int(name) <= len(names)):
        return path
    return Path((names[int(name) - 1], *path.steps[1:]))


def _rule(
    entry: object,
    read_source: Callable[[str], Path],
    read_destination: Callable[[str], Path],
    types: dict[str, Field],
) -> Rule:
    if not isinstance(entry, dict):
        raise DataError("must be an object with source, destination and perhaps defaultValue")
    given = {key.lower(): value for key, value in entry.items()}
    problems = [f"unknown key {key[:40]!r}" for key in given if key not in _KEYS]
    source = _path("source", given.get("source"), read_source, problems)
    destination = _path("destination", given.get("destination"), read_destination, problems)
    default = given.get("defaultvalue")
    if isinstance(default, dict | list) or default != default:  # noqa: PLR0124 - NaN
        problems.append("defaultValue must be a string, a number or a boolean")
        default = None
    if destination is None and "destination" not in " ".join(problems):
        problems.append("destination is missing")
    field = types.get(str(destination))
    if default is not None and field is not None:
        try:
            default = coerce(default, field.type)
        except TypeProblem as problem:
            problems.append(f"defaultValue of {destination}: {problem}")
    if source is None and default is None and not (field is not None and field.optional) and not problems:
        problems.append(f"destination {str(destination)!r} needs a source or a defaultValue")
    if problems or destination is None:
        raise DataError(*problems)
    return Rule(source, destination, default)


def _path(key: str, text: object, read: Callable[[str], Path], problems: list[str]) -> Path | None:
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        problems.append(f"{key} must be a text")
        return None
    try:
        return read(text)
    except PathError as error:
        problems.append(f"{key}: {error}")
        return None
