"""Fakes and helpers that tests of the runner's functions share."""

import os
import time
from pathlib import Path

import pytest


def tree(folder: Path) -> dict[str, str]:
    """Read a folder whole: a file's content, where a link leads; a folder ends with a slash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[f"{name}/"] = ""
        else:
            found[name] = path.read_text(encoding="utf-8")
    return found


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Make the clock that `time.monotonic` reads."""
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what is written to the container's log; each line has the time STAMP."""
    lines: list[str] = []
    write = os.write

    def noted(descriptor: int, data: bytes) -> int:
        if descriptor != 1:
            return write(descriptor, data)
        lines.append(data.decode("utf-8"))
        return len(data)

    monkeypatch.setattr(os, "write", noted)
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2026, 2, 3, 4, 5, 6, 1, 34, 0)))
    return lines


STAMP = "2026-02-03T04:05:06Z"


def descriptors() -> set[tuple[int, str]]:
    """Return what is open, by its number and where it leads; not the listing itself."""
    found = set()
    for path in list(Path("/proc/self/fd").iterdir()):
        try:
            found.add((int(path.name), str(path.readlink())))
        except FileNotFoundError:
            continue
    return found
