"""A rollout that moves traffic is read, judged and left by what ECS shows; a service's tasks and logs are read, too."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from model_dockerize.aws.ecs import service_fit
from model_dockerize.aws.ecs.deploy_order import RunOrder, check_order
from model_dockerize.aws.ecs.rollout import decide as decisions
from model_dockerize.aws.ecs.rollout import rollback
from model_dockerize.aws.ecs.rollout.decide import Action, decide
from model_dockerize.aws.ecs.rollout.judge import Judgement
from model_dockerize.aws.ecs.rollout.service_deployment import ours_of
from model_dockerize.aws.ecs.rollout.shift_judge import Hook, Shift, judge_shift
from model_dockerize.aws.ecs.rollout.target_health import TargetWatch, unwell
from model_dockerize.aws.ecs.run_task import Ended, run_once
from model_dockerize.aws.ecs.service_log import follow_log, log_lines
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsError, InputError, PausedError, SupersededError
from model_dockerize.outcome import Outcome
from tests.rig.iris import settings
from tests.rig.scripted import Call, Script, refused

ARN = "arn:aws:ecs:us-east-1:1:"
LATER = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
PAUSED = "POST_TEST_TRAFFIC_SHIFT"
HOOK = {
    **{"hookId": "h1", "status": "AWAITING_ACTION", "targetType": "PAUSE", "timeoutAction": "ROLLBACK"},
    "expiresAt": LATER,
}
SHOWN = {
    "serviceDeploymentArn": "arn:sd",
    "status": "IN_PROGRESS",
    "lifecycleStage": PAUSED,
    "statusReason": "",
    "rollback": {"reason": "back"},
    "lifecycleHookDetails": [HOOK, {"hookId": "done", "status": "SUCCEEDED"}],
    "sourceServiceRevisions": [{"arn": "r1"}],
    "targetServiceRevision": {"arn": f"{ARN}service-revision/c/iris/7", "requestedProductionTrafficWeight": 25.0},
    "deploymentConfiguration": {"bakeTimeInMinutes": 5},
}
OURS = Hook("h1", True, LATER)
SHIFT = Shift("arn:sd", "7", "IN_PROGRESS", PAUSED, "back", (OURS,), True, 25.0, 5.0)


class TestShift:
    def test_it_is_read_whole(self) -> None:
        assert Shift.of(SHOWN) == SHIFT
        assert Shift.of({"serviceDeploymentArn": "a"}) == Shift("a", "", "", "", "", (), False, 0.0, 0.0)
        assert Shift.of({**SHOWN, "statusReason": "why"}).reason == "why"

    @pytest.mark.parametrize(
        ("hook", "stage"),
        [({"targetType": "AWS_LAMBDA"}, PAUSED), ({"timeoutAction": "CONTINUE"}, PAUSED), ({}, "BAKE_TIME")],
    )
    def test_a_pause_is_ours_by_kind_end_and_stage(self, hook: dict[str, str], stage: str) -> None:
        found = Shift.of({**SHOWN, "lifecycleStage": stage, "lifecycleHookDetails": [{**HOOK, **hook}]})
        assert found.waiting == (replace(OURS, is_ours=False),)
        assert (found.foreign(""), found.foreign("h1"), found.pause("")) == (found.waiting[0], None, None)

    @pytest.mark.parametrize(
        ("configuration", "minutes"),
        [
            ({}, 0.0),
            ({"bakeTimeInMinutes": 3, "canaryConfiguration": {"canaryBakeTimeInMinutes": 4}}, 7.0),
            ({"bakeTimeInMinutes": 3, "linearConfiguration": {"stepBakeTimeInMinutes": 2, "stepPercent": 25.0}}, 11.0),
            ({"linearConfiguration": {"stepBakeTimeInMinutes": 2, "stepPercent": 0.5}}, 200.0),
            ({"linearConfiguration": {"stepBakeTimeInMinutes": 2}}, 2.0),
        ],
    )
    def test_its_strategy_takes_minutes(self, configuration: Any, minutes: float) -> None:
        assert Shift.of({**SHOWN, "deploymentConfiguration": configuration}).minutes == minutes

    def test_our_pause_is_one_that_waits_alone(self) -> None:
        other = Hook("h2", False, None)
        assert (SHIFT.pause(""), SHIFT.pause("h1"), SHIFT.foreign("")) == (OURS, None, None)
        assert replace(SHIFT, waiting=(OURS, other)).pause("") is None
        assert replace(SHIFT, waiting=(OURS, other)).foreign("") == other
        assert replace(SHIFT, waiting=(OURS, replace(OURS, id="h3"))).pause("") is None
        assert replace(SHIFT, status="SUCCESSFUL").pause("") is None

    @pytest.mark.parametrize(
        ("status", "stage", "facts"),
        [
            ("PENDING", "", (True, False, True)),
            ("IN_PROGRESS", PAUSED, (True, False, True)),
            ("IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT", (True, False, False)),
            ("ROLLBACK_IN_PROGRESS", "", (False, True, False)),
            ("SUCCESSFUL", "", (False, False, False)),
        ],
    )
    def test_it_is_under_way_or_goes_back(self, status: str, stage: str, facts: tuple[bool, bool, bool]) -> None:
        found = replace(SHIFT, status=status, stage=stage)
        assert (found.is_under_way, found.goes_back, found.is_before_traffic) == facts

    @pytest.mark.parametrize(
        ("changes", "line"),
        [
            ({}, f"{PAUSED}: the new version answers on the test port"),
            ({"stage": "", "status": "PENDING"}, "PENDING"),
            (
                {"stage": "PRODUCTION_TRAFFIC_SHIFT"},
                "PRODUCTION_TRAFFIC_SHIFT: the traffic moves; 25 % of the traffic is at the new version",
            ),
            ({"stage": "NEW", "share": 12.5}, "NEW; 12.5 % of the traffic is at the new version"),
            ({"status": "ROLLBACK_SUCCESSFUL"}, "the traffic is back at the former version: back"),
            (
                {"status": "ROLLBACK_IN_PROGRESS", "reason": ""},
                "the traffic goes back at the former version: ROLLBACK_IN_PROGRESS",
            ),
        ],
    )
    def test_its_progress_is_a_line(self, changes: dict[str, Any], line: str) -> None:
        assert replace(SHIFT, **changes).line() == line

    @pytest.mark.parametrize(
        ("stage", "words"),
        [
            ("RECONCILE_SERVICE", "former deployments are ended"),
            ("PRE_SCALE_UP", "the new version is about to start"),
            ("SCALE_UP", "the new version starts"),
            ("POST_SCALE_UP", "the new version is healthy"),
            ("TEST_TRAFFIC_SHIFT", "the test port moves to the new version"),
            ("PRE_PRODUCTION_TRAFFIC_SHIFT", "the traffic is about to move; 25 % of the traffic is at the new version"),
            ("POST_PRODUCTION_TRAFFIC_SHIFT", "the traffic has moved; 25 % of the traffic is at the new version"),
            (
                "BAKE_TIME",
                "both versions run, and the traffic can move back at once; 25 % of the traffic is at the new version",
            ),
            ("CLEAN_UP", "the former version ends; 25 % of the traffic is at the new version"),
        ],
    )
    def test_each_stage_has_words_and_before_the_traffic_no_share(self, stage: str, words: str) -> None:
        assert replace(SHIFT, stage=stage).line() == f"{stage}: {words}"

    @pytest.mark.parametrize(
        ("changes", "replaced", "skip", "outcome", "reason"),
        [
            (
                {"status": "SUCCESSFUL", "reason": ""},
                False,
                False,
                Outcome.DEPLOYED,
                "all traffic is at the new version.",
            ),
            ({"status": "SUCCESSFUL"}, False, False, Outcome.DEPLOYED, "back"),
            ({"status": "ROLLBACK_FAILED", "reason": ""}, False, False, Outcome.FAILED, "ECS could not go back."),
            ({"status": "ROLLBACK_FAILED"}, False, False, Outcome.FAILED, "back"),
            (
                {"status": "ROLLBACK_IN_PROGRESS", "reason": "No rollback candidate was found"},
                *(False, False, Outcome.FAILED, "No rollback candidate was found"),
            ),
            ({"status": "ROLLBACK_IN_PROGRESS"}, False, False, None, ""),
            (
                {"status": "ROLLBACK_SUCCESSFUL", "reason": ""},
                *(False, False, Outcome.ROLLED_BACK, "ECS moved the traffic back."),
            ),
            ({"status": "ROLLBACK_SUCCESSFUL"}, False, False, Outcome.ROLLED_BACK, "back"),
            ({"status": "STOPPED", "reason": ""}, True, False, Outcome.SUPERSEDED, "a newer deployment took over."),
            ({"status": "STOPPED"}, True, False, Outcome.SUPERSEDED, "back"),
            ({"status": "STOPPED", "reason": ""}, False, False, Outcome.FAILED, "the deployment was stopped."),
            ({"status": "STOPPED"}, False, False, Outcome.FAILED, "back"),
            ({"stage": "BAKE_TIME"}, False, False, None, ""),
            (
                {"stage": "BAKE_TIME"},
                *(False, True, Outcome.DEPLOYED, "all traffic is at the new version, and ECS bakes it on."),
            ),
            (
                {"stage": "BAKE_TIME", "has_former": False},
                *(False, False, Outcome.DEPLOYED, "all traffic is at the new version, and ECS bakes it on."),
            ),
            ({"stage": "CLEAN_UP"}, False, True, None, ""),
            ({"status": "NEW", "stage": "BAKE_TIME"}, False, True, None, ""),
        ],
    )
    def test_its_end_has_a_reason(
        self, changes: dict[str, Any], replaced: bool, skip: bool, outcome: Outcome | None, reason: str
    ) -> None:
        found = judge_shift(replace(SHIFT, **changes), replaced, skip)
        assert found == (Judgement(outcome, reason) if outcome else None)

    def test_a_service_deployment_is_ours_by_number_else_by_the_moment(self) -> None:
        def made(name: str, number: str, seconds: float) -> dict[str, Any]:
            created = LATER + timedelta(seconds=seconds)
            return {"serviceDeploymentArn": name, "targetServiceRevisionArn": f"x/{number}", "createdAt": created}

        found = [made("a", "8", 0), made("b", "7", 9)]
        assert ours_of(found, "ecs-svc/7", LATER) == "b"
        assert ours_of(found, "ecs-svc/9", LATER) == "a"
        assert ours_of(found, "ecs-svc/9", LATER + timedelta(seconds=1.9)) == "a"
        assert ours_of(found, "ecs-svc/9", LATER - timedelta(seconds=2)) is None
        assert ours_of(found, "ecs-svc/9", None) is None
        assert ours_of([{"createdAt": LATER, "serviceDeploymentArn": "c"}], "ecs-svc/9", LATER) == "c"


CONTINUE = "ecs:continue_service_deployment", {"serviceDeploymentArn": "arn:sd", "hookId": "h1", "action": "CONTINUE"}
BACK = "ecs:continue_service_deployment", {**CONTINUE[1], "action": "ROLLBACK"}
STOP = "ecs:stop_service_deployment", {"serviceDeploymentArn": "arn:sd", "stopType": "ROLLBACK"}


def looked(**changes: Any) -> Call:
    found = {"serviceDeployments": [{**SHOWN, **changes}]}
    return "ecs:describe_service_deployments", {"serviceDeploymentArns": ["arn:sd"]}, found


class TestDecide:
    def decide(self, action: Action, *calls: Call) -> tuple[list[str], list[float]]:
        pauses: list[float] = []
        with Script(*calls) as script:
            decide(script.aws, "arn:sd", "h1", action, script.said, pauses.append)
        return script.said.infos, pauses

    @pytest.mark.parametrize(
        ("action", "call"), [(Action.CONTINUE, CONTINUE), (Action.ROLLBACK, BACK), (Action.STOP, STOP)]
    )
    def test_it_is_asked_until_it_was_heard(self, action: Action, call: Any) -> None:
        error = refused("ServerException", "oh")
        said = (
            f"AWS did not take {action.value.lower()}, asking again: An error occurred (ServerException) when calling "
            "the Operation operation: oh"
        )
        assert self.decide(action, (*call, {})) == ([], [])
        assert self.decide(action, (*call, error), looked(), (*call, {})) == ([said], [2.0])
        assert self.decide(action, (*call, error), looked(status="SUCCESSFUL")) == ([], [])
        three = [(*call, error), looked()] * 3
        with pytest.raises(type(error)):
            self.decide(action, *three)
        expired = refused("ExpiredToken")
        with pytest.raises(type(expired)):
            self.decide(action, (*call, expired))

    def test_a_hook_that_waits_no_more_was_heard(self) -> None:
        error = refused("ServerException")
        assert self.decide(Action.CONTINUE, (*CONTINUE, error), looked(lifecycleHookDetails=[])) == ([], [])
        assert self.decide(Action.STOP, (*STOP, error), looked(lifecycleHookDetails=[]), (*STOP, {}))[1] == [2.0]

    @pytest.mark.parametrize(
        ("action", "call", "message", "remedy"),
        [
            *(
                (
                    action,
                    call,
                    f"The deployment waits, and this run may not let it {word}: ecs:Operation is not allowed for these "
                    "credentials.",
                    "Allow ecs:Operation (model-dockerize iam-policy prints the policy) and run again. "
                    "Until then users "
                    "have the former version, and ECS goes back to it by itself when the pause is over.",
                )
                for action, call, word in ((Action.CONTINUE, CONTINUE, "go on"), (Action.ROLLBACK, BACK, "go back"))
            ),
            (
                Action.STOP,
                STOP,
                "The deployment is under way, and this run may not turn it back: ecs:Operation is not "
                "allowed for these "
                "credentials.",
                "Allow ecs:Operation (model-dockerize iam-policy prints the policy) and run again, or stop it in the "
                "console.",
            ),
        ],
    )
    def test_who_may_not_decide_is_told_who_does(self, action: Action, call: Any, message: str, remedy: str) -> None:
        with pytest.raises(PausedError) as caught:
            self.decide(action, (*call, refused("AccessDeniedException", "no")))
        assert (str(caught.value), caught.value.remedy, caught.value.details) == (message, remedy, ("no",))

    def test_what_ecs_does_not_show_is_an_error(self) -> None:
        none = (*looked()[:2], {"serviceDeployments": []})
        with Script(none) as script, pytest.raises(AwsError) as caught:
            decisions.look(script.aws, "arn:sd")
        assert str(caught.value) == "ECS does not show service deployment arn:sd."
        assert caught.value.remedy == "Run again: the next run finds what is there."


HERE, FORMER = f"{ARN}task-definition/iris:2", f"{ARN}task-definition/iris:1"
IRIS = Service("arn:s", "iris", "c", True, "ecs-svc/7", HERE, FORMER, strategy="BLUE_GREEN", is_paused_by_us=True)
ROLLING = replace(IRIS, strategy="ROLLING", is_paused_by_us=False)


def described(**changes: Any) -> Call:
    found = {"status": "ACTIVE", "desiredCount": 1, "currentServiceDeployment": "arn:sd", **changes}
    return "ecs:describe_services", {"cluster": "c", "services": ["iris"]}, {"services": [found]}


ZERO = "ecs:update_service", {"cluster": "c", "service": "iris", "desiredCount": 0}, {}


class TestLeaving:
    def leave(self, service: Service, on_cancel: str, *calls: Call) -> str:
        with Script(*calls) as script:
            rollback.leave_or_put_back(script.aws, service, on_cancel, script.said)
        (warning,) = script.said.warnings
        return warning.removeprefix("Cancelled: ")

    def test_what_is_not_ours_any_more_is_left(self) -> None:
        other = looked(targetServiceRevision={"arn": "x/8"})
        for way in ("leave", "rollback"):
            said = self.leave(IRIS, way, described(), other)
            assert said == "service iris has a newer deployment than iris:2, which is left alone."
            said = self.leave(IRIS, way, described(), looked(status="ROLLBACK_IN_PROGRESS"))
            assert said == "service iris goes back from iris:2 by itself."

    def test_it_is_put_back_by_the_pause_or_a_stop(self) -> None:
        said = "service iris goes back from iris:2, unwatched."
        assert self.leave(IRIS, "rollback", described(), looked(), (*BACK, {})) == said
        assert self.leave(IRIS, "rollback", described(), looked(lifecycleHookDetails=[]), (*STOP, {})) == said
        unpaused = replace(IRIS, is_paused_by_us=False)
        assert self.leave(unpaused, "rollback", described(), looked(), (*STOP, {})) == said

    def test_where_ecs_moves_nothing_the_former_version_is_deployed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        done: list[Any] = []
        monkeypatch.setattr(rollback, "put_back", lambda _, *given, **more: done.append((given, more)))
        said = self.leave(ROLLING, "rollback")
        assert said == "service iris goes back from iris:2 to iris:1, unwatched."
        assert done == [((ROLLING, FORMER), {"is_watched": False})]
        first = replace(ROLLING, previous_task_definition_arn=None)
        said = self.leave(first, "rollback", described(), ZERO)
        assert said == "service iris ran nothing before iris:2, so it is brought to no task."

    def test_what_goes_on_by_itself_is_told(self) -> None:
        on = (
            "service iris goes on to iris:2 by itself. Run again to follow it, or go back with: "
            "model-dockerize rollback"
        )
        waits = "iris:2 waits for its test without traffic, and ECS takes it back{}. Run again to test it."
        starts = (
            "service iris starts iris:2 by itself, which then waits for its test and has no traffic. Run again to test "
            "it; without that ECS takes it back."
        )
        assert self.leave(ROLLING, "leave") == on
        assert self.leave(IRIS, "leave", described(currentServiceDeployment="")) == on
        assert self.leave(IRIS, "leave", described(), looked()) == waits.format(" at 12:30 UTC")
        endless = {key: value for key, value in HOOK.items() if key != "expiresAt"}
        assert self.leave(IRIS, "leave", described(), looked(lifecycleHookDetails=[endless])) == waits.format("")
        early = looked(lifecycleStage="SCALE_UP", lifecycleHookDetails=[])
        assert self.leave(IRIS, "leave", described(), early) == starts
        late = looked(lifecycleStage="BAKE_TIME", lifecycleHookDetails=[])
        assert self.leave(IRIS, "leave", described(), late) == on
        unpaused = replace(IRIS, is_paused_by_us=False)
        assert self.leave(unpaused, "leave", described(), looked()) == on
        assert self.leave(unpaused, "leave", described(), early) == on

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({}, True),
            ({"status": "SUCCESSFUL"}, False),
            ({"sourceServiceRevisions": []}, False),
            ({"targetServiceRevision": {"arn": "x/8"}}, False),
        ],
    )
    def test_traffic_moves_back_while_ours_is_under_way(self, changes: Any, found: bool) -> None:
        with Script(described(), looked(**changes)) as script:
            assert rollback.is_under_way(script.aws, IRIS) is found
        with Script() as script:
            assert rollback.is_under_way(script.aws, ROLLING) is False
            assert rollback.back_from_bake(script.aws, ROLLING, 1, script.said) is None

    @pytest.mark.parametrize(
        ("there", "is_idle"),
        [({"desiredCount": 0}, True), ({"status": "DRAINING"}, True), ({}, False)],
    )
    def test_a_first_version_that_failed_is_brought_to_no_task(self, there: Any, is_idle: bool) -> None:
        said = "service iris: at 0 tasks, nothing runs that did not answer"
        with Script(described(**there), *([] if is_idle else [ZERO])) as script:
            assert rollback.settle_failed_first_deployment(script.aws, IRIS, script.said) == said
        assert script.said.infos == [said]
        with Script((*described()[:2], {"services": []})) as script:
            assert rollback.rollback(script.aws, IRIS, None, 1, script.said) is None


def health(*targets: tuple[str, str], answer: Any = None) -> Call:
    found = [
        {"Target": {"Id": "10.0.0.7"}, "TargetHealth": {"State": "unhealthy", "Reason": reason, "Description": text}}
        for reason, text in targets
    ]
    return "elbv2:describe_target_health", {"TargetGroupArn": "g"}, answer or {"TargetHealthDescriptions": found}


class TestTargets:
    FIREWALL = "a security group of the tasks does not admit the load balancer on port 80"

    @pytest.mark.parametrize(
        ("reason", "meaning"),
        [
            ("Target.ResponseCodeMismatch", "it answers the health check with an error: see its log"),
            (
                "Target.Timeout",
                f"it does not answer the health check in time: it is too busy (raise cpu), or {FIREWALL}",
            ),
            (
                "Target.FailedHealthChecks",
                "the connection fails: its server is not up (see its log), or does not speak HTTP",
            ),
            ("Target.NotInUse", "the task runs in a zone in which the load balancer has no subnet"),
            ("Target.InvalidState", "the task is gone"),
            ("Target.IpUnusable", "its address belongs to a load balancer"),
            ("Elb.InternalError", "the load balancer itself has a problem: run again later"),
            ("Target.HealthCheckDisabled", "somebody switched the health checks of the target group off"),
        ],
    )
    def test_each_reason_has_a_meaning(self, reason: str, meaning: str) -> None:
        with Script(health((reason, "Said."), ("Target.DeregistrationInProgress", ""))) as script:
            assert unwell(script.aws, "g") == (f"target 10.0.0.7:80 is unhealthy: {reason}, Said: {meaning}",)

    def test_a_balancer_that_may_not_be_asked_is_told_once(self) -> None:
        denied = health(answer=refused("AccessDenied", "no"))
        with Script(denied) as script:
            watch = TargetWatch(script.aws, ("g",), script.said)
            assert (watch.look(), watch.look(), watch.lines) == (0, 0, ())
        (warning,) = script.said.warnings
        assert warning.startswith("The load balancer cannot be asked about its targets: health of the load balancer's ")


# ---- a task beside the service's

TASK_ARN = f"{ARN}task/c/0123"
PLACE = {"awsvpcConfiguration": {"subnets": ["s1"], "securityGroups": ["g1"], "assignPublicIp": "ENABLED"}}


class TestRunOnce:
    def ran(self, answer: Any, groups: tuple[str, ...] = ()) -> list[Call]:
        place = {
            "awsvpcConfiguration": {
                **PLACE["awsvpcConfiguration"],
                **({"securityGroups": list(groups)} if groups else {}),
            }
        }
        override = {"name": "iris", "command": ["check", "x"], "environment": [{"name": "A", "value": "1"}]}
        asked = {
            **{"cluster": "c", "taskDefinition": HERE, "launchType": "FARGATE", "networkConfiguration": place},
            **{"overrides": {"containerOverrides": [override]}, "startedBy": "model-dockerize-smoke"},
        }
        return [described(networkConfiguration=PLACE), ("ecs:run_task", asked, answer)]

    def look(self, status: str, **more: Any) -> Call:
        task = {
            "taskArn": TASK_ARN,
            "taskDefinitionArn": HERE,
            "lastStatus": status,
            "containers": [{"name": "iris", **more}],
        }
        return (
            "ecs:describe_tasks",
            {"cluster": "c", "tasks": [TASK_ARN]},
            {"tasks": [{**task, "stoppedReason": "ended"}]},
        )

    def run(self, *calls: Call, groups: tuple[str, ...] = (), timeout: float = 60) -> tuple[Ended, list[str]]:
        with Script(*calls) as script:
            ended = run_once(
                *(script.aws, IRIS, ("check", "x"), {"A": "1"}, groups, timeout, lambda line: line == "end"),
                script.said,
                lambda _: None,
            )
        return ended, script.said.infos

    STARTED = {"tasks": [{"taskArn": TASK_ARN}], "failures": []}  # noqa: RUF012

    def test_its_end_comes_with_its_log(self) -> None:
        options = {"awslogs-group": "/iris", "awslogs-stream-prefix": "service"}
        container = {"name": "iris", "logConfiguration": {"options": options}}
        place = (
            "ecs:describe_task_definition",
            {"taskDefinition": HERE},
            {"taskDefinition": {"containerDefinitions": [container]}},
        )
        stream = {"logGroupName": "/iris", "logStreamName": "service/iris/0123", "limit": 2000, "startFromHead": False}

        def log(*lines: str) -> Call:
            return "logs:get_log_events", stream, {"events": [{"message": line} for line in lines]}

        for groups in ((), ("g9",)):
            looks = self.look("RUNNING"), self.look("STOPPED", exitCode=0, reason="why")
            calls = *self.ran(self.STARTED, groups), *looks, place, log("a"), log("a", "end")
            assert self.run(*calls, groups=groups) == (
                Ended(0, "ended; why", ("a", "end")),
                ["task 0123: check, inside the network of service iris"],
            )
        never = self.run(*self.ran(self.STARTED), self.look("STOPPED", reason="CannotPull"))[0]
        assert (never.exit_code, never.lines) == (None, ())
        assert never.reason.startswith("ended; CannotPull: the image could not be pulled")

    def test_one_that_does_not_start_or_end_is_an_error(self) -> None:
        failures = {"tasks": [], "failures": [{"reason": "RESOURCE", "detail": "no room"}, {"reason": "x"}]}
        with pytest.raises(AwsError) as caught:
            self.run(*self.ran(failures))
        assert str(caught.value) == "A one-off task of service iris was not started: RESOURCE no room; x."
        why = "model-dockerize: it takes too long"
        stop = "ecs:stop_task", {"cluster": "c", "task": TASK_ARN, "reason": why}, {}
        with pytest.raises(AwsError) as caught:
            self.run(*self.ran(self.STARTED), *[self.look("RUNNING")] * 2, stop, timeout=1)
        assert str(caught.value) == "Task 0123 did not end within 1 s and was stopped."
        assert caught.value.remedy == "Raise smoke-timeout where the sample's job takes that long."


class TestLogs:
    def tasks(self, status: str, *names: str) -> list[Call]:
        arns = [f"{ARN}task/c/{name}" for name in names]
        listed = "ecs:list_tasks", {"cluster": "c", "serviceName": "iris", "desiredStatus": status}, {"taskArns": arns}
        shown = [{"taskArn": arn, "taskDefinitionArn": HERE} for arn in arns]
        found = "ecs:describe_tasks", {"cluster": "c", "tasks": arns[:100]}, {"tasks": shown}
        return [listed, *([found] if arns else [])]

    def place(self) -> Call:
        options = {"awslogs-group": "/iris", "awslogs-stream-prefix": "s"}
        container = {"name": "iris", "logConfiguration": {"options": options}}
        return (
            "ecs:describe_task_definition",
            {"taskDefinition": HERE},
            {"taskDefinition": {"containerDefinitions": [container]}},
        )

    def events(self, name: str, *lines: tuple[int, str], token: str = "", answer: Any = None, **asked: Any) -> Call:
        found = {"events": [{"timestamp": at, "message": text} for at, text in lines], "nextForwardToken": token}
        return (
            "logs:get_log_events",
            {"logGroupName": "/iris", "logStreamName": f"s/iris/{name}", **asked},
            answer or found,
        )

    def test_the_last_lines_of_all_tasks_come_in_order(self) -> None:
        a, b = self.events("a", (1, "1\n"), (4, "4"), limit=2), self.events("b", (3, "3"), (2, "2"), limit=2)
        with Script(*self.tasks("RUNNING", "a", "b"), self.place(), self.place(), a, b) as script:
            assert log_lines(script.aws, IRIS, 2) == ("3", "4")
        gone = self.events("a", answer=refused("ResourceNotFoundException"), limit=2)
        with Script(*self.tasks("RUNNING"), *self.tasks("STOPPED", "a"), self.place(), gone) as script:
            assert log_lines(script.aws, IRIS, 2) == ()

    def test_it_is_followed_from_where_the_last_look_ended_and_tasks_are_looked_at_seldom(self) -> None:
        first = [*self.tasks("RUNNING", "a"), self.place(), self.events("a", (1, "1"), token="t1", limit=9)]
        more = [self.events("a", (2, str(n)), token="t1", nextToken="t1", startFromHead=True) for n in range(2, 6)]
        again = [
            *self.tasks("RUNNING", "a"),
            self.place(),
            self.events("a", (9, "6"), nextToken="t1", startFromHead=True),
        ]
        pauses: list[float] = []
        with Script(*first, *more, *again) as script:
            lines = follow_log(script.aws, IRIS, 9, pauses.append)
            assert [next(lines) for _ in range(6)] == ["1", "2", "3", "4", "5", "6"]
        assert pauses == [2] * 5


OTHERS = "Choose another name (service), or make this one anew"


class TestFit:
    THERE = {"serviceName": "iris", "serviceArn": f"{ARN}service/c/iris"}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("there", "definition", "message", "remedy"),
        [
            (
                {"deploymentController": {"type": "EXTERNAL"}},
                None,
                "Service iris is deployed by EXTERNAL, and model-dockerize rolls what ECS deploys.",
                f"{OTHERS} with the deployment controller ECS.",
            ),
            (
                {"schedulingStrategy": "DAEMON"},
                None,
                "Service iris is a DAEMON: it runs one task an instance, and the model runs on Fargate, "
                "which has none.",
                f"{OTHERS} with the scheduling strategy REPLICA.",
            ),
            (
                {"serviceArn": f"{ARN}service/iris"},
                None,
                "Service iris has an ARN of the old, short form, and AWS puts no tags on such: in tags it "
                "is kept which "
                "run deployed it and whether it proved itself.",
                f"{OTHERS}: a new service gets a long ARN.",
            ),
            *(
                (
                    there,
                    definition,
                    f"Service iris runs on {where}, and the model on Fargate, where each task has an "
                    f"address of its own.",
                    f"{OTHERS} on Fargate.",
                )
                for there, definition, where in (
                    ({"launchType": "EC2"}, None, "instances (EC2)"),
                    (
                        {
                            "capacityProviderStrategy": [
                                {"capacityProvider": "FARGATE_SPOT"},
                                {"capacityProvider": "own"},
                            ]
                        },
                        None,
                        "instances (own)",
                    ),
                    ({}, {"networkMode": "bridge"}, "the network bridge"),
                )
            ),
            (
                {
                    "loadBalancers": [
                        {"containerName": "b", "containerPort": 80},
                        {"containerName": "a", "containerPort": 80},
                    ]
                },
                None,
                "Service iris sends its load balancers' requests to the containers a, b, and the model is one.",
                f"{OTHERS}, or set load-balancer to have another one in their place.",
            ),
            (
                {"loadBalancers": [{"containerName": "a", "containerPort": 8080}, {"containerPort": 80}]},
                None,
                "Service iris sends its load balancer's requests to port 8080, and the model answers on 80.",
                f"{OTHERS}, or set load-balancer to have another one in its place.",
            ),
        ],
    )
    def test_what_cannot_be_rolled_is_refused(self, there: Any, definition: Any, message: str, remedy: str) -> None:
        with pytest.raises(InputError) as caught:
            service_fit.check_fit({**self.THERE, **there}, definition, settings())
        assert (str(caught.value), caught.value.remedy) == (message, remedy)

    def test_what_can_be_rolled_passes(self) -> None:
        providers = [{"capacityProvider": "FARGATE"}, {"capacityProvider": "FARGATE_SPOT"}]
        whole = {
            **{
                **self.THERE,
                "launchType": "FARGATE",
                "schedulingStrategy": "REPLICA",
                "capacityProviderStrategy": providers,
            },
            **{"deploymentController": {"type": "ECS"}, "loadBalancers": [{"containerName": "a", "containerPort": 80}]},
        }
        service_fit.check_fit(whole, {"networkMode": "awsvpc"}, settings())
        service_fit.check_fit(self.THERE, None, settings())
        other = {**self.THERE, "loadBalancers": [{"containerName": "a", "containerPort": 8080}]}
        service_fit.check_fit(other, None, settings(load_balancer="true"))


class TestOrder:
    ORDER = RunOrder("c" * 40, 7, "deploy", "owner/repo:iris")
    HAS = {  # noqa: RUF012
        **{"model-dockerize:commit": "c" * 40, "model-dockerize:run": "7", "model-dockerize:workflow": "deploy"},
        "model-dockerize:source": "owner/repo:iris",
    }

    def test_a_run_leaves_its_place_in_tags(self) -> None:
        given = settings(commit="c" * 40, run_number=7, workflow="deploy", source="owner/repo:iris", adopt=True)
        assert RunOrder.of(given) == replace(self.ORDER, adopts=True)
        assert self.ORDER.tags() == self.HAS
        assert RunOrder("", 0, "").tags() == {}
        assert self.ORDER.missing({}) == self.HAS
        assert self.ORDER.missing({**self.HAS, "model-dockerize:run": "6"}) == {"model-dockerize:run": "7"}
        assert replace(self.ORDER, number=0).missing({}) == {"model-dockerize:source": "owner/repo:iris"}
        long = replace(self.ORDER, workflow="é*" * 150).tags()["model-dockerize:workflow"]
        assert (len(long), long[:4]) == (256, "é_é_")
        assert replace(self.ORDER, workflow="w" * 256).tags()["model-dockerize:workflow"] == "w" * 256

    @pytest.mark.parametrize(
        ("tags", "order"),
        [
            ({}, ORDER),
            (HAS, ORDER),
            ({**HAS, "model-dockerize:run": "6"}, ORDER),
            ({**HAS, "model-dockerize:run": "8"}, replace(ORDER, number=0)),
            ({**HAS, "model-dockerize:run": "8"}, replace(ORDER, workflow="other")),
            ({**HAS, "model-dockerize:run": "x"}, ORDER),
            ({**HAS, "model-dockerize:source": "other"}, replace(ORDER, adopts=True)),
            ({**HAS, "model-dockerize:source": "other"}, replace(ORDER, source="")),
        ],
    )
    def test_a_run_in_order_goes_on(self, tags: dict[str, str], order: RunOrder) -> None:
        check_order("iris", order, tags)

    def test_an_older_run_and_another_program_are_refused(self) -> None:
        for commit, told in (("d" * 40, f" ({'d' * 12})"), ("", "")):
            with pytest.raises(SupersededError) as late:
                check_order(
                    "iris", self.ORDER, {**self.HAS, "model-dockerize:run": "8", "model-dockerize:commit": commit}
                )
            assert str(late.value) == (
                f"Run 7 is older than run 8{told}, which deployed service iris. Nothing of the service was changed."
            )
            assert late.value.remedy == (
                "To go back on purpose: model-dockerize rollback, or run-number: 0 for a run outside of the order."
            )
        with pytest.raises(InputError) as caught:
            check_order("iris", self.ORDER, {"model-dockerize:source": "other"})
        assert str(caught.value) == "Service iris runs another program: other. This one is owner/repo:iris."
        assert caught.value.remedy == (
            "Give this one a name of its own (image-name, or service). If it takes the other's place: adopt."
        )
