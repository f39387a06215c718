"""Chooses a model's Python."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from model_dockerize.program import reading
from model_dockerize.program.problems import Problems
from model_dockerize.program.types import Packages
from model_dockerize.progress import Progress


@dataclass(frozen=True)
class _Python:
    """Facts of a Python version.

    Attributes:
        support_ends: last day of security fixes (devguide.python.org/versions; for a lone month, its last).
        debian: where its image's moving tags point now (docker-library/official-images).
    """

    support_ends: date
    debian: str


DEFAULT = "3.13"
_VERSIONS = {
    "3.5": _Python(date(2020, 9, 30), "buster"),
    "3.6": _Python(date(2021, 12, 23), "bullseye"),
    "3.7": _Python(date(2023, 6, 27), "bookworm"),
    "3.8": _Python(date(2024, 10, 7), "bookworm"),
    "3.9": _Python(date(2025, 10, 31), "trixie"),
    "3.10": _Python(date(2026, 10, 31), "trixie"),
    "3.11": _Python(date(2027, 10, 31), "trixie"),
    "3.12": _Python(date(2028, 10, 31), "trixie"),
    "3.13": _Python(date(2029, 10, 31), "trixie"),
    "3.14": _Python(date(2030, 10, 31), "trixie"),
}
# What `requires-python` is answered from. A fixed list and not today's date: the same folder gives the same image.
_MAINTAINED = ("3.11", "3.12", "3.13", "3.14")
_VERSION = re.compile(r"(?:python-|cpython-|python)?(3\.\d{1,2})(?:\.\d{1,3})?")
#: What pyenv and uv write besides: `3.11.4/envs/rows`, `3.12-dev`, `cpython-3.12.1-linux-x86_64-gnu`.
_IN_A_FILE = re.compile(rf"{_VERSION.pattern}(?:/envs/\S+|-dev|\+?-[a-z0-9_]+-[a-z0-9_]+-[a-z0-9]+)?")
_NUMBER = re.compile(r"(?:python-?)?(?!3(?:\.|$))\d+(?:\.\d+)*")
_IMAGE = re.compile(r"(?:docker\.io/)?(?:library/)?python:(?P<version>3\.\d{1,2})(?:\.\d+)?(?:-[\w.-]+)?(?:@\S+)?")
#: A version, what says it, and the file of that.
_Said = tuple[str, str, Path | None]
_MEANT = "Python version like 3.13 or 3.13.1"
_PATCHES = range(60)
# Releases that Debian's mirrors no longer serve (November 2026).
_GONE = re.compile(r"\b(?:jessie|stretch|buster)\b")


def choose(setting: str, root: Path, packages: Packages, problems: Problems, progress: Progress) -> str:
    """Choose the version, as `X.Y`."""
    found = [*_set(setting, problems), *_in_files(root, bool(setting), problems, progress)]
    required, source = _required(root, packages, problems)
    if required is not None and not found:
        version = _answer(required)
        if version:
            found.append((version, source, root / source))
        else:
            problems.wrong_folder(f"{source}: no known Python satisfies {str(required)!r}, which it requires.")
    if not found:
        return DEFAULT
    version, chosen_by, _ = found[0]
    for other, name, file in found[1:]:
        if other != version:
            progress.warning(f"Python {version} as {chosen_by} says; {name} says {other} and is overruled.", file)
    if required is not None and not _satisfies(version, required):
        progress.warning(
            f"Python {version} as {chosen_by} says; {source} asks for {required} and is overruled.", root / source
        )
    return version


def default_image(version: str) -> str:
    known = _VERSIONS.get(version)
    return f"python:{version}-slim-{known.debian}" if known else f"python:{version}-slim"


def support_warning(image: str, today: date) -> str:
    """Say that `image` gets no more security fixes, else "".

    Only official images tell their Python.
    """
    match = _IMAGE.fullmatch(image)
    version = match["version"] if match else ""
    known = _VERSIONS.get(version)
    sentences = []
    if known and today > known.support_ends:
        ended = known.support_ends.isoformat()
        sentences.append(f"Python {version} has had no security fixes since {ended}; {DEFAULT} is maintained.")
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]  # a registry may have a port
    named = _GONE.search(tag)
    unnamed = known.debian if known and tag in (version, f"{version}-slim") else ""
    release = named[0] if named else unnamed
    if _GONE.fullmatch(release):
        sentences.append(f"Debian {release} has left the mirrors: apt-get can install nothing there.")
    return " ".join(sentences)


def _set(setting: str, problems: Problems) -> Iterator[_Said]:
    named = _VERSION.fullmatch(setting)
    if setting and not named:
        problems.wrong_input(f"python-version says {setting!r}, which is no {_MEANT}.")
    if setting:
        yield named[1] if named else DEFAULT, "python-version", None


def _in_files(root: Path, is_set: bool, problems: Problems, progress: Progress) -> Iterator[_Said]:
    # Other tools read these files, too: what we do not understand is no problem when an input is set.
    for name in (".python-version", "runtime.txt"):
        text = _first_line(reading.text(root, name, problems, "replace") or "")
        version = _in_a_file(text)
        if version:
            yield version, name, root / name
        elif text and not is_set and _NUMBER.fullmatch(text):
            problems.wrong_folder(f"{name} says {text!r}, which is no {_MEANT}. The input python-version wins over it.")
        elif text and not is_set:
            progress.warning(f"{name} says {text!r}, which is no {_MEANT}, and is passed over.", root / name)


def _in_a_file(text: str) -> str:
    match = _IN_A_FILE.fullmatch(text)
    if match:
        return match[1]
    try:
        return _answer(SpecifierSet(text)) if text[:1] in ("<", ">", "=", "~", "!") else ""
    except InvalidSpecifier:
        return ""


def _first_line(text: str) -> str:
    lines = text.splitlines()
    return next((line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")), "")


def _required(root: Path, packages: Packages, problems: Problems) -> tuple[SpecifierSet | None, str]:
    project = _requires_python(root, problems)
    if not packages.python:
        return project, "pyproject.toml"
    try:
        asked = SpecifierSet(packages.python)
    except InvalidSpecifier:
        problems.wrong_folder(f"{packages.source}: {packages.python!r} is no version specifier for Python.")
        return project, "pyproject.toml"
    return (asked if project is None else asked & project), packages.source


def _requires_python(root: Path, problems: Problems) -> SpecifierSet | None:
    text = reading.text(root, "pyproject.toml", problems, "replace")
    if text is None:
        return None
    try:
        project = tomllib.loads(text).get("project", {})
        value = project.get("requires-python", "") if isinstance(project, dict) else ""
        return SpecifierSet(str(value)) if value else None
    except tomllib.TOMLDecodeError as error:
        problems.wrong_folder(f"pyproject.toml cannot be read: {error}.")
    except InvalidSpecifier:
        problems.wrong_folder(f"pyproject.toml: requires-python = {value!r} is no version specifier.")
    return None


def _satisfies(version: str, required: SpecifierSet) -> bool:
    # The base image has the newest patch release.
    return any(required.contains(f"{version}.{patch}") for patch in _PATCHES)


def _answer(required: SpecifierSet) -> str:
    older = [version for version in reversed(_VERSIONS) if version not in _MAINTAINED]
    return next((version for version in (*_MAINTAINED, *older) if _satisfies(version, required)), "")
