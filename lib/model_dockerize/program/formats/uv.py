"""Reads uv.lock, whose packages name their dependencies."""

from typing import Any
from urllib.parse import parse_qs, urlunsplit

from packaging.utils import canonicalize_name

from model_dockerize.program.formats import pyproject
from model_dockerize.program.formats.conditions import ALWAYS, Condition, condition, follow, marker_of
from model_dockerize.program.formats.folder import Folder, UnusableError, table, tables
from model_dockerize.program.formats.pins import Pin, check_fresh, git_url, locked, split_url
from model_dockerize.program.types import Packages

LOCK = "uv.lock"
_REMEDY = "uv lock"
_EXTRAS, _GROUPS = "optional-dependencies", "dev-dependencies"
_Node = tuple[int, str]  # a package by its place in the lock, and one of its extras


def read(folder: Folder) -> Packages | None:
    """Translate the top-level project's lock."""
    if LOCK not in folder.texts:
        return None
    lock = folder.toml(LOCK)
    if lock.get("version") != 1:
        raise UnusableError(f"{LOCK} has the version {lock.get('version')!r}; version 1 can be read.")
    packages = tables(lock.get("package", []), LOCK, "package")
    roots = _roots(lock, packages)
    graph = _Graph(packages, _chosen(folder, [packages[root] for root in roots]))
    wanted: list[tuple[_Node, Condition]] = [((root, ""), ALWAYS) for root in roots]
    for root in roots:
        wanted += [((root, extra), ALWAYS) for extra in _named(packages[root], _EXTRAS) if extra in folder.extras]
        for group, needed in _named(packages[root], _GROUPS).items():
            wanted += graph.targets(needed, packages[root]) if group in folder.groups else []
    conditions = follow(wanted, graph.needs, LOCK)
    pins = [
        _pin(packages[place], marker_of(when))
        for (place, extra), when in conditions.items()
        if not extra and place not in roots and "virtual" not in _source(packages[place])
    ]
    check_fresh(LOCK, _REMEDY, pyproject.dependencies(folder), pins)
    members = [_pin(packages[root], "") for root in roots if "virtual" not in _source(packages[root])]
    return locked(folder, LOCK, [*pins, *members], python=str(lock.get("requires-python", "")))


def _roots(lock: dict[str, Any], packages: list[dict[str, Any]]) -> list[int]:
    places = {_path(package): place for place, package in enumerate(packages)}
    if "." in places:
        return [places["."]]
    # A workspace without a project at its top is all of its members.
    members = table(lock.get("manifest", {}), LOCK, "manifest").get("members", [])
    found = [place for place, package in enumerate(packages) if package.get("name") in members]
    if not found:
        raise UnusableError(f"{LOCK} does not hold the project of pyproject.toml: run `{_REMEDY}`.")
    return found


def _named(package: dict[str, Any], key: str) -> dict[str, Any]:
    named = table(package.get(key, {}), LOCK, f"{key} of {package.get('name')}")
    return {canonicalize_name(name): value for name, value in named.items()}


def _chosen(folder: Folder, projects: list[dict[str, Any]]) -> list[str]:
    # Named as in uv's markers for extras and groups that conflict.
    known = {
        (kind, canonicalize_name(str(project.get("name", ""))), name)
        for project in projects
        for kind, key in (("extra", _EXTRAS), ("group", _GROUPS))
        for name in _named(project, key)
    }
    extras, groups = ([name for kind, _, name in known if kind == wanted] for wanted in ("extra", "group"))
    folder.choose(LOCK, extras, groups)
    chosen = {"extra": folder.extras, "group": folder.groups}
    return [f"{kind}-{len(project)}-{project}-{name}" for kind, project, name in known if name in chosen[kind]]


class _Graph:
    def __init__(self, packages: list[dict[str, Any]], chosen: list[str]) -> None:
        self._packages, self._chosen = packages, chosen
        self._places: dict[str, list[int]] = {}
        for place, package in enumerate(packages):
            self._places.setdefault(canonicalize_name(str(package.get("name", ""))), []).append(place)

    def needs(self, node: _Node) -> list[tuple[_Node, Condition]]:
        place, extra = node
        package = self._packages[place]
        if not extra:
            wanted = package.get("dependencies", [])
        else:
            wanted = _named(package, _EXTRAS).get(canonicalize_name(extra), [])
        found: list[tuple[_Node, Condition]] = [((place, ""), ALWAYS)] if extra else []
        return found + self.targets(wanted, package)

    def targets(self, wanted: Any, package: dict[str, Any]) -> list[tuple[_Node, Condition]]:
        found: list[tuple[_Node, Condition]] = []
        for want in tables(wanted, LOCK, f"the dependencies of {package.get('name')}"):
            when = condition(str(want.get("marker", "")), LOCK, self._chosen)
            if when:  # else it belongs to an extra or group that is not chosen, and is ambiguous without
                target = self._find(want)
                found += [((target, name), when) for name in ("", *want.get("extra", ()))]
        return found

    def _find(self, want: dict[str, Any]) -> int:
        name = str(want.get("name", ""))
        places = [
            place
            for place in self._places.get(canonicalize_name(name), ())
            if all(self._packages[place].get(key) == want[key] for key in ("version", "source") if key in want)
        ]
        if len(places) != 1:
            raise UnusableError(f"{LOCK} holds {len(places)} packages that could be {name!r}: run `{_REMEDY}`.")
        return places[0]


def _source(package: dict[str, Any]) -> dict[str, Any]:
    return table(package.get("source", {}), LOCK, f"the source of {package.get('name')}")


def _path(package: dict[str, Any]) -> str:
    source = _source(package)
    return str(next((source[kind] for kind in ("editable", "virtual", "directory", "path") if kind in source), ""))


def _pin(package: dict[str, Any], marker: str) -> Pin:
    name, version, source = str(package.get("name")), str(package.get("version", "")), _source(package)
    files = [*tables(package.get("wheels", []), LOCK, "wheels")]
    files += [table(package["sdist"], LOCK, "sdist")] if "sdist" in package else []
    hashes = tuple(str(file["hash"]) for file in files if "hash" in file)
    if "registry" in source:
        return Pin(name, version, marker=marker, hashes=hashes, index=str(source["registry"]))
    if "url" in source:
        subdirectory = f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""
        return Pin(name, url=f"{source['url']}{subdirectory}", marker=marker, hashes=hashes)
    if "git" in source:
        return Pin(name, url=_git(str(source["git"])), marker=marker)
    if path := _path(package):
        return Pin(name, path=path, editable="editable" in source, marker=marker)
    raise UnusableError(f"{LOCK}: {name} comes from a source of kind {', '.join(source)}, which is not known.")


def _git(url: str) -> str:
    parts = split_url(url)
    if parts is None:
        raise UnusableError(f"{LOCK}: the address of a repository is no URL: run `{_REMEDY}`.")
    subdirectory = "".join(parse_qs(parts.query).get("subdirectory", []))
    return git_url(urlunsplit(parts._replace(query="", fragment="")), parts.fragment, subdirectory)
