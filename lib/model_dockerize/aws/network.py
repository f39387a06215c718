"""Where the tasks run: a network of our own, found again by its tag, or the one that was given."""

from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.ec2 import ANYWHERE, NAME, found, within
from model_dockerize.aws.errors import translate
from model_dockerize.aws.lost import finds_what_was_lost
from model_dockerize.aws.own_network import ensure_own_network
from model_dockerize.aws.security_group import Opening, ensure_group
from model_dockerize.aws.session import Aws
from model_dockerize.aws.subnets import Subnet, one_a_zone, suitable, ways_out
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

_HTTP = Opening(80, ANYWHERE, "HTTP of the model")


@dataclass(frozen=True)
class Network:
    """Subnets and security groups, all of one VPC."""

    vpc_id: str
    subnets: tuple[Subnet, ...]  # of the tasks
    security_group_ids: tuple[str, ...]  # of the tasks
    public_subnets: tuple[Subnet, ...] = ()  # one a zone, for what must be reached from outside (a load balancer)

    @property
    def subnet_ids(self) -> tuple[str, ...]:
        """Of the tasks."""
        return tuple(subnet.id for subnet in self.subnets)


@finds_what_was_lost
def ensure_network(aws: Aws, settings: ServiceSettings, progress: Progress) -> Network:
    """What `settings` names, checked; what it leaves open is ours: found by tag, completed or made.

    Raises:
        InputError: something given does not exist, not all of it is in one VPC, or the region has too few zones.
    """
    if ANYWHERE not in settings.allow_from:
        raise InputError(
            f"allow-from is {', '.join(settings.allow_from)}, and the security group that all models of a VPC share "
            "admits everybody.",
            remedy="Name security groups that admit whom you want (security-groups), and leave allow-from out.",
        )
    with translate("network"):
        if settings.vpc or settings.subnets:
            vpc, subnets, public = _given(aws, settings, progress)
        else:
            vpc, subnets, public = ensure_own_network(aws, settings, progress)
        if settings.security_groups:
            groups = _given_groups(aws, settings.security_groups, vpc)
        else:
            groups = (ensure_group(aws, vpc, NAME, "model-dockerize: port 80 of the models", (_HTTP,), progress),)
    return Network(vpc, subnets, groups, public)


def _given(
    aws: Aws, settings: ServiceSettings, progress: Progress
) -> tuple[str, tuple[Subnet, ...], tuple[Subnet, ...]]:
    """The VPC, the subnets of the tasks, and those of the VPC that are public."""
    named: tuple[Subnet, ...] = ()
    vpc = settings.vpc
    if settings.subnets:
        described = found(aws.ec2.describe_subnets, "Subnets", SubnetIds=list(settings.subnets))
        vpc = _one_vpc(described, vpc)
        named = tuple(Subnet.of(s) for s in described)
    subnets = found(aws.ec2.describe_subnets, "Subnets", Filters=[within(vpc)])
    ways = ways_out(subnets, found(aws.ec2.describe_route_tables, "RouteTables", Filters=[within(vpc)]))
    tasks = named or suitable(vpc, subnets, ways, settings.assign_public_ip)
    if not named and ways[tasks[0].id] == "isolated":
        progress.warning(
            f"The subnets of {vpc} have no way out: tasks reach ECR and CloudWatch Logs only by VPC endpoints there."
        )
    public = one_a_zone(s for s in subnets if ways[s["SubnetId"]] == "public" and not s.get("OutpostArn"))
    return vpc, tasks, public


def _one_vpc(subnets: list[Any], vpc: str) -> str:
    vpcs = {s["VpcId"] for s in subnets} | ({vpc} if vpc else set())
    if len(vpcs) != 1:
        raise InputError(
            "The subnets given are not all in one VPC" + (f", {vpc}." if vpc else "."),
            remedy="Name subnets of one VPC.",
            details=tuple(f"{s['SubnetId']}: {s['VpcId']}" for s in subnets),
        )
    return str(vpcs.pop())


def _given_groups(aws: Aws, ids: tuple[str, ...], vpc: str) -> tuple[str, ...]:
    groups = found(aws.ec2.describe_security_groups, "SecurityGroups", GroupIds=list(ids))
    elsewhere = [g for g in groups if g["VpcId"] != vpc]
    if elsewhere:
        raise InputError(
            f"Not every security group given is in {vpc}, the VPC of the subnets.",
            remedy="Name security groups of that VPC, or none to have one made.",
            details=tuple(f"{g['GroupId']}: {g['VpcId']}" for g in elsewhere),
        )
    return ids
