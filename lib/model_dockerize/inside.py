"""Opens regular files of an untrusted folder; links must end inside."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

#: Bytes of a file that is read whole: settings, ignore patterns, a lock, of which the largest that are known have 5 MB.
MOST_TEXT = 16 << 20


class OutsideError(ValueError):
    """A path leads out of its folder, or to no regular file."""


def resolved(path: Path, folder: Path) -> Path:
    """Follow all links; the end need not exist.

    Raises:
        OutsideError: it is not in `folder`, or neither file nor folder.
    """
    try:
        end, bound = path.resolve(), folder.resolve()
        mode = end.lstat().st_mode if os.path.lexists(end) else stat.S_IFREG
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a closed folder, no path at all
        raise OutsideError(f"{str(path)!r} is not a path that can be followed ({error})") from error
    if not end.is_relative_to(bound):
        raise OutsideError(f"{str(path)!r} leads out of {bound}")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OutsideError(f"{str(path)!r} is neither a file nor a folder")
    return end


def leads_through(path: Path, folder: Path) -> bool:
    """Tell whether `path`, as written, goes through `folder`, whose links lead anywhere."""
    written = Path(os.path.normpath(Path.cwd() / path))
    bound = folder.resolve()
    return any(Path(os.path.realpath(part)).is_relative_to(bound) for part in (written, *written.parents))


def workspace_of(file: Path) -> Path:
    """Return a Config.ini's git checkout, else its own folder."""
    own = Path(os.path.abspath(file)).parent  # noqa: PTH100  links are followed where a path is read
    # Path.exists() raises in a folder that is closed to us.
    checkout = next((folder for folder in (own, *own.parents) if os.path.exists(folder / ".git")), own)  # noqa: PTH110
    # Some people keep their whole home folder in git.
    is_home = checkout in (Path("/"), Path(os.path.expanduser("~")))  # noqa: PTH111  without an error where there is none
    return own if is_home else checkout


def open_file(path: Path, folder: Path) -> BinaryIO:
    """Open a regular file; raise OutsideError if it is outside."""
    return open_regular(resolved(path, folder))


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file; raise OSError for a link, OutsideError for another kind."""
    # Not to wait for the writer of a pipe that has taken the file's place.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OutsideError(f"{str(path)!r} is no regular file")
    return os.fdopen(descriptor, "rb")


def is_file(path: Path, folder: Path) -> bool:
    try:
        return resolved(path, folder).is_file()
    except (OSError, OutsideError):
        return False


def read_text(path: Path, folder: Path, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Read a small text file; raise OutsideError if it is outside or too large."""
    return read_bytes(path, folder).decode(encoding, errors).replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(path: Path, folder: Path) -> bytes:
    with open_file(path, folder) as file:
        content = file.read(MOST_TEXT + 1)
    if len(content) > MOST_TEXT:
        raise OutsideError(f"{str(path)!r} has more than {MOST_TEXT >> 20} MiB")
    return content


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a regular file, not what a link leads to."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "It is no regular file", str(path))
        file.truncate()
        file.write(content)


def why_unread(error: OSError | ValueError) -> str:
    """Say why `read_text` failed, without quoting the file."""
    if isinstance(error, FileNotFoundError) and (odd := oddly_written(str(error.filename))):
        return f"{error.strerror}. {odd}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, OutsideError) else "it is not UTF-8 text"


def oddly_written(path: str) -> str:
    """Say how a wrong path should be written; else ""."""
    odd = "\\" in path or any(mark in path for mark in "\"'")
    return "Paths are written with / and without quotes" if odd else ""
