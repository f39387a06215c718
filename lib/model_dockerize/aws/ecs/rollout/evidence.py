"""Gathers evidence of one deployment for its verdict."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.ecs.rollout.judge import Deployment, Judgement
from model_dockerize.aws.ecs.rollout.target_health import TargetWatch
from model_dockerize.aws.ecs.stopped_tasks import StoppedTask, diagnose, stopped_tasks
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsAccessError, AwsError, TimedOutError
from model_dockerize.log_lines import without_prefixes
from model_dockerize.outcome import Outcome
from model_dockerize.progress import Progress

#: How ECS says that it could not act by its role. Source: developer guide, "Troubleshooting Amazon ECS blue/green
#: deployments".
_NO_ROLE = "missing permissions on ECS Infrastructure Role"
#: How it says that a rule or target group is not as it must be. The same source.
_INVALID_NETWORK = "invalid networking configuration"


@dataclass(frozen=True)
class Pause:
    """Our hook, at which a new version waits."""

    service_deployment_arn: str
    hook_id: str
    expires_at: datetime | None  # when ECS takes it back by itself


@dataclass(frozen=True)
class Verdict:
    """A deployment's outcome and evidence."""

    outcome: Outcome
    reason: str
    seconds: float
    stopped_tasks: tuple[StoppedTask, ...]
    running_task_definition_arn: str | None  # what the service runs now; None: nothing
    stuck: bool  # the service still wants ours: nobody but us will put it back
    events: tuple[str, ...]  # of the service, during the deployment, oldest first
    targets: tuple[str, ...] = ()  # what the load balancer said of tasks that were not well
    pause: Pause | None = None  # it is not over: it waits for us
    is_baking: bool = False  # it has all traffic, and the former version still runs

    @property
    def lacks_role(self) -> bool:
        """Tell whether ECS could not use its role, which may be too new."""
        return self._says(_NO_ROLE)

    @property
    def meaning(self) -> str:
        """Return what the last stopped task's end usually means, as the beginning of a reason."""
        known = self.stopped_tasks[-1].hint.rstrip(".") if self.stopped_tasks else ""
        return f"{known}. " if known else ""

    @property
    def remedy(self) -> str:
        """Return what to do after a failed deployment."""
        if self._says(_INVALID_NETWORK):
            return (
                "Somebody changed a rule or target group that the model's stack made: CloudFormation's drift detection "
                "shows which. Put it back as the stack has it, or destroy the service, and run again."
            )
        if self.stopped_tasks:
            return "Correct what the stopped task says and run again."
        return "Correct what the reason says and run again."

    def details(self) -> tuple[str, ...]:
        return _lines(self.targets, self.stopped_tasks, self.events)

    def _says(self, words: str) -> bool:
        return any(words in text for text in (self.reason, *self.events))


class Evidence:
    """Everything seen of one deployment."""

    def __init__(
        self,
        aws: Aws,
        service: Service,
        progress: Progress,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls = 0
        self.started = monotonic()
        self._aws = aws
        self._service = service
        self._progress = progress
        self._sleep = sleep
        self._monotonic = monotonic
        self._events: dict[str, str] = {}
        self._stopped: dict[str, StoppedTask] = {}
        self._picture: Any = None  # what the last look showed, to see changes
        self._line = ""  # the last line about counts
        self._targets = TargetWatch(aws, service.target_groups, progress)

    def look_at_targets(self) -> None:
        """Report unhealthy targets."""
        self.calls += self._targets.look()

    def tell(self, service: Any, deployments: tuple[Deployment, ...]) -> bool:
        """Report what is new; tell whether anything is."""
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
        """Tell whether an event is ours: a service keeps 100."""
        ours = [d for d in service["deployments"] if d["id"] == self._service.deployment_id]
        since = ours[0].get("createdAt") if ours else None
        return since is None or event["createdAt"] >= since

    def diagnose_new(self) -> None:
        """Report stopped tasks and unhealthy targets."""
        self.calls += 1 + self._targets.look()
        try:
            for task in stopped_tasks(self._aws, self._service, frozenset(self._stopped)):
                self.calls += 3
                known = tuple(self._stopped.values())
                self._stopped[task["taskArn"]] = diagnose(self._aws, task, self._progress, self._sleep, known)
        except (AwsError, AwsAccessError) as error:
            # The verdict does not hang on it.
            self._progress.warning(f"Stopped tasks cannot be looked at: {error}")

    def verdict(
        self,
        judgement: Judgement,
        status: str,
        deployments: tuple[Deployment, ...],
        pause: Pause | None = None,
        is_baking: bool = False,
    ) -> Verdict:
        """Make the verdict, after a last look.

        Args:
            status: of the service.
        """
        outcome = judgement.outcome
        if outcome in (Outcome.FAILED, Outcome.ROLLED_BACK):
            self.diagnose_new()
        running = _runs_now(deployments, self._service.deployment_id, outcome)
        seconds = self._monotonic() - self.started
        says = f"service {self._service.name}: {outcome} after {seconds:.0f} s"
        if outcome is Outcome.DEPLOYED:
            self._progress.info(says)
        elif pause:
            self._progress.info(f"service {self._service.name}: {judgement.reason}")
        else:
            now = short_arn(running) if running else "nothing"
            self._progress.info(f"{says}: {judgement.reason} It runs {now} now.")
        return Verdict(
            outcome=outcome,
            reason=judgement.reason,
            seconds=seconds,
            stopped_tasks=tuple(self._stopped.values()),
            running_task_definition_arn=running,
            stuck=status == "ACTIVE" and any(d.id == self._service.deployment_id and d.primary for d in deployments),
            events=tuple(self._events.values()),
            targets=self._targets.lines,
            pause=pause,
            is_baking=is_baking,
        )

    def time_is_up(self, timeout: float) -> TimedOutError:
        """Return the error for an unknown end."""
        self.diagnose_new()
        return TimedOutError(
            f"Service {self._service.name} was neither deployed nor failed after {timeout:.0f} s.",
            remedy="The deployment goes on by itself: run again to follow it, or raise wait-timeout.",
            details=_lines(self._targets.lines, self._stopped.values(), tuple(self._events.values())),
        )


def _lines(targets: tuple[str, ...], stopped: Iterable[StoppedTask], events: tuple[str, ...]) -> tuple[str, ...]:
    last: dict[object, StoppedTask] = {}  # of those that stopped alike, the last end last
    for task in stopped:
        last.pop(task.kind, None)
        last[task.kind] = task
    lines = [line for task in last.values() for line in (task.summary(), *without_prefixes(task.log))]
    return (*targets, *lines) or events[-10:]


def _runs_now(deployments: tuple[Deployment, ...], deployment_id: str, outcome: Outcome) -> str | None:
    candidates = [d for d in deployments if (d.id == deployment_id) == (outcome is Outcome.DEPLOYED)]
    candidates = [d for d in candidates if d.running > 0 or (d.primary and d.state == "COMPLETED" and d.desired > 0)]
    candidates.sort(key=lambda d: -d.running)
    return candidates[0].task_definition_arn if candidates else None
