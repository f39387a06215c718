"""Registers a task definition where its meaning changed."""

from typing import Any

from botocore.model import OperationModel

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.compare import differences
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import TAG, TASK_DEFINITION, legal_name, tagged
from model_dockerize.aws.client.retries import finds_what_was_lost, once_assumable
from model_dockerize.aws.existing import carried
from model_dockerize.aws.existing.adoption import ADOPTED, check_family, is_taken_over, runs_family
from model_dockerize.aws.existing.newer_fields import saying
from model_dockerize.aws.existing.own_container import replaced_container
from model_dockerize.aws.existing.service import describe_definition, is_batchs
from model_dockerize.aws.model import Container, TaskDefinition, Volume
from model_dockerize.progress import Progress
from model_dockerize.settings.fargate import check_size

_DATA = "data"
#: Where the server of the image keeps its jobs.
_MOUNT = {"sourceVolume": _DATA, "containerPath": "/var/gai_data", "readOnly": False}
#: The command waits up to 55 s for the model's proof, so that a proof may take 300 + 3 * (5 + 60) s. The first success
#: ends the start period; from then on the command looks only whether the server answers.
_CHECKS = {"interval": 5, "timeout": 60, "retries": 3, "startPeriod": 300}


@finds_what_was_lost
def ensure_task_definition(aws: Aws, family: str, container: Container, progress: Progress) -> TaskDefinition:
    """Return a revision that means this, registered if needed.

    What no input says is carried over from the running one.
    """
    family = legal_name(family)
    current = container.current
    former, newer, name = (current.definition, current.newer, current.container) if current else (None, {}, "")
    operation = aws.ecs.meta.service_model.operation_model("RegisterTaskDefinition")
    with translate(f"task definition {family}"):
        wanted = _request(aws, operation, family, container, former, name or family)
        if former and former["family"] == family and _is_it(operation, wanted, former):
            return _left(aws, former, name, progress)
        latest, unknown = describe_definition(aws, family)
        if latest and is_batchs(latest):
            latest = None
        if latest and not runs_family(current, family):
            check_family(latest, family, container.adopt)
        if former is None:
            newer = unknown
            if latest and is_taken_over(latest):
                former, name = latest, replaced_container(latest, {}).get("name", "")
                wanted = _request(aws, operation, family, container, former, name or family)
        if latest and _is_it(operation, wanted, latest):
            return _left(aws, latest, name, progress)
        before = former if former and former["family"] == family else latest
        differing = _fields(operation, wanted, before) if before else []
        with saying(aws.ecs, "RegisterTaskDefinition", newer) as kept:
            made = once_assumable(lambda: aws.ecs.register_task_definition(**wanted), container.runtime.fresh_roles)[
                "taskDefinition"
            ]
    if kept:
        progress.info(f"task definition {family}: kept what is newer than this program: {', '.join(sorted(kept))}")
    why = f" ({', '.join(differing)})" if differing else ""
    text = f"task definition {family}:{made['revision']}: registered{why}"
    aws.settled(progress, "change" if before else "make", "task definition", family, *differing, text=text)
    return TaskDefinition(made["taskDefinitionArn"], family, made["revision"], True, name or family)


def _request(
    aws: Aws, operation: OperationModel, family: str, container: Container, former: Any, name: str
) -> dict[str, Any]:
    wanted = task_definition(family, container, name)
    tags = {TAG: TASK_DEFINITION, **aws.tags}
    if former:
        wanted = carried.task_definition(operation.input_shape, wanted, former, name)
        if is_taken_over(former):
            tags[ADOPTED] = "true"
        tags = {tag["key"]: tag.get("value", "") for tag in former["tags"]} | tags
    return {**wanted, "tags": [{"key": key, "value": value} for key, value in tags.items()]}


def _is_it(operation: OperationModel, wanted: dict[str, Any], there: Any) -> bool:
    return there["status"] == "ACTIVE" and tagged(there["tags"]) and not _fields(operation, wanted, there)


def _fields(operation: OperationModel, wanted: dict[str, Any], there: Any) -> list[str]:
    return [str(each) for each in differences(wanted, there, operation.input_shape)]


def _left(aws: Aws, there: Any, container: str, progress: Progress) -> TaskDefinition:
    family, revision = there["family"], there["revision"]
    aws.settled(progress, "leave", "task definition", f"{family}:{revision}")
    return TaskDefinition(there["taskDefinitionArn"], family, revision, False, container or family)


def task_definition(family: str, container: Container, name: str) -> dict[str, Any]:
    """Return the RegisterTaskDefinition request. Pure."""
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
                "name": name,
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
    }


def _health_check(command: tuple[str, ...]) -> dict[str, Any]:
    if not command:
        return {}
    return {"healthCheck": {"command": ["CMD", *command], **_CHECKS}}


def _shared(volume: Volume) -> dict[str, Any]:
    """Say AWS's defaults, to compare equal."""
    return {
        "name": _DATA,
        "efsVolumeConfiguration": {
            "fileSystemId": volume.file_system_id,
            "rootDirectory": "/",
            "transitEncryption": "ENABLED",
            "authorizationConfig": {"accessPointId": volume.access_point_id, "iam": "DISABLED"},
        },
    }
