"""The stage `build`: what it asks of the engine."""

from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.image import BuildRequest
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet


@pytest.mark.parametrize("environment", [{}, {"http_proxy": "http://127.0.0.1:3128", "ALL_PROXY": "localhost:1080"}])
def test_the_image_has_the_models_name_whatever_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    asked: list[BuildRequest] = []

    def build(_engine: Any, _context: Any, request: BuildRequest, _stage: Any) -> Any:
        asked.append(request)
        return SimpleNamespace(platform="linux/amd64", size=1, ran_steps=1, cached_steps=0)

    monkeypatch.setattr(make.image, "find", lambda *_: None)
    monkeypatch.setattr(make.image, "server_image", lambda *_: None)
    monkeypatch.setattr(make.image, "cache_options", lambda *_: ())
    monkeypatch.setattr(make.image, "build", build)
    run = Run(to_settings([{}]), environment, Recorder(Quiet()))
    prepared: Any = SimpleNamespace(
        program=SimpleNamespace(name="iris", version="7"),
        build_id="0123",
        platform="linux/amd64",
        server_version="1",
        dockerfile="",
    )
    nothing: Any = None
    make._build(run, prepared, nothing, make.image.Cache("none"), "")
    assert [request.tags for request in asked] == [("iris:7",)]
    assert len(run.recorder.warnings) == len(environment)
