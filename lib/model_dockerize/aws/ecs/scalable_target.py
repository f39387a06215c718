"""Looks at a service's scalable target."""

from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.compare import differences
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import TAG
from model_dockerize.errors import InputError
from model_dockerize.settings import ServiceSettings

#: A service with this tag has a scalable target of ours. It is set before that is made.
SCALED = f"{TAG}:scaled"
_DIMENSION = "ecs:service:DesiredCount"


def place_of(cluster: str, service: str) -> Any:
    """Return the scalable target's identifying parameters."""
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{cluster}/{service}",
        "ScalableDimension": _DIMENSION,
    }


def target_of(aws: Aws, place: Any) -> Any:
    """Return the scalable target, or None."""
    found = aws.scaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[place["ResourceId"]], ScalableDimension=_DIMENSION
    )["ScalableTargets"]
    return found[0] if found else None


def wanted_of(settings: ServiceSettings, there: Any) -> dict[str, int]:
    """Return the wanted bounds."""
    least = settings.desired_count if settings.desired_count is not None else (there or {}).get("MinCapacity", 1)
    return {"MinCapacity": min(least, settings.max_count), "MaxCapacity": settings.max_count}


def check_target(aws: Aws, settings: ServiceSettings, cluster: str, service: str, is_ours: bool) -> None:
    """Refuse another's target, unless it is adopted."""
    if is_ours or settings.adopt or not settings.max_count:
        return
    with translate(f"scaling of service {service}"):
        there = target_of(aws, place_of(cluster, service))
    if there:
        raise InputError(
            f"Somebody else scales service {service} in cluster {cluster}, and max-count would change that.",
            "Leave max-count out, or take the scaling over (adopt: true): then what is listed changes, and its "
            "policies stay.",
            tuple(f"changes: {each}" for each in differences(wanted_of(settings, there), there)),
        )
