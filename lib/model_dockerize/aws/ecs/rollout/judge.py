"""Judges a deployment; unknown is never good. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from model_dockerize.outcome import Outcome

_STOPPED = ("STOPPED", "STOP_REQUESTED")


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
    """One look at the service."""

    service_status: str
    deployments: tuple[Deployment, ...]
    ours_status: str = ""  # of our service deployment: SUCCESSFUL, ROLLBACK_IN_PROGRESS, ...; empty: not known
    ours_reason: str = ""
    paused_at: str = ""  # the lifecycle hook that waits for a person; empty: none
    rolls_back: bool = False  # ECS goes back by itself when a deployment fails, but may not have begun to


@dataclass(frozen=True)
class Judgement:
    """A verdict and its reason."""

    outcome: Outcome
    reason: str


def judge(look: Observation, deployment_id: str, seen: bool) -> Judgement | None:
    """Return the verdict; None: not known yet. `seen`: by an earlier look."""
    ours = next((d for d in look.deployments if d.id == deployment_id), None)
    primary = next((d for d in look.deployments if d.primary), None)
    if look.ours_status == "ROLLBACK_SUCCESSFUL" and ours and ours.primary and ours.state == "COMPLETED":
        # It is what the service went back to: what was made in the same moment, and rolled back, was another.
        look = replace(look, ours_status="", ours_reason="")
    if look.service_status in ("DRAINING", "INACTIVE"):
        return Judgement(Outcome.FAILED, f"the service is being deleted ({look.service_status}).")
    # Complete, or stopped not for a failure of its own, and no longer what the service wants: replaced, maybe before
    # the first look, whatever became of the newer one (its rollback may lead back to ours).
    over = look.ours_status in ("STOPPED", "SUCCESSFUL")
    replaced = over and not (ours and (ours.primary or ours.state == "FAILED"))
    if not replaced and (look.ours_status.startswith("ROLLBACK_") or _is_on_the_way_back(ours, primary)):
        return _went_back(look, deployment_id, ours, primary)
    if ours and ours.primary:
        return _failed(look, ours) or _paused(look) or _finished(look, ours)
    if ours and ours.state == "FAILED":
        return Judgement(Outcome.FAILED, look.ours_reason or ours.reason or "ECS gave the deployment up.")
    if primary is None or not (ours or seen or replaced):
        return None  # ECS does not show our deployment everywhere yet.
    return Judgement(Outcome.SUPERSEDED, f"a newer deployment took over: {primary.id}.")


def _is_on_the_way_back(ours: Deployment | None, primary: Deployment | None) -> bool:
    return bool(primary and not (ours and ours.primary) and "rolling back" in primary.reason)


def _went_back(
    look: Observation, deployment_id: str, ours: Deployment | None, primary: Deployment | None
) -> Judgement | None:
    others = [d for d in look.deployments if d.id != deployment_id]
    back = primary if primary and primary.id != deployment_id else None
    reason = look.ours_reason or (back and back.reason) or (ours and ours.reason) or "ECS rolls the deployment back."
    nowhere = bool(ours and ours.state == "FAILED" and not others)
    if look.ours_status == "ROLLBACK_FAILED" or (back and back.state == "FAILED") or nowhere:
        return Judgement(Outcome.FAILED, reason)
    wanted = max((d.desired for d in (back, ours) if d), default=0)
    serves = bool(others) and sum(d.running for d in others) >= wanted
    return Judgement(Outcome.ROLLED_BACK, reason) if serves or look.ours_status == "ROLLBACK_SUCCESSFUL" else None


def _failed(look: Observation, ours: Deployment) -> Judgement | None:
    if look.ours_status in _STOPPED:
        return Judgement(Outcome.FAILED, look.ours_reason or "the deployment was stopped.")
    if ours.state != "FAILED" or (look.rolls_back and len(look.deployments) > 1):
        return None
    return Judgement(Outcome.FAILED, look.ours_reason or ours.reason or "ECS gave the deployment up.")


def _paused(look: Observation) -> Judgement | None:
    return Judgement(Outcome.PAUSED, f"it waits for a decision at {look.paused_at}.") if look.paused_at else None


def _finished(look: Observation, ours: Deployment) -> Judgement | None:
    full = ours.running >= ours.desired and ours.pending == 0
    if look.ours_status == "SUCCESSFUL" or (not look.ours_status and ours.state == "COMPLETED"):
        return Judgement(Outcome.DEPLOYED, look.ours_reason or ours.reason or "steady state.") if full else None
    if ours.state == "" and not look.ours_status:
        alone = len(look.deployments) == 1
        return Judgement(Outcome.DEPLOYED, "all tasks run.") if full and alone and ours.desired > 0 else None
    if ours.state == "COMPLETED" and full and look.ours_status in ("PENDING", "IN_PROGRESS"):
        # A change of only the number of tasks has no service deployment; and the two views may be a second apart.
        return Judgement(Outcome.DEPLOYED, ours.reason or "steady state.")
    return None


def deployments_of(service: Any) -> tuple[Deployment, ...]:
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


def rolls_back(service: Any) -> bool:
    """Tell whether ECS goes back after a failure."""
    breaker = service.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
    return bool(breaker.get("enable") and breaker.get("rollback"))


def paused_at(service_deployment: Any) -> str:
    """Return the hook that waits for a person, if any."""
    for hook in service_deployment.get("lifecycleHookDetails", []):
        if hook.get("status") == "AWAITING_ACTION":
            stage = service_deployment.get("lifecycleStage", "")
            return f"hook {hook.get('hookId', '')}" + (f" (stage {stage})" if stage else "")
    return ""


def interval(since_start: float, since_change: float, calls: int, misses: int) -> float:
    """Return the seconds until the next look.

    A look every 2.2 s is 1.1 s late on average at 0.45 calls a second; the budget is half a call a second.
    `misses`: looks in a row that failed.
    """
    if misses:
        return float(min(32, 2**misses))
    soon = since_change < 10 and calls < 3 + 0.5 * since_start
    return 1.0 if soon else 2.2
