"""A file that is written while more of it arrives."""

import asyncio
import errno
import os
import random
from pathlib import Path

import pytest

from model_server.api.spool import Spool

MIB = 1024 * 1024


def test_what_was_added_is_in_the_file_in_its_order_whatever_the_pieces(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - not for secrets
    pieces = [chance.randbytes(chance.choice((1, 1000, 65536, 300_000, 3 * MIB))) for _ in range(60)]

    async def spool() -> Path:
        file = Spool(tmp_path)
        for piece in pieces:
            file.add(piece)
            await file.keep_up()
        await file.close()
        return file.path

    assert asyncio.run(spool()).read_bytes() == b"".join(pieces)


def test_a_discarded_file_is_gone_and_closed_also_while_it_is_written(tmp_path: Path) -> None:
    async def spool(rounds: int) -> int:
        file = Spool(tmp_path)
        for _ in range(rounds):
            file.add(bytes(3 * MIB))
            await file.keep_up()
        descriptor = file._file.fileno()
        file.discard()
        assert list(tmp_path.iterdir()) == []
        for _ in range(100):
            if file._file.closed:
                return descriptor
            await asyncio.sleep(0.05)
        raise AssertionError("it was not closed")

    for rounds in range(3):
        descriptor = asyncio.run(spool(rounds))
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_a_full_disk_is_told_at_the_latest_when_the_file_is_closed(tmp_path: Path) -> None:
    async def spool() -> None:
        file = Spool(tmp_path)
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file._file.fileno())
        os.close(full)
        file.add(bytes(3 * MIB))
        await file.keep_up()
        try:
            await file.close()
        finally:
            file.discard()

    with pytest.raises(OSError, match="No space") as caught:
        asyncio.run(spool())
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
