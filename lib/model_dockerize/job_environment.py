"""Keeps the job's credentials out of /proc."""

import json
import os
import signal
import sys

#: Names the open file in which the environment is handed on.
_HANDED = "MODEL_DOCKERIZE_HANDED"
#: What libraries read of the process's own environment. All else is given to who needs it.
_KEPT = ("HOME", "LANG", "TMPDIR", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def take() -> dict[str, str]:
    """Return the job's environment, after a restart without it: /proc shows it from the start."""
    handed = os.environ.get(_HANDED)
    # The new start has no handler yet, and a container's first process ignores what it does not handle: it waits.
    ends = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK if handed is None else signal.SIG_UNBLOCK, ends)
    if handed is None:
        memory = os.memfd_create("environment", 0)
        os.write(memory, json.dumps(dict(os.environ)).encode())
        os.execve(sys.executable, [sys.executable, "-I", *sys.argv], {_HANDED: str(memory)})  # noqa: S606
    with open(int(handed), "rb") as file:  # noqa: PTH123  it has no path
        file.seek(0)
        environment: dict[str, str] = json.load(file)
    os.environ.clear()
    os.environ.update({name: text for name, text in environment.items() if name.upper() in _KEPT})
    return environment
