"""The manifest: what the image tells the server about its model. Written when the image is built, read at start."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model_server.errors import ManifestError


@dataclass(frozen=True)
class Limits:
    """Bounds of one job."""

    timeout_seconds: int = 3600
    #: Largest data file that add-job takes, bytes.
    upload_bytes: int = 2 * 1024**3


@dataclass(frozen=True)
class Manifest:
    """The model of this image."""

    name: str
    version: str
    #: Content identity of the image; "local" when it was built without one.
    build_id: str
    #: argv of the program; "{input}" and "{output}" are replaced, also inside words.
    command: tuple[str, ...]
    working_directory: str
    #: MIME types, most natural first; never empty.
    input_types: tuple[str, ...]
    output_types: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)


_KEYS = ("name", "version", "build_id", "command", "working_directory", "input_types", "output_types", "limits")


def parse(text: str, build_id: str | None = None) -> Manifest:
    """Reads a manifest from JSON text; `build_id` overrides (and may stand in for) the one in the text.

    Raises:
        ManifestError: with every problem found.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ManifestError(f"the manifest is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ManifestError("the manifest must be one JSON object")
    if build_id is not None:
        document = {**document, "build_id": build_id}
    problems = _problems(document)
    if problems:
        raise ManifestError("the manifest is wrong: " + "; ".join(problems))
    return Manifest(
        name=document["name"],
        version=document["version"],
        build_id=document["build_id"],
        command=tuple(document["command"]),
        working_directory=document["working_directory"],
        input_types=tuple(document["input_types"]),
        output_types=tuple(document["output_types"]),
        limits=Limits(**document.get("limits", {})),
    )


def read(path: Path) -> Manifest:
    """Reads the manifest file of the image.

    Raises:
        ManifestError: it is missing, unreadable or wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"cannot read the manifest {path}: {error}. The image's build writes it by: model-server manifest '<json>'"
        ) from error
    return parse(text)


def write(manifest: Manifest, path: Path) -> None:
    """Writes the manifest file, readable for everyone (the server drops its privileges before a job runs)."""
    try:
        path.write_text(json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        path.chmod(0o644)
    except OSError as error:
        raise ManifestError(f"cannot write the manifest {path}: {error}") from error


def _problems(document: Mapping[str, Any]) -> list[str]:
    problems = [f"unknown key {key!r}" for key in document if key not in _KEYS]
    problems += [f"{key!r} is missing" for key in _KEYS[:-1] if key not in document]
    problems += [
        f"{key!r} must be a text that is not empty"
        for key in ("name", "version", "build_id", "working_directory")
        if key in document and not _is_text(document[key])
    ]
    for key in ("command", "input_types", "output_types"):
        value = document.get(key)
        if key in document and not (isinstance(value, list) and value and all(map(_is_text, value))):
            problems.append(f"{key!r} must be a list of texts that is not empty")
    if not str(document.get("working_directory", "/")).startswith("/"):
        problems.append("'working_directory' must be an absolute path")
    command = document.get("command")
    if isinstance(command, list):
        words = " ".join(word for word in command if isinstance(word, str))
        problems += [f"'command' has no {mark}" for mark in ("{input}", "{output}") if mark not in words]
    return problems + _limit_problems(document.get("limits", {}))


def _limit_problems(limits: object) -> list[str]:
    if not isinstance(limits, dict):
        return ["'limits' must be an object"]
    known = asdict(Limits())
    problems = [f"unknown limit {key!r}" for key in limits if key not in known]
    problems += [
        f"limit {key!r} must be a whole number above 0"
        for key in known
        if key in limits and (type(limits[key]) is not int or limits[key] <= 0)
    ]
    return problems


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\x00" not in value
