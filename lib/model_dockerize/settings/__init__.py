"""Settings: one declaration of every input, one frozen tree, one reader a source."""

from model_dockerize.settings.aws_config import AwsConfig, read_aws_config
from model_dockerize.settings.batch_file import (
    FOR_DEFINITION,
    FOR_ENVIRONMENT,
    BatchFile,
    ComputeEnvironmentConfig,
    JobConfig,
    JobDefinitionConfig,
    JobQueueConfig,
    is_batch_file,
    read_batch_file,
    read_section,
)
from model_dockerize.settings.config_ini import folder_of
from model_dockerize.settings.declaration import OPTIONS, OUTPUTS, Kind, Option, Source
from model_dockerize.settings.environment import in_action, is_file, warn_of_missing_files
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
    as_found,
)
from model_dockerize.settings.values import feeds_itself, to_settings

__all__ = [
    "FOR_DEFINITION",
    "FOR_ENVIRONMENT",
    "OPTIONS",
    "OUTPUTS",
    "AwsConfig",
    "AwsSettings",
    "BatchFile",
    "BatchSettings",
    "ComputeEnvironmentConfig",
    "Given",
    "ImageSettings",
    "JobConfig",
    "JobDefinitionConfig",
    "JobQueueConfig",
    "Kind",
    "Option",
    "ProgramSettings",
    "RegistrySettings",
    "RunSettings",
    "ServiceSettings",
    "Settings",
    "SmokeSettings",
    "Source",
    "as_found",
    "feeds_itself",
    "folder_of",
    "in_action",
    "is_batch_file",
    "is_file",
    "read_aws_config",
    "read_batch_file",
    "read_section",
    "to_settings",
    "warn_of_missing_files",
]
