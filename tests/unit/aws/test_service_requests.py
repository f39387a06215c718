"""ECS gets whole requests for a service and its task definition; what no input says stays as the service has it."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.ecs import autoscaling, service, service_request, service_state, strategy
from model_dockerize.aws.ecs.scalable_target import check_target
from model_dockerize.aws.ecs.task_definition import ensure_task_definition, task_definition
from model_dockerize.aws.model import (
    Container,
    Current,
    Foundations,
    LoadBalancer,
    Runtime,
    Service,
    TaskDefinition,
    Volume,
)
from model_dockerize.errors import AwsError, InputError, TimedOutError
from model_dockerize.settings import ServiceSettings
from tests.rig.iris import settings
from tests.rig.scripted import Call, Script, refused

ARN = "arn:aws:ecs:us-east-1:123456789012:"
DEFINITION = TaskDefinition(f"{ARN}task-definition/iris:2", "iris", 2, True)
BALANCER = LoadBalancer("blue", "green", "rule", "test-rule", "role")
GROUND = Foundations("e", "t", "/log", False, "vpc", ("s2", "s1"), ("g2", "g1"), "c", True, settings())
ENOUGH = {"type": "COUNT", "value": 2}
EARLY = {"enable": True, "healthyPercent": 100, "sourceServiceRevisionCleanup": "DEFERRED"}
NETWORK = {
    "awsvpcConfiguration": {"subnets": ["s1", "s2"], "securityGroups": ["g1", "g2"], "assignPublicIp": "ENABLED"}
}
BREAKER = {"enable": True, "rollback": True, "thresholdConfiguration": ENOUGH}
WHOLE = {
    "taskDefinition": DEFINITION.arn,
    "networkConfiguration": NETWORK,
    "deploymentConfiguration": {
        "minimumHealthyPercent": 100,
        "maximumPercent": 200,
        "deploymentCircuitBreaker": BREAKER,
        "earlySuccessCriteria": EARLY,
    },
    "enableExecuteCommand": False,
    "propagateTags": "SERVICE",
}
TARGET = {"targetGroupArn": "blue", "containerName": "iris", "containerPort": 80}
ADVANCED = {
    "alternateTargetGroupArn": "green",
    "productionListenerRule": "rule",
    "testListenerRule": "test-rule",
    "roleArn": "role",
}


def requested(given: ServiceSettings, ground: Foundations = GROUND, **more: Any) -> dict[str, Any]:
    with Script() as script:
        return service_request.request(script.aws, given, replace(DEFINITION, **more), ground)


def known(members: dict[str, Any]) -> dict[str, Any]:
    """Return those members of a deployment's configuration that this botocore knows."""
    with Script() as script:
        shape = script.client("ecs").meta.service_model.shape_for("DeploymentConfiguration")
    return {name: value for name, value in members.items() if name in shape.members}


PAUSE = {
    "targetType": "PAUSE",
    "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
    "timeoutConfiguration": {"timeoutInMinutes": 11, "action": "ROLLBACK"},
}
SHIFTING = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5, "lifecycleHooks": [PAUSE]}


class TestRequest:
    def test_a_plain_one_is_whole(self) -> None:
        configuration = known(WHOLE["deploymentConfiguration"])  # type: ignore[arg-type]
        assert requested(settings()) == {**WHOLE, "deploymentConfiguration": configuration}
        private = replace(GROUND, assign_public_ip=False)
        network = requested(settings(), private)["networkConfiguration"]["awsvpcConfiguration"]
        assert network == {**NETWORK["awsvpcConfiguration"], "assignPublicIp": "DISABLED"}

    def test_one_that_is_alone_on_its_volume_ends_before_it_begins(self) -> None:
        found = requested(settings(volume="data"))
        configuration = found["deploymentConfiguration"]
        assert (configuration["minimumHealthyPercent"], configuration["maximumPercent"]) == (0, 100)
        assert found["availabilityZoneRebalancing"] == "DISABLED"

    @pytest.mark.parametrize(
        ("fresh", "volume", "threshold"),
        [
            (False, None, ENOUGH),
            (False, Volume("fs", "ap"), ENOUGH),
            (True, None, {"type": "UNBOUNDED_PERCENT", "value": 300}),
            (True, Volume("fs", "ap"), {"type": "UNBOUNDED_PERCENT", "value": 500}),
        ],
    )
    def test_of_what_is_new_more_tasks_may_die(self, fresh: bool, volume: Any, threshold: Any) -> None:
        ground = replace(GROUND, fresh_roles=fresh, volume=volume)
        breaker = requested(settings(), ground)["deploymentConfiguration"]["deploymentCircuitBreaker"]
        assert breaker == {**BREAKER, "thresholdConfiguration": threshold}

    def test_behind_a_load_balancer_both_groups_are_named(self) -> None:
        ground = replace(GROUND, load_balancer=BALANCER)
        found = requested(settings(load_balancer="true"), ground)
        assert found["loadBalancers"] == [{**TARGET, "advancedConfiguration": ADVANCED}]
        assert found["healthCheckGracePeriodSeconds"] == 330
        assert {k: found["deploymentConfiguration"].get(k) for k in SHIFTING} == SHIFTING
        assert "earlySuccessCriteria" not in found["deploymentConfiguration"]
        rolling = requested(settings(load_balancer="true", rollout="rolling"), ground, container="own")
        assert rolling["loadBalancers"] == [{**TARGET, "containerName": "own"}]
        without = requested(settings(load_balancer="true"))
        assert "loadBalancers" not in without
        assert "strategy" not in without["deploymentConfiguration"]

    def test_alarms_are_named_or_taken_back(self) -> None:
        found = requested(settings(alarms=("a", "b")))["deploymentConfiguration"]["alarms"]
        assert found == {"alarmNames": ["a", "b"], "enable": True, "rollback": True}
        assert strategy.alarms(settings()) == {"alarms": {"alarmNames": [], "enable": False, "rollback": False}}


