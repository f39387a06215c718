"""Reads pixi.lock: packages of conda and of an index."""

import re
from dataclasses import replace
from typing import Any

from packaging.utils import canonicalize_name

from model_dockerize.program.formats import pyproject
from model_dockerize.program.formats.conda import refuse_secrets
from model_dockerize.program.formats.folder import Folder, UnusableError, table, tables
from model_dockerize.program.formats.pins import Pin, git_url, locked, split_url
from model_dockerize.program.types import Packages

LOCK, FILE = "pixi.lock", "pixi.toml"
_VERSIONS = (6, 7)
_REMEDY = "pixi lock"
_MACHINES = {"linux-64": "x86_64", "linux-aarch64": "aarch64"}
_PLATFORMS = {"linux/amd64": ("linux-64",), "linux/arm64": ("linux-aarch64",)}
_PUBLIC = re.compile(r"files\.pythonhosted\.org")  # its files are on every mirror by name, version and hash


def read(folder: Folder) -> Packages | None:
    """Install the lock's environment `default`."""
    if LOCK not in folder.texts:
        return None
    lock = _load(folder)
    environment = table(lock.get("environments", {}), LOCK, "environments").get("default", {})
    platforms = table(table(environment, LOCK, "its environment default").get("packages", {}), LOCK, "packages")
    wanted = _PLATFORMS.get(folder.platform, tuple(_MACHINES))
    ours = {name: tables(platforms[name], LOCK, name) for name in wanted if name in platforms}
    if not ours:
        has = ", ".join(map(str, platforms)) or "nothing"
        raise UnusableError(
            f"{LOCK} is locked for {has}: add {wanted[0]} to the platforms of {FILE}, and run `{_REMEDY}`."
        )
    known = {
        str(package.get("pypi") or package.get("conda")): package
        for package in tables(lock.get("packages", []), LOCK, "packages")
    }
    _check_fresh(folder, ours, known)
    refuse_secrets(LOCK, (str(entry["conda"]) for entries in ours.values() for entry in entries if "conda" in entry))
    pins: dict[Pin, list[str]] = {}
    for name, entries in ours.items():
        for entry in entries:
            if "pypi" in entry:
                place = str(entry["pypi"])
                pins.setdefault(_pin(place, known[place]), []).append(_MACHINES[name])
    listed = [_for_machines(pin, machines, len(ours)) for pin, machines in pins.items()]
    return replace(locked(folder, LOCK, listed), conda=("--lock", LOCK))


def _load(folder: Folder) -> dict[str, Any]:
    lock = folder.yaml(LOCK)
    if lock.get("version") not in _VERSIONS:
        versions = " and ".join(map(str, _VERSIONS))
        raise UnusableError(f"{LOCK} has the version {lock.get('version')!r}; {versions} can be read.")
    return lock


def _check_fresh(folder: Folder, ours: dict[str, list[dict[str, Any]]], known: dict[str, dict[str, Any]]) -> None:
    own = table(
        table(folder.toml(pyproject.FILE).get("tool", {}), pyproject.FILE, "tool").get("pixi", {}), LOCK, "pixi"
    )
    project = folder.toml(FILE) if FILE in folder.texts else own
    asked = {*project.get("dependencies", {}), *project.get("pypi-dependencies", {})}
    for platform, entries in ours.items():
        places = [str(place) for entry in entries for kind, place in entry.items() if kind in ("conda", "pypi")]
        if lost := [place for place in places if place not in known]:
            raise UnusableError(f"{LOCK} says nothing of {lost[0]}: run `{_REMEDY}`.")
        have = {_name(place, known[place]) for place in places}
        if missing := sorted(name for name in asked if canonicalize_name(name) not in have):
            names = ", ".join(missing)
            raise UnusableError(f"{LOCK} does not hold {names} for {platform}, which is asked for: run `{_REMEDY}`.")


def _name(place: str, package: dict[str, Any]) -> str:
    # conda's files are called NAME-VERSION-BUILD.conda.
    return canonicalize_name(str(package.get("name") or place.rpartition("/")[2].rsplit("-", 2)[0]))


def _pin(place: str, package: dict[str, Any]) -> Pin:
    name, version = str(package.get("name")), str(package.get("version", ""))
    hashes = (f"sha256:{package['sha256']}",) if "sha256" in package else ()
    if place.startswith("git+"):
        url, _, commit = place.partition("#")
        return Pin(name, url=git_url(url.partition("?")[0], commit))
    if "://" not in place:
        return Pin(name, path=place, editable=bool(package.get("editable")))
    parts = split_url(place)
    if parts and _PUBLIC.fullmatch(parts.hostname or ""):
        return Pin(name, version, hashes=hashes)
    return Pin(name, url=place.partition("#")[0], hashes=hashes)


def _for_machines(pin: Pin, machines: list[str], locked_for: int) -> Pin:
    marker = "" if len(machines) == locked_for else f'platform_machine == "{machines[0]}"'
    return replace(pin, marker=marker)
