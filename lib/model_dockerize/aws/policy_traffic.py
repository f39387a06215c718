"""What a role must be allowed for load balancers and scaling. Pure; part of `policy`."""

from model_dockerize.aws.destroy import Names
from model_dockerize.aws.statement import Statement, Where, allow
from model_dockerize.settings import ServiceSettings

_LOOKS = ("LoadBalancers", "TargetGroups", "TargetHealth", "Listeners", "Rules")


def traffic(settings: ServiceSettings) -> list[Statement]:
    """For what `settings` ask for. Whether a service has a load balancer that no input names shows only in AWS."""
    looks = allow("LookAtLoadBalancers", tuple(f"elasticloadbalancing:Describe{thing}" for thing in _LOOKS))
    return [looks, *(_scaling() if settings.max_count else [])]


def traffic_removal(_names: Names, where: Where) -> list[Statement]:
    """What `destroy` needs besides. It looks, whatever the configuration says: it may have been another one."""
    arns = [where.arn("elasticloadbalancing", place) for place in ("loadbalancer/app/*", "targetgroup/*", "listener/*")]
    looks = ("LoadBalancers", "TargetGroups", "Listeners", "Tags")
    ends = ("DeleteLoadBalancer", "DeleteTargetGroup", "DeleteListener")
    return [
        allow("LookForLoadBalancers", tuple(f"elasticloadbalancing:Describe{thing}" for thing in looks)),
        allow("RemoveLoadBalancer", tuple(f"elasticloadbalancing:{end}" for end in ends), *arns),
        allow(
            "EndScaling",
            (
                *(
                    "application-autoscaling:DescribeScalableTargets",
                    "application-autoscaling:DeregisterScalableTarget",
                ),
                "cloudwatch:DeleteAlarms",  # with which AWS ends its policy
            ),
        ),
    ]


def _scaling() -> list[Statement]:
    """AWS also looks at whether the caller may change the service and its alarms."""
    actions = ("DescribeScalableTargets", "DescribeScalingPolicies", "RegisterScalableTarget", "PutScalingPolicy")
    more = ("DeregisterScalableTarget", "TagResource")
    alarms = ("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms")
    return [allow("Scaling", (*(f"application-autoscaling:{action}" for action in (*actions, *more)), *alarms))]