def updated(there: dict[str, Any], given: ServiceSettings, ground: Foundations = GROUND, is_ours: bool = True) -> Any:
    with Script() as script:
        return service_request.update(script.aws, given, there, DEFINITION, ground, is_ours)


class TestUpdate:
    def test_only_the_definition_is_new(self) -> None:
        assert updated({}, settings()) == {"taskDefinition": DEFINITION.arn}

    def test_what_aws_would_put_back_is_said_again(self) -> None:
        there = {"platformVersion": "1.4.0", "unknown": "x"}
        assert updated(there, settings()) == {"taskDefinition": DEFINITION.arn, "platformVersion": "1.4.0"}
        assert updated({"platformVersion": ""}, settings()) == {"taskDefinition": DEFINITION.arn}

    @pytest.mark.parametrize(
        ("given", "is_new", "is_asked"),
        [
            ((), False, False),
            ((), True, True),
            *(((name,), False, True) for name in ("assign_public_ip", "security_groups", "subnets", "vpc", "zones")),
            (("cpu",), False, False),
        ],
    )
    def test_its_network_is_asked_for_where_an_input_says_it(self, given: Any, is_new: bool, is_asked: bool) -> None:
        ground = replace(GROUND, is_new=is_new)
        found = updated({}, replace(settings(), given=frozenset(given)), ground)
        assert found == {"taskDefinition": DEFINITION.arn, **({"networkConfiguration": NETWORK} if is_asked else {})}

    ALONE = {"minimumHealthyPercent": 0, "maximumPercent": 100}  # noqa: RUF012

    def test_its_bounds_change_with_its_queue(self) -> None:
        usual = {"minimumHealthyPercent": 100, "maximumPercent": 200}
        found = updated({"deploymentConfiguration": {**usual, "x": 1}}, settings(volume="data"))
        assert found["deploymentConfiguration"] == {**self.ALONE, "x": 1}
        assert found["availabilityZoneRebalancing"] == "DISABLED"
        shared = settings(volume="data", queue_url="postgresql://h/d")
        assert updated({"deploymentConfiguration": self.ALONE}, shared)["deploymentConfiguration"] == usual
        assert "deploymentConfiguration" not in updated({"deploymentConfiguration": usual}, shared)
        kept = replace(shared, given=frozenset())
        assert "deploymentConfiguration" not in updated({"deploymentConfiguration": self.ALONE}, kept)

    def test_the_number_of_tasks_that_may_die_is_ours_where_it_was(self) -> None:
        for value in (ENOUGH, {"type": "UNBOUNDED_PERCENT", "value": 300}, {"type": "UNBOUNDED_PERCENT", "value": 500}):
            there = {
                "deploymentConfiguration": {
                    "deploymentCircuitBreaker": {"enable": False, "thresholdConfiguration": value}
                }
            }
            found = updated(there, settings())["deploymentConfiguration"]
            assert found == {"deploymentCircuitBreaker": {"enable": False, "thresholdConfiguration": ENOUGH}}
            assert "deploymentConfiguration" not in updated(there, settings(), is_ours=False)
        theirs = {"deploymentCircuitBreaker": {"thresholdConfiguration": {"type": "COUNT", "value": 7}}}
        assert "deploymentConfiguration" not in updated({"deploymentConfiguration": theirs}, settings())

    def test_behind_a_load_balancer_it_is_asked_to_shift_once(self) -> None:
        ground = replace(GROUND, load_balancer=BALANCER)
        given = settings(load_balancer="true")
        early = {"earlySuccessCriteria": EARLY, "x": 1}
        found = updated({"deploymentConfiguration": early}, given, ground)
        assert found == {
            "taskDefinition": DEFINITION.arn,
            "deploymentConfiguration": {"x": 1, **SHIFTING},
            "loadBalancers": [{**TARGET, "advancedConfiguration": ADVANCED}],
            "healthCheckGracePeriodSeconds": 330,
        }
        same = {"loadBalancers": [{"targetGroupArn": "other"}, {**TARGET, "advancedConfiguration": ADVANCED}]}
        assert "loadBalancers" not in updated(same, given, ground)
        for other in ([{**TARGET, "targetGroupArn": "other"}], [TARGET]):
            found = updated({"loadBalancers": other, "healthCheckGracePeriodSeconds": 9}, given, ground)
            assert found["healthCheckGracePeriodSeconds"] == 9
            assert found["loadBalancers"] == [{**TARGET, "advancedConfiguration": ADVANCED}]
        rolling = replace(given, rollout="rolling")
        assert updated({"deploymentConfiguration": early, "loadBalancers": [TARGET]}, rolling, ground) == {
            "taskDefinition": DEFINITION.arn
        }
        back = updated({"deploymentConfiguration": {**early, "strategy": "BLUE_GREEN"}}, rolling, ground)
        assert back["deploymentConfiguration"] == {**early, "strategy": "ROLLING", "lifecycleHooks": []}

    def test_alarms_change_where_an_input_says_them(self) -> None:
        found = updated({"deploymentConfiguration": {"x": 1}}, settings(alarms=()))["deploymentConfiguration"]
        assert found == {"x": 1, "alarms": {"alarmNames": [], "enable": False, "rollback": False}}


