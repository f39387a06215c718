"""A deployment is followed with evidence; no call is repeated that may have made a thing; a plan changes nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize.aws.client import rehearsal, retries
from model_dockerize.aws.client.retries import AnswerLostError
from model_dockerize.aws.ecs.rollout import evidence
from model_dockerize.aws.ecs.rollout.evidence import Evidence, Verdict
from model_dockerize.aws.ecs.rollout.follow import follow
from model_dockerize.aws.ecs.rollout.judge import Deployment, Judgement
from model_dockerize.aws.ecs.stopped_tasks import StoppedTask
from model_dockerize.aws.model import TO_COME, Service
from model_dockerize.errors import AwsError, TimedOutError
from model_dockerize.outcome import Outcome
from tests.rig.scripted import Call, Script, refused

ARN = "arn:aws:ecs:us-east-1:1:"
EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
SERVICE = Service("arn:s", "iris", "c", True, "ecs-svc/2", f"{ARN}task-definition/iris:2", None)
OURS = Deployment("ecs-svc/2", True, f"{ARN}task-definition/iris:2", "IN_PROGRESS", "", 2, 1, 1, 0)
OLD = Deployment("ecs-svc/1", False, f"{ARN}task-definition/iris:1", "COMPLETED", "", 2, 2, 0, 0)
STOPPED = StoppedTask(f"{ARN}task/c/1", "EssentialContainerExited", "why", 1, "it crashed.", ("a", "b"))
SHOWN = {
    "deployments": [{"id": "ecs-svc/2", "createdAt": LATE}],
    "events": [
        {"id": "2", "message": "second", "createdAt": LATE},
        {"id": "1", "message": "first", "createdAt": LATE},
        {"id": "0", "message": "before", "createdAt": EARLY},
    ],
}


class Clock:
    def __init__(self) -> None:
        self.now, self.pauses = 100.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def seen(script: Script, *calls_of_clock: float) -> Evidence:
    clock = Clock()
    return Evidence(script.aws, SERVICE, script.said, clock.sleep, clock)


class TestEvidence:
    def test_events_of_the_deployment_and_counts_are_told_once(self) -> None:
        with Script() as script:
            found = seen(script)
            assert found.tell(SHOWN, (OURS, OLD)) is True
            assert script.said.infos == [
                *("first", "second", "iris:2: 1 of 2 running, 1 pending, 0 failed; 2 of before"),
            ]
            assert found.tell(SHOWN, (OURS, OLD)) is False
            assert found.tell(SHOWN, (OURS, replace(OLD, state="FAILED"))) is True
            assert found.tell(SHOWN, (replace(OURS, running=2, pending=0),)) is True
            assert script.said.infos[3:] == ["iris:2: 2 of 2 running, 0 pending, 0 failed"]
            assert found.tell({"deployments": [], "events": SHOWN["events"]}, (OLD,)) is True
            assert script.said.infos[4:] == ["before"]

    @pytest.mark.parametrize(
        ("outcome", "deployments", "running"),
        [
            (Outcome.DEPLOYED, (OURS, OLD), OURS.task_definition_arn),
            (Outcome.FAILED, (OURS, OLD), OLD.task_definition_arn),
            (Outcome.FAILED, (OURS, OLD, replace(OLD, task_definition_arn="more", running=3)), "more"),
            (Outcome.FAILED, (OURS, replace(OLD, running=0)), None),
            (Outcome.FAILED, (OURS, replace(OLD, running=0, primary=True)), OLD.task_definition_arn),
            (Outcome.FAILED, (replace(OLD, running=0, primary=True, desired=0),), None),
            (Outcome.FAILED, (replace(OLD, running=0, primary=True, state="FAILED"),), None),
            (Outcome.DEPLOYED, (OLD,), None),
        ],
    )
    def test_what_runs_now_is_known(self, outcome: Outcome, deployments: Any, running: str | None) -> None:
        assert evidence._runs_now(deployments, "ecs-svc/2", outcome) == running

    def listing(self, answer: Any) -> Call:
        asked = {"cluster": "c", "serviceName": "iris", "desiredStatus": "STOPPED"}
        return "ecs:list_tasks", asked, answer

    def test_a_verdict_has_all_that_was_seen(self) -> None:
        with Script() as script:
            found = seen(script).verdict(Judgement(Outcome.DEPLOYED, "steady."), "ACTIVE", (OURS,))
        assert found == Verdict(Outcome.DEPLOYED, "steady.", 0.0, (), OURS.task_definition_arn, True, ())
        assert script.said.infos == ["service iris: deployed after 0 s"]
        with Script(self.listing([{"taskArns": []}])) as script:
            found = seen(script).verdict(
                Judgement(Outcome.FAILED, "it failed."), "ACTIVE", (replace(OURS, primary=False), OLD)
            )
        assert (found.stuck, found.running_task_definition_arn) == (False, OLD.task_definition_arn)
        assert script.said.infos == ["service iris: failed after 0 s: it failed. It runs iris:1 now."]
        with Script() as script:
            looked = seen(script).verdict(Judgement(Outcome.SUPERSEDED, "newer."), "DRAINING", (OURS,))
            waiting = evidence.Pause("arn:sd", "h1", None)
            paused = seen(script).verdict(Judgement(Outcome.PAUSED, "it waits."), "ACTIVE", (OURS,), waiting, True)
        assert (looked.stuck, paused.stuck, paused.pause, paused.is_baking) == (False, True, waiting, True)
        assert script.said.infos == [
            "service iris: superseded after 0 s: newer. It runs nothing now.",
            "service iris: it waits.",
        ]

    def test_an_unknown_end_is_told_with_what_was_seen(self) -> None:
        with Script(self.listing([{"taskArns": []}])) as script:
            found = seen(script)
            found.tell(SHOWN, (OURS,))
            error = found.time_is_up(60)
        assert str(error) == "Service iris was neither deployed nor failed after 60 s."
        assert error.remedy == "The deployment goes on by itself: run again to follow it, or raise wait-timeout."
        assert error.details == ("first", "second")
        assert found.calls == 1

    def test_stopped_tasks_that_cannot_be_seen_end_nothing(self) -> None:
        with Script(self.listing(refused("AccessDenied", "no"))) as script:
            seen(script).diagnose_new()
        (warning,) = script.said.warnings
        assert warning.startswith("Stopped tasks cannot be looked at: stopped tasks of iris: ")

    VERDICT = Verdict(Outcome.FAILED, "why.", 1.0, (), None, False, ())

    def test_what_it_means_and_what_helps(self) -> None:
        assert (self.VERDICT.meaning, self.VERDICT.lacks_role) == ("", False)
        assert self.VERDICT.remedy == "Correct what the reason says and run again."
        died = replace(self.VERDICT, stopped_tasks=(replace(STOPPED, hint=""), STOPPED))
        assert (died.meaning, died.remedy) == ("it crashed. ", "Correct what the stopped task says and run again.")
        role = "x missing permissions on ECS Infrastructure Role"
        assert replace(self.VERDICT, reason=role).lacks_role
        assert replace(self.VERDICT, events=("x", role)).lacks_role
        network = replace(died, events=("invalid networking configuration",))
        assert network.remedy == (
            "Somebody changed a rule or target group that the model's stack made: CloudFormation's drift "
            "detection shows "
            "which. Put it back as the stack has it, or destroy the service, and run again."
        )

    def test_its_details_are_the_last_of_each_kind_else_ten_events(self) -> None:
        events = tuple(str(number) for number in range(12))
        assert replace(self.VERDICT, events=events).details() == events[2:]
        other = replace(STOPPED, exit_code=2, log=("c",))
        again = replace(STOPPED, arn=f"{ARN}task/c/9", log=())
        died = replace(self.VERDICT, events=events, stopped_tasks=(STOPPED, other, again), targets=("target x",))
        assert died.details() == ("target x", other.summary(), "c", again.summary())


def looked(*deployments: dict[str, Any], answer: Any = None, **more: Any) -> Call:
    shown = {"status": "ACTIVE", "deployments": list(deployments), "events": [], **more}
    return "ecs:describe_services", {"cluster": "c", "services": ["iris"]}, answer or {"services": [shown]}


def deployment(state: str, running: int = 0, **more: Any) -> dict[str, Any]:
    plain = {
        **{"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": f"{ARN}task-definition/iris:2", "createdAt": LATE},
        **{"rolloutState": state, "desiredCount": 1, "runningCount": running},
    }
    return {**plain, **more}


LISTED = "ecs:list_service_deployments", {"cluster": "c", "service": "iris"}
FOUND = {"serviceDeployments": [{"serviceDeploymentArn": "arn:sd", "targetServiceRevisionArn": "x/2"}]}
DESCRIBED = "ecs:describe_service_deployments", {"serviceDeploymentArns": ["arn:sd"]}
NO_TASKS = (
    "ecs:list_tasks",
    {"cluster": "c", "serviceName": "iris", "desiredStatus": "STOPPED"},
    [{"taskArns": []}],
)


class TestFollow:
    def follow(self, *calls: Call, timeout: float = 60) -> tuple[Verdict, list[str], list[float]]:
        clock = Clock()
        with Script(*calls) as script:
            verdict = follow(script.aws, SERVICE, timeout, script.said, clock.sleep, clock)
        return verdict, script.said.infos, clock.pauses

    def test_a_good_end_is_confirmed_by_its_service_deployment(self) -> None:
        done = (*DESCRIBED, {"serviceDeployments": [{"status": "SUCCESSFUL", "statusReason": "good."}]})
        calls = [
            looked(deployment("IN_PROGRESS")),
            NO_TASKS,
            looked(deployment("COMPLETED", 1)),
            NO_TASKS,
            (*LISTED, FOUND),
            done,
        ]
        verdict, said, pauses = self.follow(*calls)
        assert (verdict.outcome, verdict.reason, verdict.seconds) == (Outcome.DEPLOYED, "good.", 1.0)
        assert said[-1] == "service iris: deployed after 1 s"
        assert pauses == [1.0]

    def test_where_ecs_has_no_service_deployments_the_service_decides(self) -> None:
        calls = looked(deployment("COMPLETED", 1)), NO_TASKS, (*LISTED, refused("ClientException", "no"))
        verdict, said, _ = self.follow(*calls)
        assert (verdict.outcome, verdict.reason) == (Outcome.DEPLOYED, "steady state.")
        assert "following the service itself: Operation gives ClientException" in said
        none = looked(deployment("COMPLETED", 1)), NO_TASKS, (*LISTED, {"serviceDeployments": []})
        assert self.follow(*none)[0].outcome is Outcome.DEPLOYED
        gone = looked(deployment("COMPLETED", 1)), NO_TASKS, (*LISTED, FOUND), (*DESCRIBED, {"serviceDeployments": []})
        assert self.follow(*gone)[0].outcome is Outcome.DEPLOYED
        slow = looked(deployment("COMPLETED", 1)), NO_TASKS, (*LISTED, refused("Throttling", "slow"))
        assert self.follow(*slow)[0].outcome is Outcome.DEPLOYED
        with pytest.raises(Exception, match="have expired"):
            self.follow(looked(deployment("COMPLETED", 1)), NO_TASKS, (*LISTED, refused("ExpiredToken")))

    def test_a_rollback_that_does_not_begin_is_not_waited_for_long(self) -> None:
        breaker = {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}}
        old = {**deployment("COMPLETED", 1), "id": "ecs-svc/1", "status": "ACTIVE"}
        failed = looked(deployment("FAILED", rolloutStateReason="tasks failed."), old, **breaker)
        clock = Clock()
        with Script(forever=NO_TASKS) as script:
            ecs = script.client("ecs").__dict__
            ecs["describe_services"] = lambda **_: failed[2]
            ecs["list_service_deployments"] = lambda **_: {"serviceDeployments": []}
            verdict = follow(script.aws, SERVICE, 60, script.said, clock.sleep, clock)
        assert (verdict.outcome, verdict.reason) == (Outcome.FAILED, "tasks failed.")
        assert 8 <= clock.now - 100 < 12

    def test_aws_may_not_answer_six_times(self) -> None:
        silent = looked(answer=refused("Throttling", "slow"))
        done = looked(deployment("COMPLETED", 1)), NO_TASKS, (*LISTED, {"serviceDeployments": []})
        verdict, said, pauses = self.follow(*[silent] * 6, *done, timeout=600)
        assert verdict.outcome is Outcome.DEPLOYED
        assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 32.0]
        assert said[0].startswith("AWS did not answer, looking again: An error occurred (Throttling)")
        for calls in ([silent] * 7, [looked(answer=refused("AccessDenied"))]):
            with pytest.raises(Exception, match="follow service iris: "):
                self.follow(*calls, timeout=600)

    def test_neither_end_in_time_is_an_error(self) -> None:
        waiting = looked(deployment("IN_PROGRESS"))
        with pytest.raises(TimedOutError) as caught:
            self.follow(waiting, NO_TASKS, waiting, NO_TASKS, timeout=1)
        assert str(caught.value) == "Service iris was neither deployed nor failed after 1 s."


# ---- calls that are repeated


def lost(error: Exception) -> AwsError:
    failed = AwsError("x", "")
    failed.__cause__ = error
    return failed


class TestRetries:
    @pytest.mark.parametrize(
        ("repeat", "code", "message"),
        [
            (retries.once_visible, "InvalidSubnetID.NotFound", ""),
            (retries.once_linked, "X", "Unable to assume the service linked role."),
            (retries.once_invocable, "X", "Unable to validate the following destination configurations"),
            *(
                (lambda call: retries.once_assumable(call, fresh=True), "X", message)
                for message in (
                    *(
                        "Role is not valid",
                        "role a and b are not valid",
                        "unable to assume the role",
                        "cannot be assumed",
                    ),
                    *("does not refer to a valid principal", "is not authorized to perform: iam:PassRole on x"),
                )
            ),
        ],
    )
    def test_what_takes_a_moment_is_asked_again(
        self, monkeypatch: pytest.MonkeyPatch, repeat: Any, code: str, message: str
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        answers = [refused(code, message), refused(code, message), None]

        def call() -> str:
            if error := answers.pop(0):
                raise error
            return "done"

        assert repeat(call) == "done"
        other = refused("InvalidX", "no")
        with pytest.raises(ClientError):
            repeat(lambda: (_ for _ in ()).throw(other))

    def test_a_role_that_is_not_fresh_is_not_waited_for(self) -> None:
        calls: list[int] = []

        def call() -> None:
            calls.append(1)
            raise refused("X", "cannot be assumed")

        with pytest.raises(ClientError):
            retries.once_assumable(call, fresh=False)
        assert calls == [1]

    @pytest.mark.parametrize(
        ("error", "tries"),
        [
            (AnswerLostError("x", ""), 5),
            (lost(AnswerLostError("x", "")), 5),
            *((lost(refused(code, "x")), 5) for code in ("XAlreadyExists", "ResourceConflictX", "PreconditionFailed")),
            *((lost(refused("X", text)), 5) for text in ("it Already exists", "already exists")),
            (lost(refused("X", "x")), 1),
            (AwsError("x", ""), 1),
        ],
    )
    def test_what_may_have_been_made_is_looked_for_again(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, tries: int
    ) -> None:
        pauses: list[float] = []
        monkeypatch.setattr("time.sleep", pauses.append)
        asked: list[Any] = []

        @retries.finds_what_was_lost
        def ensure(one: str, *, two: str) -> None:
            asked.append((one, two))
            raise error

        with pytest.raises(type(error)):
            ensure("a", two="b")
        assert asked == [("a", "b")] * tries
        assert pauses == [1, 2, 3, 4][: tries - 1]

    def test_calls_that_would_make_another_one_are_not_sent_again(self) -> None:
        heard: list[Any] = []
        for service, operations in (("ecs", 1), ("batch", 2), ("ec2", 0)):
            meta = SimpleNamespace(
                service_model=SimpleNamespace(service_name=service),
                events=SimpleNamespace(register=lambda event, function: heard.append((event, function))),
            )
            retries.never_repeat(SimpleNamespace(meta=meta))
            assert len(heard) == operations
            names = [event for event, _ in heard]
            heard.clear()
            assert names == [f"needs-retry.{service}.{each}" for each in retries.NOT_REPEATED.get(service, ())]

    @pytest.mark.parametrize(
        ("status", "code", "caught", "message"),
        [
            (200, "", TimeoutError("slow"), "slow"),
            (500, "ServerException", None, "oh"),
            (503, "SlowDown", None, ""),
            (499, "ServerException", None, ""),
        ],
    )
    def test_only_an_answer_that_never_came_is_lost(self, status: int, code: str, caught: Any, message: str) -> None:
        operation = SimpleNamespace(name="SubmitJob", service_model=SimpleNamespace(service_name="batch"))
        response = None if caught else (SimpleNamespace(status_code=status), {"Error": {"Code": code, "Message": "oh"}})
        if not message:
            assert retries._lost(operation, response, caught) is None
            return
        with pytest.raises(AnswerLostError) as failed:
            retries._lost(operation, response, caught)
        assert str(failed.value) == f"batch:SubmitJob: AWS did not answer: {message}"
        assert failed.value.remedy == "Check the network; then run again: what was made is found again."

    def test_a_removal_has_at_most_ten_steps(self) -> None:
        asked: list[int] = []

        def remove() -> None:
            asked.append(1)
            raise refused("NoSuchEntity", str(len(asked)))

        retries.gone_is_well(remove)
        assert len(asked) == 10


# ---- plans

CLUSTER = "ecs", "CreateCluster", {"clusterName": "c"}


class TestRehearsal:
    def asked(self, *requests: tuple[str, str, dict[str, Any]]) -> tuple[list[Any], list[str], dict[str, Any]]:
        """Return what a plan answers these requests (None: AWS is asked), the calls it kept back, and its handlers."""
        heard: dict[str, Any] = {}
        with Script() as script:
            aws: Any = SimpleNamespace(apart=lambda **_: SimpleNamespace(listen=heard.__setitem__, changes=[]))
            plan = rehearsal.rehearse(aws)
            answers = []
            for service, operation, given in requests:
                context: dict[str, Any] = {}
                heard["before-parameter-build"](params=given, context=context)
                model = script.client(service).meta.service_model.operation_model(operation)
                answer = heard["before-call"](model=model, context=context)
                answers.append(None if answer is None else answer[1])
        return answers, plan.calls, heard

    def test_reads_are_asked_and_changes_are_kept_back(self) -> None:
        answers, calls, _ = self.asked(
            ("ecs", "DescribeClusters", {"clusters": ["c"]}),
            CLUSTER,
            ("ecs", "DescribeClusters", {"clusters": ["c"]}),
            ("ecs", "DescribeClusters", {"clusters": ["d"]}),
            ("ecs", "DescribeTaskDefinition", {"taskDefinition": "c"}),
            ("ecs", "DescribeServices", {"cluster": "d", "services": [TO_COME]}),
            ("cloudformation", "CreateChangeSet", {"StackName": "s"}),
            ("cloudformation", "DeleteStack", {"StackName": "s"}),
        )
        assert calls == ["ecs:CreateCluster", "cloudformation:DeleteStack"]
        assert [answer is None for answer in answers] == [True, False, False, True, True, False, True, False]
        ok = {"ResponseMetadata": {"HTTPStatusCode": 200}}
        assert answers[2] == {"clusters": [], "failures": [], **ok}
        assert answers[5] == {"services": [], "failures": [], **ok}
        made = answers[1]["cluster"]
        assert (made["clusterName"], made["clusterArn"], made["tags"], made["runningTasksCount"]) == (
            "c",
            TO_COME,
            [],
            0,
        )

    def test_a_service_that_is_not_made_has_a_deployment(self) -> None:
        given = {"serviceName": "iris", "taskDefinition": "iris:2"}
        answers, _, _ = self.asked(("ecs", "CreateService", given), ("ecs", "UpdateService", {"service": "iris"}))
        for answer, definition in zip(answers, ("iris:2", TO_COME), strict=True):
            assert answer["service"]["deployments"] == [
                {"id": TO_COME, "status": "PRIMARY", "taskDefinition": definition}
            ]
        assert answers[0]["service"]["serviceName"] == "iris"

    def test_what_was_given_stands_in_the_one_structure_of_an_answer(self) -> None:
        answers, _, _ = self.asked(("elbv2", "CreateListener", {"Port": 80, "LoadBalancerArn": "b"}))
        ((listener),) = answers[0]["Listeners"]
        assert (listener["Port"], listener["LoadBalancerArn"], listener["ListenerArn"]) == (80, "b", TO_COME)

    @pytest.mark.parametrize(
        ("operation", "is_read"),
        [
            *((f"{verb}X", True) for verb in ("Describe", "List", "Get", "BatchGet", "Simulate")),
            *((f"{verb}X", False) for verb in ("Create", "BatchDelete", "Put", "Update", "Run")),
        ],
    )
    def test_only_known_verbs_read(self, operation: str, is_read: bool) -> None:
        assert rehearsal.is_read(operation) is is_read


# ---- a deployment that moves traffic

SHIFTING = replace(SERVICE, strategy="BLUE_GREEN", is_paused_by_us=True)
PAUSE = {
    **{"hookId": "h1", "status": "AWAITING_ACTION", "targetType": "PAUSE", "timeoutAction": "ROLLBACK"},
    "expiresAt": datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC),
}
THEIRS = {**PAUSE, "hookId": "h2", "timeoutAction": "CONTINUE"}
TEST = "POST_TEST_TRAFFIC_SHIFT"


def service(status: str = "ACTIVE", current: str = "arn:sd", primary: str = "ecs-svc/2") -> Call:
    shown = [deployment("", 1, id=primary)]
    return looked(*shown, status=status, currentServiceDeployment=current)


def shift(status: str = "IN_PROGRESS", stage: str = TEST, *hooks: Any, **more: Any) -> Call:
    found = {
        **{
            "serviceDeploymentArn": "arn:sd",
            "status": status,
            "lifecycleStage": stage,
            "lifecycleHookDetails": list(hooks),
        },
        **{"sourceServiceRevisions": [{"arn": "r1"}], "targetServiceRevision": {"arn": "x/2"}},
        "deploymentConfiguration": {"bakeTimeInMinutes": 1},
        **more,
    }
    return (*DESCRIBED, {"serviceDeployments": [found]})


FIND = [service(), shift()]  # the service, and whether its current deployment is ours


class TestShift:
    def follow(
        self, *calls: Call, of: Service = SHIFTING, timeout: float = 60, **given: Any
    ) -> tuple[Verdict, Script, list[float]]:
        clock = Clock()
        with Script(*calls) as script:
            verdict = follow(script.aws, of, timeout, script.said, clock.sleep, clock, **given)
        return verdict, script, clock.pauses

    def test_it_is_followed_to_our_pause(self) -> None:
        calls = *FIND, shift(stage="SCALE_UP"), shift(stage="SCALE_UP"), shift("IN_PROGRESS", TEST, PAUSE)
        verdict, script, pauses = self.follow(*calls)
        assert (verdict.outcome, verdict.is_baking) == (Outcome.PAUSED, False)
        assert verdict.pause == evidence.Pause("arn:sd", "h1", PAUSE["expiresAt"])
        assert verdict.reason == (
            "the new version waits for its test, until 12:30:15 UTC; without an answer ECS takes it back."
        )
        assert pauses == [2.2, 2.2]
        assert script.said.infos == [
            "iris:2: 1 of 1 running, 0 pending, 0 failed",
            "SCALE_UP: the new version starts",
            f"{TEST}: the new version answers on the test port",
            f"service iris: {verdict.reason}",
        ]
        endless = {key: value for key, value in PAUSE.items() if key != "expiresAt"}
        reason = "the new version waits for its test; without an answer ECS takes it back."
        assert self.follow(*FIND, shift("IN_PROGRESS", TEST, endless))[0].reason == reason

    def test_our_pause_that_is_over_is_passed(self) -> None:
        calls = *FIND, shift("IN_PROGRESS", TEST, PAUSE), shift("SUCCESSFUL", "CLEAN_UP"), service()
        verdict, _, _ = self.follow(*calls, decided="h1")
        assert (verdict.outcome, verdict.reason) == (Outcome.DEPLOYED, "all traffic is at the new version.")
        baking = *FIND, shift("IN_PROGRESS", "BAKE_TIME"), service()
        verdict, _, _ = self.follow(*baking, skip_bake=True)
        assert (verdict.outcome, verdict.is_baking) == (Outcome.DEPLOYED, True)

    def test_a_hook_of_others_is_told_once_and_waited_for_in_vain(self) -> None:
        waits = shift("IN_PROGRESS", TEST, THEIRS)
        verdict, script, _ = self.follow(*FIND, waits, waits, timeout=2)
        assert script.said.warnings == [
            f"A hook that is not ours waits at {TEST}: h2. Whoever put it there has to continue it, in the "
            f"console or by "
            "ecs:ContinueServiceDeployment."
        ]
        assert (verdict.outcome, verdict.reason) == (Outcome.PAUSED, f"hook h2, which is not ours, waits at {TEST}.")

    def test_one_that_does_not_come_to_its_test_is_turned_back(self) -> None:
        stop = "ecs:stop_service_deployment", {"serviceDeploymentArn": "arn:sd", "stopType": "ROLLBACK"}, {}
        early = shift(stage="SCALE_UP")
        back = shift("ROLLBACK_SUCCESSFUL", "", statusReason="by us")
        calls = *FIND, early, early, NO_TASKS, stop, back, service(), NO_TASKS
        verdict, script, _ = self.follow(*calls, timeout=2)
        why = "it did not come as far as its test within 2 s (wait-timeout)."
        assert (verdict.outcome, verdict.reason) == (Outcome.ROLLED_BACK, why)
        assert script.said.warnings[0] == f"service iris: {why} ECS is asked to go back."
        assert script.said.warnings[1] == "the traffic is back at the former version: by us"
        with pytest.raises(TimedOutError):
            self.follow(*FIND, early, early, NO_TASKS, of=replace(SHIFTING, is_paused_by_us=False), timeout=2)

    def test_the_minutes_of_its_strategy_come_on_top(self) -> None:
        baking = shift("IN_PROGRESS", "BAKE_TIME")
        clock = Clock()
        with Script(forever=NO_TASKS) as script:
            ecs = script.client("ecs").__dict__
            ecs["describe_services"] = lambda **_: service()[2]
            ecs["describe_service_deployments"] = lambda **_: baking[2]
            with pytest.raises(TimedOutError):
                follow(script.aws, SHIFTING, 10, script.said, clock.sleep, clock)
        assert 660 <= clock.now - 100 < 665

    @pytest.mark.parametrize(
        ("after", "outcome", "reason"),
        [
            (service(current="arn:other"), Outcome.SUPERSEDED, "a newer deployment took over."),
            (service(primary="ecs-svc/3"), Outcome.SUPERSEDED, "a newer deployment took over."),
            (service(), Outcome.FAILED, "the deployment was stopped."),
        ],
    )
    def test_one_that_was_stopped_is_replaced_or_failed(self, after: Call, outcome: Outcome, reason: str) -> None:
        looked_at = [after, *([NO_TASKS] if "ecs-svc/3" in str(after) else [])]
        calls = [*FIND, shift("STOPPED", ""), *looked_at, after, *([NO_TASKS] if outcome is Outcome.FAILED else [])]
        verdict, _, _ = self.follow(*calls)
        assert (verdict.outcome, verdict.reason) == (outcome, reason)

    def test_a_service_that_is_deleted_is_no_success(self) -> None:
        going = service("DRAINING"), shift(), shift(stage="SCALE_UP"), service("DRAINING"), NO_TASKS
        verdict, _, _ = self.follow(*going)
        assert (verdict.outcome, verdict.reason) == (Outcome.FAILED, "the service is being deleted (DRAINING).")

    def test_it_is_found_by_its_number_where_the_current_one_is_another(self) -> None:
        found = {"serviceDeployments": [{"serviceDeploymentArn": "arn:sd", "targetServiceRevisionArn": "x/2"}]}
        other = (
            "ecs:describe_service_deployments",
            {"serviceDeploymentArns": ["arn:o"]},
            shift(targetServiceRevision={"arn": "x/3"})[2],
        )
        done = shift("SUCCESSFUL", "")
        assert self.follow(service(current="arn:o"), other, (*LISTED, found), done, service(current="arn:o"))[0].outcome
        unknown = {"serviceDeployments": []}
        calls = service(current=""), (*LISTED, unknown), service(current=""), (*LISTED, found), done, service()
        verdict, _, pauses = self.follow(*calls)
        assert (verdict.outcome, pauses) == (Outcome.DEPLOYED, [2.2])

    def test_a_deployment_that_ecs_forgot_is_judged_by_its_tasks(self) -> None:
        unchanged = replace(SHIFTING, changed=False)
        calls = service(current=""), (*LISTED, {"serviceDeployments": []}), service(current="")
        verdict, _, _ = self.follow(*calls, of=unchanged)
        assert (verdict.outcome, verdict.reason) == (Outcome.DEPLOYED, "all tasks run.")

    def test_aws_may_not_answer_six_times(self) -> None:
        silent = looked(answer=refused("Throttling", "slow"))
        verdict, script, pauses = self.follow(*[silent] * 6, *FIND, shift("SUCCESSFUL", ""), service(), timeout=600)
        assert (verdict.outcome, pauses) == (Outcome.DEPLOYED, [2.0, 4.0, 8.0, 16.0, 32.0, 32.0])
        assert script.said.infos[0].startswith("AWS did not answer, looking again: An error occurred (Throttling)")
        for calls in ([silent] * 7, [looked(answer=refused("AccessDenied"))]):
            with pytest.raises(Exception, match="follow service iris: "):
                self.follow(*calls, timeout=600)
