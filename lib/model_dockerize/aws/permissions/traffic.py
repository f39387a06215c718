"""The rights to load balancers and scaling. Pure."""

from model_dockerize.aws.iam.statement import Statement, allow
from model_dockerize.settings import ServiceSettings

_LOOKS = ("LoadBalancers", "TargetGroups", "TargetHealth", "Listeners", "Rules")


def traffic(settings: ServiceSettings) -> list[Statement]:
    """Return the rights; load balancers are only read."""
    looks = allow("LookAtLoadBalancers", tuple(f"elasticloadbalancing:Describe{thing}" for thing in _LOOKS))
    return [looks, *(_scaling() if settings.max_count else [])]


def _scaling() -> list[Statement]:
    """Include alarms: AWS checks those, too."""
    actions = ("DescribeScalableTargets", "DescribeScalingPolicies", "RegisterScalableTarget", "PutScalingPolicy")
    more = ("DeregisterScalableTarget", "TagResource")
    alarms = ("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms")
    return [allow("Scaling", (*(f"application-autoscaling:{action}" for action in (*actions, *more)), *alarms))]
