"""Structured data, record by record: large files in little memory.

A CSV record maps columns to texts, a repeated one to an array; without a header, "1", "2", ... A JSON record is an
array's element, or the document.
"""

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import IO, Any

from model_server import bounds
from model_server.tabular.csv_rows import REMEDY, rows_of
from model_server.tabular.memory import File
from model_server.tabular.problems import DataError, Problems, TooLargeError

_CHUNK = 64 * 1024
_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
#: How far from the end of what was read a number may be cut in two.
_MARGIN = 400

#: How spreadsheets separate columns where the comma is the decimal sign, or in a text of tabs.
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}


class Table:
    """A CSV file."""

    def __init__(self, path: File, has_header: bool, names: Sequence[str] = ()) -> None:
        """Read the first line, or raise DataError."""
        # Without a header line, `names` are the columns; a row with more is refused.
        self._path = path
        self._has_header = has_header
        with _text(path) as file:
            first = next(rows_of(file, path), None)
        if first is None and has_header:
            raise DataError("the CSV is empty: it has no header line")
        width = len(first or ())
        if first and width == 1 and (has_header or len(names) > 1):
            for separator, word in _OTHER_SEPARATORS.items():
                if separator in first[0]:
                    raise DataError(f"the columns of the CSV are separated by {word}: {REMEDY}")
        if width > bounds.COLUMNS:
            raise DataError(f"the CSV has {width} columns; {bounds.COLUMNS} are possible")
        if has_header:
            self.columns = tuple(first or ())
        elif names and width > len(names):
            raise DataError(f"row 1 has {width} fields, the schema has {len(names)}")
        else:
            self.columns = tuple(names[:width]) or tuple(str(number) for number in range(1, width + 1))

        self._repeated = {name for name, count in Counter(self.columns).items() if count > 1}

    def records(self, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each row with its number from 1."""
        kind = "header" if self._has_header else "first row"
        with _text(self._path) as file:
            rows = rows_of(file, self._path)
            if self._has_header:
                next(rows, None)
            for number, row in enumerate(rows, start=1):
                if len(row) != len(self.columns):
                    problems.add(f"row {number} has {len(row)} fields, the {kind} has {len(self.columns)}")
                else:
                    yield number, self._gathered(row) if self._repeated else dict(zip(self.columns, row, strict=True))

    def blank(self) -> dict[str, Any]:
        return self._gathered([""] * len(self.columns))

    def _gathered(self, row: Sequence[str]) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for name, text in zip(self.columns, row, strict=True):
            if name in self._repeated:
                record.setdefault(name, []).append(text)
            else:
                record[name] = text
        return record


class Document:
    """A JSON file."""

    def __init__(self, path: File, *, is_result: bool = False) -> None:
        """Read the first character, or raise DataError."""
        # In a result, NaN and Infinity, which are not JSON though many programs write them, are null.
        self._path = path
        self._is_result = is_result
        #: NaN or Infinity was met.
        self.is_mended = False
        with _text(path) as file:
            self.is_array = self._scanner(file).next_character() == "["

    def records(self) -> Iterator[tuple[int, Any]]:
        """Yield each record with its number from 1, or raise DataError."""
        with _text(self._path) as file:
            scanner = self._scanner(file)
            number = 1
            if not self.is_array:
                yield number, scanner.value(number)
            elif scanner.take("[") and not scanner.take("]"):
                yield number, scanner.value(number)
                while scanner.take(","):
                    number += 1
                    yield number, scanner.value(number)
                if not scanner.take("]"):
                    raise DataError(f"the JSON is damaged after record {number}: a comma or the array's end is missing")
            if scanner.next_character():
                raise DataError("the JSON is damaged: there is text behind its end")

    def _scanner(self, file: IO[str]) -> "_Scanner":
        return _Scanner(file, self._mend if self._is_result else _refuse)

    def _mend(self, _name: str) -> None:
        self.is_mended = True


def write_json(records: Iterable[Any], is_array: bool, target: File, limit: int) -> None:
    """Write a JSON array, or the only record; DataError: above `limit` bytes, or no Unicode."""
    with target.open("wb") as file:
        out = _Output(file, limit)
        out.write("[" if is_array else "")
        for number, record in enumerate(records):
            out.write(("," if number else "") + _dumped(record))
        out.write("]" if is_array else "")


def write_csv(
    records: Iterable[tuple[int, Any]], columns: dict[str, int], with_header: bool, target: File, limit: int
) -> None:
    """Write flat records as CSV of at most `limit` bytes; null is empty.

    Args:
        columns: how often each is there (for arrays).
    """
    if sum(columns.values()) > bounds.COLUMNS:
        raise DataError(f"the data has more than {bounds.COLUMNS} columns")
    with target.open("wb") as file:
        writer = csv.writer(_Output(file, limit), lineterminator="\n")
        if with_header and columns:
            writer.writerow([name for name, width in columns.items() for _ in range(width)])
        starts = dict(zip(columns, accumulate(columns.values(), initial=0), strict=False))
        blank = [""] * sum(columns.values())
        for number, record in records:
            row = blank.copy()  # a record may have few of very many columns
            for name, value in record.items():
                if name in starts:
                    items = value if isinstance(value, list) else [value]
                    row[starts[name] : starts[name] + len(items)] = [_cell(item, name, number) for item in items]
            writer.writerow(row)


def columns_of(records: Iterable[tuple[int, Any]]) -> dict[str, int]:
    """Return flat records' columns in order with their counts, or raise DataError."""
    columns: dict[str, int] = {}
    for number, record in records:
        if not isinstance(record, dict):
            raise DataError(f"record {number} is not an object: only an array of flat objects can be had as CSV")
        for name, value in record.items():
            columns[name] = max(columns.get(name, 1), len(value) if isinstance(value, list) else 1)
        if len(columns) > bounds.COLUMNS:
            raise DataError(f"the data has more than {bounds.COLUMNS} columns")
    return columns


class _Scanner:
    """Finds JSON values in text larger than memory."""

    def __init__(self, file: IO[str], constant: Callable[[str], Any]) -> None:
        self._file = file
        self._decoder = json.JSONDecoder(parse_float=_finite, parse_constant=constant)
        self._text = ""
        self._at = 0
        self._ended = False

    def next_character(self) -> str:
        # The next character that is no white space, not taken yet; empty at the end.
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, character: str) -> bool:
        # Only if `character` is next.
        if self.next_character() != character:
            return False
        self._at += 1
        return True

    def value(self, number: int) -> Any:
        if not self.next_character():
            raise DataError("the JSON is empty" if number == 1 else f"the JSON ends before record {number}")
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise DataError(f"record {number} of the JSON is nested too deeply") from None
            except ValueError as error:
                if not self._more():
                    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                    if "integer string conversion" in reason:  # Python's words, which name a remedy in Python
                        reason = "a number has too many digits"
                    raise DataError(f"record {number} of the JSON is damaged: {reason}") from None
                continue
            if len(self._text) - end < _MARGIN and self._more():
                continue  # what looks like a whole number may go on
            self._at = end
            return value

    def _more(self) -> bool:
        # Read at least as much again as is not yet taken; False at the end.
        if self._ended:
            return False
        rest = self._text[self._at :]
        if len(rest) > bounds.RECORD_CHARACTERS:
            raise DataError(f"a record of the JSON is longer than {bounds.RECORD_CHARACTERS} characters")
        # Before the record is read: its values take up to a hundred times the room of its text.
        if len(rest) > bounds.RECORD_VALUES and sum(map(rest.count, ",[{")) > bounds.RECORD_VALUES:
            raise DataError(f"a record of the JSON has more than {bounds.RECORD_VALUES} values")
        chunk = _read(self._file, max(_CHUNK, min(len(rest), bounds.RECORD_CHARACTERS + 1 - len(rest))))
        if not chunk:
            self._ended = True
            return False
        self._text, self._at = rest + chunk, 0
        return True


class _Output:
    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file = file
        self._limit = limit
        self._left = limit

    def write(self, text: str) -> None:
        try:
            content = text.encode()
        except UnicodeEncodeError:
            raise DataError("a text has half of a surrogate pair, which is no Unicode") from None
        self._left -= len(content)
        if self._left < 0:
            raise TooLargeError(f"the data is larger than {self._limit} bytes once it is converted")
        self._file.write(content)


def _text(path: File) -> IO[str]:
    return path.open("r", encoding="utf-8-sig", newline="")


def _read(file: IO[str], size: int) -> str:
    try:
        return file.read(size)
    except UnicodeDecodeError:
        raise DataError("the JSON is not UTF-8") from None


def _cell(value: Any, name: str, number: int) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise DataError(f"record {number} is not flat: {name[:80]!r} holds more than values")
    return value if isinstance(value, str) else json.dumps(value)


def _dumped(record: Any) -> str:
    try:
        return _COMPACT.encode(record)
    except RecursionError:
        raise DataError("a record of the JSON is nested too deeply") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
