"""The `docker` command of the tests' engine."""

import subprocess
from pathlib import Path

from tests.rig.waiting import BUSY_SECONDS


def docker(*arguments: str | Path, cwd: Path | None = None, stdin: str | None = None) -> str:
    """Run a command that must work; return its output without the blanks around it."""
    return both_outputs(*arguments, cwd=cwd, stdin=stdin)[0].strip()


def both_outputs(*arguments: str | Path, cwd: Path | None = None, stdin: str | None = None) -> tuple[str, str]:
    """Run a command that must work; return its output and what it says on standard error."""
    done = subprocess.run(
        ["docker", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=BUSY_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(map(str, arguments))}: {done.stderr}"
    return done.stdout, done.stderr
