"""Rows of a CSV file, refused before they take much memory."""

import csv
import re
from collections.abc import Iterator
from functools import partial
from typing import IO

from model_server import bounds
from model_server.tabular.memory import File
from model_server.tabular.problems import DataError

REMEDY = "save it as CSV with commas, in UTF-8 (of a spreadsheet: CSV UTF-8)"
_QUOTED = re.compile(r'"[^"]*"')

csv.field_size_limit(bounds.RECORD_CHARACTERS)  # of the process; the library's own limit is 128 KiB


def rows_of(file: IO[str], path: File) -> Iterator[list[str]]:
    lines = _Lines(file)
    try:
        for row in csv.reader(lines, strict=True):
            lines.begin()
            if row:
                yield row
    except UnicodeDecodeError:
        raise DataError(f"the CSV is not UTF-8{_first_foreign(path)}: {REMEDY}") from None
    except csv.Error as error:
        raise DataError(f"the CSV is damaged: {error}") from None


class _Lines:
    # A row of several lines is refused before it takes much memory.

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._characters = self._commas = 0

    def begin(self) -> None:
        self._characters = self._commas = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(bounds.RECORD_CHARACTERS + 1 - self._characters)
        if not line:
            raise StopIteration
        self._characters += len(line)
        if self._characters > bounds.RECORD_CHARACTERS:
            raise DataError(f"a row of the CSV is longer than {bounds.RECORD_CHARACTERS} characters")
        if self._characters > bounds.COLUMNS:
            self._check_columns(line)
        return line

    def _check_columns(self, line: str) -> None:
        goes_on = self._characters > len(line)  # so it begins within quotes
        bare = _QUOTED.sub("", f'"{line}' if goes_on else line).partition('"')[0]
        self._commas += bare.count(",")
        if self._commas >= bounds.COLUMNS:
            raise DataError(f"a row of the CSV has more than {bounds.COLUMNS} columns")


def _first_foreign(path: File) -> str:
    # The place that is not UTF-8, for a message.
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            return " but UTF-16"
        file.seek(0)
        for number, line in enumerate(iter(partial(file.readline, bounds.RECORD_CHARACTERS), b""), start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f", at byte {error.start + 1} of line {number} (0x{line[error.start]:02x})"
    return ""
