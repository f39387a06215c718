"""Counts CSV records as bytes come in."""

import codecs
import re

from model_server import bounds

_BLANK_LINES = re.compile(rb"\n{2,}")
#: What may stand before a quote that begins a text or goes on with one; within a field it is a letter like others.
_BEFORE = b',\r\n"'
_QUOTED = re.compile(rb'(?<![^,\r\n"])"[^"]*"')
#: Stands for a text in quotes.
_TEXT = b"\0"


class RowCounter:
    """Counts lines that are not blank; a quote within a field ends the count."""

    def __init__(self) -> None:
        self._lines = 0
        self._is_quoted = False
        #: Something came since the last line end that counted.
        self._is_open = False
        #: Bytes with quotes that are still looked at: they take a hundred times as long as others.
        self._left = bounds.COUNTED_QUOTED_BYTES
        self._is_first = True
        self._last = b""

    def feed(self, data: bytes) -> None:
        if self._is_first and data.lstrip():
            self._is_first = False
            data = data.removeprefix(codecs.BOM_UTF8)
            if data.lstrip().startswith((b"[", b"{")):  # JSON: nobody asks for its lines
                self._left = -1
        if self._is_quoted or b'"' in data:
            self._left -= len(data)
        if self._left < 0:
            return
        if self._is_quoted:
            _, quote, data = data.partition(b'"')
            if not quote:
                return
            self._is_quoted, self._last = False, b'"'
        if b'"' in data:
            before = b"" if self._last in _BEFORE + _TEXT else self._last
            data, quote, _ = _QUOTED.sub(_TEXT, before + data)[len(before) :].partition(b'"')
            if quote:
                if (data[-1:] or before) not in _BEFORE + _TEXT:
                    self._left = -1
                    return
                self._is_quoted = True
                data += _TEXT  # the line has begun
        self._last = data[-1:] or self._last
        self._plain(data)

    def rows(self, has_header: bool) -> int | None:
        """Return the records so far, if counted."""
        return max(0, self._lines + self._is_open - has_header) if self._left >= 0 else None

    def _plain(self, data: bytes) -> None:
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # cut in two, it ends a line and a blank one
        if not data:
            return
        if b"\n\n" in data:
            data = _BLANK_LINES.sub(b"\n", data)
        self._lines += data.count(b"\n") - (data[0] == ord("\n") and not self._is_open)
        self._is_open = data[-1] != ord("\n")
