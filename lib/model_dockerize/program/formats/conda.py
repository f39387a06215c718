"""Reads conda's environment.yml, solved during the build."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from model_dockerize.program.formats.constraints import conda_python
from model_dockerize.program.formats.folder import Folder, UnusableError, table
from model_dockerize.program.formats.requirements import is_local
from model_dockerize.program.types import MARKER, Packages

FILES = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml", "env.yml", "env.yaml")
_SPEC = re.compile(r"(?:\w[\w./:-]*::)?(?P<name>[A-Za-z0-9_][\w.-]*)(?P<version>[ =<>!~\[][ -~]*)?")
_CHANNEL = re.compile(r"[\w./][\w.:/%~+-]*")
_SECRET = re.compile(r"/t/[^/]+/|://[^/\s]*@")  # the first: how Anaconda's channels take a token
_MOST_SHOWN = 100
_VARIABLE = re.compile(r"(?!PATH$|MODEL_)[A-Za-z_][A-Za-z0-9_]*")
_FROM_BASE = ("python", "pip", "setuptools", "wheel")  # what every base image with Python has
_USUAL = "defaults"  # what conda looks through where a file names no channel


def read(folder: Folder) -> Packages | None:
    """Install the environment, without conda where pip suffices."""
    file = next((name for name in FILES if name in folder.texts), "")
    if not file:
        return None
    content = folder.yaml(file)
    asked = _listed(content, file, "dependencies")
    pips = [line for one in asked if _is_pips(one) for line in one["pip"] or ()]
    for one in (*pips, *(one for one in asked if not _is_pips(one))):
        if not isinstance(one, str):
            raise UnusableError(f"{file}: {str(one)[:_MOST_SHOWN]!r} in dependencies is no text, which a package is.")
    lines = list(map(str, pips))
    if any(len(line.splitlines()) > 1 or line.lstrip().startswith("-") for line in lines):
        raise UnusableError(f"{file}: an option of pip stands among its packages. Move them into requirements.txt.")
    condas = [str(one).strip() for one in asked if not _is_pips(one)]
    refuse_secrets(file, (*condas, *map(str, _listed(content, file, "channels"))))
    specs = {one: _name_and_version(one, file) for one in condas}
    version = next((version for name, version in specs.values() if name == "python"), "")
    needs_conda = any(name not in _FROM_BASE for name, _ in specs.values())
    return Packages(
        source=file,
        text="\n".join((f"{MARKER} From {file}; edits are lost.", *lines, "")) if lines else "",
        exact=not lines,
        need_code=any(map(is_local, lines)),
        need_git=any("git+" in line for line in lines),
        python="" if needs_conda else conda_python(version),
        conda=(*_channels(content, file), *specs) if needs_conda else (),
        variables=_variables(content, file),
    )


def refuse_secrets(file: str, addresses: Iterable[str]) -> None:
    """Refuse addresses with a token or password, without showing them."""
    if any(map(_SECRET.search, addresses)):
        raise UnusableError(
            f"{file}: an address holds a token or a password, which everybody could read in the image. Name a channel "
            "that wants none."
        )


def _name_and_version(spec: str, file: str) -> tuple[str, str]:
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise UnusableError(f"{file}: {spec[:_MOST_SHOWN]!r} is no package of conda.")
    return match["name"], match["version"] or ""


def _channels(content: dict[str, Any], file: str) -> list[str]:
    named = [str(channel) for channel in _listed(content, file, "channels")]
    for channel in named:
        if not _CHANNEL.fullmatch(channel) or urlsplit(channel).scheme not in ("", "http", "https"):
            raise UnusableError(f"{file}: {channel[:_MOST_SHOWN]!r} is no channel: its name, or its https address.")
    wanted = [channel for channel in named if channel != "nodefaults"] or [_USUAL]
    return [word for channel in wanted for word in ("--channel", channel)]


def _variables(content: dict[str, Any], file: str) -> tuple[tuple[str, str], ...]:
    named = table(content.get("variables") or {}, file, "variables")
    for name, value in named.items():
        if not _VARIABLE.fullmatch(str(name)) or not str(value).isprintable():
            raise UnusableError(f"{file}: variables: {name!r} cannot be set in an image.")
        if not isinstance(value, str | int | float):
            raise UnusableError(f"{file}: variables: {name!r} is no text and no number. Write its value in quotes.")
    return tuple((str(name), str(value)) for name, value in named.items())


def _listed(content: dict[str, Any], file: str, key: str) -> list[Any]:
    value = content.get(key) or []
    if not isinstance(value, list):
        raise UnusableError(f"{file}: {key} is no list.")
    return value


def _is_pips(one: Any) -> bool:
    return isinstance(one, dict) and set(one) == {"pip"} and isinstance(one["pip"], list | None)
