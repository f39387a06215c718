"""Which base images can be made, and what their configuration says."""

from __future__ import annotations

import pytest

from machine.base_image import import_changes, stand_in_release
from machine.host import MachineError


@pytest.mark.parametrize(
    ("image", "release"), [("python:3.11-slim-bookworm", "bookworm"), ("python:3.13-slim-trixie", "trixie")]
)
def test_release(image: str, release: str) -> None:
    assert stand_in_release(image) == release


@pytest.mark.parametrize("image", ["python:3.9-slim", "python:3.11-slim", "python:3.11", "python:latest", "alpine"])
def test_another_image_is_refused_with_those_that_can_be_made(image: str) -> None:
    with pytest.raises(MachineError, match=r"python:3\.11-slim-bookworm and python:3\.13-slim-trixie") as refusal:
        stand_in_release(image)
    assert str(refusal.value).startswith(image)


def test_the_image_says_that_it_is_a_stand_in_and_starts_python() -> None:
    changes = import_changes("trixie", "3.13.5")
    assert 'CMD ["python3"]' in changes
    assert "ENV PYTHON_VERSION=3.13.5" in changes
    assert "LABEL io.model-dockerize.stand-in=debian-trixie" in changes
    assert any(change.startswith("ENV PATH=/usr/local/bin:") for change in changes)
