"""MIME types as this API uses them: `text/csv; header=present`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = r"[A-Za-z0-9!#$&^_.+*-]+"
_SYNTAX = re.compile(rf"\s*({_WORD}/{_WORD})\s*((?:;\s*{_WORD}=(?:{_WORD}|\"[^\"]*\")\s*)*);?\s*", re.ASCII)
_PARAMETER = re.compile(rf";\s*({_WORD})=(?:({_WORD})|\"([^\"]*)\")")
_ANY = ("*/*", "application/octet-stream")


@dataclass(frozen=True)
class MimeType:
    """A parsed type: `essence` ("text/csv") and the header parameter, all in lower case."""

    essence: str
    #: "present", "absent" or None (not said); other values are kept as they are.
    header: str | None

    @property
    def is_csv(self) -> bool:
        return self.essence in ("text/csv", "application/csv")


def parse(text: str) -> MimeType | None:
    """Reads a MIME type; None when the text is not one."""
    match = _SYNTAX.fullmatch(text) if len(text) <= 255 else None
    if match is None:
        return None
    parameters = {name.lower(): (plain or quoted).lower() for name, plain, quoted in _PARAMETER.findall(match[2])}
    return MimeType(match[1].lower(), parameters.get("header"))


def choose(declared: str, of_part: str, supported: Sequence[str]) -> str | None:
    """The MIME type of a data file.

    Args:
        declared: the form's MimeType; empty when absent. If given, it must be supported.
        of_part: the part's Content-Type; empty when absent. Clients send anything here, so it only counts if it fits.
        supported: what the model takes, most natural first.

    Returns:
        the type, or None when `declared` is not supported.
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
