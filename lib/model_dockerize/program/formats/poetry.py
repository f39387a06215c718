"""Reads poetry.lock, which before version 2 names no groups and markers."""

from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from model_dockerize.program.formats import pyproject
from model_dockerize.program.formats.conditions import NEVER, Condition, condition, either, follow, marker_of
from model_dockerize.program.formats.constraints import pep440
from model_dockerize.program.formats.folder import Folder, UnusableError, table, tables
from model_dockerize.program.formats.pins import Pin, check_fresh, git_url, locked
from model_dockerize.program.types import Packages

LOCK = "poetry.lock"
_REMEDY = "poetry lock"
_MAIN = "main"
_Node = tuple[int, str]  # a package by its place in the lock, and one of its extras


def read(folder: Folder) -> Packages | None:
    if LOCK not in folder.texts:
        return None
    lock = folder.toml(LOCK)
    packages = tables(lock.get("package", []), LOCK, "package")
    pyproject.choose(folder, LOCK, table(lock.get("extras", {}), LOCK, "extras"))
    wanted = pyproject.dependencies(folder)
    says_groups = bool(packages) and all("groups" in package for package in packages)
    conditions = _said(packages, folder) if says_groups else _followed(packages, wanted)
    metadata = table(lock.get("metadata", {}), LOCK, "metadata")
    files = table(metadata.get("files", {}), LOCK, "metadata.files")
    pins = [_pin(packages[place], marker_of(when), files) for place, when in conditions.items()]
    check_fresh(LOCK, _REMEDY, wanted, pins)
    python = pep440(str(metadata.get("python-versions", "")), LOCK, "python-versions")
    project = pyproject.is_package(folder)
    return locked(folder, LOCK, pins, project=project, python=python or pyproject.python(folder))


def _said(packages: list[dict[str, Any]], folder: Folder) -> dict[int, Condition]:
    found = {}
    for place, package in enumerate(packages):
        when = NEVER
        for group in package["groups"]:
            if group == _MAIN or canonicalize_name(group) in folder.groups:
                said = package.get("markers", "")
                marker = said.get(group, "") if isinstance(said, dict) else said
                when = either(when, condition(str(marker), LOCK, folder.extras), LOCK)
        found[place] = when
    return {place: when for place, when in found.items() if when != NEVER}


def _followed(packages: list[dict[str, Any]], wanted: list[Requirement]) -> dict[int, Condition]:
    graph = _Graph(packages)
    roots = [root for want in wanted for root in graph.find(want)]
    return {place: when for (place, extra), when in follow(roots, graph.needs, LOCK).items() if not extra}


class _Graph:
    def __init__(self, packages: list[dict[str, Any]]) -> None:
        self._packages = packages
        self._places: dict[str, list[int]] = {}
        for place, package in enumerate(packages):
            self._places.setdefault(canonicalize_name(str(package.get("name", ""))), []).append(place)

    def find(self, want: Requirement, extra: str = "") -> list[tuple[_Node, Condition]]:
        when = condition(str(want.marker or ""), LOCK, [extra] if extra else [])
        if not when:
            return []
        return [
            ((place, asked), when)
            for place in self._places.get(canonicalize_name(want.name), ())
            if want.specifier.contains(str(self._packages[place].get("version", "")), prereleases=True)
            for asked in ("", *map(canonicalize_name, want.extras))
        ]

    def needs(self, node: _Node) -> list[tuple[_Node, Condition]]:
        place, extra = node
        asked = table(self._packages[place].get("dependencies", {}), LOCK, "dependencies")
        wants = [
            (name, one) for name, value in asked.items() for one in (value if isinstance(value, list) else [value])
        ]
        return [
            target for name, one in wants for target in self.find(pyproject.poetry_requirement(name, one, LOCK), extra)
        ]


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
