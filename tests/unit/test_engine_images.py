"""Images are listed, and made, although others go meanwhile."""

import pytest
from docker.errors import NotFound

from model_dockerize.engine_images import listed, lost_a_layer


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


# As Docker Engine 26.1 and BuildKit said it: https://github.com/moby/buildkit/issues/6521
LOST = (
    'failed to prepare extraction snapshot "extract-95246362-iGfj sha256:6d9d46df3a7e": '
    "parent snapshot sha256:0c025fff623d does not exist: not found"
)


@pytest.mark.parametrize(("reason", "is_lost"), [(LOST, True), ("model.py: not found", False), ("", False)])
def test_a_lost_layer_is_told_from_other_errors(reason: str, is_lost: bool) -> None:
    assert lost_a_layer(reason) == is_lost
