"""Ends of a rollout that moves traffic, through the stage that a run takes, against the simulator of ECS over HTTP."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from model_dockerize.aws import ecs
from model_dockerize.aws.client import Aws, connect
from model_dockerize.aws.ecs import history
from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.aws.model import LoadBalancer
from model_dockerize.cancel import Cancelled
from model_dockerize.errors import AwsError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import deployed, operate
from model_dockerize.pipeline.context import Named, Prepared, Run
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import SERVICE
from model_dockerize.report import Recorder, Report
from model_dockerize.settings import to_settings
from model_dockerize.smoke import Expectation
from tests.rig.deployer import clocked
from tests.rig.ecs_shifts import CheckedWorld, ShiftingWorld
from tests.rig.ecs_simulator import BEGIN, Clock, Refusal, Simulator, simulator
from tests.rig.ecs_stories import Story
from tests.rig.reports import reported

from .test_outcomes import GROUND, IMAGE, Ears

_RULE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/b/1/2"
PRODUCTION, TEST = f"{_RULE}/3", f"{_RULE}/4"
BALANCER = LoadBalancer("a", "b", PRODUCTION, TEST, "arn:aws:iam::123456789012:role/traffic")
_ADDRESS = Address("http://green:10080", "http://green:10080", 3.0)
GOOD = Story(runs=10)


@dataclass
class Play:
    """A service behind a load balancer, and runs that deploy to it. `tested`: what production had at each test."""

    told: Simulator
    account: Any
    ears: Ears
    failures: list[tuple[str, ...]] = field(default_factory=list)  # of the next smoke tests
    in_test: Callable[[], None] = lambda: None
    tested: list[tuple[str, dict[str, int]]] = field(default_factory=list)  # where, and the weights of production

    @property
    def world(self) -> ShiftingWorld:
        assert isinstance(self.told.world, ShiftingWorld)
        return self.told.world

    def run(self, image: str = IMAGE, smoke_test: bool = True, fresh: bool = False, **changes: Any) -> Report:
        return reported(self._run(smoke_test, changes), lambda run: self._deploy(run, image, fresh))

    def rollback(self, to: str = "", dry_run: bool = False) -> Report:
        prepared = Prepared(Named("iris", "latest"), "", "linux/amd64", Expectation(""))
        asked = self._run(True, {})
        asked.settings = replace(asked.settings, run=replace(asked.settings.run, dry_run=dry_run))
        return reported(asked, lambda run: operate.rollback(run, self.account, prepared, to))

    def _run(self, smoke_test: bool, changes: dict[str, Any]) -> Run:
        settings = to_settings([])
        wanted = {"cluster": "c", "wait_timeout": 400, "load_balancer": "true", "bake_minutes": 1, **changes}
        service = replace(settings.service, given=frozenset(changes), **wanted)
        smoke = replace(settings.smoke, smoke_test=smoke_test, smoke_url="http://127.0.0.1:9")
        return Run(replace(settings, service=service, smoke=smoke), {}, Recorder(self.ears))

    def _deploy(self, run: Run, image: str, fresh: bool) -> Outcome:
        prepared = Prepared(Named("iris", "latest"), "", "linux/amd64", Expectation(""))
        asked = run.settings.service
        ground = replace(GROUND, load_balancer=BALANCER, settings=asked, fresh_roles=fresh, is_new=True)
        release = Release(run, prepared, self.account, uri=image, runtime=ground, changed=True)
        SERVICE.run(replace(release, pause=self.told.clock.sleep))
        return Outcome.DEPLOYED

    @property
    def changes(self) -> list[str]:
        return [name for _, name in self.told.calls if not name.startswith(("Describe", "List", "Get", "Register"))]

    def runs(self) -> str:
        asked = {"services": ["iris"], "cluster": "c"}
        found = self.world.answer("DescribeServices", asked, self.told.clock.monotonic())
        return str(found["services"][0]["taskDefinition"].rsplit("/", 1)[-1])

    def tags(self) -> dict[str, str]:
        asked = {"services": ["iris"], "cluster": "c", "include": ["TAGS"]}
        (found,) = self.world.answer("DescribeServices", asked, self.told.clock.monotonic())["services"]
        return {tag["key"]: tag["value"] for tag in found.get("tags", [])}

    def test(self, *given: Any) -> tuple[str, ...]:
        where = next(one.url for one in given if isinstance(one, Address))
        self.tested.append((where, dict(self.world.around.rules[PRODUCTION])))
        self.in_test()
        return self.failures.pop(0) if self.failures else ()


@pytest.fixture(scope="module")
def rig() -> Iterator[tuple[Simulator, Aws]]:
    with simulator(world=CheckedWorld) as told:
        connection = connect(to_settings([]).aws, told.environment(), Ears())
        told.hear(connection)
        yield told, connection


@pytest.fixture
def play(rig: tuple[Simulator, Aws], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Play]]:
    """Make a service with stories to come. Every clock is the simulator's."""
    told, account = rig
    told.clock, told.refusals, told.calls = Clock(), [], []
    monkeypatch.setattr("model_dockerize.aws.ecs.rollout.target_health.unwell", lambda *_: ())
    monkeypatch.setattr(deployed, "test_address", lambda *_: _ADDRESS)
    monkeypatch.setattr("time.sleep", told.clock.sleep)

    def begin(*stories: Story, running: str | None = "iris:1") -> Play:
        world = told.world = CheckedWorld(list(stories), BEGIN, running)
        world.around.rules = {PRODUCTION: {"a": 100, "b": 0}, TEST: {"a": 100, "b": 0}}
        if running:
            world.service.configuration = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
        made = Play(told, account, Ears(told.clock.monotonic))
        for name in ("smoke_waiting", "smoke_deployed", "smoke_again"):
            monkeypatch.setattr(deployed, name, made.test)
        return made

    with clocked(told.clock.sleep, told.clock.monotonic):
        yield begin


