"""Declares inputs, as annotated fields of the settings.

`cpu: Annotated[int, Input("Fargate CPU units of a task.")] = 1024` has the field's name, type and default. action.yml,
flags, YAML reader, JSON schema and docs/inputs.md are made from it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from enum import Enum
from inspect import get_annotations
from pathlib import Path
from typing import Any, get_args

from model_dockerize.settings import variables
from model_dockerize.settings.given import Source
from model_dockerize.settings.keys import KeyForm
from model_dockerize.settings.variables import Pairs

#: Heads what most people need, in help texts and in docs/inputs.md.
COMMON_TITLE = "What most people need"


class Kind(Enum):
    """A value's form, with its word in help texts."""

    TEXT = "TEXT"
    PATH = "PATH"
    FLAG = "true|false"
    INTEGER = "NUMBER"
    SECONDS = "SECONDS"
    LIST = "A,B"
    PAIRS = "NAME=VALUE"
    KEY = "KEY|FILE"


#: What a field's type says.
_KINDS: Mapping[Any, Kind] = {
    str: Kind.TEXT,
    Path: Kind.PATH,
    bool: Kind.FLAG,
    int: Kind.INTEGER,
    tuple[str, ...]: Kind.LIST,
    Pairs: Kind.PAIRS,
}


@dataclass(frozen=True)
class Input:
    """An input; `inputs_of` fills in `kind` to `field`."""

    help: str
    _: KW_ONLY
    common: bool = False  # among the dozen that most people need
    choices: tuple[str, ...] = ()  # the words it may be; of a flag: beside true and false
    rule: Callable[[str], str] | None = None  # what is wrong with a text, or one word of a list; empty: nothing
    least: int = 1
    most: int = 10**9 - 1
    pairs: Callable[[str], Pairs] = variables.read  # reads NAME=VALUE lines; ValueError: what is wrong
    key: KeyForm | None = None  # it is a key, of this form
    requires: str = ""  # an input without which it means nothing; a flag that is not given is as that one
    may_end: bool = False  # the word none takes away what it once said
    builds: bool = False  # it has no effect on an image that is finished
    private: bool = False  # its value is kept out of logs
    caller_only: bool = False  # model-dockerize.yml may not set it
    variable: str = ""  # of the environment, that sets it where nothing else does
    config_ini: str = ""  # what of a Config.ini sets it
    kind: Kind = Kind.TEXT  # said where the field's type does not say it
    name: str = ""  # in kebab-case
    default: str = ""  # as a user would write it; empty: there is none, and `help` says what happens then
    group: str = ""  # the field of Settings
    title: str = ""  # of the class that declares it
    field: str = ""

    @property
    def hint(self) -> str:
        return "|".join((self.kind.value, *self.choices)) if self.kind is Kind.FLAG else self.kind.value

    @property
    def meaning(self) -> str:
        return f"{self.help} none takes away what is there." if self.may_end else self.help

    @property
    def sources(self) -> Mapping[Source, str]:
        """Map each source that may set it to how."""
        own = {Kind.PATH: "path in the folder", Kind.KEY: "key, or path in the folder"}.get(self.kind, "yes")
        ways = {
            Source.CALLER: "yes",
            Source.ENVIRONMENT: f"`{self.variable}`" if self.variable else "",
            Source.FOLDER: "" if self.caller_only else own,
            Source.CONFIG_INI: f"`{self.config_ini}`" if self.config_ini.startswith("[") else self.config_ini,
        }
        return {source: way for source, way in ways.items() if way}


def inputs_of(groups: Mapping[str, type]) -> tuple[Input, ...]:
    """Return all inputs in the order of fields; a class comes before its bases."""
    return tuple(
        found for group, tree in groups.items() for section in tree.__mro__ for found in _declared(group, section)
    )


def _declared(group: str, section: type) -> Iterator[Input]:
    for field, hint in get_annotations(section).items():
        annotation, *metadata = get_args(hint) or (hint,)
        for declared in metadata:
            if isinstance(declared, Input):
                is_follower = declared.requires and annotation is bool
                yield replace(
                    declared,
                    kind=_kind(declared, annotation),
                    name=field.replace("_", "-"),
                    default="" if is_follower else _as_written(getattr(section, field)),
                    group=group,
                    title=section.__dict__["TITLE"],
                    field=field,
                )


def _kind(declared: Input, annotation: Any) -> Kind:
    if declared.key:
        return Kind.KEY
    if declared.kind is not Kind.TEXT:
        return declared.kind
    return next(_KINDS[part] for part in (annotation, *get_args(annotation)) if part in _KINDS)


def _as_written(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case tuple():
            return ",".join(default)
    return str(default)
