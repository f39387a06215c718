"""Reservation of space on the data volume."""

import errno
import os
import threading
import time
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from model_server.api.envelope import ApiError
from model_server.jobs import database
from model_server.log import logger
from model_server.siblings import RESERVED, Siblings, alone

#: Of an upload that does not declare its size, so much is reserved at a time.
_STEP_BYTES = 16 * 1024 * 1024
#: Where so much is left, less than the smaller bytes are reserved for so long without a look: it lets another thread go
#: first.
_AMPLE_BYTES = 1024 * 1024 * 1024
_SMALL_BYTES = 1024 * 1024
_AMPLE_SECONDS = 0.1
_TELL_SECONDS = 60.0
#: The status of what is refused for want of room.
NO_ROOM = 507


class Space:
    """The volume's free space, less what uploads will still write."""

    def __init__(self, folder: Path, keep: int, siblings: Siblings | None = None) -> None:
        """Keep `keep` bytes free on the volume of `folder`, which this server's other processes use, too."""
        self._folder = folder
        self._keep = keep
        self._siblings = siblings or alone()
        self._guard = threading.Lock()
        self._tell_from = 0.0
        #: Until then there is room for what is small.
        self._ample_until = 0.0

    @property
    def left(self) -> int:
        """Return the bytes to spare; below 0: too few are free."""
        return free(self._folder) - self._keep - self._reserved

    @property
    def _reserved(self) -> int:
        return int(self._siblings.total(RESERVED))

    def log_refusal(self) -> None:
        """Log a refusal, only now and then."""
        now = time.monotonic()
        if now >= self._tell_from:
            self._tell_from = now + _TELL_SECONDS
            logger.warning("the data volume has no room: %d bytes may still be taken; jobs are refused", self.left)

    def part(self) -> "Part":
        return Part(self)

    def reserve(self, size: int) -> None:
        """Reserve `size` bytes, or give back if negative; ApiError 507."""
        with self._guard:
            if size >= 0 and not self._has_room(size):
                raise no_room()
            self._siblings.add(RESERVED, size)

    def _has_room(self, size: int) -> bool:
        """Tell whether `size` is left; where much is, it is not looked for again at once."""
        now = time.monotonic()
        if now >= self._ample_until or self._reserved + size > _SMALL_BYTES:
            left = self.left
            self._ample_until = now + _AMPLE_SECONDS if left >= _AMPLE_BYTES else 0.0
            return left >= size
        return True


class Part:
    """The space of one upload."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._reserved = 0

    def reserve(self, size: int) -> None:
        self._space.reserve(size)
        self._reserved += size

    def take(self, size: int) -> None:
        """Use `size` bytes, about to be written; ApiError 507."""
        if size > self._reserved:
            self.reserve(max(size, _STEP_BYTES))
        self._reserved -= size
        self._space.reserve(-size)

    def give_back(self) -> None:
        self._space.reserve(-self._reserved)
        self._reserved = 0


def no_room() -> ApiError:
    return ApiError(
        NO_ROOM,
        "the data volume has no room for this job; nothing was stored: delete old jobs, or send it again later",
    )


def free(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def is_full(error: BaseException) -> bool:
    """Tell whether file system, quota or database is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, DBAPIError) and database.is_full(error)
