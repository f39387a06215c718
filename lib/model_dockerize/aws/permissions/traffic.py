"""The rights to load balancers and scaling. Pure; part of `policy`."""

from model_dockerize.aws.iam.statement import Statement, Where, allow, only_if
from model_dockerize.settings import ServiceSettings

_LOOKS = ("LoadBalancers", "TargetGroups", "TargetHealth", "Listeners", "Rules")


def traffic(settings: ServiceSettings, service: str, where: Where) -> list[Statement]:
    """Return the rights for what `settings` ask for. Only AWS shows a load balancer that no input names.

    Args:
        service: CLUSTER/NAME.
    """
    looks = allow("LookAtLoadBalancers", tuple(f"elasticloadbalancing:Describe{thing}" for thing in _LOOKS))
    moves = _moving(service, where) if settings.shifts else []
    return [looks, *moves, *(_scaling() if settings.max_count else [])]


def _moving(service: str, where: Where) -> list[Statement]:
    """Return the rights to end a pause of a deployment, and to hand ECS the role by which it moves traffic."""
    ends = ("ecs:ContinueServiceDeployment", "ecs:StopServiceDeployment")
    arns = (where.arn("ecs", f"service-deployment/{service}/*"), where.arn("ecs", f"service/{service}"))
    role = where.arn("iam", "role/model-dockerize-*", regional=False)
    to_ecs = {"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}}
    return [allow("EndRollouts", ends, *arns), only_if(to_ecs, allow("PassTrafficRole", ("iam:PassRole",), role))]


def _scaling() -> list[Statement]:
    """Return the rights to scale. AWS also looks at whether the caller may change the service and its alarms."""
    actions = ("DescribeScalableTargets", "DescribeScalingPolicies", "RegisterScalableTarget", "PutScalingPolicy")
    more = ("DeregisterScalableTarget", "TagResource")
    alarms = ("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms")
    return [allow("Scaling", (*(f"application-autoscaling:{action}" for action in (*actions, *more)), *alarms))]
