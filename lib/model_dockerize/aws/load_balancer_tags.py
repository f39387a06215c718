"""Tags of what stands before one service: its names are cut and hashed, its tags say whose it is."""

from collections.abc import Iterable
from typing import Any

from model_dockerize.aws.names import LOAD_BALANCER, TAG, legal_name

_OF = f"{TAG}:service"


def tags_for(cluster: str, service: str) -> list[Any]:
    """For a new load balancer, listener or target group of the service."""
    return [{"Key": TAG, "Value": LOAD_BALANCER}, {"Key": _OF, "Value": f"{cluster}/{legal_name(service)}"}]


def of_service(tags: Iterable[Any], cluster: str, service: str) -> bool:
    """Whether these are tags that `tags_for` gives."""
    found = list(tags)
    return all(tag in found for tag in tags_for(cluster, service))
