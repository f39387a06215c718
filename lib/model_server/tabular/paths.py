"""Paths into structured data: `/order/items[*]/price`. The grammar is written down in docs/mapping.md.

A path is levels between slashes, each a field's name and any number of vectors in brackets: which elements of an array.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

#: No number in a path may be larger: a destination's array is filled up to its index.
LARGEST_NUMBER = 100_000

_BODY = re.compile(r"(?P<start>\d+)(?:\+(?P<step>\d+))?(?:(?P<kind>[-,])(?P<end>\d+|\*))?", re.ASCII)
_COLUMN = re.compile(r"/?(?P<name>.*?)(?P<vectors>(?:\[[0-9+*,\- ]+\])*)", re.DOTALL)


class Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "MISSING"


#: What a path finds where there is nothing; null is something.
MISSING: Final = Missing()


class PathError(ValueError):
    """The text is no path; says what is wrong and at which character."""


class PlaceError(ValueError):
    """A value does not go where a path points; says why."""


@dataclass(frozen=True)
class Vector:
    """Elements of an array: from `start` in steps of `step`, `count` of them (None: to the array's end)."""

    start: int
    step: int
    count: int | None
    #: `[n]`: one element instead of a list of them.
    single: bool = False

    def indices(self, length: int) -> range:
        """The indices that an array of `length` elements has."""
        end = length if self.count is None else min(length, self.start + self.step * self.count)
        return range(self.start, end, self.step)

    def endless(self) -> Iterator[int]:
        """The indices, whatever the array's length."""
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
        """The first field's name; "" if the path begins with a vector."""
        return self.steps[0] if isinstance(self.steps[0], str) else ""

    def __str__(self) -> str:
        return "".join(f"/{step}" if isinstance(step, str) else str(step) for step in self.steps).removeprefix("/")


def parse(text: str) -> Path:
    """Reads a path into nested data.

    Raises:
        PathError: with the position of what is wrong.
    """
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
    return Path(tuple(steps))


def parse_column(text: str) -> Path:
    """Reads a path into a table: a column's name, whatever characters it has, then perhaps vectors.

    Raises:
        PathError: with the position of what is wrong.
    """
    match = _COLUMN.fullmatch(text)
    if match is None or not match["name"]:
        raise PathError(f"{_quoted(text)} has no column name at character 1")
    return Path((match["name"], *_vectors(text, match.start("vectors"), match["vectors"])))


def select(value: Any, path: Path) -> Any:
    """What `path` finds in `value`: one value, or a list for each vector that names several elements.

    A field's name counts in its exact spelling, else in any letter case if that is unambiguous.

    Returns:
        MISSING if there is nothing; what a list lacks inside is None.
    """
    return _select(value, path.steps)


def place(root: Any, path: Path, value: Any) -> Any:
    """Puts `value` where `path` points in `root` (None: nothing yet), making objects and arrays on the way.

    Returns:
        the root; gaps of arrays are None.

    Raises:
        PlaceError: something else is in the way, or `value` is one where several are needed.
    """
    return _place(root, path.steps, value)


def key_of(fields: dict[str, Any], name: str) -> str | None:
    """The key of `fields` that is meant by `name`."""
    if name in fields:
        return name
    folded = name.casefold()
    found = [key for key in fields if key.casefold() == folded]
    return found[0] if len(found) == 1 else None


def _vectors(text: str, at: int, brackets: str) -> list[Vector]:
    """The vectors of one level, which begin at index `at` of `text`."""
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
    if any(len(digits) > 6 or int(digits) > LARGEST_NUMBER for digits in re.findall(r"\d+", body)):
        raise PathError(f"{where} a number is larger than {LARGEST_NUMBER}")
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


def _select(value: Any, steps: tuple[str | Vector, ...]) -> Any:
    for number, step in enumerate(steps):
        if isinstance(step, str):
            key = key_of(value, step) if isinstance(value, dict) else None
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
            found = [_select(value[index], steps[number + 1 :]) for index in step.indices(len(value))]
            return [None if item is MISSING else item for item in found]
    return value


def _place(node: Any, steps: tuple[str | Vector, ...], value: Any) -> Any:
    if not steps:
        if node is not None:
            raise PlaceError("something was put there already")
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        fields = _expect(dict, node)
        fields[step] = _place(fields.get(step), rest, value)
        return fields
    items = _expect(list, node)
    if step.single:
        _put(items, step.start, rest, value)
    elif not isinstance(value, list):
        raise PlaceError(f"{step} needs several values, the source gives one")
    else:
        for index, item in zip(step.endless(), value, strict=False):
            _put(items, index, rest, item)
    return items


def _put(items: list[Any], index: int, rest: tuple[str | Vector, ...], value: Any) -> None:
    if index > LARGEST_NUMBER:
        raise PlaceError(f"an index would be larger than {LARGEST_NUMBER}")
    items.extend([None] * (index + 1 - len(items)))
    items[index] = _place(items[index], rest, value)


def _expect(kind: type, node: Any) -> Any:
    if node is None:
        return kind()
    if not isinstance(node, kind):
        raise PlaceError(f"an {'object' if kind is dict else 'array'} is needed where something else was put")
    return node


def _quoted(text: str) -> str:
    return f"path {text[:80]!r}{' …' if len(text) > 80 else ''}"
