"""Ends the sandboxes that a test session leaves when it is killed: a process of its own, which outlives the session.

It reads their homes, a line each, from a pipe that nobody but the session holds. The pipe ends when the session does,
however it does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.rig.waiting import BUSY_SECONDS

from model_dockerize import sandbox
from model_dockerize.progress import Silent
from model_dockerize.sandbox import record

_ROOT = Path(__file__).resolve().parents[2]


class Reaper:
    """The session's end of the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.reaper"],
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": f"{_ROOT}/lib:{_ROOT}"},
            stdin=subprocess.PIPE,
            start_new_session=True,  # what ends the session's group does not end it
            text=True,
        )

    def watch(self, home: Path) -> None:
        """Have the sandbox of `home` ended if the session does not end it."""
        assert self._process.stdin
        self._process.stdin.write(f"{home}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Have all of them ended now."""
        self._process.communicate(timeout=BUSY_SECONDS)


def main() -> None:
    homes = [Path(line.rstrip("\n")) for line in sys.stdin]
    for home in homes:
        if record.load(home):
            sandbox.stop(home, Silent())


if __name__ == "__main__":
    main()
