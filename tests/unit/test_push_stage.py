"""The stage `push`: what is handed to the engine."""

from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import image
from model_dockerize.aws import ecr
from model_dockerize.aws.ecr import PushedImage
from model_dockerize.aws.ecr.registry import Repository
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import FromFolder, Run
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import PUSHED
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet


def test_what_was_proved_is_pushed_whatever_bears_its_name_by_now(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def push(_: Any, reference: str, *more: Any) -> str:
        steps.append(f"push {reference}")
        return "sha256:d"

    proved = image.Image("iris:1", "sha256:proved", 1, "b", None, "linux/amd64")
    monkeypatch.setattr(make, "build", lambda *_: proved)  # what took its name meanwhile has another id
    monkeypatch.setattr(make, "cache", lambda *_, **__: image.Cache("none"))
    monkeypatch.setattr(image, "push", push)
    repository = Repository("iris", "registry/iris", "arn", created=True)
    for name, answer in {
        "find_build": None,
        "check_tag": None,
        "ensure_repository": repository,
        "tag_image": (),
        "verify": PushedImage("iris", "sha256:d", ("1",), "registry/iris@sha256:d"),
        "ensure_rules": None,
    }.items():
        monkeypatch.setattr(ecr, name, lambda *_, _name=name, _answer=answer: (steps.append(_name), _answer)[1])
    model: Any = SimpleNamespace(name="iris", version="1")
    nothing: Any = None
    prepared = FromFolder(model, "b", "linux/amd64", nothing, "FROM scratch", "1")
    engine: Any = object()
    PUSHED.run(Release(Run(to_settings([]), {}, Recorder(Quiet())), prepared, nothing, engine))
    # Of the proved image, by its id; the tag is asked for before the build, and scanning is on before the push.
    assert [s for s in steps if s in ("check_tag", "ensure_rules") or s.startswith("push")] == [
        "check_tag",
        "ensure_rules",
        "push sha256:proved",
    ]
