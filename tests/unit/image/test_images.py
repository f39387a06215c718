"""The engine's images: found, named, told by their build; what the engine is asked for."""

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from model_dockerize.errors import EngineError
from model_dockerize.image import BUILD_ID_LABEL, Image, Step, find, has, inspect, named, tag
from model_dockerize.image.builds import recall, remember
from model_dockerize.image.store import record
from tests.rig.engine_api import EngineApi

B = "b" * 32
LOOK = "GET /images/iris:1/json"
STEPS = (Step("a", True, 0.0), Step("b", False, 1.0), Step("c", False, 1.0))


def shown(**more: Any) -> dict[str, Any]:
    known = {"Os": "linux", "Architecture": "arm64", "Size": 7, "Created": "2026-01-02T03:04:05Z"}
    return {"Id": "sha256:1", "Config": {"Labels": {BUILD_ID_LABEL: B}}, **known, **more}


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose builds are noted in a folder of the test."""
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}


IMAGE = Image("iris:1", "sha256:1", 7, "", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "linux/arm64", STEPS)


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (shown(), IMAGE),
        (
            shown(Created="0001-01-01T00:00:00Z", Size=None, Os=""),
            replace(IMAGE, created=None, size=0, platform="linux/arm64"),
        ),
        (shown(Created="", Os="windows"), replace(IMAGE, created=None, platform="windows/arm64")),
        (shown(Created=None, Config={"Labels": None}), replace(IMAGE, created=None)),
    ],
)
def test_an_image_is_as_the_engine_shows_it_and_its_label_is_only_a_claim(
    api: EngineApi, state: dict[str, str], answer: Any, known: Image
) -> None:
    api.answers[LOOK] = answer
    found = inspect(api.engine(environment=state), "iris:1", STEPS)
    assert found == known
    assert (found.cached_steps, found.ran_steps) == (1, 2)
    assert api.asked == [LOOK]


def test_the_build_of_an_image_is_the_one_that_was_noted_here(api: EngineApi, state: dict[str, str]) -> None:
    api.answers[LOOK] = shown()
    engine = api.engine(environment=state)
    remember(state, B, "sha256:1")
    assert inspect(engine, "iris:1").build_id == B
    remember(state, B, "sha256:2")
    assert inspect(engine, "iris:1").build_id == ""


def test_an_image_that_is_not_there(api: EngineApi) -> None:
    with pytest.raises(EngineError) as refused:
        inspect(api.engine(), "iris:1")
    assert str(refused.value) == "The engine holds no image iris:1."
    assert refused.value.remedy == "List what there is with `docker image ls`, or build it."
    assert has(api.engine(), "iris:1") is False
    api.answers[LOOK] = shown()
    assert has(api.engine(), "iris:1") is True
    assert api.asked == [LOOK, LOOK, LOOK]


def test_a_build_is_found_while_the_engine_holds_it(api: EngineApi, state: dict[str, str]) -> None:
    engine = api.engine(environment=state)
    assert find(engine, B) is None
    assert api.asked == []
    remember(state, B, "sha256:1")
    assert find(engine, B) is None
    api.answers["GET /images/sha256:1/json"] = shown()
    assert find(engine, B) == replace(IMAGE, ref="sha256:1", build_id=B, steps=())


def test_what_was_just_built_is_noted_by_its_id(api: EngineApi, state: dict[str, str]) -> None:
    api.answers["GET /images/sha256:1/json"] = shown()
    assert record(api.engine(environment=state), IMAGE, B) == replace(IMAGE, build_id=B)
    assert recall(state, B) == "sha256:1"
    api.answers["GET /images/sha256:1/json"] = shown(Config={"Labels": None})
    with pytest.raises(EngineError) as refused:
        record(api.engine(environment=state), IMAGE, "c" * 32)
    assert str(refused.value) == "iris:1 is another program's image: a build beside this one took the name."
    assert refused.value.remedy == ("Give the two programs different names (image-name), or build one after the other.")
    assert recall(state, "c" * 32) == ""


@pytest.mark.parametrize(
    ("ref", "asked"),
    [("iris:2", "repo=iris&tag=2"), ("iris", "repo=iris&tag=latest"), ("r:5000/a/b:3", "repo=r:5000/a/b&tag=3")],
)
def test_an_image_gets_a_name(api: EngineApi, ref: str, asked: str) -> None:
    api.answers["POST /images/sha256:1/tag"] = deque([(201, ""), (400, "invalid reference format")])
    tag(api.engine(), IMAGE, ref)
    repository, _, name = asked.partition("&")
    assert api.asked == [f"POST /images/sha256:1/tag?{name}&{repository}&force=0"]
    with pytest.raises(EngineError) as refused:
        tag(api.engine(), IMAGE, ref)
    assert str(refused.value) == f"The image iris:1 cannot be named {ref}: invalid reference format"
    assert refused.value.remedy == "Names are repository:tag, of lower-case letters, digits and . _ - /"


def test_of_a_name_all_images_are_told_while_others_are_removed(api: EngineApi) -> None:
    api.answers |= {
        "GET /images/json": [{"Id": "sha256:1"}],
        LOOK.replace("iris:1", "sha256:1"): shown(RepoTags=["mine:1", f"gx-images:t-{B}", "iris:2", "iris:1"]),
    }
    assert named(api.engine(), "iris") == ((("iris:1", "iris:2", f"gx-images:t-{B}"), 7),)
    assert api.asked[0].startswith("GET /images/json?") and 'filters={"reference":+["iris"]}' in api.asked[0]
