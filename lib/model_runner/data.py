"""A job's small data, which comes and goes with the job.

These files are made and removed beside the program, not in the server's one loop.
"""

import errno
import os
import stat
import uuid
from typing import Optional


def write_input(path: str, content: bytes) -> None:
    """Make an input file, without a sync; after an error what was written stays."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        if os.write(descriptor, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def take_output(path: str, limit: int) -> Optional[bytes]:
    """Remove and return an output; None, and it stays, above `limit` bytes."""
    # Else a pipe would wait for a writer, and a link would lead to what the program may not show.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        content = os.read(descriptor, limit + 1) if status.st_size <= limit else None
    finally:
        os.close(descriptor)
    if content is None or len(content) > limit:
        return None
    os.unlink(path)
    return content


def show(path: str) -> None:
    """Let the server read a job's output."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(errno.EINVAL, "it is no file, but leads to one")
    os.chmod(path, 0o644)


def remove(path: str) -> None:
    """Remove a file or folder, as far as possible."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError:
        try:
            remove_folder(path)
        except OSError:
            pass  # another user's


def remove_folder(path: str) -> None:
    """Remove a folder of any depth, whatever its owner took from himself.

    What lies deeper is moved up: its path may be too long for the kernel, and a recursion too deep for Python.
    """
    os.chmod(path, 0o700)
    names = os.listdir(path)
    while names:
        for inner in [os.path.join(path, name) for name in names]:
            if not stat.S_ISDIR(os.lstat(inner).st_mode):
                os.unlink(inner)
                continue
            os.chmod(inner, 0o700)
            for name in os.listdir(inner):
                deeper = os.path.join(inner, name)
                if stat.S_ISDIR(os.lstat(deeper).st_mode):
                    os.chmod(deeper, 0o700)
                    os.rename(deeper, os.path.join(path, uuid.uuid4().hex))
                else:
                    os.unlink(deeper)
            os.rmdir(inner)
        names = os.listdir(path)
    os.rmdir(path)
