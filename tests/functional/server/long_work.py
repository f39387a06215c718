"""Work for converters, in a module that is soon imported."""

import errno
import os
import time
from pathlib import Path

from model_server.tabular.problems import DataError, TooLargeError


def who(path: Path, *, also: str) -> list[object]:
    return [os.getpid(), os.nice(0), path.stat().st_size, also]


def refuse(path: Path, too_large: bool) -> None:
    raise (TooLargeError if too_large else DataError)(path.name, "a second problem")


def meet_full_disk(path: Path) -> None:
    raise OSError(errno.ENOSPC, "it is full", str(path))


def meet_fault(path: Path) -> None:
    raise KeyError(path)


def sleep(path: Path) -> None:
    path.with_name("began").touch()
    time.sleep(60)
