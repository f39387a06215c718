"""The ECS service: made, or changed where it differs. Whether the change takes is rollout's business."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.eventual import once_assumable
from model_dockerize.aws.foundations import Foundations
from model_dockerize.aws.names import SERVICE, TAG, legal_name
from model_dockerize.aws.session import Aws
from model_dockerize.aws.taskdef import TaskDefinition
from model_dockerize.errors import AwsError, TimedOutError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

_DRAIN_SECONDS = 300.0


@dataclass(frozen=True)
class Service:
    """A service as it was asked to be; `deployment_id` is ours to follow."""

    arn: str
    name: str
    cluster: str
    changed: bool  # this run made or updated it
    deployment_id: str  # ecs-svc/...
    task_definition_arn: str
    previous_task_definition_arn: str | None  # what it ran before ours; None: nothing that ever ran


def ensure_service(
    aws: Aws,
    settings: ServiceSettings,
    name: str,
    task_definition: TaskDefinition,
    foundations: Foundations,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
) -> Service:
    """The service `name` runs `task_definition`: rolling update, at least all healthy, at most twice as many.

    An unchanged service costs one call. One that is being deleted is waited for, then made anew.

    Raises:
        TimedOutError: a service of that name would not go away.
        AwsAccessError, AwsError: as AWS says.
    """
    name = legal_name(name)
    wanted = _wanted(settings, task_definition.arn, foundations)
    cluster = foundations.cluster
    with translate(f"service {name}"):
        there = _gone(aws, cluster, name, progress, sleep)
        if there is None:
            made = once_assumable(lambda: _create(aws, cluster, name, wanted), foundations.fresh_roles)
            progress.info(f"service {name}: made, {task_definition.short}")
            return _service(made, task_definition.arn, changed=True, previous=None)
        previous = _previous(there, task_definition.arn)
        differing = [key for key, value in wanted.items() if not _means(there.get(key), value)]
        if _gave_up(there):
            # ECS starts nothing more for a deployment that failed; only a new one gets its tasks.
            wanted["forceNewDeployment"] = True
            differing.append("the last deployment failed")
        if not differing:
            progress.info(f"service {name}: there, {task_definition.short}")
            return _service(there, task_definition.arn, changed=False, previous=previous)
        updated = once_assumable(
            lambda: aws.ecs.update_service(cluster=cluster, service=name, **wanted)["service"], foundations.fresh_roles
        )
    before = short_arn(there["taskDefinition"])
    progress.info(
        f"service {name}: rolling {before} -> {task_definition.short}"
        if before != task_definition.short
        else f"service {name}: changing {', '.join(differing)}"
    )
    return _service(updated, task_definition.arn, changed=True, previous=previous)


def describe(aws: Aws, cluster: str, name: str) -> Any:
    """The service as ECS has it, whatever its status; None if there never was one."""
    found = aws.ecs.describe_services(cluster=cluster, services=[name])["services"]
    return found[0] if found else None


def short_arn(arn: str) -> str:
    """What comes after the last slash of an ARN: `iris:3` of a task definition, the id of a task."""
    return arn.rsplit("/", 1)[-1]


def scale_to_zero(aws: Aws, service: Service) -> None:
    """No task of the service stays; the service itself, its events and its log do."""
    with translate(f"service {service.name}"):
        aws.ecs.update_service(cluster=service.cluster, service=service.name, desiredCount=0)


def put_back(aws: Aws, service: Service, task_definition_arn: str) -> Service:
    """The service asked to run `task_definition_arn` again. The new deployment is the result's to follow."""
    with translate(f"service {service.name}"):
        updated = aws.ecs.update_service(
            cluster=service.cluster, service=service.name, taskDefinition=task_definition_arn, forceNewDeployment=True
        )["service"]
    return _service(updated, task_definition_arn, changed=True, previous=service.task_definition_arn)


def _wanted(settings: ServiceSettings, task_definition_arn: str, foundations: Foundations) -> dict[str, Any]:
    return {
        "taskDefinition": task_definition_arn,
        "desiredCount": settings.desired_count,
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": sorted(foundations.subnet_ids),
                "securityGroups": sorted(foundations.security_group_ids),
                "assignPublicIp": "ENABLED" if foundations.assign_public_ip else "DISABLED",
            }
        },
        "deploymentConfiguration": {
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        },
        "enableExecuteCommand": False,
        "propagateTags": "SERVICE",
    }


def _create(aws: Aws, cluster: str, name: str, wanted: dict[str, Any]) -> Any:
    return aws.ecs.create_service(
        cluster=cluster,
        serviceName=name,
        launchType="FARGATE",
        tags=[{"key": TAG, "value": SERVICE}],
        **wanted,
    )["service"]


def _gone(aws: Aws, cluster: str, name: str, progress: Progress, sleep: Callable[[float], None]) -> Any:
    """The ACTIVE service; None when there is none (any more)."""
    waited = 0.0
    while True:
        there = describe(aws, cluster, name)
        if there is None or there["status"] == "INACTIVE":
            return None
        if there["status"] == "ACTIVE":
            return there
        if waited == 0:
            progress.info(f"service {name}: waiting until the old one of that name is gone")
        if waited >= _DRAIN_SECONDS:
            raise TimedOutError(
                f"Service {name} is still {there['status']} after {waited:.0f} s.",
                remedy="Stop its tasks, or choose another name (service).",
            )
        sleep(2)
        waited += 2


def _means(found: Any, wanted: Any) -> bool:
    """Everything of `wanted` is in `found`; what AWS added does not count."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_means(found.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return sorted(found or []) == sorted(wanted)
    return bool((found or False) == (wanted or False))


def _gave_up(service: Any) -> bool:
    primary = [d for d in service["deployments"] if d["status"] == "PRIMARY"]
    return bool(primary) and primary[0].get("rolloutState") == "FAILED"


def _previous(service: Any, task_definition_arn: str) -> str | None:
    """Another task definition whose tasks are, or were last, good: of a finished rollout, or running now."""
    others = [d for d in service["deployments"] if d["taskDefinition"] != task_definition_arn]
    good = [d for d in others if d.get("rolloutState") == "COMPLETED" or d.get("runningCount", 0) > 0]
    return str(good[0]["taskDefinition"]) if good else None


def _service(data: Any, task_definition_arn: str, changed: bool, previous: str | None) -> Service:
    ours = [d for d in data["deployments"] if d["status"] == "PRIMARY"]
    if not ours:
        raise AwsError(
            f"Service {data['serviceName']} has no primary deployment.",
            remedy="Its deployments are not made by ECS (CodeDeploy, EXTERNAL): choose another name (service).",
        )
    return Service(
        arn=data["serviceArn"],
        name=data["serviceName"],
        cluster=short_arn(data["clusterArn"]),
        changed=changed,
        deployment_id=ours[0]["id"],
        task_definition_arn=task_definition_arn,
        previous_task_definition_arn=previous,
    )
