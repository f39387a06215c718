"""Processes of this computer; any of them may end while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def command_lines() -> Iterator[str]:
    """Yield the command line of each process that runs, its arguments parted by blanks."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")


def is_over(pid: int) -> bool:
    """Return true for a process that has ended, whether or not its parent has read how."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return True
