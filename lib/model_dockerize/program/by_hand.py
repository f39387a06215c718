"""The build context of a folder with its own Dockerfile."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from model_dockerize.errors import ProgramError
from model_dockerize.program import reading
from model_dockerize.program.context import add, folders, header
from model_dockerize.program.dockerfile import CONTEXT_ARGUMENT
from model_dockerize.program.files import list_files
from model_dockerize.program.inspection import check_pointers, folder_at
from model_dockerize.program.problems import Problems
from model_dockerize.program.types import MARKER, REQUIREMENTS, ProgramFile
from model_dockerize.progress import Progress

#: Ours comes first: a folder has it beside a Dockerfile of somebody else's.
_NAMES = ("Dockerfile.model-dockerize", "Dockerfile")
#: Apart from the Dockerfile, which then is no part of the program.
_APART = "program"


@dataclass(frozen=True)
class HandContext:
    """A folder with its Dockerfile."""

    path: Path
    dockerfile: str
    listed: str  # the translated lock beside a Dockerfile of ours; empty: there is none
    files: tuple[ProgramFile, ...]

    @property
    def is_ours(self) -> bool:
        """Tell whether we wrote the Dockerfile, which then needs the server image."""
        return self.dockerfile.startswith(MARKER)


def read_context(path: Path, progress: Progress) -> HandContext:
    root = folder_at(path)
    problems = Problems()
    listing = list_files(root, (), problems, progress)
    check_pointers(root, listing, None, problems)
    found = (reading.text(root, name, problems) for name in _NAMES)
    dockerfile = next((text for text in found if text is not None), None)
    listed = reading.text(root, REQUIREMENTS, problems) or ""
    problems.raise_if_any(str(root))
    if dockerfile is None:
        raise ProgramError(f"There is no Dockerfile in {root}.", "Write it first: create_dockerfile.")
    return HandContext(root, dockerfile, listed, listing.files)


def write_folder(context: HandContext, stream: BinaryIO) -> None:
    """Write the build context as a tar, without credentials."""
    text, place = context.dockerfile, ""
    if context.is_ours:
        text = text.replace(f"ARG {CONTEXT_ARGUMENT}=.\n", f"ARG {CONTEXT_ARGUMENT}={_APART}\n", 1)
        place = f"{_APART}/"
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(header("Dockerfile", size=len(text.encode())), io.BytesIO(text.encode()))
        for name in folders(place.rstrip("/"), context.files):
            archive.addfile(header(name, kind=tarfile.DIRTYPE, mode=0o755))
        if context.is_ours and context.listed:
            listed = context.listed.encode()
            archive.addfile(header(f"{place}{REQUIREMENTS}", size=len(listed)), io.BytesIO(listed))
        for file in context.files:
            add(archive, context.path, f"{place}{file.path}", file)
