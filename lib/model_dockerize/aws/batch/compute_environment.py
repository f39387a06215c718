"""Makes and changes our compute environments."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from model_dockerize.aws.batch.settling import GOING, once_gone, unlike, until_valid, warn_if_idle
from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.compare import Difference
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import BATCH, TAG
from model_dockerize.aws.client.retries import finds_what_was_lost
from model_dockerize.aws.client.waiting import Sleep
from model_dockerize.aws.existing.inputs import of_environment
from model_dockerize.aws.ground.foundations import ensure_instance_profile
from model_dockerize.aws.ground.given import given_role
from model_dockerize.aws.model import Action, Network
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import BatchSettings, as_found

#: Inputs that say where jobs run, and what of an environment they say.
_PLACE, _NETWORK = frozenset(("security_groups", "subnets", "vpc", "zones")), ("subnets", "securityGroupIds")
_LINKED_ROLE = "AWSServiceRoleForBatch"
#: Of a new environment for which nobody says how many.
_VCPUS = 128
#: What Batch changes without replacing instances.
_SCALING = ("maxvCpus", "minvCpus", "serviceRole", "state", "status")


@dataclass(frozen=True)
class ComputeEnvironment:
    """An environment, VALID or somebody else's."""

    arn: str
    name: str
    changed: bool  # made or changed by this call


def existing_environment(aws: Aws, name: str) -> ComputeEnvironment:
    """Return an existing environment."""
    with translate(f"compute environment {name}"):
        there = environment_of(aws, name)
    if there is None or there["status"] in GOING:
        raise InputError(
            f"There is no compute environment {name} in {aws.identity.region}.",
            "Describe it (comp_env in BatchConfig.yml, or compute-environment), or correct the name.",
        )
    return ComputeEnvironment(there["computeEnvironmentArn"], name, changed=False)


def ensure_compute_environment(
    aws: Aws,
    settings: BatchSettings,
    network: Network,
    platform: str,
    progress: Progress,
    sleep: Sleep = time.sleep,
) -> ComputeEnvironment:
    """Make or change our compute environment.

    Args:
        platform: of the jobs' image, e.g. linux/amd64.
    """
    name = settings.compute_environment
    there = _found(aws, name, progress, sleep)
    if there and TAG not in there.get("tags", {}):
        return _others(aws, name, there, progress)
    if there:
        settings = as_found(settings, of_environment(there))
    wanted = compute_resources(settings, network, platform)
    if there and not settings.given & _PLACE:
        now = there.get("computeResources") or {}
        wanted |= {key: now[key] for key in _NETWORK if key in now}
    if not wanted["type"].startswith("FARGATE"):
        wanted["instanceRole"] = ensure_instance_profile(aws, settings.instance_role, progress)
    role = given_role(aws, settings.service_role, "service-role") if settings.service_role else ""
    return converge_environment(aws, name, wanted, role, progress, sleep)


@finds_what_was_lost
def converge_environment(
    aws: Aws,
    name: str,
    wanted: dict[str, Any],
    role: str,
    progress: Progress,
    sleep: Sleep = time.sleep,
    making: Mapping[str, Any] = MappingProxyType({}),
) -> ComputeEnvironment:
    """Make or change the compute environment; ask Batch only.

    Args:
        wanted: without maxvCpus, a new one may have 128.
        role: of Batch; empty: its own, or as it is.
        making: `computeResources` of a new one.
    """
    what = f"compute environment {name}"
    there = _found(aws, name, progress, sleep)
    if there and TAG not in there.get("tags", {}):
        return _others(aws, name, there, progress)
    with translate(what):
        differing = _differing(there, wanted, role) if there else []
        changing = [each.path for each in differing]
        if there:
            _check_changes(name, there, wanted, changing)
            _warn_of_jobs(what, there, changing, progress)
        if there is None:
            own: Any = {"serviceRole": role} if role else {}
            aws.batch.create_compute_environment(
                computeEnvironmentName=name,
                type="MANAGED",
                state="ENABLED",
                computeResources={"maxvCpus": _VCPUS, **making, **wanted},  # type: ignore[arg-type]
                tags={TAG: BATCH, **aws.tags},
                **own,
            )
        elif differing:
            resources = {key: wanted[key] for key in changing if key in wanted}
            changes: Any = {"computeResources": resources} if resources else {}
            changes |= {"serviceRole": role} if "serviceRole" in changing else {}
            aws.batch.update_compute_environment(computeEnvironment=name, state="ENABLED", **changes)
        if there is None or differing or there["status"] != "VALID":
            until_valid(aws, what, lambda: environment_of(aws, name), there["status"] if there else "", sleep)
        arn: str = (environment_of(aws, name) or {"computeEnvironmentArn": name})["computeEnvironmentArn"]
    action: Action = "change" if differing else "leave" if there else "make"
    aws.settled(progress, action, "compute environment", name, *map(str, differing))
    return ComputeEnvironment(arn, name, changed=there is None or bool(differing))


