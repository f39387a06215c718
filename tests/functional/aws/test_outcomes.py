"""Twenty ends that a rollout can have, through the stage that a run takes, against the simulator of ECS over HTTP."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws import ecs
from model_dockerize.aws.client import Aws, connect
from model_dockerize.aws.ecs import history, service_log
from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.aws.ecs.rollout.follow import follow
from model_dockerize.aws.ecs.rollout.rollback import end_pause, rollback
from model_dockerize.aws.ecs.service_log import follow_log, log_lines
from model_dockerize.aws.model import Foundations
from model_dockerize.cancel import Cancelled
from model_dockerize.errors import InputError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import deployed
from model_dockerize.pipeline.context import Named, Prepared, Run
from model_dockerize.pipeline.everything import outcome as outcome_of
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import SERVICE
from model_dockerize.report import Recorder, Report
from model_dockerize.settings import to_settings
from model_dockerize.smoke import Expectation
from tests.rig.ecs_simulator import BEGIN, Clock, Refusal, Simulator, simulator
from tests.rig.ecs_stories import Story
from tests.rig.ecs_world import World
from tests.rig.reports import reported

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/iris@sha256:" + "ab" * 32
GROUND = Foundations(
    execution_role_arn="arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
    task_role_arn="arn:aws:iam::123456789012:role/model-dockerize-task",
    log_group="/model-dockerize/iris",
    fresh_roles=False,
    vpc_id="vpc-0123456789abcdef0",
    subnet_ids=("subnet-0123456789abcdef0",),
    security_group_ids=("sg-0123456789abcdef0",),
    cluster="c",
    assign_public_ip=True,
    settings=to_settings([]).service,
)


@dataclass(frozen=True)
class Case:
    """A story of events, and how the run must end."""

    story: Story
    outcome: str
    code: int = 0
    says: str = ""
    running: str | None = "iris:1"
    refuses: tuple[Refusal, ...] = ()
    runs: str = ""  # what the service runs afterwards; empty: what was asked for
    within: float = 3.5  # seconds from the moment `known` to the verdict
    known: float | None = None


THROTTLED = Refusal("*", "ThrottlingException", 10, 50)
BROKEN = Refusal("*", "ServerException", 10, 50, status=500)
EXPIRED = Refusal("*", "ExpiredTokenException", 15)
DENIED = Refusal("ListServiceDeployments", "AccessDeniedException")

CASES = {
    "quick": Case(Story(steady=20), "deployed", known=20),
    "slow": Case(Story(runs=250, steady=290), "deployed", known=290),
    "the first deployment": Case(Story(steady=25), "deployed", running=None, known=25),
    "not visible at once": Case(Story(steady=30, visible=8), "deployed", known=30),
    "tasks of before drain long": Case(Story(steady=30, drained=300), "deployed", known=30),
    "one task dies, the next one runs": Case(Story(dies=(6,), runs=12, steady=30), "deployed", known=30),
    "breaker, ECS goes back": Case(
        Story(dies=(8, 16), fails=16, back=40), "rolled-back", 11, "threshold", runs="iris:1", known=17
    ),
    "breaker, ECS goes back, no service deployments": Case(
        Story(dies=(8, 16), fails=16, back=40), "rolled-back", 11, "rolling back", refuses=(DENIED,), runs="iris:1"
    ),
    "breaker, ECS leaves it": Case(
        Story(dies=(8, 16), fails=16), "rolled-back", 11, "was put back to iris:1", runs="iris:1"
    ),
    "breaker on the first deployment": Case(
        Story(dies=(8, 16), fails=16), "failed", 11, "0 tasks", running=None, known=16
    ),
    "ECS cannot go back": Case(Story(dies=(8, 16), fails=16, back_fails=30), "failed", 11, "threshold", runs="iris:1"),
    "somebody else deploys": Case(Story(superseded=20), "superseded", 14, "newer deployment", runs="iris:99", known=20),
    "somebody stops it": Case(Story(stopped=20), "rolled-back", 11, "stopped", runs="iris:1"),
    "somebody deletes the service": Case(Story(runs=60, deleted=20), "failed", 11, "being deleted", known=20),
    "a hook waits": Case(Story(paused=20, runs=60), "paused", 15, "hook-1", known=20, within=18),
    "neither in time": Case(Story(), "timed-out", 13, "neither deployed nor failed"),
    "throttled meanwhile": Case(Story(steady=80), "deployed", refuses=(THROTTLED,)),
    "AWS fails meanwhile": Case(Story(steady=80), "deployed", refuses=(BROKEN,)),
    "credentials expire": Case(Story(steady=80), "failed", 8, "expired", refuses=(EXPIRED,), known=15),
    "service deployments denied": Case(Story(steady=40), "deployed", refuses=(DENIED,), known=40),
}


@pytest.fixture(scope="module")
def rig() -> Any:
    with simulator() as told:
        connection = connect(to_settings([]).aws, told.environment(), Ears())
        told.hear(connection)
        yield told, connection


class Ears:
    """A display and a Progress that remember everything, and when the first warning came."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.lines: list[tuple[str, str]] = []
        self.heard: list[float] = []
        self._now = now

    def begin(self, stage: str) -> None: ...

    def end(self, result: Any) -> None: ...

    def line(self, stage: str, level: str, text: str, file: Path | None = None, line: int | None = None) -> None:
        self.lines.append((level, text))
        self.heard.append(self._now())

    def transfer(self, *_: object) -> None: ...

    def tick(self) -> None: ...

    def secret(self, value: str) -> None: ...

    def info(self, text: str) -> None: ...

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None: ...

    def output(self, text: str) -> None: ...


