"""Makes the stack that a region's models share."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.names import SHARED
from model_dockerize.aws.ground.planned import make_stack
from model_dockerize.aws.ground.stacks import describe_stack
from model_dockerize.aws.ground.template import SHARED as TEMPLATE
from model_dockerize.aws.ground.template import load
from model_dockerize.aws.ground.values import LETTERS, Stack, Wanted
from model_dockerize.aws.model import Network, Subnet
from model_dockerize.aws.network.subnets import zone_names
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from model_dockerize.progress import Progress

_SUBNET_BITS = 28  # minus the prefix of the network, which is cut into 16 subnets


@dataclass(frozen=True)
class Needs:
    """Parts of the shared stack that a run needs."""

    cluster: bool = False
    instances: bool = False  # of AWS Batch
    zones: int = 0  # of the network; 0: no network
    private: bool = False  # its tasks have no public addresses
    vpc_cidr: str = ""
    role: str = ""  # ARN of the one that CloudFormation acts by from now on; empty: as it is


def ensure_shared(aws: Aws, needs: Needs, progress: Progress, pace: Pace | None = None) -> Stack:
    """Return the shared stack with what is needed."""
    there = describe_stack(aws, SHARED)
    wanted = _wanted(aws, needs, there, progress)
    if wanted.parameters.get("Cluster") and not (there and there.parameters.get("Cluster")):
        link_ecs(aws, progress)
    try:
        return make_stack(aws, wanted, there, progress, pace)
    except AwsAccessError as error:
        if there and there.role:
            error.remedy = f"Let an administrator run model-dockerize bootstrap with the same inputs. {error.remedy}"
        raise


def subnets_of(shared: Stack, count: int, private: bool) -> tuple[Subnet, ...]:
    """Return the shared network's first `count` subnets."""
    kind = "Private" if private else "Public"
    return tuple(
        Subnet(shared.outputs[f"{kind}{letter}"], shared.parameters[f"Zone{letter}"]) for letter in LETTERS[:count]
    )


def network_of(shared: Stack, zones: int, private: bool) -> Network:
    """Return the shared network in `zones` zones."""
    public = subnets_of(shared, len(shared.filled("Zone")), private=False)
    return Network(shared.outputs["Vpc"], subnets_of(shared, zones, private), (), public)


def is_cluster(aws: Aws, name: str) -> bool:
    """Tell whether the cluster exists."""
    with translate(f"cluster {name}"):
        found = aws.ecs.describe_clusters(clusters=[name])["clusters"]
    status = found[0]["status"] if found else "MISSING"
    if status not in ("ACTIVE", "PROVISIONING", "MISSING", "INACTIVE"):
        raise AwsError(f"Cluster {name} is {status}.", remedy="Wait until it is gone, or name another cluster.")
    return status in ("ACTIVE", "PROVISIONING")


def link_ecs(aws: Aws, progress: Progress) -> None:
    """Make ECS's role, without which an account's first stack fails."""
    try:
        aws.iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
        aws.settled(progress, "make", "role", "AWSServiceRoleForECS")
    except aws.iam.exceptions.InvalidInputException:
        pass  # It is there already.
    except ClientError as error:
        progress.info(f"role AWSServiceRoleForECS: left to ECS ({error})")


def _wanted(aws: Aws, needs: Needs, there: Stack | None, progress: Progress) -> Wanted:
    parameters: dict[str, str] = {}
    if aws.permissions_boundary:
        parameters["PermissionsBoundary"] = aws.permissions_boundary
    # Another one of that name may be there already: it is used as it is.
    if needs.cluster and ((there and there.parameters.get("Cluster")) or not is_cluster(aws, SHARED)):
        parameters["Cluster"] = SHARED
    if needs.instances:
        parameters["Instances"] = "true"
    if needs.zones:
        parameters |= _network(aws, needs, there, progress)
    tags = aws.tags if aws.tags or there is None else there.own_tags
    return Wanted(SHARED, load(TEMPLATE), parameters, tags, needs.role or (there.role if there else ""))


def _network(aws: Aws, needs: Needs, there: Stack | None, progress: Progress) -> dict[str, str]:
    parameters = {"Network": "true"}
    is_there = there is not None and there.parameters.get("Network") == "true"
    if needs.private:
        parameters["Private"] = "true"
    if there and is_there:
        cidr = there.parameters.get("VpcCidr", "")
        if needs.vpc_cidr and needs.vpc_cidr != cidr:
            progress.warning(f"The network is there with {cidr} and stays so: vpc-cidr counts when it is made.")
    elif needs.vpc_cidr:
        bits = _SUBNET_BITS - IPv4Network(needs.vpc_cidr).prefixlen
        parameters |= {"VpcCidr": needs.vpc_cidr, "SubnetBits": str(bits)}
    zones = there.filled("Zone") if there else ()
    if len(zones) < needs.zones:
        zones = _with_more(aws, zones, needs.zones)
        parameters |= {f"Zone{letter}": zone for letter, zone in zip(LETTERS, zones, strict=False)}
    return parameters


def _with_more(aws: Aws, zones: tuple[str, ...], count: int) -> tuple[str, ...]:
    # Each zone keeps its place, where its subnet is.
    with translate("availability zones"):
        described = aws.ec2.describe_availability_zones(
            Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
        )["AvailabilityZones"]
    known = zone_names(aws.identity.region, described)
    if count > len(known):
        raise InputError(
            f"zones is {count}, but Fargate runs in {len(known)} zones of {aws.identity.region}.",
            remedy=f"Set zones to at most {len(known)}.",
            details=tuple(known),
        )
    return (*zones, *(zone for zone in known if zone not in zones))[:count]
