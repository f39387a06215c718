"""What a look at a service means for our deployment. Pure: values in, a judgement out. Unknown is never green."""

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["deployed", "failed", "superseded"]

_ROLLBACK = ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


@dataclass(frozen=True)
class Deployment:
    """One entry of a service's deployments."""

    id: str
    primary: bool
    task_definition_arn: str
    state: str  # COMPLETED, IN_PROGRESS, FAILED; empty: ECS does not say
    reason: str
    desired: int
    running: int
    pending: int
    failed: int


@dataclass(frozen=True)
class Observation:
    """One look: DescribeServices, and DescribeServiceDeployments where there is one of ours."""

    service_status: str
    deployments: tuple[Deployment, ...]
    ours_status: str  # of our service deployment: SUCCESSFUL, ROLLBACK_IN_PROGRESS, ...; empty: not known
    ours_reason: str
    failure_count: int  # of our service deployment's circuit breaker


@dataclass(frozen=True)
class Judgement:
    """What is known of our deployment, and why."""

    outcome: Outcome
    reason: str


def judge(look: Observation, deployment_id: str, seen: bool) -> Judgement | None:
    """The verdict on `deployment_id`, or None while nobody can know. `seen`: an earlier look showed the deployment."""
    ours = next((d for d in look.deployments if d.id == deployment_id), None)
    primary = next((d for d in look.deployments if d.primary), None)
    failure = _failure(look, ours, primary)
    if failure:
        return Judgement("failed", failure)
    if ours and ours.primary:
        return _finished(look, ours)
    if primary is None or not (ours or seen):
        return None  # ECS does not show our deployment everywhere yet.
    return Judgement("superseded", f"a newer deployment took over: {primary.id}.")


def _failure(look: Observation, ours: Deployment | None, primary: Deployment | None) -> str:
    """Why our deployment has failed; empty if it has not."""
    if look.service_status in ("DRAINING", "INACTIVE"):
        return f"the service is being deleted ({look.service_status})."
    if look.ours_status in _ROLLBACK:
        return look.ours_reason or "ECS rolls the deployment back."
    if ours and ours.state == "FAILED":
        return look.ours_reason or ours.reason or "ECS gave the deployment up."
    if ours and ours.primary and look.ours_status in ("STOPPED", "STOP_REQUESTED"):
        return look.ours_reason or "the deployment was stopped."
    if ours is None and primary and "rolling back" in primary.reason:
        return primary.reason
    return ""


def _finished(look: Observation, ours: Deployment) -> Judgement | None:
    full = ours.running >= ours.desired and ours.pending == 0
    if look.ours_status == "SUCCESSFUL" or (not look.ours_status and ours.state == "COMPLETED"):
        return Judgement("deployed", look.ours_reason or ours.reason or "steady state.") if full else None
    if ours.state == "" and not look.ours_status:
        alone = len(look.deployments) == 1
        return Judgement("deployed", "all tasks run.") if full and alone and ours.desired > 0 else None
    if ours.state == "COMPLETED" and full and look.ours_status in ("PENDING", "IN_PROGRESS"):
        # A change of only the number of tasks has no service deployment; and the two views may be a second apart.
        return Judgement("deployed", ours.reason or "steady state.")
    return None


def deployments_of(service: Any) -> tuple[Deployment, ...]:
    """The deployments of a DescribeServices answer."""
    return tuple(
        Deployment(
            id=d["id"],
            primary=d["status"] == "PRIMARY",
            task_definition_arn=d["taskDefinition"],
            state=d.get("rolloutState", ""),
            reason=d.get("rolloutStateReason", ""),
            desired=d.get("desiredCount", 0),
            running=d.get("runningCount", 0),
            pending=d.get("pendingCount", 0),
            failed=d.get("failedTasks", 0),
        )
        for d in service["deployments"]
    )


def interval(since_start: float, since_change: float, throttled: int) -> float:
    """Seconds until the next look: soon at the start and after a change, rarely in between, rarer when throttled."""
    usual = 1.0 if since_start < 30 or since_change < 15 else 2.5
    return float(min(32.0, usual * 2**throttled))