@dataclass
class Stage:
    """The deploy stage against the simulator; `run` is one run of it."""

    told: Simulator
    connection: Aws
    ears: Ears

    def run(self, smoke_test: Any = False, **changes: Any) -> Report:
        settings = to_settings([])
        service = replace(settings.service, cluster="c", wait_timeout=400, **changes)
        smoke = replace(settings.smoke, smoke_test=smoke_test, smoke_url="http://127.0.0.1:9")
        settings = replace(settings, service=service, smoke=smoke)
        return reported(Run(settings, {}, Recorder(self.ears)), self._deploy)

    def _deploy(self, run: Run) -> Outcome:
        prepared = Prepared(Named("iris", "latest"), "", "linux/amd64", Expectation(""))
        SERVICE.run(Release(run, prepared, self.connection, uri=IMAGE, runtime=GROUND, changed=True))
        return Outcome.DEPLOYED


@pytest.fixture
def stage(rig: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stage]:
    """Make services with stories. Every clock is the simulator's: the follower's, and that of botocore's back-off."""
    told, connection = rig

    def begin(*stories: Story, running: str | None = "iris:1", refuses: tuple[Refusal, ...] = ()) -> Stage:
        told.world, told.clock = World(list(stories), BEGIN, running), Clock()
        told.refusals, told.calls = list(refuses), []
        clock = {"sleep": told.clock.sleep, "monotonic": told.clock.monotonic}
        monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=told.clock.sleep, time=time.time))
        for name, function in (("follow", follow), ("rollback", rollback), ("end_pause", end_pause)):
            monkeypatch.setattr(ecs, name, partial(function, **clock))
        return Stage(told, connection, Ears(told.clock.monotonic))

    return begin


def now_runs(told: Simulator) -> str:
    described = told.world.answer("DescribeServices", {"services": ["iris"]}, told.clock.monotonic())
    return str(described["services"][0]["taskDefinition"].rsplit("/", 1)[-1])


