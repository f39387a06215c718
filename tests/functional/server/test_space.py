"""The room on the volume is looked for before it is reserved, for little of much only now and then."""

import asyncio
import errno
from concurrent.futures import Future
from pathlib import Path

import pytest

from model_server.api import disk
from model_server.api.envelope import ApiError
from model_server.api.jobs import recorded
from model_server.jobs.job import Job

MUCH = 10 * disk._AMPLE_BYTES


class Volume:
    """Tells how much is free, and counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        self.free, self.looks, self.now = free, 0, 1000.0
        monkeypatch.setattr(disk, "free", self._look)
        monkeypatch.setattr(disk.time, "monotonic", lambda: self.now)

    def _look(self, _folder: Path) -> int:
        self.looks += 1
        return self.free


def test_where_much_is_left_little_is_reserved_without_a_look_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Volume(monkeypatch, MUCH)
    space = disk.Space(tmp_path, 0)
    for _ in range(5):
        space.reserve(100)
    assert volume.looks == 1
    volume.free = 10
    with pytest.raises(ApiError):
        space.reserve(disk._SMALL_BYTES)  # with what is reserved that is no longer little
    assert volume.looks == 2
    volume.free = MUCH
    space.reserve(100)
    volume.free = 10
    volume.now += disk._AMPLE_SECONDS
    with pytest.raises(ApiError):
        space.reserve(100)


def test_where_little_is_left_each_reservation_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(monkeypatch, 250)
    space = disk.Space(tmp_path, 0)
    space.reserve(100)
    space.reserve(100)
    with pytest.raises(ApiError):
        space.reserve(100)
    assert volume.looks == 3


@pytest.mark.parametrize(
    ("error", "kind"), [(OSError(errno.ENOSPC, "full"), ApiError), (OSError(errno.EIO, "broken"), OSError)]
)
def test_a_job_that_cannot_be_recorded_for_want_of_room_is_refused(error: OSError, kind: type[Exception]) -> None:
    job = Future[Job]()
    job.set_exception(error)
    with pytest.raises(kind) as refused:
        asyncio.run(recorded(job))
    assert getattr(refused.value, "status", None) == (507 if kind is ApiError else None)
