"""Writes the report as a JSON file: the input `report`."""

from pathlib import Path

from model_dockerize.errors import InputError
from model_dockerize.report.model import Report, to_json


def reserve(path: Path | None) -> Path | None:
    """Makes the report's file before the run, so that a place that cannot be written to fails at once.

    Raises:
        InputError: it cannot be written.
    """
    if path:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            raise InputError(f"The report {path} cannot be written: {error.strerror}.", "Name a file.") from error
    return path


def write(report: Report, path: Path) -> None:
    """Writes the report as JSON, and escapes what is not valid Unicode in its texts.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text(to_json(report), encoding="utf-8", errors="backslashreplace")
