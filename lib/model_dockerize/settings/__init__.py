"""Settings: one declaration of every input, one frozen tree, one reader a source."""

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

__all__ = [
    "AwsSettings",
    "BatchSettings",
    "ImageSettings",
    "ProgramSettings",
    "RegistrySettings",
    "RunSettings",
    "ServiceSettings",
    "Settings",
    "SmokeSettings",
]
