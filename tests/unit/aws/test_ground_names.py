"""Names of stacks: CloudFormation takes them, and no two things share one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.aws.ground.names import SHARED, log_group, model_stack, volume_stack

NAMES = st.text(st.sampled_from("abAB01-_./"), min_size=1, max_size=120)


@given(NAMES, NAMES)
def test_cloudformation_takes_every_name(cluster: str, name: str) -> None:
    for stack in (model_stack(cluster, name), model_stack(SHARED, name), volume_stack(name)):
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", stack)
        assert stack.startswith(f"{SHARED}-")


@given(st.lists(st.tuples(st.sampled_from((SHARED, "a", "a-b", "volume")), NAMES), unique=True, max_size=8))
def test_no_two_share_one(places: list[tuple[str, str]]) -> None:
    volumes = {name for _, name in places}
    stacks = [*(model_stack(*place) for place in places), *map(volume_stack, volumes)]
    assert len(set(stacks)) == len(stacks)


def test_those_that_people_see() -> None:
    assert model_stack(SHARED, "iris") == "model-dockerize-iris"
    assert volume_stack("data") == "model-dockerize-volume-data"
    assert model_stack(SHARED, "volume-data") != volume_stack("data")
    assert model_stack("a", "b-c") != model_stack("a-b", "c")
    assert (log_group(SHARED, "iris"), log_group("c", "iris")) == ("/model-dockerize/iris", "/model-dockerize/c/iris")
