"""Makes a volume's stack, which outlives models."""

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.names import volume_stack
from model_dockerize.aws.ground.planned import make_stack
from model_dockerize.aws.ground.stacks import describe_stack
from model_dockerize.aws.ground.template import VOLUME, load
from model_dockerize.aws.ground.values import LETTERS, Stack, Wanted, lettered
from model_dockerize.aws.model import TO_COME, Network, Subnet
from model_dockerize.aws.network.queries import found
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress

_MOST_GROUPS = 5


def ensure_volume(
    aws: Aws, name: str, network: Network, shared: Stack, progress: Progress, pace: Pace | None = None
) -> Stack:
    """Return the volume's stack, mountable from the tasks' zones."""
    there = describe_stack(aws, volume_stack(name))
    _check_vpc(name, there, network, shared)
    groups = tuple(dict.fromkeys((*(there.filled("TaskGroup") if there else ()), *network.security_group_ids)))
    if len(groups) > _MOST_GROUPS:
        raise InputError(
            f"Volume {name} would have to admit {len(groups)} security groups, and has room for {_MOST_GROUPS}.",
            "Give the model's tasks one of those that it admits (security-groups), or leave security-groups out.",
            groups,
        )
    parameters = {
        "Volume": name,
        **lettered("Subnet", _mounts(aws, there, network.subnets)),
        **lettered("TaskGroup", groups, _MOST_GROUPS),
    }
    if there is None:
        own = network.vpc_id == shared.outputs.get("Vpc", "")
        parameters["Vpc"] = network.vpc_id if not own or network.vpc_id == TO_COME else ""
        parameters["Shared"] = "" if shared.id == TO_COME else shared.name
    tags = aws.tags if aws.tags or there is None else there.own_tags
    wanted = Wanted(volume_stack(name), load(VOLUME), parameters, tags, shared.role)
    return make_stack(aws, wanted, there, progress, pace)


def _check_vpc(name: str, there: Stack | None, network: Network, shared: Stack) -> None:
    if there is None or not there.outputs:
        return
    vpc = there.parameters.get("Vpc") or shared.outputs.get("Vpc", "")
    if vpc != network.vpc_id:
        raise InputError(
            f"Volume {name} is in {vpc}, the tasks run in {network.vpc_id}: a file system belongs to one VPC.",
            remedy="Name another volume, or run in that VPC (vpc, subnets).",
        )


def _mounts(aws: Aws, there: Stack | None, tasks: tuple[Subnet, ...]) -> tuple[str, ...]:
    # One a zone, as EFS demands; existing ones stay.
    mounted = there.filled("Subnet") if there else ()
    if {subnet.id for subnet in tasks} <= set(mounted):
        return mounted
    zones: set[str] = set()
    if mounted:
        zones = {Subnet.of(each).zone for each in found(aws.ec2.describe_subnets, "Subnets", SubnetIds=list(mounted))}
    added: dict[str, str] = {}
    for subnet in tasks:
        if subnet.zone not in zones:
            added.setdefault(subnet.zone, subnet.id)
    return (*mounted, *added.values())[: len(LETTERS)]
