"""Checks the inputs about where tasks run: their forms, and what does not go together."""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

_MOST_ZONES = 6  # no region has more


def problems(parsed: Mapping[str, Any], given: Collection[str]) -> Iterable[tuple[str, str]]:
    """Yield names of inputs, and what is wrong with what they say. `given`: those that somebody wrote."""
    for name in ("zones", "vpc-cidr"):
        if name in given and (parsed["vpc"] or parsed["subnets"]):
            yield name, f"{name} is for a network of our own, but vpc or subnets is given"
    if (parsed["zones"] or 0) > _MOST_ZONES:
        yield "zones", f"zones is at most {_MOST_ZONES}"
    if parsed["vpc-cidr"] and (wrong := _wrong_block(parsed["vpc-cidr"])):
        yield "vpc-cidr", wrong
    if parsed["volume"]:
        yield from _of_the_volume(parsed)
    elif parsed["queue-url"]:
        yield "queue-url", "tasks that share a queue share its files too: name a volume"


def _of_the_volume(parsed: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if (parsed["desired-count"] or 0) > 1 and not parsed["queue-url"]:
        yield (
            "desired-count",
            "without queue-url the job queue lies on the volume, which takes one task: set desired-count to 1, "
            "or keep the queue in PostgreSQL (queue-url)",
        )
    if "MODEL_SERVER_USER" in dict(parsed["environment"] or ()):
        yield "environment", "on a volume the server runs as its default user: leave MODEL_SERVER_USER out"


def _wrong_block(text: str) -> str:
    try:
        # AWS takes /16 as the largest VPC and /28 as the smallest subnet, and we cut a VPC into 16.
        return "" if 16 <= IPv4Network(text).prefixlen <= 24 else f"{text!r} is not valid: a block from /16 to /24"
    except ValueError as error:
        return f"{text!r} is not a block of IPv4 addresses like 10.0.0.0/16: {error}"
