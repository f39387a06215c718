"""Certain base images can be made, and their configuration says that they are stand-ins."""

from __future__ import annotations

import pytest

from machine import base_image
from machine.base_image import import_changes, recipe_of
from machine.host import MachineError

TRIXIE = "python:3.13-slim-trixie"


@pytest.mark.parametrize(
    ("image", "release"), [("python:3.11-slim-bookworm", "bookworm"), ("python:3.13-slim-trixie", "trixie")]
)
def test_release(image: str, release: str) -> None:
    assert recipe_of(image).release == release


@pytest.mark.parametrize("image", ["python:3.9-slim", "python:3.11-slim", "python:3.11", "python:latest", "alpine"])
def test_another_image_is_refused_with_those_that_can_be_made(image: str) -> None:
    with pytest.raises(MachineError, match=r"python:3\.11-slim-bookworm and python:3\.13-slim-trixie") as refusal:
        recipe_of(image)
    assert str(refusal.value).startswith(image)


def test_the_image_says_that_it_is_a_stand_in_and_starts_python() -> None:
    assert import_changes("trixie", {"PATH": "/usr/local/bin", "PYTHON_VERSION": "3.13.5"}) == [
        "ENV PATH=/usr/local/bin",
        "ENV PYTHON_VERSION=3.13.5",
        'CMD ["python3"]',
        "LABEL io.model-dockerize.stand-in=debian-trixie",
    ]


@pytest.mark.parametrize(
    ("there", "reached", "asked", "said"),
    [
        (True, True, ["inspect"], "is in the engine"),
        (False, True, ["inspect", "pull"], "pulled"),
        (False, False, ["inspect", "pull", "make"], "is now a STAND-IN made of Debian trixie"),
    ],
)
def test_a_stand_in_is_made_only_where_no_registry_gives_the_real_image(
    there: bool, reached: bool, asked: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def run(argv: list[str], **_: float) -> str:
        word = next(word for word in argv if word in ("inspect", "pull"))
        calls.append(word)
        if not (there if word == "inspect" else reached):
            raise MachineError("No such image")
        return ""

    monkeypatch.setattr(base_image, "run", run)
    monkeypatch.setattr(base_image, "make_stand_in", lambda *_: calls.append("make"))
    assert f"{TRIXIE} {said}" in base_image.ensure(TRIXIE)
    assert calls == asked


def test_an_engine_that_does_not_answer_is_no_missing_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> str:
        raise MachineError("`docker image` failed with exit code 1: Cannot connect to the Docker daemon")

    monkeypatch.setattr(base_image, "run", run)
    with pytest.raises(MachineError, match="Cannot connect"):
        base_image.ensure(TRIXIE)
