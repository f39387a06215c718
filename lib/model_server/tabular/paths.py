"""Paths into structured data: `/order/items[*]/price` (docs/mapping.md has the grammar)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from model_server import bounds

_BODY = re.compile(r"(?P<start>\d+)(?:\+(?P<step>\d+))?(?:(?P<kind>[-,])(?P<end>\d+|\*))?", re.ASCII)
_IN_BRACKETS = frozenset("0123456789+*,- ")
#: Of a text, so many characters weigh as much as a value.
_CHARACTERS_A_VALUE = 64


class Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "MISSING"


#: What a path finds where there is nothing; null is something.
MISSING: Final = Missing()


class PathError(ValueError):
    """The text is no path."""


class PlaceError(ValueError):
    """A value does not go where a path points."""


class RoomError(PlaceError):
    """A mapping needs too much room; no further rule mends that."""


class Keys:
    """Finds keys in any letter case; reads each object once."""

    def __init__(self) -> None:
        #: By the identity of an object, which is kept alive by being here.
        self._known: dict[int, tuple[dict[str, Any], dict[str, str | None]]] = {}

    def of(self, fields: dict[str, Any], name: str) -> str | None:
        """Return the key that is `name`, else the only one alike."""
        if name in fields:
            return name
        if id(fields) not in self._known:
            alike: dict[str, str | None] = {}
            for key in fields:
                folded = _folded(key)
                alike[folded] = None if folded in alike else key
            self._known[id(fields)] = (fields, alike)
        found = self._known[id(fields)][1].get(_folded(name))
        return found if found in fields else None


class Room:
    """The values that a mapping may still handle."""

    def __init__(self, wrong: str = "the record would have") -> None:
        self.left = bounds.RECORD_VALUES
        self._wrong = wrong

    def take(self, values: int) -> None:
        """Take room for `values` values, or raise RoomError."""
        self.left -= values
        if self.left < 0:
            raise RoomError(f"{self._wrong} more than {bounds.RECORD_VALUES} values")

    def take_for(self, value: Any) -> None:
        rest = [value]
        while rest:
            item = rest.pop()
            self.take(1 + len(item) // _CHARACTERS_A_VALUE if isinstance(item, str) else 1)
            if isinstance(item, dict | list):
                rest.extend(item.values() if isinstance(item, dict) else item)


@dataclass(frozen=True)
class Vector:
    """Elements of an array; `count` None: to the end."""

    start: int
    step: int
    count: int | None
    #: `[n]`: one element instead of a list of them.
    single: bool = False

    def indices(self, length: int) -> range:
        end = length if self.count is None else min(length, self.start + self.step * self.count)
        return range(self.start, end, self.step)

    def endless(self) -> Iterator[int]:
        """Yield the indices, however short the array."""
        index = self.start
        while self.count is None or index < self.start + self.step * self.count:
            yield index
            index += self.step

    def __str__(self) -> str:
        if self.single:
            return f"[{self.start}]"
        if (self.start, self.step, self.count) == (0, 1, None):
            return "[*]"
        step = f"+{self.step}" if self.step > 1 or self.count is None else ""
        return f"[{self.start}{step}{'' if self.count is None else f',{self.count}'}]"


@dataclass(frozen=True)
class Path:
    """A parsed path: names of fields, and vectors."""

    steps: tuple[str | Vector, ...]

    @property
    def name(self) -> str:
        return self.steps[0] if isinstance(self.steps[0], str) else ""

    def __str__(self) -> str:
        return "".join(f"/{step}" if isinstance(step, str) else str(step) for step in self.steps).removeprefix("/")


def parse(text: str) -> Path:
    """Read a path into nested data, or raise PathError."""
    _check_length(text)
    steps: list[str | Vector] = []
    at = 1 if text.startswith("/") else 0
    if at == len(text):
        raise PathError("the path is empty")
    for number, level in enumerate(text[at:].split("/")):
        name, bracket, rest = level.partition("[")
        if not name and (number or not bracket):
            raise PathError(f"{_quoted(text)} has no field name at character {at + 1}")
        if "]" in name:
            raise PathError(f"{_quoted(text)} has a ] without a [ at character {at + name.index(']') + 1}")
        if name:
            steps.append(name)
        steps += _vectors(text, at + len(name), bracket + rest)
        at += len(level) + 1
    return _path(text, steps)


def parse_column(text: str) -> Path:
    """Read any column name, perhaps with vectors, or raise PathError."""
    _check_length(text)
    begin, end = int(text.startswith("/")), len(text)
    while end > begin and text[end - 1] == "]":
        bracket = text.rfind("[", begin, end)
        body = text[bracket + 1 : end - 1]
        if bracket < 0 or not body or not _IN_BRACKETS.issuperset(body):
            break
        end = bracket
    if end == begin:
        raise PathError(f"{_quoted(text)} has no column name at character 1")
    return _path(text, [text[begin:end], *_vectors(text, end, text[end:])])


def select(value: Any, path: Path, keys: Keys, room: Room) -> Any:
    """Return the value or list that `path` finds, or MISSING (in a list: None).

    Names match exactly, else, if unambiguous, in any letter case and without outer spaces.
    """
    return _select(value, path.steps, keys, room)


def place(root: Any, path: Path, value: Any, room: Room) -> Any:
    """Put `value` where `path` points in `root` (None: nothing yet); return the root.

    Raises:
        PlaceError: it is taken, there is no room, or several values are needed.
    """
    return _place(root, path.steps, value, room)


def _check_length(text: str) -> None:
    if len(text) > bounds.PATH_CHARACTERS:
        raise PathError(f"{_quoted(text)} is longer than {bounds.PATH_CHARACTERS} characters")


def _path(text: str, steps: list[str | Vector]) -> Path:
    if len(steps) > bounds.PATH_STEPS:
        raise PathError(f"{_quoted(text)} has more than {bounds.PATH_STEPS} levels and vectors")
    return Path(tuple(steps))


def _folded(name: str) -> str:
    return name.strip().casefold()


def _vectors(text: str, at: int, brackets: str) -> list[Vector]:
    # `at`: the index in `text` where they begin.
    vectors: list[Vector] = []
    while brackets:
        body, closed, rest = brackets[1:].partition("]")
        if not brackets.startswith("[") or not closed:
            wrong = "a [ that is not closed" if brackets.startswith("[") else "text behind a ]"
            raise PathError(f"{_quoted(text)} has {wrong} at character {at + 1}")
        vectors.append(_vector(text, at, body.replace(" ", "")))
        at += len(body) + 2
        brackets = rest
    return vectors


def _vector(text: str, at: int, body: str) -> Vector:
    if body == "*":
        return Vector(0, 1, None)
    match = _BODY.fullmatch(body)
    where = f"{_quoted(text)}, [{body[:40]}] at character {at + 1}:"
    if match is None:
        raise PathError(f"{where} a vector is one of [*] [n] [s+i] [s-e] [s+i-e] [s,c] [s+i,c]")
    if any(len(digits) > 6 or int(digits) > bounds.PATH_NUMBER for digits in re.findall(r"\d+", body)):
        raise PathError(f"{where} a number is larger than {bounds.PATH_NUMBER}")
    start, step = int(match["start"]), int(match["step"] or 1)
    if step == 0:
        raise PathError(f"{where} the step is 0")
    if match["kind"] is None:
        return Vector(start, step, None) if match["step"] else Vector(start, 1, 1, single=True)
    if match["end"] == "*":
        return Vector(start, step, None)
    number = int(match["end"])
    if match["kind"] == ",":
        if number == 0:
            raise PathError(f"{where} the count is 0")
        return Vector(start, step, number)
    if number < start:
        raise PathError(f"{where} the end is before the start")
    return Vector(start, step, (number - start) // step + 1)


def _select(value: Any, steps: tuple[str | Vector, ...], keys: Keys, room: Room) -> Any:
    for number, step in enumerate(steps):
        if isinstance(step, str):
            key = keys.of(value, step) if isinstance(value, dict) else None
            if key is None:
                return MISSING
            value = value[key]
        elif not isinstance(value, list):
            return MISSING
        elif step.single:
            if step.start >= len(value):
                return MISSING
            value = value[step.start]
        else:
            indices = step.indices(len(value))
            room.take(len(indices))
            found = [_select(value[index], steps[number + 1 :], keys, room) for index in indices]
            return [None if item is MISSING else item for item in found]
    return value


def _place(node: Any, steps: tuple[str | Vector, ...], value: Any, room: Room) -> Any:
    if not steps:
        if node is not None:
            raise PlaceError("something was put there already")
        room.take_for(value)
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        fields = _expect(dict, node)
        room.take(0 if step in fields else 1)
        fields[step] = _place(fields.get(step), rest, value, room)
        return fields
    items = _expect(list, node)
    if step.single:
        _put(items, step.start, rest, value, room)
    elif not isinstance(value, list):
        raise PlaceError(f"{step} needs several values, the source gives one")
    else:
        for index, item in zip(step.endless(), value, strict=False):
            _put(items, index, rest, item, room)
    return items


def _put(items: list[Any], index: int, rest: tuple[str | Vector, ...], value: Any, room: Room) -> None:
    if index > bounds.PATH_NUMBER:
        raise PlaceError(f"an index would be larger than {bounds.PATH_NUMBER}")
    more = max(0, index + 1 - len(items))
    room.take(more)
    items.extend([None] * more)
    items[index] = _place(items[index], rest, value, room)


def _expect(kind: type, node: Any) -> Any:
    if node is None:
        return kind()
    if not isinstance(node, kind):
        raise PlaceError(f"an {'object' if kind is dict else 'array'} is needed where something else was put")
    return node


def _quoted(text: str) -> str:
    return f"path {text[:80]!r}{' …' if len(text) > 80 else ''}"
