"""Makes and compares requests for a service. Pure."""

from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.compare import differences
from model_dockerize.aws.ecs.strategy import alarms, strategy
from model_dockerize.aws.existing.own_container import PORT
from model_dockerize.aws.model import Foundations, TaskDefinition
from model_dockerize.settings import ServiceSettings

_THRESHOLD = "thresholdConfiguration"
#: Dead tasks in a row that are enough: AWS's own default waits for three at least, and half of all for many.
_ENOUGH = {"type": "COUNT", "value": 2}
#: Of what is new some die without the model's fault: a role that ECS does not see yet, a volume whose name does not
#: resolve yet. All tasks start at once and so die at once: percent of the tasks that are wanted.
_ENOUGH_OF_NEW_ROLES = {"type": "UNBOUNDED_PERCENT", "value": 300}
_ENOUGH_OF_NEW_VOLUME = {"type": "UNBOUNDED_PERCENT", "value": 500}
_OURS = (_ENOUGH, _ENOUGH_OF_NEW_ROLES, _ENOUGH_OF_NEW_VOLUME)
#: Done when all new tasks are healthy, not minutes later when the last old one has drained.
_EARLY = {
    "earlySuccessCriteria": {"enable": True, "healthyPercent": 100, "sourceServiceRevisionCleanup": "DEFERRED"},
}
#: How many tasks may run during a rollout: of a service that is alone on its volume, the old one ends first.
_ALONE = {"minimumHealthyPercent": 0, "maximumPercent": 100}
_BOUNDS = tuple(_ALONE)
_SAID_AGAIN = ("monitoring", "platformVersion")
#: Inputs that say where tasks run.
_PLACE = frozenset(("assign_public_ip", "security_groups", "subnets", "vpc", "zones"))
_ONE_ZONE = {"availabilityZoneRebalancing": "DISABLED"}
#: A task may be slow to be well, and is not stopped for it in the meantime: so long its proof may take. Seconds.
_GRACE = 330


def request(
    aws: Aws,
    settings: ServiceSettings,
    task_definition: TaskDefinition,
    foundations: Foundations,
    smoke_seconds: int = 0,
) -> dict[str, Any]:
    """Return the CreateService request, without desiredCount."""
    shifts = _shifts(settings, foundations)
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
            **(_ALONE if settings.is_alone else {"minimumHealthyPercent": 100, "maximumPercent": 200}),
            "deploymentCircuitBreaker": {
                "enable": True,
                "rollback": True,
                **_known(aws, "DeploymentCircuitBreaker", {_THRESHOLD: _threshold(foundations)}),
            },
            # Early success is for rolling alone.
            **(strategy(settings, smoke_seconds, {}) if shifts else _known(aws, "DeploymentConfiguration", _EARLY)),
            **(alarms(settings) if settings.alarms else {}),
        },
        "enableExecuteCommand": False,
        "propagateTags": "SERVICE",
        # AWS turns it on for new services, and refuses it where no task may be started before one has ended.
        **(_known(aws, "UpdateServiceRequest", _ONE_ZONE) if settings.is_alone else {}),
        **_balanced(task_definition, foundations, shifts),
    }


def _shifts(settings: ServiceSettings, foundations: Foundations) -> bool:
    return settings.shifts and foundations.load_balancer is not None


