"""Values that stages hand on cannot be changed by whoever gets them."""

import dataclasses
import importlib
import pkgutil

import pytest

from model_dockerize import aws

#: These count and wait: they are nobody else's.
CHANGING = {"Pace"}
MODULES = [found.name for found in pkgutil.walk_packages(aws.__path__, f"{aws.__name__}.") if not found.ispkg]


@pytest.mark.parametrize("name", MODULES)
def test_every_value_stays_as_it_was_made(name: str) -> None:
    module = importlib.import_module(name)
    own = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name]
    values = [each for each in own if dataclasses.is_dataclass(each)]
    changing = {each.__name__ for each in values if not each.__dataclass_params__.frozen}  # type: ignore[attr-defined]
    assert changing - CHANGING == set()
