"""Homes of sandboxes for tests: each its own, all with one Python environment, which takes ten seconds to make."""

import fcntl
from collections.abc import Callable
from pathlib import Path

from model_dockerize.progress import Silent
from model_dockerize.sandbox import environment

#: Makes an empty home with this word in its name.
NewHome = Callable[[str], Path]


def furnish(home: Path, shared: Path) -> Path:
    """Give `home` the environment in `shared`, which the first process to come makes there."""
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment.ensure(shared, Silent())
    made = environment.environment_path(shared)
    (home / made.name).symlink_to(made)
    return home
