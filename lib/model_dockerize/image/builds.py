"""Remembers which image was built for a build id.

A loaded or pulled one never counts: anybody can write its label.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from model_dockerize import state
from model_dockerize.settings import in_action


def remember(environment: Mapping[str, str], build_id: str, image_id: str) -> None:
    """Remember the image, except in the Action."""
    folder = _folder(environment)
    if folder is None:
        return
    with suppress(OSError):  # the next run builds again, from the engine's cache
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(image_id)
        Path(temporary).replace(folder / build_id)


def recall(environment: Mapping[str, str], build_id: str) -> str:
    """Return the image id last built for a build id, else ""."""
    folder = _folder(environment)
    if folder is None or not re.fullmatch(r"[0-9a-f]{32}", build_id):
        return ""
    try:
        return (folder / build_id).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def _folder(environment: Mapping[str, str]) -> Path | None:
    # In the Action, all steps of the job share the home.
    return None if in_action(environment) else state.folder(environment) / "builds"
