"""Makes a model's stack."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.names import SHARED, log_group, model_stack
from model_dockerize.aws.ground.planned import make_stack
from model_dockerize.aws.ground.template import MODEL, load
from model_dockerize.aws.ground.values import Stack, Wanted, lettered
from model_dockerize.aws.model import TO_COME, Network
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

_MOST = 5  # blocks of addresses, and security groups of a load balancer
_LONGEST = 4000  # bytes of a parameter, of 4096 that CloudFormation takes
_NO_BALANCER = "no"


@dataclass(frozen=True)
class Balancer:
    """Another's load balancer, used for the model."""

    arn: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A service's network, load balancer and volume."""

    network: Network
    balancer: Balancer | None = None  # None: none, or one of the model's own
    volume: Stack | None = None
    file_system: str = ""  # of somebody else


@dataclass(frozen=True)
class Model:
    """A model's name and repository."""

    name: str
    repository: str
    health_path: str = "/ready"  # that a load balancer asks
    job_secrets: tuple[str, ...] = ()  # ARNs that jobs start with, beside the service's


def ensure_model(
    aws: Aws,
    settings: ServiceSettings,
    model: Model,
    execution_role: str,
    place: Place | None,
    shared: Stack,
    there: Stack | None,
    progress: Progress,
    pace: Pace | None = None,
) -> Stack:
    """Return the model's stack, as inputs say; the unsaid stays.

    Args:
        execution_role: ARN of a given one; empty: the stack's own.
        place: None: for jobs alone.
        there: the stack a moment ago.
    """
    name = model_stack(settings.cluster, model.name)
    parameters = {
        "Shared": "" if shared.id == TO_COME else shared.name,
        "Model": name.removeprefix(f"{SHARED}-"),
        "LogGroup": log_group(settings.cluster, model.name),
        "Repository": model.repository,
        "OwnExecutionRole": _text(not execution_role),
    }
    if boundary := aws.permissions_boundary or shared.parameters.get("PermissionsBoundary", ""):
        parameters["PermissionsBoundary"] = boundary
    if not execution_role:
        parameters |= _secrets((*settings.secret_arns, *model.job_secrets), there)
    if place:
        parameters |= _place(settings, place, shared)
        if settings.balanced:
            parameters["HealthPath"] = model.health_path
    elif there is None:
        parameters["OwnTaskGroup"] = "false"
    tags = aws.tags if aws.tags or there is None else there.own_tags
    return make_stack(aws, Wanted(name, load(MODEL), parameters, tags, shared.role), there, progress, pace)


def is_placed(stack: Stack | None) -> bool:
    """Tell whether it knows the service's network."""
    return bool(stack and stack.parameters.get("Subnets"))


def as_it_is(settings: ServiceSettings, stack: Stack | None) -> ServiceSettings:
    """Complete the settings from the stack."""
    if stack is None:
        return settings
    # In a plan, what is to come says nothing yet.
    had = {name: value for name, value in stack.parameters.items() if TO_COME not in value}
    kept = dict[str, object]()
    if not (settings.vpc or settings.subnets) and had.get("Vpc") and had.get("Subnets"):
        kept |= {"vpc": had["Vpc"], "subnets": tuple(had["Subnets"].split(","))}
    if not settings.security_groups and had.get("TaskGroups"):
        kept["security_groups"] = tuple(had["TaskGroups"].split(","))
    if settings.zones is None and had.get("Subnets"):
        kept["zones"] = len(had["Subnets"].split(","))
    if not settings.volume and had.get("Volume"):
        kept["volume"] = had["Volume"]
    if (balancer := had.get("LoadBalancer", _NO_BALANCER)) != _NO_BALANCER:
        if not settings.balanced:
            kept["load_balancer"] = "true" if balancer == "own" else balancer
        if "certificate" not in settings.given:
            kept["certificate"] = had.get("Certificate", "")
            # Where it is given, the port is that of HTTPS.
            if "load_balancer_port" not in settings.given:
                kept["load_balancer_port"] = int(had.get("Port", "0"))
    if not settings.allow_from and had.get("OwnTaskGroup") == "true":
        kept["allow_from"] = stack.filled("AllowFrom")
    return replace(settings, **kept)  # type: ignore[arg-type]


def _place(settings: ServiceSettings, place: Place, shared: Stack) -> dict[str, str]:
    network = place.network
    own = network.vpc_id == shared.outputs.get("Vpc", "") and network.vpc_id != TO_COME
    parameters = {
        "Vpc": "" if own else network.vpc_id,
        "Subnets": ",".join(network.subnet_ids),
        "OwnTaskGroup": _text(not network.security_group_ids),
        "TaskGroups": ",".join(network.security_group_ids),
    }
    if settings.allow_from:
        parameters |= lettered("AllowFrom", settings.allow_from, _MOST)
    if place.volume:
        parameters |= {
            "Volume": place.volume.outputs["FileSystem"],
            "VolumeGroup": place.volume.outputs["Group"],
            "VolumeStack": "" if place.volume.id == TO_COME else place.volume.name,
        }
    elif place.file_system:
        parameters |= {"Volume": place.file_system, "VolumeGroup": "", "VolumeStack": ""}
    if settings.balanced:
        parameters |= _balancing(settings, place.balancer, network)
    return parameters


def _balancing(settings: ServiceSettings, balancer: Balancer | None, network: Network) -> dict[str, str]:
    asked = {"Port": str(settings.listener_port), "Certificate": settings.certificate}
    if settings.shifts:
        asked["TestPort"] = str(settings.test_port)
    if balancer:
        return {**asked, "LoadBalancer": balancer.arn, **lettered("BalancerGroup", balancer.groups, _MOST)}
    subnets = sorted(subnet.id for subnet in network.public_subnets)
    if len(subnets) < 2:
        raise InputError(
            f"A load balancer needs public subnets in two availability zones; {network.vpc_id} has {len(subnets)}.",
            remedy="Set zones to 2 or more (own VPC), add public subnets to yours, or name a load balancer that is "
            "there (load-balancer).",
        )
    return {**asked, "LoadBalancer": "own", "BalancerSubnets": ",".join(subnets), **lettered("BalancerGroup", (), 5)}


def _secrets(wanted: Iterable[str], there: Stack | None) -> dict[str, str]:
    """Include a former revision's secrets, for rollback."""
    found = {}
    # Without one key or version of a secret. A parameter's bare name is of others, whose own role reads it.
    whole = [":".join(arn.split(":")[:7]) for arn in wanted if arn.startswith("arn:")]
    for parameter, service in (("Secrets", "secretsmanager"), ("SecretParameters", "ssm")):
        now = sorted({arn for arn in whole if arn.split(":")[2] == service})
        former = there.parameters.get(parameter, "").split(",") if there else []
        both = ",".join(sorted({*now, *filter(None, former)}))
        found[parameter] = both if len(both) <= _LONGEST else ",".join(now)
    return found


def _text(is_so: bool) -> str:
    return "true" if is_so else "false"
