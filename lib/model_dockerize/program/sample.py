"""Finds the sample and the MIME types."""

import mimetypes
from dataclasses import dataclass
from pathlib import Path

from model_dockerize.inside import OutsideError, resolved
from model_dockerize.program.problems import Problems
from model_dockerize.program.types import Sample
from model_dockerize.settings import SmokeSettings, is_file

UNKNOWN_TYPE = "application/octet-stream"
_TYPES = {
    ".csv": "text/csv; header=present",
    ".json": "application/json",
    ".txt": "text/plain",
    ".parquet": "application/vnd.apache.parquet",
}
_FOLDER = "smoke"


def mime_type(path: Path) -> str:
    """Use Python's own table: the computer's would make images differ."""
    suffix = path.suffix.lower()
    return _TYPES.get(suffix) or mimetypes.MimeTypes().guess_type(f"x{suffix}")[0] or UNKNOWN_TYPE


@dataclass(frozen=True)
class Found:
    """The sample and the MIME types."""

    sample: Sample | None
    input_types: tuple[str, ...]
    output_types: tuple[str, ...]


def find(settings: SmokeSettings, root: Path, problems: Problems) -> Found:
    """Find the settings' files, else those of `smoke/`; the first `input.*` is the sample."""
    inputs = _files("smoke-input", settings.smoke_input, root, "input", problems)
    answers = _files("smoke-expected", settings.smoke_expected, root, "expected", problems)
    mappings = _files("smoke-mapping", settings.smoke_mapping, root, "mapping", problems)
    for found, what, option in (
        (answers, "expected results", "smoke-expected"),
        (mappings, "mapping files", "smoke-mapping"),
    ):
        if len(found) > 1:
            names = ", ".join(f"{_FOLDER}/{path.name}" for path in found)
            problems.wrong_folder(f"several {what}: {names}. Keep one, or name it with {option}.")
    if (beside := [*answers, *mappings]) and not inputs and settings.smoke_input is None:
        problems.wrong_folder(f"{beside[0]} is there, but no {_FOLDER}/input.* that it belongs to.")
    return Found(
        Sample(inputs[0], _first(answers), mime_type(inputs[0]), _first(mappings)) if inputs else None,
        tuple(dict.fromkeys(map(mime_type, inputs))) or (UNKNOWN_TYPE,),
        tuple(map(mime_type, answers[:1])) or (UNKNOWN_TYPE,),
    )


def _first(paths: list[Path]) -> Path | None:
    return paths[0] if paths else None


def _files(option: str, setting: Path | None, root: Path, stem: str, problems: Problems) -> list[Path]:
    if setting is None:
        return [path for path in sorted((root / _FOLDER).glob(f"{stem}.*")) if _is_inside(path, root, problems)]
    if is_file(setting):
        return [setting]
    problems.wrong_input(f"{option} {str(setting)!r} is no file.")
    return []


def _is_inside(path: Path, root: Path, problems: Problems) -> bool:
    try:
        return resolved(path, root).is_file()
    except OutsideError as error:
        problems.wrong_folder(f"the sample {error}; copy the file in instead.")
        return False
