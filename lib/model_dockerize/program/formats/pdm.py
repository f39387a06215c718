"""Reads pdm.lock, whose packages name their groups and markers."""

from typing import Any

from packaging.utils import canonicalize_name

from model_dockerize.program.formats import pyproject
from model_dockerize.program.formats.conditions import condition, marker_of
from model_dockerize.program.formats.folder import Folder, UnknownChoiceError, UnusableError, table, tables
from model_dockerize.program.formats.pins import Pin, check_fresh, git_url, locked
from model_dockerize.program.types import Packages

LOCK = "pdm.lock"
_REMEDY = "pdm lock"
_DEFAULT = "default"  # the group of what every project needs
_STRATEGY = "inherit_metadata"  # what makes a package name its groups and its marker; the default since PDM 2.11


def read(folder: Folder) -> Packages | None:
    if LOCK not in folder.texts:
        return None
    lock = folder.toml(LOCK)
    metadata = table(lock.get("metadata", {}), LOCK, "metadata")
    if _STRATEGY not in metadata.get("strategy", ()):
        raise UnusableError(
            f"{LOCK} does not say which packages belong to which group: run `{_REMEDY} --strategy {_STRATEGY}`."
        )
    pyproject.choose(folder, pyproject.FILE)
    chosen = folder.extras | folder.groups
    locked_groups = frozenset(map(canonicalize_name, metadata.get("groups", ())))
    if missing := ", ".join(sorted(chosen - locked_groups)):
        raise UnknownChoiceError(f"{LOCK} was locked without {missing}: run `{_REMEDY} --group :all`.")
    packages = tables(lock.get("package", []), LOCK, "package")
    pins = [pin for package in packages for pin in _pins(package, chosen | {_DEFAULT})]
    check_fresh(LOCK, _REMEDY, pyproject.dependencies(folder), pins)
    targets = tables(metadata.get("targets", []), LOCK, "metadata.targets")
    python = str(targets[0].get("requires_python", "")) if len(targets) == 1 else ""
    return locked(folder, LOCK, pins, project=pyproject.is_package(folder), python=python)


def _pins(package: dict[str, Any], chosen: frozenset[str]) -> list[Pin]:
    # `name[extra]` is an entry beside `name`.
    name, version = str(package.get("name")), str(package.get("version", ""))
    when = condition(str(package.get("marker", "")), LOCK)
    if chosen.isdisjoint(map(canonicalize_name, package.get("groups", ()))) or package.get("extras") or not when:
        return []
    marker = marker_of(when)
    files = tables(package.get("files", []), LOCK, f"the files of {name}")
    hashes = tuple(str(file["hash"]) for file in files if "hash" in file)
    if "git" in package:
        url = git_url(str(package["git"]), str(package.get("revision", "")), str(package.get("subdirectory", "")))
        return [Pin(name, url=url, marker=marker)]
    if "url" in package:
        return [Pin(name, url=str(package["url"]), marker=marker, hashes=hashes)]
    if "path" in package:
        return [Pin(name, path=str(package["path"]), editable=bool(package.get("editable")), marker=marker)]
    return [Pin(name, version, marker=marker, hashes=hashes)]
