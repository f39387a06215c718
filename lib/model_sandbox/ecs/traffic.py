"""The traffic of a deployment: its target group, and the weights in listener rules.

Only the production rule says which group is live; ECS never swaps `targetGroupArn` and `alternateTargetGroupArn`.
Source: developer guide, "Application Load Balancer resources for blue/green" and "Troubleshooting Amazon ECS blue/green
deployments", whose words these are; aws/containers-roadmap issue 2853.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

ROLLED_BACK = "Service deployment rolled back because"
INVALID_NETWORKING = f"{ROLLED_BACK} of invalid networking configuration"
_MOST = 999  # the largest weight that a rule takes


class Surroundings(Protocol):
    """All that ECS sees and changes outside of itself. `minute`: its seconds."""

    @property
    def minute(self) -> float: ...

    def weights(self, rule: str) -> Mapping[str, int] | None:
        """Return a rule's weights by target group; None: no such rule."""

    def write(self, rule: str, weights: Mapping[str, int], role: str) -> str:
        """Write a rule's weights by a role; return the refusal, or empty."""

    def is_assumable(self, role: str) -> bool:
        """Tell whether ECS can act by it."""

    def in_alarm(self, names: Collection[str]) -> frozenset[str]:
        """Return which alarms are in ALARM."""


@dataclass(frozen=True)
class Route:
    """One load balancer of a revision, and its rules."""

    groups: tuple[str, str]
    production: str
    test: str
    role: str

    def other(self, group: str) -> str:
        return next(each for each in self.groups if each != group)


def routes(load_balancers: Collection[Mapping[str, Any]]) -> tuple[Route, ...]:
    """Return routes that ECS shifts: those with an advanced configuration."""
    return tuple(
        Route(
            (balancer["targetGroupArn"], advanced["alternateTargetGroupArn"]),
            advanced.get("productionListenerRule", ""),
            advanced.get("testListenerRule", ""),
            advanced.get("roleArn", ""),
        )
        for balancer in load_balancers
        if (advanced := balancer.get("advancedConfiguration"))
    )


def problem(route: Route, around: Surroundings) -> str:
    """Return why ECS cannot deploy over a route, or empty."""
    rules = [rule for rule in (route.production, route.test) if rule]
    found = {rule: around.weights(rule) for rule in rules}
    if not around.is_assumable(route.role):
        return (
            f"{INVALID_NETWORKING}. ECS was unable to manage the ELB resources due to missing permissions on ECS "
            f"Infrastructure Role '{route.role}'."
        )
    if None in found.values():
        return f"{INVALID_NETWORKING}. One or more rules not found"
    forwarded = {group for weights in found.values() for group in weights or ()}
    if not forwarded.issuperset(route.groups):
        return (
            f"{INVALID_NETWORKING}. Both targetGroup and alternateTargetGroup must be associated with the "
            "productionListenerRule or testListenerRule."
        )
    serving = [group for group, weight in (found[route.production] or {}).items() if weight]
    if len(serving) != 1:
        return (
            f"{INVALID_NETWORKING}. productionListenerRule {route.production} should have exactly one target group "
            f"serving traffic but found {len(serving)} target groups which are serving traffic"
        )
    if serving[0] not in route.groups:
        return (
            f"{INVALID_NETWORKING}. Production listener rule is forwarding traffic to unexpected target group "
            f"{serving[0]}. Expected traffic to be forwarded to either targetGroupArn: {route.groups[0]} or "
            f"alternateTargetGroupArn: {route.groups[1]}"
        )
    return ""


def idle_group(route: Route, around: Surroundings) -> str:
    """Return the group without production traffic; `problem` found none."""
    weights = around.weights(route.production) or {}
    return next(group for group in route.groups if not weights.get(group))


def shares(route: Route, group: str, percent: float) -> dict[str, int]:
    """Return weights that give `group` so much."""
    unit = 1 if percent == int(percent) else 10
    most = min(100 * unit, _MOST)
    own = max(1, min(round(percent * unit), most - 1)) if 0 < percent < 100 else round(most * percent / 100)
    return {route.other(group): most - own, group: own}
