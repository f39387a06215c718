"""Paths that stay out of every image, beside .dockerignore."""

from fnmatch import fnmatchcase
from pathlib import Path

from model_dockerize.program.credentials import NAMES, PATHS, any_case
from model_dockerize.program.types import REQUIREMENTS

_TOOL_FOLDERS = {
    ".git": "version control",
    ".hg": "version control",
    ".svn": "version control",
    "__pycache__": "compiled bytecode, made again in the image",
    ".ipynb_checkpoints": "notebook check-points",
    ".pytest_cache": "cache of a tool",
    ".mypy_cache": "cache of a tool",
    ".ruff_cache": "cache of a tool",
    ".hypothesis": "cache of a tool",
    ".tox": "virtual environments",
    ".nox": "virtual environments",
    "node_modules": "packages of Node.js",
}
_TOOL_FILES = {
    ".DS_Store": "of the desktop",
    "Thumbs.db": "of the desktop",
    "*.docker.tar.gz": "an image archive",
}
# Only at the top of the folder: they say how the image is made.
_BUILD_FILES = (
    "Dockerfile",
    "Dockerfile.model-dockerize",
    "Dockerfile.dockerignore",
    "Dockerfile.model-dockerize.dockerignore",
    ".dockerignore",
    "model-dockerize.yml",
    "model-dockerize.yaml",
    REQUIREMENTS,
)
BUILD_FILE = "says how the image is made"
VIRTUAL_ENVIRONMENT = "a virtual environment"
CREDENTIAL = "may hold credentials"

FIXED_PATTERNS = (
    *(f"**/{name}" for name in (*_TOOL_FOLDERS, *_TOOL_FILES, *map(any_case, (*NAMES, *PATHS)))),
    *_BUILD_FILES,
)


def tool_reason(path: str, file: Path) -> str:
    """Say why a tool's file stays out, else ""."""
    name = path.rpartition("/")[2]
    if file.is_dir() and not file.is_symlink():
        if (file / "pyvenv.cfg").is_file():
            return VIRTUAL_ENVIRONMENT
        return _TOOL_FOLDERS.get(name, "")
    if path in _BUILD_FILES:
        return BUILD_FILE
    return next((reason for pattern, reason in _TOOL_FILES.items() if fnmatchcase(name, pattern)), "")


def literal(path: str) -> str:
    """Return a pattern that matches `path`."""
    return "".join("?" if char in "*?[\\" else char for char in path)
