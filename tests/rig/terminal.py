"""A command in a terminal, and what stands on its screen: as far as rich's Live moves in it."""

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.text import Text

_MOVE = re.compile(r"\x1b\[\??(\d*)[;\d]*([A-HJKSThl])|\r|\n")
_BEGUN = re.compile(r"\x1b(\[[?\d;]*)?\Z")


class Screen:
    """Holds the lines of a terminal, with their colors."""

    def __init__(self) -> None:
        self.rows, self._row, self._rest = [""], 0, ""

    def feed(self, text: str) -> None:
        """Take a piece of what is written; it may end within a movement."""
        text = self._rest + text
        begun = _BEGUN.search(text)
        self._rest = begun[0] if begun else ""
        text = text.removesuffix(self._rest)
        at = 0
        for move in _MOVE.finditer(text):
            self.rows[self._row] += text[at : move.start()]
            at = move.end()
            if move[0] == "\n":
                self._row += 1
                self.rows += [""] * (self._row == len(self.rows))
            elif move[2] == "A":
                self._row = max(0, self._row - int(move[1] or 1))
            elif move[2] == "K":
                self.rows[self._row] = ""
        self.rows[self._row] += text[at:]

    def lines(self, columns: int) -> list[Text]:
        """Return the lines to the last that is not empty, as a terminal of so many columns breaks them."""
        texts = [Text.from_ansi(row) for row in "\n".join(self.rows).rstrip().split("\n")]
        return [line for text in texts for line in text.divide(range(columns, len(text), columns))]


def written(
    command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str], columns: int | None, code: int = 0
) -> Iterator[str]:
    """Yield what a command writes, as it comes: to a terminal of so many columns, or to a pipe.

    Raises:
        SystemExit: it did not end with `code`; holds what it wrote.
    """
    ours, theirs = pty.openpty() if columns else os.pipe()
    if columns:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = {**environment, "COLUMNS": str(columns)}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=theirs if columns else subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    decoder, everything = codecs.getincrementaldecoder("utf-8")(errors="replace"), ""
    try:
        while part := os.read(ours, 65536):
            everything += (text := decoder.decode(part))
            yield text
    except OSError:  # how Linux says that the other end of a terminal is closed
        pass
    finally:
        os.close(ours)
    if process.wait() != code:
        raise SystemExit(everything)
