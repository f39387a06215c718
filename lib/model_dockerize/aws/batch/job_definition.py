"""Registers Batch job definitions where they change."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.compare import differences
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import BATCH, TAG, legal_name, short_arn
from model_dockerize.aws.client.retries import finds_what_was_lost, once_assumable
from model_dockerize.aws.client.shown import told
from model_dockerize.aws.existing import carried
from model_dockerize.aws.existing.inputs import of_job_definition
from model_dockerize.aws.iam.roles import named_roles
from model_dockerize.aws.model import Container, Runtime
from model_dockerize.errors import AwsError, BatchError, InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import BatchSettings, ServiceSettings, as_found
from model_dockerize.settings.fargate import check_size

_BATCHS_LOG = "/aws/batch/job"
#: What of another's definition is told before it is taken over.
_TOLD = ("retryStrategy", "timeout", "schedulingPriority", "parameters", "propagateTags", "platformCapabilities")
_TOLD_OF_CONTAINER = (
    *("resourceRequirements", "jobRoleArn", "executionRoleArn", "environment", "secrets", "volumes", "mountPoints"),
    *("ulimits", "linuxParameters", "logConfiguration", "privileged", "user", "networkConfiguration"),
)
_WHOLE = 1024  # CPU units of a vCPU


@dataclass(frozen=True)
class JobDefinition:
    """A revision of a job definition."""

    arn: str
    name: str
    revision: int
    existed: bool  # a definition of this name was there before this run
    changed: bool  # this run registered the revision
    log_group: str = ""  # of its jobs, where it was there before
    role: str = ""  # ARN of the role that its jobs have, where it was there before; empty: none
    mounts: tuple[str, ...] = ()  # paths of its jobs' volumes, where it was there before


def ensure_job_definition(
    aws: Aws,
    batch: BatchSettings,
    name: str,
    container: Container,
    command: tuple[str, ...],
    parameters: Mapping[str, str],
    progress: Progress,
) -> JobDefinition:
    """Make `name` run `command`; the rest stays.

    Args:
        command: argv; the job's parameter `input` replaces `Ref::input`.
    """
    wanted = job_definition(batch, legal_name(name, 128), container, command, parameters)
    return register(aws, wanted, progress, container.adopt, container.runtime.fresh_roles)


@finds_what_was_lost
def register(
    aws: Aws, wanted: dict[str, Any], progress: Progress, adopt: bool, fresh_roles: bool = False
) -> JobDefinition:
    """Return the latest revision if it is as `wanted`, else a new one."""
    name = wanted["jobDefinitionName"]
    operation = aws.batch.meta.service_model.operation_model("RegisterJobDefinition")
    with translate(f"job definition {name}"):
        latest = latest_revision(aws, name)
        _check_ours(name, latest, adopt)
        if latest:
            wanted = carried.job_definition(operation.input_shape, wanted, latest)
        wanted["tags"] = {**(latest or {}).get("tags", {}), TAG: BATCH, **aws.tags}
        differing = [str(each) for each in differences(wanted, latest, operation.input_shape)] if latest else []
        if latest and not differing and TAG in latest.get("tags", {}):
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


def as_defined(
    aws: Aws, name: str, batch: BatchSettings, service: ServiceSettings, own: Collection[str] = ()
) -> tuple[BatchSettings, ServiceSettings]:
    """Complete the settings from the latest revision; `own`: our stacks' roles."""
    name = legal_name(name, 128)
    with translate(f"job definition {name}"):
        latest = latest_revision(aws, name)
    if latest is None:
        return batch, service
    shared = of_job_definition(latest)
    roles: Any = {key: shared.pop(key) for key in ("task_role", "execution_role") if key in shared}
    shared |= named_roles(aws, roles, own)
    jobs = {key: shared.pop(key) for key in ("compute_type", "gpus")}
    # Whether they are spot ones, only their environment knows.
    if jobs["compute_type"] == ("FARGATE" if batch.compute_type.startswith("FARGATE") else "EC2"):
        jobs.pop("compute_type")
    return as_found(batch, jobs), as_found(service, shared)


