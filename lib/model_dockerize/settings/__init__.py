"""Settings: one declaration of every input, one frozen tree, one reader a source."""

from model_dockerize.settings.declaration import OPTIONS, OUTPUTS, Kind, Option
from model_dockerize.settings.given import Given
from model_dockerize.settings.tree import (
    AwsSettings,
    BatchSettings,
    ImageSettings,
    ProgramSettings,
    RegistrySettings,
    RunSettings,
    ServiceSettings,
    Settings,
    SmokeSettings,
)
from model_dockerize.settings.values import feeds_itself, to_settings

__all__ = [
    "OPTIONS",
    "OUTPUTS",
    "AwsSettings",
    "BatchSettings",
    "Given",
    "ImageSettings",
    "Kind",
    "Option",
    "ProgramSettings",
    "RegistrySettings",
    "RunSettings",
    "ServiceSettings",
    "Settings",
    "SmokeSettings",
    "feeds_itself",
    "to_settings",
]
