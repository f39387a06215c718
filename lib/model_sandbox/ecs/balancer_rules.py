"""Refuses load balancers whose traffic cannot be shifted, in ECS's words.

Source: developer guide, "Troubleshooting Amazon ECS blue/green deployments". What ECS finds only later, and then rolls
back for, is in `traffic`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_sandbox.ecs.strategy import refuse
from model_sandbox.ecs.traffic import Route, routes

_RULE = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:[^:]+:[^:]+:listener-rule/app/.+")


def check(
    balancers: Sequence[Mapping[str, Any]], shifts: bool, weights_of: Callable[[str], Mapping[str, int] | None]
) -> None:
    """Raise ApiError.

    Args:
        shifts: whether the strategy moves traffic.
        weights_of: what a rule forwards to.
    """
    advanced = [balancer for balancer in balancers if balancer.get("advancedConfiguration")]
    if advanced and len(advanced) != len(balancers):
        raise refuse("Either all or none of the provided loadBalancers must have advancedConfiguration defined")
    if shifts and len(advanced) != len(balancers):
        raise refuse(
            "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy"
        )
    for balancer in advanced:
        for field in ("alternateTargetGroupArn", "productionListenerRule", "roleArn"):
            if not balancer["advancedConfiguration"].get(field):
                raise refuse(f"{field} is required in advancedConfiguration.")
    seen: set[str] = set()
    for route in routes(advanced):
        for group in route.groups:
            if group in seen:
                raise refuse(f"Duplicate targetGroupArn found: {group}")
            seen.add(group)
        _check_rules(route, weights_of)


def _check_rules(route: Route, weights_of: Callable[[str], Mapping[str, int] | None]) -> None:
    for field, rule in (("productionListenerRule", route.production), ("testListenerRule", route.test)):
        if rule and not _RULE.fullmatch(rule):
            raise refuse(
                f"{field} has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for NLB. Got: {rule}"
            )
    if route.production == route.test:
        raise refuse(f"The following rules cannot be used as both production and test listener rules: {route.test}")
    production = weights_of(route.production)
    if not route.test and production is not None and not production.keys() >= set(route.groups):
        raise refuse(
            "For Application LoadBalancer, testListenerRule is required when productionListenerRule is not associated "
            "with both targetGroup and alternateTargetGroup"
        )
