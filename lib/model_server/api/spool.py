"""A file that is written, and sent to the disk, while more of it arrives."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

#: So much is handed over at a time; as much again may arrive meanwhile.
_BATCH_BYTES = 2 * 1024 * 1024
#: The disk is made to write after so many bytes: else it stands idle until the last has come, and all wait for it then.
_SYNC_BYTES = 64 * 1024 * 1024


class Spool:
    """A new file. For one coroutine; another thread does what waits for the disk."""

    def __init__(self, folder: Path) -> None:
        """Makes the file in `folder`.

        Raises:
            OSError: it cannot be made.
        """
        self._file = NamedTemporaryFile(dir=folder, delete=False, buffering=0)  # noqa: SIM115 - see `close`, `discard`
        self.path = Path(self._file.name)
        # Two pieces of memory in turn, the same ones for the whole file: one fills while the other is written.
        self._filling, self._other = bytearray(), bytearray()
        self._filled = 0
        self._unsynced = 0
        self._writing: asyncio.Future[None] | None = None

    def add(self, data: bytes | bytearray) -> None:
        """Takes the next bytes; they are kept in memory until `keep_up`."""
        end = self._filled + len(data)
        self._filling[self._filled : end] = data
        self._filled = end

    async def keep_up(self) -> None:
        """Waits as long as the disk is behind.

        Raises:
            OSError: what was added before could not be written.
        """
        if self._filled >= _BATCH_BYTES:
            await self._hand_over()

    async def close(self) -> None:
        """Writes what is left. The file is whole, but not all of it is on the disk.

        Raises:
            OSError: it could not be written.
        """
        await self._hand_over()
        await self._written()
        self._file.close()

    def discard(self) -> None:
        """Removes the file, also in the midst of `keep_up`."""
        self.path.unlink(missing_ok=True)
        if self._writing is None or self._writing.done():
            self._close()
        else:
            self._writing.add_done_callback(lambda _: self._close())

    async def _hand_over(self) -> None:
        await self._written()
        full, size = self._filling, self._filled
        self._filling, self._other, self._filled = self._other, full, 0
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, full, size)

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)  # a thread cannot be stopped: `discard` must know that it still writes

    def _write(self, full: bytearray, size: int) -> None:
        with memoryview(full) as whole:
            written = 0
            while written < size:
                written += self._file.write(whole[written:size])
        self._unsynced += size
        if self._unsynced >= _SYNC_BYTES:
            os.fdatasync(self._file.fileno())
            self._unsynced = 0

    def _close(self) -> None:
        with suppress(OSError):  # it may have been closed because the disk is full
            self._file.close()