def secrets_of(aws: Aws, name: str, service: ServiceSettings) -> tuple[str, ...]:
    """Return the secrets that the definition's next revision starts with, unless a role of others reads them."""
    name = legal_name(name, 128)
    with translate(f"job definition {name}"):
        latest = latest_revision(aws, name)
    there = of_job_definition(latest) if latest else {}
    role = str(there.get("execution_role", ""))
    is_theirs = bool(role) and not short_arn(role).startswith(f"{TAG}-")
    return as_found(service, {"secrets": there["secrets"]} if there and not is_theirs else {}).secret_arns


def with_roles(runtime: Runtime, service: ServiceSettings) -> Runtime:
    """Add the definition's roles."""
    roles = {"execution_role_arn": service.execution_role, "task_role_arn": service.task_role}
    kept: Any = {name: role for name, role in roles.items() if role.startswith("arn:")}
    return replace(runtime, **kept)


def check_job_definition(aws: Aws, name: str, adopt: bool) -> None:
    """Refuse somebody else's definition, unless `adopt`."""
    name = legal_name(name, 128)
    with translate(f"job definition {name}"):
        _check_ours(name, latest_revision(aws, name), adopt)


def _check_ours(name: str, latest: Any, adopt: bool) -> None:
    if latest is None:
        return
    if "containerProperties" not in latest:
        raise InputError(
            f"Job definition {name} is of another kind (type {latest.get('type')}): it runs no single container.",
            "Choose another name (job-definition-name).",
        )
    if TAG in latest.get("tags", {}) or adopt:
        return
    container = latest["containerProperties"]
    stays = [told(key, latest[key]) for key in _TOLD if latest.get(key)]
    inside = [told(key, container[key]) for key in _TOLD_OF_CONTAINER if container.get(key)]
    raise InputError(
        f"Job definition {name} was made by somebody else: whoever sends jobs by its name would run the model.",
        "Choose another name (job-definition-name), or take this one over (adopt: true): then its next revision has "
        "what inputs say, and the rest stays.",
        (
            f"changes: image {container.get('image')} -> the model's, command",
            *(f"stays: {each}" for each in (*stays, *inside)),
        ),
    )


def latest_job_definition(aws: Aws, name: str) -> JobDefinition:
    """Return the highest ACTIVE revision."""
    name = legal_name(name, 128)
    with translate(f"job definition {name}"):
        latest = latest_revision(aws, name)
    if latest is None:
        raise InputError(
            f"There is no job definition {name} in {aws.identity.region}.",
            "Make it first: model-dockerize batch FOLDER",
        )
    properties = latest.get("containerProperties", {})
    options = properties.get("logConfiguration", {}).get("options", {})
    return JobDefinition(
        latest["jobDefinitionArn"],
        name,
        latest["revision"],
        existed=True,
        changed=False,
        log_group=options.get("awslogs-group", _BATCHS_LOG),
        role=properties.get("jobRoleArn", ""),
        mounts=tuple(each["containerPath"] for each in properties.get("mountPoints", []) if "containerPath" in each),
    )


def every_job_definition(aws: Aws) -> dict[str, int]:
    """Return the highest ACTIVE revisions with our tag."""
    highest: dict[str, int] = {}
    with translate("list the job definitions of the region"):
        for page in aws.batch.get_paginator("describe_job_definitions").paginate(status="ACTIVE"):
            for found in page["jobDefinitions"]:
                if TAG in found.get("tags", {}):
                    name = found["jobDefinitionName"]
                    highest[name] = max(highest.get(name, 0), found["revision"])
    return highest


def job_definition(
    batch: BatchSettings,
    name: str,
    container: Container,
    command: tuple[str, ...],
    parameters: Mapping[str, str],
) -> dict[str, Any]:
    """Return the RegisterJobDefinition request."""
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
    }


def latest_revision(aws: Aws, name: str) -> Any:
    """Return the highest ACTIVE revision, or None."""
    pages = aws.batch.get_paginator("describe_job_definitions").paginate(jobDefinitionName=name, status="ACTIVE")
    return max((d for page in pages for d in page["jobDefinitions"]), key=lambda d: d["revision"], default=None)
