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

#: What no input says: somebody chose it, and it stays from revision to revision.
_NO_INPUT = ("retryStrategy", "schedulingPriority", "timeout")
_NO_INPUT_OF_CONTAINER = (
    *("ephemeralStorage", "linuxParameters", "mountPoints", "privileged", "readonlyRootFilesystem"),
    *("repositoryCredentials", "ulimits", "user", "volumes"),
)
#: What inputs may say, and a BatchConfig.yml has no words for.
_NOT_IN_FILE, _NOT_IN_FILE_OF_CONTAINER = ("parameters",), ("jobRoleArn", "secrets")
_BATCHS_LOG = "/aws/batch/job"
_WHOLE = 1024  # CPU units of a vCPU


@dataclass(frozen=True)
class JobDefinition:
    """One revision of a job definition."""

    arn: str
    name: str
    revision: int
    existed: bool  # a definition of this name was there before this run
    changed: bool  # this run registered the revision
    log_group: str = ""  # of its jobs, where it was there before


def ensure_job_definition(
    aws: Aws,
    batch: BatchSettings,
    name: str,
    container: Container,
    command: tuple[str, ...],
    parameters: Mapping[str, str],
    progress: Progress,
    is_written: bool = False,
) -> JobDefinition:
    """The definition `name` runs `command` in `container`, on what `batch` says.

    What nobody says stays as it is in the latest revision, whoever made that.

    Args:
        command: argv; `Ref::input` is replaced by the job's parameter `input`.
        parameters: defaults for those.
        is_written: a BatchConfig.yml says what is wanted, which has no words for all that inputs can say.

    Raises:
        InputError: Fargate has no such size, or not this architecture.
        BatchError: Batch did not take it.
    """
    wanted = job_definition(batch, legal_name(name, 128), container, command, parameters)
    return register(aws, wanted, progress, is_written, container.runtime.fresh_roles)


@finds_what_was_lost
def register(
    aws: Aws, wanted: dict[str, Any], progress: Progress, is_written: bool = False, fresh_roles: bool = False
) -> JobDefinition:
    """Have a revision that is as the RegisterJobDefinition request `wanted` says: the latest, or a new one.

    Raises:
        BatchError: Batch did not take it.
    """
    name = wanted["jobDefinitionName"]
    wanted = {**wanted, "tags": {**wanted["tags"], **aws.tags}}
    operation = aws.batch.meta.service_model.operation_model("RegisterJobDefinition")
    with translate(f"job definition {name}"):
        latest = _latest(aws, name)
        wanted = kept(wanted, latest, is_written) if latest else wanted
        differing = differences(operation, wanted, latest) if latest else []
        if latest and not differing:
            aws.settled(progress, "leave", "job definition", f"{name}:{latest['revision']}")
            return JobDefinition(latest["jobDefinitionArn"], name, latest["revision"], existed=True, changed=False)
    try:
        with translate(f"job definition {name}"):
            made = once_assumable(lambda: aws.batch.register_job_definition(**wanted), fresh_roles)
    except AwsError as error:
        raise BatchError(str(error), error.remedy, error.details) from error
    why = f" ({', '.join(differing)})" if differing else ""
    text = f"job definition {name}:{made['revision']}: {'next revision' if latest else 'new'}{why}"
    aws.settled(progress, "change" if latest else "make", "job definition", name, *differing, text=text)
    return JobDefinition(made["jobDefinitionArn"], name, made["revision"], existed=latest is not None, changed=True)


def kept(wanted: dict[str, Any], latest: Any, is_written: bool) -> dict[str, Any]:
    """Return the request with what it does not say from the revision `latest`. Pure."""
    outer = (*_NO_INPUT, *(_NOT_IN_FILE if is_written else ()))
    inner = (*_NO_INPUT_OF_CONTAINER, *(_NOT_IN_FILE_OF_CONTAINER if is_written else ()))
    found = {key: latest[key] for key in outer if latest.get(key) and not wanted.get(key)}
    container, former = wanted["containerProperties"], latest.get("containerProperties", {})
    # On Fargate half of it is refused.
    if latest.get("platformCapabilities", ["EC2"]) == wanted["platformCapabilities"]:
        container = container | {key: former[key] for key in inner if former.get(key) and not container.get(key)}
    return {**wanted, **found, "containerProperties": container}


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
    options = latest.get("containerProperties", {}).get("logConfiguration", {}).get("options", {})
    arn, group = latest["jobDefinitionArn"], options.get("awslogs-group", _BATCHS_LOG)
    return JobDefinition(arn, name, latest["revision"], existed=True, changed=False, log_group=group)


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
    elif container.cpu % _WHOLE:
        raise InputError(
            f"Jobs on instances take whole vCPUs, and cpu is {container.cpu} ({container.cpu / _WHOLE:g} vCPU).",
            f"Set cpu to a multiple of {_WHOLE}, or compute-type to FARGATE.",
        )
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
        # An instance's architecture is that of its type: only Fargate has to be told.
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
