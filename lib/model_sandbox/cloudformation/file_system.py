"""EFS's resources."""

import uuid
from typing import Any

from model_sandbox.cloudformation.resource import (
    Properties,
    Resource,
    given,
    is_true,
    lost_tags,
    tag_list,
)


class _Efs(Resource):
    def _tag(self, identity: str, old: Properties, new: Properties) -> None:
        if gone := lost_tags(old, new, self.tags):
            self._client("efs").untag_resource(ResourceId=identity, TagKeys=gone)
        if tag_list(new, self.tags) != tag_list(old, self.tags):
            self._client("efs").tag_resource(ResourceId=identity, Tags=tag_list(new, self.tags))


class FileSystem(_Efs):
    properties = ("BackupPolicy", "Encrypted", "FileSystemTags", "KmsKeyId", "PerformanceMode", "ThroughputMode")
    replacing = ("Encrypted", "KmsKeyId", "PerformanceMode")
    tags = "FileSystemTags"

    def _make(self, name: str, properties: Properties) -> str:
        made = self._client("efs").create_file_system(
            CreationToken=f"{name[:27]}-{uuid.uuid4()}",
            Encrypted=is_true(properties.get("Encrypted")),
            Tags=tag_list(properties, self.tags),
            **given(properties, "KmsKeyId", "PerformanceMode", "ThroughputMode"),
        )
        return str(made["FileSystemId"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        wish = new.get("BackupPolicy")
        if wish != old.get("BackupPolicy"):
            policy = wish or {"Status": "DISABLED"}
            self._client("efs").put_backup_policy(FileSystemId=identity, BackupPolicy=policy)
        if old and new.get("ThroughputMode") != old.get("ThroughputMode"):
            mode = new.get("ThroughputMode", "bursting")
            self._client("efs").update_file_system(FileSystemId=identity, ThroughputMode=mode)
        if old:
            self._tag(identity, old, new)

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        shown = self._client("efs").describe_file_systems(FileSystemId=identity)["FileSystems"][0]
        return {"FileSystemId": identity, "Arn": shown["FileSystemArn"]}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("efs").delete_file_system(FileSystemId=identity)


class MountTarget(Resource):
    properties = ("FileSystemId", "SecurityGroups", "SubnetId")
    required = ("FileSystemId", "SecurityGroups", "SubnetId")
    replacing = ("FileSystemId", "SubnetId")
    tags = ""

    def _make(self, name: str, properties: Properties) -> str:
        del name
        return str(self._client("efs").create_mount_target(**properties)["MountTargetId"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if old:
            groups = new["SecurityGroups"]
            self._client("efs").modify_mount_target_security_groups(MountTargetId=identity, SecurityGroups=groups)

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        shown = self._client("efs").describe_mount_targets(MountTargetId=identity)["MountTargets"][0]
        return {"Id": identity, "IpAddress": shown["IpAddress"]}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("efs").delete_mount_target(MountTargetId=identity)


class AccessPoint(_Efs):
    properties = ("AccessPointTags", "FileSystemId", "PosixUser", "RootDirectory")
    required = ("FileSystemId",)
    replacing = ("FileSystemId", "PosixUser", "RootDirectory")
    tags = "AccessPointTags"

    def _make(self, name: str, properties: Properties) -> str:
        del name
        made = self._client("efs").create_access_point(
            ClientToken=str(uuid.uuid4()),
            FileSystemId=properties["FileSystemId"],
            Tags=tag_list(properties, self.tags),
            **access_point_parameters(properties),
        )
        return str(made["AccessPointId"])

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if old:
            self._tag(identity, old, new)

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        shown = self._client("efs").describe_access_points(AccessPointId=identity)["AccessPoints"][0]
        return {"AccessPointId": identity, "Arn": shown["AccessPointArn"]}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("efs").delete_access_point(AccessPointId=identity)


def access_point_parameters(properties: Properties) -> dict[str, Any]:
    """Return user and directory; a template's numbers may be words."""
    found: dict[str, Any] = {}
    if user := properties.get("PosixUser"):
        found["PosixUser"] = {name: int(value) for name, value in user.items()}
    if directory := properties.get("RootDirectory"):
        owner = {
            name: value if name == "Permissions" else int(value)
            for name, value in directory.get("CreationInfo", {}).items()
        }
        found["RootDirectory"] = {**directory, **({"CreationInfo": owner} if owner else {})}
    return found
