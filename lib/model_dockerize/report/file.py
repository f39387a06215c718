"""Writes the report as a JSON file."""

import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from model_dockerize.errors import InputError
from model_dockerize.report.model import Report, is_report, to_json

_MOST_READ = 16 << 20  # bytes; a report has some kB


def reserve(path: Path | None) -> Path | None:
    """Make the file before the run, so that an unwritable place fails at once."""
    if path and path.name == "-":
        raise InputError("The report needs a file.", "Commands that look print it with --json: list, status, plan, ...")
    if path:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _open(path).close()
        except OSError as error:
            raise InputError(f"The report {path} cannot be written: {error.strerror}.", "Name a file.") from error
    return path


def write(report: Report, path: Path) -> None:
    with _open(path) as file:
        file.truncate()
        file.write(to_json(report).encode())


def _open(path: Path) -> BinaryIO:
    # A new file, an empty one or an earlier report; never through a link.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    with ExitStack() as opened:
        file = opened.enter_context(os.fdopen(descriptor, "r+b"))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "It is no regular file", str(path))
        content = file.read(_MOST_READ)
        if content.strip() and not is_report(content):
            raise OSError(errno.EEXIST, "It holds something else than a report", str(path))
        file.seek(0)
        opened.pop_all()
        return file
