"""`model-server prepare`, as the image's build calls it in the program's folder; and what becomes of LD_PRELOAD."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from model_server import manifest, preload
from model_server.__main__ import main
from model_server.errors import StartError
from model_server.prepare import find, prepare
from model_server.runner_client import RunnerClient
from model_server.runner_command import runner_command
from model_server.slots import OwnSlot

from .conftest import manifest_text


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder; set PATH to nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def executable(path: Path, text: str = "#!/bin/sh\n") -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_python3_where_there_is_no_python(programs: Path) -> None:
    assert find("python") is None
    python3 = executable(programs / "python3")
    assert find("python") == python3
    python = executable(programs / "python")
    assert (find("python"), find("python3")) == (python, python3)
    (programs / "python3").unlink()
    assert find("python3") is None  # asked for by that name


def test_any_program_is_found_and_named_where_it_is_missing(programs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    rscript = executable(programs / "Rscript")
    found = tmp_path / "found.json"
    prepare("Rscript", folder, tmp_path / "tmp", found, tmp_path)
    assert json.loads(found.read_text(encoding="utf-8")) == {"Rscript": rscript}
    with pytest.raises(StartError, match="the image has no julia, which"):
        prepare("julia", folder, tmp_path / "tmp", found, tmp_path)
    with pytest.raises(StartError, match="the image has no python and no python3, which"):
        prepare("python", folder, tmp_path / "tmp", found, tmp_path)


def test_a_script_of_the_folder_that_cannot_be_run_is_told_as_such(programs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    script = folder / "run.sh"
    executable(script)
    with pytest.raises(StartError, match=r"run\.sh is not on PATH, but in the folder: write \./run\.sh into"):
        prepare("run.sh", folder, tmp_path / "tmp", tmp_path / "found.json", tmp_path)
    script.chmod(0o644)
    for program in ("run.sh", "./run.sh", str(script)):
        with pytest.raises(StartError, match=r"/run\.sh, which the model's command calls, is not executable: chmod"):
            prepare(program, folder, tmp_path / "tmp", tmp_path / "found.json", tmp_path)


def test_everything_can_be_read_and_nothing_else_changes(programs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    (folder / "closed" / "deep").mkdir(parents=True)
    program = executable(programs / "program")
    modes = {
        "closed/deep/weights": (0o600, 0o644),
        "closed/tool": (0o700, 0o755),
        "run-by-its-owner": (0o744, 0o755),
        "set-uid": (0o4700, 0o4755),
        "open": (0o604, 0o604),  # others can read it: not touched, or the layer holds the whole of it again
        "closed/deep": (0o700, 0o755),
        "closed": (0o750, 0o755),
    }
    for name, (before, _) in modes.items():
        if not (folder / name).exists():
            (folder / name).write_text(name, encoding="utf-8")
        (folder / name).chmod(before)
    outside = tmp_path / "outside"
    outside.write_text("secret", encoding="utf-8")
    outside.chmod(0o600)
    (folder / "link").symlink_to(outside)
    (folder / "dangling").symlink_to("nowhere")
    untouched = (folder / "open").stat().st_ctime_ns
    prepare(program, folder, tmp_path / "tmp", tmp_path / "found.json", tmp_path)
    assert {name: mode(folder / name) for name in modes} == {name: after for name, (_, after) in modes.items()}
    assert mode(outside) == 0o600
    assert (folder / "open").stat().st_ctime_ns == untouched
    assert mode(tmp_path / "tmp") == 0o1777


def test_the_programs_own_python_compiles_what_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "good.py").write_text("x = 1\n", encoding="utf-8")
    (folder / "bad.py").write_text("x = = 1\n", encoding="utf-8")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    os.utime(folder, (1, 1))
    os.utime(folder / "good.py", (2, 2))
    (tmp_path / "server").mkdir()
    found = tmp_path / "server" / "found.json"
    prepare("python", folder, tmp_path / "tmp", found, tmp_path)
    (compiled,) = (folder / "__pycache__").iterdir()
    assert compiled.name.startswith("good.")
    assert (folder / "good.py").stat().st_mtime == 2
    # No time of this run: the layer is the same in every build.
    made = (folder, folder / "__pycache__", compiled, tmp_path / "tmp", found, found.parent, tmp_path)
    assert {path.stat().st_mtime for path in made} == {1}


def test_the_folders_own_compileall_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "compileall.py").write_text("open('run', 'w')\n", encoding="utf-8")
    (folder / "python3").symlink_to(sys.executable)
    prepare("./python3", folder, tmp_path / "tmp", tmp_path / "found.json", tmp_path)
    assert {path.name for path in folder.iterdir()} == {"compileall.py", "python3", "__pycache__"}


def test_what_cannot_be_made_is_told(programs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    program = executable(programs / "program")
    (tmp_path / "tmp").write_text("a file", encoding="utf-8")
    with pytest.raises(StartError, match=r"cannot make .*/tmp: File exists"):
        prepare(program, folder, tmp_path / "tmp", tmp_path / "found.json", tmp_path)
    with pytest.raises(StartError, match=r"cannot make .*/none/found\.json: No such file"):
        prepare(program, folder, tmp_path / "other", tmp_path / "none" / "found.json", tmp_path)


def test_the_command_begins_with_the_path_that_was_found(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.json"
    monkeypatch.setenv("MODEL_MANIFEST", str(path))
    monkeypatch.setenv("GAI_VOLUME_PATH", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("model_server.prepare.TEMPORARY", tmp_path / "tmp")
    monkeypatch.setattr("model_server.prepare.ETC", tmp_path)
    python3 = executable(programs / "python3")
    command = ["python", "main.py", "{input}", "{output}"]
    document = json.loads(manifest_text(tmp_path, command=command))
    assert main(["prepare", "python"]) == 0
    assert main(["manifest", json.dumps(document)]) == 0
    assert manifest.read(path).command == (python3, *command[1:])
    other = ["./python", *command[1:]]
    assert main(["manifest", json.dumps({**document, "command": other})]) == 0
    assert manifest.read(path).command == tuple(other)


def test_a_program_that_is_missing_fails_the_build(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(programs.iterdir()) == []
    assert main(["prepare", "python"]) == 1
    assert capsys.readouterr().err == (
        "model-server: the image has no python and no python3, which the model's command calls\n"
    )


def test_the_program_gets_the_base_images_preload() -> None:
    environment = {"MODEL_LD_PRELOAD": "liballocator.so", "LD_PRELOAD": ""}
    preload.release(environment)
    assert environment == {"LD_PRELOAD": "liballocator.so"}
    preload.keep(environment)
    assert environment == {"MODEL_LD_PRELOAD": "liballocator.so"}
    unset = {"MODEL_LD_PRELOAD": "", "LD_PRELOAD": ""}
    preload.release(unset)
    assert unset == {}


@pytest.mark.parametrize(("own", "expected"), [(True, "LD_PRELOAD="), (False, "LD_PRELOAD=libm.so.6")])
def test_only_a_runner_of_our_own_python_goes_without(
    own: bool, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program_folder: Path
) -> None:
    path = tmp_path / "model.json"
    code = "import os, sys; open(sys.argv[2], 'w').write('LD_PRELOAD=' + os.environ.get('LD_PRELOAD', ''))"
    python = os.path.realpath(sys.executable)
    path.write_text(manifest_text(program_folder, command=[python, "-c", code, "{input}", "{output}"]), "utf-8")
    monkeypatch.setenv("LD_PRELOAD", "libm.so.6")
    command = runner_command(["no-python"], path, which=lambda name: None)
    assert command[0] == sys.executable
    client = RunnerClient(OwnSlot(command if own else [python, *command[1:]]))
    client.run("1", tmp_path / "i", tmp_path / "o", 20)
    client.stop()
    assert (tmp_path / "o").read_text(encoding="utf-8") == expected
