"""Inputs that do not go with a way of a rollout are refused by their name, before any call."""

from pathlib import Path
from typing import Any

import pytest

from model_dockerize.errors import InputError
from model_dockerize.settings import INPUTS, Settings, to_settings
from model_dockerize.settings.given import Given, Source

BALANCED = {"load-balancer": "true"}
SHARED = {"queue-url": "postgresql://h:5432/d", "volume": "jobs"}


def read(**inputs: Any) -> Settings:
    return to_settings([{name: Given(text, name, Path()) for name, text in inputs.items()}])


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"rollout": "blue-green"}, "blue-green needs a load-balancer"),
        ({"rollout": "canary", **SHARED}, "canary needs a load-balancer"),
        ({"rollout": "canary", **BALANCED}, "queue-url"),
        ({"rollout": "linear", **BALANCED}, "queue-url"),
        ({"rollout": "blue-green", **BALANCED, "volume": "jobs"}, "blue-green needs queue-url there"),
        ({"rollout": "blue-green", **BALANCED, "wait": "false"}, "blue-green needs wait"),
        ({"rollout": "linear", **BALANCED, **SHARED, "step-percent": "2"}, "steps of 3 %"),
        ({"rollout": "blue-green", **BALANCED, "step-percent": "20"}, "step-percent is for canary and linear"),
        ({"rollout": "rolling", "step-minutes": "2"}, "step-minutes is for canary and linear"),
        ({"rollout": "fast", **BALANCED}, "fast"),
        ({"bake-minutes": "1441"}, "bake-minutes"),
        ({"check": "python 'unclosed"}, "is not a command"),
        ({"check": "  '' "}, "check"),
    ],
)
def test_what_does_not_go_together_is_refused_by_its_name(inputs: dict[str, str], says: str) -> None:
    with pytest.raises(InputError) as refused:
        read(**inputs)
    assert says in " ".join((str(refused.value), *refused.value.details))


@pytest.mark.parametrize(
    ("inputs", "strategy", "shifts", "test_port"),
    [
        ({}, "rolling", False, 10080),
        (BALANCED, "blue-green", True, 10080),
        ({**BALANCED, "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/c"}, "blue-green", True, 10443),
        ({**BALANCED, "load-balancer-port": "60000"}, "blue-green", True, 50000),
        ({**BALANCED, "volume": "jobs"}, "rolling", False, 10080),
        ({**BALANCED, **SHARED}, "blue-green", True, 10080),
        ({**BALANCED, **SHARED, "rollout": "linear"}, "linear", True, 10080),
        ({**BALANCED, "rollout": "rolling"}, "rolling", False, 10080),
        ({**BALANCED, "wait": "false"}, "blue-green", True, 10080),
    ],
)
def test_the_default_is_the_safest_way_that_fits(
    inputs: dict[str, str], strategy: str, shifts: bool, test_port: int
) -> None:
    service = read(**inputs).service
    assert (service.strategy, service.shifts, service.test_port) == (strategy, shifts, test_port)


def test_a_file_of_the_folder_names_no_command_that_a_runner_would_run() -> None:
    (check,) = [each for each in INPUTS if each.name == "check"]
    assert set(check.sources) == {Source.CALLER}
