"""Security groups of ours: made, and given the rules that they lack. Rules that somebody added stay."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.ec2 import found, tags, within
from model_dockerize.aws.errors import code_of
from model_dockerize.aws.eventual import once_visible
from model_dockerize.aws.session import Aws
from model_dockerize.progress import Progress


@dataclass(frozen=True)
class Opening:
    """TCP `port` is open to `source`: a block of addresses, or another security group (sg-...)."""

    port: int
    source: str
    purpose: str

    @property
    def permission(self) -> Any:
        """As EC2 takes it."""
        rule: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": self.port, "ToPort": self.port}
        if self.source.startswith("sg-"):
            return {**rule, "UserIdGroupPairs": [{"GroupId": self.source, "Description": self.purpose}]}
        return {**rule, "IpRanges": [{"CidrIp": self.source, "Description": self.purpose}]}


def ensure_group(
    aws: Aws, vpc: str, name: str, description: str, openings: tuple[Opening, ...], progress: Progress
) -> str:
    """Id of the group `name` in `vpc`, which has at least these `openings`."""
    named = {"Name": "group-name", "Values": [name]}
    there = found(aws.ec2.describe_security_groups, "SecurityGroups", Filters=[within(vpc), named])
    rules: list[Any] = []
    if there:
        group, rules = str(there[0]["GroupId"]), there[0].get("IpPermissions", [])
    else:
        group = once_visible(
            lambda: aws.ec2.create_security_group(
                GroupName=name,
                Description=description,
                VpcId=vpc,
                TagSpecifications=[tags("security-group", name)],
            )
        )["GroupId"]
    lacking = [o for o in openings if not any(admits(rule, o.port, o.source) for rule in rules)]
    for opening in lacking:
        _open(aws, group, opening)
    what = f"{group} ({', '.join(f'TCP {o.port} from {_said(o.source)}' for o in openings)})"
    if not there:
        aws.settled(progress, "make", "security group", what)
    elif lacking:
        aws.settled(progress, "change", "security group", group, "rules")
    return group


def admits(rule: Any, port: int, source: str) -> bool:
    """Whether one entry of IpPermissions lets TCP `port` in from `source`."""
    return source in {*_blocks(rule), *_groups(rule)} and _is_about(rule, port)


def admits_somebody(rule: Any, port: int, groups: tuple[str, ...]) -> bool:
    """Whether it lets TCP `port` in from one of `groups`, or from addresses that may be theirs."""
    return bool(_blocks(rule) or set(groups) & set(_groups(rule))) and _is_about(rule, port)


def _blocks(rule: Any) -> list[str]:
    return [r.get("CidrIp") for r in rule.get("IpRanges", [])]


def _groups(rule: Any) -> list[str]:
    return [pair.get("GroupId") for pair in rule.get("UserIdGroupPairs", [])]


def _is_about(rule: Any, port: int) -> bool:
    if rule["IpProtocol"] == "-1":
        return True
    return rule["IpProtocol"] in ("tcp", "6") and bool(rule["FromPort"] <= port <= rule["ToPort"])


def _open(aws: Aws, group: str, opening: Opening) -> None:
    try:
        once_visible(
            lambda: aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[opening.permission])
        )
    except ClientError as error:
        if code_of(error) != "InvalidPermission.Duplicate":
            raise


def _said(source: str) -> str:
    return "anywhere" if source == "0.0.0.0/0" else source
