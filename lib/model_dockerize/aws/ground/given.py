"""Uses what a user names, or refuses it."""

from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.ground.model import Balancer
from model_dockerize.aws.ground.values import Stack
from model_dockerize.aws.iam.roles import get_instance_profile, get_role
from model_dockerize.aws.model import Network, Subnet
from model_dockerize.aws.network.queries import found, within
from model_dockerize.aws.network.subnets import one_a_zone, suitable, takes_balancer, ways_out
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

_NFS = 2049


def given_network(aws: Aws, settings: ServiceSettings, progress: Progress) -> Network:
    """Return the network that inputs name."""
    with translate("network"):
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
                f"The subnets of {vpc} have no way out: tasks reach ECR and CloudWatch Logs only by VPC endpoints "
                "there."
            )
        public = one_a_zone(s for s in subnets if ways[s["SubnetId"]] == "public" and takes_balancer(s))
        return Network(vpc, tasks, given_groups(aws, settings.security_groups, vpc), public)


def given_groups(aws: Aws, ids: tuple[str, ...], vpc: str) -> tuple[str, ...]:
    """Return the groups, all in `vpc`."""
    if not ids:
        return ()
    with translate("security groups"):
        groups = found(aws.ec2.describe_security_groups, "SecurityGroups", GroupIds=list(ids))
    elsewhere = [g for g in groups if g["VpcId"] != vpc]
    if elsewhere:
        raise InputError(
            f"Not every security group given is in {vpc}, the VPC of the subnets.",
            remedy="Name security groups of that VPC, or none to have one made.",
            details=tuple(f"{g['GroupId']}: {g['VpcId']}" for g in elsewhere),
        )
    return ids


def default_group(aws: Aws, vpc: str) -> str:
    """Return the VPC's own group: nobody calls jobs."""
    named = {"Name": "group-name", "Values": ["default"]}
    with translate(f"default security group of {vpc}"):
        groups = found(aws.ec2.describe_security_groups, "SecurityGroups", Filters=[within(vpc), named])
    if not groups:
        raise InputError(f"{vpc} has no default security group to be seen.", "Name one: security-groups.")
    return str(groups[0]["GroupId"])


def given_balancer(aws: Aws, settings: ServiceSettings, vpc: str, there: Stack | None) -> Balancer:
    """Return the named load balancer, if its port is free."""
    wanted = settings.load_balancer
    query: Any = {"LoadBalancerArns": [wanted]} if wanted.startswith("arn:") else {"Names": [wanted]}
    with translate(f"load balancer {wanted}"):
        try:
            shown = aws.elbv2.describe_load_balancers(**query)["LoadBalancers"]
        except aws.elbv2.exceptions.LoadBalancerNotFoundException:
            shown = []
        if not shown or shown[0]["Type"] != "application":
            raise InputError(
                f"There is no application load balancer {wanted} in {aws.identity.region}.",
                remedy="Correct load-balancer, or set it to true to have one made.",
            )
        (balancer,) = shown
        arn = str(balancer["LoadBalancerArn"])
        if balancer["VpcId"] != vpc:
            raise InputError(
                f"Load balancer {wanted} is in {balancer['VpcId']}, the tasks are in {vpc}.",
                remedy="Name subnets of the load balancer's VPC (subnets).",
            )
        had = there.parameters if there and there.parameters.get("LoadBalancer") == arn else {}
        asked = {"Port": settings.listener_port, **({"TestPort": settings.test_port} if settings.shifts else {})}
        new = [port for name, port in asked.items() if had.get(name) != str(port)]
        if taken := sorted(set(new) & _ports(aws, arn)) if new else []:
            raise InputError(
                f"Port {taken[0]} of load balancer {wanted} answers for something else.",
                remedy="Choose a port that is free (load-balancer-port; a new version is tested 10,000 above it), or "
                "let the model have a load balancer of its own (load-balancer: true).",
            )
    return Balancer(arn, tuple(balancer.get("SecurityGroups", [])))


