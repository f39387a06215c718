"""Writes the build context as a reproducible tar."""

import hashlib
import io
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from model_dockerize.errors import ProgramError
from model_dockerize.program.dockerfile import CONTEXT_ARGUMENT, LARGE_FILES
from model_dockerize.program.layers import large_files
from model_dockerize.program.types import REQUIREMENTS, Program, ProgramFile

_FOLDER = "program"
_LARGE = "large"


def write_context(program: Program, dockerfile: str, stream: BinaryIO) -> None:
    """Write the tar in constant memory.

    No copied folder holds the Dockerfile: a new server version in it would rerun the init script.
    """
    groups = {f"{_LARGE}/{number}": files for number, files in enumerate(large_files(program))}
    apart = {file for files in groups.values() for file in files}
    groups[_FOLDER] = tuple(file for file in program.files if file not in apart)
    text = dockerfile.replace(f"ARG {CONTEXT_ARGUMENT}=.\n", f"ARG {CONTEXT_ARGUMENT}={_FOLDER}\n", 1)
    # Folders, not files: COPY gives a folder the time that it has here, and a file's folder the time of the build.
    copies = (f'COPY ["{folder}/", "/program/"]' for folder in groups if folder != _FOLDER)
    text = text.replace(LARGE_FILES, "\n".join(copies), 1)
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        # First, and with a short ASCII name: buildx tells a tar from a Dockerfile by the first header.
        content = text.encode()
        archive.addfile(header("Dockerfile", size=len(content)), io.BytesIO(content))
        for folder, files in groups.items():
            for name in folders(folder, files):
                archive.addfile(header(name, kind=tarfile.DIRTYPE, mode=0o755))
        if program.packages.text:
            listed = program.packages.text.encode()
            archive.addfile(header(f"{_FOLDER}/{REQUIREMENTS}", size=len(listed)), io.BytesIO(listed))
        for folder, files in groups.items():
            for file in files:
                add(archive, program.path, f"{folder}/{file.path}", file)


def add(archive: tarfile.TarFile, root: Path, name: str, file: ProgramFile) -> None:
    """Add a file; raise ProgramError if it changed meanwhile."""
    if file.link_target:
        archive.addfile(header(name, kind=tarfile.SYMTYPE, mode=0o777, target=file.link_target))
        return
    content = _Checked(root / file.path, file)
    with content:
        # tarfile reads exactly `size` bytes.
        archive.addfile(header(name, size=file.size, mode=0o755 if file.executable else 0o644), content)  # type: ignore[arg-type]
        content.finish()


class _Checked:
    def __init__(self, path: Path, file: ProgramFile) -> None:
        self._file, self._digest = file, hashlib.sha256()
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise self._changed() from error

    def __enter__(self) -> "_Checked":
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def read(self, size: int) -> bytes:
        try:
            content = self._raw.read(size)
        except OSError as error:
            raise self._changed() from error
        if len(content) < size:
            raise self._changed()
        self._digest.update(content)
        return content

    def finish(self) -> None:
        if self._raw.read(1) or self._digest.hexdigest() != self._file.sha256:
            raise self._changed()

    def _changed(self) -> ProgramError:
        return ProgramError(
            f"{self._file.path} changed while the image was being built.",
            "Run again when nothing writes to the folder.",
        )


def folders(folder: str, files: tuple[ProgramFile, ...]) -> list[str]:
    """List every folder with files, parents first."""
    place = f"{folder}/" if folder else ""
    names = {folder} if folder else set()
    for file in files:
        names.update(f"{place}{parent}" for parent in PurePosixPath(file.path).parents if parent.name)
    return sorted(names)


def header(
    name: str, *, kind: bytes = tarfile.REGTYPE, size: int = 0, mode: int = 0o644, target: str = ""
) -> tarfile.TarInfo:
    """Return a tar header without times and owners."""
    made = tarfile.TarInfo(name)
    made.type, made.size, made.mode, made.linkname = kind, size, mode, target
    return made
