"""What a role must be allowed for load balancers and scaling. Pure; part of `policy`."""

from model_dockerize.aws.destroy import Names
from model_dockerize.aws.load_balancer import name_stem
from model_dockerize.aws.statement import Statement, Where, allow
from model_dockerize.settings import ServiceSettings

_LOOKS = ("LoadBalancers", "TargetGroups", "TargetGroupAttributes", "TargetHealth", "Listeners", "Tags")


def traffic(settings: ServiceSettings, names: Names, where: Where) -> list[Statement]:
    """For what `settings` ask for; nothing where they ask for neither."""
    balancing = _balancing(settings, names, where) if settings.balanced else []
    return [*balancing, *(_scaling() if settings.max_count else [])]


def traffic_removal(names: Names, where: Where) -> list[Statement]:
    """What `destroy` needs besides. It looks, whatever the configuration says: it may have been another one."""
    places = (f"{kind}/{name_stem(names.service)}-*/*" for kind in ("loadbalancer/app", "targetgroup"))
    arns = [where.arn("elasticloadbalancing", place) for place in (*places, "listener/app/*")]
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


def _balancing(settings: ServiceSettings, names: Names, where: Where) -> list[Statement]:
    """The load balancer's name begins as the service's; the rest is a mark. Another's is known, or its name is."""
    own = settings.load_balancer == "true"
    if own:
        balancer = f"{name_stem(names.service)}-*/*"
    elif settings.load_balancer.startswith("arn:"):
        balancer = settings.load_balancer.partition(":loadbalancer/app/")[2]
    else:
        balancer = f"{settings.load_balancer}/*"
    making = [
        *("CreateTargetGroup", "ModifyTargetGroup", "ModifyTargetGroupAttributes"),
        *("CreateListener", "ModifyListener", "AddTags"),
        *(("CreateLoadBalancer", "SetSubnets", "SetSecurityGroups") if own else ()),
    ]
    places = (
        f"targetgroup/{name_stem(names.service)}-*/*",
        f"loadbalancer/app/{balancer}",
        f"listener/app/{balancer}/*",
    )
    return [
        allow("LookAtLoadBalancers", tuple(f"elasticloadbalancing:Describe{thing}" for thing in _LOOKS)),
        allow(
            "LoadBalancer",
            tuple(f"elasticloadbalancing:{action}" for action in making),
            *(where.arn("elasticloadbalancing", place) for place in places),
        ),
    ]


def _scaling() -> list[Statement]:
    """AWS also looks at whether the caller may change the service and its alarms."""
    actions = ("DescribeScalableTargets", "DescribeScalingPolicies", "RegisterScalableTarget", "PutScalingPolicy")
    more = ("DeregisterScalableTarget", "TagResource")
    alarms = ("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms")
    return [allow("Scaling", (*(f"application-autoscaling:{action}" for action in (*actions, *more)), *alarms))]
