"""The files that formats read. All may raise UnusableError."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from packaging.utils import canonicalize_name

# A deeper file ends the process: the loader in C calls itself for each level.
_DEEPEST = 100


class UnusableError(Exception):
    """Says which file is unusable, why, and the remedy."""


class UnknownChoiceError(UnusableError):
    """An unknown extra or group."""


@dataclass(frozen=True)
class Folder:
    """Texts of package files, and names of all files."""

    texts: Mapping[str, str]  # by name, at the top of the folder
    paths: frozenset[str]
    has_init_script: bool = False
    extras: frozenset[str] = frozenset()  # of the project, that are installed besides; canonical names
    groups: frozenset[str] = frozenset()  # the same of dependency groups
    platform: str = ""  # that the image is for; empty: no input says it

    def choose(self, file: str, extras: Iterable[str], groups: Iterable[str]) -> None:
        """Raise UnknownChoiceError if a file lacks a chosen extra or group."""
        wrong = []
        for setting, chosen, known in (("extras", self.extras, extras), ("dependency-groups", self.groups, groups)):
            names = sorted(set(map(canonicalize_name, known)))
            if missing := sorted(chosen.difference(names)):
                has = f"It has {', '.join(names)}." if names else "It has none."
                wrong.append(f"{setting}: {file} has no {', '.join(missing)}. {has}")
        if wrong:
            raise UnknownChoiceError(" ".join(wrong))

    def toml(self, name: str) -> dict[str, Any]:
        try:
            return _parsed_toml(self.texts.get(name, ""))
        except tomllib.TOMLDecodeError as error:
            raise UnusableError(f"{name} is not valid TOML: {error}.") from error

    def json(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads(self.texts[name])
        except (ValueError, RecursionError) as error:
            raise UnusableError(f"{name} is not valid JSON: {error}.") from error
        return table(content, name, "its content")

    def yaml(self, name: str) -> dict[str, Any]:
        """Refuse aliases, a few lines of which stand for gigabytes."""
        # Locks of thousands of lines are usual; the loader in C reads them ten times faster.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        text, depth = self.texts[name], 0
        try:
            for event in yaml.parse(text, loader):
                if isinstance(event, yaml.AliasEvent):
                    raise UnusableError(f"{name} has an alias (*{event.anchor}): write out what it stands for.")
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                if depth > _DEEPEST:
                    raise UnusableError(f"{name} is nested more than {_DEEPEST} levels deep.")
            content = yaml.load(text, loader)  # noqa: S506 - it is safe  # nosec B506
        except yaml.YAMLError as error:
            raise UnusableError(f"{name} is not valid YAML: {error}.") from error
        return table(content, name, "its content")

    def holds_folder(self, path: str) -> bool:
        return any(name.startswith(f"{path}/") for name in self.paths)


@lru_cache(maxsize=8)  # a format asks the same file for its name, its Python and its packages
def _parsed_toml(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def table(value: Any, file: str, what: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise UnusableError(f"{file}: {what} is {type(value).__name__}, not a table.")


def tables(value: Any, file: str, what: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise UnusableError(f"{file}: {what} is {type(value).__name__}, not a list.")
    return [table(item, file, f"an entry of {what}") for item in value]
