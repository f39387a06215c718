"""Where Batch jobs run: a compute environment and its queue, made, changed where they differ, waited for."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.iam import ensure_batch_role, ensure_instance_profile
from model_dockerize.aws.lost import finds_what_was_lost
from model_dockerize.aws.names import BATCH, TAG
from model_dockerize.aws.network import Network
from model_dockerize.aws.session import Aws
from model_dockerize.errors import BatchError, InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import BatchSettings

Sleep = Callable[[float], None]
_SETTLE_SECONDS = 300.0
_LINKED_ROLE = "AWSServiceRoleForBatch"
#: What Batch changes without replacing instances.
_SCALING = ("maxvCpus", "minvCpus", "serviceRole", "state")


@dataclass(frozen=True)
class ComputeEnvironment:
    """A compute environment that is VALID."""

    arn: str
    name: str
    changed: bool  # made or changed by this call


@dataclass(frozen=True)
class JobQueue:
    """A job queue that is VALID."""

    arn: str
    name: str
    changed: bool  # made or changed by this call


def ensure_queue(
    aws: Aws, settings: BatchSettings, queue: str, network: Network, progress: Progress, sleep: Sleep = time.sleep
) -> JobQueue:
    """The queue `queue` feeds the compute environment that `settings` describes, and both are VALID.

    `changed` says whether either was made or changed.

    Raises:
        InputError: an environment of that name exists, of a kind that cannot become the wanted one.
        BatchError: AWS says INVALID; the reason is in it.
    """
    environment = ensure_compute_environment(aws, settings, network, progress, sleep)
    fed = feed(aws, queue, environment.arn, settings.queue_priority, progress, sleep)
    return replace(fed, changed=fed.changed or environment.changed)


def existing_environment(aws: Aws, name: str) -> ComputeEnvironment:
    """The compute environment `name`, as somebody made it.

    Raises:
        InputError: there is none.
    """
    with translate(f"compute environment {name}"):
        there = _environment(aws, name)
    if there is None:
        raise InputError(
            f"There is no compute environment {name} in {aws.identity.region}.",
            "Describe it (comp_env in BatchConfig.yml, or compute-environment), or correct the name.",
        )
    return ComputeEnvironment(there["computeEnvironmentArn"], name, changed=False)


@finds_what_was_lost
def feed(
    aws: Aws, queue: str, environment: str, priority: int, progress: Progress, sleep: Sleep = time.sleep
) -> JobQueue:
    """The queue `queue`, made or changed so that its jobs run in `environment` (ARN), and VALID.

    Raises:
        BatchError: AWS says INVALID; the reason is in it.
    """
    order = [{"order": 1, "computeEnvironment": environment}]
    with translate(f"job queue {queue}"):
        there = _queue(aws, queue)
        if there is None:
            aws.batch.create_job_queue(
                jobQueueName=queue,
                priority=priority,
                state="ENABLED",
                computeEnvironmentOrder=order,  # type: ignore[arg-type]
                tags={TAG: BATCH},
            )
        differing = _queue_differs(there, order, priority) if there else ()
        if differing:
            aws.batch.update_job_queue(
                jobQueue=queue,
                state="ENABLED",
                priority=priority,
                computeEnvironmentOrder=order,  # type: ignore[arg-type]
            )
        if there is None or differing or there["status"] != "VALID":
            _until_valid(f"job queue {queue}", lambda: _queue(aws, queue), sleep)
        arn: str = (_queue(aws, queue) or {"jobQueueArn": queue})["jobQueueArn"]
    aws.settled(progress, _action(there, differing), "job queue", queue, *differing)
    return JobQueue(arn, queue, changed=there is None or bool(differing))


@finds_what_was_lost
def ensure_compute_environment(
    aws: Aws, settings: BatchSettings, network: Network, progress: Progress, sleep: Sleep = time.sleep
) -> ComputeEnvironment:
    """The compute environment that `settings` describes, in `network`: made, or changed where it differs, and VALID.

    Raises:
        InputError: one of that name exists, of a kind that cannot become the wanted one.
        BatchError: AWS says INVALID; the reason is in it.
    """
    name = settings.compute_environment
    wanted = compute_resources(settings, network)
    if not wanted["type"].startswith("FARGATE"):
        wanted["instanceRole"] = ensure_instance_profile(aws, settings.instance_role, progress)
    role = ensure_batch_role(aws, settings.service_role, progress) if settings.service_role else ""
    with translate(f"compute environment {name}"):
        there = _environment(aws, name)
        differing = _differing(there, wanted, role) if there else ()
        if there:
            _check_changes(name, there, wanted, differing)
        if there is None:
            own: Any = {"serviceRole": role} if role else {}
            aws.batch.create_compute_environment(
                computeEnvironmentName=name,
                type="MANAGED",
                state="ENABLED",
                computeResources=wanted,  # type: ignore[arg-type]
                tags={TAG: BATCH},
                **own,
            )
        elif differing:
            resources = {key: wanted[key] for key in differing if key in wanted}
            changes: Any = {"computeResources": resources} if resources else {}
            changes |= {"serviceRole": role} if "serviceRole" in differing else {}
            aws.batch.update_compute_environment(computeEnvironment=name, state="ENABLED", **changes)
        if there is None or differing or there["status"] != "VALID":
            _until_valid(f"compute environment {name}", lambda: _environment(aws, name), sleep)
        arn: str = (_environment(aws, name) or {"computeEnvironmentArn": name})["computeEnvironmentArn"]
    aws.settled(progress, _action(there, differing), "compute environment", name, *differing)
    return ComputeEnvironment(arn, name, changed=there is None or bool(differing))


def _differing(there: Any, wanted: Mapping[str, Any], role: str) -> tuple[str, ...]:
    """The fields of the environment `there` that are not as wanted. Pure."""
    now = there.get("computeResources", {})
    # How instances are chosen, and how few are kept, is nobody's input: what somebody chose for an environment stays.
    chosen = ("allocationStrategy", "minvCpus") if now.get("type") == wanted["type"] else ()
    found = [key for key, value in wanted.items() if key not in chosen and not _same(key, now.get(key), value)]
    if role and not _same("serviceRole", there.get("serviceRole"), role):
        found.append("serviceRole")
    if there["state"] != "ENABLED":
        found.append("state")
    return tuple(found)


def _check_changes(name: str, there: Any, wanted: Mapping[str, Any], differing: tuple[str, ...]) -> None:
    """Raises InputError where Batch cannot change the environment in place: it says why, and what can be done. Pure.

    Source: "Performing infrastructure updates" in the Batch user guide, and UpdateComputeEnvironment.
    """
    now = there.get("computeResources", {})
    instead = "Name another compute-environment (its queue moves over), or give the inputs that it has now."
    if _family(now["type"]) != _family(wanted["type"]):
        raise InputError(
            f"Compute environment {name} is of type {now['type']} and cannot become {wanted['type']}.", instead
        )
    own = str(there.get("serviceRole", "")).rsplit("/", 1)[-1]
    is_linked = own in ("", _LINKED_ROLE)
    if "serviceRole" in differing and is_linked:
        raise InputError(
            f"Compute environment {name} uses Batch's own role. AWS lets no other (service-role) take its place.",
            instead.replace("give the inputs that it has now", "leave service-role out"),
        )
    replacing = [key for key in differing if key not in _SCALING]
    if not replacing or _family(now["type"]) == "FARGATE":
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


def compute_resources(settings: BatchSettings, network: Network) -> dict[str, Any]:
    """The `computeResources` that the settings mean, without the instance role. Pure."""
    kind = settings.compute_type
    resources: dict[str, Any] = {
        "type": kind,
        "maxvCpus": settings.max_vcpus,
        "subnets": sorted(network.subnet_ids),
        "securityGroupIds": sorted(network.security_group_ids),
    }
    if not kind.startswith("FARGATE"):
        resources |= {
            "minvCpus": 0,
            "instanceTypes": sorted(settings.instance_types or ("optimal",)),
            # With these strategies Batch can change an environment in place.
            "allocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED" if kind == "SPOT" else "BEST_FIT_PROGRESSIVE",
        }
    return resources


def _environment(aws: Aws, name: str) -> Any:
    found = aws.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    return next((e for e in found if e["status"] not in ("DELETED", "DELETING")), None)


def _queue(aws: Aws, name: str) -> Any:
    found = aws.batch.describe_job_queues(jobQueues=[name])["jobQueues"]
    return next((q for q in found if q["status"] not in ("DELETED", "DELETING")), None)


def _queue_differs(there: Any, order: list[dict[str, Any]], priority: int) -> tuple[str, ...]:
    fields = {"computeEnvironmentOrder": order, "state": "ENABLED", "priority": priority}
    return tuple(name for name, value in fields.items() if there[name] != value)


def _until_valid(what: str, look: Callable[[], Any], sleep: Sleep) -> None:
    """Batch has no waiters of its own. A look a second at first, seldom later."""
    waited, pause = 0.0, 1.0
    while (now := look()) is not None and now["status"] != "VALID":
        if now["status"] == "INVALID":
            raise BatchError(
                f"{what} is INVALID: {now.get('statusReason', 'AWS gives no reason')}",
                "Correct what the reason names (often a role, subnet or security group that is gone) and run again.",
            )
        if waited >= _SETTLE_SECONDS:
            raise BatchError(
                f"{what} is still {now['status']} after {waited:.0f} s: {now.get('statusReason', '')}",
                "Run again: it is found and waited for.",
            )
        sleep(pause)
        waited, pause = waited + pause, min(pause * 1.3, 5.0)


def _family(kind: str) -> str:
    return "FARGATE" if kind.startswith("FARGATE") else "EC2"


def _same(key: str, found: Any, wanted: Any) -> bool:
    if key in ("instanceRole", "serviceRole"):  # either may be a name or an ARN
        return str(found).rsplit("/", 1)[-1] == str(wanted).rsplit("/", 1)[-1]
    return sorted(found or []) == wanted if isinstance(wanted, list) else bool(found == wanted)


def _action(there: Any, differing: tuple[str, ...]) -> Any:
    return "change" if differing else "leave" if there else "make"
