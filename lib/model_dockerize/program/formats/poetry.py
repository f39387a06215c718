"""Reads poetry.lock. Since version 2 each package names its groups and its marker; before, they are followed."""

from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from model_dockerize.program.formats import pyproject
from model_dockerize.program.formats.conditions import follow, is_never, without_extras
from model_dockerize.program.formats.constraints import pep440
from model_dockerize.program.formats.folder import Folder, UnusableError, table, tables
from model_dockerize.program.formats.pins import Pin, check_fresh, git_url, locked
from model_dockerize.program.types import Packages

LOCK = "poetry.lock"
_REMEDY = "poetry lock"
_MAIN = "main"


def read(folder: Folder) -> Packages | None:
    """Translate the lock, without the project's extras and groups."""
    if LOCK not in folder.texts:
        return None
    lock = folder.toml(LOCK)
    packages = tables(lock.get("package", []), LOCK, "package")
    wanted = pyproject.dependencies(folder)
    says_groups = bool(packages) and all("groups" in package for package in packages)
    conditions = _said(packages) if says_groups else _followed(packages, wanted)
    metadata = table(lock.get("metadata", {}), LOCK, "metadata")
    files = table(metadata.get("files", {}), LOCK, "metadata.files")
    pins = [_pin(packages[place], marker, files) for place, marker in conditions.items()]
    check_fresh(LOCK, _REMEDY, wanted, pins)
    python = pep440(str(metadata.get("python-versions", "")), LOCK, "python-versions")
    project = pyproject.is_package(folder)
    return locked(folder, LOCK, pins, project=project, python=python or pyproject.python(folder))


def _said(packages: list[dict[str, Any]]) -> dict[int, str]:
    found = {}
    for place, package in enumerate(packages):
        if _MAIN in package["groups"]:
            said = package.get("markers", "")
            marker = without_extras(str(said.get(_MAIN, "") if isinstance(said, dict) else said))
            if not is_never(marker):
                found[place] = marker
    return found


def _followed(packages: list[dict[str, Any]], wanted: list[Requirement]) -> dict[int, str]:
    places: dict[str, list[int]] = {}
    for place, package in enumerate(packages):
        places.setdefault(canonicalize_name(str(package.get("name", ""))), []).append(place)

    def find(want: Requirement) -> list[tuple[tuple[int, str], str]]:
        marker = str(want.marker) if want.marker else ""
        return [
            ((place, extra), marker)
            for place in places.get(canonicalize_name(want.name), ())
            if want.specifier.contains(str(packages[place].get("version", "")), prereleases=True)
            for extra in ("", *map(canonicalize_name, want.extras))
        ]

    def needs(node: tuple[int, str]) -> list[tuple[tuple[int, str], str]]:
        place, extra = node
        package = packages[place]
        found: list[tuple[tuple[int, str], str]] = []
        for name, value in table(package.get("dependencies", {}), LOCK, "dependencies").items():
            for one in value if isinstance(value, list) else [value]:
                want = pyproject.poetry_requirement(name, one, LOCK)
                if want.marker:
                    answered = without_extras(str(want.marker), frozenset({extra}) if extra else frozenset())
                    found += [(target, answered) for target, _ in find(want)]
                else:
                    found += find(want)
        return found

    roots = [root for want in wanted for root in find(want)]
    conditions = follow(roots, needs, LOCK)
    found: dict[int, str] = {}
    for (place, extra), marker in conditions.items():
        if not extra:
            found[place] = marker
    return found


def _pin(package: dict[str, Any], marker: str, files: dict[str, Any]) -> Pin:
    name, version = str(package.get("name")), str(package.get("version", ""))
    listed = tables(package.get("files", files.get(name, [])), LOCK, f"the files of {name}")
    hashes = tuple(str(file["hash"]) for file in listed if str(file.get("hash", "")).startswith("sha"))
    source = table(package.get("source", {}), LOCK, f"the source of {name}")
    kind, url = str(source.get("type", "legacy")), str(source.get("url", ""))
    match kind:
        case "legacy":
            return Pin(name, version, marker=marker, hashes=hashes, index=url)
        case "git":
            commit = str(source.get("resolved_reference", ""))
            return Pin(name, url=git_url(url, commit, str(source.get("subdirectory", ""))), marker=marker)
        case "url":
            return Pin(name, url=url, marker=marker, hashes=hashes)
        case "file" | "directory":
            return Pin(name, path=url, editable=bool(package.get("develop")), marker=marker)
        case _:
            raise UnusableError(f"{LOCK}: {name} comes from a source of type {kind!r}, which is not known.")