@pytest.mark.parametrize("name", CASES)
def test_every_end_is_named_right(stage: Callable[..., Stage], name: str) -> None:
    case = CASES[name]
    deploying = stage(case.story, running=case.running, refuses=case.refuses)
    report = deploying.run()
    failure = report.failure
    assert (report.outcome, report.exit_code) == (case.outcome, case.code), failure
    if failure:
        assert case.says in f"{failure.message} {failure.details}"
        assert failure.remedy
    assert now_runs(deploying.told) == (case.runs or "iris:2")
    asked_at = next(at for at, call in deploying.told.calls if call in ("CreateService", "UpdateService"))
    if case.known is not None:
        assert case.known <= deploying.told.clock.monotonic() - asked_at < case.known + case.within
    if case.story.dies:
        assert any("exit code 1" in text for level, text in deploying.ears.lines if level == "warning")
        last_line = deploying.ears.lines.index(("output", "ImportError: no module named 'weights'"))
        assert deploying.ears.heard[last_line] - asked_at - case.story.dies[0] < 3


def test_without_wait_it_is_only_started(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=20))
    report = deploying.run(smoke_test=True, wait=False)
    assert report.failure is None
    asked = [call for _, call in deploying.told.calls]
    assert "UpdateService" in asked
    assert not {"ListServiceDeployments", "DescribeServiceDeployments", "ListTasks"} & set(asked)
    assert any("does not know how it ends" in text for _, text in deploying.ears.lines)


@pytest.mark.parametrize(
    ("wait", "deploy_service", "changed", "outcome"),
    [
        (True, True, True, "deployed"),
        (True, True, False, "unchanged"),
        (True, False, True, "pushed"),
        (False, False, True, "pushed"),
        (False, True, True, "started"),
        (False, True, False, "started"),
    ],
)
def test_what_nobody_waited_for_is_never_called_deployed(
    wait: bool, deploy_service: bool, changed: bool, outcome: str
) -> None:
    settings = to_settings([])
    service = replace(settings.service, wait=wait, deploy_service=deploy_service)
    assert outcome_of(replace(settings, service=service), changed) == outcome


