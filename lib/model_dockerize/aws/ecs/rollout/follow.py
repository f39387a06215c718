"""Follows a deployment to its end, saying what happens while it happens."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import EXPIRED, code_of, passing, translate
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.ecs.rollout.judge import (
    Deployment,
    Judgement,
    Observation,
    deployments_of,
    interval,
    judge,
    paused_at,
    rolls_back,
)
from model_dockerize.aws.ecs.rollout.target_health import TargetWatch
from model_dockerize.aws.ecs.service import describe
from model_dockerize.aws.ecs.stopped_tasks import StoppedTask, diagnose, stopped_tasks
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsAccessError, AwsError, TimedOutError
from model_dockerize.outcome import Outcome
from model_dockerize.progress import Progress

#: Seconds within which a deployment and its service deployment are made.
_SAME_MOMENT = 2.0
#: Seconds between two looks at our service deployment while the service itself shows nothing that ends it.
_ASK_AGAIN = 15.0
#: Seconds after which a rollback that ECS was to begin by itself is not expected any more.
_ROLLBACK_BEGINS = 8.0
#: Looks in a row that AWS may leave unanswered (each is tried five times) before the run ends.
_MISSES = 6


@dataclass(frozen=True)
class Verdict:
    """The end of a deployment: what became of it, why, and the evidence."""

    outcome: Outcome
    reason: str
    seconds: float
    stopped_tasks: tuple[StoppedTask, ...]
    running_task_definition_arn: str | None  # what the service runs now; None: nothing
    stuck: bool  # the service still wants ours: nobody but us will put it back
    events: tuple[str, ...]  # of the service, during the deployment, oldest first
    targets: tuple[str, ...] = ()  # what the load balancer said of tasks that were not well

    def details(self) -> tuple[str, ...]:
        """Return the evidence: stopped tasks with their logs; without any, the service's events."""
        lines = [line for task in self.stopped_tasks for line in (task.summary(), *task.log)]
        return (*self.targets, *lines) or self.events[-10:]


