"""Reads what ECS shows of a service."""

from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.ecs.deploy_order import tags_of
from model_dockerize.aws.ecs.proving import SAMPLED
from model_dockerize.aws.ecs.scalable_target import SCALED
from model_dockerize.aws.ecs.service_fit import check_controller
from model_dockerize.aws.ecs.strategy import has_our_pause
from model_dockerize.aws.existing.service import first
from model_dockerize.aws.model import Service

ROLLING = "ROLLING"


def describe(aws: Aws, cluster: str, name: str) -> Any:
    """Return the service in any status, or None."""
    return first(lambda: aws.ecs.describe_services(cluster=cluster, services=[name]))


def strategy_of(service: Any) -> str:
    return str(service.get("deploymentConfiguration", {}).get("strategy", ROLLING))


def group_of(aws: Aws, there: Any) -> str:
    """Return the only target group of the running revision; empty: there are several, or none."""
    arns = [each["arn"] for each in there.get("currentServiceRevisions", [])]
    if len(arns) != 1:
        return ""
    (revision,) = aws.ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"]
    groups = [g["targetGroupArn"] for g in revision.get("resolvedConfiguration", {}).get("loadBalancers", [])]
    return groups[0] if len(groups) == 1 else ""


def gave_up(aws: Aws, service: Any, is_same: bool) -> bool:
    """Tell whether ECS starts nothing more of the last deployment.

    Args:
        is_same: a request would begin no deployment.
    """
    if strategy_of(service) == ROLLING:
        primary = [d for d in service["deployments"] if d["status"] == "PRIMARY"]
        return bool(primary) and primary[0].get("rolloutState") == "FAILED"
    # ECS documents that state for rolling alone.
    arn = service.get("currentServiceDeployment")
    if not (is_same and arn):
        return False
    found = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    return bool(found) and found[0].get("status") in ("STOPPED", "ROLLBACK_FAILED")


def previous_of(service: Any, task_definition_arn: str) -> str | None:
    """Return the task definition that serves besides this one."""
    others = [d for d in service["deployments"] if d["taskDefinition"] != task_definition_arn]
    good = [d for d in others if d.get("rolloutState") == "COMPLETED" or d.get("runningCount", 0) > 0]
    return str(good[0]["taskDefinition"]) if good else None


def service_of(
    data: Any, task_definition_arn: str, changed: bool, previous: str | None, proving: bool = False
) -> Service:
    """Read a DescribeServices answer, whose primary deployment is ours."""
    check_controller(data)
    ours = [d for d in data["deployments"] if d["status"] == "PRIMARY"]
    return Service(
        arn=data["serviceArn"],
        name=data["serviceName"],
        cluster=short_arn(data["clusterArn"]),
        changed=changed,
        deployment_id=ours[0]["id"],
        task_definition_arn=task_definition_arn,
        previous_task_definition_arn=previous,
        proving=proving,
        sampled=tuple(tags_of(data).get(SAMPLED, "").split()),
        target_groups=_groups(data),
        scaled=SCALED in tags_of(data),
        desired=data["desiredCount"],
        strategy=strategy_of(data),
        rule_arns=_rules(data),
        is_paused_by_us=has_our_pause(data.get("deploymentConfiguration", {})),
    )


def _groups(service: Any) -> tuple[str, ...]:
    balancers = service.get("loadBalancers", [])
    both = [
        (b.get("targetGroupArn"), b.get("advancedConfiguration", {}).get("alternateTargetGroupArn")) for b in balancers
    ]
    return tuple(group for pair in both for group in pair if group)


def _rules(service: Any) -> tuple[str, ...]:
    for balancer in service.get("loadBalancers", []):
        advanced = balancer.get("advancedConfiguration", {})
        rules = tuple(filter(None, map(advanced.get, ("productionListenerRule", "testListenerRule"))))
        if rules:
            return rules
    return ()
