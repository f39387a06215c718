"""Says how a new version takes over. Pure."""

from typing import Any

from model_dockerize.aws.existing.inputs import STEPS
from model_dockerize.errors import InputError
from model_dockerize.settings import ServiceSettings

#: The stage at which our pause stands: the new version answers on the test port, and has no traffic.
PAUSED_AT = "POST_TEST_TRAFFIC_SHIFT"
_LONGEST_PAUSE = 20160  # minutes; ECS's own bound
_ROLLING = "ROLLING"


def strategy(settings: ServiceSettings, smoke_seconds: int, there: Any) -> dict[str, Any]:
    """Return members of `deploymentConfiguration`; others' hooks stay.

    Args:
        there: the service's; empty: none yet.
    """
    name = settings.strategy.upper().replace("-", "_")
    hooks = without_pause(there)
    if name == _ROLLING:
        return {"strategy": name, "lifecycleHooks": hooks} if there.get("strategy", _ROLLING) != _ROLLING else {}
    if settings.wait:
        _check(hooks)
        hooks.append(pause(settings.wait_timeout, smoke_seconds))
    asked = {"strategy": name, "bakeTimeInMinutes": settings.bake_minutes, "lifecycleHooks": hooks}
    if steps := STEPS.get(settings.strategy):
        has = there.get(f"{settings.strategy}Configuration", {})
        wanted = dict(zip(steps, (float(settings.step_percent), settings.step_minutes), strict=True))
        said = dict(zip(steps, ("step_percent", "step_minutes"), strict=True))
        # What nobody says stays, with the decimals that no input has.
        kept = {key: value for key, value in has.items() if said[key] not in settings.given}
        asked[f"{settings.strategy}Configuration"] = wanted | kept
    return asked


def alarms(settings: ServiceSettings) -> dict[str, Any]:
    """Return the rollout's alarms."""
    named = list(settings.alarms)
    return {"alarms": {"alarmNames": named, "enable": bool(named), "rollback": bool(named)}}


def pause(wait_seconds: int, smoke_seconds: int) -> dict[str, Any]:
    """Return our pause, which its number of minutes marks."""
    minutes = -(-wait_seconds // 60) - (-smoke_seconds // 60) + 1
    while not _is_our_number(minutes):
        minutes += 1
    timeout = {"timeoutInMinutes": min(minutes, _LONGEST_PAUSE - 1), "action": "ROLLBACK"}
    return {"targetType": "PAUSE", "lifecycleStages": [PAUSED_AT], "timeoutConfiguration": timeout}


def is_ours(hook: Any) -> bool:
    """Tell whether the hook is ours."""
    timeout = hook.get("timeoutConfiguration", {})
    is_alike = _is_pause_there(hook) and hook["lifecycleStages"] == [PAUSED_AT]
    return is_alike and _is_our_number(timeout.get("timeoutInMinutes", 0)) and timeout.get("action") == "ROLLBACK"


def _is_our_number(minutes: int) -> bool:
    # People choose 5, 15, 20, 45 or 60.
    return minutes % 2 == 1 and minutes % 5 != 0


def has_our_pause(configuration: Any) -> bool:
    return any(map(is_ours, configuration.get("lifecycleHooks", [])))


def without_pause(configuration: Any) -> list[Any]:
    """Leave out our hooks."""
    return [hook for hook in configuration.get("lifecycleHooks", []) if not is_ours(hook)]


def _is_pause_there(hook: Any) -> bool:
    return hook.get("targetType") == "PAUSE" and PAUSED_AT in hook.get("lifecycleStages", ())


def _check(hooks: list[Any]) -> None:
    if any(map(_is_pause_there, hooks)):
        raise InputError(
            f"The service has a pause of somebody else at {PAUSED_AT}, which ECS does not tell from ours.",
            "Move that hook to another stage (PRE_PRODUCTION_TRAFFIC_SHIFT is next), or set rollout to rolling.",
        )
