"""Reads the beginning of an answer, which is hostile: all is bounded."""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

Kind = Literal["table", "text", "file"]

MOST_ROWS, MOST_COLUMNS = 10, 20
_WIDEST = 40  # characters of a cell
_LONGEST_LINE = 200
_MOST_PARSED = 16 << 20  # bytes of JSON that are read whole
_SNIFFED = 20  # rows that have to have the same number of cells
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG image",
    b"\xff\xd8\xff": "JPEG image",
    b"GIF8": "GIF image",
    b"%PDF-": "PDF document",
    b"PK\x03\x04": "ZIP archive",
    b"PAR1": "Parquet file",
}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")


@dataclass(frozen=True)
class Answer:
    """The beginning of an answer.

    Attributes:
        kind: table: `columns` and `rows`; text: `rows` of one line each; file: only `what`.
        what: "CSV", "PNG image", ...
        size: bytes of the whole, as are the counts.
    """

    kind: Kind
    what: str
    size: int
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    row_count: int | None = None
    column_count: int = 0

    @property
    def numeric(self) -> tuple[bool, ...]:
        return tuple(
            any(cells) and all(not cell or _NUMBER.fullmatch(cell) for cell in cells)
            for cells in ([row[n] for row in self.rows] for n in range(len(self.columns)))
        )

    @property
    def title(self) -> str:
        """Sum up: "CSV, 5 of 150 rows, 4.1 kB"."""
        words = [self.what]
        if self.kind == "table" and self.row_count is not None:
            shown = len(self.rows)
            is_part = 0 < shown < self.row_count
            words.append(f"{shown} of {self.row_count} rows" if is_part else _count(self.row_count, "row"))
        return ", ".join((*words, f"{self.size} bytes" if self.size < 1000 else f"{self.size / 1000:.1f} kB"))

    def first(self, rows: int) -> "Answer":
        return Answer(
            self.kind, self.what, self.size, self.columns, self.rows[:rows], self.row_count, self.column_count
        )


def read(content: bytes, name: str = "") -> Answer:
    """Read the beginning; the suffix of `name` (the expected result) tells the format."""
    size = len(content)
    for magic, what in _MAGIC.items():
        if content.startswith(magic):
            return Answer("file", what, size)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Answer("file", "binary file", size)
    if "\0" in text:
        return Answer("file", "binary file", size)
    suffix = name.lower().rpartition(".")[2]
    if suffix != "csv" and text.lstrip()[:1] in ("[", "{") and size <= _MOST_PARSED:
        try:
            return _json(json.loads(text), text, size)
        except (ValueError, RecursionError):
            pass
    if suffix not in ("txt", "json") and (found := _csv(text, size, is_declared=suffix == "csv")):
        return found
    return _text(text, size)


def _json(value: Any, text: str, size: int) -> Answer:
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        columns = tuple(dict.fromkeys(str(key) for one in islice(value, MOST_ROWS) for key in one))
        rows = [[_value(one.get(column, "")) for column in columns] for one in value[:MOST_ROWS]]
        return _table("JSON", size, columns, rows, len(value))
    if isinstance(value, dict) and value and not any(isinstance(one, (dict, list)) for one in value.values()):
        return _table("JSON", size, tuple(map(str, value)), [list(map(_value, value.values()))], 1)
    return _text(text if "\n" in text.strip() else json.dumps(value, indent=1, ensure_ascii=False), size, "JSON")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _csv(text: str, size: int, is_declared: bool) -> Answer | None:
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        rows = (row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)
        head = list(islice(rows, _SNIFFED))
        widths = {len(row) for row in head}
        if not head or len(widths) != 1 or (widths == {1} and not is_declared):
            return None
        count = len(head) - 1 + sum(1 for _ in rows)
    except csv.Error:
        return None
    return _table("CSV", size, tuple(head[0]), head[1 : MOST_ROWS + 1], count)


def _table(what: str, size: int, columns: tuple[str, ...], rows: Iterable[list[str]], count: int) -> Answer:
    names = tuple(_cell(name) for name in columns[:MOST_COLUMNS])
    cells = tuple(tuple(_cell(cell) for cell in row[:MOST_COLUMNS]) for row in rows)
    return Answer("table", what, size, names, cells, count, len(columns))


def _text(text: str, size: int, what: str = "text") -> Answer:
    lines = text[: MOST_ROWS * 10_000].splitlines()[:MOST_ROWS]
    return Answer("text", what, size, rows=tuple((_cell(line, _LONGEST_LINE),) for line in lines))


def _cell(text: str, widest: int = _WIDEST) -> str:
    line = "".join(char if char.isprintable() else " " for char in text[: 4 * widest]).strip(" ")
    return line if len(line) <= widest and len(text) <= 4 * widest else f"{line[: widest - 1]}…"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
