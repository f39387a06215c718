"""The room on the data volume, and its lack."""

import errno
import os
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from model_server.api.envelope import ApiError


def no_room() -> ApiError:
    """The refusal of a job that cannot be kept."""
    return ApiError(
        507, "the data volume has no room for this job; nothing was stored: delete old jobs, or send it again later"
    )


def free(folder: Path) -> int:
    """Bytes that may still be written there."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def is_full(error: BaseException) -> bool:
    """Tells whether `error` is the lack of room: of the file system, of a quota, or in the database's words."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, DBAPIError) and "database or disk is full" in str(error.orig)