def check_file_system(aws: Aws, system: str, network: Network, progress: Progress) -> None:
    """Refuse another's file system that tasks could not mount."""
    with translate(f"volume {system}"):
        try:
            aws.efs.describe_file_systems(FileSystemId=system)
        except aws.efs.exceptions.FileSystemNotFound as error:
            raise InputError(
                f"There is no file system {system} here.", remedy="Correct volume: an id, or a name to have one made."
            ) from error
        pages = aws.efs.get_paginator("describe_mount_targets").paginate(FileSystemId=system)
        gone = ("deleting", "deleted")
        targets: list[Any] = [t for page in pages for t in page["MountTargets"] if t["LifeCycleState"] not in gone]
        elsewhere = [target for target in targets if target.get("VpcId") != network.vpc_id]
        if elsewhere:
            raise InputError(
                f"Volume {system} is mounted in {elsewhere[0].get('VpcId')}, the tasks run in {network.vpc_id}: "
                "a file system belongs to one VPC.",
                remedy="Name another volume, or run in that VPC (vpc, subnets).",
                details=tuple(f"{t['MountTargetId']}: {t.get('VpcId')}" for t in elsewhere),
            )
        lacking = sorted({s.zone for s in network.subnets} - {t.get("AvailabilityZoneName") for t in targets})
        if lacking:
            raise InputError(
                f"File system {system} has no mount target in {', '.join(lacking)}, where the tasks may run.",
                remedy="Make a mount target there, or name subnets in zones that have one.",
                details=tuple(f"{t['MountTargetId']}: {t.get('AvailabilityZoneName')}" for t in targets),
            )
        for target in targets:
            _warn_unless_admitted(aws, target["MountTargetId"], network.security_group_ids, progress)


def given_role(aws: Aws, wanted: str, which: str) -> str:
    """Return the ARN of a named role."""
    if wanted.startswith("arn:"):
        return wanted
    with translate(f"{which} {wanted}"):
        role = get_role(aws, wanted)
    if role is None:
        raise InputError(f"There is no role {wanted} ({which}).", f"Correct the name, or leave {which} out.")
    return str(role["Arn"])


def given_profile(aws: Aws, wanted: str) -> str:
    """Return the ARN of `instance-role`'s profile."""
    if wanted.startswith("arn:"):
        return wanted
    with translate(f"instance role {wanted}"):
        profile = get_instance_profile(aws, wanted)
    if profile is None:
        raise InputError(
            f"There is no instance profile {wanted} (instance-role).",
            remedy="Correct the name, or leave instance-role out: one of our own is made.",
        )
    return str(profile["Arn"])


def admits_somebody(rule: Any, port: int, groups: tuple[str, ...]) -> bool:
    """Tell whether a rule admits `groups`, or addresses, to TCP `port`."""
    pairs = {pair.get("GroupId") for pair in rule.get("UserIdGroupPairs", [])}
    if not (rule.get("IpRanges") or pairs & set(groups)):
        return False
    if rule["IpProtocol"] == "-1":
        return True
    return rule["IpProtocol"] in ("tcp", "6") and bool(rule["FromPort"] <= port <= rule["ToPort"])


def _one_vpc(subnets: list[Any], vpc: str) -> str:
    vpcs = {s["VpcId"] for s in subnets} | ({vpc} if vpc else set())
    if len(vpcs) != 1:
        raise InputError(
            "The subnets given are not all in one VPC" + (f", {vpc}." if vpc else "."),
            remedy="Name subnets of one VPC.",
            details=tuple(f"{s['SubnetId']}: {s['VpcId']}" for s in subnets),
        )
    return str(vpcs.pop())


def _ports(aws: Aws, arn: str) -> set[int]:
    pages = aws.elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
    return {listener["Port"] for page in pages for listener in page["Listeners"]}


def _warn_unless_admitted(aws: Aws, target: str, tasks: tuple[str, ...], progress: Progress) -> None:
    groups = aws.efs.describe_mount_target_security_groups(MountTargetId=target).get("SecurityGroups", [])
    # Asked for no group, EC2 would show all.
    described = found(aws.ec2.describe_security_groups, "SecurityGroups", GroupIds=groups) if groups else []
    rules = [rule for group in described for rule in group.get("IpPermissions", [])]
    if not any(admits_somebody(rule, _NFS, tasks) for rule in rules):
        whose = f"groups ({', '.join(tasks)})" if tasks else "own group"
        progress.warning(
            f"No security group of {target} admits TCP {_NFS} from the tasks' {whose}: tasks will not start until one "
            "does."
        )
