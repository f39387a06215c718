"""Commands that need no folder, and answers in JSON."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from model_dockerize.settings import Given
from model_dockerize.settings.load import Layer, described

Command = Callable[..., None]


def is_named(target: Path | None, flags: Mapping[str, str | None]) -> bool:
    """Tell whether the model is given by its name."""
    return target is None and not flags.get("program_path") and bool(flags.get("service") or flags.get("image_name"))


def reader(by_name: bool) -> Callable[[Given], Layer]:
    return (lambda _: {}) if by_name else described


def answers_in_json(command: Command) -> Command:
    words = "Print the report as one JSON object (docs/report.md) to standard output, and nothing else there."
    return click.option("--json", "as_json", is_flag=True, help=words)(command)