def follow(
    aws: Aws,
    service: Service,
    timeout_seconds: float,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Verdict:
    """Watch the deployment `service.deployment_id` until it is over.

    Raises:
        TimedOutError: it was neither finished nor failed after `timeout_seconds`.
        AwsAccessError, AwsError: as AWS says.
    """
    with translate(f"follow service {service.name}"):
        return _Follower(aws, service, progress, sleep, monotonic).to_the_end(timeout_seconds)


class _Follower:
    """One deployment, with what has been seen and said of it so far."""

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
        self._calls = 0
        self._events: dict[str, str] = {}
        self._stopped: dict[str, StoppedTask] = {}
        self._arn: str | None = None  # of our service deployment, once found
        self._has_service_deployments = True
        self._ours: Any = None  # what our service deployment said last
        self._asked_at = self._started  # when it said so
        self._failed_at: float | None = None  # when our deployment was first seen FAILED
        self._picture: Any = None  # what the last look showed, to see changes
        self._line = ""  # the last line about counts
        self._targets = TargetWatch(aws, service.target_groups, progress)

    def to_the_end(self, timeout: float) -> Verdict:
        """Look until there is a verdict.

        Raises:
            TimedOutError: there was none after `timeout` seconds.
        """
        seen, misses, changed_at = False, 0, self._started
        while True:
            service: Any = None
            try:
                service = self._look()
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
                if self._tell(service, deployments):
                    changed_at = now
                    self._diagnose_new()
                judgement = self._judge(service, seen, now)
                if judgement:
                    return self._verdict(judgement, service["status"], deployments)
            if now - self._started >= timeout:
                self._time_is_up(timeout)
            self._sleep(interval(now - self._started, now - changed_at, self._calls, misses))

    def _look(self) -> Any:
        self._calls += 1
        return describe(self._aws, self._service.cluster, self._service.name)

    def _judge(self, service: Any, seen: bool, now: float) -> Judgement | None:
        """Judge one look. At an end, or now and then, ask our service deployment, too."""
        judgement = judge(self._observation(service, now), self._service.deployment_id, seen)
        if judgement or now - self._asked_at >= _ASK_AGAIN:
            self._asked_at = now
            if judgement is None:
                self._calls += self._targets.look()
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
        """Return our service deployment; None where endpoint, region or policy does not have it."""
        if not self._has_service_deployments:
            return None
        ecs = self._aws.ecs
        try:
            if self._arn is None:
                self._calls += 1
                found = ecs.list_service_deployments(cluster=self._service.cluster, service=self._service.name)
                made = next(
                    (d.get("createdAt") for d in service["deployments"] if d["id"] == self._service.deployment_id), None
                )
                self._arn = _ours(found["serviceDeployments"], self._service.deployment_id, made)
                if self._arn is None:
                    return None
            self._calls += 1
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

    def _tell(self, service: Any, deployments: tuple[Deployment, ...]) -> bool:
        """Say what is new: events, counts. Return whether anything is."""
        new = [
            e for e in reversed(service.get("events", [])) if e["id"] not in self._events and self._recent(e, service)
        ]
        for event in new:
            self._events[event["id"]] = event["message"]
            self._progress.info(event["message"])
        ours = next((d for d in deployments if d.id == self._service.deployment_id), None)
        changed = deployments != self._picture or bool(new)
        if ours and (self._picture is None or changed):
            others = sum(d.running for d in deployments if d.id != ours.id)
            counts = f"{ours.running} of {ours.desired} running, {ours.pending} pending, {ours.failed} failed"
            line = f"{short_arn(ours.task_definition_arn)}: {counts}" + (f"; {others} of before" if others else "")
            if line != self._line:
                self._line = line
                self._progress.info(line)
        self._picture = deployments
        return changed

    def _recent(self, event: Any, service: Any) -> bool:
        """Tell whether an event came with our deployment: a service keeps its last 100."""
        ours = [d for d in service["deployments"] if d["id"] == self._service.deployment_id]
        since = ours[0].get("createdAt") if ours else None
        return since is None or event["createdAt"] >= since

    def _diagnose_new(self) -> None:
        self._calls += 1 + self._targets.look()
        try:
            for task in stopped_tasks(self._aws, self._service, frozenset(self._stopped)):
                self._calls += 3
                self._stopped[task["taskArn"]] = diagnose(self._aws, task, self._progress, self._sleep)
        except (AwsError, AwsAccessError) as error:
            # The verdict does not hang on it.
            self._progress.warning(f"Stopped tasks cannot be looked at: {error}")

    def _verdict(self, judgement: Judgement, status: str, deployments: tuple[Deployment, ...]) -> Verdict:
        outcome = judgement.outcome
        if outcome in (Outcome.FAILED, Outcome.ROLLED_BACK):
            self._diagnose_new()
        running = _runs_now(deployments, self._service.deployment_id, outcome)
        seconds = self._monotonic() - self._started
        says = f"service {self._service.name}: {outcome} after {seconds:.0f} s"
        if outcome is Outcome.DEPLOYED:
            self._progress.info(says)
        else:
            now = short_arn(running) if running else "nothing"
            self._progress.warning(f"{says}: {judgement.reason} It runs {now} now.")
        return Verdict(
            outcome=outcome,
            reason=judgement.reason,
            seconds=seconds,
            stopped_tasks=tuple(self._stopped.values()),
            running_task_definition_arn=running,
            stuck=status == "ACTIVE" and any(d.id == self._service.deployment_id and d.primary for d in deployments),
            events=tuple(self._events.values()),
            targets=self._targets.lines,
        )

    def _time_is_up(self, timeout: float) -> None:
        self._diagnose_new()
        lines = [line for task in self._stopped.values() for line in (task.summary(), *task.log)]
        lines = [*self._targets.lines, *lines]
        raise TimedOutError(
            f"Service {self._service.name} was neither deployed nor failed after {timeout:.0f} s.",
            remedy="The deployment goes on by itself: run again to follow it, or raise wait-timeout.",
            details=tuple(lines) or tuple(self._events.values())[-10:],
        )


def _ours(deployments: list[Any], deployment_id: str, created_at: Any) -> str | None:
    """Return the ARN of the service deployment that DescribeServices calls `deployment_id`.

    The target revision has the deployment's number, but AWS promises that nowhere: else the time decides, which is the
    same for both because one call made both.
    """
    number = deployment_id.rsplit("/", 1)[-1]
    same = [d for d in deployments if short_arn(d.get("targetServiceRevisionArn", "")) == number]
    if not same and created_at:
        same = [d for d in deployments if abs((d["createdAt"] - created_at).total_seconds()) < _SAME_MOMENT]
    return str(same[0]["serviceDeploymentArn"]) if same else None


def _runs_now(deployments: tuple[Deployment, ...], deployment_id: str, outcome: Outcome) -> str | None:
    """Return the task definition that serves: ours if deployed, else what runs beside it."""
    candidates = [d for d in deployments if (d.id == deployment_id) == (outcome is Outcome.DEPLOYED)]
    candidates = [d for d in candidates if d.running > 0 or (d.primary and d.state == "COMPLETED" and d.desired > 0)]
    candidates.sort(key=lambda d: -d.running)
    return candidates[0].task_definition_arn if candidates else None
