"""What an IAM policy is written with."""

from dataclasses import dataclass
from typing import Any

Statement = dict[str, Any]


@dataclass(frozen=True)
class Where:
    """The beginnings of ARNs. What is not known yet is written `*`, or as a word to fill in."""

    account: str
    region: str
    partition: str = "aws"

    def arn(self, service: str, rest: str, regional: bool = True) -> str:
        """`arn:aws:SERVICE:REGION:ACCOUNT:REST`."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.account}:{rest}"


def allow(name: str, actions: tuple[str, ...], *resources: str) -> Statement:
    """The statement `name`: these actions on these resources, or on all."""
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources) or "*"}