@pytest.mark.parametrize(
    ("inputs", "now", "is_scaled", "wanted"),
    [
        ({}, None, False, 1),
        ({"desired_count": 3}, None, False, 3),
        ({"desired_count": 0}, None, False, 0),
        ({}, 7, False, 7),
        ({"desired_count": 3}, 7, False, 3),
        ({"desired_count": 3}, 7, True, 7),
        ({"desired_count": 3, "max_count": 9}, 7, False, 7),
        ({"desired_count": 3, "max_count": 9}, 1, False, 3),
        ({"desired_count": 3, "max_count": 5}, 7, False, 5),
        ({"max_count": 5}, 7, False, 5),
        ({"volume": "data"}, 7, False, 1),
        ({"volume": "data"}, 0, False, 0),
    ],
)
def test_a_number_of_tasks_that_no_input_says_stays(
    inputs: dict[str, Any], now: int | None, is_scaled: bool, wanted: int
) -> None:
    more: Any = {"is_scaled": True} if is_scaled else {}
    assert service_request.count(settings(**inputs), now, **more) == wanted


def test_what_is_no_reason_to_roll_is_left_out() -> None:
    wanted = {
        "desiredCount": 2,
        "availabilityZoneRebalancing": "DISABLED",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": BREAKER,
            "earlySuccessCriteria": EARLY,
            "maximumPercent": 200,
        },
    }
    lesser = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200}
    assert service_request.comparable(wanted, {}) == {"desiredCount": 2, "deploymentConfiguration": lesser}
    there = {
        "availabilityZoneRebalancing": "ENABLED",
        "desiredCount": 1,
        "deploymentConfiguration": {"earlySuccessCriteria": EARLY, **lesser},
    }
    assert service_request.comparable(wanted, there) == {
        **wanted,
        "deploymentConfiguration": {**lesser, "earlySuccessCriteria": EARLY},
    }
    assert service_request.differing(wanted, there) == [
        "desiredCount 1 -> 2",
        "availabilityZoneRebalancing ENABLED -> DISABLED",
    ]
    assert service_request.comparable({"desiredCount": 1}, {}) == {"desiredCount": 1}
    bare = {"deploymentConfiguration": {"maximumPercent": 200}}
    assert service_request.comparable(bare, {}) == bare


class TestStrategy:
    THEIRS = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("given", "there", "asked"),
        [
            ({"rollout": "rolling"}, {}, {}),
            ({"rollout": "rolling"}, {"strategy": "ROLLING"}, {}),
            (
                {"rollout": "rolling"},
                {"strategy": "LINEAR", "lifecycleHooks": [PAUSE, THEIRS]},
                {"strategy": "ROLLING", "lifecycleHooks": [THEIRS]},
            ),
            (
                {"rollout": "blue-green", "bake_minutes": 7},
                {"lifecycleHooks": [THEIRS, PAUSE]},
                {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 7, "lifecycleHooks": [THEIRS, PAUSE]},
            ),
            (
                {"rollout": "blue-green", "wait": False},
                {},
                {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5, "lifecycleHooks": []},
            ),
            (
                {"rollout": "canary", "step_percent": 20, "step_minutes": 3, "wait": False},
                {"canaryConfiguration": {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 9}},
                {
                    "strategy": "CANARY",
                    "bakeTimeInMinutes": 5,
                    "lifecycleHooks": [],
                    "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 3},
                },
            ),
            (
                {"rollout": "linear", "step_minutes": 3, "wait": False},
                {"linearConfiguration": {"stepPercent": 12.5, "stepBakeTimeInMinutes": 9}},
                {
                    "strategy": "LINEAR",
                    "bakeTimeInMinutes": 5,
                    "lifecycleHooks": [],
                    "linearConfiguration": {"stepPercent": 12.5, "stepBakeTimeInMinutes": 3},
                },
            ),
        ],
    )
    def test_it_is_said_in_the_words_of_ecs(self, given: dict[str, Any], there: Any, asked: Any) -> None:
        assert strategy.strategy(settings(**given), 0, there) == asked

    @pytest.mark.parametrize(
        ("wait", "smoke", "minutes"),
        [(600, 0, 11), (600, 1, 13), (600, 300, 17), (599, 301, 17), (0, 0, 1), (240, 0, 7), (10**9, 0, 20159)],
    )
    def test_its_pause_is_longer_than_all_waits(self, wait: int, smoke: int, minutes: int) -> None:
        timeout = {"timeoutInMinutes": minutes, "action": "ROLLBACK"}
        assert strategy.pause(wait, smoke) == {**PAUSE, "timeoutConfiguration": timeout}
        assert strategy.has_our_pause({"lifecycleHooks": [self.THEIRS, strategy.pause(wait, smoke)]})

    @pytest.mark.parametrize(
        "changes",
        [
            {"targetType": "AWS_LAMBDA"},
            {"lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT", "PRE_SCALE_UP"]},
            {"lifecycleStages": ["PRE_SCALE_UP"]},
            {"timeoutConfiguration": {"timeoutInMinutes": 11, "action": "CONTINUE"}},
            *({"timeoutConfiguration": {"timeoutInMinutes": each, "action": "ROLLBACK"}} for each in (12, 15, 20, 0)),
            {"timeoutConfiguration": {}},
        ],
    )
    def test_a_pause_that_differs_is_not_ours(self, changes: dict[str, Any]) -> None:
        hook = {**PAUSE, **changes}
        assert not strategy.is_ours(hook)
        assert strategy.without_pause({"lifecycleHooks": [PAUSE, hook]}) == [hook]
        assert strategy.without_pause({}) == []
        assert not strategy.has_our_pause({})

    def test_a_pause_of_somebody_else_at_our_stage_is_refused(self) -> None:
        theirs = {**PAUSE, "lifecycleStages": ["PRE_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"]}
        with pytest.raises(InputError) as caught:
            strategy.strategy(settings(rollout="blue-green"), 0, {"lifecycleHooks": [theirs]})
        assert str(caught.value) == (
            "The service has a pause of somebody else at POST_TEST_TRAFFIC_SHIFT, which ECS does not tell from ours."
        )
        assert caught.value.remedy == (
            "Move that hook to another stage (PRE_PRODUCTION_TRAFFIC_SHIFT is next), or set rollout to rolling."
        )


