"""What a service is asked to be, and whether it is that. Pure."""

from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.model import Foundations, TaskDefinition
from model_dockerize.settings import ServiceSettings

#: Dead tasks in a row that are enough: AWS's own default waits for three at least, and half of all for many. Of what is
#: new some die without the model's fault: a role that ECS does not see yet, a volume whose name does not resolve yet.
_ENOUGH, _ENOUGH_OF_NEW_ROLES, _ENOUGH_OF_NEW_VOLUME = 2, 3, 5
_THRESHOLD = "thresholdConfiguration"
#: Done when all new tasks are healthy, not minutes later when the last old one has drained.
_EARLY = {
    "earlySuccessCriteria": {"enable": True, "healthyPercent": 100, "sourceServiceRevisionCleanup": "DEFERRED"},
}
_ONE_ZONE = {"availabilityZoneRebalancing": "DISABLED"}
#: A task may be slow to be well, and is not stopped for it in the meantime. Seconds.
_GRACE = 30


def request(
    aws: Aws, settings: ServiceSettings, task_definition: TaskDefinition, foundations: Foundations
) -> dict[str, Any]:
    """What CreateService and UpdateService have in common, without the number of tasks."""
    return {
        "taskDefinition": task_definition.arn,
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": sorted(foundations.subnet_ids),
                "securityGroups": sorted(foundations.security_group_ids),
                "assignPublicIp": "ENABLED" if foundations.assign_public_ip else "DISABLED",
            }
        },
        "deploymentConfiguration": {
            # SQLite on a shared volume takes one server: the old task ends before the new one begins.
            "minimumHealthyPercent": 0 if settings.is_alone else 100,
            "maximumPercent": 100 if settings.is_alone else 200,
            "deploymentCircuitBreaker": {
                "enable": True,
                "rollback": True,
                **_known(aws, "DeploymentCircuitBreaker", {_THRESHOLD: _threshold(foundations)}),
            },
            **_known(aws, "DeploymentConfiguration", _EARLY),
        },
        "enableExecuteCommand": False,
        "propagateTags": "SERVICE",
        # AWS turns it on for new services, and refuses it where no task may be started before one has ended.
        **(_known(aws, "UpdateServiceRequest", _ONE_ZONE) if settings.is_alone else {}),
        **_balanced(task_definition, foundations),
    }


def _threshold(foundations: Foundations) -> dict[str, Any]:
    enough = _ENOUGH_OF_NEW_VOLUME if foundations.volume else _ENOUGH_OF_NEW_ROLES
    return {"type": "COUNT", "value": enough if foundations.fresh_roles else _ENOUGH}


def count(settings: ServiceSettings, now: int | None) -> int:
    """Return how many tasks to ask for while `now` are wanted (None: by nobody yet).

    What no input says is left as it is: somebody's scaling may have chosen it. Within its bounds, ours decides.
    """
    least, most = settings.desired_count, 1 if settings.is_alone else settings.max_count
    if now is None:
        return 1 if least is None else least
    wanted = now if least is None else max(now, least) if settings.max_count else least
    return min(wanted, most) if most else wanted


def _balanced(task_definition: TaskDefinition, foundations: Foundations) -> dict[str, Any]:
    """Nothing is said where no load balancer is wanted: one that somebody attached by hand stays."""
    if foundations.load_balancer is None:
        return {}
    target = {
        "targetGroupArn": foundations.load_balancer.target_group_arn,
        "containerName": task_definition.family,
        "containerPort": 80,
    }
    return {"loadBalancers": [target], "healthCheckGracePeriodSeconds": _GRACE}


def _known(aws: Aws, shape: str, members: dict[str, Any]) -> dict[str, Any]:
    """Those of `members` that this botocore can send."""
    model: Any = aws.ecs.meta.service_model.shape_for(shape)
    return {name: value for name, value in members.items() if name in model.members}


def comparable(wanted: dict[str, Any], there: Any) -> dict[str, Any]:
    """`wanted` without what alone is no reason for a rollout, or newer than an endpoint: the faster rollout, zones."""
    asked = dict(wanted["deploymentConfiguration"])
    shown = there.get("deploymentConfiguration", {})
    breaker = asked["deploymentCircuitBreaker"]
    asked["deploymentCircuitBreaker"] = {k: v for k, v in breaker.items() if k != _THRESHOLD}
    asked = {k: v for k, v in asked.items() if k not in _EARLY or k in shown}
    known = {k: v for k, v in wanted.items() if k not in _ONE_ZONE or k in there}
    return {**known, "deploymentConfiguration": asked}


def means(found: Any, wanted: Any) -> bool:
    """Everything of `wanted` is in `found`; what AWS added does not count."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(means(found.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        return len(found or []) == len(wanted) and all(any(means(f, w) for f in found) for w in wanted)
    if isinstance(wanted, list):
        return sorted(found or []) == sorted(wanted)
    return bool((found or False) == (wanted or False))
