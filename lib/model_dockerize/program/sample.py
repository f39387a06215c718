"""The sample that a model is proved with, and the MIME types that follow from it."""

import mimetypes
from pathlib import Path

from model_dockerize.program.problems import Problems
from model_dockerize.program.types import Sample
from model_dockerize.settings import SmokeSettings

UNKNOWN_TYPE = "application/octet-stream"
_TYPES = {
    ".csv": "text/csv; header=present",
    ".json": "application/json",
    ".txt": "text/plain",
    ".parquet": "application/vnd.apache.parquet",
}
_FOLDER = "smoke"


def mime_type(path: Path) -> str:
    """By the extension, with Python's own table: the computer's would make images differ."""
    suffix = path.suffix.lower()
    return _TYPES.get(suffix) or mimetypes.MimeTypes().guess_type(f"x{suffix}")[0] or UNKNOWN_TYPE


def find(settings: SmokeSettings, root: Path, problems: Problems) -> Sample | None:
    """The files that the settings name, else `smoke/input.*` and `smoke/expected.*` of the folder."""
    given = _one("smoke-input", settings.smoke_input, root, "input", problems)
    expected = _one("smoke-expected", settings.smoke_expected, root, "expected", problems)
    if given is None:
        if expected is not None:
            problems.wrong_folder(f"{expected} is there, but no {_FOLDER}/input.* that it answers.")
        return None
    return Sample(given, expected, mime_type(given))


def _one(option: str, setting: Path | None, root: Path, stem: str, problems: Problems) -> Path | None:
    if setting is not None:
        path = setting if setting.is_file() else root / setting
        if path.is_file():
            return path.resolve()
        problems.wrong_input(f"{option} {str(setting)!r} is no file.")
        return None
    folder = root / _FOLDER
    found = sorted(path for path in folder.glob(f"{stem}.*") if path.is_file()) if folder.is_dir() else []
    if len(found) > 1:
        names = ", ".join(f"{_FOLDER}/{path.name}" for path in found)
        problems.wrong_folder(f"several samples: {names}. Keep one, or name it with {option}.")
    return found[0] if found else None
