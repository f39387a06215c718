"""Tells where the process runs, and which files are missing."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from model_dockerize.progress import Progress

# Where GitHub's runner mounts the workspace into every container action (ContainerActionHandler.cs).
_WORKSPACE = "/github/workspace"


def in_action(environment: Mapping[str, str]) -> bool:
    """Tell whether this is the Action's container, which lacks the runner's own files."""
    return environment.get("GITHUB_WORKSPACE") == _WORKSPACE


def is_file(path: Path | str) -> bool:
    """Return False in a folder closed to us, where Path.is_file() raises."""
    return os.path.isfile(path)  # noqa: PTH113


def warn_of_missing_files(environment: Mapping[str, str], names: Iterable[str], progress: Progress) -> tuple[str, ...]:
    missing = tuple(name for name in names if environment.get(name) and not os.path.exists(environment[name]))  # noqa: PTH110
    for name in missing:
        advice = (
            f"The Action sees the files of the workspace only: copy it there in a step before, and set {name} to it."
            if in_action(environment)
            else "Correct the variable, or unset it."
        )
        progress.warning(f"{name} names {environment[name]}, which does not exist, so it is ignored. {advice}")
    return missing
