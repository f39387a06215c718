"""Every picture that ECS can show of our deployment, and what it means. Unknown is never green."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.ecs.rollout.judge import Deployment, Observation, interval, judge

OURS = "ecs-svc/2"


def deployment(number: int, state: str = "IN_PROGRESS", **changes: Any) -> Deployment:
    values: dict[str, Any] = {
        "id": f"ecs-svc/{number}",
        "primary": True,
        "task_definition_arn": f"td:{number}",
        "state": state,
        "reason": "",
        "desired": 1,
        "running": 0,
        "pending": 0,
        "failed": 0,
    }
    return Deployment(**{**values, **changes})


def look(*deployments: Deployment, status: str = "", reason: str = "", service: str = "ACTIVE") -> Observation:
    return Observation(service, deployments, status, reason)


OLD = deployment(1, "COMPLETED", primary=False, running=1)
NEWER = deployment(3, reason="ECS deployment ecs-svc/3 in progress.")
BACK = deployment(3, reason="ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.")


@pytest.mark.parametrize(
    ("observed", "seen", "outcome"),
    [
        # Under way
        (look(deployment(2, pending=1), OLD), True, None),
        (look(deployment(2, pending=1), OLD, status="IN_PROGRESS"), True, None),
        (look(deployment(2, running=1), OLD, status="IN_PROGRESS"), True, None),
        (look(deployment(2, failed=2), OLD, status="IN_PROGRESS"), True, None),
        (look(status="PENDING"), False, None),
        # Not visible yet
        (look(deployment(1, "COMPLETED", running=1)), False, None),
        (look(), True, None),
        # Done
        (look(deployment(2, "COMPLETED", running=1)), True, "deployed"),
        (look(deployment(2, "COMPLETED", running=1), status="SUCCESSFUL"), True, "deployed"),
        (look(deployment(2, "COMPLETED", running=1), status="IN_PROGRESS"), True, "deployed"),
        (look(deployment(2, "COMPLETED", desired=0)), True, "deployed"),
        # What the service went back to, of which only the other's service deployment is found
        (look(deployment(2, "COMPLETED", running=1), status="ROLLBACK_SUCCESSFUL"), True, "deployed"),
        (look(deployment(2, "COMPLETED", running=0), status="ROLLBACK_SUCCESSFUL"), True, None),
        # Done says ECS, but the tasks are not there
        (look(deployment(2, "COMPLETED", running=0)), True, None),
        (look(deployment(2, "COMPLETED", running=1, pending=1, desired=2), status="SUCCESSFUL"), True, None),
        # An endpoint that knows no rollout states
        (look(deployment(2, "", running=1)), True, "deployed"),
        (look(deployment(2, "", running=1), OLD), True, None),
        (look(deployment(2, "", desired=0)), True, None),
        # Failed, whatever way it shows first, and ECS leaves it there
        (look(deployment(2, "FAILED", failed=3)), True, "failed"),
        (look(deployment(2, "FAILED", failed=3), OLD), True, "failed"),
        (look(NEWER, deployment(2, "FAILED", primary=False)), True, "failed"),
        (look(NEWER, deployment(2, "FAILED", primary=False), status="STOPPED"), True, "failed"),
        (look(deployment(2), status="STOPPED"), True, "failed"),
        (look(deployment(2, "COMPLETED", running=1), service="DRAINING"), True, "failed"),
        (look(service="INACTIVE"), True, "failed"),
        # Failed, and ECS goes back: known once what was before serves in full, or once that failed too
        (replace(look(deployment(2, "FAILED", failed=3), OLD), rolls_back=True), True, None),
        (replace(look(deployment(2, "FAILED", failed=3)), rolls_back=True), True, "failed"),
        (look(BACK, deployment(2, "FAILED", primary=False)), True, None),
        (look(BACK), True, None),
        (look(BACK, OLD), True, "rolled-back"),
        (look(BACK, status="ROLLBACK_IN_PROGRESS"), True, None),
        (look(BACK, OLD, status="ROLLBACK_IN_PROGRESS"), True, "rolled-back"),
        (look(deployment(2, "FAILED"), OLD, status="ROLLBACK_IN_PROGRESS"), True, "rolled-back"),
        (look(deployment(2, "FAILED"), status="ROLLBACK_IN_PROGRESS"), True, "failed"),
        (look(deployment(2, "COMPLETED", running=1), status="ROLLBACK_REQUESTED"), True, None),
        (look(OLD, status="ROLLBACK_SUCCESSFUL"), True, "rolled-back"),
        (look(OLD, status="ROLLBACK_FAILED"), False, "failed"),
        # Waits for a person, and only while it is ours to wait for
        (replace(look(deployment(2), OLD), paused_at="hook 1"), True, "paused"),
        (replace(look(NEWER, deployment(2, primary=False)), paused_at="hook 1"), True, "superseded"),
        # Somebody else was faster: neither green nor our failure
        (look(NEWER, deployment(2, primary=False)), True, "superseded"),
        (look(NEWER), True, "superseded"),
        (look(NEWER, status="STOPPED"), True, "superseded"),
        (look(NEWER, status="STOPPED"), False, "superseded"),
        (look(replace(NEWER, reason="rolling back to 1."), status="STOPPED"), False, "superseded"),
        (look(BACK, status="SUCCESSFUL"), False, "superseded"),
        (look(BACK, status="SUCCESSFUL"), True, "superseded"),
        (look(NEWER, deployment(2, "COMPLETED", primary=False, running=1), status="SUCCESSFUL"), True, "superseded"),
    ],
)
def test_judgement(observed: Observation, seen: bool, outcome: str | None) -> None:
    judgement = judge(observed, OURS, seen)
    assert (judgement.outcome if judgement else None) == outcome
    assert judgement is None or judgement.reason


def test_the_reason_is_the_one_that_ecs_gives() -> None:
    said = judge(look(deployment(2, "FAILED", reason="tasks failed to start.")), OURS, seen=True)
    assert said
    assert said.reason == "tasks failed to start."


@pytest.mark.parametrize(
    ("since_start", "since_change", "calls", "misses", "seconds"),
    [
        (0, 0, 1, 0, 1),
        (9, 3, 9, 0, 2.2),
        (60, 3, 30, 0, 1),
        (60, 30, 30, 0, 2.2),
        (60, 30, 30, 1, 2),
        (9, 9, 9, 9, 32),
    ],
)
def test_interval(since_start: float, since_change: float, calls: int, misses: int, seconds: float) -> None:
    assert interval(since_start, since_change, calls, misses) == seconds
