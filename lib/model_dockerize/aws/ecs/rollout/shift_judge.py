"""Judges a deployment that moves traffic. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.ecs.rollout.judge import Judgement
from model_dockerize.aws.ecs.strategy import PAUSED_AT
from model_dockerize.outcome import Outcome

#: What ECS writes where there is nothing to go back to.
_NO_FORMER = "No rollback candidate"
_WORDS = {
    "RECONCILE_SERVICE": "former deployments are ended",
    "PRE_SCALE_UP": "the new version is about to start",
    "SCALE_UP": "the new version starts",
    "POST_SCALE_UP": "the new version is healthy",
    "TEST_TRAFFIC_SHIFT": "the test port moves to the new version",
    PAUSED_AT: "the new version answers on the test port",
    "PRE_PRODUCTION_TRAFFIC_SHIFT": "the traffic is about to move",
    "PRODUCTION_TRAFFIC_SHIFT": "the traffic moves",
    "POST_PRODUCTION_TRAFFIC_SHIFT": "the traffic has moved",
    "BAKE_TIME": "both versions run, and the traffic can move back at once",
    "CLEAN_UP": "the former version ends",
}
#: Stages at which the former version has all traffic. Before the first one there is none.
_BEFORE = frozenset(
    ("", "RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", PAUSED_AT)
)
_UNDER_WAY = ("PENDING", "IN_PROGRESS")


@dataclass(frozen=True)
class Hook:
    """A waiting pause."""

    id: str
    is_ours: bool
    expires_at: datetime | None


@dataclass(frozen=True)
class Shift:
    """One look at a service deployment; unknown is no end."""

    arn: str
    revision: str  # number of the new version's service revision, which is that of its deployment
    status: str
    stage: str
    reason: str
    waiting: tuple[Hook, ...]
    has_former: bool
    share: float  # percent of the traffic that the new version is to have
    minutes: float  # that its strategy takes after the traffic begins to move

    @classmethod
    def of(cls, shown: Any) -> "Shift":
        """Read one entry of DescribeServiceDeployments."""
        stage = shown.get("lifecycleStage", "")
        waiting = [hook for hook in shown.get("lifecycleHookDetails", []) if hook.get("status") == "AWAITING_ACTION"]
        return cls(
            arn=shown["serviceDeploymentArn"],
            revision=short_arn(shown.get("targetServiceRevision", {}).get("arn", "")),
            status=shown.get("status", ""),
            stage=stage,
            reason=shown.get("statusReason") or shown.get("rollback", {}).get("reason", ""),
            waiting=tuple(
                Hook(
                    hook.get("hookId", ""),
                    stage == PAUSED_AT
                    and hook.get("targetType") == "PAUSE"
                    and hook.get("timeoutAction") == "ROLLBACK",
                    hook.get("expiresAt"),
                )
                for hook in waiting
            ),
            has_former=bool(shown.get("sourceServiceRevisions")),
            share=float(shown.get("targetServiceRevision", {}).get("requestedProductionTrafficWeight", 0.0)),
            minutes=_minutes(shown.get("deploymentConfiguration", {})),
        )

    @property
    def is_under_way(self) -> bool:
        return self.status in _UNDER_WAY

    @property
    def goes_back(self) -> bool:
        """Tell whether traffic goes, or went, back."""
        return self.status.startswith("ROLLBACK_")

    @property
    def is_before_traffic(self) -> bool:
        return self.is_under_way and self.stage in _BEFORE

    def foreign(self, decided: str) -> Hook | None:
        """Return another's waiting pause; `decided`: ours that is over."""
        return next((hook for hook in self.waiting if not hook.is_ours and hook.id != decided), None)

    def pause(self, decided: str) -> Hook | None:
        """Return our pause, if it alone waits."""
        ours = [hook for hook in self.waiting if hook.is_ours and hook.id != decided]
        return ours[0] if self.is_under_way and len(ours) == len(self.waiting) == 1 else None

    def line(self) -> str:
        """Describe its progress for people."""
        if self.goes_back:
            done = " is back" if self.status == "ROLLBACK_SUCCESSFUL" else " goes back"
            return f"the traffic{done} at the former version: {self.reason or self.status}"
        words = _WORDS.get(self.stage, "")
        share = "" if self.stage in _BEFORE else f"; {self.share:g} % of the traffic is at the new version"
        return f"{self.stage or self.status}{f': {words}' if words else ''}{share}"


def judge_shift(look: Shift, is_replaced: bool, skip_bake: bool) -> Judgement | None:
    """Return the verdict; None: not known yet.

    Args:
        skip_bake: all traffic is enough.
    """
    found: Judgement | None = None
    if look.status == "SUCCESSFUL":
        found = Judgement(Outcome.DEPLOYED, look.reason or "all traffic is at the new version.")
    elif look.status == "ROLLBACK_FAILED" or (look.goes_back and _NO_FORMER in look.reason):
        found = Judgement(Outcome.FAILED, look.reason or "ECS could not go back.")
    elif look.status == "ROLLBACK_SUCCESSFUL":
        found = Judgement(Outcome.ROLLED_BACK, look.reason or "ECS moved the traffic back.")
    elif look.status == "STOPPED" and is_replaced:
        found = Judgement(Outcome.SUPERSEDED, look.reason or "a newer deployment took over.")
    elif look.status == "STOPPED":
        found = Judgement(Outcome.FAILED, look.reason or "the deployment was stopped.")
    elif look.is_under_way and look.stage == "BAKE_TIME" and (skip_bake or not look.has_former):
        # A first version has nothing to go back to: its bake proves nothing.
        found = Judgement(Outcome.DEPLOYED, "all traffic is at the new version, and ECS bakes it on.")
    return found


def _minutes(configuration: Any) -> float:
    minutes = float(configuration.get("bakeTimeInMinutes", 0))
    if canary := configuration.get("canaryConfiguration"):
        minutes += canary.get("canaryBakeTimeInMinutes", 0)
    if linear := configuration.get("linearConfiguration"):
        minutes += linear.get("stepBakeTimeInMinutes", 0) * (100 / max(linear.get("stepPercent", 100), 1))
    return minutes
