"""Reads and checks a service's `deploymentConfiguration`, refusing in ECS's words.

Source: API reference, `DeploymentConfiguration`; developer guide, "Troubleshooting Amazon ECS blue/green deployments"
and "Pause hooks for Amazon ECS service deployments". Where these have no words, they are ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from model_sandbox.api import ApiError

ROLLING, BLUE_GREEN, CANARY, LINEAR = "ROLLING", "BLUE_GREEN", "CANARY", "LINEAR"
#: The stages at which a deployment can wait for a person.
PAUSES = (
    *("PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"),
    *("PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"),
)
_DAY, _FORTNIGHT = 1440, 20160  # minutes
_MOST_PAUSES = 10
#: The member that only one strategy has.
_OWN = {"canaryConfiguration": CANARY, "linearConfiguration": LINEAR}


@dataclass(frozen=True)
class Pause:
    """A PAUSE hook; `action` follows after `minutes`."""

    stages: tuple[str, ...]
    minutes: int
    action: str


@dataclass(frozen=True)
class Step:
    """A production shift: the new revision's percent, and minutes before the next."""

    share: float
    minutes: int


@dataclass(frozen=True)
class Strategy:
    """A deployment's way, fixed at its start. Without `steps` it rolls."""

    kind: str = ROLLING
    bake: int = 0
    steps: tuple[Step, ...] = ()
    pauses: tuple[Pause, ...] = ()

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> "Strategy":
        """Read a configuration that `check` let pass."""
        kind = kind_of(configuration)
        if kind == ROLLING:
            return cls()
        pauses = tuple(_pause(hook) for hook in configuration.get("lifecycleHooks") or ())
        return cls(kind, int(configuration.get("bakeTimeInMinutes", 0)), _steps(kind, configuration), pauses)


def kind_of(configuration: Mapping[str, Any]) -> str:
    return str(configuration.get("strategy") or ROLLING)


def merged(former: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return UpdateService's configuration: members not given stay, if they still fit."""
    kind = kind_of({**former, **given})
    stay = {name: value for name, value in former.items() if _OWN.get(name, kind) == kind}
    return {**stay, **given}


def check(configuration: Mapping[str, Any], controller: str, load_balancers: Sequence[Mapping[str, Any]]) -> None:
    """Raise ApiError for what ECS does not take, or that is not played here."""
    kind = kind_of(configuration)
    if kind not in (ROLLING, BLUE_GREEN, CANARY, LINEAR):
        raise refuse(f"Invalid deployment strategy: {kind}. Valid values are: ROLLING, BLUE_GREEN, LINEAR, CANARY")
    for member, owner in _OWN.items():
        if member in configuration and owner != kind:
            raise refuse(f"{member} is only valid when the deployment strategy is {owner}.")
    _check_pauses(configuration.get("lifecycleHooks") or [], kind)
    if kind == ROLLING:
        return
    if controller != "ECS":
        raise refuse(f"The {kind} deployment strategy requires the ECS deployment controller.")
    if "bakeTimeInMinutes" not in configuration and kind == BLUE_GREEN:
        raise refuse("bakeTimeInMinutes is required when using the BLUE_GREEN deployment strategy.")
    _within("bakeTimeInMinutes", configuration.get("bakeTimeInMinutes", 0), 0, _DAY)
    for member in ("deploymentCircuitBreaker", "alarms"):
        watched = configuration.get(member) or {}
        if watched.get("enable") and not watched.get("rollback"):
            raise refuse(f"The sandbox plays {kind} deployments only with rollback: true in {member}.")
    canary, linear = (configuration.get(member) or {} for member in _OWN)
    _within("canaryPercent", canary.get("canaryPercent", 5.0), 0.1, 100)
    _within("canaryBakeTimeInMinutes", canary.get("canaryBakeTimeInMinutes", 10), 0, _DAY)
    _within("stepPercent", linear.get("stepPercent", 10.0), 3.0, 100)
    _within("stepBakeTimeInMinutes", linear.get("stepBakeTimeInMinutes", 6), 0, _DAY)
    if kind in (CANARY, LINEAR) and not load_balancers:
        raise refuse(f"The {kind} deployment strategy requires a load balancer or Service Connect.")


def refuse(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def _check_pauses(hooks: Sequence[Mapping[str, Any]], kind: str) -> None:
    for hook in hooks:
        target, waiting = hook.get("targetType", "AWS_LAMBDA"), hook.get("timeoutConfiguration") or {}
        if target not in ("AWS_LAMBDA", "PAUSE"):
            raise refuse("Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE")
        if target == "AWS_LAMBDA":
            raise refuse("The sandbox runs no Lambda functions as lifecycle hooks: only PAUSE is known here.")
        if kind == ROLLING:
            raise refuse("The sandbox pauses no ROLLING deployments: send an empty list of lifecycleHooks.")
        if "hookTargetArn" in hook or "roleArn" in hook:
            raise refuse("hookTargetArn and roleArn are not applicable for PAUSE hooks.")
        stages = hook.get("lifecycleStages") or []
        if not stages or any(stage not in PAUSES for stage in stages):
            raise refuse("Invalid lifecycle stage provided for Pause Hook")
        _within("timeoutInMinutes", waiting.get("timeoutInMinutes", _DAY), 1, _FORTNIGHT)
        if waiting.get("action", "ROLLBACK") not in ("ROLLBACK", "CONTINUE"):
            raise refuse("Invalid timeout action. Valid values are: ROLLBACK, CONTINUE")
    if len(hooks) > _MOST_PAUSES:
        raise refuse(f"A service has at most {_MOST_PAUSES} PAUSE hooks.")


def _within(name: str, value: Any, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise refuse(f"{name} must be between {least} and {most}.")
    if name.endswith("Percent") and (Fraction(str(value)) * 10).denominator != 1:
        raise refuse(f"{name} must be a multiple of 0.1.")
    if not name.endswith("Percent") and not isinstance(value, int):
        raise refuse(f"{name} must be a whole number.")


def _pause(hook: Mapping[str, Any]) -> Pause:
    waiting = hook.get("timeoutConfiguration") or {}
    return Pause(
        tuple(hook["lifecycleStages"]), int(waiting.get("timeoutInMinutes", _DAY)), waiting.get("action", "ROLLBACK")
    )


def _steps(kind: str, configuration: Mapping[str, Any]) -> tuple[Step, ...]:
    if kind == CANARY:
        canary = configuration.get("canaryConfiguration") or {}
        first = Step(float(canary.get("canaryPercent", 5.0)), int(canary.get("canaryBakeTimeInMinutes", 10)))
        return (first, Step(100.0, 0)) if first.share < 100 else (Step(100.0, 0),)
    if kind == LINEAR:
        linear = configuration.get("linearConfiguration") or {}
        size, minutes = Fraction(str(linear.get("stepPercent", 10.0))), int(linear.get("stepBakeTimeInMinutes", 6))
        parts = (size * number for number in range(1, int(100 / size) + 1))
        return (*(Step(float(part), minutes) for part in parts if part < 100), Step(100.0, 0))
    return (Step(100.0, 0),)
