"""Follows the dependencies in a lock, and says of each package under which conditions it is installed."""

import re
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from packaging.markers import InvalidMarker, Marker

from model_dockerize.program.formats.folder import UnusableError

Key = TypeVar("Key", bound=Hashable)

# What is true, and false, of every Python: a marker has no constants.
_ALWAYS = 'python_version >= "2"'
_NEVER = 'python_version < "2"'
_EXTRA = re.compile(r"""extra\s*(==|!=)\s*(["'])(.*?)\2""")
_LARGEST = 64  # alternatives of one package; real locks have a handful


def follow(
    roots: Iterable[tuple[Key, str]], needs: Callable[[Key], Iterable[tuple[Key, str]]], file: str
) -> dict[Key, str]:
    """Return the marker of every package that is reached from `roots`; empty: it is always installed.

    Args:
        roots: what is asked for, each with its marker.
        needs: the dependencies of a package, each with its marker.
        file: the lock, for messages.
    Raises:
        UnusableError: a marker is none, or they combine in too many ways.
    """
    # A condition is a set of alternatives, and an alternative a set of markers that must all hold.
    found: dict[Key, frozenset[frozenset[str]]] = {}
    waiting = [(key, frozenset({_clause(marker, file)})) for key, marker in roots if _clause(marker, file) != {_NEVER}]
    while waiting:
        key, arriving = waiting.pop()
        known = found.get(key, frozenset())
        merged = _shortest(known | arriving)
        if merged == known:
            continue
        if len(merged) > _LARGEST:
            raise UnusableError(f"{file}: its markers combine in more than {_LARGEST} ways.")
        found[key] = merged
        for needed, marker in needs(key):
            clause = _clause(marker, file)
            if clause != {_NEVER}:
                waiting.append((needed, frozenset(alternative | clause for alternative in merged)))
    return {key: _text(alternatives) for key, alternatives in found.items()}


def without_extras(marker: str, chosen: frozenset[str] = frozenset()) -> str:
    """Replace questions about extras by their answers, and return the marker as packaging writes it.

    Raises:
        InvalidMarker: it is none.
    """

    def answer(match: re.Match[str]) -> str:
        return _ALWAYS if (match[3] in chosen) == (match[1] == "==") else _NEVER

    text = str(Marker(_EXTRA.sub(answer, marker))) if marker.strip() else ""
    return "" if text == _ALWAYS else text


def is_never(marker: str) -> bool:
    """Tell whether `without_extras` left a marker that no Python satisfies."""
    return bool(marker) and _NEVER in marker.split(" and ") and " or " not in marker


def _clause(marker: str, file: str) -> frozenset[str]:
    try:
        text = without_extras(marker)
    except InvalidMarker as error:
        raise UnusableError(f"{file}: {marker!r} is no marker.") from error
    if is_never(text):
        return frozenset({_NEVER})
    return frozenset({text}) if text else frozenset()


def _shortest(alternatives: frozenset[frozenset[str]]) -> frozenset[frozenset[str]]:
    """Drop each alternative that asks for more than another one does."""
    return frozenset(one for one in alternatives if not any(other < one for other in alternatives))


def _text(alternatives: frozenset[frozenset[str]]) -> str:
    clauses = sorted(sorted(alternative) for alternative in alternatives)
    if [] in clauses:
        return ""
    parts = [" and ".join(f"({marker})" if len(clause) > 1 else marker for marker in clause) for clause in clauses]
    return " or ".join(f"({part})" for part in parts) if len(parts) > 1 else parts[0]
