"""EFS: the parts that ministack lacks, and a directory for each file system.

The checks are those that a mount fails on, with a stopped task's messages.
"""

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_sandbox import beneath
from model_sandbox.api import ApiError
from model_sandbox.erase import erase
from model_sandbox.network import AwsVpc, Network
from model_sandbox.upstream import Upstream

_NFS = 2049
#: Until the name of a file system resolves in a zone that it came to. On AWS it takes a minute and a half, and tasks
#: start more slowly. Source: EFS user guide, "Mounting on Amazon EC2 with a DNS name"; valheim-ecs-fargate-cdk 28.
_RESOLVES_SECONDS = 3.0
_FAILED = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr:"
Answer = tuple[int, dict[str, str], bytes]


class MountError(Exception):
    """A task cannot mount its file system; its stoppedReason."""


@dataclass(frozen=True)
class Directory:
    """A directory `inner` beneath a file system's `root`, empty for that."""

    root: Path
    inner: str


class FileSystems:
    """All accounts' file systems. Call inside `Upstream.within`."""

    def __init__(self, upstream: Upstream, network: Network, root: Path) -> None:
        self._efs, self._network, self._root = upstream.efs, network, root
        self._made: dict[str, float] = {}  # mount targets

    def install(self) -> None:
        """Refuse used creation tokens, show stored sizes, delete data."""
        create, delete, show = self._efs._create_file_system, self._efs._delete_file_system, self._efs._fs_response

        def create_once(body: dict[str, Any]) -> Answer:
            for system in self._efs._file_systems.values():
                if system["CreationToken"] == body.get("CreationToken"):
                    return _exists(system["FileSystemId"])
            answer: Answer = create(body)
            return answer

        mount = self._efs._create_mount_target

        def mount_at(body: dict[str, Any]) -> Answer:
            answer: Answer = mount(body)
            if answer[0] < 300:
                self._made[json.loads(answer[2])["MountTargetId"]] = time.monotonic()
            return answer

        self._efs._create_mount_target = mount_at  # type: ignore[attr-defined]

        def delete_with_data(identity: str) -> Answer:
            answer: Answer = delete(identity)
            if answer[0] < 300:
                with contextlib.suppress(OSError):  # never mounted; or not ours to remove: `sandbox stop` says so
                    erase(self._root / identity)
            return answer

        def with_size(system: dict[str, Any]) -> dict[str, Any]:
            stored = _size(self._root / system["FileSystemId"])
            return {
                **show(system),
                "SizeInBytes": {**system["SizeInBytes"], "Value": stored, "ValueInStandard": stored},
            }

        self._efs._create_file_system = create_once  # type: ignore[attr-defined]
        self._efs._delete_file_system = delete_with_data  # type: ignore[attr-defined]
        self._efs._fs_response = with_size  # type: ignore[attr-defined]

    def directory(self, configuration: dict[str, Any], place: AwsVpc | None) -> Directory:
        """Return the directory of an `efsVolumeConfiguration`, made if missing.

        Raises:
            MountError: file system, access point or mount target in the zone of `place` is missing, none lets it in, or
                the path is no directory.
        """
        identity = configuration["fileSystemId"]
        if identity not in self._efs._file_systems:
            raise MountError(f"{_FAILED} {_unresolved(identity)}")
        if place:
            self._check_reach(identity, place)
        root = self._root / identity
        point = (configuration.get("authorizationConfig") or {}).get("accessPointId")
        if not point:
            return _beneath(root, configuration.get("rootDirectory") or "/")
        found = self._efs._access_points.get(point)
        if found is None or found["FileSystemId"] != identity:
            raise MountError(f"{_FAILED} mount.nfs4: access denied by server while mounting 127.0.0.1:/ ({point})")
        return _beneath(root, found["RootDirectory"]["Path"], found["RootDirectory"].get("CreationInfo"))

    def _check_reach(self, identity: str, place: AwsVpc) -> None:
        zone = self._network.zone_of(place.subnets[0])
        targets = [t for t in self._efs._mount_targets.values() if t["FileSystemId"] == identity]
        near = [t for t in targets if t["AvailabilityZoneName"] == zone]
        made = self._made.get(near[0]["MountTargetId"], 0.0) if near else 0.0
        if not near or time.monotonic() - made < _RESOLVES_SECONDS:
            raise MountError(f"{_FAILED} {_unresolved(identity)}")
        target = AwsVpc((near[0]["SubnetId"],), tuple(near[0]["SecurityGroups"]), False)
        # A rule for addresses may be meant for the task's.
        admitted = self._network.admits_group(target, _NFS, set(place.security_groups))
        if not (admitted or self._network.is_open(target, _NFS)):
            raise MountError(f"{_FAILED} mount.nfs4: Connection timed out")


def check_mount(request: dict[str, Any]) -> None:
    """Raise ApiError for an access point that AWS would refuse."""
    for volume in request.get("volumes") or []:
        configuration = volume.get("efsVolumeConfiguration") or {}
        if not (configuration.get("authorizationConfig") or {}).get("accessPointId"):
            continue
        if configuration.get("transitEncryption") != "ENABLED":
            raise ApiError("ClientException", "Transit encryption must be enabled when an EFS access point is used.")
        if configuration.get("rootDirectory", "/") != "/":
            raise ApiError("ClientException", "The root directory must be / when an EFS access point is used.")


def _beneath(root: Path, path: str, creation: dict[str, Any] | None = None) -> Directory:
    def settle(directory: int) -> None:
        if creation:
            os.fchmod(directory, int(creation["Permissions"], 8))
            # Without the right to it, the container's root does so.
            with contextlib.suppress(PermissionError):
                os.fchown(directory, int(creation["OwnerUid"]), int(creation["OwnerGid"]))

    try:
        return Directory(root, beneath.directory(root, path, settle))
    except beneath.OutsideError as error:
        reason = f"mount.nfs4: mounting 127.0.0.1:{path} failed, reason given by server: Not a directory"
        raise MountError(f"{_FAILED} {reason}") from error


def _size(directory: Path) -> int:
    total = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):  # it went in between, or is not for our eyes
                total += Path(folder, name).lstat().st_size
    return total


def _exists(identity: str) -> Answer:
    content = {
        "ErrorCode": "FileSystemAlreadyExists",
        "Message": f"File system '{identity}' already exists with this creation token",
        "FileSystemId": identity,
    }
    headers = {"Content-Type": "application/json", "x-amzn-errortype": "FileSystemAlreadyExists"}
    return 409, headers, json.dumps(content).encode()


def _unresolved(identity: str) -> str:
    return (
        f'Failed to resolve "{identity}.efs" - check that your file system ID is correct, and ensure that the VPC has '
        "an EFS mount target for this file system ID in this availability zone."
    )
