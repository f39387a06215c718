"""Small data in memory, in place of files."""

import io
from pathlib import Path
from typing import IO, Any


class MemoryFile:
    """A file in memory, with the methods conversions call."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    def open(self, mode: str = "r", *, encoding: str | None = None, newline: str | None = None) -> IO[Any]:
        """Open it as `Path.open` does; "wb" writes anew."""
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
