"""Saves the Dockerfile into the program folder."""

import os
import tempfile
from pathlib import Path

from model_dockerize.errors import ProgramError
from model_dockerize.inside import OutsideError, open_regular
from model_dockerize.program.dockerignore import DockerIgnore
from model_dockerize.program.ignore import CREDENTIAL, FIXED_PATTERNS, VIRTUAL_ENVIRONMENT, literal
from model_dockerize.program.types import MARKER, REQUIREMENTS, Program

_NAME = "Dockerfile"
_OTHER_NAME = "Dockerfile.model-dockerize"


def write_dockerfile(program: Program, text: str) -> Path:
    """Write Dockerfile, `.dockerignore` and translated lock where they changed."""
    path = program.path / (_OTHER_NAME if is_foreign(program.path) else _NAME)
    listed = program.path / REQUIREMENTS
    if program.packages.text and _is_someone_elses(listed):
        raise ProgramError(
            f"{listed} was not made by model-dockerize.", "Rename it: that name is for a translated lock."
        )
    try:
        if program.packages.text:
            _write(listed, program.packages.text)
        # The name that BuildKit prefers to .dockerignore, so the user's file stays the user's.
        _write(path.with_name(f"{path.name}.dockerignore"), _dockerignore(program))
        _write(path, text)
    except OSError as error:
        raise ProgramError(
            f"{path} cannot be written: {error.strerror}.", "Let the user who runs this write to the program folder."
        ) from error
    return path


def written(folder: Path) -> tuple[Path, ...]:
    """Return the files that `write_dockerfile` left in a folder."""
    dockerfiles = (_NAME, _OTHER_NAME)
    names = (*dockerfiles, *(f"{name}.dockerignore" for name in dockerfiles), REQUIREMENTS)
    return tuple(
        path for path in (folder / name for name in names) if os.path.lexists(path) and not _is_someone_elses(path)
    )


def is_foreign(folder: Path) -> bool:
    """Tell whether somebody else made the Dockerfile or ignore file."""
    return any(_is_someone_elses(folder / name) for name in (_NAME, f"{_NAME}.dockerignore"))


def _is_someone_elses(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return not file.read(len(MARKER)).startswith(MARKER.encode())
    except FileNotFoundError:
        return False
    except (OSError, OutsideError):
        return True


def _dockerignore(program: Program) -> str:
    found = [literal(item.path) for item in program.excluded if item.reason in (CREDENTIAL, VIRTUAL_ENVIRONMENT)]
    fixed = DockerIgnore((*FIXED_PATTERNS, *found))
    listed = [f"!{REQUIREMENTS}"] if program.packages.text else []
    kept = [f"!{literal(file.path)}" for file in program.files if fixed.ignores(file.path)]
    own = [f" {pattern}" if pattern.startswith("#") else pattern for pattern in program.ignore_patterns]
    # For Docker the last match decides.
    return "\n".join((MARKER, *own, *FIXED_PATTERNS, *found, *kept, *listed, ""))


def _write(path: Path, text: str) -> None:
    content = text.encode()
    if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
        return
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
            owner = path.parent.stat()
            if os.geteuid() == 0:  # in a container, root is not who works in the folder
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
