"""Which paths stay out of the image: fixed rules, and the folder's own .dockerignore read as Docker reads it."""

from fnmatch import fnmatchcase
from pathlib import Path

from docker.utils.build import Pattern

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
_BUILD_FILE = "says how the image is made"
VIRTUAL_ENVIRONMENT = "a virtual environment"
CREDENTIAL = "may hold credentials"

FIXED_PATTERNS = (
    *(f"**/{name}" for name in (*_TOOL_FOLDERS, *_TOOL_FILES, *map(any_case, (*NAMES, *PATHS)))),
    *_BUILD_FILES,
)


def tool_reason(path: str, file: Path) -> str:
    """Why a tool's file or folder at `path` stays out; empty: it does not."""
    name = path.rpartition("/")[2]
    if file.is_dir() and not file.is_symlink():
        if (file / "pyvenv.cfg").is_file():
            return VIRTUAL_ENVIRONMENT
        return _TOOL_FOLDERS.get(name, "")
    if path in _BUILD_FILES:
        return _BUILD_FILE
    return next((reason for pattern, reason in _TOOL_FILES.items() if fnmatchcase(name, pattern)), "")


class DockerIgnore:
    """The patterns of a .dockerignore. A later one overrules an earlier one; `!` takes a path back in."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        # The matcher that the docker SDK wraps around these forgets the children of `**/folder` once a `!` pattern
        # is there, so only its patterns are used, in the order of moby's MatchesOrParentMatches.
        self._patterns = [pattern for pattern in map(Pattern, lines) if pattern.dirs]

    @property
    def takes_back(self) -> bool:
        """Whether something below an ignored folder may be wanted."""
        return any(pattern.exclusion for pattern in self._patterns)

    def ignores(self, path: str) -> bool:
        """Whether Docker would leave `path` (relative, with `/`) out of the build context."""
        ignored = False
        for pattern in self._patterns:
            if pattern.exclusion == ignored and _matches_with_parents(pattern, path):
                ignored = not pattern.exclusion
        return ignored

    def names(self, path: str) -> bool:
        """Whether the last pattern about `path` takes exactly it back in."""
        last = next((pattern for pattern in reversed(self._patterns) if _matches_with_parents(pattern, path)), None)
        return last is not None and last.exclusion and bool(last.match(path))


def patterns_of(text: str) -> tuple[str, ...]:
    """The lines of a .dockerignore without comments."""
    lines = text.splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#") and line.strip() != "!")


def literal(path: str) -> str:
    """A pattern that matches `path`; a character with a meaning in patterns stands for any one."""
    return "".join("?" if char in "*?[\\" else char for char in path)


def _matches_with_parents(pattern: Pattern, path: str) -> bool:
    parts = path.split("/")
    return any(pattern.match("/".join(parts[:count])) for count in range(len(parts), 0, -1))
