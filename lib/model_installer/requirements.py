"""Searches requirements files for what uv and pip read differently."""

import os
import re
from typing import List, NamedTuple, Sequence, Set

_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(?P<path>\S.*)")
_OPTION = re.compile(r"(?P<name>--?[A-Za-z][\w-]*)")
_LIKE_PIP = frozenset(
    "-e --editable -f --find-links --extra-index-url --no-index --no-binary --only-binary --require-hashes".split()
)
_INDEX = frozenset(("-i", "--index-url"))
_OF_A_REQUIREMENT = re.compile(r"\s(--[a-z][\w-]*)")
_OTHER_REPOSITORIES = re.compile(r"\b(?:hg|svn|bzr)\+")


class Found(NamedTuple):
    arguments: List[str]  # that uv takes on its command line only
    lacking: List[str]  # what uv cannot
    own_index: bool
    hashes: bool


def look(arguments: Sequence[str]) -> Found:
    """Read the requirements files of `pip install ARGUMENTS`."""
    lines = []  # type: List[str]
    seen = set()  # type: Set[str]
    for number, word in enumerate(arguments):
        if word in ("-r", "--requirement"):
            _read(arguments[number + 1], lines, seen)
    found = Found([], [], any(_name(line) in _INDEX for line in lines), any("--hash" in line for line in lines))
    for line in lines:
        _look_at(line, found)
    if found.hashes:
        found.arguments.append("--require-hashes")  # as pip does of itself
    return found


def _look_at(line: str, found: Found) -> None:
    name = _name(line)
    if name == "--pre":
        found.arguments.append(name)
    elif name == "--trusted-host":
        found.arguments.extend(("--allow-insecure-host", line[len(name) :].strip(" =")))
    elif name and name not in _LIKE_PIP and name not in _INDEX:
        found.lacking.append(name)
    elif not name:
        found.lacking.extend(option for option in _OF_A_REQUIREMENT.findall(line) if option != "--hash")
    if _OTHER_REPOSITORIES.search(line):
        found.lacking.append("repositories of other kinds than git")


def _name(line: str) -> str:
    match = _OPTION.match(line)
    return match.group("name") if match else ""


def _read(path: str, lines: List[str], seen: Set[str]) -> None:
    path = os.path.normpath(path)
    # uv and pip report a missing file.
    if path in seen or "://" in path or not os.path.isfile(path):
        return
    seen.add(path)
    with open(path, "rb") as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        lines.append("--an-encoding-other-than-utf-8")
        return
    for line in re.sub(r"\\\r?\n", "", text).splitlines():
        plain = re.sub(r"(^|\s)#.*$", "", line).strip()
        include = _INCLUDE.match(plain)
        if include:
            _read(os.path.join(os.path.dirname(path), include.group("path").strip("\"'")), lines, seen)
        elif plain:
            lines.append(plain)
