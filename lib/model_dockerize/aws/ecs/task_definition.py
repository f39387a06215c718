"""The task definition: one container on Fargate, pinned by digest. Registered only when its meaning changed."""

from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.canonical import differences
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import TAG, TASK_DEFINITION, legal_name
from model_dockerize.aws.client.retries import finds_what_was_lost, once_assumable
from model_dockerize.aws.ecs.newer_fields import heard, saying, unknown
from model_dockerize.aws.model import Container, TaskDefinition, Volume
from model_dockerize.progress import Progress
from model_dockerize.settings.fargate import check_size

_DATA = "data"
#: Where the server of the image keeps its jobs.
_MOUNT = {"sourceVolume": _DATA, "containerPath": "/var/gai_data", "readOnly": False}


@finds_what_was_lost
def ensure_task_definition(aws: Aws, family: str, container: Container, progress: Progress) -> TaskDefinition:
    """The latest ACTIVE revision of `family` if it means the same, else a new one.

    Raises:
        InputError: Fargate has no such size, or not this architecture.
    """
    family = legal_name(family)
    wanted = task_definition(family, container)
    wanted["tags"] += [{"key": key, "value": value} for key, value in aws.tags.items()]
    operation = aws.ecs.meta.service_model.operation_model("RegisterTaskDefinition")
    with translate(f"task definition {family}"):
        with heard(aws.ecs, "DescribeTaskDefinition") as said:
            latest = _latest(aws, family)
        differing = differences(operation, wanted, latest) if latest else []
        if latest and not differing:
            aws.settled(progress, "leave", "task definition", f"{family}:{latest['revision']}")
            return TaskDefinition(latest["taskDefinitionArn"], family, latest["revision"], changed=False)
        shape = operation.service_model.shape_for("TaskDefinition")
        with saying(aws.ecs, "RegisterTaskDefinition", unknown(shape, said.get("taskDefinition", {}))) as kept:
            made = once_assumable(lambda: aws.ecs.register_task_definition(**wanted), container.runtime.fresh_roles)[
                "taskDefinition"
            ]
    if kept:
        progress.info(f"task definition {family}: kept what is newer than this program: {', '.join(sorted(kept))}")
    why = f" ({', '.join(differing)})" if differing else ""
    text = f"task definition {family}:{made['revision']}: registered{why}"
    aws.settled(progress, "change" if latest else "make", "task definition", family, *differing, text=text)
    return TaskDefinition(made["taskDefinitionArn"], family, made["revision"], changed=True)


def task_definition(family: str, container: Container) -> dict[str, Any]:
    """The RegisterTaskDefinition request. Pure.

    Raises:
        InputError: Fargate has no such size, or not this architecture.
    """
    check_size(container.cpu, container.memory)
    return {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": container.architecture},
        "cpu": str(container.cpu),
        "memory": str(container.memory),
        "executionRoleArn": container.runtime.execution_role_arn,
        "taskRoleArn": container.runtime.task_role_arn,
        "containerDefinitions": [
            {
                "name": family,
                "image": container.image_uri,
                "essential": True,
                "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
                "stopTimeout": 30,
                **_health_check(container.health_command),
                "logConfiguration": container.log_configuration("service"),
                **container.variables(),
                **({"mountPoints": [_MOUNT]} if container.volume else {}),
            }
        ],
        **({"volumes": [_shared(container.volume)]} if container.volume else {}),
        "tags": [{"key": TAG, "value": TASK_DEFINITION}],
    }


def _health_check(command: tuple[str, ...]) -> dict[str, Any]:
    if not command:
        return {}
    return {"healthCheck": {"command": ["CMD", *command], "interval": 5, "timeout": 5, "retries": 3, "startPeriod": 30}}


def _shared(volume: Volume) -> dict[str, Any]:
    """The volume as ECS takes it. What AWS would fill in is written out, so that it compares equal."""
    return {
        "name": _DATA,
        "efsVolumeConfiguration": {
            "fileSystemId": volume.file_system_id,
            "rootDirectory": "/",
            "transitEncryption": "ENABLED",
            "authorizationConfig": {"accessPointId": volume.access_point_id, "iam": "DISABLED"},
        },
    }


def _latest(aws: Aws, family: str) -> Any:
    try:
        return aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    except ClientError as error:
        # ECS has no error code of its own for a family without ACTIVE revisions.
        if "Unable to describe task definition" in str(error):
            return None
        raise
