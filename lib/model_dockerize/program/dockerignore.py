"""Reads a .dockerignore exactly as BuildKit does (moby/patternmatcher, tonistiigi/fsutil)."""

import posixpath
import re
import warnings
from collections.abc import Callable
from functools import cached_property

from model_dockerize.program.go_match import is_refused

_SPACES = " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_SPACES += "\u2028\u2029\u202f\u205f\u3000"
# Not `{|}`: moby means to escape them and does not (a bit of its table is too far), so `a|b` has alternatives.
_ESCAPED = ".+()$"
# What Go's regular expressions make of a backslash and a letter; other letters and digits are no pattern there.
_GO_ESCAPES = {letter: f"\\{letter}" for letter in "dDsSwWbBAafnrtv"} | {"z": r"\Z"}

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_NAMED = re.compile(r"\[:([^:\]]*):\]")

#: For each pattern, whether it matched a folder or one above it.
Matched = tuple[bool, ...]


class PatternError(ValueError):
    """Say which pattern Docker refuses."""


def patterns_of(text: str) -> tuple[str, ...]:
    """List a .dockerignore's patterns as Docker compares them."""
    patterns = []
    for line in text.removeprefix("\ufeff").split("\n"):
        pattern = line.removesuffix("\r")
        if pattern.startswith("#"):
            continue
        pattern = pattern.strip(_SPACES)
        if not pattern:
            continue
        mark = "!" if pattern[0] == "!" else ""
        pattern = pattern[len(mark) :].strip(_SPACES) if mark else pattern
        if pattern:
            pattern = _cleaned(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern[0] == "/" else pattern
        patterns.append(mark + pattern)
    return tuple(patterns)


class DockerIgnore:
    """Paths that stay out; the last matching pattern wins.

    Raises:
        PatternError: Docker refuses a pattern.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = [_Pattern(_cleaned(pattern)) for pattern in patterns]

    @property
    def takes_back(self) -> bool:
        """Tell whether a pattern re-includes paths."""
        return any(pattern.takes_back for pattern in self._patterns)

    def look(self, path: str, above: Matched = ()) -> tuple[bool, Matched]:
        """Tell whether `path` stays out; return `above` for paths below it (empty at the top)."""
        ignored = False
        matched = []
        for place, pattern in enumerate(self._patterns):
            # A pattern that cannot change the outcome is not tried, and then counts as one that did not match, also
            # for what lies below: this is why `data/*` and `!data` leave the content of data out.
            matches = bool(above) and above[place]
            if not matches and pattern.takes_back == ignored:
                matches = pattern.matches(path)
            matched.append(matches)
            if matches:
                ignored = not pattern.takes_back
        return ignored, tuple(matched)

    def ignores(self, path: str) -> bool:
        ignored, above = False, Matched()
        for parent in _with_parents(path):
            ignored, above = self.look(parent, above)
        return ignored

    def names(self, path: str) -> bool:
        """Tell whether the last pattern about `path` takes exactly it back in."""
        about = (one for one in reversed(self._patterns) if any(map(one.matches, _with_parents(path))))
        last = next(about, None)
        return last is not None and last.takes_back and last.matches(path)


class _Pattern:
    def __init__(self, text: str) -> None:
        self.takes_back = text.startswith("!")
        self._text = text[1:] if self.takes_back else text
        if not self._text:
            raise PatternError("a lone '!'")
        if is_refused(self._text):
            raise PatternError(repr(self._text))

    def matches(self, path: str) -> bool:
        # Docker, too, finds a bad pattern only when it tries it.
        return self._compared(path)

    @cached_property
    def _compared(self) -> Callable[[str], bool]:
        text = self._text
        kind, expression = _compiled(text)
        if kind == "exact":
            return lambda path: path == text
        if kind == "prefix":
            return lambda path: path.startswith(text[:-2])
        if kind == "suffix":
            return lambda path: path.endswith(text[2:]) or path == text[2:].removeprefix("/")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of `[[`, which may mean something else one day
                compiled = re.compile(f"^{_without_names(expression)}\\Z", re.ASCII)
        except re.error as error:
            raise PatternError(repr(text)) from error
        return lambda path: compiled.search(path) is not None


def _with_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _cleaned(path: str) -> str:
    """Follow Go's filepath.Clean."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _compiled(pattern: str) -> tuple[str, str]:
    """Follow moby."""
    kind, expression = "exact", ""
    place = 0
    first = True
    while place < len(pattern):
        char = pattern[place]
        place += 1
        if char == "*" and pattern[place : place + 1] == "*":
            place += 1
            if pattern[place : place + 1] == "/":
                place += 1
            if place < len(pattern):
                expression, kind = f"{expression}(.*/)?", "regexp"
            elif kind == "exact":
                kind = "prefix"
            else:
                expression, kind = f"{expression}.*", "regexp"
            if first:
                kind = "suffix"
        elif char in "*?":
            expression, kind = f"{expression}[^/]{'*' if char == '*' else ''}", "regexp"
        elif char in _ESCAPED:
            expression += f"\\{char}"
        elif char == "\\" and place < len(pattern):
            expression, kind = expression + _escape(pattern, pattern[place]), "regexp"
            place += 1
        else:
            expression += char
            kind = "regexp" if char in "[]" else kind
        first = False
    return kind, expression


def _without_names(expression: str) -> str:
    """Expand Go's named classes, such as `[[:alpha:]]`."""
    written = ""
    place = 0
    in_class = False
    while place < len(expression):
        named = _NAMED.match(expression, place) if in_class else None
        if named:
            if named[1] not in _CLASSES:
                raise PatternError(repr(named[0]))
            written += _CLASSES[named[1]]
            place = named.end()
            continue
        size = 2 if expression[place] == "\\" else 1
        if expression[place] == "[" and not in_class:
            in_class = True
            size += expression[place + 1 : place + 2] == "^"
            size += expression[place + size : place + size + 1] == "]"  # a first one is meant literally
        elif expression[place] == "]":
            in_class = False
        written += expression[place : place + size]
        place += size
    return written


def _escape(pattern: str, char: str) -> str:
    if char.isascii() and not char.isalnum():
        return f"\\{char}"
    if char not in _GO_ESCAPES:
        raise PatternError(f"{pattern!r}")
    return _GO_ESCAPES[char]