# ---- task definitions

RUNTIME = Runtime("arn:e", "arn:t", "/log", fresh_roles=False)
CONTAINER = Container(
    "host/iris@sha256:1",
    "linux/amd64",
    256,
    512,
    (("B", "2"), ("A", "1")),
    (("S", "arn:s"),),
    True,
    "us-east-1",
    RUNTIME,
)
INNER = {
    "name": "iris",
    "image": "host/iris@sha256:1",
    "essential": True,
    "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
    "stopTimeout": 30,
    "healthCheck": {
        "command": ["CMD", "/opt/model-server/model-server", "health", "--ready"],
        "interval": 5,
        "timeout": 60,
        "retries": 3,
        "startPeriod": 300,
    },
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/log", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "service"},
    },
    "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "secrets": [{"name": "S", "valueFrom": "arn:s"}],
}
TASKS = {
    "family": "iris",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"},
    "cpu": "256",
    "memory": "512",
    "executionRoleArn": "arn:e",
    "taskRoleArn": "arn:t",
    "containerDefinitions": [INNER],
}
TAGS = [{"key": "model-dockerize", "value": "task-definition"}, {"key": "team", "value": "a"}]


class TestTaskDefinition:
    def test_the_request_is_whole(self) -> None:
        assert task_definition("iris", CONTAINER, "iris") == TASKS
        mount = {"sourceVolume": "data", "containerPath": "/var/gai_data", "readOnly": False}
        shared = {
            "name": "data",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-1",
                "rootDirectory": "/",
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": "fsap-1", "iam": "DISABLED"},
            },
        }
        found = task_definition("iris", replace(CONTAINER, volume=Volume("fs-1", "fsap-1"), health_command=()), "own")
        inner = {key: value for key, value in INNER.items() if key != "healthCheck"}
        assert found == {
            **TASKS,
            "containerDefinitions": [{**inner, "name": "own", "mountPoints": [mount]}],
            "volumes": [shared],
        }
        with pytest.raises(InputError):
            task_definition("iris", replace(CONTAINER, memory=4096), "iris")

    def latest(self, answer: Any) -> Call:
        asked = {"taskDefinition": "iris", "include": ["TAGS"]}
        if isinstance(answer, Exception):
            return "ecs:describe_task_definition", asked, answer
        return "ecs:describe_task_definition", asked, {"taskDefinition": answer, "tags": answer.pop("tags", TAGS)}

    def there(self, **changes: Any) -> dict[str, Any]:
        made = {"taskDefinitionArn": f"{ARN}task-definition/iris:2", "revision": 2, "status": "ACTIVE"}
        return {**TASKS, **made, **changes}

    NONE = refused("ClientException", "Unable to describe task definition.")

    def registered(self, **changes: Any) -> Call:
        asked = {**TASKS, "tags": TAGS, **changes}
        made = {"taskDefinitionArn": f"{ARN}task-definition/iris:3", "revision": 3}
        return "ecs:register_task_definition", asked, {"taskDefinition": made}

    def ensure(self, *calls: Call, container: Container = CONTAINER) -> tuple[TaskDefinition, list[str]]:
        with Script(*calls) as script:
            aws = replace(script.aws, tags={"team": "a"})
            found = ensure_task_definition(aws, "iris", container, script.said)
        return found, [*map(str, aws.changes), *script.said.infos]

    def test_the_first_is_registered(self) -> None:
        new = TaskDefinition(f"{ARN}task-definition/iris:3", "iris", 3, True, "iris")
        told = ["+ task definition iris", "task definition iris:3: registered"]
        assert self.ensure(self.latest(self.NONE), self.registered()) == (new, told)
        of_batch = self.there(registeredBy="arn:x/aws-batch", cpu="512")
        assert self.ensure(self.latest(of_batch), self.registered()) == (new, told)

    def test_one_that_suits_is_left_and_another_is_told(self) -> None:
        assert self.ensure(self.latest(self.there())) == (
            TaskDefinition(f"{ARN}task-definition/iris:2", "iris", 2, False, "iris"),
            ["= task definition iris:2", "task definition iris:2: there"],
        )
        found, told = self.ensure(self.latest(self.there(cpu="512", memory="1024")), self.registered())
        assert found.changed
        why = "cpu 512 -> 256, memory 1024 -> 512"
        assert told == [f"~ task definition iris ({why})", f"task definition iris:3: registered ({why})"]
        inactive = self.ensure(self.latest(self.there(status="INACTIVE")), self.registered())
        assert inactive[1][0] == "~ task definition iris"

    def test_what_the_service_runs_is_carried_on(self) -> None:
        former = self.there(cpu="512", memory="1024", containerDefinitions=[{**INNER, "user": "u"}])
        former["tags"] = [*TAGS, {"key": "more", "value": "x"}]
        current = Current({"taskDefinition": former["taskDefinitionArn"]}, former, {}, "iris", True)
        container = replace(CONTAINER, current=current)
        wanted = {
            "containerDefinitions": [{**INNER, "user": "u"}],
            "tags": [TAGS[0], {"key": "team", "value": "a"}, {"key": "more", "value": "x"}],
        }
        calls = self.latest({**former}), self.registered(**wanted)
        calls[1][1]["tags"] = [*former["tags"]]
        found, told = self.ensure(*calls, container=container)
        assert (found.revision, found.container) == (3, "iris")
        assert told[0] == "~ task definition iris (cpu 512 -> 256, memory 1024 -> 512)"
        same = {**former, "cpu": "256", "memory": "512"}
        container = replace(CONTAINER, current=replace(current, definition=same))
        assert self.ensure(container=container)[0].changed is False

    def test_what_ecs_refuses_is_told(self) -> None:
        with pytest.raises(AwsError) as caught:
            self.ensure(self.latest(refused("ServerException", "oh")))
        assert str(caught.value) == "task definition iris: Operation failed: ServerException: oh"