def test_a_model_that_does_not_answer_is_rolled_back(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying = stage(Story(steady=20), Story(steady=15))
    told: list[str] = []

    def answers_not(*given: Any) -> tuple[str, ...]:
        told.extend(one.url for one in given if isinstance(one, Address))
        return ("health: FAILED: 500",)

    monkeypatch.setattr(deployed, "smoke_deployed", answers_not)
    report = deploying.run(smoke_test=True)
    assert (report.outcome, report.exit_code) == ("smoke-failed-rolled-back", 12)
    assert now_runs(deploying.told) == "iris:1"
    assert told == ["http://127.0.0.1:9"]
    assert report.failure
    assert "health: FAILED: 500" in report.failure.details


@pytest.mark.parametrize(
    ("smoke_test", "asked", "untested"),
    [(True, 1, ()), ("service", 1, ()), ("image", 0, ("service",)), (False, 0, ("service",))],
)
def test_which_half_of_the_smoke_test_is_the_services(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, smoke_test: Any, asked: int, untested: tuple[str, ...]
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(deployed, "smoke_deployed", lambda *_: calls.append(1) or ())
    deploying = stage(Story(steady=20))
    report = deploying.run(smoke_test=smoke_test)
    assert (report.outcome, len(calls), report.untested) == ("deployed", asked, untested)
    left_out = f"smoke-test is {str(smoke_test).lower()}: nobody has seen the service answer."
    assert (left_out in [text for _, text in deploying.ears.lines]) is bool(untested)


def test_an_image_that_nobody_tested_may_be_what_is_wrong(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployed, "smoke_deployed", lambda *_: ("health: FAILED: 500",))
    report = stage(Story(steady=20), Story(steady=15)).run(smoke_test="service")
    assert report.exit_code == 12
    assert report.failure and "the image was not tested before" in report.failure.remedy


def test_the_run_after_a_killed_one_puts_back_what_never_proved_itself(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying = stage(Story(steady=20), Story(steady=15))

    def killed(*_: Any) -> tuple[str, ...]:
        raise Cancelled(signal.SIGTERM)

    monkeypatch.setattr(deployed, "smoke_deployed", killed)
    assert deploying.run(smoke_test=True).outcome == "cancelled"
    assert now_runs(deploying.told) == "iris:2"

    monkeypatch.setattr(deployed, "smoke_deployed", lambda *_: ("health: FAILED: 500",))
    report = deploying.run(smoke_test=True)
    assert report.outcome == "smoke-failed-rolled-back"
    assert now_runs(deploying.told) == "iris:1"


def test_a_first_deployment_that_does_not_answer_has_nothing_to_roll_back_to_and_no_address(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying = stage(Story(steady=20), running=None)
    killed = "status: the job ended as Error: The program was killed by SIGKILL (often: out of memory)."
    monkeypatch.setattr(deployed, "smoke_deployed", lambda *_: (killed,))
    report = deploying.run(smoke_test=True, cpu=256, memory=512)
    assert (report.outcome, report.exit_code, report.url) == ("failed", 12, "")
    assert report.failure
    assert "512 MiB" in report.failure.remedy and "--memory 1024" in report.failure.remedy


def test_what_proved_itself_once_is_left_alone(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    deploying = stage(Story(steady=20))
    monkeypatch.setattr(deployed, "smoke_deployed", lambda *_: ())
    assert deploying.run(smoke_test=True).outcome == "deployed"
    monkeypatch.setattr(deployed, "smoke_again", lambda *_: ("health: FAILED: 500",))
    report = deploying.run(smoke_test=True)
    assert (report.outcome, report.exit_code) == ("failed", 12)
    assert now_runs(deploying.told) == "iris:2"


def test_a_second_run_finds_it_deployed_and_changes_nothing(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=20))
    assert deploying.run().outcome == "deployed"
    del deploying.told.calls[:]
    assert deploying.run().outcome == "deployed"
    calls = [call for _, call in deploying.told.calls]
    assert [c for c in calls if not c.startswith(("Describe", "List"))] == []
    assert deploying.told.calls[-1][0] - deploying.told.calls[0][0] < 2


def test_an_older_run_never_overwrites_a_newer_one(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=20))
    assert deploying.run(run_number=8, commit="c0ffee", workflow="me/it/deploy.yml").outcome == "deployed"
    assert deploying.told.world.tags["model-dockerize:run"] == "8"
    del deploying.told.calls[:]
    older = deploying.run(run_number=7, workflow="me/it/deploy.yml", memory=4096)
    assert (older.outcome, older.exit_code) == ("superseded", 14)
    assert older.failure
    assert "run 8 (c0ffee)" in older.failure.message
    assert [call for _, call in deploying.told.calls] == ["DescribeServices", "DescribeTaskDefinition"]
    # The numbers of another workflow, and runs without a number, are not in this order.
    assert deploying.run(run_number=1, workflow="me/it/other.yml", memory=4096).outcome == "deployed"
    assert deploying.run(memory=8192, cpu=2048).outcome == "deployed"


def test_another_program_never_takes_a_services_place_unless_that_is_meant(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=20))
    price, demand = "github.com/org/models//price/src", "github.com/org/models//demand/src"
    assert deploying.run().outcome == "deployed"  # by a version that did not know what it deploys
    assert deploying.run(source=price).outcome == "deployed"
    assert deploying.told.world.tags["model-dockerize:source"] == price
    del deploying.told.calls[:]
    other = deploying.run(source=demand, memory=4096)
    assert other.failure
    assert other.failure.message == f"Service iris runs another program: {price}. This one is {demand}."
    assert "image-name, or service" in other.failure.remedy
    assert "adopt" in other.failure.remedy
    assert [call for _, call in deploying.told.calls] == ["DescribeServices", "DescribeTaskDefinition"]
    assert deploying.run(memory=4096).outcome == "deployed"  # of an archive, nobody knows what it is
    assert deploying.run(source=price, memory=8192, cpu=2048).outcome == "deployed"
    assert deploying.run(source=demand, adopt=True, memory=4096).outcome == "deployed"
    assert deploying.told.world.tags["model-dockerize:source"] == demand
    assert deploying.run(source=demand, memory=8192, cpu=2048).outcome == "deployed"
    del deploying.told.calls[:]
    assert deploying.run(source=demand, memory=8192, cpu=2048).outcome == "deployed"
    assert [call for _, call in deploying.told.calls if not call.startswith(("Describe", "List"))] == []


def test_a_folders_name_becomes_a_tag_that_aws_takes(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=20))
    assert deploying.run(source="models/Größe\t1\n(alt)").outcome == "deployed"
    assert deploying.told.world.tags["model-dockerize:source"] == "models/Größe_1__alt_"


def test_a_program_of_a_long_name_has_its_own_tag(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=20))
    long = "github.com/org/models//" + "ä" * 300
    assert deploying.run(source=f"{long}/1").outcome == "deployed"
    assert len(deploying.told.world.tags["model-dockerize:source"]) == 256
    assert deploying.run(source=f"{long}/1", memory=4096).outcome == "deployed"
    assert "runs another program" in getattr(deploying.run(source=f"{long}/2").failure, "message", "")


