"""Computes the conditions under which a lock's packages are installed."""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from model_dockerize.program.formats.folder import UnusableError

Key = TypeVar("Key", bound=Hashable)
#: Alternatives, each of which is a set of comparisons that must all hold.
Condition = frozenset[frozenset[str]]
ALWAYS: Condition = frozenset({frozenset()})
NEVER: Condition = frozenset()

_VALUE = r"""(?:"[^"]*"|'[^']*'|[\w.]+)"""
_TOKEN = re.compile(rf"\(|\)|{_VALUE}\s+(?:not in|in|[<>=!~]+)\s+{_VALUE}|and|or")
_EXTRA = re.compile(r"""extra (==|!=) (["'])(.*)\2""")
_LARGEST = 64  # alternatives of one package; real locks have a handful


def condition(marker: str, file: str, extras: Iterable[str] = ()) -> Condition:
    """Read a marker, with the extras answered."""
    if not marker.strip():
        return ALWAYS
    try:
        text = str(Marker(marker))
    except InvalidMarker as error:
        raise UnusableError(f"{file}: {marker!r} is no marker.") from error
    return _any(iter(_TOKEN.findall(text)), frozenset(map(canonicalize_name, extras)), file)


def either(one: Condition, other: Condition, file: str) -> Condition:
    return _shortest(one | other, file)


def marker_of(alternatives: Condition) -> str:
    """Write a condition as a marker; empty: always."""
    if alternatives >= ALWAYS:
        return ""
    clauses = sorted(" and ".join(sorted(alternative)) for alternative in alternatives)
    return " or ".join(f"({clause})" if len(clauses) > 1 and " and " in clause else clause for clause in clauses)


def follow(
    roots: Iterable[tuple[Key, Condition]], needs: Callable[[Key], Iterable[tuple[Key, Condition]]], file: str
) -> dict[Key, Condition]:
    """Return the condition of every package reached from `roots`."""
    found: dict[Key, Condition] = {}
    waiting = list(roots)
    while waiting:
        key, arriving = waiting.pop()
        known = found.get(key, NEVER)
        merged = _shortest(known | arriving, file)
        if merged != known:
            found[key] = merged
            waiting += [(needed, _both(merged, when, file)) for needed, when in needs(key)]
    return found


def _any(words: Iterator[str], extras: frozenset[str], file: str) -> Condition:
    # `and` binds tighter than `or`.
    result, term = NEVER, ALWAYS
    for word in words:
        if word == ")":
            break
        if word == "or":
            result, term = _shortest(result | term, file), ALWAYS
        elif word != "and":
            factor = _any(words, extras, file) if word == "(" else _one(word, extras)
            term = _both(term, factor, file)
    return _shortest(result | term, file)


def _one(comparison: str, extras: frozenset[str]) -> Condition:
    match = _EXTRA.fullmatch(comparison)
    if match is None:
        return frozenset({frozenset({comparison})})
    return ALWAYS if (canonicalize_name(match[3]) in extras) == (match[1] == "==") else NEVER


def _both(one: Condition, other: Condition, file: str) -> Condition:
    return _shortest(frozenset(left | right for left in one for right in other), file)


def _shortest(alternatives: Condition, file: str) -> Condition:
    if len(alternatives) > _LARGEST**2:
        raise UnusableError(f"{file}: its markers combine in too many ways.")
    kept = frozenset(one for one in alternatives if not any(other < one for other in alternatives))
    if len(kept) > _LARGEST:
        raise UnusableError(f"{file}: its markers combine in more than {_LARGEST} ways.")
    return kept
