"""Shared parts of the machine commands: messages, running programs, reading /etc/os-release."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

EXIT_REFUSED = 4


class MachineError(Exception):
    """This machine cannot be set up as asked. The message is one sentence that says what to do."""


def say(text: str) -> None:
    """Print one line of progress on stderr: stdout belongs to results."""
    print(text, file=sys.stderr, flush=True)


def is_root() -> bool:
    return os.geteuid() == 0


def run(
    argv: Sequence[str], *, timeout: float = 600, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> str:
    """Run a program to its end and return its stdout.

    Args:
        argv: program and arguments.
        timeout: seconds after which it is killed.
        env: variables set over this process's own.
        cwd: its working directory.

    Raises:
        MachineError: it is missing, failed or took too long; carries the last lines it wrote.
    """
    name = " ".join(argv[:2])
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise MachineError(f"`{argv[0]}` is not installed on this machine.") from None
    except subprocess.TimeoutExpired:
        raise MachineError(f"`{name}` did not end within {timeout:.0f} seconds.") from None
    if done.returncode != 0:
        tail = " | ".join((done.stderr or done.stdout).strip().splitlines()[-4:])
        raise MachineError(f"`{name}` failed with exit code {done.returncode}: {tail}")
    return done.stdout


def parse_os_release(text: str) -> dict[str, str]:
    """Parse the KEY=value lines of os-release(5), without quotes."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}
