"""Works with an engine's images while others remove theirs."""

import re
import time
from collections.abc import Callable
from typing import TypeVar

_ATTEMPTS = 20
_PAUSE = 0.25  # seconds
_LOST_LAYER = re.compile(r"parent snapshot \S+ does not exist")

_Listed = TypeVar("_Listed")


def listed(ask: Callable[[], _Listed], sleep: Callable[[float], None] = time.sleep) -> _Listed:
    """Ask again while the engine misses an image that just went.

    Docker 26.1 answers 404 then; the same of containerd: https://github.com/containerd/nerdctl/issues/4104
    """
    from docker.errors import NotFound  # noqa: PLC0415 - commands that need no engine start without it

    for _ in range(_ATTEMPTS - 1):
        try:
            return ask()
        except NotFound:
            sleep(_PAUSE)
    return ask()


def lost_a_layer(reason: str) -> bool:
    """Tell whether the engine removed a layer that it was unpacking; the same again succeeds.

    With the containerd image store, of Docker Engine before the fix of March 2026:
    https://github.com/moby/buildkit/issues/6521, https://github.com/containerd/containerd/issues/10835
    """
    return bool(_LOST_LAYER.search(reason))
