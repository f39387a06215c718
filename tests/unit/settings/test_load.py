"""One way to load settings, for the command line, the Action and the library."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from model_dockerize.cli import cli
from model_dockerize.errors import InputError
from model_dockerize.settings import Given, load_settings
from model_dockerize.settings.load import argument, described
from model_dockerize.settings.sources import from_flags, from_inputs


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Make two program folders, each with a model-dockerize.yml that names its image."""
    for name in "ab":
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "main.py").touch()
        (tmp_path / name / "model-dockerize.yml").write_text(f"image-name: from-{name}\n")
    return tmp_path / "a", tmp_path / "b"


def test_two_folders_are_refused_before_anything_is_written(two: tuple[Path, Path]) -> None:
    a, b = two
    result = CliRunner().invoke(cli, ["dockerfile", str(a), "--program-path", str(b), "--cpu", "x"])
    assert result.exit_code == 2
    result = CliRunner().invoke(cli, ["dockerfile", str(a), "--program-path", str(b)])
    assert result.exit_code == 2
    assert f"--program-path: the argument names another folder, {a}: give one of the two" in result.output
    assert not list(a.glob("Dockerfile*")) + list(b.glob("Dockerfile*"))


def test_two_folders_are_told_with_everything_else(two: tuple[Path, Path]) -> None:
    a, b = two
    with pytest.raises(InputError) as caught:
        load_settings({}, argument(a), from_flags({"program-path": str(b), "cpu": "many"}))
    assert [problem.split(":")[0] for problem in caught.value.details] == ["--program-path", "--cpu"]


def test_the_same_folder_twice_is_one(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    a, _ = two
    monkeypatch.chdir(a.parent)
    settings = load_settings({}, argument(a), from_flags({"program-path": "b/../a"}))
    assert (settings.program.program_path, settings.image.image_name) == (a, "from-a")


@pytest.mark.parametrize("name", ["iris_123abc.docker.tar.gz", "iris.tar", "iris.TGZ", "iris.tar.zst"])
def test_an_archive_stands_where_a_folder_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    for folder in (argument(Path(name)), from_flags({"program-path": name})["program-path"]):
        assert load_settings({}, folder, {}).image.from_archive == tmp_path / name
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert load_settings({}, argument(Path(name)), {}).image.from_archive is None  # a folder of an odd name


def test_two_archives_are_refused(tmp_path: Path) -> None:
    a, b = tmp_path / "a.tar", tmp_path / "b.tar"
    for each in (a, b):
        each.touch()
    with pytest.raises(InputError) as caught:
        load_settings({}, argument(a), from_flags({"from-archive": str(b)}))
    assert caught.value.details == (f"--from-archive: the argument names another archive, {a}: give one of the two",)
    assert load_settings({}, argument(a), from_flags({"from-archive": str(a)})).image.from_archive == a


def test_a_flag_wins_over_the_folder_that_a_file_names(two: tuple[Path, Path]) -> None:
    a, b = two
    settings = load_settings({}, argument(a / "model-dockerize.yml"), from_flags({"program-path": str(b)}))
    assert (settings.program.program_path, settings.image.image_name) == (b, "from-a")


def test_every_face_finds_the_folder_that_the_folders_file_names(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _ = two
    monkeypatch.chdir(a.parent)
    (a / "model-dockerize.yml").write_text("program-path: src\ncpu: 2048\nmemory: 4096\n")
    inputs = from_inputs({"INPUT_PROGRAM-PATH": "a"}, a.parent)
    for folder in (argument(a), from_flags({"program-path": "a"})["program-path"], inputs["program-path"]):
        settings = load_settings({}, folder, {})
        assert (settings.program.program_path, settings.service.cpu) == (a / "src", 2048)


def test_what_wins_over_what(two: tuple[Path, Path]) -> None:
    a, _ = two
    around = {"image-name": Given("around", "there", Path()), "commit": Given("abc", "there", Path())}
    assert load_settings(around, argument(a), {}).image.image_name == "from-a"
    assert load_settings(around, argument(a), from_flags({"image-name": "flag"})).image.image_name == "flag"
    assert load_settings(around, None, {}).image.image_name == "around"
    assert load_settings(around, argument(a), {}).service.commit == "abc"


def test_a_folder_that_may_not_be_named_is_a_problem_like_others(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    folder = Given("link", "input program-path", tmp_path, folder=tmp_path)
    assert described(folder) == {"program-path": folder}
    with pytest.raises(InputError) as caught:
        load_settings({}, folder, {})
    assert "leads out of" in caught.value.details[0]
