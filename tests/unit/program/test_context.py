"""The build context and the build id: the same content gives the same, anything else another."""

import dataclasses
import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from model_dockerize.errors import ProgramError
from model_dockerize.program import (
    HandContext,
    Program,
    build_id,
    layers,
    render_dockerfile,
    write_context,
    write_folder,
)
from model_dockerize.program.types import MARKER, REQUIREMENTS

from .folder import SERVER, fill, look

FILES = {"main.py": "print()\n", "größe n/data.csv": "a\n1\n", "init.sh": "#!/bin/sh\n", "secret.key": "x"}


def context(program: Program, dockerfile: str = "FROM x\n") -> bytes:
    stream = io.BytesIO()
    write_context(program, dockerfile, stream)
    return stream.getvalue()


def test_members(tmp_path: Path) -> None:
    folder = fill(tmp_path, FILES)
    (folder / "init.sh").chmod(0o700)
    (folder / "main.py").chmod(0o600)
    (folder / "größe n" / "link").symlink_to("../main.py")
    with tarfile.open(fileobj=io.BytesIO(context(look(folder)))) as archive:
        members = {member.name: member for member in archive.getmembers()}
        assert archive.extractfile("program/größe n/data.csv").read() == b"a\n1\n"  # type: ignore[union-attr]
    assert list(members) == [
        "Dockerfile",
        "program",
        "program/größe n",
        "program/größe n/data.csv",
        "program/größe n/link",
        "program/init.sh",
        "program/main.py",
    ]
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, 0, "")}
    assert members["program/init.sh"].mode == 0o755
    assert members["program/main.py"].mode == 0o644
    assert members["program/größe n"].mode == 0o755
    assert members["program/größe n/link"].linkname == "../main.py"


def test_dockerfile_finds_the_files_and_not_itself(tmp_path: Path) -> None:
    program = look(fill(tmp_path, FILES))
    with tarfile.open(fileobj=io.BytesIO(context(program, render_dockerfile(program, SERVER)))) as archive:
        text = archive.extractfile("Dockerfile").read().decode()  # type: ignore[union-attr]
    assert "\nARG MODEL_CONTEXT=program\n" in text
    assert text.replace("MODEL_CONTEXT=program\n", "MODEL_CONTEXT=.\n") == render_dockerfile(program, SERVER)


def test_large_files_are_copied_apart_from_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "LARGE", 10)
    monkeypatch.setattr(layers, "MOST_LAYERS", 3)
    large = {f"m/{name}.bin": name * size for name, size in (("a", 10), ("b", 30), ("c", 20), ("d", 11))}
    program = look(fill(tmp_path, {"main.py": "", "requirements.txt": "six # and more\n", **large}))
    rendered = render_dockerfile(program, SERVER)
    with tarfile.open(fileobj=io.BytesIO(context(program, rendered))) as archive:
        text = archive.extractfile("Dockerfile").read().decode()  # type: ignore[union-attr]
        files = {member.name for member in archive if member.isfile()}
    assert files == {
        *("Dockerfile", "program/main.py", "program/requirements.txt"),
        *("large/0/m/b.bin", "large/1/m/c.bin", "large/2/m/a.bin", "large/2/m/d.bin"),
    }
    copies = [f'COPY ["large/{number}/", "/program/"]' for number in range(3)]
    steps = ["model_installer -r", *copies, 'COPY ["${MODEL_CONTEXT}/", "/program/"]']
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)
    assert "large/" not in rendered  # a folder that is built by hand has no such place


def test_same_content_same_bytes(tmp_path: Path) -> None:
    one = fill(tmp_path / "one" / "x", FILES)
    two = fill(tmp_path / "two" / "x", dict(reversed(FILES.items())))
    for path in two.rglob("*"):
        os.utime(path, (1, 1))
    (two / "main.py").chmod(0o640)
    first, second = look(one), look(two)
    assert context(first) == context(second)
    assert build_id(first, "d", "1") == build_id(second, "d", "1")
    assert len(build_id(first, "d", "1")) == 32


def test_order_of_files_does_not_matter(tmp_path: Path) -> None:
    program = look(fill(tmp_path, FILES))
    turned = dataclasses.replace(program, files=tuple(reversed(program.files)))
    assert build_id(program, "d", "1") == build_id(turned, "d", "1")


def test_any_change_gives_another_id(tmp_path: Path) -> None:
    folder = fill(tmp_path, FILES)
    seen = {build_id(look(folder), "d", "1"), build_id(look(folder), "d", "2"), build_id(look(folder), "e", "1")}
    (folder / "main.py").write_text("print( )\n")
    seen.add(build_id(look(folder), "d", "1"))
    (folder / "main.py").chmod(0o755)
    seen.add(build_id(look(folder), "d", "1"))
    (folder / "main.py").rename(folder / "model.py")
    seen.add(build_id(look(folder), "d", "1"))
    (folder / "link").symlink_to("model.py")
    seen.add(build_id(look(folder), "d", "1"))
    assert len(seen) == 7


def test_what_stays_out_does_not_change_the_id(tmp_path: Path) -> None:
    folder = fill(tmp_path, FILES)
    before = build_id(look(folder), "d", "1")
    fill(folder, {"secret.key": "other", ".git/HEAD": "", "Dockerfile": "", "model-dockerize.yml": "", ".env": "a"})
    assert build_id(look(folder), "d", "1") == before


@pytest.mark.parametrize("change", ["content", "shorter", "longer", "gone"])
def test_a_file_that_changed_meanwhile(tmp_path: Path, change: str) -> None:
    program = look(fill(tmp_path, FILES))
    path = tmp_path / "main.py"
    if change == "gone":
        path.unlink()
    else:
        path.write_text({"content": "print?)\n", "shorter": "p", "longer": FILES["main.py"] + "#"}[change])
    with pytest.raises(ProgramError, match=r"main\.py changed while the image was being built"):
        context(program)


def test_an_error_of_the_reader_stays_what_it_is(tmp_path: Path) -> None:
    program = look(fill(tmp_path, FILES))
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(BrokenPipeError), os.fdopen(write, "wb", buffering=0) as stream:
        write_context(program, "FROM x\n", stream)


def test_memory_is_constant(tmp_path: Path) -> None:
    fill(tmp_path, {"main.py": ""})
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(64 * 1024**2)
    program = look(tmp_path)
    with Path(os.devnull).open("wb") as stream:
        tracemalloc.start()
        write_context(program, "FROM x\n", stream)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * 1024**2


def test_a_folder_with_a_dockerfile_of_ours_has_a_list_only_where_one_was_written(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "print()\n"})
    for dockerfile, listed, packed in ((f"{MARKER}\nFROM x\n", "a==1\n", True), (f"{MARKER}\n", "", False)):
        stream = io.BytesIO()
        write_folder(HandContext(folder, dockerfile, listed, ()), stream)
        stream.seek(0)
        with tarfile.open(fileobj=stream) as archive:
            assert (f"program/{REQUIREMENTS}" in archive.getnames()) is packed
    stream = io.BytesIO()
    write_folder(HandContext(folder, "FROM x\n", "a==1\n", ()), stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        assert archive.getnames() == ["Dockerfile"]
