"""Statements of IAM policies, and their ARNs."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import UnknownRegionError
from botocore.loaders import create_loader
from botocore.regions import EndpointResolver

Statement = dict[str, Any]


@dataclass(frozen=True)
class Where:
    """Parts of ARNs; unknown ones are `*` or a placeholder."""

    account: str
    region: str
    partition: str = "aws"

    @classmethod
    def of(cls, account: str, region: str) -> "Where":
        """Take the partition from botocore, else `aws`."""
        try:
            # Without a session, which would read the files of credentials.
            known = EndpointResolver(create_loader().load_data("endpoints"))
            return cls(account, region, known.get_partition_for_region(region))
        except UnknownRegionError:
            return cls(account, region)

    def arn(self, service: str, rest: str, regional: bool = True) -> str:
        """Return `arn:aws:SERVICE:REGION:ACCOUNT:REST`."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.account}:{rest}"


def only_if(condition: dict[str, Any], statement: Statement) -> Statement:
    """Add a condition, if any."""
    return {**statement, "Condition": condition} if condition else statement


def allow(name: str, actions: tuple[str, ...], *resources: str) -> Statement:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources) or "*"}
