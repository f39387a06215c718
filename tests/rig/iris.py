"""A model called iris: its image, its names, and the settings that inputs make for it."""

from dataclasses import replace
from functools import cache
from typing import Any

from model_dockerize.aws.ground import Model, Names
from model_dockerize.settings import BatchSettings, ServiceSettings, Settings, to_settings

DIGEST = "sha256:" + "ab" * 32
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/iris@{DIGEST}"
IRIS = Model("iris", "iris")
NAMES = Names("iris", "iris", "iris", "iris", "iris", "model-dockerize")


@cache
def _defaults() -> Settings:
    return to_settings([])


def settings(**changes: Any) -> ServiceSettings:
    """Return the defaults of the declaration, and what inputs say."""
    return replace(_defaults().service, **{"wait_timeout": 600, "given": frozenset(changes), **changes})


def batch_settings(**changes: Any) -> BatchSettings:
    """Return the defaults of the declaration, and what inputs say."""
    return replace(_defaults().batch, **{"given": frozenset(changes), **changes})