def test_an_endpoint_without_thresholds_gets_the_breaker_without_them(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying = stage(Story(steady=20), running=None)
    update = deploying.told.world._update

    def old(asked: dict[str, Any], now: float) -> dict[str, Any]:
        from tests.rig.ecs_world import Refused

        if "thresholdConfiguration" in str(asked):
            raise Refused("InvalidParameterException", "Unknown parameter")
        return update(asked, now)

    monkeypatch.setattr(deploying.told.world, "_update", old)
    assert deploying.run().outcome == "deployed"
    assert deploying.told.world.configuration["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    del deploying.told.calls[:]
    assert deploying.run().outcome == "deployed"
    assert "UpdateService" not in [call for _, call in deploying.told.calls]


@pytest.mark.parametrize(
    ("on_cancel", "runs", "says"),
    [("leave", "iris:2", "goes on to iris:2 by itself"), ("rollback", "iris:1", "goes back from iris:2 to iris:1")],
)
def test_a_cancelled_run_says_what_goes_on(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, on_cancel: str, runs: str, says: str
) -> None:
    deploying = stage(Story(steady=60))

    def sleep(seconds: float) -> None:
        deploying.told.clock.sleep(seconds)
        if deploying.told.clock.monotonic() > 20:
            raise SystemExit(143)

    monkeypatch.setattr(ecs, "follow", partial(follow, sleep=sleep, monotonic=deploying.told.clock.monotonic))
    with pytest.raises(SystemExit):
        deploying.run(on_cancel=on_cancel)
    assert now_runs(deploying.told) == runs
    assert any(says in text for level, text in deploying.ears.lines if level == "warning")


def test_going_back_goes_to_what_was_deployed_before_and_twice_goes_two_steps(stage: Callable[..., Stage]) -> None:
    deploying = stage(*[Story(steady=10)] * 2, Story(dies=(2, 4), fails=4, back=9), *[Story(steady=10)] * 4)
    connection, clock = deploying.connection, deploying.told.clock
    for memory in (2048, 3072, 4096):  # iris:2 and iris:3 take, iris:4 does not
        deploying.run(memory=memory)
    assert deploying.run(memory=5120).outcome == "deployed"  # iris:5
    for expected in ("iris:3", "iris:2", "iris:1"):
        now = history.running(connection, "c", "iris")
        target = history.previous(connection, now)
        assert target and target.endswith(expected)
        verdict = ecs.rollback(connection, now.service, target, 60, Ears())
        assert verdict and verdict.outcome == "deployed"
        assert now_runs(deploying.told) == expected
        clock.sleep(5)
    assert history.previous(connection, history.running(connection, "c", "iris")) is None


def test_what_could_not_be_gone_back_to_has_not_proved_itself(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=10), Story(dies=(2, 4), fails=4))
    assert deploying.run().outcome == "deployed"
    deploying.told.world.tags["model-dockerize:proving"] = "iris:1"  # as a run that was killed leaves it
    now = history.running(deploying.connection, "c", "iris")
    target = now.service.task_definition_arn.replace("iris:2", "iris:1")
    verdict = ecs.rollback(deploying.connection, replace(now.service, proving=True), target, 60, Ears())
    assert verdict and verdict.outcome != "deployed"
    assert deploying.told.world.tags["model-dockerize:proving"] == "iris:1"


def test_going_back_passes_over_what_never_proved_itself(stage: Callable[..., Stage]) -> None:
    deploying = stage(*[Story(steady=10)] * 3)
    for memory in (2048, 3072, 4096):
        deploying.run(memory=memory)
    tags = deploying.told.world.tags
    tags["model-dockerize:proving"] = "iris:2"  # iris:3 and iris:4 were deployed whole, and did not answer
    now = history.running(deploying.connection, "c", "iris")
    assert str(history.previous(deploying.connection, now)).endswith("iris:2")
    tags["model-dockerize:proving"] = "iris:4"
    now = history.running(deploying.connection, "c", "iris")
    assert str(history.previous(deploying.connection, now)).endswith("iris:3"), "what proved itself is not older"
    del tags["model-dockerize:proving"]
    now = history.running(deploying.connection, "c", "iris")
    service = ecs.mark_proving(deploying.connection, now.service, now.tags, "task-definition/iris:1")
    assert (service.proving, tags["model-dockerize:proving"]) == (True, "iris:4")


def test_what_a_killed_run_left_is_passed_over_until_it_proves_itself(stage: Callable[..., Stage]) -> None:
    deploying = stage(*[Story(steady=10)] * 4)
    world = deploying.told.world
    for memory, left in ((2048, ""), (3072, ""), (4096, "iris:3"), (5120, "iris:3")):
        deploying.run(memory=memory)
        assert (world.tags.get("model-dockerize:unproved", ""), "model-dockerize:proving" in world.tags) == (
            left,
            False,
        )
        if memory == 3072:  # it is killed in its smoke test
            world.tags["model-dockerize:proving"] = "iris:2"
    now = history.running(deploying.connection, "c", "iris")
    assert str(history.previous(deploying.connection, now)).endswith("iris:4")
    before = replace(now, service=replace(now.service, task_definition_arn="task-definition/iris:4"))
    assert str(history.previous(deploying.connection, before)).endswith("iris:2")
    ecs.mark_proving(deploying.connection, now.service, now.tags, "task-definition/iris:3")
    assert world.tags["model-dockerize:unproved"] == ""


def test_a_rollback_that_never_begins_is_not_waited_for(stage: Callable[..., Stage]) -> None:
    """Play it: the configuration says that ECS goes back, it does not, and nobody may ask for the deployment."""
    deploying = stage(Story(dies=(8, 16), fails=16), refuses=(DENIED,))
    deploying.told.world.configuration = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    began = deploying.told.clock.monotonic()
    report = deploying.run(smoke_test=False)
    assert report.outcome == "rolled-back"
    assert deploying.told.clock.monotonic() - began < 100, "wait-timeout is 400 s"


def test_the_last_revisions_and_how_each_ended(stage: Callable[..., Stage]) -> None:
    deploying = stage(*[Story(steady=10)] * 2, Story(dies=(2, 4), fails=4, back=9), *[Story(steady=10)] * 2)
    for memory in (2048, 3072, 4096, 5120):  # iris:4 does not take
        deploying.run(memory=memory)
    now = history.running(deploying.connection, "c", "iris")
    shown = history.revisions(deploying.connection, now)
    assert [(each.number, each.running) for each in shown] == [(5, 1), (4, 0), (3, 0), (2, 0), (1, 0)]
    assert [each.state for each in shown] == ["deployed", "rolled back", "deployed", "deployed", "deployed"]
    assert [each.number for each in history.revisions(deploying.connection, now, most=2)] == [5, 4]


def test_going_back_goes_to_what_answered_a_sample_though_its_deployment_was_ended(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """End a deployment in its bake by a newer one: it is STOPPED for ECS."""
    deploying = stage(*[Story(steady=10)] * 2)
    for memory in (2048, 3072):
        deploying.run(memory=memory)
    ran = [(f"task-definition/iris:{number}", "", {"status": "STOPPED"}) for number in (3, 2)]
    monkeypatch.setattr(history, "_history", lambda *_: iter([*ran, ("task-definition/iris:1", "", {})]))
    now = history.running(deploying.connection, "c", "iris")
    assert str(history.previous(deploying.connection, now)).endswith("iris:1")
    deploying.told.world.tags["model-dockerize:sampled"] = "iris:2 iris:3"
    now = history.running(deploying.connection, "c", "iris")
    assert str(history.previous(deploying.connection, now)).endswith("iris:2")
    ran[1][2]["status"] = "ROLLBACK_SUCCESSFUL"  # somebody took it back
    assert str(history.previous(deploying.connection, now)).endswith("iris:1")


def test_a_revision_by_its_number_is_one_that_is_there(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=10))
    deploying.run()
    now = history.running(deploying.connection, "c", "iris")
    assert history.named(deploying.connection, now, 1).endswith("iris:1")
    with pytest.raises(InputError, match="no revision 98") as refused:
        history.named(deploying.connection, now, 98)
    assert "There is: 1, 2" in refused.value.remedy
    with pytest.raises(InputError, match="runs revision 2 already"):
        history.named(deploying.connection, now, 2)


def test_without_a_history_going_back_goes_to_the_revision_before(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(steady=10), refuses=(DENIED,))
    deploying.run()
    now = history.running(deploying.connection, "c", "iris")
    assert (now.state, now.running, now.desired) == ("COMPLETED", 1, 1)
    assert str(history.previous(deploying.connection, now)).endswith("iris:1")


def test_the_log_of_a_service_is_that_of_its_tasks(stage: Callable[..., Stage]) -> None:
    deploying = stage(Story(dies=(2, 4), fails=4), running=None)
    deploying.run()
    now = history.running(deploying.connection, "c", "iris")
    lines = log_lines(deploying.connection, now.service, 3)
    assert lines[-1] == "ImportError: no module named 'weights'"
    assert len(lines) == 3
    waits: list[float] = []
    following = follow_log(deploying.connection, now.service, 1, waits.append)
    assert [next(following) for _ in range(4)].count("loading the model") == 2


def test_a_log_is_followed_from_where_the_last_look_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def look(**one: Any) -> dict[str, Any]:
        asked.append(one)
        return {"events": [{"message": f"line {len(asked)}"}], "nextForwardToken": f"f/{len(asked)}"}

    monkeypatch.setattr(service_log._Log, "_places", lambda _: [("group", "stream")])
    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)
    aws: Any = SimpleNamespace(logs=SimpleNamespace(get_log_events=look, exceptions=exceptions))
    nothing: Any = None
    following = follow_log(aws, nothing, 5, lambda _: None)
    assert [next(following) for _ in range(3)] == ["line 1", "line 2", "line 3"]
    assert [one.get("nextToken") for one in asked] == [None, "f/1", "f/2"]


def test_fields_that_this_program_does_not_know_are_kept_and_are_no_difference(stage: Callable[..., Stage]) -> None:
    deploying = stage(*[Story(steady=5)] * 2)
    told = deploying.told
    told.tomorrow = {"enableTimeTravel", "pace"}
    try:
        assert deploying.run().outcome == "deployed"
        newest = told.world.definitions["iris:2"]
        newest["enableTimeTravel"] = True
        newest["containerDefinitions"][0]["pace"] = {"ahead": 3}
        del told.calls[:]
        assert deploying.run().outcome == "deployed"
        assert "RegisterTaskDefinition" not in [call for _, call in told.calls]
        assert deploying.run(memory=3072).outcome == "deployed"
        made = told.world.definitions["iris:3"]
        assert (made["enableTimeTravel"], made["memory"]) == (True, "3072")
        assert made["containerDefinitions"][0]["pace"] == {"ahead": 3}
        assert made["containerDefinitions"][0]["image"] == IMAGE
    finally:
        told.tomorrow = set()
