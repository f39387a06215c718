"""Comparison of a model's result with the expected one. Pure: text in, the first difference out.

Numbers are equal within `TOLERANCE`, relative or absolute, since another processor may round the last digits
otherwise. Two whole numbers have to be the same: 1000000 and 1000001 are two different customers.
"""

import csv
import io
import json
import math
import re
from itertools import zip_longest
from typing import Any, Literal

TOLERANCE = 1e-6

Kind = Literal["csv", "json", "text"]

_WHOLE = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE)
_SHOWN = 80  # characters of a value that a difference quotes


def kind_of(name: str) -> Kind:
    """Choose how to compare a file of this name: .csv by cell, .json by structure, others as text."""
    lower = name.lower()
    if lower.endswith(".csv"):
        return "csv"
    return "json" if lower.endswith(".json") else "text"


def difference(expected: bytes, got: bytes, kind: Kind) -> str | None:
    """Return the first place where `got` is not `expected`, in one line; None where they are equal."""
    try:
        want = expected.decode("utf-8-sig")
        have = got.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _bytes(expected, got)
    if kind == "text":
        return _text(want, have)
    try:
        return _csv(want, have) if kind == "csv" else _json(want, have)
    except RecursionError:
        return "the two are nested too deeply to be compared"


def _bytes(expected: bytes, got: bytes) -> str | None:
    if expected == got:
        return None
    at = next((i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got)))
    return f"byte {at}: the files differ (expected {len(expected)} bytes, got {len(got)})"


def _text(expected: str, got: str) -> str | None:
    want = expected.rstrip("\r\n").split("\n")
    have = got.rstrip("\r\n").split("\n")
    for number, (a, b) in enumerate(zip(want, have, strict=False), 1):
        if a != b:
            return f"line {number}: expected {_quote(a)}, got {_quote(b)}"
    return None if len(want) == len(have) else f"expected {len(want)} lines, got {len(have)}"


def _csv(expected: str, got: str) -> str | None:
    try:
        want, have = _rows(expected), _rows(got)
    except csv.Error as error:
        return f"one of the two is no CSV: {error}"
    header = want[0] if want else []
    for number, (row, other) in enumerate(zip(want, have, strict=False), 1):
        for column, (a, b) in enumerate(zip_longest(row, other)):
            if a is None or b is None:
                return f"row {number}: expected {len(row)} columns, got {len(other)}"
            if not _cells_equal(a, b):
                name = f"{column + 1} ({header[column]})" if number > 1 and column < len(header) else str(column + 1)
                return f"row {number}, column {name}: expected {_quote(a)}, got {_quote(b)}"
    if len(want) != len(have):
        return f"expected {len(want)} rows, got {len(have)}"
    return None


def _rows(text: str) -> list[list[str]]:
    csv.field_size_limit(max(len(text), csv.field_size_limit()))  # a cell may be as long as the file
    return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]


def _cells_equal(expected: str, got: str) -> bool:
    if expected == got:
        return True
    if _WHOLE.fullmatch(expected) and _WHOLE.fullmatch(got):
        return _whole(expected) == _whole(got)
    if _NUMBER.fullmatch(expected) and _NUMBER.fullmatch(got):
        return _close(float(expected), float(got))
    return False


def _whole(text: str) -> str:
    """Return a whole number in one spelling: Python refuses to convert very long ones."""
    digits = text.lstrip("+-").lstrip("0") or "0"
    return f"-{digits}" if text.startswith("-") and digits != "0" else digits


def _close(expected: float, got: float) -> bool:
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    return math.isclose(expected, got, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _json(expected: str, got: str) -> str | None:
    try:
        want = json.loads(expected)
    except ValueError as error:
        return f"the expected result is no JSON: {error}"
    try:
        have = json.loads(got)
    except ValueError as error:
        return f"not JSON: {error}; got {_quote(got.strip())}"
    return _values("$", want, have)


def _values(path: str, want: Any, have: Any) -> str | None:
    if isinstance(want, dict) and isinstance(have, dict):
        return _objects(path, want, have)
    if isinstance(want, list) and isinstance(have, list):
        found = (_values(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(want, have, strict=False)))
        if first := next((text for text in found if text), None):
            return first
        return None if len(want) == len(have) else f"{path}: expected {len(want)} items, got {len(have)}"
    if _numbers_equal(want, have) or (type(want) is type(have) and want == have):
        return None
    return f"{path}: expected {_quote(want)}, got {_quote(have)}"


def _objects(path: str, want: dict[str, Any], have: dict[str, Any]) -> str | None:
    if missing := [key for key in want if key not in have]:
        return f"{path}: {_quote(missing[0])} is missing"
    if extra := [key for key in have if key not in want]:
        return f"{path}: {_quote(extra[0])} was not expected"
    found = (_values(f"{path}.{key}", want[key], have[key]) for key in want)
    return next((text for text in found if text), None)


def _numbers_equal(want: object, have: object) -> bool:
    # bool is an int to Python, but true is no number to JSON.
    if isinstance(want, bool) or isinstance(have, bool):
        return False
    if isinstance(want, int) and isinstance(have, int):
        return want == have
    if not (isinstance(want, int | float) and isinstance(have, int | float)):
        return False
    try:
        return _close(want, have)
    except OverflowError:  # a whole number beyond all floats is close to none
        return False


def _quote(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