# ---- services

PRIMARY = {"status": "PRIMARY", "id": "ecs-svc/2", "taskDefinition": f"{ARN}task-definition/iris:1"}
MARK = {"key": "model-dockerize", "value": "service"}
THERE = {
    "serviceArn": f"{ARN}service/c/iris",
    "serviceName": "iris",
    "clusterArn": f"{ARN}cluster/c",
    "status": "ACTIVE",
    "desiredCount": 1,
    "taskDefinition": f"{ARN}task-definition/iris:1",
    "deployments": [PRIMARY],
    "tags": [MARK],
}


def look(answer: Any) -> Call:
    asked = {"cluster": "c", "services": ["iris"], "include": ["TAGS"]}
    if isinstance(answer, Exception):
        return "ecs:describe_services", asked, answer
    return "ecs:describe_services", asked, {"services": [answer] if answer else []}


def tag(**tags: str) -> Call:
    names = [{"key": f"model-dockerize:{key}", "value": value} for key, value in tags.items()]
    return "ecs:tag_resource", {"resourceArn": THERE["serviceArn"], "tags": names}, {}


def update(answer: Any = None, **asked: Any) -> Call:
    whole = {"cluster": "c", "service": "iris", "taskDefinition": DEFINITION.arn, "desiredCount": 1, **asked}
    return "ecs:update_service", whole, answer or {"service": {**THERE, "tags": [], "desiredCount": 1}}


