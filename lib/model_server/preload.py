"""Hands LD_PRELOAD to programs only: the server's C library may be older.

The loader reads it before our code, so the Dockerfile keeps it in MODEL_LD_PRELOAD.
"""

from collections.abc import MutableMapping

_KEPT = "MODEL_LD_PRELOAD"
_NAME = "LD_PRELOAD"


def release(environment: MutableMapping[str, str]) -> None:
    """Restore LD_PRELOAD for programs."""
    kept = environment.pop(_KEPT, "")
    if kept:
        environment[_NAME] = kept
    elif not environment.get(_NAME):
        environment.pop(_NAME, None)


def keep(environment: MutableMapping[str, str]) -> None:
    """Hide LD_PRELOAD from our own process."""
    kept = environment.pop(_NAME, "")
    if kept:
        environment[_KEPT] = kept
