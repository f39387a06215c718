"""Follows a deployment to its end."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import EXPIRED, code_of, passing, translate
from model_dockerize.aws.ecs.rollout.evidence import Evidence, Verdict
from model_dockerize.aws.ecs.rollout.judge import (
    Judgement,
    Observation,
    deployments_of,
    interval,
    judge,
    paused_at,
    rolls_back,
)
from model_dockerize.aws.ecs.rollout.service_deployment import ours_of
from model_dockerize.aws.ecs.rollout.shift import ShiftFollower
from model_dockerize.aws.ecs.service_state import describe
from model_dockerize.aws.model import Service
from model_dockerize.progress import Progress

#: Seconds between two looks at our service deployment while the service itself shows nothing that ends it.
_ASK_AGAIN = 15.0
#: Seconds after which a rollback that ECS was to begin by itself is not expected any more.
_ROLLBACK_BEGINS = 8.0
#: Looks in a row that AWS may leave unanswered (each is tried five times) before the run ends.
_MISSES = 6


def follow(
    aws: Aws,
    service: Service,
    timeout_seconds: float,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
    *,
    decided: str = "",
    skip_bake: bool = False,
) -> Verdict:
    """Watch the deployment until it ends or waits for us.

    Args:
        timeout_seconds: besides its strategy's minutes.
        decided: our pause that is over.
        skip_bake: end once it has all traffic.

    Raises:
        TimedOutError: neither came in time.
    """
    with translate(f"follow service {service.name}"):
        if service.shifts:
            shift = ShiftFollower(aws, service, progress, sleep, monotonic, decided)
            return shift.to_the_end(timeout_seconds, skip_bake)
        return _Follower(aws, service, progress, sleep, monotonic).to_the_end(timeout_seconds)


class _Follower:
    def __init__(
        self,
        aws: Aws,
        service: Service,
        progress: Progress,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._aws = aws
        self._service = service
        self._progress = progress
        self._sleep = sleep
        self._monotonic = monotonic
        self._started = monotonic()
        self._evidence = Evidence(aws, service, progress, sleep, monotonic)
        self._arn: str | None = None  # of our service deployment, once found
        self._has_service_deployments = True
        self._ours: Any = None  # what our service deployment said last
        self._asked_at = self._started  # when it said so
        self._failed_at: float | None = None  # when our deployment was first seen FAILED

    def to_the_end(self, timeout: float) -> Verdict:
        seen, misses, changed_at = False, 0, self._started
        while True:
            service: Any = None
            try:
                self._evidence.calls += 1
                service = describe(self._aws, self._service.cluster, self._service.name)
                misses = 0
            except (ClientError, BotoCoreError) as error:
                misses += 1
                if not passing(error) or misses > _MISSES:
                    raise
                self._progress.info(f"AWS did not answer, looking again: {error}")
            now = self._monotonic()
            if service:
                deployments = deployments_of(service)
                seen = seen or any(d.id == self._service.deployment_id for d in deployments)
                if self._evidence.tell(service, deployments):
                    changed_at = now
                    self._evidence.diagnose_new()
                judgement = self._judge(service, seen, now)
                if judgement:
                    return self._evidence.verdict(judgement, service["status"], deployments)
            if now - self._started >= timeout:
                raise self._evidence.time_is_up(timeout)
            self._sleep(interval(now - self._started, now - changed_at, self._evidence.calls, misses))

    def _judge(self, service: Any, seen: bool, now: float) -> Judgement | None:
        judgement = judge(self._observation(service, now), self._service.deployment_id, seen)
        if judgement or now - self._asked_at >= _ASK_AGAIN:
            self._asked_at = now
            if judgement is None:
                self._evidence.look_at_targets()
            self._ours = self._service_deployment(service) or self._ours
            judgement = judge(self._observation(service, now), self._service.deployment_id, seen)
        return judgement

    def _observation(self, service: Any, now: float) -> Observation:
        deployments = deployments_of(service)
        failed = any(d.id == self._service.deployment_id and d.state == "FAILED" for d in deployments)
        self._failed_at = (self._failed_at or now) if failed else None
        ours = self._ours or {}
        return Observation(
            service_status=service["status"],
            deployments=deployments,
            ours_status=ours.get("status", ""),
            ours_reason=ours.get("statusReason") or ours.get("rollback", {}).get("reason", ""),
            paused_at=paused_at(ours),
            rolls_back=rolls_back(service) and now - (self._failed_at or now) < _ROLLBACK_BEGINS,
        )

    def _service_deployment(self, service: Any) -> Any:
        if not self._has_service_deployments:
            return None
        ecs = self._aws.ecs
        try:
            if self._arn is None:
                self._evidence.calls += 1
                found = ecs.list_service_deployments(cluster=self._service.cluster, service=self._service.name)
                made = next(
                    (d.get("createdAt") for d in service["deployments"] if d["id"] == self._service.deployment_id), None
                )
                self._arn = ours_of(found["serviceDeployments"], self._service.deployment_id, made)
                if self._arn is None:
                    return None
            self._evidence.calls += 1
            found_now = ecs.describe_service_deployments(serviceDeploymentArns=[self._arn])["serviceDeployments"]
            return found_now[0] if found_now else None
        except ClientError as error:
            if passing(error):
                return None  # What the service itself shows decides until this answers again.
            if code_of(error) in EXPIRED:
                raise
            self._has_service_deployments = False
            self._progress.info(f"following the service itself: {error.operation_name} gives {code_of(error)}")
            return None