class TestService:
    def ensure(
        self, *calls: Call, ground: Foundations = GROUND, tags: Any = None, **inputs: Any
    ) -> tuple[Service, list[str]]:
        with Script(*calls) as script:
            aws = replace(script.aws, tags=tags or {})
            given = settings(**inputs)
            found = service.ensure_service(aws, given, "iris", DEFINITION, ground, script.said, lambda _: None)
        return found, [*map(str, aws.changes), *script.said.infos]

    def made(self, answer: Any = None, **changes: Any) -> Call:
        tags = [MARK, {"key": "model-dockerize:proving", "value": "none"}, {"key": "team", "value": "a"}]
        asked = {"cluster": "c", "serviceName": "iris", "launchType": "FARGATE", "tags": tags, "desiredCount": 1}
        configuration = known(WHOLE["deploymentConfiguration"])  # type: ignore[arg-type]
        whole = {**asked, **WHOLE, "deploymentConfiguration": configuration, **changes}
        return "ecs:create_service", whole, answer or {"service": {**THERE}}

    NEW = Service(f"{ARN}service/c/iris", "iris", "c", True, "ecs-svc/2", DEFINITION.arn, None, proving=True)

    @pytest.mark.parametrize("there", [None, {**THERE, "status": "INACTIVE"}, refused("ClusterNotFoundException")])
    def test_one_that_is_not_there_is_made_as_unproved(self, there: Any) -> None:
        told = ["+ service iris", "service iris: made, iris:2"]
        assert self.ensure(look(there), self.made(), tags={"team": "a"}) == (self.NEW, told)

    @pytest.mark.parametrize(
        ("code", "is_asked_again"),
        [
            *(
                (code, True)
                for code in (
                    *("ClientException", "InvalidParameterException", "SerializationException"),
                    *("UnsupportedFeatureException", "ValidationException"),
                )
            ),
            ("ServerException", False),
        ],
    )
    def test_an_endpoint_that_knows_less_is_asked_for_less(self, code: str, is_asked_again: bool) -> None:
        lesser = {
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        }
        calls = [look(None), self.made(refused(code, "oh"))]
        if is_asked_again:
            again = self.made(deploymentConfiguration=lesser)
            assert self.ensure(*calls, again, tags={"team": "a"})[0] == self.NEW
            calls.append(self.made(refused("ClientException", "oh"), deploymentConfiguration=lesser))
        with pytest.raises(AwsError) as caught:
            self.ensure(*calls, tags={"team": "a"})
        assert "service iris: Operation failed: " in str(caught.value)

    def test_one_that_goes_is_waited_for(self) -> None:
        draining = look({**THERE, "status": "DRAINING"})
        _, told = self.ensure(draining, draining, look(None), self.made(), tags={"team": "a"})
        assert told[1] == "service iris: waiting until the old one of that name is gone"
        with Script(forever=draining) as script, pytest.raises(TimedOutError) as caught:
            service.ensure_service(script.aws, settings(), "iris", DEFINITION, GROUND, script.said, lambda _: None)
        assert str(caught.value) == "Service iris is still DRAINING after 302 s."
        assert caught.value.remedy == "Stop its tasks, or choose another name (service)."

    def test_one_that_runs_it_is_left(self) -> None:
        there = {**THERE, "taskDefinition": DEFINITION.arn}
        found, told = self.ensure(look(there))
        assert found == replace(self.NEW, changed=False, previous_task_definition_arn=DEFINITION.arn, proving=False)
        assert told == ["= service iris", "service iris: there, iris:2"]
        unproved = {**there, "tags": [MARK, {"key": "model-dockerize:proving", "value": "iris:1"}]}
        found, _ = self.ensure(look(unproved))
        assert (found.changed, found.proving, found.previous_task_definition_arn) == (
            False,
            True,
            THERE["taskDefinition"],
        )

    def test_another_version_is_rolled_out_as_unproved(self) -> None:
        found, told = self.ensure(look(THERE), tag(proving="iris:1"), update())
        assert found == replace(self.NEW, previous_task_definition_arn=THERE["taskDefinition"])
        why = "taskDefinition iris:1 -> iris:2"
        assert told[1] == "service iris: rolling iris:1 -> iris:2"
        assert told[0].startswith("~ service iris (taskDefinition")
        assert why.split(maxsplit=1)[0] in told[0]

    def test_what_failed_is_begun_anew(self) -> None:
        failed = {**THERE, "taskDefinition": DEFINITION.arn, "deployments": [{**PRIMARY, "rolloutState": "FAILED"}]}
        calls = look(failed), tag(proving="iris:2"), update(forceNewDeployment=True)
        _, told = self.ensure(*calls)
        assert told == [
            "~ service iris (the last deployment failed)",
            "service iris: changing the last deployment failed",
        ]

    def test_one_whose_first_version_failed_gets_a_task_again(self) -> None:
        proving = {"key": "model-dockerize:proving", "value": "none"}
        zero = {**THERE, "desiredCount": 0, "tags": [MARK, proving]}
        with Script(look(zero), forever=("ecs:tag_resource", {}, {})) as script:
            asked: list[Any] = []
            client = script.client("ecs")
            client.__dict__["tag_resource"] = lambda **_: {}
            client.__dict__["untag_resource"] = lambda **_: {}
            client.__dict__["update_service"] = lambda **given: asked.append(given) or {"service": {**THERE}}
            found = service.ensure_service(script.aws, settings(), "iris", DEFINITION, GROUND, script.said)
        assert asked[0]["desiredCount"] == 1
        assert found.previous_task_definition_arn is None

    def test_it_is_brought_to_no_task(self) -> None:
        call = "ecs:update_service", {"cluster": "c", "service": "iris", "desiredCount": 0}
        with Script((*call, {})) as script:
            service.scale_to_zero(script.aws, self.NEW)
        with Script((*call, refused("ServerException", "oh"))) as script, pytest.raises(AwsError) as caught:
            service.scale_to_zero(script.aws, self.NEW)
        assert str(caught.value) == "service iris: Operation failed: ServerException: oh"

    @pytest.mark.parametrize(("is_paused", "is_watched"), [(True, True), (True, False), (False, False)])
    def test_it_is_put_back_without_a_pause_that_nobody_ends(self, is_paused: bool, is_watched: bool) -> None:
        back = f"{ARN}task-definition/iris:1"
        asked = {"cluster": "c", "service": "iris", "taskDefinition": back, "forceNewDeployment": True}
        shown = {"deploymentConfiguration": {"x": 1, "lifecycleHooks": [PAUSE]}}
        describe = "ecs:describe_services", {"cluster": "c", "services": ["iris"]}, {"services": [shown]}
        is_unpaused = is_paused and not is_watched
        if is_unpaused:
            asked["deploymentConfiguration"] = {"x": 1, "lifecycleHooks": []}
        calls = [*([describe] if is_unpaused else []), ("ecs:update_service", asked, {"service": {**THERE}})]
        with Script(*calls) as script:
            found = service.put_back(script.aws, replace(self.NEW, is_paused_by_us=is_paused), back, is_watched)
        assert found == replace(self.NEW, task_definition_arn=back, previous_task_definition_arn=DEFINITION.arn)


