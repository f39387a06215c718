"""Images are listed although others go meanwhile."""

import pytest
from docker.errors import NotFound

from model_dockerize.engine_images import listed


def test_a_list_is_asked_for_again_while_an_image_goes() -> None:
    answers = [NotFound("content digest sha256:0b52: not found"), NotFound("again"), ["iris"]]
    pauses: list[float] = []

    def ask() -> list[str]:
        answer = answers.pop(0)
        if isinstance(answer, NotFound):
            raise answer
        return answer

    assert listed(ask, pauses.append) == ["iris"]
    assert len(pauses) == 2


def test_what_stays_missing_is_told() -> None:
    def ask() -> None:
        raise NotFound("content digest sha256:0b52: not found")

    with pytest.raises(NotFound):
        listed(ask, lambda _: None)
