"""Which base images can be made, and what their configuration says."""

from __future__ import annotations

import pytest

from machine.base_image import import_changes, recipe_of
from machine.host import MachineError


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
