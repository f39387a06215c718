"""Asks a model for the mapping file of a data set."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from model_dockerize.errors import InputError, SmokeError
from model_dockerize.smoke.client import CheckFailed, ModelClient, Unanswered

_PAUSE_SECONDS = 0.2


def propose_mapping(
    urls: Sequence[str],
    data: Path,
    mime_type: str,
    timeout: float,
    alive: Callable[[], str | None] = lambda: None,
) -> list[dict[str, Any]]:
    """Return the mapping that the model proposes; otherwise as `check`."""
    try:
        content = data.read_bytes()
    except OSError as error:
        raise InputError(f"{data} cannot be read: {error.strerror}.", "Give a file of data for the model.") from error
    deadline = time.monotonic() + timeout
    while True:
        for url in urls:
            with closing(ModelClient(url)) as client:
                try:
                    return _entries(client.mapping(data.name, content, mime_type))
                except Unanswered as error:
                    problem = str(error)
                except CheckFailed as error:
                    raise InputError(
                        f"The model proposes no mapping for {data}: {error}",
                        "Give structured data, CSV or JSON; --mime-type says what it is, if not what the model takes.",
                    ) from error
        gone = alive()
        if gone or time.monotonic() > deadline:
            raise SmokeError(f"The model does not answer: {gone or problem}", "Look into the container's log.")
        time.sleep(_PAUSE_SECONDS)


def _entries(text: str) -> list[dict[str, Any]]:
    try:
        return [dict(entry) for entry in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise CheckFailed(f"what answers is no model server of this version: {error}") from error