def _found(aws: Aws, name: str, progress: Progress, sleep: Sleep) -> Any:
    what = f"compute environment {name}"
    with translate(what):
        return once_gone(aws, what, lambda: environment_of(aws, name), progress, sleep)


def _others(aws: Aws, name: str, there: Any, progress: Progress) -> ComputeEnvironment:
    warn_if_idle(f"compute environment {name}", there, progress)
    text = f"compute environment {name}: there, made by somebody else, so used as it is"
    aws.settled(progress, "leave", "compute environment", name, text=text)
    return ComputeEnvironment(there["computeEnvironmentArn"], name, changed=False)


def _differing(there: Any, wanted: Mapping[str, Any], role: str) -> list[Difference]:
    now = there.get("computeResources") or {}
    # How instances are chosen, and how few are kept, is nobody's input: what somebody chose for an environment stays.
    chosen = ("allocationStrategy", "minvCpus") if now.get("type") == wanted["type"] else ()
    asked = {key: value for key, value in wanted.items() if key not in chosen}
    return unlike({**there, **now}, {**asked, **({"serviceRole": role} if role else {}), "state": "ENABLED"})


def _check_changes(name: str, there: Any, wanted: Mapping[str, Any], differing: list[str]) -> None:
    # Source: "Performing infrastructure updates" in the Batch user guide, and UpdateComputeEnvironment.
    now = there.get("computeResources") or {}
    kind = str(now.get("type", there.get("type", "UNMANAGED")))
    instead = "Name another compute-environment (its queue moves over), or give the inputs that it has now."
    # Of Fargate environments, subnets, security groups and vCPUs can be changed, and nothing else.
    if _family(kind) != _family(wanted["type"]) or ("type" in differing and _family(kind) == "FARGATE"):
        raise InputError(f"Compute environment {name} is of type {kind} and cannot become {wanted['type']}.", instead)
    own = str(there.get("serviceRole", "")).rsplit("/", 1)[-1]
    is_linked = own in ("", _LINKED_ROLE)
    if "serviceRole" in differing and is_linked:
        raise InputError(
            f"Compute environment {name} uses Batch's own role. AWS lets no other (service-role) take its place.",
            instead.replace("give the inputs that it has now", "leave service-role out"),
        )
    replacing = _replacing(there, differing)
    if not replacing:
        return
    why = (
        f"its role is {own}, and only with Batch's own role ({_LINKED_ROLE}) can its instances be replaced"
        if not is_linked
        else "its allocation strategy is BEST_FIT, with which instances cannot be replaced"
        if now.get("allocationStrategy", "BEST_FIT") == "BEST_FIT"
        else ""
    )
    if why:
        raise InputError(f"Compute environment {name} cannot be changed in {', '.join(replacing)}: {why}.", instead)


def _warn_of_jobs(what: str, there: Any, differing: list[str], progress: Progress) -> None:
    replacing, policy = _replacing(there, differing), there.get("updatePolicy") or {}
    if replacing:
        # Source: UpdatePolicy in the API reference of Batch.
        minutes = policy.get("jobExecutionTimeoutMinutes", 30)
        when = "at once" if policy.get("terminateJobsOnUpdate") else f"after {minutes} minutes"
        fields = ", ".join(replacing)
        progress.warning(f"{what}: AWS replaces its instances for {fields}, and ends jobs that still run there {when}.")


def _replacing(there: Any, differing: list[str]) -> list[str]:
    """Return the fields for which Batch replaces instances; Fargate has none."""
    kind = str((there.get("computeResources") or {}).get("type", ""))
    return [] if _family(kind) == "FARGATE" else [key for key in differing if key not in _SCALING]


def compute_resources(settings: BatchSettings, network: Network, platform: str) -> dict[str, Any]:
    """Return `computeResources`, without the instance role."""
    kind = settings.compute_type
    resources: dict[str, Any] = {
        "type": kind,
        "maxvCpus": settings.max_vcpus,
        "subnets": sorted(network.subnet_ids),
        "securityGroupIds": sorted(network.security_group_ids),
    }
    if not kind.startswith("FARGATE"):
        if settings.gpus and not settings.instance_types:
            raise InputError(
                "A job asks for GPUs, and AWS chooses instances that have none where instance-types says nothing.",
                "Say which: instance-types, e.g. g5.xlarge.",
            )
        chosen = "default_arm64" if "arm64" in platform else "optimal"
        resources |= {
            "minvCpus": 0,
            "instanceTypes": sorted(settings.instance_types or (chosen,)),
            # With these strategies Batch can change an environment in place.
            "allocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED" if kind == "SPOT" else "BEST_FIT_PROGRESSIVE",
        }
    return resources


def environment_of(aws: Aws, name: str) -> Any:
    return next(iter(aws.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]), None)


def _family(kind: str) -> str:
    return "FARGATE" if kind.startswith("FARGATE") else "EC2"
