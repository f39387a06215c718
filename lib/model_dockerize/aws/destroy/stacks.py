"""Reads our stacks' contents and outside users."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import message_of
from model_dockerize.aws.client.names import tagged
from model_dockerize.aws.destroy.uses import User, named_in
from model_dockerize.aws.ground.values import Stack
from model_dockerize.aws.iam.statement import Where
from model_dockerize.aws.network.queries import found, within

#: What CloudFormation knows by its name, and others name by its ARN.
_BY_NAME = (
    ("AWS::IAM::Role", "iam", "role"),
    ("AWS::IAM::InstanceProfile", "iam", "instance-profile"),
    ("AWS::ECS::Cluster", "ecs", "cluster"),
)
#: How ECS describes the network interfaces of tasks.
_ECS = re.compile(r"arn:[\w-]+:ecs:.+:attachment/")
#: Used by the stack of every model: what all models of a region share and no stack imports.
EVERY_MODEL = "every model"


@dataclass(frozen=True)
class Held:
    """Our stack with its contents."""

    stack: Stack
    resources: Mapping[str, tuple[str, ...]]
    ids: frozenset[str]  # by which others name it or what is in it

    def of(self, kind: str) -> tuple[str, ...]:
        """Return the ids of e.g. `AWS::EC2::SecurityGroup`."""
        return self.resources.get(kind, ())


def stack_id(name: str) -> str:
    return f"stack:{name}"


def logs_id(group: str) -> str:
    """Return a log folder's id: models in their own cluster have one."""
    return f"logs:{group.rpartition('/')[0]}"


def repository_id(name: str) -> str:
    """Return a repository's id: its bare name could be anything's."""
    return f"repository:{name}"


def our_stacks(aws: Aws) -> tuple[Stack, ...]:
    """Return our stacks."""
    pages = aws.client("cloudformation").get_paginator("describe_stacks").paginate()
    stacks = (Stack.of(shown) for page in pages for shown in page["Stacks"])
    return tuple(stack for stack in stacks if stack.is_ours)


def look_into(aws: Aws, stack: Stack) -> Held:
    """Read a stack's contents."""
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.id)
    resources: dict[str, tuple[str, ...]] = {}
    for each in (resource for page in pages for resource in page["StackResourceSummaries"]):
        identity = each.get("PhysicalResourceId", "")
        if identity and each["ResourceStatus"] != "DELETE_COMPLETE":
            resources[each["ResourceType"]] = (*resources.get(each["ResourceType"], ()), identity)
    ids = {stack_id(stack.name), *(identity for some in resources.values() for identity in some)}
    where = Where(aws.identity.account, aws.identity.region, aws.identity.partition)
    for kind, service, word in _BY_NAME:
        ids |= {where.arn(service, f"{word}/{name}", regional=service != "iam") for name in resources.get(kind, ())}
    return Held(stack, resources, frozenset(ids))


def stack_users(aws: Aws, stacks: Iterable[Stack], held: Iterable[Held]) -> Iterator[User]:
    """Return models' stacks, and importers from `held`."""
    for stack in stacks:
        if stack.parameters.get("Model"):
            uses = {EVERY_MODEL, logs_id(stack.parameters.get("LogGroup", ""))}
            uses |= {repository_id(stack.parameters.get("Repository", "")), *named_in(dict(stack.parameters))}
            yield User(f"stack {stack.name}", stack_id(stack.name), frozenset(uses))
    client = aws.client("cloudformation")
    for each in held:
        for export in each.stack.exports:
            try:
                pages = client.get_paginator("list_imports").paginate(ExportName=export)
                importers = [name for page in pages for name in page["Imports"]]
            except ClientError as error:
                if "not imported" not in message_of(error):
                    raise
                continue
            for name in importers:
                yield User(f"stack {name}", stack_id(name), frozenset((stack_id(each.stack.name),)))


