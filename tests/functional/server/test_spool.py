"""A file that is written while more of it arrives."""

import asyncio
import errno
import os
import random
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from model_server.api import spool as module
from model_server.api.spool import Spool

MIB = 1024 * 1024


def test_what_was_added_is_in_the_file_in_its_order_whatever_the_pieces(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - not for secrets
    pieces = [chance.randbytes(chance.choice((0, 1, 1000, 65536, 300_000, 3 * MIB))) for _ in range(60)]
    pieces += [chance.randbytes(1) for _ in range(3000)]

    async def spool() -> Path:
        file = Spool(tmp_path)
        for piece in pieces:
            file.add(piece)
            await file.keep_up()
        await file.close()
        return file.path

    assert asyncio.run(spool()).read_bytes() == b"".join(pieces)


def test_small_pieces_are_not_kept_until_they_are_many(tmp_path: Path) -> None:
    async def spool() -> None:
        file = Spool(tmp_path)
        for _ in range(3000):
            file.add(b"x")
            await file.keep_up()
            assert len(file._pieces) < 1000
        await file.close()
        assert file.path.stat().st_size == 3000

    asyncio.run(spool())


def test_a_write_that_takes_only_a_part_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [bytes([number]) * 1000 for number in range(20)]
    whole = os.writev

    def part(descriptor: int, left: Sequence[memoryview]) -> int:
        return whole(descriptor, [b"".join(left)[:1700]])

    monkeypatch.setattr(os, "writev", part)

    async def spool() -> Path:
        file = Spool(tmp_path)
        for piece in pieces:
            file.add(piece)
        await file.close()
        return file.path

    assert asyncio.run(spool()).read_bytes() == b"".join(pieces)


def test_it_is_written_while_the_disk_is_waited_for_but_no_further_than_the_next_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH_BYTES", 1000)
    monkeypatch.setattr(module, "_SYNC_BYTES", 4000)
    disk = threading.Semaphore(0)
    monkeypatch.setattr(os, "fdatasync", lambda _: disk.acquire())

    async def spool() -> None:
        file = Spool(tmp_path)

        async def fill() -> None:
            for _ in range(40):
                file.add(bytes(1000))
                await file.keep_up()

        filling = asyncio.create_task(fill())
        while file.path.stat().st_size < 8000:  # 4000 of them after the disk was first asked to write
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        assert not filling.done()
        assert file.path.stat().st_size == 8000
        disk.release(100)
        await filling
        await file.close()
        assert file.path.stat().st_size == 40_000

    asyncio.run(spool())


def test_what_the_disk_refuses_after_it_was_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH_BYTES", 1000)
    monkeypatch.setattr(module, "_SYNC_BYTES", 4000)

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "fdatasync", refuse)

    async def spool() -> None:
        file = Spool(tmp_path)
        for _ in range(5):
            file.add(bytes(1000))
            await file.keep_up()
        try:
            await file.close()
        finally:
            file.discard()

    with pytest.raises(OSError, match="broken"):
        asyncio.run(spool())
    assert list(tmp_path.iterdir()) == []


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
