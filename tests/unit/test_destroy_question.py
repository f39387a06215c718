"""The question of `destroy` says what goes, what stays in AWS or on this computer, and the command for the latter."""

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_dockerize import image
from model_dockerize.aws.destroy import Destruction
from model_dockerize.aws.ground import Names
from model_dockerize.errors import EngineError
from model_dockerize.pipeline import Question, Run, make
from model_dockerize.pipeline import removal as destroy
from model_dockerize.report import Recorder
from model_dockerize.report.facts import Planned
from model_dockerize.settings import to_settings
from model_dockerize.settings.sources import from_flags
from tests.rig.deployer import Quiet


def run() -> Run:
    return Run(to_settings([]), {}, Recorder(Quiet()))


def test_images_stay_and_each_has_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [(("iris:1", "gx-images:t-42"), 450_000_000), (("iris:2",), 1)]
    monkeypatch.setattr(image, "probe", lambda _: None)
    monkeypatch.setattr(image, "named", lambda _, name: tuple(held) if name == "iris" else ())
    monkeypatch.setattr(image, "served", lambda _: ("model-dockerize-churn",))
    local = destroy.on_this_computer(run(), "iris", None)
    assert local[0] == "image iris:1 on this computer (450 MB): docker image rm iris:1 gx-images:t-42"
    assert len(local) == 2
    monkeypatch.setattr(image, "served", lambda _: ("model-dockerize-iris",))
    first = destroy.on_this_computer(run(), "iris", None)[0]
    assert first == "container model-dockerize-iris on this computer: docker rm -f model-dockerize-iris"
    asked = "\n".join(Question((), ("stack iris",), local).lines())
    assert "docker image rm iris:2" in asked
    asked_of_the_sandbox = run()
    settings = asked_of_the_sandbox.settings
    asked_of_the_sandbox.settings = replace(settings, run=replace(settings.run, sandbox=True))
    first = destroy.on_this_computer(asked_of_the_sandbox, "iris", None)[0]
    assert first == "the sandbox, with the images in its registry: model-dockerize sandbox stop"


def test_images_in_a_repository_of_others_are_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Destruction((), (), (), images=("t/iris:v4", "t/iris:v3", "t/iris:v2", "t/iris:v1"))
    monkeypatch.setattr(destroy, "plan_destruction", lambda *_: found)
    asked = run()
    account: Any = None
    names = Names("iris", "t/iris", "iris", "iris", "iris", "c")
    destroy.destroy(asked, names, account, lambda _: True)
    assert [line for fact in asked.recorder.facts if isinstance(fact, Planned) for line in fact.lines] == [
        "= image t/iris:v4, t/iris:v3, t/iris:v2 and 1 more: the repository was made by somebody else"
    ]


def test_without_an_engine_nothing_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Any) -> Any:
        raise EngineError("no engine")

    monkeypatch.setattr(image, "probe", none)
    assert destroy.on_this_computer(run(), "iris", None) == ()


def test_what_was_written_into_the_folder_stays_with_one_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none(_: Any) -> Any:
        raise EngineError("no engine")

    monkeypatch.setattr(image, "probe", none)
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / "main.py").write_text("print()\n")
    assert destroy.on_this_computer(run(), "iris", folder) == ()
    asked = Run(to_settings([from_flags({"program-path": str(folder)})]), {}, Recorder(Quiet()))
    make.prepare(asked)
    (told,) = destroy.on_this_computer(asked, "iris", folder)
    what, command = told.split(": ")
    assert what == f"{folder}/Dockerfile and 1 more"
    subprocess.run(shlex.split(command), check=True)
    assert [path.name for path in folder.iterdir()] == ["main.py"]
    (folder / "Dockerfile").write_text("FROM scratch\n")  # somebody else's
    assert destroy.on_this_computer(run(), "iris", folder) == ()
