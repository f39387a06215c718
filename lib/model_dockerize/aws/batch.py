"""AWS Batch: the job definition. A new revision only when something that matters changed; old ones are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.canonical import differences
from model_dockerize.aws.container import Container
from model_dockerize.aws.errors import translate
from model_dockerize.aws.eventual import once_assumable
from model_dockerize.aws.lost import finds_what_was_lost
from model_dockerize.aws.names import BATCH, TAG, legal_name
from model_dockerize.aws.session import Aws
from model_dockerize.errors import AwsError, BatchError, InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import BatchSettings
from model_dockerize.settings.fargate import check_size


@dataclass(frozen=True)
class JobDefinition:
    """One revision of a job definition."""

    arn: str
    name: str
    revision: int
    existed: bool  # a definition of this name was there before this run
    changed: bool  # this run registered the revision


@finds_what_was_lost
def ensure_job_definition(
    aws: Aws,
    batch: BatchSettings,
    name: str,
    container: Container,
    command: tuple[str, ...],
    parameters: Mapping[str, str],
    progress: Progress,
) -> JobDefinition:
    """The definition `name` runs `command` in `container`, on what `batch` says.

    Args:
        command: argv; `Ref::input` is replaced by the job's parameter `input`.
        parameters: defaults for those.

    Raises:
        InputError: Fargate has no such size, or not this architecture.
        BatchError: Batch did not take it.
    """
    name = legal_name(name, 128)
    wanted = job_definition(batch, name, container, command, parameters)
    operation = aws.batch.meta.service_model.operation_model("RegisterJobDefinition")
    with translate(f"job definition {name}"):
        latest = _latest(aws, name)
        differing = differences(operation, wanted, latest) if latest else []
        if latest and not differing:
            aws.settled(progress, "leave", "job definition", f"{name}:{latest['revision']}")
            return JobDefinition(latest["jobDefinitionArn"], name, latest["revision"], existed=True, changed=False)
    try:
        with translate(f"job definition {name}"):
            made = once_assumable(lambda: aws.batch.register_job_definition(**wanted), container.runtime.fresh_roles)
    except AwsError as error:
        raise BatchError(str(error), error.remedy, error.details) from error
    why = f" ({', '.join(differing)})" if differing else ""
    text = f"job definition {name}:{made['revision']}: {'next revision' if latest else 'new'}{why}"
    aws.settled(progress, "change" if latest else "make", "job definition", name, *differing, text=text)
    return JobDefinition(made["jobDefinitionArn"], name, made["revision"], existed=latest is not None, changed=True)


def latest_job_definition(aws: Aws, name: str) -> JobDefinition:
    """The highest ACTIVE revision of `name`.

    Raises:
        InputError: there is none.
    """
    name = legal_name(name, 128)
    with translate(f"job definition {name}"):
        latest = _latest(aws, name)
    if latest is None:
        raise InputError(
            f"There is no job definition {name} in {aws.identity.region}.",
            "Make it first: model-dockerize batch FOLDER",
        )
    return JobDefinition(latest["jobDefinitionArn"], name, latest["revision"], existed=True, changed=False)


def job_definition(
    batch: BatchSettings,
    name: str,
    container: Container,
    command: tuple[str, ...],
    parameters: Mapping[str, str],
) -> dict[str, Any]:
    """The RegisterJobDefinition request. Pure.

    Raises:
        InputError: Fargate has no such size, or not this architecture.
    """
    on_fargate = batch.compute_type.startswith("FARGATE")
    if on_fargate:
        check_size(container.cpu, container.memory)
    resources = [
        {"type": "VCPU", "value": f"{container.cpu / 1024:g}"},
        {"type": "MEMORY", "value": str(container.memory)},
    ]
    properties: dict[str, Any] = {
        "image": container.image_uri,
        "command": list(command),
        "executionRoleArn": container.runtime.execution_role_arn,
        "resourceRequirements": resources,
        "logConfiguration": container.log_configuration("batch"),
        **container.variables(),
    }
    if container.runtime.task_role_arn:
        properties["jobRoleArn"] = container.runtime.task_role_arn
    if on_fargate:
        properties["networkConfiguration"] = {"assignPublicIp": "ENABLED" if container.public_address else "DISABLED"}
        properties["fargatePlatformConfiguration"] = {"platformVersion": "LATEST"}
        # An instance's architecture is that of the image: only Fargate has to be told.
        properties["runtimePlatform"] = {"operatingSystemFamily": "LINUX", "cpuArchitecture": container.architecture}
    if batch.gpus:
        resources.append({"type": "GPU", "value": str(batch.gpus)})
    return {
        "jobDefinitionName": name,
        "type": "container",
        "platformCapabilities": ["FARGATE" if on_fargate else "EC2"],
        "parameters": dict(parameters),
        "containerProperties": properties,
        "propagateTags": True,
        "tags": {TAG: BATCH},
    }


def _latest(aws: Aws, name: str) -> Any:
    """The ACTIVE revision with the highest number. Batch does not sort, and may need several pages."""
    pages = aws.batch.get_paginator("describe_job_definitions").paginate(jobDefinitionName=name, status="ACTIVE")
    return max((d for page in pages for d in page["jobDefinitions"]), key=lambda d: d["revision"], default=None)
