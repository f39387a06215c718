"""Names of stacks: CloudFormation takes them, and no two things share one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.aws.ground.names import SHARED, Names, log_group, model_stack, volume_stack

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


def test_a_model_has_one_stack_or_two_and_the_logs_of_both() -> None:
    names = Names("iris", "models/iris", "iris-jobs", "iris", "tasks", SHARED, "on-upload", "data")
    assert (names.stack, names.job_stack) == ("model-dockerize-iris", "model-dockerize-iris-jobs")
    assert names.log_groups == {"/model-dockerize/iris", "/model-dockerize/iris-jobs"}
    jobs = Names.of_jobs("iris-jobs", "c", "on-upload")
    assert jobs == Names("iris-jobs", "", "iris-jobs", "", "", "c", "on-upload", "")
    assert jobs.stack == jobs.job_stack == model_stack("c", "iris-jobs")
    assert jobs.log_groups == {"/model-dockerize/c/iris-jobs"}


def test_a_name_is_marked_where_it_was_changed() -> None:
    assert re.fullmatch(r"model-dockerize-my-model-[0-9a-f]{8}", model_stack(SHARED, "my_model"))
    assert model_stack(SHARED, "m" * 80) == f"model-dockerize-{'m' * 80}"
    assert re.fullmatch(rf"model-dockerize-{'m' * 71}-[0-9a-f]{{8}}", model_stack(SHARED, "m" * 81))
    assert re.fullmatch(r"model-dockerize-c-iris-[0-9a-f]{8}", model_stack("c", "iris"))
    assert re.fullmatch(rf"model-dockerize-{'m' * 70}-[0-9a-f]{{8}}", model_stack(SHARED, f"{'m' * 70}-{'n' * 20}"))
