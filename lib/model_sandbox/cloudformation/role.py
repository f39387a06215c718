"""IAM's role and instance profile."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from model_sandbox.cloudformation.resource import Properties, Resource, given, lost_tags, tag_list


class Role(Resource):
    properties = (
        "AssumeRolePolicyDocument",
        "Description",
        "ManagedPolicyArns",
        "Path",
        "PermissionsBoundary",
        "Policies",
        "RoleName",
        "Tags",
    )
    required = ("AssumeRolePolicyDocument",)
    replacing = ("Path", "RoleName")

    def _make(self, name: str, properties: Properties) -> str:
        own = str(properties.get("RoleName") or name)
        self._client("iam").create_role(
            RoleName=own,
            AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]),
            Tags=tag_list(properties),
            **given(properties, "Path", "Description", "PermissionsBoundary"),
        )
        return own

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if old:
            self._update(identity, old, new)
        iam = self._client("iam")
        now, then = set(new.get("ManagedPolicyArns", [])), set(old.get("ManagedPolicyArns", []))
        for arn in sorted(now - then):
            iam.attach_role_policy(RoleName=identity, PolicyArn=arn)
        for arn in sorted(then - now):
            iam.detach_role_policy(RoleName=identity, PolicyArn=arn)
        inline, before = _inline(new), _inline(old)
        for policy, document in inline.items():
            if before.get(policy) != document:
                iam.put_role_policy(RoleName=identity, PolicyName=policy, PolicyDocument=json.dumps(document))
        for policy in before.keys() - inline.keys():
            iam.delete_role_policy(RoleName=identity, PolicyName=policy)

    def _update(self, identity: str, old: Properties, new: Properties) -> None:
        iam = self._client("iam")
        if new["AssumeRolePolicyDocument"] != old["AssumeRolePolicyDocument"]:
            document = json.dumps(new["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=identity, PolicyDocument=document)
        if new.get("Description") != old.get("Description"):
            iam.update_role(RoleName=identity, Description=new.get("Description", ""))
        if new.get("PermissionsBoundary") != old.get("PermissionsBoundary"):
            if boundary := new.get("PermissionsBoundary"):
                iam.put_role_permissions_boundary(RoleName=identity, PermissionsBoundary=boundary)
            else:
                iam.delete_role_permissions_boundary(RoleName=identity)
        if gone := lost_tags(old, new):
            iam.untag_role(RoleName=identity, TagKeys=gone)
        if tag_list(new) != tag_list(old):
            iam.tag_role(RoleName=identity, Tags=tag_list(new))

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        shown = self._client("iam").get_role(RoleName=identity)["Role"]
        return {"Arn": shown["Arn"], "RoleId": shown["RoleId"]}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        iam = self._client("iam")
        for policy in iam.list_attached_role_policies(RoleName=identity)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=identity, PolicyArn=policy["PolicyArn"])
        for name in iam.list_role_policies(RoleName=identity)["PolicyNames"]:
            iam.delete_role_policy(RoleName=identity, PolicyName=name)
        iam.delete_role(RoleName=identity)


def _inline(properties: Properties) -> Mapping[str, Any]:
    return {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", [])}


class InstanceProfile(Resource):
    properties = ("InstanceProfileName", "Path", "Roles")
    required = ("Roles",)
    replacing = ("InstanceProfileName", "Path")
    tags = ""

    def _make(self, name: str, properties: Properties) -> str:
        own = str(properties.get("InstanceProfileName") or name)
        self._client("iam").create_instance_profile(InstanceProfileName=own, **given(properties, "Path"))
        return own

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        iam = self._client("iam")
        for role in set(old.get("Roles", [])) - set(new["Roles"]):
            iam.remove_role_from_instance_profile(InstanceProfileName=identity, RoleName=role)
        for role in set(new["Roles"]) - set(old.get("Roles", [])):
            iam.add_role_to_instance_profile(InstanceProfileName=identity, RoleName=role)

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {"Arn": self._client("iam").get_instance_profile(InstanceProfileName=identity)["InstanceProfile"]["Arn"]}

    def delete(self, identity: str, properties: Properties) -> None:
        iam = self._client("iam")
        for role in properties["Roles"]:
            with suppress(iam.exceptions.NoSuchEntityException):
                iam.remove_role_from_instance_profile(InstanceProfileName=identity, RoleName=role)
        iam.delete_instance_profile(InstanceProfileName=identity)