@contextmanager
def at_stage(run: Play, stage: str, act: Callable[[], object]) -> Iterator[None]:
    """Call `act` once, when the newest deployment has come to a stage of its lifecycle."""
    plain, met = run.told.clock.sleep, []

    def sleep(seconds: float) -> None:
        plain(seconds)
        asked = {"serviceDeploymentArns": [run.world.service.records[0].arn]}
        (seen,) = run.world._shown_deployments.describe_service_deployments(asked)["serviceDeployments"]
        if seen.get("lifecycleStage") == stage and not met:
            met.append(stage)
            act()

    with clocked(sleep, run.told.clock.monotonic):
        yield
    assert met == [stage]


def newer(image: str = "cd") -> str:
    return f"{IMAGE.partition('@')[0]}@sha256:{image * 32}"


def test_a_good_version_is_tested_without_traffic_and_then_has_all_of_it(play: Callable[..., Play]) -> None:
    run = play(GOOD)
    states: list[str] = []
    run.in_test = lambda: states.append(history.running(run.account, "c", "iris").state)
    report = run.run()
    assert (report.outcome, report.exit_code, report.rollout) == ("deployed", 0, "blue-green"), report.failure
    run.told.clock.sleep(100)
    assert [*states, history.running(run.account, "c", "iris").state] == ["IN_PROGRESS", "COMPLETED"]
    assert run.tested == [(_ADDRESS.url, {"a": 100, "b": 0})]
    assert run.world.around.rules[PRODUCTION] == {"a": 0, "b": 100}
    assert run.changes.count("ContinueServiceDeployment") == 1
    assert "model-dockerize:proving" not in run.tags()
    assert run.runs() == "iris:2"


