"""Finds the requirements file and what it reads besides itself."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model_dockerize.program import reading
from model_dockerize.program.files import Listing
from model_dockerize.program.problems import Problems
from model_dockerize.progress import Progress

_NAME = re.compile(r"(?:requirements[^/]*|[^/]*requirements)\.(?:txt|in|pip)|[^/]*requirements[^/]*\.txt", re.I)
# Variants that say what a developer needs, not what the model needs.
_NOT_FOR_RUNNING = re.compile(
    r"(?:^|[-_.])(?:dev|devel|develop|development|test|tests|testing|docs?|lint|ci)(?:[-_.]|$)"
)
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?<=-[rc]))(?P<path>\S.*)")
_FROM_FOLDER_OPTION = re.compile(r"(?:-e|--editable|-f|--find-links)(?:\s+|=)(?P<target>.*)")
_PASSWORD = re.compile(r"://[^/\s:@]*:(?P<password>[^/\s@]+)@")
_OTHER_TOOLS = ("pyproject.toml", "environment.yml", "environment.yaml", "Pipfile", "poetry.lock", "uv.lock")


#: A setting that asks for no file, whatever the folder holds.
NONE = "none"


@dataclass(frozen=True)
class Requirements:
    """What is installed before the program is copied. All empty: nothing."""

    file: str = ""
    includes: tuple[str, ...] = ()
    need_code: bool = False


def find(setting: str, root: Path, listing: Listing, problems: Problems, progress: Progress) -> Requirements:
    """The named file, else `requirements.txt`, else the only other one that looks like it."""
    if setting == NONE:
        _tell_of_unused(root, listing, progress)
        return Requirements()
    name = _named(setting, listing, problems) if setting else _usual(root, listing, problems, progress)
    if not name:
        return Requirements()
    if "\\" in name:
        problems.wrong_folder(f"the requirements file {name!r} has a backslash in its name; rename it.")
        return Requirements()
    includes: dict[str, None] = {}
    local = _read(name, root, listing, includes, problems, progress)
    return Requirements(name, tuple(path for path in includes if path != name), local)


def _tell_of_unused(root: Path, listing: Listing, progress: Progress) -> None:
    if listing.holds("requirements.txt"):
        progress.warning(
            "requirements.txt is not installed from, because no requirements file is named.", root / "requirements.txt"
        )


def _named(setting: str, listing: Listing, problems: Problems) -> str:
    name = PurePosixPath(setting).as_posix()
    if listing.holds(name):
        return name
    left_out = next((item for item in listing.excluded if item.path == name), None)
    why = f"is left out ({left_out.reason})" if left_out else "is not in the folder"
    problems.wrong_input(f"requirements-file {setting!r} {why}.")
    return ""


def _usual(root: Path, listing: Listing, problems: Problems, progress: Progress) -> str:
    top = [file.path for file in listing.files if "/" not in file.path]
    if "requirements.txt" in top:
        return "requirements.txt"
    variants = [name for name in top if _NAME.fullmatch(name)]
    usable = [name for name in variants if not _NOT_FOR_RUNNING.search(name.lower().rpartition(".")[0])]
    # A list that was compiled from another one (requirements.in) is the pinned form of it.
    usable = [name for name in usable if name.endswith(".txt")] or usable
    if len(usable) > 1:
        problems.wrong_folder(
            f"several files could be the requirements: {', '.join(usable)}. Name one with requirements-file."
        )
        return ""
    if usable:
        return usable[0]
    for name in (*variants, *(name for name in _OTHER_TOOLS if name in top and _lists_packages(root, name, problems))):
        progress.warning(
            f"{name} is not installed from. If the model needs its packages, name a requirements file "
            "with requirements-file.",
            root / name,
        )
    return ""


def _lists_packages(root: Path, name: str, problems: Problems) -> bool:
    return name != "pyproject.toml" or "dependencies" in (reading.text(root, name, problems, "replace") or "")


def _read(
    name: str, root: Path, listing: Listing, seen: dict[str, None], problems: Problems, progress: Progress
) -> bool:
    """Follows includes into `seen`; whether anything is installed from the folder itself."""
    if name in seen:
        return False
    seen[name] = None
    local = False
    for number, line in enumerate(_lines(reading.content(root, name, problems) or b""), start=1):
        if _PASSWORD.search(line) and "${" not in line:
            progress.warning(
                f"{name} line {number} holds a password, which everybody can read in the image. "
                "Put the index into a pip.conf and name that with pip-config.",
                root / name,
                number,
            )
        include = _INCLUDE.fullmatch(line)
        if include is None:
            local = local or _is_local(line)
        elif "://" not in include["path"]:
            path = _join(name, include["path"].strip("\"'"))
            if listing.holds(path):
                local = _read(path, root, listing, seen, problems, progress) or local
            else:
                problems.wrong_folder(f"{name} line {number} reads {path!r}, which is not in the folder.")
    return local


def _is_local(line: str) -> bool:
    """Whether a requirement is a path in the folder: `.`, `-e ./package`, `wheels/x.whl`, `name @ file:...`."""
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


def _lines(content: bytes) -> list[str]:
    # As pip does: a byte order mark decides (PowerShell's `>` writes UTF-16).
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = content.decode(encoding, errors="replace")
    return [re.sub(r"(^|\s)#.*$", "", line).strip() for line in text.splitlines()]


def _join(name: str, relative: str) -> str:
    parts: list[str] = []
    for part in (*PurePosixPath(name).parent.parts, *PurePosixPath(relative).parts):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
