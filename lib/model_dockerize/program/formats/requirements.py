"""Finds pip's requirements files and what they read."""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from model_dockerize.program import reading
from model_dockerize.program.files import Listing
from model_dockerize.program.formats.folder import Folder, UnusableError
from model_dockerize.program.problems import Problems
from model_dockerize.program.types import Packages
from model_dockerize.progress import Progress

_NAME = re.compile(r"(?:requirements[^/]*|[^/]*requirements)\.(?:txt|in|pip)|[^/]*requirements[^/]*\.txt", re.I)
# Variants that say what a developer needs, not what the model needs.
_NOT_FOR_RUNNING = re.compile(
    r"(?:^|[-_.])(?:dev|devel|develop|development|test|tests|testing|docs?|lint|ci)(?:[-_.]|$)"
)
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?<=-[rc]))(?P<path>\S.*)")
_FROM_FOLDER_OPTION = re.compile(r"(?:-e|--editable|-f|--find-links)(?:\s+|=)(?P<target>.*)")
#: What is said of the place that `holds_password`.
READ_BY_ALL = (
    "{} holds a password, which everybody can read in the image. "
    "Put the index into a pip.conf and name that with pip-config."
)
_PASSWORD = re.compile(r"://[^/\s:@]*:(?P<password>[^/\s@]+)@")
# What `pip freeze` writes of packages that conda installed: where its builders had them.
_OF_ANOTHER_COMPUTER = re.compile(
    r"^[\w.-]+ @ file:///(?:\S*/)?(?:croot|feedstock_root|conda-bld|tmp/build|tmp/abs_\w+|ci\d*|private/var|Users|[A-Z]:)/\S+"
)
FILE = "requirements.txt"
_FOLDER = "requirements"
# Names in a folder of requirements, the one that is meant for running the program first.
_FOR_RUNNING = ("prod", "production", "deploy", "runtime", "main", "base", "common", "default", "requirements")


def read(folder: Folder) -> Packages | None:
    return Packages(source=FILE) if FILE in folder.paths else None


def read_variant(folder: Folder) -> Packages | None:
    usable = [name for name in variants(folder) if not is_not_for_running(name.rpartition(".")[0])]
    # A list that was compiled from another one (requirements.in) is the pinned form of it.
    usable = [name for name in usable if name.endswith(".txt")] or usable
    return Packages(source=_only(usable)) if usable else None


def read_folder(folder: Folder) -> Packages | None:
    names = sorted(
        path.removeprefix(f"{_FOLDER}/").removesuffix(".txt")
        for path in folder.paths
        if path.startswith(f"{_FOLDER}/") and path.count("/") == 1 and path.endswith(".txt")
    )
    usable = [name for name in names if not is_not_for_running(name)]
    name = next((name for name in _FOR_RUNNING if name in usable), "")
    files = [f"{_FOLDER}/{one}.txt" for one in ([name] if name else usable)]
    return Packages(source=_only(files)) if files else None


def variants(folder: Folder) -> list[str]:
    """List other top-level files that look like requirements."""
    return sorted(path for path in folder.paths if path != FILE and "/" not in path and looks_like_one(path))


def is_not_for_running(name: str) -> bool:
    return _NOT_FOR_RUNNING.search(name.lower()) is not None


def looks_like_one(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def complete(packages: Packages, root: Path, listing: Listing, problems: Problems, progress: Progress) -> Packages:
    """Add its includes and what its installation needs."""
    name = packages.source
    if "\\" in name:
        problems.wrong_folder(f"the requirements file {name!r} has a backslash in its name; rename it.")
        return packages
    includes: dict[str, None] = {}
    local = _read(name, root, listing, includes, problems, progress)
    contents = [reading.content(root, path, problems) or b"" for path in includes]
    git = any("git+" in line for content in contents for _, line in _lines(content))
    return replace(packages, includes=tuple(path for path in includes if path != name), need_code=local, need_git=git)


def holds_password(text: str) -> bool:
    return any(_PASSWORD.search(line) and "${" not in line for line in text.splitlines())


def _only(names: list[str]) -> str:
    if len(names) > 1:
        raise UnusableError(
            f"several files could be the requirements: {', '.join(names)}. Name one with requirements-file."
        )
    return names[0]


def _read(
    name: str, root: Path, listing: Listing, seen: dict[str, None], problems: Problems, progress: Progress
) -> bool:
    if name in seen:
        return False
    seen[name] = None
    local = False
    for number, line in _lines(reading.content(root, name, problems) or b""):
        if holds_password(line):
            progress.warning(
                READ_BY_ALL.format(f"{name} line {number}"),
                root / name,
                number,
            )
        if elsewhere := _OF_ANOTHER_COMPUTER.search(line):
            problems.wrong_folder(
                f"{name} line {number}: {elsewhere[0]!r} is a path on the computer where conda made the package. "
                "List the packages anew, by `pip list --format=freeze`, or name an environment.yml."
            )
        include = _INCLUDE.fullmatch(line)
        if include is None:
            local = local or is_local(line)
        elif "://" not in include["path"]:
            path = _join(name, include["path"].strip("\"'"))
            if listing.holds(path):
                local = _read(path, root, listing, seen, problems, progress) or local
            else:
                problems.wrong_folder(f"{name} line {number} reads {path!r}, which is not in the folder.")
    return local


def is_local(line: str) -> bool:
    """Tell whether a requirement is a path, such as `-e ./package`."""
    option = _FROM_FOLDER_OPTION.fullmatch(line)
    if option is None and line.startswith("-"):
        return False
    target = option["target"] if option else line.partition("@")[2] or line
    target = target.partition(";")[0].strip().strip("\"'")
    if "://" in target:
        return target.startswith("file:")
    return (
        option is not None
        or target.startswith((".", "file:"))
        or "/" in target
        or target.endswith((".whl", ".tar.gz", ".zip"))
    )


def _lines(content: bytes) -> list[tuple[int, str]]:
    # As pip does: a byte order mark decides (PowerShell's `>` writes UTF-16).
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    found: list[tuple[int, str]] = []
    begun: list[str] = []
    for number, line in enumerate(content.decode(encoding, errors="replace").splitlines(), start=1):
        begun.append(line.removesuffix("\\"))
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            continue
        found.append((number - len(begun) + 1, re.sub(r"(^|\s)#.*$", "", "".join(begun)).strip()))
        begun = []
    return [*found, (0, "".join(begun).strip())] if begun else found


def _join(name: str, relative: str) -> str:
    parts: list[str] = []
    for part in (*PurePosixPath(name).parent.parts, *PurePosixPath(relative).parts):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
