"""Finds resources where ministack cannot, and tags for aws:ResourceTag."""

from collections.abc import Iterable, Mapping
from typing import Any

from model_sandbox.upstream import Upstream


def tags_of(upstream: Upstream, arn: str) -> dict[str, str]:
    service, _, rest = arn.removeprefix("arn:aws:").partition(":")
    identity = rest.rpartition("/")[2]
    found: Any = []
    if service == "ec2":
        found = upstream.ec2._tags.get(identity)
    elif service == "elasticfilesystem":
        systems, points = upstream.efs._file_systems, upstream.efs._access_points
        found = (systems.get(identity) or points.get(identity) or {}).get("Tags")
    elif service == "elasticloadbalancing":
        found = upstream.elb._tags.get(arn)
    elif service == "iam":
        found = (upstream.iam._roles.get(identity) or {}).get("Tags")
    elif service == "ecs":
        found = upstream.ecs._tags.get(arn)
    elif service == "ecr":
        found = (upstream.ecr._repositories.get(rest.partition("repository/")[2]) or {}).get("tags")
    pairs = ((tag.get("Key", tag.get("key")), tag.get("Value", tag.get("value"))) for tag in found or [])
    return keys_of((str(key), str(value)) for key, value in pairs)


def keys_of(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {f"aws:ResourceTag/{key}": value for key, value in tags}


def resource_of(upstream: Upstream, service: str, params: Mapping[str, Any], path: str) -> str:
    """Return TYPE/ID of the request's resource, or empty."""
    if service == "elasticfilesystem" and "/mount-targets/" in path:
        target = upstream.efs._mount_targets.get(path.split("/mount-targets/")[1].split("/", maxsplit=1)[0]) or {}
        return f"file-system/{target['FileSystemId']}" if target else ""
    return _of_ec2(upstream, params) if service == "ec2" else ""


def _of_ec2(upstream: Upstream, params: Mapping[str, Any]) -> str:
    if gateway := params.get("NatGatewayId"):
        return f"natgateway/{gateway}"
    association = params.get("AssociationId")
    for identity, table in upstream.ec2._route_tables.items():
        if any(each.get("RouteTableAssociationId") == association for each in table.get("Associations", [])):
            return f"route-table/{identity}"
    return ""
