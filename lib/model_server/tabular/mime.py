"""MIME types and forms of structured data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_WORD = r"[A-Za-z0-9!#$&^_.+*-]+"
_SYNTAX = re.compile(rf"\s*({_WORD}/{_WORD})\s*((?:;\s*{_WORD}=(?:{_WORD}|\"[^\"]*\")\s*)*);?\s*", re.ASCII)
_PARAMETER = re.compile(rf";\s*({_WORD})=(?:({_WORD})|\"([^\"]*)\")")
_ANY = ("*/*", "application/octet-stream")


class Form(StrEnum):
    """Structured forms that convert into each other."""

    CSV = "text/csv; header=present"
    BARE_CSV = "text/csv; header=absent"
    JSON = "application/json"

    @property
    def is_table(self) -> bool:
        return self is not Form.JSON


@dataclass(frozen=True)
class MimeType:
    """A type: `essence` ("text/csv") and header parameter, in lower case."""

    essence: str
    #: "present", "absent" or None (not said); other values are kept as they are.
    header: str | None

    @property
    def is_csv(self) -> bool:
        return self.essence in ("text/csv", "application/csv")

    @property
    def is_json(self) -> bool:
        return self.essence in ("application/json", "text/json")


def parse(text: str) -> MimeType | None:
    return _parse(text) if len(text) <= 255 else None  # clients send it: what is kept must be short


@lru_cache(256)
def _parse(text: str) -> MimeType | None:
    match = _SYNTAX.fullmatch(text)
    if match is None:
        return None
    parameters = {name.lower(): (plain or quoted).lower() for name, plain, quoted in _PARAMETER.findall(match[2])}
    return MimeType(match[1].lower(), parameters.get("header"))


def form(text: str, declared: Sequence[str] = ()) -> Form | None:
    """Return the form of structured data, or None.

    Args:
        declared: their first CSV tells of a header line if `text` does not.
    """
    parsed = parse(text)
    if parsed is None or not (parsed.is_csv or parsed.is_json):
        return None
    if parsed.is_json:
        return Form.JSON
    if parsed.header is None:
        for item in declared:
            known = parse(item)
            if known is not None and known.is_csv and known.header is not None:
                return Form.BARE_CSV if known.header == "absent" else Form.CSV
    return Form.BARE_CSV if parsed.header == "absent" else Form.CSV


def says_nothing(text: str) -> bool:
    """Tell whether a type fits every file."""
    return text.strip().lower() in _ANY


@lru_cache(16)
def convertible(declared: tuple[str, ...]) -> tuple[str, ...]:
    """Add the types that declared structured ones convert to or from."""
    forms = {form(text) for text in declared} - {None}
    return (*declared, *(str(item) for item in Form if forms and item not in forms))


def choose(declared: str, of_part: str, supported: Sequence[str]) -> str | None:
    """Choose a data file's type; None: `declared` is not supported.

    Args:
        of_part: the part's Content-Type; clients send anything, so only if supported.
        supported: most natural first.
    """
    if declared:
        return declared if _fits(declared, supported) else None
    return of_part if of_part and _fits(of_part, supported) else supported[0]


def _fits(text: str, supported: Sequence[str]) -> bool:
    given = parse(text)
    if given is None:
        return False
    for item in supported:
        known = parse(item)
        if item in _ANY or (
            known is not None
            and known.essence == given.essence
            and (known.header is None or given.header in (None, known.header))
        ):
            return True
    return False