def test_where_each_version_has_its_own_queue_the_next_one_is_told_of_with_the_remedy(
    play: Callable[..., Play], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(run: Play) -> list[str]:
        lines, run.ears.lines = run.ears.lines, []
        return [text for level, text in lines if level == "warning" and "queue-url" in text]

    first = play(GOOD, running=None)
    assert first.run().outcome == "deployed"
    assert told(first) == []  # there is no job that it could lose
    run = play(GOOD)
    assert run.run().outcome == "deployed"
    assert told(run) == [
        "Service iris: each version keeps its jobs on its own disk. What the former one accepted, and nobody has "
        "fetched when the traffic shifts, gets 404. With queue-url (PostgreSQL) no job is lost."
    ]
    run.told.clock.sleep(100)
    run.run()
    assert told(run) == []  # nothing changes
    shared = play(GOOD)
    assert shared.run(queue_url="postgresql://db/jobs", volume="jobs").outcome == "deployed"
    assert told(shared) == []
    foreign = play(GOOD)
    monkeypatch.setattr(Prepared, "made_here", False)
    assert foreign.run().outcome == "deployed"
    assert told(foreign) == []


def test_a_wrong_answer_goes_back_and_nobody_has_met_it(play: Callable[..., Play]) -> None:
    run = play(GOOD)
    run.failures = [("result: wrong",)]
    report = run.run()
    assert (report.outcome, report.exit_code) == ("smoke-failed-rolled-back", 12)
    assert report.failure
    assert "result: wrong" in report.failure.details
    assert "No user has met it: the service runs iris:1" in report.failure.message
    assert run.world.around.rules[PRODUCTION] == {"a": 100, "b": 0}
    assert run.runs() == "iris:1"
    assert "UpdateService" not in run.changes[run.changes.index("ContinueServiceDeployment") :]


def test_a_version_that_dies_is_rolled_back_by_ecs(play: Callable[..., Play]) -> None:
    run = play(Story(runs=2, dies=(6, 12, 18, 24)))
    report = run.run()
    assert (report.outcome, report.exit_code) == ("rolled-back", 11), report.failure
    assert report.failure
    assert any("exit code 1" in line for line in report.failure.details)
    assert (run.tested, run.runs()) == ([], "iris:1")


def test_a_version_that_is_never_healthy_is_taken_back_in_time(play: Callable[..., Play]) -> None:
    run = play(Story())
    run.world.stories[0] = Story(runs=10**6)
    report = run.run()
    assert (report.outcome, report.exit_code) == ("rolled-back", 11), report.failure
    assert "StopServiceDeployment" in run.changes
    assert run.runs() == "iris:1"


def test_a_deployment_without_a_stage_yet_has_no_more_time(play: Callable[..., Play]) -> None:
    run = play(Story(runs=10**6))
    described = run.world._shown_deployments.describe_service_deployments

    def pending(asked: dict[str, Any]) -> dict[str, Any]:
        said = described(asked)
        if run.told.clock.monotonic() < 30:
            for each in said["serviceDeployments"]:
                each["status"] = "PENDING"
                each.pop("lifecycleStage", None)
        return said

    run.world._shown_deployments.describe_service_deployments = pending  # type: ignore[method-assign]
    report = run.run()
    assert (report.outcome, report.exit_code) == ("rolled-back", 11), report.failure
    assert run.told.clock.monotonic() < 430


def test_the_first_version_ever(play: Callable[..., Play]) -> None:
    run = play(GOOD, running=None)
    report = run.run()
    assert (report.outcome, report.exit_code) == ("deployed", 0), report.failure
    assert run.told.clock.monotonic() < 120  # its bake has nothing to go back to


def test_a_first_version_that_answers_wrongly_leaves_no_task(play: Callable[..., Play]) -> None:
    run = play(GOOD, running=None)
    run.failures = [("result: wrong",)]
    report = run.run()
    assert (report.outcome, report.exit_code) == ("failed", 12), report.failure
    assert report.failure
    assert "no task is left" in report.failure.message
    assert run.world.service.desired == 0


def test_a_first_version_that_failed_may_be_deployed_again(play: Callable[..., Play]) -> None:
    run = play(GOOD, GOOD, running=None)
    run.failures = [("result: wrong",)]
    assert run.run().outcome == "failed"
    run.told.clock.sleep(100)
    again = run.run()
    assert (again.outcome, again.exit_code) == ("deployed", 0), again.failure
    assert run.world.service.desired == 1


def test_what_it_goes_back_to_counts_as_proved_only_if_it_was(play: Callable[..., Play]) -> None:
    run = play(GOOD, GOOD)
    run.run(wait=False)
    run.told.clock.sleep(1000)
    run.failures = [("result: wrong",)]
    report = run.run(newer())
    assert (report.outcome, report.exit_code) == ("smoke-failed-rolled-back", 12)
    assert report.failure
    assert "the service runs iris:2, which has not proved itself" in report.failure.message
    assert run.tags()["model-dockerize:proving"] == "iris:1"


def test_a_second_run_changes_nothing(play: Callable[..., Play]) -> None:
    run = play(GOOD)
    run.run()
    run.told.clock.sleep(1000)
    run.told.calls.clear()
    rules = dict(run.world.around.rules)
    report = run.run()
    assert (report.outcome, report.stages[0].status) == ("deployed", "unchanged"), report.failure
    assert run.changes == []
    assert run.world.around.rules == rules


class Killed(BaseException):
    """The process ends as by SIGKILL: nothing of ours runs afterwards."""


@pytest.mark.parametrize("comes", [True, False])
def test_a_killed_run_leaves_a_pause_for_the_next_one_or_to_ecs(
    play: Callable[..., Play], comes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play(GOOD, GOOD)

    def killed() -> None:
        raise Killed

    run.in_test = killed
    monkeypatch.setattr(ecs, "leave_or_put_back", lambda *_: None)
    with pytest.raises(Killed):
        run.run()
    run.in_test = lambda: None
    run.told.calls.clear()
    if not comes:
        run.told.clock.sleep(60 * 30)
        assert run.runs() == "iris:1"
    report = run.run()
    assert (report.outcome, report.exit_code) == ("deployed", 0), report.failure
    assert ("UpdateService" in run.changes) is not comes
    assert run.world.around.rules[PRODUCTION] == {"a": 0, "b": 100}


def test_a_run_that_was_killed_after_its_decision_is_followed_and_not_repeated(
    play: Callable[..., Play], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play(GOOD)

    def decided_and_killed(*given: Any, **more: Any) -> Any:
        found = run.account.ecs.describe_services(cluster="c", services=["iris"])["services"][0]
        pause = given[2]
        run.account.ecs.continue_service_deployment(
            serviceDeploymentArn=found["currentServiceDeployment"], hookId=pause.hook_id, action="CONTINUE"
        )
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(ecs, "end_pause", decided_and_killed)
        killing.setattr(ecs, "leave_or_put_back", lambda *_: None)
        with pytest.raises(Killed):
            run.run()
    run.told.calls.clear()
    report = run.run()
    assert (report.outcome, report.exit_code) == ("deployed", 0), report.failure
    assert not {"UpdateService", "ContinueServiceDeployment"} & set(run.changes)


def test_a_newer_build_replaces_one_that_waits_and_the_older_is_superseded(play: Callable[..., Play]) -> None:
    run = play(GOOD, GOOD)
    newest: list[Report] = []

    def meanwhile() -> None:
        run.in_test = lambda: None
        newest.append(run.run(newer()))

    run.in_test = meanwhile
    older = run.run()
    assert newest[0].outcome == "deployed", newest[0].failure
    assert (older.outcome, older.exit_code) == ("superseded", 14), older.failure
    assert run.runs() == "iris:3"


def test_what_the_test_port_answers_after_a_newer_build_took_it_is_no_wrong_answer(play: Callable[..., Play]) -> None:
    run = play(GOOD, GOOD)

    def meanwhile() -> None:
        run.in_test = lambda: None
        assert run.run(newer()).outcome == "deployed"
        run.failures = [("health: it answers as another build",)]

    run.in_test = meanwhile
    older = run.run()
    assert (older.outcome, older.exit_code) == ("superseded", 14), older.failure
    assert run.runs() == "iris:3"


def test_a_pause_that_ends_during_the_test_is_no_success(play: Callable[..., Play]) -> None:
    run = play(GOOD)
    run.in_test = lambda: run.told.clock.sleep(60 * 30)
    report = run.run()
    assert (report.outcome, report.exit_code) == ("rolled-back", 11), report.failure
    assert report.failure
    assert "timed out" in report.failure.message
    assert run.runs() == "iris:1"


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ClientException", "ServerException", "InvalidParameterException"]
)
def test_a_decision_that_is_refused(play: Callable[..., Play], code: str) -> None:
    run = play(GOOD)
    run.in_test = lambda: run.told.refusals.append(Refusal("ContinueServiceDeployment", code))
    report = run.run()
    wanted = ("paused", 15) if code.startswith("Access") else ("failed", 9)
    assert (report.outcome, report.exit_code) == wanted, report.failure
    run.told.refusals.clear()
    run.in_test = lambda: None
    assert run.run().outcome == "deployed"


@pytest.mark.parametrize("story", [Story(runs=10, alarmed=60), Story(runs=30, hook_fails=10)])
def test_what_others_watch_rolls_back(play: Callable[..., Play], story: Story) -> None:
    run = play(story)
    report = run.run()
    assert (report.outcome, report.exit_code) == ("rolled-back", 11), report.failure
    assert run.world.around.rules[PRODUCTION] == {"a": 100, "b": 0}


@pytest.mark.parametrize("stage", ["before", "SCALE_UP"])
def test_a_rule_that_somebody_deleted_is_told_and_nothing_of_the_new_version_is_met(
    play: Callable[..., Play], stage: str
) -> None:
    run = play(GOOD)
    if stage == "before":
        del run.world.around.rules[TEST]
        report = run.run()
    else:
        with at_stage(run, stage, lambda: run.world.around.rules.pop(TEST)):
            report = run.run()
    assert (report.outcome, report.exit_code) == ("rolled-back", 11), report.failure
    assert report.failure
    assert "invalid networking configuration. One or more rules not found" in report.failure.message
    assert "drift detection shows which" in report.failure.remedy
    assert run.world.around.rules == {PRODUCTION: {"a": 100, "b": 0}}
    assert run.tested == []


def test_the_share_of_a_canary_is_told(play: Callable[..., Play]) -> None:
    run = play(GOOD)
    report = run.run(rollout="canary", step_percent=20, queue_url="postgresql://h/d", volume="")
    assert (report.outcome, report.rollout) == ("deployed", "canary"), report.failure
    assert any("; 20 % of the traffic is at the new version" in text for _, text in run.ears.lines)


def test_a_role_that_ecs_does_not_see_yet_is_waited_for(play: Callable[..., Play]) -> None:
    run = play(*[GOOD] * 9, running=None)
    run.world.around.can_assume = False
    sees: list[float] = []

    def sleep(seconds: float, plain: Callable[[float], None] = run.told.clock.sleep) -> None:
        plain(seconds)
        if seconds == 5.0:
            sees.append(run.told.clock.monotonic())
            run.world.around.can_assume = len(sees) > 2

    run.told.clock.sleep = sleep  # type: ignore[method-assign]
    report = run.run(fresh=True)
    assert (report.outcome, report.exit_code) == ("deployed", 0), report.failure
    assert len(sees) == 3


def test_of_a_role_that_is_not_new_the_refusal_is_the_end(play: Callable[..., Play]) -> None:
    run = play(GOOD)
    run.world.around.can_assume = False
    report = run.run()
    assert (report.outcome, report.exit_code) == ("rolled-back", 11), report.failure
    assert report.failure
    assert "Infrastructure Role" in report.failure.message


@pytest.mark.parametrize(("on_cancel", "back"), [("leave", False), ("rollback", True)])
@pytest.mark.parametrize("rollout", ["blue-green", "rolling"])
def test_cancelled_in_the_smoke_test(play: Callable[..., Play], on_cancel: str, back: bool, rollout: str) -> None:
    run = play(GOOD, GOOD)

    def cancelled() -> None:
        raise Cancelled(signal.SIGTERM)

    run.in_test = cancelled
    report = run.run(on_cancel=on_cancel, rollout=rollout)
    assert report.outcome == "cancelled", report.failure
    assert any(text.startswith("Cancelled: ") for level, text in run.ears.lines if level == "warning")
    run.told.clock.sleep(120)
    assert run.runs() == ("iris:1" if back else "iris:2")
    if rollout == "blue-green":
        assert run.world.around.rules[PRODUCTION] == {"a": 100, "b": 0}


def test_a_test_that_cannot_be_made_leaves_it_without_traffic_and_says_so(play: Callable[..., Play]) -> None:
    run = play(GOOD)

    def broken() -> None:
        raise AwsError("no task can be started")

    run.in_test = broken
    report = run.run()
    assert report.exit_code == 9
    assert any("still waits for its test" in text for _, text in run.ears.lines)
    assert run.world.around.rules[PRODUCTION] == {"a": 100, "b": 0}


def test_a_dry_rollback_says_what_it_would_do_and_does_nothing(
    play: Callable[..., Play], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate.ecr, "version_and_build", lambda *_: ("2026.1", "b42"))
    run = play(GOOD)
    assert run.run().outcome == "deployed"
    run.told.calls.clear()
    report = run.rollback(dry_run=True)
    assert (report.outcome, report.failure, run.changes) == ("planned", None, [])
    (line,) = report.plan
    assert line.startswith("~ service iris: from revision 2 to 1 (")
    assert re.search(r", version 2026\.1, build b42\), deployed 20\d\d-\d\d-\d\d \d\d:\d\d UTC$", line), line
    assert run.runs() == "iris:2"


def test_rollback_in_the_bake_and_after_it(play: Callable[..., Play], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operate.ground, "as_deployed", lambda _account, settings, _name: settings)
    monkeypatch.setattr(operate.ecr, "version_and_build", lambda *_: ("", "build"))
    run = play(GOOD, GOOD, GOOD)
    assert run.run(skip_bake=True).is_baking
    since = run.told.clock.monotonic()
    back = run.rollback()
    assert back.exit_code == 0, back.failure
    assert run.told.clock.monotonic() - since < 15
    assert run.runs() == "iris:1"
    assert re.fullmatch(r"iris went back from 2 to 1, deployed 20\d\d-\d\d-\d\d \d\d:\d\d UTC", back.headline)
    assert run.world.around.rules[PRODUCTION] == {"a": 100, "b": 0}

    assert run.run().outcome == "deployed"
    run.told.clock.sleep(1000)
    run.tested.clear()
    assert history.running(run.account, "c", "iris").running
    again = run.rollback("1")
    assert again.exit_code == 0, again.failure
    assert run.runs() == "iris:1"
    assert [where for where, _ in run.tested] == [_ADDRESS.url]


def test_going_back_to_what_answers_wrongly_is_taken_back(
    play: Callable[..., Play], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate.ground, "as_deployed", lambda _account, settings, _name: settings)
    monkeypatch.setattr(operate.ecr, "version_and_build", lambda *_: ("", "build"))
    run = play(GOOD, GOOD)
    run.run()
    run.told.clock.sleep(1000)
    run.failures = [("health: 500",)]
    back = run.rollback()
    assert back.exit_code == 12
    assert back.failure
    assert "no user has met it" in back.failure.message
    assert run.runs() == "iris:2"


def test_who_does_not_wait_leaves_nothing_to_be_decided(play: Callable[..., Play]) -> None:
    run = play(GOOD)
    report = run.run(wait=False)
    assert report.failure is None
    run.told.clock.sleep(1000)
    assert run.runs() == "iris:2"
    assert run.world.around.rules[PRODUCTION] == {"a": 0, "b": 100}


def test_an_older_run_leaves_the_pause_of_a_newer_one_alone(play: Callable[..., Play]) -> None:
    run = play(GOOD, GOOD)
    older: list[Report] = []

    def meanwhile() -> None:
        run.told.calls.clear()
        older.append(run.run(newer(), run_number=7, workflow="me/it/deploy.yml"))
        assert run.changes == []

    run.in_test = meanwhile
    newest = run.run(run_number=8, workflow="me/it/deploy.yml")
    assert [(one.outcome, one.exit_code) for one in older] == [("superseded", 14)]
    assert newest.outcome == "deployed", newest.failure
    assert len(run.tested) == 1
    assert run.runs() == "iris:2"


@pytest.mark.parametrize(
    ("stage", "on_cancel", "runs"),
    [
        ("SCALE_UP", "leave", "iris:1"),  # nobody tests it, so its pause goes back
        ("SCALE_UP", "rollback", "iris:1"),
        ("BAKE_TIME", "leave", "iris:2"),
        ("BAKE_TIME", "rollback", "iris:1"),
    ],
)
def test_cancelled_while_it_is_followed(play: Callable[..., Play], stage: str, on_cancel: str, runs: str) -> None:
    run = play(GOOD)

    def cancel() -> None:
        raise Cancelled(signal.SIGTERM)

    with at_stage(run, stage, cancel):
        report = run.run(on_cancel=on_cancel)
    assert report.outcome == "cancelled", report.failure
    assert len(run.tested) == (stage == "BAKE_TIME")
    run.told.clock.sleep(60 * 60)
    assert run.runs() == runs


def test_a_pause_of_the_owner_before_each_step_is_told_each_time_and_the_next_run_goes_on(
    play: Callable[..., Play],
) -> None:
    run = play(GOOD)
    theirs = {
        **{"targetType": "PAUSE", "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]},
        "timeoutConfiguration": {"timeoutInMinutes": 1440, "action": "ROLLBACK"},
    }
    run.world.service.configuration["lifecycleHooks"] = [theirs]
    linear = {"rollout": "linear", "step_percent": 50, "step_minutes": 1, "queue_url": "postgresql://h/d", "volume": ""}
    shares = []
    for _ in range(2):
        report = run.run(**linear)
        assert (report.outcome, report.exit_code) == ("paused", 15), report.failure
        shares.append(run.world.around.rules[PRODUCTION]["b"])
        arn = run.world.service.records[0].arn
        (seen,) = run.account.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
        (hook,) = [one["hookId"] for one in seen["lifecycleHookDetails"] if one["status"] == "AWAITING_ACTION"]
        run.account.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook, action="CONTINUE")
    assert shares == [0, 50]
    report = run.run(**linear)
    assert report.outcome == "deployed", report.failure
    assert run.changes.count("UpdateService") == 1
    assert run.world.around.rules[PRODUCTION] == {"a": 0, "b": 100}