class TestState:
    def test_a_service_is_read_whole(self) -> None:
        balancers = [
            {"targetGroupArn": "one"},
            {
                "targetGroupArn": "blue",
                "advancedConfiguration": {
                    "alternateTargetGroupArn": "green",
                    "productionListenerRule": "rule",
                    "testListenerRule": "test",
                },
            },
            {"loadBalancerName": "classic"},
        ]
        tags = {"sampled": "iris:1 iris:2", "scaled": "cpu"}
        shown = {
            **THERE,
            "deployments": [{**PRIMARY, "status": "ACTIVE", "id": "old"}, PRIMARY],
            "tags": [{"key": f"model-dockerize:{key}", "value": value} for key, value in tags.items()],
            "loadBalancers": balancers,
            "desiredCount": 3,
            "deploymentConfiguration": {"strategy": "CANARY", "lifecycleHooks": [PAUSE]},
        }
        assert service_state.service_of(shown, "arn:d", changed=False, previous="arn:p", proving=True) == Service(
            arn=THERE["serviceArn"],  # type: ignore[arg-type]
            name="iris",
            cluster="c",
            changed=False,
            deployment_id="ecs-svc/2",
            task_definition_arn="arn:d",
            previous_task_definition_arn="arn:p",
            proving=True,
            sampled=("iris:1", "iris:2"),
            target_groups=("one", "blue", "green"),
            scaled=True,
            desired=3,
            strategy="CANARY",
            rule_arns=("rule", "test"),
            is_paused_by_us=True,
        )
        with pytest.raises(InputError):
            service_state.service_of({**THERE, "deploymentController": {"type": "CODE_DEPLOY"}}, "d", False, None)

    @pytest.mark.parametrize(
        ("revisions", "groups", "found"),
        [([], None, ""), (["a", "b"], None, ""), (["a"], ["g"], "g"), (["a"], ["g", "h"], ""), (["a"], [], "")],
    )
    def test_the_group_of_its_only_revision_is_known(self, revisions: list[str], groups: Any, found: str) -> None:
        there = {"currentServiceRevisions": [{"arn": each} for each in revisions]}
        resolved = {"resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": each} for each in groups or []]}}
        call = "ecs:describe_service_revisions", {"serviceRevisionArns": ["a"]}, {"serviceRevisions": [resolved]}
        with Script(*([call] if groups is not None else [])) as script:
            assert service_state.group_of(script.aws, there) == found
        with Script() as script:
            assert service_state.group_of(script.aws, {}) == ""

    @pytest.mark.parametrize(
        ("deployments", "found"),
        [
            ([{"status": "PRIMARY", "rolloutState": "FAILED"}], True),
            ([{"status": "PRIMARY", "rolloutState": "COMPLETED"}], False),
            ([{"status": "ACTIVE", "rolloutState": "FAILED"}], False),
            ([{"status": "PRIMARY"}], False),
            ([], False),
        ],
    )
    def test_a_rolling_deployment_may_have_failed(self, deployments: Any, found: bool) -> None:
        with Script() as script:
            assert service_state.gave_up(script.aws, {"deployments": deployments}, is_same=True) is found

    @pytest.mark.parametrize(
        ("status", "found"), [("STOPPED", True), ("ROLLBACK_FAILED", True), ("SUCCESSFUL", False), ("", False)]
    )
    def test_of_the_other_kinds_their_status_is_asked(self, status: str, found: bool) -> None:
        there = {"deploymentConfiguration": {"strategy": "CANARY"}, "currentServiceDeployment": "d"}
        shown = {"serviceDeployments": [{"status": status}] if status else []}
        with Script(("ecs:describe_service_deployments", {"serviceDeploymentArns": ["d"]}, shown)) as script:
            assert service_state.gave_up(script.aws, there, is_same=True) is found
        with Script() as script:
            assert service_state.gave_up(script.aws, there, is_same=False) is False
            assert service_state.gave_up(script.aws, {**there, "currentServiceDeployment": ""}, is_same=True) is False

    @pytest.mark.parametrize(
        ("others", "found"),
        [
            ([], None),
            ([{"taskDefinition": "new", "rolloutState": "COMPLETED"}], None),
            ([{"taskDefinition": "old"}], None),
            ([{"taskDefinition": "old", "runningCount": 0}], None),
            ([{"taskDefinition": "old", "runningCount": 1}], "old"),
            ([{"taskDefinition": "a"}, {"taskDefinition": "old", "rolloutState": "COMPLETED"}], "old"),
        ],
    )
    def test_what_serves_besides_is_known(self, others: Any, found: str | None) -> None:
        assert service_state.previous_of({"deployments": others}, "new") == found

    def test_it_is_described_or_none(self) -> None:
        asked = {"cluster": "c", "services": ["iris"]}
        gone, denied = refused("ClusterNotFoundException"), refused("AccessDenied")
        for answer, found in (({"services": [1]}, 1), ({"services": []}, None), (gone, None)):
            with Script(("ecs:describe_services", asked, answer)) as script:
                assert service_state.describe(script.aws, "c", "iris") == found
        with Script(("ecs:describe_services", asked, denied)) as script, pytest.raises(type(denied)):
            service_state.describe(script.aws, "c", "iris")


