"""Existing things are read as inputs and keep what no input says; those of others are told before they are taken."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.ecr import rules
from model_dockerize.aws.existing import adoption, carried, inputs, newer_fields, own_container, service
from model_dockerize.aws.model import Current
from model_dockerize.errors import AwsError, InputError, PushError
from model_dockerize.settings import RegistrySettings, to_settings
from tests.rig.iris import settings
from tests.rig.scripted import Call, Script, refused

FAMILY = "arn:aws:ecs:us-east-1:1:task-definition/iris:2"


# ---- inputs


@pytest.mark.parametrize(
    ("there", "is_placed", "found"),
    [
        ({}, False, {}),
        ({"taskDefinition": FAMILY}, False, {"task_definition": "iris"}),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["b", "a"], "assignPublicIp": "ENABLED"}}},
            False,
            {"assign_public_ip": True, "subnets": ("a", "b"), "security_groups": ()},
        ),
        (
            {
                "networkConfiguration": {
                    "awsvpcConfiguration": {
                        "subnets": ["a"],
                        "securityGroups": ["h", "g"],
                        "assignPublicIp": "DISABLED",
                    }
                }
            },
            False,
            {"assign_public_ip": False, "subnets": ("a",), "security_groups": ("g", "h")},
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"]}}},
            True,
            {"assign_public_ip": False},
        ),
        ({"deploymentConfiguration": {"maximumPercent": 1}}, False, {"rollout": "rolling", "alarms": ()}),
        (
            {
                "deploymentConfiguration": {
                    "strategy": "BLUE_GREEN",
                    "bakeTimeInMinutes": 7,
                    "alarms": {"alarmNames": ["x"], "enable": True},
                }
            },
            False,
            {"rollout": "blue-green", "bake_minutes": 7, "alarms": ("x",)},
        ),
        (
            {
                "deploymentConfiguration": {
                    "strategy": "CANARY",
                    "canaryConfiguration": {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 3},
                    "alarms": {"alarmNames": ["x"], "enable": False},
                }
            },
            False,
            {"rollout": "canary", "step_percent": 12, "step_minutes": 3, "alarms": ()},
        ),
        (
            {
                "deploymentConfiguration": {
                    "strategy": "LINEAR",
                    "linearConfiguration": {"stepPercent": 20.0, "stepBakeTimeInMinutes": 4},
                }
            },
            False,
            {"rollout": "linear", "step_percent": 20, "step_minutes": 4, "alarms": ()},
        ),
    ],
)
def test_a_service_says_these_inputs(there: Any, is_placed: bool, found: Any) -> None:
    assert inputs.of_service(there, is_placed) == found


def definition(told: dict[str, str], secret: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    container = {
        "name": "iris",
        "environment": [{"name": name, "value": value} for name, value in told.items()],
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in (secret or {}).items()],
    }
    return {"family": "iris", "containerDefinitions": [container], **more}


SERVERS = {
    "allowed_hosts": (),
    "job_list": True,
    "self_proof": False,
    "api_key": (),
    "queue_url": "",
    "server_processes": 1,
    "retention_days": 0,
}


@pytest.mark.parametrize(
    ("there", "is_ours", "found"),
    [
        (definition({}), False, {"environment": (), "secrets": ()}),
        (definition({}), True, {"environment": (), "secrets": (), **SERVERS}),
        (
            definition(
                {"A": "1"}, {"S": "arn:s"}, taskRoleArn="arn:t", executionRoleArn="arn:e", cpu="256", memory=512
            ),
            False,
            {
                **{"environment": (("A", "1"),), "secrets": (("S", "arn:s"),), "cpu": 256, "memory": 512},
                **{"task_role": "arn:t", "execution_role": "arn:e"},
            },
        ),
        (definition({}, cpu="", memory="x"), False, {"environment": (), "secrets": ()}),
        (
            definition(
                {
                    **{"MODEL_OPEN_PATHS": "/a,/b", "MODEL_ALLOWED_HOSTS": "h,i", "MODEL_JOB_LIST": "false"},
                    **{"MODEL_SELF_PROOF": "true", "MODEL_SERVER_PROCESSES": "3", "MODEL_RETENTION_DAYS": "9"},
                    "MODEL_QUEUE_URL": "postgresql://h/d",
                }
            ),
            False,
            {
                **{
                    "environment": (),
                    "secrets": (),
                    "allowed_hosts": ("h", "i"),
                    "job_list": False,
                    "self_proof": True,
                },
                **{"api_key": (), "queue_url": "postgresql://h/d", "server_processes": 3, "retention_days": 9},
                "open_paths": ("/a", "/b"),
            },
        ),
        (
            definition({"MODEL_RETENTION_DAYS": "x", "MODEL_SERVER_PROCESSES": "x"}, {"MODEL_QUEUE_URL": "arn:q"}),
            False,
            {
                **{"environment": (), "secrets": (), "allowed_hosts": (), "job_list": True, "self_proof": False},
                **{"api_key": (), "queue_url": "arn:q"},
            },
        ),
    ],
)
def test_a_definition_says_these_inputs(there: Any, is_ours: bool, found: Any) -> None:
    assert inputs.of_definition(there, {}, is_ours) == found


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ({}, {"environment": (), "secrets": (), "gpus": 0, "compute_type": "EC2"}),
        (
            {
                "platformCapabilities": ["FARGATE"],
                "containerProperties": {
                    "resourceRequirements": [
                        *({"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}),
                        {"type": "GPU", "value": "2"},
                    ],
                    "jobRoleArn": "arn:t",
                    "executionRoleArn": "arn:e",
                    "networkConfiguration": {"assignPublicIp": "ENABLED"},
                },
            },
            {
                **{"environment": (), "secrets": (), "cpu": 256, "memory": 512, "gpus": 2, "compute_type": "FARGATE"},
                **{"task_role": "arn:t", "execution_role": "arn:e", "assign_public_ip": True},
            },
        ),
        (
            {
                "containerProperties": {
                    **{"vcpus": 2, "memory": 1024, "networkConfiguration": {"x": 1}},
                    "resourceRequirements": [{"type": "MEMORY", "value": "2048"}],
                }
            },
            {
                **{"environment": (), "secrets": (), "cpu": 2048, "memory": 2048, "gpus": 0, "compute_type": "EC2"},
                "assign_public_ip": False,
            },
        ),
    ],
)
def test_a_job_definition_says_these_inputs(there: Any, found: Any) -> None:
    assert inputs.of_job_definition(there) == found


def test_an_environment_says_these_inputs() -> None:
    resources = {"type": "EC2", "maxvCpus": 4, "instanceRole": "arn:p", "instanceTypes": ["a", "b"], "x": 1}
    assert inputs.of_environment({"computeResources": resources}) == {
        **{"compute_type": "EC2", "max_vcpus": 4, "instance_role": "arn:p", "instance_types": ("a", "b")},
    }
    assert inputs.of_environment({}) == {}


# ---- containers


def container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


@pytest.mark.parametrize(
    ("containers", "found"),
    [
        ([container("a"), container("iris")], "iris"),
        ([container("a"), container("b", exitCode=0)], "b"),
        ([container("b", exitCode=None), container("c")], "b"),
        ([container("aws-guardduty-agent-x", exitCode=1), container("ecs-service-connect-y"), container("c")], "c"),
        ([container("aws-guardduty-agent")], None),
        ([], None),
    ],
)
def test_the_own_container_is_named_like_the_family_else_the_likeliest(containers: Any, found: str | None) -> None:
    assert own_container.own_container(containers, FAMILY).get("name") == found


@pytest.mark.parametrize(
    ("containers", "found"),
    [
        ([container("iris"), container("b")], "b"),
        ([container("a"), container("iris")], "iris"),
        (
            [
                container("a", portMappings=[{"containerPort": 81}]),
                container("c", portMappings=[{"containerPort": 80}]),
            ],
            "c",
        ),
        ([container("a", essential=False), container("c")], "c"),
        ([container("a", essential=False)], None),
        ([container("aws-guardduty-agent")], None),
    ],
)
def test_the_model_replaces_who_answers(containers: Any, found: str | None) -> None:
    balanced = {"loadBalancers": [{"containerName": "b"}, {}]}
    there = {"family": "iris", "containerDefinitions": containers}
    assert own_container.replaced_container(there, balanced).get("name") == found


# ---- what is carried on

ASKED = {
    "family": "iris",
    "cpu": "256",
    "runtimePlatform": {"cpuArchitecture": "ARM64"},
    "requiresCompatibilities": ["FARGATE"],
    "containerDefinitions": [
        {
            **{"name": "iris", "image": "new", "stopTimeout": 30, "logConfiguration": {"own": 1}},
            "portMappings": [{"containerPort": 80, "hostPort": 80}],
        }
    ],
}


def shape(service_name: str, operation: str) -> Any:
    with Script() as script:
        return script.client(service_name).meta.service_model.operation_model(operation).input_shape


class TestCarried:
    def tasks(self, former: dict[str, Any], asked: Any = ASKED) -> dict[str, Any]:
        return carried.task_definition(shape("ecs", "RegisterTaskDefinition"), asked, former, "iris")

    def test_of_a_former_revision_goes_on_what_no_input_says(self) -> None:
        there = {
            **{"name": "iris", "image": "old", "command": ["x"], "user": "u", "links": [], "stopTimeout": 90},
            **{"portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]},
            **{"mountPoints": [{"sourceVolume": "v"}]},
        }
        sidecar = {"name": "side", "image": "s"}
        former = {
            **{"family": "old", "cpu": "512", "revision": 3, "ipcMode": "task", "pidMode": ""},
            **{"containerDefinitions": [there, sidecar], "volumes": [{"name": "v"}]},
            **{"requiresCompatibilities": ["EC2", "FARGATE"]},
            "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"},
        }
        assert self.tasks(former) == {
            **{"family": "iris", "cpu": "256", "ipcMode": "task", "volumes": [{"name": "v"}]},
            **{"requiresCompatibilities": ["EC2", "FARGATE"]},
            **{"runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}},
            "containerDefinitions": [
                {
                    **{"name": "iris", "image": "new", "user": "u", "stopTimeout": 90, "logConfiguration": {"own": 1}},
                    **{"portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]},
                    **{"mountPoints": [{"sourceVolume": "v"}]},
                },
                sidecar,
            ],
        }

    def test_what_is_asked_for_wins(self) -> None:
        asked = {**ASKED, "volumes": [{"name": "data", "new": 1}]}
        (plain,) = ASKED["containerDefinitions"]  # type: ignore[misc]
        asked["containerDefinitions"] = [{**plain, "mountPoints": [{"sourceVolume": "data", "new": 1}]}]  # type: ignore[dict-item]
        there = {"name": "other", "mountPoints": [{"sourceVolume": "data", "old": 1}]}
        former = {"containerDefinitions": [there], "volumes": [{"name": "data", "old": 1}, {"name": "v"}]}
        found = self.tasks(former, asked)
        assert found["volumes"] == [{"name": "data", "new": 1}, {"name": "v"}]
        assert [each["name"] for each in found["containerDefinitions"]] == ["iris", "other"]
        assert found["requiresCompatibilities"] == ["FARGATE"]
        assert found["runtimePlatform"] == {"cpuArchitecture": "ARM64"}

    @pytest.mark.parametrize(
        ("former", "stays"),
        [
            (None, False),
            ({"options": {"awslogs-group": "/model-dockerize/x"}}, False),
            ({"options": {"awslogs-group": "/theirs"}}, True),
            ({"logDriver": "splunk"}, True),
        ],
    )
    def test_a_log_that_somebody_chose_stays(self, former: Any, stays: bool) -> None:
        there = {"name": "iris", **({"logConfiguration": former} if former else {})}
        (found,) = self.tasks({"containerDefinitions": [there]})["containerDefinitions"]
        assert found["logConfiguration"] == (former if stays else {"own": 1})
        jobs = {"containerProperties": {"logConfiguration": former} if former else {}, "platformCapabilities": ["EC2"]}
        asked = {
            "containerProperties": {"logConfiguration": {"own": 1}},
            "platformCapabilities": ["EC2"],
            "parameters": {},
        }
        properties = carried.job_definition(shape("batch", "RegisterJobDefinition"), asked, jobs)["containerProperties"]
        assert properties["logConfiguration"] == (former if stays else {"own": 1})

    def test_of_jobs_too(self) -> None:
        asked = {
            **{
                "jobDefinitionName": "iris",
                "parameters": {},
                "platformCapabilities": ["FARGATE"],
                "propagateTags": True,
            },
            "containerProperties": {"image": "new", "fargatePlatformConfiguration": {"platformVersion": "LATEST"}},
        }
        there = {
            **{"image": "old", "vcpus": 1, "memory": 2, "jobRoleArn": "arn:old", "ulimits": [], "user": "u"},
            **{"instanceType": "c5.large", "executionRoleArn": "arn:old", "command": ["x"], "environment": [1]},
            "fargatePlatformConfiguration": {"platformVersion": "1.4.0"},
        }
        former = {
            **{"revision": 3, "timeout": {"attemptDurationSeconds": 60}, "retryStrategy": {}, "parameters": {"a": "1"}},
            **{"platformCapabilities": ["FARGATE"], "containerProperties": there},
        }
        whole = {
            **{"jobDefinitionName": "iris", "timeout": {"attemptDurationSeconds": 60}, "parameters": {"a": "1"}},
            **{"platformCapabilities": ["FARGATE"], "propagateTags": True},
        }
        of_jobs = shape("batch", "RegisterJobDefinition")
        kept = {"image": "new", "user": "u", "fargatePlatformConfiguration": {"platformVersion": "1.4.0"}}
        assert carried.job_definition(of_jobs, asked, former) == {**whole, "containerProperties": kept}
        moved = {key: value for key, value in former.items() if key != "platformCapabilities"}
        found = carried.job_definition(of_jobs, {**asked, "parameters": {"b": "2"}}, {**moved, "propagateTags": False})
        assert found == {
            **{**whole, "parameters": {"b": "2"}, "propagateTags": False},
            "containerProperties": asked["containerProperties"],
        }


class TestNewerFields:
    def test_what_this_program_does_not_know_is_kept_by_name(self) -> None:
        with Script() as script:
            known = script.client("ecs").meta.service_model.shape_for("TaskDefinition")
        found = {
            **{"family": "iris", "future": {"x": 1}, "volumes": [{"name": "v", "new": 2}, {"name": "w"}, "x"]},
            **{"containerDefinitions": [{"name": "iris", "image": "i", "linuxParameters": {"new": 3}}]},
            "requiresCompatibilities": ["FARGATE"],
        }
        kept = {
            **{"future": {"x": 1}, "volumes": {"v": {"new": 2}}},
            **{"containerDefinitions": {"iris": {"linuxParameters": {"new": 3}}}},
        }
        assert newer_fields.unknown(known, found) == kept
        asked = {
            **{
                "family": "iris",
                "containerDefinitions": [{"name": "iris", "linuxParameters": {"old": 1}}, {"name": "b"}],
            },
            "volumes": [{"name": "v", "new": 1}, "x"],
        }
        assert newer_fields.merged(asked, kept) == {
            **{"family": "iris", "future": {"x": 1}, "volumes": [{"name": "v", "new": 1}, "x"]},
            "containerDefinitions": [{"name": "iris", "linuxParameters": {"old": 1, "new": 3}}, {"name": "b"}],
        }

    def test_what_is_heard_and_said_ends_with_its_block(self) -> None:
        heard: list[Any] = []

        class Events:
            def register(self, event: str, function: Any) -> None:
                heard.append((event, function))

            def unregister(self, event: str, function: Any) -> None:
                heard.remove((event, function))

        client: Any = type("Client", (), {"meta": type("Meta", (), {"events": Events()})})
        with newer_fields.heard(client, "Describe") as said:
            ((event, function),) = heard
            function(response_dict={"body": b"a proxy's page"})
            assert said == {}
            function(response_dict={"body": b'{"a": 1}'})
        assert (event, said, heard) == ("before-parse.ecs.Describe", {"a": 1}, [])
        with pytest.raises(KeyError), newer_fields.saying(client, "Register", {"b": 2}) as kept:
            ((event, function),) = heard
            params = {"body": b'{"a": 1}'}
            function(params=params)
            raise KeyError
        assert (event, kept, heard, params["body"]) == ("before-call.ecs.Register", {"b": 2}, [], b'{"b": 2, "a": 1}')


# ---- adoption

MARK, ADOPTED = {"key": "model-dockerize", "value": "x"}, {"key": "model-dockerize:adopted", "value": "true"}
THEIR_SERVICE = {
    **{"serviceName": "iris", "desiredCount": 3, "launchType": "FARGATE", "enableExecuteCommand": True},
    **{"taskDefinition": FAMILY, "networkConfiguration": {}, "loadBalancers": []},
}
THEIR_DEFINITION = {
    **{"family": "iris", "revision": 2, "cpu": "512", "tags": []},
    "containerDefinitions": [
        {"name": "iris", "image": "old", "entryPoint": ["x"], "healthCheck": {"command": ["y"]}, "user": "u"},
        {"name": "side", "image": "s"},
    ],
}
THEIRS = Current(THEIR_SERVICE, THEIR_DEFINITION, {}, "iris", False)


class TestAdoption:
    def test_a_service_of_others_is_refused_line_by_line(self) -> None:
        with pytest.raises(InputError) as caught:
            adoption.check_ours(THEIRS, settings(desired_count=1, cpu=512, memory=1024))
        error = caught.value
        assert str(error) == (
            "Service iris in cluster model-dockerize was made by somebody else, and a deployment would change it."
        )
        assert error.remedy == (
            "Choose another name (service), or take this one over (adopt: true): then what is listed changes, and what "
            "no input says stays."
        )
        assert error.details == (
            "changes: container iris, image old -> the model's",
            "changes: container iris, entryPoint, healthCheck: of the former image, so left out",
            "changes: desired-count 3 -> 1",
            "stays: launchType FARGATE",
            "stays: enableExecuteCommand true",
            "stays: user u",
            "stays: container side, image s",
        )
        adoption.check_ours(replace(THEIRS, is_ours=True), settings())
        adoption.check_ours(THEIRS, settings(adopt=True))

    def test_without_a_definition_only_the_service_is_told(self) -> None:
        bare = replace(THEIRS, definition=None)
        assert list(adoption.changed(bare, settings(desired_count=3, task_definition="rose"))) == [
            "changes: task-definition iris -> rose"
        ]
        place = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s1"], "assignPublicIp": "ENABLED"}}}
        moved = replace(bare, service={**THEIR_SERVICE, **place})
        assert list(adoption.changed(moved, settings(subnets=("s2",), assign_public_ip=False))) == [
            "changes: assign-public-ip true -> false",
            "changes: subnets s1 -> s2",
        ]
        assert list(adoption.kept(bare, settings())) == [
            "stays: desiredCount 3",
            "stays: launchType FARGATE",
            "stays: enableExecuteCommand true",
        ]

    @pytest.mark.parametrize(
        ("said", "where", "name"),
        [
            ({"desired_count": 3}, "service", "desiredCount"),
            ({"subnets": ("s",)}, "service", "networkConfiguration"),
            ({"security_groups": ("g",)}, "service", "networkConfiguration"),
            ({"assign_public_ip": True}, "service", "networkConfiguration"),
            ({"cpu": 512}, "definition", "cpu"),
            ({"memory": 1024}, "definition", "memory"),
            ({"task_role": "r"}, "definition", "taskRoleArn"),
            ({"execution_role": "r"}, "definition", "executionRoleArn"),
            ({"environment": (("A", "1"),)}, "container", "environment"),
            ({"secrets": (("A", "arn"),)}, "container", "secrets"),
        ],
    )
    def test_what_an_input_says_does_not_stay(self, said: Any, where: str, name: str) -> None:
        own = {"name": "iris", "image": "old", **({name: ["x"]} if where == "container" else {})}
        family = {"family": FAMILY, "containerDefinitions": [own], **({name: "x"} if where == "definition" else {})}
        service_ = {**THEIR_SERVICE, **({name: {"x": 1}} if where == "service" else {})}
        now = replace(THEIRS, service=service_, definition=family)
        assert [line for line in adoption.kept(now, settings()) if f" {name} " in f"{line} "]
        assert not [line for line in adoption.kept(now, settings(**said)) if f" {name} " in f"{line} "]

    @pytest.mark.parametrize(
        ("tags", "adopted", "taken_over"), [([], False, True), ([MARK], False, False), ([MARK, ADOPTED], True, True)]
    )
    def test_tags_say_who_made_it(self, tags: list[Any], adopted: bool, taken_over: bool) -> None:
        assert adoption.is_adopted(tags) is adopted
        assert adoption.is_taken_over({"tags": tags}) is taken_over

    @pytest.mark.parametrize(
        ("now", "runs"),
        [
            (None, False),
            (replace(THEIRS, definition=None), False),
            (replace(THEIRS, definition={**THEIR_DEFINITION, "family": "rose"}), False),
            (THEIRS, True),
            (replace(THEIRS, is_ours=True), False),
            (replace(THEIRS, is_ours=True, definition={**THEIR_DEFINITION, "tags": [MARK]}), True),
            (replace(THEIRS, is_ours=True, service={**THEIR_SERVICE, "tags": [ADOPTED]}), True),
        ],
    )
    def test_a_service_runs_its_own_family_or_anothers(self, now: Any, runs: bool) -> None:
        assert adoption.runs_family(now, "iris") is runs

    def test_a_family_of_others_is_refused(self) -> None:
        with pytest.raises(InputError) as caught:
            adoption.check_family(THEIR_DEFINITION, "iris", adopt=False)
        assert str(caught.value) == (
            "Task definition family iris was made by somebody else: whoever runs it by its name would run the model."
        )
        assert caught.value.remedy == (
            "Choose another one (task-definition), or take it over (adopt: true): what no input says of it stays."
        )
        assert caught.value.details == ("iris:2: iris old, side s",)
        adoption.check_family(None, "iris", adopt=False)
        adoption.check_family(THEIR_DEFINITION, "iris", adopt=True)
        adoption.check_family({**THEIR_DEFINITION, "tags": [MARK]}, "iris", adopt=False)


def looked(answer: Any) -> Call:
    return "ecs:describe_services", {"cluster": "c", "services": ["iris"], "include": ["TAGS"]}, answer


def defined(answer: Any, name: str = FAMILY) -> Call:
    shown = answer if isinstance(answer, Exception) else {"taskDefinition": answer, "tags": [MARK]}
    return "ecs:describe_task_definition", {"taskDefinition": name, "include": ["TAGS"]}, shown


GONE = refused("ClientException", "Unable to describe task definition.")
PLAIN = {"family": "iris", "containerDefinitions": [{"name": "iris"}]}


class TestCurrent:
    @pytest.mark.parametrize(
        ("calls", "found"),
        [
            ([looked({"services": []})], None),
            ([looked({"services": [{"status": "DRAINING"}]})], None),
            ([looked(refused("ClusterNotFoundException"))], None),
            (
                [looked({"services": [{"status": "ACTIVE", "tags": [MARK]}]})],
                Current({"status": "ACTIVE", "tags": [MARK]}, None, {}, "", True),
            ),
            (
                [looked({"services": [{"status": "ACTIVE", "taskDefinition": FAMILY}]}), defined(GONE)],
                Current({"status": "ACTIVE", "taskDefinition": FAMILY}, None, {}, "", False),
            ),
            (
                [looked({"services": [{"status": "ACTIVE", "taskDefinition": FAMILY}]}), defined(PLAIN)],
                Current({"status": "ACTIVE", "taskDefinition": FAMILY}, {**PLAIN, "tags": [MARK]}, {}, "iris", False),
            ),
        ],
    )
    def test_a_service_comes_with_what_it_runs(self, calls: list[Call], found: Any) -> None:
        with Script(*calls) as script:
            assert service.current_service(script.aws, "c", "iris") == found

    def test_what_may_not_be_seen_is_an_error(self) -> None:
        for call in (
            looked(refused("ServerException", "oh")),
            looked({"services": [{"status": "ACTIVE", "taskDefinition": FAMILY}]}),
        ):
            more = [] if isinstance(call[2], Exception) else [defined(refused("ServerException", "oh"))]
            with Script(call, *more) as script, pytest.raises(AwsError) as caught:
                service.current_service(script.aws, "c", "iris")
            assert str(caught.value) == "service iris: Operation failed: ServerException: oh"

    @pytest.mark.parametrize(
        ("definition", "tags", "is_found"),
        [
            (PLAIN, [], True),
            (PLAIN, [MARK], False),
            (PLAIN, [MARK, ADOPTED], True),
            ({**PLAIN, "registeredBy": "x/aws-batch"}, [], False),
        ],
    )
    def test_a_family_of_others_is_what_a_new_service_goes_on_from(
        self, definition: Any, tags: Any, is_found: bool
    ) -> None:
        call = (*defined(definition, "iris")[:2], {"taskDefinition": definition, "tags": tags})
        expected = Current({}, {**definition, "tags": tags}, {}, "iris", is_ours=False) if is_found else None
        with Script(call) as script:
            assert service.current_family(script.aws, "iris") == expected
        with Script(defined(GONE, "iris")) as script:
            assert service.current_family(script.aws, "iris") is None

    def test_settings_are_as_it_runs_without_its_roles(self) -> None:
        there = {"taskDefinition": FAMILY, "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}}
        told = {**definition({}, taskRoleArn="arn:t", executionRoleArn="arn:e", cpu="512", memory="1024"), "tags": []}
        now = Current(there, told, {}, "iris", False)
        found = service.as_running(settings(), now, is_placed=False)
        assert (found.cpu, found.memory, found.task_role, found.execution_role) == (512, 1024, "", "")
        assert (found.subnets, found.task_definition) == (("s",), "iris")
        assert service.as_running(settings(), now, is_placed=True).subnets == ()
        for name, value in (("vpc", "vpc-1"), ("zones", 1), ("subnets", ("own",))):
            given = settings(**{name: value})
            assert service.as_running(given, now, is_placed=False).subnets == given.subnets
        assert service.as_running(settings(), None, is_placed=False) == settings()
        with Script() as script:
            roles = service.with_roles(script.aws, settings(), now, ["arn:t"])
            assert (roles.task_role, roles.execution_role) == ("", "arn:e")
            assert service.with_roles(script.aws, settings(), None, []) == settings()
            assert service.with_roles(script.aws, settings(), replace(now, definition=None), []) == settings()


# ---- rules of a repository

REPOSITORY = {
    "repositoryArn": "arn:r",
    "imageTagMutability": "MUTABLE",
    "imageScanningConfiguration": {"scanOnPush": False},
}


def registry(**changes: Any) -> RegistrySettings:
    return replace(to_settings([]).registry, **changes)


class TestRules:
    def there(self, *found: Any) -> Call:
        return "ecr:describe_repositories", {"repositoryNames": ["iris"]}, {"repositories": list(found)}

    def tags(self, *keys: str) -> Call:
        return "ecr:list_tags_for_resource", {"resourceArn": "arn:r"}, {"tags": [{"Key": key} for key in keys]}

    def policy(self, answer: Any) -> Call:
        return "ecr:get_lifecycle_policy", {"repositoryName": "iris"}, answer

    FIXED = (
        "ecr:put_image_tag_mutability",
        {
            "repositoryName": "iris",
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [
                {"filterType": "WILDCARD", "filter": "latest"},
                {"filterType": "WILDCARD", "filter": "cache"},
            ],
        },
        {},
    )
    SCANNED = (
        "ecr:put_image_scanning_configuration",
        {"repositoryName": "iris", "imageScanningConfiguration": {"scanOnPush": True}},
        {},
    )
    CLEANED = (
        "ecr:put_lifecycle_policy",
        {
            "repositoryName": "iris",
            "lifecyclePolicyText": (
                '{"rules": [{"rulePriority": 1, "description": "model-dockerize: images that no tag names any more", '
                '"selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", '
                '"countNumber": 14}, "action": {"type": "expire"}}]}'
            ),
        },
        {},
    )
    NONE = refused("LifecyclePolicyNotFoundException")
    HAS = {"lifecyclePolicyText": "x"}  # noqa: RUF012

    def ensure(self, *calls: Call, **given: Any) -> tuple[list[str], list[str]]:
        with Script(*calls) as script:
            rules.ensure_rules(script.aws, "iris", registry(**given), script.said)
        return list(map(str, script.aws.changes)), script.said.warnings

    def test_all_are_set_where_they_are_wanted(self) -> None:
        ours = self.tags("model-dockerize")
        every = {"immutable_tags": True, "scan": True}
        calls = self.there(REPOSITORY), ours, self.FIXED, self.SCANNED, self.policy(self.NONE), self.CLEANED
        why = "tag mutability, scan on push, lifecycle policy"
        assert self.ensure(*calls, **every) == ([f"~ repository iris ({why})"], [])
        assert self.ensure(self.there(), *calls[2:], **every) == ([f"~ repository iris ({why})"], [])
        assert self.ensure(self.there(REPOSITORY), ours, self.policy(self.HAS)) == ([], [])
        for mode in ("IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION"):
            done = {**REPOSITORY, "imageTagMutability": mode, "imageScanningConfiguration": {"scanOnPush": True}}
            assert self.ensure(self.there(done), ours, self.policy(self.HAS), **every) == ([], [])
        cleaned = self.there(REPOSITORY), ours, self.policy({}), self.CLEANED
        assert self.ensure(*cleaned) == (["~ repository iris (lifecycle policy)"], [])

    def test_one_of_others_stays_and_is_warned_of(self) -> None:
        calls = self.there(REPOSITORY), self.tags("team")
        assert self.ensure(*calls, immutable_tags=True, scan=True) == (
            [],
            [
                "Repository iris was not made by us: tag mutability and scan on push of it stay as they are. Set them "
                "there."
            ],
        )
        assert self.ensure(*calls) == ([], [])

    def test_what_ecr_refuses_is_told(self) -> None:
        with pytest.raises(AwsError) as caught:
            self.ensure((*self.there()[:2], refused("ServerException", "oh")))
        assert str(caught.value) == "rules of repository iris: Operation failed: ServerException: oh"


IMAGE = {"repositoryName": "iris", "imageId": {"imageDigest": "sha256:1"}}


def scanned(status: str, **findings: Any) -> Call:
    answer = {"imageScanStatus": {"status": status}, "imageScanFindings": findings}
    return "ecr:describe_image_scan_findings", IMAGE, answer


NO_SCAN = "ecr:describe_image_scan_findings", IMAGE, refused("ScanNotFoundException")
BEGIN = "ecr:start_image_scan", IMAGE


class TestFindings:
    def check(
        self, *calls: Call, least: str = "HIGH", forever: Call | None = None
    ) -> tuple[list[str], Any, list[float]]:
        pauses: list[float] = []
        with Script(*calls, forever=forever) as script:
            try:
                rules.check_findings(script.aws, "iris", "sha256:1", least, script.said, pauses.append)
            except PushError as error:
                return script.said.infos, error, pauses
        return script.said.infos, None, pauses

    @pytest.mark.parametrize(
        ("counts", "least", "told", "passes"),
        [
            ({}, "LOW", "nothing", True),
            ({"LOW": 2, "HIGH": 0}, "MEDIUM", "2 LOW", True),
            ({"LOW": 2, "MEDIUM": 1}, "MEDIUM", "1 MEDIUM, 2 LOW", False),
            ({"CRITICAL": 1}, "LOW", "1 CRITICAL", False),
            ({"HIGH": 1, "UNDEFINED": 4}, "CRITICAL", "1 HIGH", True),
            ({"HIGH": 1}, "HIGH", "1 HIGH", False),
        ],
    )
    def test_an_image_passes_below_the_gate(self, counts: dict[str, int], least: str, told: str, passes: bool) -> None:
        for status in ("COMPLETE", "ACTIVE"):
            said, error, pauses = self.check(scanned(status, findingSeverityCounts=counts), least=least)
            assert (said, pauses) == ([f"the scan found {told}"], [])
            assert (error is None) is passes
            if error:
                assert str(error) == (
                    f"The scan found {told}; scan-gate allows nothing of {least} or worse. The image was not deployed."
                )
                assert error.remedy == "Update the base image or the packages named below, or change scan-gate."

    def test_twenty_findings_are_named(self) -> None:
        basic = [{"name": f"CVE-{number}", "severity": "HIGH", "uri": "u"} for number in range(19)]
        enhanced = [{"title": "t", "severity": "LOW", "findingArn": "arn"}, {"title": "not told"}]
        call = scanned("ACTIVE", findingSeverityCounts={"HIGH": 19}, findings=basic, enhancedFindings=enhanced)
        _, error, _ = self.check(call)
        assert error.details == (*(f"HIGH CVE-{number} u" for number in range(19)), "LOW t arn")
        _, error, _ = self.check(scanned("ACTIVE", findingSeverityCounts={"HIGH": 1}, findings=[{}]))
        assert error.details == ("",)

    def test_a_scan_is_begun_once_and_waited_for(self) -> None:
        calls = NO_SCAN, (*BEGIN, {}), NO_SCAN, scanned("PENDING"), scanned("IN_PROGRESS"), scanned("COMPLETE")
        said, error, pauses = self.check(*calls)
        assert (said, error, len(pauses)) == (["the scan found nothing"], None, 4)
        for code in ("LimitExceededException", "ValidationException"):
            said, error, _ = self.check(NO_SCAN, (*BEGIN, refused(code, "why")), scanned("COMPLETE"))
            assert (said[0], error) == ("no scan is begun: why", None)

    @pytest.mark.parametrize(
        ("status", "remedy"),
        [
            (
                "UNSUPPORTED_IMAGE",
                "ECR cannot scan this base image: choose another one (base-image), or leave scan-gate out.",
            ),
            (
                "FINDINGS_UNAVAILABLE",
                "ECR keeps no findings of this image now: run again later, or leave scan-gate out.",
            ),
            (
                "SCAN_ELIGIBILITY_EXPIRED",
                "The image is older than the registry's scan duration: raise that in Amazon Inspector.",
            ),
            ("IMAGE_SIZE_EXCEEDED", "The image is larger than ECR scans: make it smaller, or leave scan-gate out."),
            ("LIMIT_EXCEEDED", "ECR scans no more images today: run again tomorrow, or leave scan-gate out."),
            ("FAILED", "Turn scanning on (scan: true), or leave scan-gate out."),
        ],
    )
    def test_without_a_result_it_does_not_pass(self, status: str, remedy: str) -> None:
        _, error, _ = self.check(scanned(status))
        assert str(error) == f"There is no scan to judge the image by: it is {status}."
        assert error.remedy == remedy

    def test_a_scan_that_does_not_end_is_told(self) -> None:
        _, error, _ = self.check(forever=scanned("IN_PROGRESS"))
        assert str(error) == "There is no scan to judge the image by: it is IN_PROGRESS after 302 s."
