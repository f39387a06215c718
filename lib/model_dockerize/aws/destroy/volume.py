"""Finds and removes a model's volume."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.destroy import ends
from model_dockerize.aws.destroy.stacks import Held, look_into
from model_dockerize.aws.destroy.uses import User
from model_dockerize.aws.ground import names as stack_names
from model_dockerize.aws.ground.names import Names
from model_dockerize.aws.ground.stacks import delete_stack
from model_dockerize.aws.ground.values import TAG as OURS
from model_dockerize.aws.ground.values import Stack
from model_dockerize.aws.model import Thing
from model_dockerize.aws.network.queries import name_of
from model_dockerize.progress import Progress

_FILE_SYSTEM = "AWS::EFS::FileSystem"
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Volume:
    """Our file system; without stack after a killed `destroy`."""

    name: str
    file_system: str
    size: int  # bytes
    held: Held | None

    def __str__(self) -> str:
        return f"volume {self._words}"

    @property
    def _words(self) -> str:
        return f"{self.name} ({self.file_system}), {_size(self.size)}"

    @property
    def ids(self) -> frozenset[str]:
        return (self.held.ids if self.held else frozenset()) | {self.file_system}

    def thing(self, aws: Aws, progress: Progress) -> Thing:
        """Return the thing; its stack, which keeps the data, goes first."""
        return Thing("volume", f"{self._words}, with its data", partial(_end, aws, self, progress), self.ids)


def volume_of(aws: Aws, names: Names, stacks: Iterable[Stack]) -> Volume | None:
    """Find our volume by stack, else by name."""
    by_name = {stack.name: stack for stack in stacks}
    model = by_name.get(names.stack)
    held_by_model = model.parameters.get("VolumeStack", "") if model else ""
    wanted = held_by_model or (stack_names.volume_stack(names.volume) if names.volume else "")
    if stack := by_name.get(wanted):
        held = look_into(aws, stack)
        for system in _file_systems(aws):
            if system["FileSystemId"] in held.of(_FILE_SYSTEM):
                return _volume(system, held)
        return None
    left = (s for s in _file_systems(aws) if name_of(s) == names.volume and _is_ours(s)) if names.volume else ()
    return next((_volume(system, None) for system in left), None)


def volume_users(aws: Aws, volume: Volume) -> Iterator[User]:
    """Return its access points and mount targets."""
    asked = {"FileSystemId": volume.file_system}
    pages = aws.efs.get_paginator("describe_access_points").paginate(**asked)  # type: ignore[arg-type]
    for point in (each for page in pages for each in page["AccessPoints"]):
        path = point.get("RootDirectory", {}).get("Path", "/")
        name = f"access point {point['AccessPointId']} ({path})"
        yield User(name, point["AccessPointId"], frozenset((volume.file_system,)))
    targets = aws.efs.get_paginator("describe_mount_targets").paginate(**asked)  # type: ignore[arg-type]
    for target in (each for page in targets for each in page["MountTargets"]):
        identity = target["MountTargetId"]
        yield User(f"mount target {identity}", identity, frozenset((volume.file_system,)))


def _end(aws: Aws, volume: Volume, progress: Progress) -> None:
    if volume.held:
        delete_stack(aws, volume.held.stack.name, progress)
    ends.end_data(aws, volume.file_system)


def _volume(system: Any, held: Held | None) -> Volume:
    return Volume(name_of(system), system["FileSystemId"], int(system["SizeInBytes"]["Value"]), held)


def _is_ours(system: Any) -> bool:
    return any((tag["Key"], tag["Value"]) == (OURS["Key"], OURS["Value"]) for tag in system.get("Tags", []))


def _file_systems(aws: Aws) -> Iterator[Any]:
    pages = aws.efs.get_paginator("describe_file_systems").paginate()
    for system in (each for page in pages for each in page["FileSystems"]):
        if system["LifeCycleState"] not in ("deleting", "deleted"):
            yield system


def _size(number: float) -> str:
    unit = 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if number >= 10 or not unit else f"{number:.1f} {_UNITS[unit]}"
