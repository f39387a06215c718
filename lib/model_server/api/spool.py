"""An upload's file, synced while more of it arrives."""

import asyncio
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

from model_server import bounds

#: So much is handed over at a time; as much again may arrive meanwhile.
_BATCH_BYTES = 2 * 1024 * 1024
#: Or so many pieces, if they are small.
_BATCH_PIECES = 256
#: The disk is made to write after so many bytes: else it stands idle until the last has come, and all wait for it then.
_SYNC_BYTES = 16 * 1024 * 1024


class Spool:
    """A new file, for one coroutine; other threads wait for the disk."""

    #: What all spools of the loop have in memory, bytes.
    held = 0

    def __init__(self, folder: Path) -> None:
        self._file = NamedTemporaryFile(dir=folder, delete=False, buffering=0)  # noqa: SIM115 - see `close`, `discard`
        self.path = Path(self._file.name)
        self._pieces: list[bytes] = []
        self._kept = 0
        self._unsynced = 0
        self._writing: asyncio.Future[None] | None = None
        self._syncing: asyncio.Future[None] | None = None

    def add(self, data: bytes) -> None:
        """Keep the next bytes in memory until `keep_up`."""
        self._pieces.append(data)
        self._kept += len(data)
        Spool.held += len(data)

    async def keep_up(self) -> None:
        """Wait while the disk is behind; OSError: earlier bytes were not written."""
        is_tight = Spool.held >= bounds.SPOOLED_BYTES
        if is_tight or self._kept >= _BATCH_BYTES or len(self._pieces) >= _BATCH_PIECES:
            await self._hand_over()
            if is_tight:
                await _end_of(self._writing)

    async def close(self) -> None:
        """Write the rest; not all of it is synced."""
        await self._hand_over()
        await _end_of(self._writing)
        await _end_of(self._syncing)
        self._file.close()

    def discard(self) -> None:
        """Remove the file, even during `keep_up`."""
        self.path.unlink(missing_ok=True)
        self._forget(self._kept)
        busy = [work for work in (self._writing, self._syncing) if work is not None]
        if busy:
            asyncio.gather(*busy, return_exceptions=True).add_done_callback(lambda _: self._close())
        else:
            self._close()

    async def _hand_over(self) -> None:
        await _end_of(self._writing)
        loop = asyncio.get_running_loop()
        if self._unsynced >= _SYNC_BYTES:
            await _end_of(self._syncing)
            self._syncing = loop.run_in_executor(None, os.fdatasync, self._file.fileno())
            self._unsynced = 0
        self._writing = loop.run_in_executor(None, _write, self._file.fileno(), self._pieces)
        self._writing.add_done_callback(partial(self._forget, self._kept))
        self._unsynced += self._kept
        self._pieces, self._kept = [], 0

    @staticmethod
    def _forget(size: int, _done: object = None) -> None:
        Spool.held -= size

    def _close(self) -> None:
        with suppress(OSError):  # it may have been closed because the disk is full
            self._file.close()


async def _end_of(work: asyncio.Future[None] | None) -> None:
    if work is not None:
        await asyncio.shield(work)  # a thread cannot be stopped: `discard` must know that it still works


def _write(descriptor: int, pieces: list[bytes]) -> None:
    left = [memoryview(piece) for piece in pieces]
    while left:
        written = os.writev(descriptor, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left:
            left[0] = left[0][written:]
