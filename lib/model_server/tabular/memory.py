"""Small data in memory, for what reads and writes files."""

import io
from pathlib import Path
from typing import IO, Any


class MemoryFile:
    """A file in memory, with as much of a path's methods as conversions call."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    def open(self, mode: str = "r", *, encoding: str | None = None, newline: str | None = None) -> IO[Any]:
        """Open it as `Path.open` does, to read it, or to write it anew ("wb")."""
        if mode == "wb":
            return _Written(self)
        raw = io.BytesIO(self.content)
        return raw if mode == "rb" else io.TextIOWrapper(raw, encoding=encoding, newline=newline)


File = Path | MemoryFile


class _Written(io.BytesIO):
    def __init__(self, file: MemoryFile) -> None:
        super().__init__()
        self._file_in_memory = file

    def close(self) -> None:
        if not self.closed:
            self._file_in_memory.content = self.getvalue()
        super().close()
