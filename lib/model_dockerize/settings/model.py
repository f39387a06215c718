"""All inputs of a run, as one frozen tree."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from model_dockerize.settings.aws import AwsSettings
from model_dockerize.settings.batch import BatchSettings
from model_dockerize.settings.image import ImageSettings
from model_dockerize.settings.input import inputs_of
from model_dockerize.settings.program import ProgramSettings
from model_dockerize.settings.registry import RegistrySettings
from model_dockerize.settings.run import RunSettings
from model_dockerize.settings.service import ServiceSettings
from model_dockerize.settings.smoke import SmokeSettings


@dataclass(frozen=True)
class Settings:
    """A run's inputs, read and checked."""

    program: ProgramSettings
    image: ImageSettings
    registry: RegistrySettings
    aws: AwsSettings
    batch: BatchSettings
    service: ServiceSettings
    smoke: SmokeSettings
    run: RunSettings
    notes: tuple[str, ...] = ()  # what was overruled

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(getattr(getattr(self, each.group), each.field) for each in INPUTS if each.key and each.private)


GROUPS: Mapping[str, type] = {
    each.name: each.type for each in fields(Settings) if isinstance(each.type, type) and is_dataclass(each.type)
}
INPUTS = inputs_of(GROUPS)
BY_NAME = {each.name: each for each in INPUTS}

_S = TypeVar("_S", BatchSettings, ServiceSettings)


def as_found(settings: _S, found: Mapping[str, object]) -> _S:
    """Keep what was found where no input says otherwise: defaults are for making only."""
    kept: Any = {name: value for name, value in found.items() if name not in settings.given}
    return replace(settings, **kept)