PLACE = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/c/iris",
    "ScalableDimension": "ecs:service:DesiredCount",
}
IRIS = Service("arn:s", "iris", "c", True, "d", "arn:d", None)


def target(found: Any) -> Call:
    asked = {
        "ServiceNamespace": "ecs",
        "ResourceIds": ["service/c/iris"],
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    return "application-autoscaling:describe_scalable_targets", asked, {"ScalableTargets": [found] if found else []}


def policy(value: float | None) -> Call:
    found = [] if value is None else [{"TargetTrackingScalingPolicyConfiguration": {"TargetValue": value}}]
    asked = {"PolicyNames": ["model-dockerize-cpu"], **PLACE}
    return "application-autoscaling:describe_scaling_policies", asked, {"ScalingPolicies": found}


def registered(least: int, most: int, **more: Any) -> Call:
    asked = {**PLACE, "MinCapacity": least, "MaxCapacity": most, **more}
    return "application-autoscaling:register_scalable_target", asked, {}


def put_policy(value: float) -> Call:
    metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    configuration = {"TargetValue": value, "PredefinedMetricSpecification": metric}
    asked = {
        "PolicyName": "model-dockerize-cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
        **PLACE,
    }
    return "application-autoscaling:put_scaling_policy", asked, {}


MARKED = "ecs:tag_resource", {"resourceArn": "arn:s", "tags": [{"key": "model-dockerize:scaled", "value": "cpu"}]}, {}


class TestScaling:
    def scaled(self, *calls: Call, scaled: bool = True, **inputs: Any) -> list[str]:
        with Script(*calls) as script:
            aws = replace(script.aws, tags={"team": "a"})
            autoscaling.ensure_scaling(aws, settings(**inputs), replace(IRIS, scaled=scaled), script.said)
        return [*map(str, aws.changes), *script.said.infos]

    def test_without_an_input_nothing_is_asked(self) -> None:
        assert self.scaled(scaled=True) == []
        assert self.scaled(scaled=False, scale_on_cpu=50, desired_count=2) == []
        assert self.scaled(scaled=False, max_count=0) == []

    def test_it_is_marked_before_it_is_made(self) -> None:
        tags = {"Tags": {"model-dockerize": "service", "team": "a"}}
        made = registered(1, 5, **tags), put_policy(60.0)
        calls = target(None), MARKED, target(None), policy(None), *made
        assert self.scaled(*calls, scaled=False, max_count=5, scale_on_cpu=60) == [
            "+ scaling iris",
            "scaling iris: 1 to 5 tasks at 60 % CPU",
        ]

    def test_what_no_input_says_stays(self) -> None:
        there = {"MinCapacity": 2, "MaxCapacity": 9}
        assert self.scaled(target(there), policy(70.0), scale_on_cpu=70) == ["= scaling iris", "scaling iris: there"]
        found = self.scaled(target(there), policy(70.0), put_policy(50.0), scale_on_cpu=50)
        assert found[0] == "~ scaling iris (TargetValue 70.0 -> 50)"
        found = self.scaled(target(there), policy(70.0), registered(3, 9), desired_count=3)
        assert found[0] == "~ scaling iris (MinCapacity 2 -> 3)"
        found = self.scaled(target(there), policy(70.0), registered(1, 1), max_count=1)
        assert found[0] == "~ scaling iris (MinCapacity 2 -> 1, MaxCapacity 9 -> 1)"

    def test_no_number_ends_it(self) -> None:
        end = [
            target({"MinCapacity": 1}),
            ("application-autoscaling:deregister_scalable_target", PLACE, {}),
            ("ecs:untag_resource", {"resourceArn": "arn:s", "tagKeys": ["model-dockerize:scaled"]}, {}),
        ]
        assert self.scaled(*end, max_count=0) == ["~ scaling iris", "scaling iris: ended"]
        assert self.scaled(target(None), end[2], max_count=0) == ["~ scaling iris", "scaling iris: ended"]

    def test_one_of_others_is_refused_unless_it_is_adopted(self) -> None:
        there = target({"MinCapacity": 2, "MaxCapacity": 4})
        with Script(there) as script, pytest.raises(InputError) as caught:
            check_target(script.aws, settings(max_count=5), "c", "iris", is_ours=False)
        error = caught.value
        assert str(error) == "Somebody else scales service iris in cluster c, and max-count would change that."
        assert error.remedy == (
            "Leave max-count out, or take the scaling over (adopt: true): then what is listed changes, and its "
            "policies stay."
        )
        assert error.details == ("changes: MaxCapacity 4 -> 5",)
        with Script(target(None)) as script:
            check_target(script.aws, settings(max_count=5), "c", "iris", is_ours=False)
        with Script() as script:
            check_target(script.aws, settings(max_count=5), "c", "iris", is_ours=True)
            check_target(script.aws, settings(max_count=5, adopt=True), "c", "iris", is_ours=False)
            check_target(script.aws, settings(), "c", "iris", is_ours=False)