def network_users(aws: Aws, held: Held, owners: Mapping[str, User], ids: frozenset[str]) -> Iterator[User]:
    """Return outside users of a stack's network.

    Args:
        owners: by network interface.
        ids: of all stacks: balancers and volumes have interfaces in others' networks.
    """
    groups, vpcs = held.of("AWS::EC2::SecurityGroup"), held.of("AWS::EC2::VPC")
    for interface in interfaces(aws, held):
        identity, text = interface["NetworkInterfaceId"], interface.get("Description", "")
        uses = frozenset((interface["VpcId"], interface["SubnetId"], *(g["GroupId"] for g in interface["Groups"])))
        if owner := owners.get(identity):
            yield replace(owner, uses=uses)
        elif not _ECS.match(text):  # else its task is at its end
            name = f"network interface {identity}" + (f" ({text})" if text else "")
            yield User(name, _owner(interface, ids) or identity, uses)
    for way in ("ip-permission.group-id", "egress.ip-permission.group-id") if groups else ():
        filters = [{"Name": way, "Values": list(groups)}]
        for group in found(aws.ec2.describe_security_groups, "SecurityGroups", Filters=filters):
            # A volume's group admits the tasks of a model by a rule that goes with the model's stack.
            if not tagged(group.get("Tags", [])):
                yield User(f"security group {group['GroupId']}", group["GroupId"], named_in(group))
    for vpc in vpcs:
        for group in found(aws.ec2.describe_security_groups, "SecurityGroups", Filters=[within(vpc)]):
            if group["GroupName"] != "default" and not tagged(group.get("Tags", [])):
                yield User(f"security group {group['GroupId']}", group["GroupId"], frozenset((vpc,)))
        for subnet in found(aws.ec2.describe_subnets, "Subnets", Filters=[within(vpc)]):
            yield User(f"subnet {subnet['SubnetId']}", subnet["SubnetId"], frozenset((vpc,)))


def interfaces(aws: Aws, held: Held) -> list[Any]:
    """Return a stack's network interfaces."""
    by_id: dict[str, Any] = {}
    for name, values in (
        ("vpc-id", held.of("AWS::EC2::VPC")),
        ("group-id", held.of("AWS::EC2::SecurityGroup")),
    ):
        if values:
            filters = [{"Name": name, "Values": list(values)}]
            for each in found(aws.ec2.describe_network_interfaces, "NetworkInterfaces", Filters=filters):
                by_id[each["NetworkInterfaceId"]] = each
    return list(by_id.values())


def lingering(aws: Aws, held: Held) -> list[str]:
    """Return ownerless interfaces, which block the deletion."""
    return [each["NetworkInterfaceId"] for each in interfaces(aws, held) if not _owner(each, held.ids)]


def balancer_users(aws: Aws, held: Held) -> Iterator[User]:
    """Return our balancer's listeners and rules."""
    for balancer in held.of("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        with suppress(aws.elbv2.exceptions.LoadBalancerNotFoundException):
            pages = aws.elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer)
            for listener in [each for page in pages for each in page["Listeners"]]:
                arn = listener["ListenerArn"]
                yield User(f"listener {listener['Port']} ({arn})", arn, frozenset((balancer,)))
    for arn in held.of("AWS::ElasticLoadBalancingV2::Listener"):
        with suppress(aws.elbv2.exceptions.ListenerNotFoundException):
            for rule in aws.elbv2.describe_rules(ListenerArn=arn)["Rules"]:
                if not rule["IsDefault"]:
                    yield User(f"rule {rule['RuleArn']}", rule["RuleArn"], frozenset((arn,)))


def _owner(interface: Any, ids: frozenset[str]) -> str:
    # The description: `ELB app/NAME/ID`, `Interface for NAT Gateway nat-0123`, `EFS mount target for fs-0123
    # (fsmt-0123)`.
    words = {word.strip("()") for word in interface.get("Description", "").split()}
    return next((own for own in ids if own.rpartition(":loadbalancer/")[2] in words), "")
