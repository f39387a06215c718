"""Runs the user's own test, without shell and credentials."""

import os
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from model_dockerize.progress import Progress

_KEPT = 20  # last lines that an error shows
_LONGEST = 10_000  # characters of a line; what follows is the next one
_GRACE = 5.0  # seconds between the request to end and the end
#: Variables that are the run's and not the command's: keys of AWS, tokens of GitHub, inputs of the step.
_OURS = ("AWS_", "ACTIONS_", "INPUT_", "GITHUB_TOKEN", "GH_TOKEN")
_HARMLESS = frozenset(("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE"))


def own_check(
    command: str, url: str, seconds: float, environment: Mapping[str, str], progress: Progress
) -> tuple[str, ...]:
    """Run `command` with MODEL_URL; return why it failed.

    Args:
        seconds: after which it and its children are ended.
    """
    words = shlex.split(command)
    variables = {k: v for k, v in environment.items() if k in _HARMLESS or not k.startswith(_OURS)} | {"MODEL_URL": url}
    try:
        child = subprocess.Popen(
            words,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return (f"check: {words[0]} cannot be run: {error.strerror}",)
    last: deque[str] = deque(maxlen=_KEPT)
    reader = threading.Thread(target=_read, args=(child, last, progress), daemon=True)
    reader.start()
    late = ""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        late = f"check: it was not over after {seconds:g} s (smoke-timeout)"
    finally:
        _end(child)
    reader.join(_GRACE)
    if not (late or child.returncode):
        return ()
    return (late or f"check: {words[0]} ended with exit code {child.returncode}", *last)


def _read(child: subprocess.Popen[str], last: deque[str], progress: Progress) -> None:
    assert child.stdout  # noqa: S101 - it is a pipe
    while line := child.stdout.readline(_LONGEST):
        last.append(line.rstrip("\n"))
        progress.output(last[-1])


def _end(child: subprocess.Popen[str]) -> None:
    """End its process group, even after its own end."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
