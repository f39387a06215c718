"""A rollout, a task that stopped, and the history of a service are told as ECS shows them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from model_dockerize.aws.ecs import history, proving, stopped_tasks
from model_dockerize.aws.ecs.history import Revision, Running
from model_dockerize.aws.ecs.rollout import judge as judges
from model_dockerize.aws.ecs.rollout.judge import Deployment, Judgement, Observation, judge
from model_dockerize.aws.ecs.stopped_tasks import StoppedTask, diagnose
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsError, InputError
from model_dockerize.outcome import Outcome
from tests.rig.scripted import Call, Script, refused

ARN = "arn:aws:ecs:us-east-1:1:"


def definition(number: int, family: str = "iris") -> str:
    return f"{ARN}task-definition/{family}:{number}"


OURS = Deployment("ours", True, "td:2", "IN_PROGRESS", "", 1, 0, 0, 0)
OTHER = replace(OURS, id="other", primary=False, state="COMPLETED", running=1)
BACK = replace(OURS, id="back", reason="rolling back to ours.")


def look(*deployments: Deployment, **changes: Any) -> Observation:
    return replace(Observation("ACTIVE", deployments), **changes)


class TestJudge:
    @pytest.mark.parametrize(
        ("observed", "judgement"),
        [
            (look(OURS, service_status="DRAINING"), (Outcome.FAILED, "the service is being deleted (DRAINING).")),
            (look(service_status="INACTIVE"), (Outcome.FAILED, "the service is being deleted (INACTIVE).")),
            (
                look(replace(OTHER, primary=True), replace(OURS, primary=False)),
                (Outcome.SUPERSEDED, "a newer deployment took over: other."),
            ),
            (look(OURS, ours_status="STOPPED"), (Outcome.FAILED, "the deployment was stopped.")),
            (look(OURS, ours_status="STOP_REQUESTED", ours_reason="by x."), (Outcome.FAILED, "by x.")),
            (look(replace(OURS, state="FAILED")), (Outcome.FAILED, "ECS gave the deployment up.")),
            (look(replace(OURS, state="FAILED", reason="r.")), (Outcome.FAILED, "r.")),
            (look(replace(OURS, state="FAILED", reason="r."), ours_reason="o."), (Outcome.FAILED, "o.")),
            (
                look(replace(OURS, state="FAILED", primary=False), replace(OTHER, primary=True), ours_reason="o."),
                (Outcome.FAILED, "o."),
            ),
            (
                look(replace(OURS, state="FAILED", primary=False), replace(OTHER, primary=True)),
                (Outcome.FAILED, "ECS gave the deployment up."),
            ),
            (look(OURS, paused_at="hook 1"), (Outcome.PAUSED, "it waits for a decision at hook 1.")),
            (look(replace(OURS, state="COMPLETED", running=1)), (Outcome.DEPLOYED, "steady state.")),
            (look(replace(OURS, state="COMPLETED", running=1, reason="r.")), (Outcome.DEPLOYED, "r.")),
            (
                look(replace(OURS, running=1), ours_status="SUCCESSFUL", ours_reason="o."),
                (Outcome.DEPLOYED, "o."),
            ),
            *(
                (
                    look(replace(OURS, state="COMPLETED", running=1), ours_status=status),
                    (Outcome.DEPLOYED, "steady state."),
                )
                for status in ("PENDING", "IN_PROGRESS")
            ),
            (look(replace(OURS, state="COMPLETED", running=1), ours_status="ELSE"), None),
            (
                look(replace(OURS, state="COMPLETED", running=1), ours_status="ROLLBACK_SUCCESSFUL", ours_reason="o."),
                (Outcome.DEPLOYED, "steady state."),
            ),
            (look(replace(OURS, state="", running=1)), (Outcome.DEPLOYED, "all tasks run.")),
            (look(replace(OURS, state="", running=2, desired=2, pending=1)), None),
            (look(BACK, OTHER), (Outcome.ROLLED_BACK, "rolling back to ours.")),
            (look(BACK, OTHER, ours_reason="o."), (Outcome.ROLLED_BACK, "o.")),
            (look(replace(BACK, desired=2), OTHER), None),
            (look(replace(BACK, desired=2, running=1), OTHER), (Outcome.ROLLED_BACK, "rolling back to ours.")),
            (
                look(OTHER, ours_status="ROLLBACK_SUCCESSFUL"),
                (Outcome.ROLLED_BACK, "ECS rolls the deployment back."),
            ),
            (look(OTHER, ours_status="ROLLBACK_FAILED"), (Outcome.FAILED, "ECS rolls the deployment back.")),
            (
                look(replace(OURS, state="FAILED", reason="r."), OTHER, ours_status="ROLLBACK_IN_PROGRESS"),
                (Outcome.ROLLED_BACK, "r."),
            ),
            (look(replace(BACK, state="FAILED"), OTHER), (Outcome.FAILED, "rolling back to ours.")),
            (
                look(replace(OURS, desired=3), OTHER, ours_status="ROLLBACK_IN_PROGRESS"),
                None,
            ),
        ],
    )
    def test_a_verdict_has_its_reason(self, observed: Observation, judgement: Any) -> None:
        assert judge(observed, "ours", seen=True) == (Judgement(*judgement) if judgement else None)

    def test_a_deployment_is_read_whole(self) -> None:
        shown = {
            "id": "d",
            "status": "PRIMARY",
            "taskDefinition": "td",
            "rolloutState": "FAILED",
            "rolloutStateReason": "why",
            "desiredCount": 1,
            "runningCount": 2,
            "pendingCount": 3,
            "failedTasks": 4,
        }
        bare = {"id": "e", "status": "ACTIVE", "taskDefinition": "td"}
        assert judges.deployments_of({"deployments": [shown, bare]}) == (
            Deployment("d", True, "td", "FAILED", "why", 1, 2, 3, 4),
            Deployment("e", False, "td", "", "", 0, 0, 0, 0),
        )

    @pytest.mark.parametrize(
        ("breaker", "found"),
        [
            ({"enable": True, "rollback": True}, True),
            ({"enable": True, "rollback": False}, False),
            ({"enable": False, "rollback": True}, False),
            ({}, False),
        ],
    )
    def test_ecs_goes_back_where_it_is_asked_to(self, breaker: Any, found: bool) -> None:
        service = {"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}}
        assert judges.rolls_back(service) is found
        assert judges.rolls_back({}) is False

    def test_the_hook_that_waits_is_named_with_its_stage(self) -> None:
        hooks = [{"hookId": "a", "status": "DONE"}, {"hookId": "b", "status": "AWAITING_ACTION"}]
        found = {"lifecycleHookDetails": hooks, "lifecycleStage": "BAKE_TIME"}
        assert judges.paused_at(found) == "hook b (stage BAKE_TIME)"
        assert judges.paused_at({"lifecycleHookDetails": hooks}) == "hook b"
        assert judges.paused_at({"lifecycleHookDetails": [{"status": "AWAITING_ACTION"}]}) == "hook "
        assert judges.paused_at({"lifecycleHookDetails": hooks[:1]}) == judges.paused_at({}) == ""

    @pytest.mark.parametrize(
        ("given", "seconds"),
        [
            *(((0, 0, 2, 0), 1.0), ((0, 0, 3, 0), 2.2), ((2, 0, 3, 0), 1.0), ((2, 0, 4, 0), 2.2)),
            *(
                ((0, 9.9, 0, 0), 1.0),
                ((0, 10, 0, 0), 2.2),
                ((0, 0, 0, 1), 2.0),
                ((0, 0, 0, 5), 32.0),
                ((0, 0, 0, 6), 32.0),
            ),
        ],
    )
    def test_looks_are_as_many_as_the_budget_has(self, given: tuple[float, float, int, int], seconds: float) -> None:
        assert judges.interval(*given) == seconds


# ---- tasks that stopped

SERVICE = Service(f"{ARN}service/c/iris", "iris", "c", True, "ecs-svc/2", definition(2), None)
TASK = {
    "taskArn": f"{ARN}task/c/0123",
    "taskDefinitionArn": definition(2),
    "startedBy": "ecs-svc/2",
    "lastStatus": "STOPPED",
    "createdAt": "2026-01-02",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "containers": [{"name": "iris", "exitCode": 1}],
}


def defined(options: Any) -> Call:
    shown = {"family": "iris", "containerDefinitions": [{"name": "iris", "logConfiguration": {"options": options}}]}
    return "ecs:describe_task_definition", {"taskDefinition": definition(2)}, {"taskDefinition": shown}


LOGGED = defined({"awslogs-group": "/iris", "awslogs-stream-prefix": "service"})


def lines(*texts: str, answer: Any = None) -> Call:
    asked = {"logGroupName": "/iris", "logStreamName": "service/iris/0123", "limit": 50, "startFromHead": False}
    return "logs:get_log_events", asked, answer or {"events": [{"message": text} for text in texts]}


class TestStopped:
    def test_only_new_ones_of_our_deployment_count(self) -> None:
        arns = [f"t{number}" for number in range(103)]
        asked = {"cluster": "c", "serviceName": "iris", "desiredStatus": "STOPPED"}
        tasks = [
            TASK,
            {**TASK, "taskArn": "early", "createdAt": "2026-01-01"},
            {**TASK, "startedBy": "ecs-svc/1"},
            {**TASK, "stopCode": "UserInitiated"},
            {**TASK, "lastStatus": "DEPROVISIONING"},
            {**TASK, "stoppedReason": "Scaling activity initiated by deployment ecs-svc/2"},
        ]
        calls = [
            ("ecs:list_tasks", asked, [{"taskArns": arns[:2]}, {"taskArns": arns[2:]}]),
            ("ecs:describe_tasks", {"cluster": "c", "tasks": arns[1:101]}, {"tasks": tasks[:3]}),
            ("ecs:describe_tasks", {"cluster": "c", "tasks": arns[101:]}, {"tasks": tasks[3:]}),
        ]
        with Script(*calls) as script:
            found = stopped_tasks.stopped_tasks(script.aws, SERVICE, frozenset(("t0",)))
        assert [task["taskArn"] for task in found] == ["early", TASK["taskArn"]]
        with (
            Script(("ecs:list_tasks", asked, refused("ServerException", "oh"))) as script,
            pytest.raises(AwsError) as caught,
        ):
            stopped_tasks.stopped_tasks(script.aws, SERVICE, frozenset())
        assert str(caught.value) == "stopped tasks of iris: Operation failed: ServerException: oh"

    def diagnose(self, task: Any, *calls: Call, known: Any = None) -> tuple[StoppedTask, Any, list[float]]:
        pauses: list[float] = []
        with Script(*calls) as script:
            more: Any = {} if known is None else {"known": known}
            found = diagnose(script.aws, task, script.said, pauses.append, **more)
        return found, script.said, pauses

    def test_it_is_told_at_once_and_then_with_its_last_lines(self) -> None:
        found, said, pauses = self.diagnose(TASK, LOGGED, lines(), lines("2026Z not proved: it is red", "end"))
        hint = "its model does not answer the sample: it is red"
        assert found == StoppedTask(
            *(TASK["taskArn"], "EssentialContainerExited", TASK["stoppedReason"], 1, hint),
            ("2026Z not proved: it is red", "end"),
        )
        assert said.warnings == ["task 0123 stopped: its container ended, exit code 1"]
        assert said.infos == [hint, "the last 2 lines that it wrote:"]
        assert said.outputs == ["2026Z not proved: it is red", "end"]
        assert pauses == [1]
        assert found.summary() == f"task 0123 stopped: its container ended, exit code 1: {hint}"

    def test_one_like_those_before_is_no_new_warning(self) -> None:
        first, _, _ = self.diagnose(TASK, LOGGED, lines("x"))
        _, said, _ = self.diagnose(TASK, LOGGED, lines("x"), known=[first])
        assert (said.warnings, said.infos[0]) == ([], "task 0123 stopped: its container ended, exit code 1")
        other = {**TASK, "containers": [{"name": "iris", "exitCode": 2}]}
        assert self.diagnose(other, LOGGED, lines("x"), known=[first])[1].warnings

    def test_three_looks_at_a_log_are_enough(self) -> None:
        found, said, pauses = self.diagnose(TASK, LOGGED, *[lines()] * 3)
        assert (found.log, said.infos, pauses) == ((), [], [1, 1])
        never = {**TASK, "containers": [{"name": "iris", "reason": "CannotPull"}], "stopCode": "TaskFailedToStart"}
        found, said, pauses = self.diagnose(never, LOGGED, lines())
        assert (found.reason, found.exit_code, pauses) == ("Essential container in task exited; CannotPull", None, [])
        assert said.warnings[0].startswith(
            "task 0123 stopped: TaskFailedToStart, Essential container in task exited; CannotPull: the image could not"
        )

    def test_what_is_unknown_is_said_so(self) -> None:
        bare = {"taskArn": "t/9", "taskDefinitionArn": definition(2)}
        found, said, _ = self.diagnose(bare, defined({}))
        assert found == StoppedTask("t/9", "stopped", "no reason given", None, "", ())
        assert said.warnings == ["task 9 stopped: stopped, no reason given"]

    def test_a_log_that_cannot_be_read_is_told(self) -> None:
        _, said, _ = self.diagnose(TASK, LOGGED, lines(answer=refused("ServerException", "oh")))
        assert said.infos == ["its log cannot be read: read log /iris: Operation failed: ServerException: oh"]
        _, said, _ = self.diagnose(TASK, (*LOGGED[:2], refused("ServerException", "oh")))
        assert said.infos == ["its log cannot be read: find the task's log: Operation failed: ServerException: oh"]

    def test_the_name_of_a_log_group_that_is_gone_is_told(self) -> None:
        gone = {**TASK, "stoppedReason": "The specified log group does not exist", "containers": [{"name": "iris"}]}
        found, _, _ = self.diagnose(gone, LOGGED, lines(answer=refused("ResourceNotFoundException")))
        assert "aws logs create-log-group --log-group-name /iris)" in found.hint

    @pytest.mark.parametrize(
        ("reason", "code", "log", "said"),
        [
            ("x", 126, (), "the command is not executable"),
            ("x", 127, (), "the command was not found in the image"),
            ("x", 137, (), "killed: out of memory (raise memory), or it did not end within the stop time"),
            ("x", 139, (), "it crashed in native code (segmentation fault)"),
            ("x", 1, (), ""),
            ("x", None, (), ""),
            (
                "Exec Format Error",
                1,
                (),
                "the image is for another processor than the task: build it for that one (platforms)",
            ),
            ("x", 3, ("1Z not proved: a", "2Z not proved: b", "end"), "its model does not answer the sample: b"),
            ("x", 3, ("not proved: a",), ""),
            (
                "Task failed ELB health checks in (target-group x)",
                0,
                (),
                "it ran, but the load balancer got no good answer from it: see its reason and the log",
            ),
            (
                "Task failed container health checks",
                0,
                (),
                "it ran, but its server did not become healthy in time: see the log",
            ),
            (
                "CannotPullContainerError: no match for platform in manifest",
                None,
                (),
                "the image is for another processor than the task: build it for that one (platforms)",
            ),
            ("OutOfMemoryError: killed", 137, (), "it needed more memory than the task has: raise memory"),
        ],
    )
    def test_a_hint_is_what_it_usually_means(self, reason: str, code: int | None, log: Any, said: str) -> None:
        assert stopped_tasks.hint(reason, code, log) == said

    @pytest.mark.parametrize(
        ("words", "begins"),
        [
            *(
                (w, "the image is for another processor")
                for w in ("descriptor matching platform", "does not match the specified platform")
            ),
            *((w, "the image could not be pulled") for w in ("CannotPull", "manifest unknown", "pull access denied")),
            *(
                (w, "a secret could not be read")
                for w in (
                    *("unable to retrieve secret", "secretsmanager:GetSecretValue", "ssm:GetParameters"),
                    "did not contain json key",
                )
            ),
            *((w, "the volume could not be mounted") for w in ("efs utils", "mount.nfs4")),
            ("log group does not exist", "its log group was deleted"),
            ("ResourceInitializationError", "before the container started"),
            ("unable to assume the role", "a role of the task does not trust"),
            ("Capacity is unavailable", "Fargate has no room"),
        ],
    )
    def test_a_reason_is_known_by_its_words(self, words: str, begins: str) -> None:
        assert stopped_tasks.hint(f"Error: {words}: x", None, ()).startswith(begins)


# ---- what ran

T1, T2 = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
DIGEST = "sha256:1"
TAGS = [{"key": "model-dockerize", "value": "service"}]
THERE = {
    "serviceArn": f"{ARN}service/c/iris",
    "serviceName": "iris",
    "clusterArn": f"{ARN}cluster/c",
    "status": "ACTIVE",
    "desiredCount": 1,
    "taskDefinition": definition(4),
    "deployments": [
        {"id": "old", "status": "ACTIVE", "taskDefinition": definition(3), "createdAt": T1},
        {
            **{"id": "new", "status": "PRIMARY", "taskDefinition": definition(4), "createdAt": T2},
            **{"rolloutState": "IN_PROGRESS", "desiredCount": 2, "runningCount": 1},
        },
    ],
    "tags": TAGS,
}
IMAGE = {"containerDefinitions": [{"name": "iris", "image": f"host/iris@{DIGEST}"}]}
AT_4 = "ecs:describe_task_definition", {"taskDefinition": definition(4)}, {"taskDefinition": IMAGE}
AS_SERVICE = Service(f"{ARN}service/c/iris", "iris", "c", False, "new", definition(4), None)
NOW = Running(AS_SERVICE, f"host/iris@{DIGEST}", T2, "IN_PROGRESS", 2, 1, {"model-dockerize": "service"})


def look_at(answer: Any) -> Call:
    asked = {"cluster": "c", "services": ["iris"], "include": ["TAGS"]}
    return "ecs:describe_services", asked, {"services": [answer] if answer else []}


def services_in(cluster: str, *arns: str, answer: Any = None) -> Call:
    return "ecs:list_services", {"cluster": cluster}, answer or [{"serviceArns": list(arns)}]


class TestRunning:
    def test_a_service_is_what_its_primary_deployment_is(self) -> None:
        with Script(look_at(THERE), AT_4) as script:
            found = history.running(script.aws, "c", "iris")
        assert found == NOW
        assert found.digest == DIGEST

    @pytest.mark.parametrize(
        ("deployments", "running", "state"),
        [(1, 2, "COMPLETED"), (1, 1, "IN_PROGRESS"), (2, 2, "IN_PROGRESS")],
    )
    def test_one_that_moves_traffic_is_over_when_the_former_is_gone(
        self, deployments: int, running: int, state: str
    ) -> None:
        old, new = THERE["deployments"]
        shown = [old, {**new, "runningCount": running}][-deployments:]  # type: ignore[dict-item]
        there = {**THERE, "deployments": shown, "deploymentConfiguration": {"strategy": "CANARY"}}
        with Script(look_at(there), AT_4) as script:
            assert history.running(script.aws, "c", "iris").state == state

    @pytest.mark.parametrize(
        ("arns", "said"),
        [
            ([], ""),
            ([f"{ARN}service/c/rose", f"{ARN}service/c/lily"], " There is: lily, rose."),
        ],
    )
    def test_one_that_is_not_there_is_an_error_that_names_others(self, arns: list[str], said: str) -> None:
        for there in (None, {**THERE, "status": "INACTIVE"}):
            with Script(look_at(there), services_in("c", *arns)) as script, pytest.raises(InputError) as caught:
                history.running(script.aws, "c", "iris")
            assert str(caught.value) == "There is no service iris in the cluster c."
            assert caught.value.remedy == (
                f"Check service, cluster and aws-region.{said} model-dockerize list shows all, deploy makes one."
            )
        with Script(look_at(None), services_in("c", answer=refused("X"))) as script, pytest.raises(InputError):
            history.running(script.aws, "c", "iris")
        many = [f"{ARN}service/c/x{number:02}" for number in range(12)]
        with Script(look_at(None), services_in("c", *many)) as script, pytest.raises(InputError) as caught:
            history.running(script.aws, "c", "iris")
        assert " There is: x00, x01, x02, x03, x04, x05, x06, x07, x08, x09." in caught.value.remedy

    def test_every_one_of_ours_is_listed_by_name(self) -> None:
        arns = [f"s{number}" for number in range(11)]
        rose = {**THERE, "serviceName": "a-rose"}
        others = [{**THERE, "status": "INACTIVE"}, {**THERE, "tags": []}, {**THERE, "taskDefinition": ""}]

        def described(some: list[str], *found: Any) -> Call:
            asked = {"cluster": "c1", "services": some, "include": ["TAGS"]}
            return "ecs:describe_services", asked, {"services": list(found)}

        calls = [
            ("ecs:list_clusters", {}, [{"clusterArns": ["c1"]}, {"clusterArns": ["c2"]}]),
            services_in("c1", *arns),
            *(described(arns[:10], THERE, *others), AT_4, described(arns[10:], rose), AT_4),
            services_in("c2"),
        ]
        with Script(*calls) as script:
            assert [each.service.name for each in history.every_service(script.aws)] == ["a-rose", "iris"]


def deployments(*found: Any, more: Any = None, token: str = "") -> Call:
    asked = {"cluster": "c", "service": "iris", **({"nextToken": token} if token else {})}
    return "ecs:list_service_deployments", asked, {"serviceDeployments": list(found), **(more or {})}


def deployed(number: int, status: str = "SUCCESSFUL") -> dict[str, Any]:
    return {"targetServiceRevisionArn": f"r{number}", "status": status, "createdAt": T1}


def revised(*numbers: int) -> Call:
    found = [
        {
            "serviceRevisionArn": f"r{number}",
            "taskDefinition": definition(number),
            "containerImages": [
                {"containerName": "iris", "image": "host/iris:v1@old", "imageDigest": f"sha256:{number}"}
            ],
        }
        for number in numbers
    ]
    asked = {"serviceRevisionArns": [f"r{number}" for number in numbers]}
    return "ecs:describe_service_revisions", asked, {"serviceRevisions": found}


def ran(number: int, state: str) -> Revision:
    return Revision(definition(number), f"host/iris:v1@sha256:{number}", T1, state, 0)


HERE = Revision(definition(4), f"host/iris@{DIGEST}", T2, "under way", 1)


class TestHistory:
    def test_each_revision_is_told_once_with_how_its_last_deployment_ended(self) -> None:
        first = [deployed(4, "IN_PROGRESS"), {"status": "X"}, deployed(3, "STOPPED"), deployed(4, "STOPPED")]
        second = [deployed(2, "ROLLBACK_SUCCESSFUL"), deployed(1, "ROLLBACK_FAILED"), deployed(3)]
        calls = [
            *(deployments(*first, more={"nextToken": "t"}), revised(4, 3, 4)),
            *(deployments(*second, token="t"), revised(2, 1, 3)),
        ]
        expected = (HERE, ran(3, "stopped"), ran(2, "rolled back"), ran(1, "failed"))
        with Script(*calls) as script:
            assert history.revisions(script.aws, NOW) == expected
        assert HERE.number == 4
        with Script(*calls[:2]) as script:
            assert history.revisions(script.aws, NOW, most=2) == expected[:2]

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            *(("ROLLBACK_IN_PROGRESS", "rolling back"), ("ROLLBACK_REQUESTED", "rolling back")),
            *(("SUCCESSFUL", "deployed"), ("PENDING", "under way")),
        ],
    )
    def test_an_end_is_said_in_our_words(self, status: str, state: str) -> None:
        with Script(deployments(deployed(3, status)), revised(3)) as script:
            assert history.revisions(script.aws, NOW)[1] == ran(3, state)

    def test_revisions_are_asked_about_twenty_at_once(self) -> None:
        numbers = list(range(30, 5, -1))
        calls = deployments(*map(deployed, numbers)), revised(*numbers[:20]), revised(*numbers[20:])
        with Script(*calls) as script:
            assert len(history.revisions(script.aws, NOW, most=99)) == 26
        with Script(*calls) as script:
            assert len(history.revisions(script.aws, NOW)) == 10

    def test_where_ecs_keeps_no_history_its_definitions_tell(self) -> None:
        none = "ecs:list_service_deployments", {"cluster": "c", "service": "iris"}, refused("ClientException")
        asked = {"familyPrefix": "iris", "status": "ACTIVE", "sort": "DESC"}
        listed = "ecs:list_task_definitions", asked, {"taskDefinitionArns": [definition(5), definition(3)]}
        with Script(none, listed) as script:
            assert history.revisions(script.aws, NOW)[1:] == tuple(
                Revision(definition(n), "", None, "", 0) for n in (5, 3)
            )
        with Script(none, listed) as script:
            assert history.previous(script.aws, NOW) == definition(3)
        for code in ("ExpiredToken", "ThrottlingException"):
            with Script((*none[:2], refused(code))) as script, pytest.raises(Exception, match="what service iris ran"):
                history.revisions(script.aws, NOW)

    @pytest.mark.parametrize(
        ("images", "image"),
        [
            ([{"containerName": "iris", "image": "host/iris:v1"}], "host/iris:v1"),
            ([{"containerName": "iris", "imageDigest": "sha256:1"}], ""),
            ([], ""),
        ],
    )
    def test_an_image_without_digest_is_as_it_was_named(self, images: Any, image: str) -> None:
        found = {"serviceRevisionArn": "r3", "taskDefinition": definition(3), "containerImages": images}
        answer = (*revised(3)[:2], {"serviceRevisions": [found]})
        with Script(deployments(deployed(3)), answer) as script:
            assert history.revisions(script.aws, NOW)[1].image == image

    def test_a_number_names_a_revision(self) -> None:
        asked = {"familyPrefix": "iris", "status": "ACTIVE"}
        arns = [definition(number) for number in range(1, 13)]

        def listed(*found: str) -> Call:
            pages = [{"taskDefinitionArns": [each]} for each in found]
            return "ecs:list_task_definitions", asked, pages

        with Script(listed(definition(9, "iris-2"), *arns)) as script:
            assert history.named(script.aws, NOW, 3) == definition(3)
        for found, remedy in (
            (
                arns,
                "There is: 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 2 older ones. model-dockerize status shows which ran "
                "when.",
            ),
            (arns[:10], "There is: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10. model-dockerize status shows which ran when."),
            ([definition(99, "iris-2")], "There is none."),
        ):
            with Script(listed(*found)) as script, pytest.raises(InputError) as caught:
                history.named(script.aws, NOW, 99)
            assert str(caught.value) == "There is no revision 99 of iris to go back to."
            assert caught.value.remedy == remedy
        with Script() as script, pytest.raises(InputError) as caught:
            history.named(script.aws, NOW, 4)
        assert (str(caught.value), caught.value.remedy) == (
            "Service iris runs revision 4 already.",
            "Nothing was changed.",
        )

    @pytest.mark.parametrize(
        ("tags", "ended", "sampled", "found"),
        [
            ({}, [(3, "SUCCESSFUL")], (), 3),
            ({}, [(5, "SUCCESSFUL"), (4, "SUCCESSFUL"), (2, "SUCCESSFUL")], (), 2),
            ({}, [(3, "STOPPED"), (2, "ROLLBACK_SUCCESSFUL"), (1, "SUCCESSFUL")], (), 1),
            ({}, [(3, "STOPPED"), (1, "SUCCESSFUL")], ("iris:3",), 3),
            ({"unproved": "iris:3 iris:2"}, [(3, "SUCCESSFUL"), (2, "SUCCESSFUL"), (1, "SUCCESSFUL")], (), 1),
            ({}, [], (), None),
            ({"proving": "iris:5"}, [(1, "SUCCESSFUL")], (), 1),
        ],
    )
    def test_it_goes_back_to_the_last_older_one_that_proved_itself(
        self, tags: dict[str, str], ended: list[tuple[int, str]], sampled: tuple[str, ...], found: int | None
    ) -> None:
        service = replace(AS_SERVICE, sampled=sampled)
        now = replace(NOW, service=service, tags={f"model-dockerize:{key}": value for key, value in tags.items()})
        calls = [deployments(*(deployed(*each) for each in ended))]
        calls += [revised(*(number for number, _ in ended))] if ended else []
        with Script(*calls) as script:
            assert history.previous(script.aws, now) == (definition(found) if found else None)

    def test_what_its_tag_names_needs_no_history(self) -> None:
        now = replace(NOW, tags={"model-dockerize:proving": "iris:2"})
        with Script() as script:
            assert history.previous(script.aws, now) == definition(2)
        other = replace(NOW, tags={"model-dockerize:proving": "rose:9"})
        with Script() as script:
            assert history.previous(script.aws, other) == definition(9, "rose")


class TestProving:
    @pytest.mark.parametrize(
        ("tags", "here", "wanted", "proved", "told"),
        [
            ({}, 1, 2, definition(1), {"proving": "iris:1"}),
            ({}, 1, 2, None, {"proving": "none"}),
            ({"proving": "iris:1"}, 2, 3, definition(2), {"unproved": "iris:2"}),
            ({"proving": "iris:1", "unproved": "iris:2"}, 3, 2, None, {"unproved": "iris:3"}),
            ({"proving": "iris:1", "unproved": "iris:2 iris:3"}, 3, 4, None, {}),
            ({"proving": "iris:1"}, 1, 2, None, {}),
            ({"proving": "iris:1", "unproved": "iris:2"}, 1, 2, None, {"unproved": ""}),
        ],
    )
    def test_what_was_proved_last_and_what_was_not_is_written(
        self, tags: dict[str, str], here: int, wanted: int, proved: Any, told: dict[str, str]
    ) -> None:
        has = {f"model-dockerize:{key}": value for key, value in tags.items()}
        new = [{"key": f"model-dockerize:{key}", "value": value} for key, value in told.items()]
        call = "ecs:tag_resource", {"resourceArn": "arn:s", "tags": new}, {}
        with Script(*([call] if told else [])) as script:
            proving.write_proving(script.aws, "arn:s", has, definition(here), definition(wanted), proved)

    def test_a_service_of_others_is_not_marked(self) -> None:
        with Script() as script:
            assert proving.mark_proving(script.aws, AS_SERVICE, {}, definition(5)) == AS_SERVICE
        new = [{"key": "model-dockerize:proving", "value": "iris:4"}]
        call = "ecs:tag_resource", {"resourceArn": AS_SERVICE.arn, "tags": new}
        tags = {"model-dockerize": "service"}
        with Script((*call, {})) as script:
            assert proving.mark_proving(script.aws, AS_SERVICE, tags, definition(5)) == replace(
                AS_SERVICE, proving=True
            )
        with Script((*call, refused("ServerException", "oh"))) as script, pytest.raises(AwsError) as caught:
            proving.mark_proving(script.aws, AS_SERVICE, tags, definition(5))
        assert str(caught.value) == "service iris: Operation failed: ServerException: oh"

    def test_what_did_not_have_to_prove_itself_is_not_marked(self) -> None:
        with Script() as script:
            proving.mark_proved(script.aws, AS_SERVICE, by_sample=True)
        untag = "ecs:untag_resource", {"resourceArn": AS_SERVICE.arn, "tagKeys": ["model-dockerize:proving"]}
        with Script((*untag, {})) as script:
            proving.mark_proved(script.aws, replace(AS_SERVICE, proving=True))
        with Script((*untag, refused("ServerException", "oh"))) as script, pytest.raises(AwsError) as caught:
            proving.mark_proved(script.aws, replace(AS_SERVICE, proving=True))
        assert str(caught.value) == "service iris: Operation failed: ServerException: oh"
