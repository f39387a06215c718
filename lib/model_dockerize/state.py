"""The folder of this program's state."""

from collections.abc import Mapping
from pathlib import Path


def folder(environment: Mapping[str, str]) -> Path:
    """Return `$MODEL_DOCKERIZE_HOME`, else `model-dockerize` in the XDG state directory."""
    if chosen := environment.get("MODEL_DOCKERIZE_HOME"):
        return Path(chosen)
    home = environment.get("HOME")
    state = environment.get("XDG_STATE_HOME") or (Path(home) if home else Path.home()) / ".local" / "state"
    return Path(state) / "model-dockerize"
