"""Reads what in an account may stop a run."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import code_of, translate

#: service of Service Quotas, its code, and what is counted.
_VPCS = ("vpc", "L-F678F1CE")
_FARGATE_VCPUS = ("fargate", "L-3032A538")
#: Written by tools that hand temporary keys on, e.g. `aws configure export-credentials`.
_EXPIRY = ("AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION")
_LINKED = {"AWSServiceRoleForECS": "ECS", "AWSServiceRoleForBatch": "Batch"}


@dataclass(frozen=True)
class Quota:
    """A limit and the use after a run."""

    name: str
    needed: float
    limit: float | None
    why_unknown: str = ""

    @property
    def enough(self) -> bool:
        return self.limit is None or self.needed <= self.limit


def similar_region(name: str) -> str | None:
    """Return the nearest region, or empty; None if AWS has it."""
    session = boto3.Session()
    known = {
        r for partition in session.get_available_partitions() for r in session.get_available_regions("ecs", partition)
    }
    if name in known:
        return None
    return next(iter(difflib.get_close_matches(name, known, 1)), "")


def lifetime(aws: Aws, environment: Mapping[str, str]) -> tuple[str, datetime | None]:
    """Return the credentials' lifetime, and their end if known."""
    credentials = aws.credentials
    if isinstance(credentials, RefreshableCredentials):
        return "they renew themselves", None
    if credentials is None or not credentials.token:
        return "they do not expire", None
    for name in _EXPIRY:
        try:
            end = datetime.fromisoformat(environment.get(name, "").replace("Z", "+00:00"))
        except ValueError:
            continue
        end = end if end.tzinfo else end.replace(tzinfo=UTC)
        return f"they end at {end:%H:%M:%S %Z}", end
    return "temporary ones, which do not say when they end", None


def distrusting(aws: Aws, roles: tuple[str, ...], service: str = "ecs-tasks.amazonaws.com") -> tuple[str, ...]:
    """Return existing roles that do not trust `service`."""
    found = []
    for role in roles:
        try:
            there: Any = aws.iam.get_role(RoleName=role.rpartition("/")[2])["Role"]
        except ClientError:
            continue  # not to be seen: told elsewhere
        document = there.get("AssumeRolePolicyDocument")  # none: it is still to be made
        if document and service not in str(document):
            found.append(role)
    return tuple(found)


def linked_roles(aws: Aws, wanted: tuple[str, ...]) -> Mapping[str, str]:
    """Return the state of AWS's own roles by service."""
    said = {}
    for role, service in _LINKED.items():
        if service in wanted:
            try:
                aws.iam.get_role(RoleName=role)
                said[service] = "there"
            except aws.iam.exceptions.NoSuchEntityException:
                said[service] = "made with the first use"
            except ClientError as error:
                said[service] = f"not to be seen ({code_of(error)})"
    return said


def quotas(aws: Aws, new_vpcs: int, vcpus: float) -> tuple[Quota, ...]:
    """Return the limits that new accounts reach."""
    found = []
    if new_vpcs:
        with translate("count the VPCs"):
            pages = aws.ec2.get_paginator("describe_vpcs").paginate()
            there = sum(len(page["Vpcs"]) for page in pages)
        found.append(_quota(aws, "VPCs in this region", _VPCS, there + new_vpcs))
    if vcpus:
        found.append(_quota(aws, "vCPUs of Fargate", _FARGATE_VCPUS, vcpus))
    return tuple(found)


def _quota(aws: Aws, name: str, which: tuple[str, str], needed: float) -> Quota:
    service, code = which
    try:
        limit = aws.client("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]
        return Quota(name, needed, float(limit))
    except ClientError as error:
        return Quota(name, needed, None, code_of(error))
    except BotoCoreError as error:
        return Quota(name, needed, None, type(error).__name__)