def update(
    aws: Aws,
    settings: ServiceSettings,
    there: Any,
    task_definition: TaskDefinition,
    foundations: Foundations,
    is_ours: bool,
    smoke_seconds: int = 0,
) -> dict[str, Any]:
    """Return the UpdateService request, without desiredCount."""
    whole = request(aws, settings, task_definition, foundations, smoke_seconds)
    asked: dict[str, Any] = {"taskDefinition": whole["taskDefinition"]}
    # By its documentation AWS takes a default of its own in place of these two where a request does not say them.
    asked |= _known(aws, "UpdateServiceRequest", {name: there[name] for name in _SAID_AGAIN if there.get(name)})
    if foundations.is_new or settings.given & _PLACE:
        asked["networkConfiguration"] = whole["networkConfiguration"]
    configuration = there.get("deploymentConfiguration", {})
    bounds = {name: whole["deploymentConfiguration"][name] for name in _BOUNDS}
    was_alone = {name: configuration.get(name) for name in _BOUNDS} == _ALONE
    changed: dict[str, Any] = {}
    if settings.is_alone or (was_alone and "queue_url" in settings.given):
        changed |= bounds
    breaker = configuration.get("deploymentCircuitBreaker", {})
    if is_ours and breaker.get(_THRESHOLD) in _OURS:
        changed["deploymentCircuitBreaker"] = {**breaker, _THRESHOLD: _threshold(foundations)}
    if foundations.load_balancer:
        changed |= strategy(settings, smoke_seconds, configuration)
    if "alarms" in settings.given:
        changed |= alarms(settings)
    if changed:
        kept = {name: value for name, value in configuration.items() if name not in _EARLY or not settings.shifts}
        asked["deploymentConfiguration"] = {**kept, **changed}
    if settings.is_alone:
        asked |= _known(aws, "UpdateServiceRequest", _ONE_ZONE)
    if balancing := _balancing(settings, there, task_definition, foundations):
        grace = there.get("healthCheckGracePeriodSeconds") or _GRACE
        asked |= {**balancing, "healthCheckGracePeriodSeconds": grace}
    return asked


def _threshold(foundations: Foundations) -> dict[str, Any]:
    if not foundations.fresh_roles:
        return _ENOUGH
    return _ENOUGH_OF_NEW_VOLUME if foundations.volume else _ENOUGH_OF_NEW_ROLES


def count(settings: ServiceSettings, now: int | None, is_scaled: bool = False) -> int:
    """Return the number of tasks to ask for.

    What no input says stays: somebody's scaling may have chosen it.

    Args:
        now: None: nothing to keep.
        is_scaled: by our scaling.
    """
    least, most = settings.desired_count, 1 if settings.is_alone else settings.max_count
    if now is None:
        return 1 if least is None else least
    wanted = now if least is None else max(now, least) if settings.max_count or is_scaled else least
    return min(wanted, most) if most else wanted


def _balanced(task_definition: TaskDefinition, foundations: Foundations, shifts: bool) -> dict[str, Any]:
    balancer = foundations.load_balancer
    if balancer is None:
        return {}
    target = {
        "targetGroupArn": balancer.target_group_arn,
        "containerName": task_definition.container or task_definition.family,
        "containerPort": PORT,
    }
    advanced = {
        "alternateTargetGroupArn": balancer.alternate_arn,
        "productionListenerRule": balancer.rule_arn,
        "testListenerRule": balancer.test_rule_arn,
        "roleArn": balancer.role_arn,
    }
    whole = target | ({"advancedConfiguration": advanced} if shifts else {})
    return {"loadBalancers": [whole], "healthCheckGracePeriodSeconds": _GRACE}


def _balancing(
    settings: ServiceSettings, there: Any, task_definition: TaskDefinition, foundations: Foundations
) -> dict[str, Any]:
    asked = _balanced(task_definition, foundations, _shifts(settings, foundations))
    if not asked:
        return {}
    (target,) = asked["loadBalancers"]
    same = [one for one in there.get("loadBalancers", []) if one.get("targetGroupArn") == target["targetGroupArn"]]
    had = same[0].get("advancedConfiguration") if same else None
    return {} if same and had == target.get("advancedConfiguration") else asked


def _known(aws: Aws, shape: str, members: dict[str, Any]) -> dict[str, Any]:
    model: Any = aws.ecs.meta.service_model.shape_for(shape)
    return {name: value for name, value in members.items() if name in model.members}


def comparable(wanted: dict[str, Any], there: Any) -> dict[str, Any]:
    """Drop what is no reason to roll, or unknown to the endpoint."""
    known = {k: v for k, v in wanted.items() if k not in _ONE_ZONE or k in there}
    if "deploymentConfiguration" not in wanted:
        return known
    asked = dict(wanted["deploymentConfiguration"])
    if breaker := asked.get("deploymentCircuitBreaker"):
        asked["deploymentCircuitBreaker"] = {k: v for k, v in breaker.items() if k != _THRESHOLD}
    has = there.get("deploymentConfiguration", {})
    asked = {k: v for k, v in asked.items() if k not in _EARLY or k in has}
    return {**known, "deploymentConfiguration": asked}


def differing(asked: dict[str, Any], there: Any) -> list[str]:
    """Return differences, such as `desiredCount 1 -> 2`."""
    return [str(each) for each in differences(comparable(asked, there), there)]
