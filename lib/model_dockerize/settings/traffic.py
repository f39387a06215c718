"""Checks that the inputs about requests and the number of tasks go together."""

from collections.abc import Iterable, Mapping
from typing import Any

#: In which a load balancer must stand.
ZONES = 2
_HIGHEST_AIM = 95  # percent; a task at 100 tells nothing of how many more are needed


def problems(parsed: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield names of inputs, and what is wrong with what they say."""
    for name in ("certificate", "load-balancer-port"):
        if parsed[name] and parsed["load-balancer"] == "false":
            yield name, f"{name} needs a load-balancer"
    if parsed["load-balancer-port"] == 443 and not parsed["certificate"]:
        yield "load-balancer-port", "port 443 needs a certificate"
    if (
        parsed["load-balancer"] == "true"
        and (parsed["zones"] or ZONES) < ZONES
        and not (parsed["vpc"] or parsed["subnets"])
    ):
        yield "load-balancer", "a load balancer needs two zones or more: set zones to 2"
    most, least = parsed["max-count"], parsed["desired-count"]
    if most and not 0 < (1 if least is None else least) < most:
        yield "max-count", f"max-count {most} must be more than desired-count, and that 1 or more"
    if most and parsed["volume"] and not parsed["queue-url"]:
        yield "max-count", "several tasks share their jobs by a database: set queue-url"
    if most and (parsed["scale-on-cpu"] or 0) > _HIGHEST_AIM:
        yield "scale-on-cpu", f"{parsed['scale-on-cpu']} % leaves nothing to see: {_HIGHEST_AIM} at most"
