"""What the environment of a process says of where it runs, and which files it names that are not there."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from model_dockerize.progress import Progress

# Where GitHub's runner mounts the workspace into every container action (ContainerActionHandler.cs).
_WORKSPACE = "/github/workspace"


def in_action(environment: Mapping[str, str]) -> bool:
    """Tell whether this is the Action's container: the runner's own files and settings are elsewhere."""
    return environment.get("GITHUB_WORKSPACE") == _WORKSPACE


def without_absent(environment: Mapping[str, str], names: Iterable[str], progress: Progress) -> dict[str, str]:
    """Leave out those of the variables `names` that name a file which is not there, with a warning each."""
    absent = [name for name in names if environment.get(name) and not Path(environment[name]).exists()]
    for name in absent:
        advice = (
            f"The Action sees the files of the workspace only: copy it there in a step before, and set {name} to it."
            if in_action(environment)
            else "Correct the variable, or unset it."
        )
        progress.warning(f"{name} names {environment[name]}, which is not there, so it is ignored. {advice}")
    return {name: text for name, text in environment.items() if name not in absent}
