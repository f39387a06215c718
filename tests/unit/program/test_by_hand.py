"""A folder with its own Dockerfile: which one counts, and the context that it becomes."""

import io
import tarfile
from pathlib import Path

import pytest

from model_dockerize.errors import ProgramError
from model_dockerize.program import HandContext, read_context, write_folder
from model_dockerize.program.dockerfile import CONTEXT_ARGUMENT
from model_dockerize.program.types import MARKER, REQUIREMENTS

from .folder import Heard, fill

OURS = f"{MARKER}\nARG {CONTEXT_ARGUMENT}=.\nFROM x\nARG {CONTEXT_ARGUMENT}=.\n"
FILES = {"main.py": "print()\n", "data/größe.csv": "a\n"}


def members(context: HandContext) -> dict[str, str]:
    """Return what the context holds: a file's text, or `folder`; in order."""
    stream = io.BytesIO()
    write_folder(context, stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        return {
            member.name: archive.extractfile(member).read().decode() if member.isfile() else f"folder {member.mode:o}"  # type: ignore[union-attr]
            for member in archive.getmembers()
        }


def test_a_dockerfile_of_somebody_else_stands_beside_the_files(tmp_path: Path) -> None:
    context = read_context(fill(tmp_path, {**FILES, "Dockerfile": "FROM y\n"}), Heard())
    assert (context.path, context.dockerfile, context.listed, context.is_ours) == (tmp_path, "FROM y\n", "", False)
    assert {file.path for file in context.files} >= set(FILES)
    found = members(context)
    assert next(iter(found)) == "Dockerfile"
    assert found["Dockerfile"] == "FROM y\n"
    assert {name: found[name] for name in FILES} == FILES
    assert found["data"] == "folder 755"


@pytest.mark.parametrize("listed", ["", "a==1\n"])
def test_ours_comes_first_and_its_program_lies_apart(tmp_path: Path, listed: str) -> None:
    files = {**FILES, "Dockerfile": "FROM y\n", "Dockerfile.model-dockerize": OURS}
    context = read_context(fill(tmp_path, files | ({REQUIREMENTS: listed} if listed else {})), Heard())
    assert (context.dockerfile, context.is_ours, context.listed) == (OURS, True, listed)
    found = members(context)
    assert found["Dockerfile"] == OURS.replace("=.\n", "=program\n", 1)
    assert (found["program"], found["program/data"]) == ("folder 755", "folder 755")
    assert {name: found[f"program/{name}"] for name in FILES} == FILES
    assert found.get(f"program/{REQUIREMENTS}", "") == listed
    assert not [name for name in found if not name.startswith(("program", "Dockerfile"))]


def test_without_a_dockerfile_there_is_nothing_to_build(tmp_path: Path) -> None:
    with pytest.raises(ProgramError) as refused:
        read_context(fill(tmp_path, FILES), Heard())
    assert str(refused.value) == f"There is no Dockerfile in {tmp_path}."
    assert refused.value.remedy == "Write it first: create_dockerfile."
    (tmp_path / "Dockerfile").write_bytes(b"\xff")
    with pytest.raises(ProgramError) as refused:
        read_context(tmp_path, Heard())
    assert "Dockerfile cannot be read: it is not UTF-8 text." in "\n".join((str(refused.value), *refused.value.details))
