"""`serve --stop`: which container is meant, without a look at a program; an archive in place of a folder."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from model_dockerize import image
from model_dockerize.cli import cli
from tests.unit.image.test_contents import docker_files, ours, pack

serving = importlib.import_module("model_dockerize.image.serve")  # by `from`, it is the function


class Engine:
    """The containers that `serve` made, by their models' names."""

    def __init__(self) -> None:
        self.models: tuple[str, ...] = ("churn", "iris")
        self.stopped: list[str] = []

    def stop(self, _: Any, name: str) -> bool:
        model = name.removeprefix("model-dockerize-")
        self.stopped.append(model)
        return model in self.models


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    stands = Engine()
    monkeypatch.setattr(image, "probe", lambda _: None)
    monkeypatch.setattr(image, "served", lambda _: tuple(f"model-dockerize-{name}" for name in stands.models))
    monkeypatch.setattr(image, "stop", stands.stop)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return stands


def stop(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["serve", *map(str, words), "--stop"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize("words", [("--image-name", "churn"), ("../churn",), ("--from-archive", "churn_c5e4c2.tar.gz")])
def test_a_name_is_enough(engine: Engine, words: tuple[str, ...]) -> None:
    assert stop(*words)[0] == 0
    assert engine.stopped == ["churn"]


def test_the_name_of_the_yml_wins_over_that_of_the_folder(engine: Engine) -> None:
    Path("model-dockerize.yml").write_text("image-name: iris\n")
    assert stop()[0] == 0
    assert engine.stopped == ["iris"]


@pytest.mark.parametrize("flag", [(), ("--from-archive",)])
def test_an_archive_says_its_models_name(engine: Engine, flag: tuple[str, ...]) -> None:
    Path("other_123abc.docker.tar").write_bytes(pack(docker_files(ours(), "gx-images:t-1")))
    assert stop(*flag, "other_123abc.docker.tar")[0] == 0
    assert engine.stopped == ["iris"]


def test_elsewhere_the_only_one_is_stopped_and_of_several_none(engine: Engine) -> None:
    code, said = stop()
    assert (code, engine.stopped) == (2, [])
    assert "`serve` runs 2 here: churn, iris" in said
    assert "serve --stop --image-name NAME" in said
    engine.models = ("churn",)
    code, said = stop()
    assert (code, said.endswith("stopped churn")) == (0, True)
    assert engine.stopped == ["churn"]
    engine.models = ()
    said = stop("-v")[1]
    assert "Nothing that `serve` started runs here" in said
    assert said.endswith("unchanged nothing runs here")


def test_in_the_folder_of_a_model_no_other_is_stopped(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.models = ("churn",)
    Path("Dockerfile").touch()
    code, said = stop("-v")
    assert (code, engine.stopped) == (0, ["elsewhere"])
    assert "There is no container model-dockerize-elsewhere. Here run: churn" in said
    assert said.endswith("unchanged elsewhere, which does not run here")
    engine.models = ("churn", "elsewhere")
    Path("Dockerfile").unlink()
    assert stop()[0] == 0
    assert engine.stopped[1:] == ["elsewhere"]


@pytest.mark.parametrize(
    "name", ["main.py", "model.cpp", "src/index.php", "run.sh", "Config.ini", "model-dockerize.yml"]
)
def test_a_folder_with_a_program_or_settings_names_its_model(engine: Engine, name: str) -> None:
    engine.models = ("churn",)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).touch()
    if name == "Config.ini":
        Path(name).write_text("[dockerfile]\nprogram_path = .\n[docker]\nimage_name = elsewhere\n")
    stop()
    assert engine.stopped == ["elsewhere"]


@pytest.mark.parametrize("words", [(".",), ("--program-path", "."), ("../linked",)])
def test_an_argument_names_its_folder_by_the_name_that_it_has(engine: Engine, words: tuple[str, ...]) -> None:
    engine.models = ("churn",)
    Path("../linked").symlink_to(Path.cwd())
    stop(*words)
    assert engine.stopped == ["elsewhere"]


def test_what_runs_has_its_own_name_and_may_go_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out one that a killed `serve` left: it is called NAME-before, and is labeled NAME."""
    asked: list[dict[str, Any]] = []

    def listed(**options: Any) -> list[Any]:
        asked.append(options)
        names = (("iris", "iris"), ("churn-before", "churn"))
        return [SimpleNamespace(name=name, labels={serving.LABEL: label}) for name, label in names]

    client = SimpleNamespace(containers=SimpleNamespace(list=listed), close=lambda: None)
    monkeypatch.setattr(serving, "connect", lambda _: client)
    anything: Any = None
    assert serving.served(anything) == ("iris",)
    assert (asked[0]["ignore_removed"], asked[0].get("all", False)) == (True, False)


@pytest.mark.parametrize("command", ["serve", "push", "deploy", "build", "run", "plan", "status"])
@pytest.mark.parametrize("name", ["churn_c5e4c2.docker.tar.gz", "churn.tar", "churn.TGZ", "data.csv"])
@pytest.mark.usefixtures("engine")
def test_an_archive_in_place_of_a_folder_is_taken(command: str, name: str) -> None:
    Path(name).touch()
    said = CliRunner().invoke(cli, [command, name]).output
    assert ("is no archive of an image" in said) is (name != "data.csv"), said
    assert ("is not a folder" in said) is (name == "data.csv"), said
