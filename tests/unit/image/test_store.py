"""An image of the engine is known by the build that made it, whoever has its name now."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import ImageNotFound

from model_dockerize.errors import EngineError
from model_dockerize.image import builds, store

B = "b" * 32
IMAGE = store.Image("iris:1", "sha256:1", 1, "", None, "linux/amd64")


def engine_with(labels: dict[str, str], state: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make an engine whose only image bears these labels; its builds are noted in `state`."""
    images = SimpleNamespace(get=lambda _: SimpleNamespace(labels=labels))
    monkeypatch.setattr(store, "connect", lambda _: SimpleNamespace(images=images, close=lambda: None))
    return SimpleNamespace(environment={"MODEL_DOCKERIZE_HOME": str(state), "XDG_STATE_HOME": str(state)})


def test_an_image_that_was_just_built_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_with({store.BUILD_ID_LABEL: B}, tmp_path, monkeypatch)
    assert store.record(engine, IMAGE, B).build_id == B
    assert builds.recall(engine.environment, B) == IMAGE.id


@pytest.mark.parametrize("labels", [{}, {store.BUILD_ID_LABEL: "another"}])
def test_an_image_whose_name_another_build_took_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: dict[str, str]
) -> None:
    engine = engine_with(labels, tmp_path, monkeypatch)
    with pytest.raises(EngineError, match="iris:1 is another program's image"):
        store.record(engine, IMAGE, B)
    assert not builds.recall(engine.environment, B)


def test_an_image_that_went_when_another_build_took_its_name_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> Any:
        raise ImageNotFound("No such image")

    engine = engine_with({}, tmp_path, monkeypatch)
    images = SimpleNamespace(get=gone)
    monkeypatch.setattr(store, "connect", lambda _: SimpleNamespace(images=images, close=lambda: None))
    for look in (lambda: store.record(engine, IMAGE, B), lambda: store.inspect(engine, IMAGE.id)):
        with pytest.raises(EngineError, match="gone from the engine: another build took its name") as caught:
            look()
        assert "an image-name each" in caught.value.remedy


def test_an_image_of_a_name_is_told_with_its_name_in_an_archive_and_without_names_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = [
        SimpleNamespace(tags=["mine:1", "gx-images:t-42", "iris:2", "iris:1"], attrs={"Size": 7}),
        SimpleNamespace(tags=["gx-images:t-43"], attrs={}),
        SimpleNamespace(tags=["iris:0"], attrs={}),
    ]
    images = SimpleNamespace(list=lambda _: held)
    monkeypatch.setattr(store, "connect", lambda _: SimpleNamespace(images=images, close=lambda: None))
    engine: Any = None
    assert store.named(engine, "iris") == ((("iris:0",), 0), (("iris:1", "iris:2", "gx-images:t-42"), 7))
