"""Reads pylock.toml (packaging.python.org/specifications/pylock-toml)."""

import re
from typing import Any

from model_dockerize.program.formats.conditions import Condition, condition, marker_of
from model_dockerize.program.formats.folder import Folder, UnusableError, table, tables
from model_dockerize.program.formats.pins import Pin, git_url, locked
from model_dockerize.program.types import Packages

LOCK = "pylock.toml"
_MEMBER = re.compile(r"""(["'])(?P<name>[^"']+)\1\s+(?P<not>not\s+)?in\s+(?P<set>extras|dependency_groups)""")


def read(folder: Folder) -> Packages | None:
    if LOCK not in folder.texts:
        return None
    lock = folder.toml(LOCK)
    if not str(lock.get("lock-version", "")).startswith("1."):
        raise UnusableError(f"{LOCK} has the version {lock.get('lock-version')!r}; version 1 can be read.")
    folder.choose(LOCK, map(str, lock.get("extras", ())), map(str, lock.get("dependency-groups", ())))
    groups = folder.groups.union(map(str, lock.get("default-groups", ())))
    chosen = [*(f"dependency_groups:{group}" for group in groups), *(f"extras:{extra}" for extra in folder.extras)]
    pins = []
    for package in tables(lock.get("packages", []), LOCK, "packages"):
        when = _answered(str(package.get("marker", "")), chosen)
        if when:
            pins.append(_pin(package, marker_of(when)))
    return locked(folder, LOCK, pins, python=str(lock.get("requires-python", "")))


def _answered(marker: str, chosen: list[str]) -> Condition:
    def ask(match: re.Match[str]) -> str:
        return f"extra {'!=' if match['not'] else '=='} '{match['set']}:{match['name']}'"

    return condition(_MEMBER.sub(ask, marker), LOCK, chosen)


def _pin(package: dict[str, Any], marker: str) -> Pin:
    name, version = str(package.get("name")), str(package.get("version", ""))
    if "vcs" in package:
        vcs = table(package["vcs"], LOCK, f"vcs of {name}")
        if vcs.get("type") != "git" or "url" not in vcs:
            raise UnusableError(f"{LOCK}: {name} comes from a repository that is not git's, or has no url.")
        url = git_url(str(vcs["url"]), str(vcs.get("commit-id", "")), str(vcs.get("subdirectory", "")))
        return Pin(name, url=url, marker=marker)
    if "directory" in package:
        directory = table(package["directory"], LOCK, f"directory of {name}")
        return Pin(name, path=str(directory.get("path", "")), editable=bool(directory.get("editable")), marker=marker)
    if "archive" in package:
        archive = table(package["archive"], LOCK, f"archive of {name}")
        if "path" in archive:
            return Pin(name, path=str(archive["path"]), marker=marker)
        return Pin(name, url=str(archive.get("url", "")), marker=marker, hashes=_hashes([archive]))
    files = tables(package.get("wheels", []), LOCK, f"the wheels of {name}")
    files += [table(package["sdist"], LOCK, f"sdist of {name}")] if "sdist" in package else []
    return Pin(name, version, marker=marker, hashes=_hashes(files), index=str(package.get("index", "")))


def _hashes(files: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"{kind}:{value}"
        for file in files
        for kind, value in table(file.get("hashes", {}), LOCK, "hashes").items()
        if kind in ("sha256", "sha384", "sha512")
    )
