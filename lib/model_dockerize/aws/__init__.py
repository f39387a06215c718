"""AWS, one module a service. Every `ensure_` reads, compares and changes only what differs, however often it runs."""

from model_dockerize.aws.address import public_address
from model_dockerize.aws.batch import JobDefinition, ensure_job_definition
from model_dockerize.aws.diagnosis import StoppedTask
from model_dockerize.aws.ecr import (
    PushedImage,
    RegistryLogin,
    Repository,
    build_tag,
    ensure_repository,
    find_build,
    login,
    tag_image,
    verify,
)
from model_dockerize.aws.errors import translate
from model_dockerize.aws.foundations import Foundations, Runtime, ensure_foundations, ensure_runtime
from model_dockerize.aws.names import TAG, legal_name
from model_dockerize.aws.rollout import Verdict, follow, rollback, settle_failed_first_deployment
from model_dockerize.aws.service import Service, ensure_service
from model_dockerize.aws.session import Aws, Identity, connect
from model_dockerize.aws.taskdef import TaskDefinition, ensure_task_definition

__all__ = [
    "TAG",
    "Aws",
    "Foundations",
    "Identity",
    "JobDefinition",
    "PushedImage",
    "RegistryLogin",
    "Repository",
    "Runtime",
    "Service",
    "StoppedTask",
    "TaskDefinition",
    "Verdict",
    "build_tag",
    "connect",
    "ensure_foundations",
    "ensure_job_definition",
    "ensure_repository",
    "ensure_runtime",
    "ensure_service",
    "ensure_task_definition",
    "find_build",
    "follow",
    "legal_name",
    "login",
    "public_address",
    "rollback",
    "settle_failed_first_deployment",
    "tag_image",
    "translate",
    "verify",
]
