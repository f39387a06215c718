"""Names a program the same on every computer."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from model_dockerize.inside import OutsideError, read_text

_SECTION = re.compile(r"\s*\[(?P<name>[^\]]*)\]")
_URL = re.compile(r"\s*url\s*=\s*(?P<url>\S+)\s*", re.IGNORECASE)
_LONGEST = 2000  # characters of a line that is looked at
_HOST, _PATH = r"(?P<host>\w[\w.-]*)", r"/*(?P<path>\S+?)(?:\.git)?/*"
#: `https://host:443/path`, and `user@host:path`. What stands before an @ may be a token.
_PLACES = (
    re.compile(rf"[a-z][a-z0-9+.-]*://(?:[^/\s]*@)?{_HOST}(?::\d+)?/{_PATH}"),
    re.compile(rf"(?:[^/:\s]*@)?{_HOST}:(?!//){_PATH}"),
)


def origin(folder: Path, environment: Mapping[str, str]) -> str:
    """Return `github.com/org/models//iris`, else two folders' names.

    Args:
        folder: with links followed.
    """
    root = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)
    repository = _of_git(root) if root else ""
    if not repository and (named := environment.get("GITHUB_REPOSITORY")):
        host = _host(environment.get("GITHUB_SERVER_URL", "")) or "github.com"
        repository = f"{host}/{named}".lower()
        root = root or Path(environment.get("GITHUB_WORKSPACE") or folder).resolve()
    if not (repository and root and folder.is_relative_to(root)):
        return "/".join(folder.parts[-2:]).lstrip("/")
    inside = folder.relative_to(root).as_posix()
    return repository if inside == "." else f"{repository}//{inside}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _of_git(root: Path) -> str:
    try:
        lines = read_text(root / ".git" / "config", root, errors="replace").splitlines()
    except (OSError, OutsideError):
        return ""
    section = ""
    for line in (line for line in lines if len(line) < _LONGEST):
        if heading := _SECTION.match(line):
            section = heading["name"].strip()
        elif section == 'remote "origin"' and (found := _URL.fullmatch(line)):
            place = next(filter(None, (pattern.fullmatch(found["url"]) for pattern in _PLACES)), None)
            return f"{place['host']}/{place['path']}".lower() if place else ""
    return ""
