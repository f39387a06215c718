"""Run the programs that a release needs: git, docker, pip."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from releasing import ReleaseError


def run(
    *argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: str = "", seconds: float = 1800
) -> str:
    """Run a program and return what it prints. `env` is added to the environment.

    Raises:
        ReleaseError: it cannot be run, does not end, or failed; with the last lines of its output.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        raise ReleaseError(f"`{argv[0]}` cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(f"`{' '.join(argv[:3])} ...` did not end within {seconds:.0f} s.") from error
    if done.returncode != 0:
        said = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-20:])
        raise ReleaseError(f"`{' '.join(argv[:3])} ...` ended with exit code {done.returncode}:\n{said}")
    return done.stdout.strip()
