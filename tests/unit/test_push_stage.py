"""The stage `push`: what is handed to the engine."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import aws, image
from model_dockerize.pipeline import make, ship
from model_dockerize.pipeline.context import FromFolder, Run
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet


def test_what_was_proved_is_pushed_whatever_bears_its_name_by_now(monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[str] = []

    def push(_: Any, reference: str, *more: Any) -> str:
        pushed.append(reference)
        return "sha256:d"

    proved = image.Image("iris:1", "sha256:proved", 1, "b", None, "linux/amd64")
    monkeypatch.setattr(make, "build", lambda *_: proved)
    monkeypatch.setattr(make, "cache", lambda *_, **__: image.Cache("none"))
    monkeypatch.setattr(image, "push", push)
    repository = aws.Repository("iris", "registry/iris", "arn", created=True)
    for name, answer in {
        "find_build": None,
        "ensure_repository": repository,
        "tag_image": (),
        "verify": aws.PushedImage("iris", "sha256:d", ("1",), "registry/iris@sha256:d"),
        "ensure_rules": None,
    }.items():
        monkeypatch.setattr(aws, name, lambda *_, _answer=answer: _answer)
    model: Any = SimpleNamespace(name="iris", version="1")
    nothing: Any = None
    prepared = FromFolder(model, "b", "linux/amd64", nothing, "FROM scratch", "1")
    underway: Future[aws.Runtime | None] = Future()
    ship.push(Run(to_settings([]), {}, Recorder(Quiet())), prepared, nothing, nothing, underway)
    assert pushed == ["sha256:proved"]
