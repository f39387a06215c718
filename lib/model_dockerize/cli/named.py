"""Commands that need no folder, and answers in JSON."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from model_dockerize.cli.execute import WORD
from model_dockerize.patterns import ECS_NAME
from model_dockerize.settings import Given
from model_dockerize.settings.load import Layer, described

Command = Callable[..., None]


@dataclass(frozen=True)
class Asked:
    """The model that a command is about."""

    target: Path | None
    flags: Mapping[str, str | None]

    @property
    def by_name(self) -> bool:
        """Tell whether it is given by its name, so that no folder is read."""
        flags = self.flags
        return self.target is None and not flags.get("program_path") and bool(flags["service"] or flags["image_name"])

    @property
    def read(self) -> Callable[[Given], Layer]:
        return (lambda _: {}) if self.by_name else described


def asked(target: Path | None, flags: Mapping[str, str | None], word: str = "") -> Asked:
    """Take an argument that is no path, nor written as one, for the name of a service, and say so."""
    name = word or str(click.get_current_context().meta.get(WORD) or target)
    others = (flags[each] for each in ("service", "program_path", "from_archive"))
    if target is None or os.path.lexists(target) or ECS_NAME(name) or any(others):
        return Asked(target, flags)
    click.echo(f"There is no folder {name} here: {name} is taken for the name of a service.", err=True)
    return Asked(None, {**flags, "service": name})


def answers_in_json(command: Command) -> Command:
    words = "Print the report as one JSON object to standard output, and nothing else there."
    return click.option("--json", "as_json", is_flag=True, help=words)(command)
