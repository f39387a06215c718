"""Checks locked packages, and writes them as pip's requirements."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit, urlunsplit

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from model_dockerize.program.formats.folder import Folder, UnusableError
from model_dockerize.program.types import MARKER, Packages

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_HASH = re.compile(r"sha(?:256|384|512):[0-9a-f]{64,128}")
_URL = re.compile(r"(?:git\+)?(?:https?|ssh|file)://[!-~]+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_PUBLIC = re.compile(r"pypi(\.python)?\.org")


@dataclass(frozen=True)
class Pin:
    """A locked package: `version` in an index, else `url` or `path`."""

    name: str
    version: str = ""
    url: str = ""  # of an archive, or git+URL@COMMIT
    path: str = ""  # of an archive or a folder in the program folder
    editable: bool = False
    marker: str = ""  # empty: always
    hashes: tuple[str, ...] = ()
    index: str = ""


def split_url(url: str) -> SplitResult | None:
    """Split a URL; None if malformed, such as `https://[`."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def git_url(url: str, commit: str, subdirectory: str = "") -> str:
    """Name a repository's commit as pip does."""
    if not _COMMIT.fullmatch(commit):
        raise UnusableError(f"A lock names {commit!r} of a repository, which is no commit: lock again.")
    return f"{url if url.startswith('git+') else f'git+{url}'}@{commit}" + (
        f"#subdirectory={subdirectory}" if subdirectory else ""
    )


def locked(folder: Folder, file: str, pins: Iterable[Pin], *, project: bool = False, python: str = "") -> Packages:
    """Install exactly `pins`, and the project itself if `project`."""
    lines: list[str] = []
    unhashed: list[str] = []
    local = ["-e", "."] if project else []
    indexes: dict[str, None] = {}
    known = sorted(set(pins), key=lambda pin: (canonicalize_name(pin.name), pin.version, pin.url, pin.marker))
    remote = [pin for pin in known if not pin.path]
    any_hash = any(pin.hashes for pin in remote)
    for pin in known:
        _check(file, pin)
        if pin.path:
            local += _local(_inside(folder, file, pin), pin)
            continue
        if pin.index:
            indexes[pin.index] = None
        line = f"{pin.name}=={pin.version}" if pin.version else f"{pin.name} @ {pin.url}"
        line += f" ; {pin.marker}" if pin.marker else ""
        if any_hash and not pin.hashes:
            unhashed.append(line)
        else:
            lines.append(" \\\n    ".join((line, *(f"--hash={value}" for value in sorted(set(pin.hashes))))))
    options = [option for option in (_index(folder, file, index) for index in indexes) if option]
    text = "\n".join((f"{MARKER} From {file}; edits are lost.", *options, *lines, ""))
    return Packages(
        source=file,
        text=text if remote else "",
        exact=True,
        unhashed=tuple(unhashed),
        need_git=any(pin.url.startswith("git+") for pin in remote),
        need_code=any(option.startswith("--find-links") for option in options),
        local=tuple(local),
        python=python,
    )


def check_fresh(file: str, remedy: str, wanted: Iterable[Requirement], pins: Iterable[Pin]) -> None:
    """Refuse a lock older than what the project asks for."""
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(canonicalize_name(pin.name), []).append(pin.version)
    for want in wanted:
        have = versions.get(canonicalize_name(want.name))
        if have is None and not want.marker:
            raise UnusableError(f"{file} does not hold {want.name}, which the project asks for: run `{remedy}`.")
        known = [version for version in have or () if version]
        if known and not any(want.specifier.contains(version, prereleases=True) for version in known):
            raise UnusableError(
                f"{file} holds {want.name} {known[0]}, and the project asks for {want.specifier}: run `{remedy}`."
            )


def _check(file: str, pin: Pin) -> None:
    wrong = ""
    place = split_url(pin.url)
    if not _NAME.fullmatch(pin.name):
        wrong = "name"
    elif pin.url and (place is None or not _URL.fullmatch(pin.url)):
        wrong = "url"
    elif not all(_HASH.fullmatch(value) for value in pin.hashes):
        wrong = "hash"
    elif not (pin.version or pin.url or pin.path) or pin.version != pin.version.strip():
        wrong = "version"
    if place and "@" in place.netloc and not pin.url.startswith("git+ssh://"):
        raise UnusableError(
            f"{file}: the address of {pin.name} holds credentials, which everybody could read in the image. Lock it by "
            "an address without them, and put the package on an index that pip-config names."
        )
    if wrong:
        raise UnusableError(f"{file}: the {wrong} of {pin.name!r} cannot be installed from.")
    try:
        if pin.version:
            Version(pin.version)
        if pin.marker:
            Marker(pin.marker)
    except (InvalidVersion, InvalidMarker) as error:
        raise UnusableError(f"{file}: {pin.name}: {error}") from error


def _local(path: str, pin: Pin) -> list[str]:
    if pin.marker:  # pip takes none for what is installed in place
        return [f"{path} ; {pin.marker}"]
    return ["-e", path] if pin.editable else [path]


def _inside(folder: Folder, file: str, pin: Pin) -> str:
    path = PurePosixPath(pin.path).as_posix()
    if path == ".":
        return "."
    if path.startswith("/") or ".." in path.split("/"):
        raise UnusableError(f"{file}: {pin.name} is at {pin.path!r}, outside of the program folder.")
    if path not in folder.paths and not folder.holds_folder(path):
        raise UnusableError(f"{file}: {pin.name} is at {pin.path!r}, which is not in the folder.")
    return f"./{path}"


def _index(folder: Folder, file: str, index: str) -> str:
    if "://" not in index:
        path = _inside(folder, file, Pin("the index", path=index))
        return f"--find-links {path}"
    parts = split_url(index)
    if parts is None or not _URL.fullmatch(index):
        raise UnusableError(f"{file}: the address of an index is no URL.")
    if _PUBLIC.fullmatch(parts.hostname or "") or "$" in parts.netloc:
        return ""
    return f"--extra-index-url {urlunsplit(parts._replace(netloc=parts.netloc.rpartition('@')[2]))}"
