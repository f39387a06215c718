"""The data volumes that go with a model: its access points, and file systems of ours that are nobody else's then."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from model_dockerize.aws.ec2 import name_of
from model_dockerize.aws.eventual import once_settled
from model_dockerize.aws.names import legal_name, tagged
from model_dockerize.aws.session import Aws
from model_dockerize.aws.thing import Thing

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def volume_things(aws: Aws, model: str, is_last: bool) -> Iterator[Thing]:
    """What belongs to `model`; with the last model also file systems of ours that no model uses."""
    points = _all(aws, "describe_access_points", "AccessPoints")
    mine = {p["AccessPointId"] for p in points if tagged(p.get("Tags", [])) and name_of(p) == legal_name(model, 99)}
    for point in points:
        if point["AccessPointId"] in mine:
            what = f"{point['AccessPointId']} ({point['RootDirectory']['Path']} of {point['FileSystemId']})"
            yield Thing(
                "access point", what, partial(aws.efs.delete_access_point, AccessPointId=point["AccessPointId"])
            )
    for system in _all(aws, "describe_file_systems", "FileSystems"):
        if not tagged(system.get("Tags", [])) or system["LifeCycleState"] in ("deleting", "deleted"):
            continue
        used = {p["AccessPointId"] for p in points if p["FileSystemId"] == system["FileSystemId"]}
        if used <= mine and (used or is_last):
            size = _size(system["SizeInBytes"]["Value"])
            what = f"{name_of(system)} ({system['FileSystemId']}), with its data: {size}"
            yield Thing("volume", what, partial(_end_system, aws, system["FileSystemId"]))


def _all(aws: Aws, operation: str, key: str) -> list[Any]:
    pages: Any = aws.efs.get_paginator(operation).paginate()  # type: ignore[call-overload]
    return [thing for page in pages for thing in page[key]]


def _end_system(aws: Aws, identity: str) -> None:
    """Mount targets first, and until they are gone: they hold on to the file system, the subnets and the group."""
    for target in mount_targets(aws, identity):
        aws.efs.delete_mount_target(MountTargetId=target["MountTargetId"])

    def left() -> int:
        return int(aws.efs.describe_file_systems(FileSystemId=identity)["FileSystems"][0]["NumberOfMountTargets"])

    once_settled(f"The end of the mount targets of {identity}", left(), left, lambda number: number > 0)
    aws.efs.delete_file_system(FileSystemId=identity)


def _size(number: float) -> str:
    unit = 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if number >= 10 or not unit else f"{number:.1f} {_UNITS[unit]}"


def mount_targets(aws: Aws, system: str) -> list[Any]:
    """Those of a file system that are not on their way out."""
    pages = aws.efs.get_paginator("describe_mount_targets").paginate(FileSystemId=system)
    return [t for page in pages for t in page["MountTargets"] if t["LifeCycleState"] not in ("deleting", "deleted")]
