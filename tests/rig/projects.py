"""Projects as their tools locked them (tests/projects), where the hosts of the public index have other names."""

from __future__ import annotations

import shutil
from pathlib import Path

PROJECTS = Path(__file__).resolve().parents[1] / "projects"
PUBLIC_INDEX = f"https://{'.'.join(('pypi', 'org'))}/simple"
_HOSTS = {
    "index.example": ".".join(("pypi", "org")),
    "files.example": ".".join(("files", "pythonhosted", "org")),
}
PUBLIC_FILES = f"https://{_HOSTS['files.example']}"


def copy(project: str, folder: Path) -> Path:
    """Make a project in `folder`, as its tool wrote it."""
    shutil.copytree(PROJECTS / project, folder, dirs_exist_ok=True)
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_text(_as_written(path), encoding="utf-8")
    return folder


def texts(project: str) -> dict[str, str]:
    """Read the files at the top of a project, by their names."""
    return {path.name: _as_written(path) for path in (PROJECTS / project).iterdir() if path.is_file()}


def exported(tool: str) -> str:
    """Read what a tool says is to be installed."""
    return _as_written(PROJECTS / "exports" / f"{tool}.txt")


def _as_written(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    for ours, real in _HOSTS.items():
        text = text.replace(ours, real)
    return text
