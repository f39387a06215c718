"""Values that threads, processes and requests of a server hand to one another cannot be changed by any of them."""

import dataclasses
import importlib
import pkgutil
from types import ModuleType

import pytest

import model_server
from model_server import jobs

#: Each has one owner at a time, who changes it.
OWNED = {"_Deferred", "PendingJob", "Run"}


def modules() -> list[str]:
    found = [
        *pkgutil.iter_modules(model_server.__path__, "model_server."),
        *pkgutil.iter_modules(jobs.__path__, "model_server.jobs."),
    ]
    return [module.name for module in found if not module.ispkg and not module.name.endswith("__main__")]


def made_in(module: ModuleType) -> list[type]:
    values = [value for value in vars(module).values() if isinstance(value, type)]
    return [value for value in values if dataclasses.is_dataclass(value) and value.__module__ == module.__name__]


@pytest.mark.parametrize("name", modules())
def test_values_are_frozen_but_for_those_with_an_owner(name: str) -> None:
    changeable = [
        value.__name__
        for value in made_in(importlib.import_module(name))
        if not value.__dataclass_params__.frozen  # type: ignore[attr-defined]
    ]
    assert set(changeable) <= OWNED


def test_jobs_that_wait_are_themselves_and_not_their_values() -> None:
    pending = importlib.import_module("model_server.jobs.pending")
    for value in (pending.PendingJob, pending.Run):
        assert value.__eq__ is object.__eq__
