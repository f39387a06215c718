"""The data volume of a service: an EFS file system, reachable from its tasks, with a directory of the model's own.

Every model gets an access point: a directory that only it sees, and one user whoever asks. So models may share a file
system, and a container may not reach past its directory.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.ec2 import NAME, found
from model_dockerize.aws.errors import translate
from model_dockerize.aws.eventual import once_settled
from model_dockerize.aws.lost import finds_what_was_lost
from model_dockerize.aws.names import TAG, VOLUME, legal_name
from model_dockerize.aws.network import Network
from model_dockerize.aws.security_group import Opening, admits_somebody, ensure_group
from model_dockerize.aws.session import Aws
from model_dockerize.errors import AwsError, InputError
from model_dockerize.progress import Progress

_NFS = 2049
#: uid and gid: as whom the server of the image runs, and whom everything in the directory belongs to.
USER = 1000


@dataclass(frozen=True)
class Volume:
    """What a task definition mounts."""

    file_system_id: str
    access_point_id: str


@finds_what_was_lost
def ensure_volume(aws: Aws, wanted: str, model: str, network: Network, progress: Progress) -> Volume:
    """The directory of `model` on the file system `wanted`, which every subnet of the tasks can mount.

    Args:
        wanted: id of an existing file system (fs-...), which is checked and not changed, or the name of one of ours,
            which is made and completed.

    Raises:
        InputError: it is not there, or cannot be mounted from the tasks' subnets.
        AwsError: as AWS says.
    """
    with translate(f"volume {wanted}"):
        if wanted.startswith("fs-"):
            system = _given(aws, wanted, network, progress)
        else:
            system = _ensure_system(aws, wanted, progress)
            _ensure_targets(aws, wanted, system, network, progress)
        return Volume(system, _ensure_access_point(aws, system, legal_name(model, 99), progress))


def mount_targets(aws: Aws, system: str) -> list[Any]:
    """Those of a file system that are not on their way out."""
    pages = aws.efs.get_paginator("describe_mount_targets").paginate(FileSystemId=system)
    return [t for page in pages for t in page["MountTargets"] if t["LifeCycleState"] not in ("deleting", "deleted")]


def _ensure_system(aws: Aws, name: str, progress: Progress) -> str:
    """Found by its creation token, of which AWS takes none twice: however often it is made, there is one."""
    token = f"{NAME}-{name}"

    def look() -> Any:
        return next(iter(aws.efs.describe_file_systems(CreationToken=token)["FileSystems"]), None)

    there = once_settled(f"volume {name}", look(), look, lambda s: s is not None and s["LifeCycleState"] == "deleting")
    if there is None:
        made: Any = aws.efs.create_file_system(
            CreationToken=token,
            Encrypted=True,
            PerformanceMode="generalPurpose",
            ThroughputMode="elastic",
            Tags=[{"Key": TAG, "Value": VOLUME}, {"Key": "Name", "Value": name}],
        )
        aws.settled(progress, "make", "volume", f"{name} ({made['FileSystemId']})")
        there = made
    else:
        aws.settled(progress, "leave", "volume", f"{name} ({there['FileSystemId']})")
    system: Any = there
    now = once_settled(f"volume {name}", system, lambda: look() or system, lambda s: s["LifeCycleState"] == "creating")
    if now["LifeCycleState"] == "error":
        raise AwsError(
            f"Volume {name} ({now['FileSystemId']}) is in state error.",
            remedy="Its key is disabled or a quota reached: see it in the EFS console, or name another volume.",
        )
    return str(now["FileSystemId"])


def _ensure_targets(aws: Aws, name: str, system: str, network: Network, progress: Progress) -> None:
    """A mount target in every zone of the tasks; a group that lets in the tasks and nobody else."""
    there = mount_targets(aws, system)
    _check_vpc(name, there, network)
    openings = tuple(Opening(_NFS, group, "NFS for the tasks") for group in network.security_group_ids)
    group = ensure_group(
        aws, network.vpc_id, f"{NAME}-volume", "model-dockerize: NFS for the tasks", openings, progress
    )
    zones = {target.get("AvailabilityZoneName") for target in there}
    for subnet in network.subnets:
        if subnet.zone in zones:
            continue
        zones.add(subnet.zone)
        made = aws.efs.create_mount_target(FileSystemId=system, SubnetId=subnet.id, SecurityGroups=[group])
        aws.settled(progress, "make", "mount target", f"{made['MountTargetId']} ({subnet.zone})")
        there.append(made)
    if any(target["LifeCycleState"] == "creating" for target in there):
        progress.info(f"volume {name}: waiting until it can be mounted (about a minute)")
    now = once_settled(
        f"volume {name}",
        there,
        lambda: mount_targets(aws, system) or there,
        lambda targets: any(target["LifeCycleState"] == "creating" for target in targets),
    )
    failed = [target["MountTargetId"] for target in now if target["LifeCycleState"] == "error"]
    if failed:
        raise AwsError(
            f"Volume {name}: {', '.join(failed)} is in state error.",
            remedy="Delete the mount target in the EFS console and run again: it is made anew.",
        )


def _given(aws: Aws, system: str, network: Network, progress: Progress) -> str:
    try:
        aws.efs.describe_file_systems(FileSystemId=system)
    except aws.efs.exceptions.FileSystemNotFound as error:
        raise InputError(
            f"There is no file system {system} here.", remedy="Correct volume: an id, or a name to have one made."
        ) from error
    targets = mount_targets(aws, system)
    _check_vpc(system, targets, network)
    zones = {target.get("AvailabilityZoneName") for target in targets}
    lacking = sorted({subnet.zone for subnet in network.subnets} - zones)
    if lacking:
        raise InputError(
            f"File system {system} has no mount target in {', '.join(lacking)}, where the tasks may run.",
            remedy="Make a mount target there, or name subnets in zones that have one.",
            details=tuple(f"{t['MountTargetId']}: {t.get('AvailabilityZoneName')}" for t in targets),
        )
    for target in targets:
        groups = aws.efs.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])["SecurityGroups"]
        described = found(aws.ec2.describe_security_groups, "SecurityGroups", GroupIds=groups)
        rules = [rule for group in described for rule in group.get("IpPermissions", [])]
        if not any(admits_somebody(rule, _NFS, network.security_group_ids) for rule in rules):
            progress.warning(
                f"No security group of {target['MountTargetId']} admits TCP {_NFS} from the tasks' groups "
                f"({', '.join(network.security_group_ids)}): tasks will not start until one does."
            )
    aws.settled(progress, "leave", "volume", system)
    return system


def _check_vpc(name: str, targets: list[Any], network: Network) -> None:
    elsewhere = [target for target in targets if target.get("VpcId") != network.vpc_id]
    if elsewhere:
        raise InputError(
            f"Volume {name} is mounted in {elsewhere[0].get('VpcId')}, the tasks run in {network.vpc_id}: "
            "a file system belongs to one VPC.",
            remedy="Name another volume, or run in that VPC (vpc, subnets).",
            details=tuple(f"{t['MountTargetId']}: {t.get('VpcId')}" for t in elsewhere),
        )


def _ensure_access_point(aws: Aws, system: str, model: str, progress: Progress) -> str:
    path = f"/{model}"

    def all_points() -> list[Any]:
        pages = aws.efs.get_paginator("describe_access_points").paginate(FileSystemId=system)
        return [point for page in pages for point in page["AccessPoints"]]

    def suits(point: Any) -> bool:
        is_there = point["LifeCycleState"] in ("creating", "available")
        user = point.get("PosixUser", {})
        return (
            is_there and point["RootDirectory"]["Path"] == path and (user.get("Uid"), user.get("Gid")) == (USER, USER)
        )

    there = sorted((p for p in all_points() if suits(p)), key=lambda p: str(p["AccessPointId"]))
    point: Any
    if there:
        point = there[0]
    else:
        point = aws.efs.create_access_point(
            ClientToken=uuid.uuid4().hex,
            FileSystemId=system,
            PosixUser={"Uid": USER, "Gid": USER},
            RootDirectory={"Path": path, "CreationInfo": {"OwnerUid": USER, "OwnerGid": USER, "Permissions": "0755"}},
            Tags=[{"Key": TAG, "Value": VOLUME}, {"Key": "Name", "Value": model}],
        )
        aws.settled(progress, "make", "access point", f"{point['AccessPointId']} ({path})")
    identity = str(point["AccessPointId"])

    def look() -> Any:
        return next((p for p in all_points() if p["AccessPointId"] == identity), point)

    once_settled(f"access point {identity}", point, look, lambda p: p["LifeCycleState"] == "creating")
    return identity
