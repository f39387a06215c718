"""Counts the records of a CSV as its bytes come in, at the pace of the network."""

import re

_BLANK_LINES = re.compile(rb"\n{2,}")


class RowCounter:
    """Counts lines that are not blank; a line end within quotes ends none."""

    def __init__(self) -> None:
        self._lines = 0
        self._is_quoted = False
        #: Something came since the last line end that counted.
        self._is_open = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self._is_quoted and b'"' not in data:
            self._plain(data)
            return
        for place, part in enumerate(data.split(b'"')):
            if place:
                self._is_quoted = not self._is_quoted
                self._is_open = True
            if self._is_quoted:
                self._is_open = True
            else:
                self._plain(part)

    def rows(self, has_header: bool) -> int:
        """Return the number of records so far."""
        return max(0, self._lines + self._is_open - has_header)

    def _plain(self, data: bytes) -> None:
        if b"\r" in data:
            data = data.replace(b"\r", b"")
        if not data:
            return
        if b"\n\n" in data:
            data = _BLANK_LINES.sub(b"\n", data)
        self._lines += data.count(b"\n") - (data[0] == ord("\n") and not self._is_open)
        self._is_open = data[-1] != ord("\n")
