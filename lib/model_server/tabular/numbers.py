"""Exact numbers in the texts of a CSV."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

#: As JSON writes them: `007` and `+5` are codes, not numbers, and stay texts.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,40})(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
#: What programs write for a value that is none. JSON has no word for it but null.
_NONE = frozenset({"nan", "inf", "-inf", "+inf", "infinity", "-infinity", "+infinity"})
#: Beyond it a reader of JSON that has only floats would change a digit (RFC 7493, 2.2).
_LARGEST_WHOLE = 2**53 - 1
#: Any decimal of so many digits survives a float.
_SAFE_CHARACTERS = 15


class NotExactError(ValueError):
    """A text is no number, or one that a float would change."""


def exact(text: str) -> int | float | None:
    """Return the number, or None for empty, NaN and Infinity; else raise NotExactError."""
    text = text.strip(" ")
    if not text or text.lower() in _NONE:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise NotExactError
    if text.lstrip("-").isdecimal():
        whole = int(text)
        if abs(whole) > _LARGEST_WHOLE:
            raise NotExactError
        return whole
    number = float(text)
    is_short = len(text) <= _SAFE_CHARACTERS and "e" not in text and "E" not in text
    if not is_short and (number in (float("inf"), float("-inf")) or Decimal(repr(number)) != Decimal(text)):
        raise NotExactError
    return number


def columns_of(records: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return columns with a number whose texts all pass `exact`."""
    found: set[str] = set()
    texts: set[str] = set()
    for record in records:
        for name, value in record.items():
            if name in texts:
                continue
            try:
                numbers = [exact(item) for item in (value if isinstance(value, list) else (value,))]
            except NotExactError:
                texts.add(name)
                continue
            if any(number is not None for number in numbers):
                found.add(name)
    return frozenset(found - texts)


def typed(record: dict[str, Any], columns: frozenset[str]) -> dict[str, Any]:
    for name in columns:
        value = record.get(name)
        if isinstance(value, list):
            record[name] = [exact(item) for item in value]
        elif value is not None:
            record[name] = exact(value)
    return record
