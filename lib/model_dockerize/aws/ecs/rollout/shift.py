"""Follows a deployment that moves traffic."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import passing
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.ecs.rollout.decide import Action, decide
from model_dockerize.aws.ecs.rollout.evidence import Evidence, Pause, Verdict
from model_dockerize.aws.ecs.rollout.judge import Judgement, deployments_of
from model_dockerize.aws.ecs.rollout.service_deployment import ours_of
from model_dockerize.aws.ecs.rollout.shift_judge import Shift, judge_shift
from model_dockerize.aws.ecs.service_state import describe
from model_dockerize.aws.model import Service
from model_dockerize.outcome import Outcome
from model_dockerize.progress import Progress

_PACE = 2.2  # seconds between two looks
_SERVICE_EACH = 3  # looks
_MISSES = 6  # looks in a row that AWS may leave unanswered, each tried five times
#: Seconds for what ECS does besides the minutes of its strategy: rules, draining, going back. AWS names no number.
_AROUND = 600.0


class ShiftFollower:
    """Watches as `follow` does."""

    def __init__(
        self,
        aws: Aws,
        service: Service,
        progress: Progress,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
        decided: str,
    ) -> None:
        self._aws, self._service, self._progress = aws, service, progress
        self._sleep, self._monotonic, self._decided = sleep, monotonic, decided
        self._evidence = Evidence(aws, service, progress, sleep, monotonic)
        self._arn = ""  # of our service deployment, once found
        self._seen: Any = None  # the service, when it was last looked at
        self._line = ""
        self._told: set[str] = set()  # hooks of others
        self._given_up = ""  # why we asked ECS to go back

    def to_the_end(self, timeout: float, skip_bake: bool) -> Verdict:
        """Look until a verdict or our pause."""
        looks = misses = 0
        end = self._evidence.started + timeout
        has_moved = False
        while True:
            try:
                if looks % _SERVICE_EACH == 0 or not self._arn:
                    self._look_at_service()
                shift = self._look()
                looks, misses = looks + 1, 0
            except (ClientError, BotoCoreError) as error:
                misses += 1
                if not passing(error) or misses > _MISSES:
                    raise
                self._progress.info(f"AWS did not answer, looking again: {error}")
                shift = None
            else:
                if not self._arn and (verdict := self._without_history()):
                    return verdict
            if shift:
                if verdict := self._verdict(shift, skip_bake):
                    return verdict
                # What comes after the test takes as long as the strategy says.
                if not has_moved and not shift.is_before_traffic:
                    has_moved, end = True, max(end, self._monotonic() + 60 * shift.minutes + _AROUND)
            if self._monotonic() >= end:
                if (over := self._time_is_up(shift, timeout)) is not None:
                    return over
                end = self._monotonic() + _AROUND
            self._sleep(float(min(32, 2**misses)) if misses else _PACE)

    def _look_at_service(self) -> None:
        self._evidence.calls += 1
        found = describe(self._aws, self._service.cluster, self._service.name)
        if found is None:
            return
        is_first, self._seen = self._seen is None, found
        if self._evidence.tell(found, deployments_of(found)) and not is_first:
            self._evidence.diagnose_new()

    def _look(self) -> Shift | None:
        self._arn = self._arn or self._find()
        if not self._arn:
            return None
        if not (shown := self._described(self._arn)):
            return None
        shift = Shift.of(shown)
        if (line := shift.line()) != self._line:
            self._line = line
            (self._progress.warning if shift.goes_back else self._progress.info)(line)
        return shift

    def _described(self, arn: str) -> Any:
        self._evidence.calls += 1
        found = self._aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
        return found[0] if found else {}

    def _find(self) -> str:
        if self._seen is None:
            return ""
        number = self._service.deployment_id.rpartition("/")[2]
        current = str(self._seen.get("currentServiceDeployment", ""))
        if current and short_arn(self._described(current).get("targetServiceRevision", {}).get("arn", "")) == number:
            return current
        self._evidence.calls += 1
        found = self._aws.ecs.list_service_deployments(cluster=self._service.cluster, service=self._service.name)
        made = [d.get("createdAt") for d in self._seen["deployments"] if d["id"] == self._service.deployment_id]
        return ours_of(found["serviceDeployments"], self._service.deployment_id, made[0] if made else None) or ""

    def _without_history(self) -> Verdict | None:
        """Judge an unchanged service whose deployment ECS forgot."""
        deployments = deployments_of(self._seen) if self._seen else ()
        if self._service.changed or len(deployments) != 1 or deployments[0].id != self._service.deployment_id:
            return None
        (ours,) = deployments
        is_whole = ours.running >= ours.desired and not ours.pending
        return self._ended(Judgement(Outcome.DEPLOYED, "all tasks run."), None, False) if is_whole else None

    def _verdict(self, shift: Shift, skip_bake: bool) -> Verdict | None:
        if foreign := shift.foreign(self._decided):
            self._tell_of(foreign.id, shift)
        elif self._service.is_paused_by_us and (pause := shift.pause(self._decided)):
            until = f", until {pause.expires_at:%H:%M:%S} UTC" if pause.expires_at else ""
            reason = f"the new version waits for its test{until}; without an answer ECS takes it back."
            return self._ended(
                Judgement(Outcome.PAUSED, reason), Pause(shift.arn, pause.id, pause.expires_at), is_baking=False
            )
        if shift.status == "STOPPED":
            self._look_at_service()
        judgement = judge_shift(shift, self._is_replaced(), skip_bake)
        if judgement is None:
            return self._is_deleted()
        if self._given_up and judgement.outcome is Outcome.ROLLED_BACK:
            judgement = Judgement(judgement.outcome, self._given_up)
        return self._ended(judgement, None, is_baking=shift.is_under_way)

    def _ended(self, judgement: Judgement, pause: Pause | None, is_baking: bool) -> Verdict:
        if judgement.outcome is not Outcome.PAUSED:
            self._look_at_service()
        deployments = deployments_of(self._seen)
        return self._evidence.verdict(judgement, self._seen["status"], deployments, pause, is_baking)

    def _is_replaced(self) -> bool:
        primary = [d.id for d in deployments_of(self._seen) if d.primary]
        current = self._seen.get("currentServiceDeployment", self._arn)
        return current != self._arn or primary != [self._service.deployment_id]

    def _is_deleted(self) -> Verdict | None:
        status = self._seen["status"]
        if status not in ("DRAINING", "INACTIVE"):
            return None
        return self._ended(Judgement(Outcome.FAILED, f"the service is being deleted ({status})."), None, False)

    def _tell_of(self, hook: str, shift: Shift) -> None:
        if hook not in self._told:
            self._told.add(hook)
            self._progress.warning(
                f"A hook that is not ours waits at {shift.stage}: {hook}. Whoever put it there has to continue it, in "
                "the console or by ecs:ContinueServiceDeployment."
            )

    def _time_is_up(self, shift: Shift | None, timeout: float) -> Verdict | None:
        if shift and shift.is_under_way and (foreign := shift.foreign(self._decided)):
            reason = f"hook {foreign.id}, which is not ours, waits at {shift.stage}."
            return self._ended(Judgement(Outcome.PAUSED, reason), None, is_baking=False)
        asks = shift and shift.is_before_traffic and self._service.is_paused_by_us and not self._given_up
        if not (shift and asks):
            raise self._evidence.time_is_up(timeout)
        self._evidence.diagnose_new()
        self._given_up = f"it did not come as far as its test within {timeout:.0f} s (wait-timeout)."
        self._progress.warning(f"service {self._service.name}: {self._given_up} ECS is asked to go back.")
        decide(self._aws, shift.arn, "", Action.STOP, self._progress, self._sleep)
        return None
