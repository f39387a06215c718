"""The Dockerfile in the user's folder, and the ignore file beside it."""

import os
from pathlib import Path

import pytest

from model_dockerize.errors import ProgramError
from model_dockerize.program import render_dockerfile, write_dockerfile
from model_dockerize.program.dockerignore import DockerIgnore, patterns_of

from .folder import SERVER, Heard, fill, look, paths


def test_saved_and_reported(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {"main.py": ""}))
    text = render_dockerfile(program, SERVER)
    path = write_dockerfile(program, text)
    assert path == tmp_path / "Dockerfile"
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o644
    assert sorted(file.name for file in tmp_path.iterdir()) == ["Dockerfile", "Dockerfile.dockerignore", "main.py"]


def test_same_bytes_are_not_written_again(tmp_path: Path) -> None:
    text = render_dockerfile(look(fill(tmp_path, {"main.py": ""})), SERVER)
    path = write_dockerfile(look(tmp_path), text)
    before = path.stat()
    assert write_dockerfile(look(tmp_path), text).stat().st_ino == before.st_ino
    assert write_dockerfile(look(tmp_path), text + "# x\n").read_text() == text + "# x\n"


@pytest.mark.parametrize("theirs", ["Dockerfile", "Dockerfile.dockerignore"])
def test_somebody_elses_dockerfile_stays(tmp_path: Path, theirs: str) -> None:
    heard = Heard()
    program = look(fill(tmp_path, {"main.py": "", theirs: "FROM mine\n"}), heard)
    assert any("Dockerfile.model-dockerize" in warning for warning in heard.warnings)
    path = write_dockerfile(program, render_dockerfile(program, SERVER))
    assert path.name == "Dockerfile.model-dockerize"
    assert (tmp_path / theirs).read_text() == "FROM mine\n"
    assert paths(look(tmp_path)) == ["main.py"]


def test_belongs_to_whom_the_folder_belongs(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 1234, 2345)
    program = look(fill(tmp_path, {"main.py": ""}))
    status = write_dockerfile(program, render_dockerfile(program, SERVER)).stat()
    assert (status.st_uid, status.st_gid) == (tmp_path.stat().st_uid, tmp_path.stat().st_gid)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {"main.py": ""}))
    (tmp_path / "Dockerfile.model-dockerize").mkdir()
    (tmp_path / "Dockerfile").mkdir()
    with pytest.raises(ProgramError, match="cannot be written"):
        write_dockerfile(program, render_dockerfile(program, SERVER))
    assert not list(tmp_path.glob(".*"))


def test_a_build_by_hand_leaves_out_the_same(tmp_path: Path) -> None:
    files = {
        ".dockerignore": "*.log\nignored\n!ignored/kept.txt\n!ca.pem\n!sub\n",
        "main.py": "",
        "a.log": "",
        "ignored/x": "",
        "ignored/kept.txt": "",
        "ca.pem": "",
        "other.pem": "",
        "sub/.env": "",
        "sub/robot [1]*.json": '{"type": "service_account", "private_key": ""}',
        "sub/robot 1.json": "{}",
        "[v]/pyvenv.cfg": "",
        "[v]/lib/x.py": "",
        "v/x.py": "",
        ".git/HEAD": "",
        "sub/__pycache__/x.pyc": "",
        "private.ini": "",
    }
    program = look(fill(tmp_path, files), pip_config=tmp_path / "private.ini")
    path = write_dockerfile(program, render_dockerfile(program, SERVER))
    by_hand = DockerIgnore(patterns_of(path.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8")))
    found = (str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert sorted(name for name in found if not by_hand.ignores(name)) == paths(program)
    assert paths(program) == ["ca.pem", "ignored/kept.txt", "main.py", "sub/robot 1.json", "v/x.py"]
