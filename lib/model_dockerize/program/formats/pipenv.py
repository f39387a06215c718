"""Reads Pipfile.lock, else Pipfile."""

from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from model_dockerize.program.formats.conditions import condition, marker_of
from model_dockerize.program.formats.folder import Folder, UnusableError, table, tables
from model_dockerize.program.formats.pins import Pin, check_fresh, git_url, locked
from model_dockerize.program.formats.pyproject import poetry_requirement
from model_dockerize.program.types import MARKER, Packages

LOCK = "Pipfile.lock"
FILE = "Pipfile"
_REMEDY = "pipenv lock"
_DEVELOPMENT = "dev-packages"
_OTHER_SECTIONS = ("source", "requires", "scripts", "pipenv", "pipfile")
_REPOSITORIES = ("hg", "svn", "bzr")


def read_lock(folder: Folder) -> Packages | None:
    if LOCK not in folder.texts:
        return None
    lock = folder.json(LOCK)
    meta = table(lock.get("_meta", {}), LOCK, "_meta")
    sources = tables(meta.get("sources", []), LOCK, "sources")
    indexes = {str(source.get("name")): str(source.get("url", "")) for source in sources}
    categories = {name: value for name, value in lock.items() if not name.startswith("_")}
    folder.choose(LOCK, (), _names(categories, "default"))
    pins = [
        _pin(name, table(value, LOCK, name), indexes)
        for category, values in _chosen(categories, folder, "default").items()
        for name, value in table(values, LOCK, category).items()
    ]
    _check_one_version(pins)
    check_fresh(LOCK, _REMEDY, _wanted(folder), pins)
    requires = meta.get("requires") or folder.toml(FILE).get("requires", {})
    return locked(folder, LOCK, pins, python=_python(table(requires, LOCK, "requires")))


def read(folder: Folder) -> Packages | None:
    if FILE not in folder.texts:
        return None
    content = folder.toml(FILE)
    folder.choose(FILE, (), _names(_sections(content), "packages"))
    for name, value in _asked(folder):
        if isinstance(value, dict) and any(key in value for key in ("git", "path", "file", "ref", *_REPOSITORIES)):
            raise UnusableError(f"{FILE}: {name} is on no index. Run `{_REMEDY}`: the lock is installed from.")
    lines = [str(want) for want in _wanted(folder)]
    text = "\n".join((f"{MARKER} From {FILE}; edits are lost.", *lines, "")) if lines else ""
    return Packages(source=FILE, text=text, exact=not lines, python=_python(content.get("requires", {})))


def _wanted(folder: Folder) -> list[Requirement]:
    return [poetry_requirement(name, _with_markers(value), FILE) for name, value in _asked(folder)]


def _asked(folder: Folder) -> list[tuple[str, Any]]:
    sections = _chosen(_sections(folder.toml(FILE)), folder, "packages")
    return [item for section, values in sections.items() for item in table(values, FILE, section).items()]


def _sections(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in _OTHER_SECTIONS}


def _names(categories: dict[str, Any], main: str) -> list[str]:
    # The section dev-packages is locked as develop.
    return [_DEVELOPMENT if name == "develop" else name for name in categories if name != main]


def _chosen(categories: dict[str, Any], folder: Folder, main: str) -> dict[str, Any]:
    chosen = folder.groups | {main} | ({"develop"} if _DEVELOPMENT in folder.groups else set())
    return {name: value for name, value in categories.items() if name == main or canonicalize_name(name) in chosen}


def _check_one_version(pins: list[Pin]) -> None:
    versions: dict[str, str] = {}
    for pin in pins:
        if versions.setdefault(canonicalize_name(pin.name), pin.version) != pin.version:
            raise UnusableError(f"{LOCK} holds two versions of {pin.name} in the categories that are installed.")


def _with_markers(value: Any) -> Any:
    """Join Pipfile's single markers: `sys_platform = "== 'linux'"`."""
    if not isinstance(value, dict):
        return value
    single = [
        f"{key} {value[key]}"
        for key in ("os_name", "sys_platform", "platform_machine", "python_version")
        if key in value
    ]
    markers = [f"({marker})" for marker in (value.get("markers", ""), *single) if marker]
    return {**value, "markers": " and ".join(markers)}


def _python(requires: dict[str, Any]) -> str:
    version = str(requires.get("python_full_version") or requires.get("python_version") or "")
    return f"=={version}" if version.count(".") > 1 else f"=={version}.*" if version else ""


def _pin(name: str, value: dict[str, Any], indexes: dict[str, str]) -> Pin:
    marker, hashes = marker_of(condition(str(value.get("markers", "")), LOCK)), tuple(map(str, value.get("hashes", ())))
    subdirectory = str(value.get("subdirectory", ""))
    if "git" in value:
        return Pin(name, url=git_url(str(value["git"]), str(value.get("ref", "")), subdirectory), marker=marker)
    if any(key in value for key in _REPOSITORIES):
        raise UnusableError(f"{LOCK}: {name} comes from a repository that is not git's.")
    place = str(value.get("path") or value.get("file") or "")
    if "://" in place:
        return Pin(name, url=place, marker=marker, hashes=hashes)
    if place:
        return Pin(name, path=place, editable=bool(value.get("editable")), marker=marker)
    version = str(value.get("version", "")).removeprefix("==")
    return Pin(name, version, marker=marker, hashes=hashes, index=indexes.get(str(value.get("index", "")), ""))
