"""An input that somebody gives is told from one that nobody does: a default is for making only."""

from pathlib import Path

import pytest

from model_dockerize.errors import InputError
from model_dockerize.settings import INPUTS, Given, Source, as_found, to_settings

ROLE = "arn:aws:iam::123456789012:role/mine"


def given(text: str, source: Source = Source.CALLER) -> Given:
    return Given(text, "there", Path(), source=source)


def test_the_tree_knows_which_inputs_somebody_gave() -> None:
    settings = to_settings([{"cpu": given("1024"), "max-vcpus": given("9"), "environment": given(" ")}])
    assert settings.service.given & {"cpu", "memory", "environment"} == {"cpu"}
    assert "max_vcpus" in settings.batch.given
    found = as_found(settings.service, {"cpu": 256, "memory": 512})
    assert (found.cpu, found.memory) == (1024, 512)
    assert as_found(settings.batch, {"max_vcpus": 3, "queue_priority": 7}).max_vcpus == 9


@pytest.mark.parametrize("name", [option.name for option in INPUTS if option.may_end])
def test_none_takes_away_and_counts_as_given(name: str) -> None:
    settings = to_settings([{name: given("none")}])
    (group,) = [each for each in (settings.service, settings.batch) if hasattr(each, name.replace("-", "_"))]
    assert not getattr(group, name.replace("-", "_"))
    assert name.replace("-", "_") in group.given


def test_a_file_of_the_folder_takes_nothing_over() -> None:
    assert to_settings([{"adopt": given("true")}]).service.adopt
    with pytest.raises(InputError) as caught:
        to_settings([{"adopt": given("true", Source.FOLDER)}])
    assert "a file of the folder may not set it" in caught.value.details[0]


@pytest.mark.parametrize(
    ("inputs", "is_taken"),
    [
        ({"memory": "512"}, True),  # of a service that has cpu 256
        ({"cpu": "256"}, True),
        ({"memory": "1000"}, False),
        ({"cpu": "300"}, False),
        ({"cpu": "1024", "memory": "512"}, False),
    ],
)
def test_half_a_size_may_fit_what_is_there(inputs: dict[str, str], is_taken: bool) -> None:
    layer = {name: given(text) for name, text in inputs.items()}
    if is_taken:
        to_settings([layer])
        return
    with pytest.raises(InputError):
        to_settings([layer])
