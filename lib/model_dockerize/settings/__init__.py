"""Settings: declared inputs, their readers and one frozen tree."""

from model_dockerize.compat.aws_config import AwsConfig, read_aws_config
from model_dockerize.compat.batch_file import (
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
from model_dockerize.compat.config_ini import folder_of
from model_dockerize.settings.aws import AwsSettings
from model_dockerize.settings.batch import BatchSettings, feeds_itself
from model_dockerize.settings.environment import in_action, is_file, warn_of_missing_files
from model_dockerize.settings.given import Given, Source
from model_dockerize.settings.image import ImageSettings
from model_dockerize.settings.input import Input, Kind
from model_dockerize.settings.load import load_settings
from model_dockerize.settings.model import INPUTS, Settings, as_found
from model_dockerize.settings.outputs import OUTPUTS
from model_dockerize.settings.program import ProgramSettings
from model_dockerize.settings.registry import RegistrySettings
from model_dockerize.settings.run import RunSettings
from model_dockerize.settings.service import ServiceSettings
from model_dockerize.settings.smoke import SmokeSettings
from model_dockerize.settings.values import to_settings

__all__ = [
    "FOR_DEFINITION",
    "FOR_ENVIRONMENT",
    "INPUTS",
    "OUTPUTS",
    "AwsConfig",
    "AwsSettings",
    "BatchFile",
    "BatchSettings",
    "ComputeEnvironmentConfig",
    "Given",
    "ImageSettings",
    "Input",
    "JobConfig",
    "JobDefinitionConfig",
    "JobQueueConfig",
    "Kind",
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
    "load_settings",
    "read_aws_config",
    "read_batch_file",
    "read_section",
    "to_settings",
    "warn_of_missing_files",
]
