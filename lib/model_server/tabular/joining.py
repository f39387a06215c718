"""Joins small files' records, and cuts results; a record keeps its characters."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from model_server.tabular.mime import Form

_BOM = "\ufeff"
_WHITE = " \t\r\n"
_LINE_ENDS = ("\r\n", "\n", "\r")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Records:
    """Data taken apart: `head`, records with `between` between them, `tail`."""

    #: The byte order mark and the header line, or what begins an array.
    head: str
    records: tuple[str, ...]
    #: The line end, or what stands between two elements.
    between: str
    tail: str
    #: Fields of a row; 0: it is JSON.
    width: int = 0

    @property
    def kind(self) -> tuple[str, str, int]:
        """Return what joined files must have in common."""
        return self.head, self.between, self.width

    def part(self, start: int, end: int) -> bytes:
        return f"{self.head}{self.between.join(self.records[start:end])}{self.tail}".encode()


def take_apart(content: bytes, form: Form) -> Records | None:
    """Return a file's records; None where they are not certain."""
    try:
        text = content.decode()
        return _document(text) if form is Form.JSON else _table(text, form is Form.CSV)
    except (ValueError, RecursionError, csv.Error):
        return None


def joinable(content: bytes, form: Form) -> Records | None:
    """Return an input's records, as they can be joined; None: it goes alone."""
    found = take_apart(content, form)
    if found is None or not found.records:
        return None
    if form is Form.JSON:
        return replace(found, head="[", between=",", tail="]")
    if not found.head and found.records[0].startswith(_BOM):
        return None  # within the joined rows the mark would be a letter
    return replace(found, tail=found.between)


def join(parts: Sequence[Records]) -> bytes:
    """Join the records of parts of one kind."""
    everything = replace(parts[0], records=tuple(record for part in parts for record in part.records))
    return everything.part(0, len(everything.records))


def cut(content: bytes, form: Form, counts: Sequence[int]) -> list[bytes] | None:
    """Cut a result by record counts; None if they do not fit."""
    found = take_apart(content, form)
    if found is None or len(found.records) != sum(counts):
        return None
    parts, start = [], 0
    for count in counts:
        parts.append(found.part(start, start + count))
        start += count
    return parts


def _table(text: str, has_header: bool) -> Records | None:
    if "\0" in text:
        return None
    rows: list[str] = []
    ends: set[str] = set()
    tail = ""
    width = 0
    for row, fields in _rows(text):
        # A blank line is no record for some programs, and for others one.
        if not fields or (width and fields != width):
            return None
        width = fields
        tail = next((end for end in _LINE_ENDS if row.endswith(end)), "")
        ends.add(tail)
        rows.append(row.removesuffix(tail))
    ends.discard("")
    if len(ends) > 1 or not rows:
        return None
    between = ends.pop() if ends else "\n"
    if not has_header:
        return Records("", tuple(rows), between, tail, width)
    if len(rows) == 1:
        return Records(rows[0] + tail, (), between, "", width)
    return Records(rows[0] + between, tuple(rows[1:]), between, tail, width)


def _rows(text: str) -> Iterator[tuple[str, int]]:
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for number, line in enumerate(io.StringIO(text, newline="")):
            taken.append(line)
            yield line.removeprefix(_BOM) if number == 0 else line

    for row in csv.reader(lines(), strict=True):
        yield "".join(taken), len(row)
        taken.clear()


def _document(text: str) -> Records | None:
    at = _behind_white(text, 0)
    if text[at : at + 1] != "[":
        return None  # one document: a program may answer it otherwise than an array
    at = _behind_white(text, at + 1)
    head, records, between = text[:at], [], ","
    if text[at : at + 1] != "]":
        while True:
            _, end = _DECODER.raw_decode(text, at)
            records.append(text[at:end])
            comma = _behind_white(text, end)
            if text[comma : comma + 1] != ",":
                break
            at = _behind_white(text, comma + 1)
            if len(records) > 1 and between != text[end:at]:
                return None
            between = text[end:at]
        at = end
    closing = _behind_white(text, at)
    if text[closing : closing + 1] != "]" or _behind_white(text, closing + 1) != len(text):
        return None
    return Records(head, tuple(records), between, text[at:])


def _behind_white(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _WHITE:
        at += 1
    return at
