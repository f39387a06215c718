"""The base image's LD_PRELOAD: the program's, never the server's, whose C library may be an older one.

The loader reads LD_PRELOAD before any code of ours runs, so the image's Dockerfile keeps it under another name.
"""

from collections.abc import MutableMapping

_KEPT = "MODEL_LD_PRELOAD"
_NAME = "LD_PRELOAD"


def release(environment: MutableMapping[str, str]) -> None:
    """Gives it to the processes that are started with `environment`."""
    kept = environment.pop(_KEPT, "")
    if kept:
        environment[_NAME] = kept
    elif not environment.get(_NAME):
        environment.pop(_NAME, None)


def keep(environment: MutableMapping[str, str]) -> None:
    """Keeps it from the process, one of ours, that is started with `environment`, and for those that it starts."""
    kept = environment.pop(_NAME, "")
    if kept:
        environment[_KEPT] = kept
