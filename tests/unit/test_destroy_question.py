"""What `destroy` asks: what goes, what stays in AWS, and what stays on this computer with the command for it."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize import image
from model_dockerize.errors import EngineError
from model_dockerize.pipeline import Question, Run
from model_dockerize.pipeline import removal as destroy
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet


def run() -> Run:
    return Run(to_settings([]), {}, Recorder(Quiet()))


def test_images_stay_and_each_has_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [(("iris:1", "gx-images:t-42"), 450_000_000), (("iris:2",), 1)]
    monkeypatch.setattr(image, "probe", lambda _: None)
    monkeypatch.setattr(image, "named", lambda _, name: tuple(held) if name == "iris" else ())
    local = destroy.on_this_computer(run(), "iris")
    assert local[0] == "image iris:1 on this computer (450 MB): docker image rm iris:1 gx-images:t-42"
    assert len(local) == 2
    asked = "\n".join(Question((), ("stack iris",), local).lines())
    assert "docker image rm iris:2" in asked
    asked_of_the_sandbox = run()
    settings = asked_of_the_sandbox.settings
    asked_of_the_sandbox.settings = replace(settings, run=replace(settings.run, sandbox=True))
    assert "sandbox stop" in destroy.on_this_computer(asked_of_the_sandbox, "iris")[0]


def test_without_an_engine_nothing_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Any) -> Any:
        raise EngineError("no engine")

    monkeypatch.setattr(image, "probe", none)
    assert destroy.on_this_computer(run(), "iris") == ()
