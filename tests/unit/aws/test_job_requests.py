"""Batch is asked by whole requests to define, send, follow and end jobs; S3 gets only the files that it lacks."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.batch import array_jobs, job_definition, jobs
from model_dockerize.aws.batch.job_definition import JobDefinition
from model_dockerize.aws.batch.job_files import JobFiles, name_of
from model_dockerize.aws.batch.jobs import Job
from model_dockerize.aws.batch.one_job import SubmittedJob, overrides, submit_one
from model_dockerize.aws.client.retries import AnswerLostError
from model_dockerize.aws.model import Container, Runtime
from model_dockerize.errors import AwsError, BatchError, InputError
from model_dockerize.settings import JobConfig
from tests.rig.iris import batch_settings, settings
from tests.rig.scripted import Call, Script, Token, refused

RUNTIME = Runtime("arn:e", "arn:t", "/model-dockerize/iris", fresh_roles=False)
CONTAINER = Container(
    "host/iris@sha256:1",
    "linux/arm64",
    512,
    1024,
    (("B", "2"), ("A", "1")),
    (("S", "arn:s"),),
    False,
    "us-east-1",
    RUNTIME,
)
COMMAND = ("run", "Ref::input")
LOG = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/model-dockerize/iris",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "batch",
    },
}
PROPERTIES = {
    "image": "host/iris@sha256:1",
    "command": ["run", "Ref::input"],
    "executionRoleArn": "arn:e",
    "resourceRequirements": [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "1024"}],
    "logConfiguration": LOG,
    "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "secrets": [{"name": "S", "valueFrom": "arn:s"}],
    "jobRoleArn": "arn:t",
    "networkConfiguration": {"assignPublicIp": "DISABLED"},
    "fargatePlatformConfiguration": {"platformVersion": "LATEST"},
    "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"},
}
WANTED = {
    "jobDefinitionName": "iris",
    "type": "container",
    "platformCapabilities": ["FARGATE"],
    "parameters": {"input": "-"},
    "containerProperties": PROPERTIES,
    "propagateTags": True,
}


class TestDefinition:
    def test_the_request_on_fargate_is_whole(self) -> None:
        given = batch_settings(compute_type="FARGATE_SPOT")
        assert job_definition.job_definition(given, "iris", CONTAINER, COMMAND, {"input": "-"}) == WANTED
        public = replace(CONTAINER, public_address=True)
        network = job_definition.job_definition(given, "iris", public, COMMAND, {})["containerProperties"]
        assert network["networkConfiguration"] == {"assignPublicIp": "ENABLED"}

    def test_the_request_on_instances_is_whole(self) -> None:
        given = batch_settings(compute_type="SPOT", gpus=2)
        kept = {
            key: value for key, value in PROPERTIES.items() if key not in ("networkConfiguration", "runtimePlatform")
        }
        del kept["fargatePlatformConfiguration"], kept["jobRoleArn"]
        needs = [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "1024"}, {"type": "GPU", "value": "2"}]
        large = replace(CONTAINER, cpu=2048, runtime=replace(RUNTIME, task_role_arn=""))
        assert job_definition.job_definition(given, "iris", large, COMMAND, {}) == {
            **WANTED,
            "platformCapabilities": ["EC2"],
            "parameters": {},
            "containerProperties": {**kept, "resourceRequirements": needs},
        }

    def test_sizes_that_aws_does_not_have_are_refused(self) -> None:
        with pytest.raises(InputError) as caught:
            job_definition.job_definition(batch_settings(compute_type="EC2"), "iris", CONTAINER, COMMAND, {})
        assert str(caught.value) == "Jobs on instances take whole vCPUs, and cpu is 512 (0.5 vCPU)."
        assert caught.value.remedy == "Set cpu to a multiple of 1024, or compute-type to FARGATE."
        with pytest.raises(InputError):
            small = replace(CONTAINER, memory=512)
            job_definition.job_definition(batch_settings(compute_type="FARGATE"), "iris", small, COMMAND, {})


def definitions(*found: Any, name: str = "iris") -> Call:
    pages = found[0] if found and isinstance(found[0], Exception) else [{"jobDefinitions": [each]} for each in found]
    return "batch:describe_job_definitions", {"jobDefinitionName": name, "status": "ACTIVE"}, pages


OURS = {"model-dockerize": "batch", "team": "a"}


def revision(number: int = 2, **changes: Any) -> dict[str, Any]:
    return {**WANTED, "revision": number, "jobDefinitionArn": f"arn:iris:{number}", "tags": OURS, **changes}


def registered(number: int = 3, answer: Any = None, **changes: Any) -> Call:
    asked = {**WANTED, "tags": OURS, **changes}
    return (
        "batch:register_job_definition",
        asked,
        answer or {"revision": number, "jobDefinitionArn": f"arn:iris:{number}"},
    )


def register(*calls: Call, adopt: bool = False, fresh: bool = False) -> tuple[JobDefinition, list[str]]:
    with Script(*calls) as script:
        aws = replace(script.aws, tags={"team": "a"})
        found = job_definition.register(aws, dict(WANTED), script.said, adopt, fresh)
    return found, [*map(str, aws.changes), *script.said.infos]


class TestRegister:
    def test_the_first_is_new(self) -> None:
        assert register(definitions(), registered(1)) == (
            JobDefinition("arn:iris:1", "iris", 1, existed=False, changed=True),
            ["+ job definition iris", "job definition iris:1: new"],
        )

    def test_the_highest_revision_is_left_where_it_suits(self) -> None:
        calls = definitions(revision(9), revision(10), revision(2, type="old"))
        assert register(calls) == (
            JobDefinition("arn:iris:10", "iris", 10, existed=True, changed=False),
            ["= job definition iris:10", "job definition iris:10: there"],
        )

    def test_what_differs_is_told_and_what_no_input_says_stays(self) -> None:
        there = revision(
            containerProperties={**PROPERTIES, "image": "host/iris@sha256:0", "user": "u"},
            retryStrategy={"attempts": 3},
        )
        there["tags"] = {**OURS, "more": "x"}
        kept = {"containerProperties": {**PROPERTIES, "user": "u"}, "retryStrategy": {"attempts": 3}}
        why = "containerProperties.image"
        assert register(definitions(there), registered(tags={**OURS, "more": "x"}, **kept)) == (
            JobDefinition("arn:iris:3", "iris", 3, existed=True, changed=True),
            [f"~ job definition iris ({why})", f"job definition iris:3: next revision ({why})"],
        )

    def test_one_of_others_is_refused_unless_it_is_taken_over(self) -> None:
        container = {"image": "theirs", "jobRoleArn": "arn:r", "ulimits": []}
        theirs = revision(tags={"x": "y"}, containerProperties=container, retryStrategy={"attempts": 3}, timeout={})
        with pytest.raises(InputError) as caught:
            register(definitions(theirs))
        assert str(caught.value) == (
            "Job definition iris was made by somebody else: whoever sends jobs by its name would run the model."
        )
        assert caught.value.remedy == (
            "Choose another name (job-definition-name), or take this one over (adopt: true): then its next revision "
            "has what inputs say, and the rest stays."
        )
        first, *stays = caught.value.details
        assert first == "changes: image theirs -> the model's, command"
        assert [each.split()[1] for each in stays] == [
            "retryStrategy",
            "parameters",
            "propagateTags",
            "platformCapabilities",
            "jobRoleArn",
        ]
        with pytest.raises(InputError), Script(definitions(theirs)) as script:
            job_definition.check_job_definition(script.aws, "iris", adopt=False)
        for there, adopt in ((theirs, True), (revision(), False), (None, False)):
            with Script(definitions(*([there] if there else []))) as script:
                job_definition.check_job_definition(script.aws, "iris", adopt=adopt)
        same = revision(tags={})
        assert register(definitions(same), registered(), adopt=True)[0].changed

    def test_one_of_another_kind_is_refused_even_then(self) -> None:
        many = {"type": "multinode", "revision": 1, "jobDefinitionArn": "a", "tags": OURS}
        with pytest.raises(InputError) as caught:
            register(definitions(many), adopt=True)
        assert str(caught.value) == (
            "Job definition iris is of another kind (type multinode): it runs no single container."
        )
        assert caught.value.remedy == "Choose another name (job-definition-name)."

    def test_what_batch_refuses_is_an_error_of_batch(self) -> None:
        with pytest.raises(BatchError) as caught:
            register(definitions(), registered(answer=refused("ClientException", "no role")))
        assert str(caught.value) == "job definition iris: Operation failed: ClientException: no role"
        assert caught.value.details == ("no role",)
        with pytest.raises(AwsError) as denied:
            register(definitions(refused("ServerException", "oh")))
        assert str(denied.value) == "job definition iris: Operation failed: ServerException: oh"

    def test_a_role_that_is_new_is_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        new = registered(answer=refused("ClientException", "The role is not valid"))
        assert register(definitions(), new, registered(1), fresh=True)[0].revision == 1
        with pytest.raises(BatchError):
            register(definitions(), new)

    def test_whatever_asks_for_it_asks_by_a_name_that_batch_takes(self) -> None:
        with Script(*[definitions(name="i" * 128)] * 3) as script:
            job_definition.check_job_definition(script.aws, "i" * 130, adopt=False)
            assert job_definition.secrets_of(script.aws, "i" * 130, settings()) == ()
            given = batch_settings(), settings()
            assert job_definition.as_defined(script.aws, "i" * 130, *given) == given
        with Script(definitions(name="i" * 128)) as script, pytest.raises(InputError):
            job_definition.latest_job_definition(script.aws, "i" * 130)

    def test_what_stays_of_one_of_others_is_told_field_by_field(self) -> None:
        outside = {
            **{"retryStrategy": {"attempts": 3}, "timeout": {"attemptDurationSeconds": 60}, "schedulingPriority": 7},
            **{"parameters": {"a": "1"}, "propagateTags": True, "platformCapabilities": ["EC2"]},
        }
        inside = {
            **{"resourceRequirements": [{"type": "VCPU", "value": "1"}], "jobRoleArn": "arn:x:role/r"},
            **{"executionRoleArn": "arn:x:role/e", "environment": [{"name": "A", "value": "secret"}]},
            **{"secrets": [{"name": "S", "valueFrom": "arn:x:s"}], "volumes": [{"name": "v"}]},
            **{"mountPoints": [{"sourceVolume": "v"}], "ulimits": [{"name": "n", "hardLimit": 1}]},
            **{"linuxParameters": {"initProcessEnabled": True}, "logConfiguration": {"logDriver": "splunk"}},
            **{"privileged": True, "user": "u", "networkConfiguration": {"assignPublicIp": "ENABLED"}},
        }
        there = {"tags": {}, **outside, "containerProperties": {"image": "theirs", **inside}}
        with pytest.raises(InputError) as caught:
            register(definitions({"revision": 1, **there}))
        assert caught.value.details == (
            "changes: image theirs -> the model's, command",
            "stays: retryStrategy attempts 3",
            "stays: timeout attemptDurationSeconds 60",
            "stays: schedulingPriority 7",
            "stays: parameters",
            "stays: propagateTags true",
            "stays: platformCapabilities EC2",
            "stays: resourceRequirements VCPU 1",
            "stays: jobRoleArn r",
            "stays: executionRoleArn e",
            "stays: environment name A",
            "stays: secrets name S, valueFrom arn:x:s",
            "stays: volumes name v",
            "stays: mountPoints sourceVolume v",
            "stays: ulimits name n, hardLimit 1",
            "stays: linuxParameters initProcessEnabled true",
            "stays: logConfiguration logDriver splunk",
            "stays: privileged true",
            "stays: user u",
            "stays: networkConfiguration assignPublicIp ENABLED",
        )

    def test_it_is_asked_by_a_name_that_batch_takes(self) -> None:
        name = "i" * 128
        given = batch_settings(compute_type="FARGATE")
        made = (
            "batch:register_job_definition",
            {**WANTED, "jobDefinitionName": name, "tags": {"model-dockerize": "batch"}},
        )
        answer = {"revision": 1, "jobDefinitionArn": "arn"}
        with Script(definitions(name=name), (*made, answer)) as script:
            found = job_definition.ensure_job_definition(
                script.aws, given, "i" * 130, CONTAINER, COMMAND, {"input": "-"}, script.said
            )
        assert found.name == name


class TestLatest:
    def test_it_tells_where_its_jobs_write(self) -> None:
        mounts = [{"containerPath": "/a"}, {"sourceVolume": "x"}, {"containerPath": "/b"}]
        there = revision(containerProperties={**PROPERTIES, "mountPoints": mounts})
        with Script(definitions(revision(1), there)) as script:
            assert job_definition.latest_job_definition(script.aws, "iris") == JobDefinition(
                *("arn:iris:2", "iris", 2, True, False, "/model-dockerize/iris", "arn:t", ("/a", "/b")),
            )
        for bare in (
            revision(containerProperties={}),
            {k: v for k, v in revision().items() if k != "containerProperties"},
        ):
            with Script(definitions(bare)) as script:
                found = job_definition.latest_job_definition(script.aws, "iris")
            assert (found.log_group, found.role, found.mounts) == ("/aws/batch/job", "", ())

    def test_one_that_is_not_there_is_to_be_made(self) -> None:
        with Script(definitions()) as script, pytest.raises(InputError) as caught:
            job_definition.latest_job_definition(script.aws, "iris")
        assert str(caught.value) == "There is no job definition iris in us-east-1."
        assert caught.value.remedy == "Make it first: model-dockerize batch FOLDER"

    def test_of_every_one_of_ours_the_highest_revision_is_listed(self) -> None:
        pages = [
            {"jobDefinitions": [revision(2), revision(10), revision(9)]},
            {
                "jobDefinitions": [
                    {**revision(1), "jobDefinitionName": "rose"},
                    {**revision(5), "jobDefinitionName": "x", "tags": {}},
                ]
            },
        ]
        with Script(("batch:describe_job_definitions", {"status": "ACTIVE"}, pages)) as script:
            assert job_definition.every_job_definition(script.aws) == {"iris": 10, "rose": 1}

    def as_defined(self, there: Any, **inputs: Any) -> tuple[Any, Any]:
        given = batch_settings(**inputs)
        with Script(definitions(*([there] if there else []))) as script:
            return job_definition.as_defined(script.aws, "iris", given, settings(), own=["arn:t", "arn:e"])

    def test_settings_are_as_it_is_where_no_input_says_otherwise(self) -> None:
        assert self.as_defined(None) == (batch_settings(), settings())
        plain = replace(batch_settings(), compute_type="FARGATE_SPOT", gpus=7)
        with Script(definitions(revision())) as script:
            batch, service = job_definition.as_defined(script.aws, "iris", plain, settings(), own=["arn:t", "arn:e"])
        assert (batch.compute_type, batch.gpus) == ("FARGATE_SPOT", 0)
        assert (service.cpu, service.memory, service.task_role, service.execution_role) == (512, 1024, "", "")
        with Script(definitions(revision(platformCapabilities=["EC2"]))) as script:
            batch, service = job_definition.as_defined(script.aws, "iris", plain, settings(), own=[])
        assert (batch.compute_type, service.task_role, service.execution_role) == ("EC2", "arn:t", "arn:e")
        spot = replace(batch_settings(), compute_type="SPOT")
        for capability, kind in (("EC2", "SPOT"), ("FARGATE", "FARGATE")):
            with Script(definitions(revision(platformCapabilities=[capability]))) as script:
                found, _ = job_definition.as_defined(script.aws, "iris", spot, settings())
            assert found.compute_type == kind

    @pytest.mark.parametrize(
        ("role", "given", "secrets"),
        [
            ("arn:aws:iam::1:role/model-dockerize-x", {}, ("arn:s",)),
            ("", {}, ("arn:s",)),
            ("arn:aws:iam::1:role/theirs", {}, ()),
            ("arn:aws:iam::1:role/model-dockerize-x", {"secrets": (("X", "arn:own"),)}, ("arn:own",)),
        ],
    )
    def test_its_secrets_go_on_unless_a_role_of_others_reads_them(self, role: str, given: Any, secrets: Any) -> None:
        there = revision(containerProperties={**PROPERTIES, "executionRoleArn": role})
        with Script(definitions(there)) as script:
            assert job_definition.secrets_of(script.aws, "iris", settings(**given)) == secrets
        with Script(definitions()) as script:
            assert job_definition.secrets_of(script.aws, "iris", settings()) == ()

    def test_only_roles_that_are_known_by_their_arn_are_taken(self) -> None:
        given = replace(settings(), execution_role="arn:own", task_role="name")
        assert job_definition.with_roles(RUNTIME, given) == replace(RUNTIME, execution_role_arn="arn:own")
        given = replace(settings(), execution_role="", task_role="arn:own")
        assert job_definition.with_roles(RUNTIME, given) == replace(RUNTIME, task_role_arn="arn:own")


# ---- sending


def digest(*content: Any) -> str:
    return hashlib.sha256(json.dumps(list(content)).encode()).hexdigest()[:12]


class Sent:
    """The name of a sending: the same work, and eight letters of chance."""

    def __init__(self, work: str) -> None:
        self.work = work

    def __eq__(self, other: object) -> bool:
        work, _, sending = str(other).rpartition("-")
        return work == self.work and len(sending) == 8

    def __hash__(self) -> int:
        return hash(self.work)


def same_work(work: str, *found: Any) -> Call:
    asked = {"jobQueue": "q", "filters": [{"name": "JOB_NAME", "values": [f"{work}-*"]}]}
    return "batch:list_jobs", asked, [{"jobSummaryList": [each]} for each in found]


def submitted(work: str, answer: Any = None, **more: Any) -> Call:
    asked = {
        "jobName": Sent(work),
        "jobQueue": "q",
        "jobDefinition": "arn:x/iris:2",
        "propagateTags": True,
        "tags": OURS,
        **more,
    }
    return "batch:submit_job", asked, answer or {"jobId": "j1"}


def send(*calls: Call, inputs: list[str], output: str = "-", once: bool = False) -> tuple[list[Job], list[str]]:
    with Script(*calls) as script:
        aws = replace(script.aws, tags={"team": "a"})
        given: Any = {"once": True} if once else {}
        found = list(jobs.send_jobs(aws, "q", "arn:x/iris:2", "iris!", inputs, output, script.said, **given))
    return found, script.said.infos


class TestSend:
    def test_one_input_is_a_plain_job(self) -> None:
        work = f"iris-{digest('arn:x/iris:2', ['s3://b/a.csv'], 's3://o/{name}')}"
        told = {"input": "s3://b/a.csv", "output": "s3://o/a"}
        running = {"jobId": "j0", "jobName": f"{work}-0123abcd", "status": "RUNNING"}
        calls = same_work(work, running), submitted(work, parameters=told)
        assert send(*calls, inputs=["s3://b/a.csv"], output="s3://o/{name}") == (
            [Job("j1", ("s3://b/a.csv",), "SUBMITTED")],
            ["job j1: s3://b/a.csv"],
        )

    def test_several_are_an_array(self) -> None:
        inputs = ["/a", "/b", "/c"]
        work = f"iris-{digest('arn:x/iris:2', inputs, '-')}"
        told = {"input": array_jobs.packed(inputs), "output": "-"}
        calls = same_work(work), submitted(work, parameters=told, arrayProperties={"size": 3})
        assert send(*calls, inputs=inputs) == (
            [Job("j1", ("/a", "/b", "/c"), "SUBMITTED")],
            ["array job j1: 3 inputs, from /a to /c"],
        )

    def test_the_same_work_under_way_is_taken_where_once_is_enough(self) -> None:
        work = f"iris-{digest('arn:x/iris:2', ['/a'], '-')}"
        over = [{"jobId": each, "jobName": "x", "status": each} for each in ("SUCCEEDED", "FAILED")]
        running = {"jobId": "j0", "jobName": "x", "status": "PENDING"}
        assert send(same_work(work, *over, running), inputs=["/a"], once=True)[0] == [Job("j0", ("/a",), "SUBMITTED")]
        calls = same_work(work, *over), submitted(work, parameters={"input": "/a", "output": "-"})
        assert send(*calls, inputs=["/a"], once=True)[0][0].id == "j1"

    def test_what_is_refused_is_told(self) -> None:
        work = f"iris-{digest('arn:x/iris:2', ['/a'], '-')}"
        denied = submitted(work, refused("ClientException", "no queue"), parameters={"input": "/a", "output": "-"})
        with pytest.raises(AwsError) as caught:
            send(same_work(work), denied, inputs=["/a"])
        assert str(caught.value) == "submit a job of iris:2: Operation failed: ClientException: no queue"


JOB = JobConfig("nightly", "q", "iris")


class TestOne:
    def test_what_its_file_says_is_sent(self) -> None:
        job = replace(
            JOB,
            parameters=(("a", "1"),),
            command=("run",),
            environment=(("A", "1"),),
            vcpus=2,
            memory=512,
            retry_attempts=3,
        )
        whole = {
            "command": ["run"],
            "environment": [{"name": "A", "value": "1"}],
            "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "512"}],
        }
        for each, parameters, override, more in (
            (job, {"a": "1"}, whole, {"retryStrategy": {"attempts": 3}}),
            (JOB, {}, {}, {}),
        ):
            assert overrides(each) == override
            asked = {
                "jobName": "nightly",
                "jobQueue": "q",
                "jobDefinition": "arn:iris:2",
                "parameters": parameters,
                "containerOverrides": override,
                "propagateTags": True,
                "tags": {**OURS, "model-dockerize:sending": Token("")},
                **more,
            }
            with Script(definitions(revision()), ("batch:submit_job", asked, {"jobId": "j"})) as script:
                found = submit_one(replace(script.aws, tags={"team": "a"}), each, script.said)
            assert found == SubmittedJob("j", "nightly", "q", "arn:iris:2")
            assert script.said.infos == ["job nightly: submitted to q as j, by iris:2"]


def test_one_whose_answer_was_lost_is_known_by_its_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    sending = Token("")
    asked = {
        **{"jobName": "nightly", "jobQueue": "q", "jobDefinition": "arn:iris:2", "parameters": {}},
        **{"containerOverrides": {}, "propagateTags": True},
        "tags": {"model-dockerize": "batch", "model-dockerize:sending": sending},
    }
    send = "batch:submit_job", asked
    named = {"jobQueue": "q", "filters": [{"name": "JOB_NAME", "values": ["nightly"]}], "maxResults": 100}
    listed = "batch:list_jobs", named, {"jobSummaryList": [{"jobId": "a"}, {"jobId": "b"}]}
    others = [{"jobId": "a", "tags": {"model-dockerize:sending": "x"}}, {"jobId": "c"}]
    ours = {"jobId": "b", "tags": {"model-dockerize:sending": sending}}
    shown = "batch:describe_jobs", {"jobs": ["a", "b"]}
    lost = AnswerLostError("lost", "")
    for calls, found in (
        ([listed, (*shown, {"jobs": [*others, ours]})], "b"),
        ([listed, (*shown, {"jobs": others}), (*send, {"jobId": "d"})], "d"),
        ([(*listed[:2], {"jobSummaryList": []}), (*send, {"jobId": "d"})], "d"),
    ):
        sending.seen = ""
        with Script(definitions(revision()), (*send, lost), *calls) as script:
            assert submit_one(script.aws, JOB, script.said).id == found


# ---- following


def looked(*found: dict[str, Any], ids: list[str] | None = None) -> Call:
    asked = ids or [each["jobId"] for each in found]
    return "batch:describe_jobs", {"jobs": asked}, {"jobs": list(found)}


def state(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {"jobId": name, "status": status, **more}


def array(status: str, **counts: int) -> dict[str, Any]:
    return state("a", status, arrayProperties={"statusSummary": counts})


class Clock:
    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += 40


def follow(*calls: Call, sent: list[Job], done: int = 0) -> tuple[list[Job], list[str], list[float]]:
    clock = Clock()
    with Script(*calls) as script:
        ended = list(jobs.follow_jobs(script.aws, "q", sent, script.said, clock.sleep, clock, done))
    return ended, script.said.infos, clock.pauses


ONE = Job("j", ("/a",), "SUBMITTED")
MANY = Job("a", ("/a", "/b", "/c"), "SUBMITTED")


def children(*indexes: int) -> Call:
    summaries = [{"jobId": f"a:{index}", "arrayProperties": {"index": index}} for index in indexes]
    return "batch:list_jobs", {"arrayJobId": "a", "jobStatus": "FAILED"}, [{"jobSummaryList": [s]} for s in summaries]


class TestFollow:
    def test_a_job_is_followed_to_its_end(self) -> None:
        container = {"exitCode": 3, "logStreamName": "stream", "reason": "killed"}
        end = state("j", "FAILED", container=container, statusReason="other")
        calls = (
            looked(state("j", "STARTING")),
            looked(state("j", "RUNNING")),
            looked(state("j", "RUNNING")),
            looked(end),
        )
        ended, said, pauses = follow(*calls, sent=[ONE], done=2)
        assert ended == [Job("j", ("/a",), "FAILED", "killed", 3, "stream")]
        assert said == ["2/3 done, 1 starting", "2/3 done, 1 running", "2/3 done, 1 failed"]
        assert pauses == [1.0, 1.0, 5.0]

    def test_of_an_array_each_child_that_failed_is_told_once(self) -> None:
        first = state("a:1", "FAILED", statusReason="why")
        calls = [
            looked(array("PENDING", RUNNABLE=2, RUNNING=1)),
            looked(array("PENDING", RUNNING=1, FAILED=1, SUCCEEDED=1)),
            children(1),
            looked(first),
            looked(array("FAILED", FAILED=2, SUCCEEDED=1)),
            children(2, 0, 1),
            looked(state("a:0", "FAILED"), state("a:2", "FAILED")),
        ]
        ended, said, _ = follow(*calls, sent=[MANY])
        assert ended == [
            Job("a:1", ("/b",), "FAILED", "why"),
            Job("a:0", ("/a",), "FAILED"),
            Job("a:2", ("/c",), "FAILED"),
        ]
        assert said == ["0/3 done, 1 running, 2 waiting", "1/3 done, 1 failed, 1 running", "1/3 done, 2 failed"]

    @pytest.mark.parametrize(
        ("waiting", "stuck"),
        [
            (state("j", "RUNNABLE"), "j"),
            (state("j", "SUBMITTED"), ""),
            (array("PENDING", RUNNABLE=2, SUCCEEDED=1), "a:0"),
            (array("PENDING", RUNNABLE=2, RUNNING=1), ""),
            (array("PENDING", PENDING=3), ""),
            (array("PENDING", SUCCEEDED=2), ""),
        ],
    )
    def test_one_that_does_not_start_is_explained_once(
        self, monkeypatch: pytest.MonkeyPatch, waiting: dict[str, Any], stuck: str
    ) -> None:
        asked: list[Any] = []
        monkeypatch.setattr(jobs, "why_runnable", lambda _, *given: asked.append(given) or ("because",))
        clock = Clock()
        sent = [MANY if waiting["jobId"] == "a" else ONE]
        end = {**waiting, "status": "SUCCEEDED"}
        with Script(*[looked(waiting)] * 6, looked(end)) as script:
            list(jobs.follow_jobs(script.aws, "q", sent, script.said, clock.sleep, clock))
        assert asked == ([("q", stuck)] if stuck else [])
        assert script.said.warnings == (["because"] if stuck else [])
        assert clock.pauses == [1.0, 5.0, 5.0, 5.0, 5.0, 5.0]

    def test_jobs_are_described_a_hundred_at_once(self) -> None:
        many = [Job(f"j{number}", ("/a",), "SUBMITTED") for number in range(101)]
        found = [state(job.id, "SUCCEEDED") for job in many]
        ended, said, _ = follow(looked(*found[:100]), looked(*found[100:]), sent=many)
        assert (len(ended), said) == (101, ["101/101 done"])

    @pytest.mark.parametrize(
        ("job", "lacks"),
        [
            (Job("j", (), "FAILED", "ECS was unable to assume the role"), True),
            (Job("j", (), "FAILED", "ECS was unable to assume the role", 1), False),
            (Job("j", (), "RUNNING", "ECS was unable to assume the role"), False),
            (Job("j", (), "FAILED", "no room"), False),
        ],
    )
    def test_a_job_may_fail_for_a_role_that_is_new(self, job: Job, lacks: bool) -> None:
        assert job.lacks_role is lacks

    def test_what_failed_for_a_new_role_is_sent_again_for_a_minute(self) -> None:
        failed = state("j", "FAILED", statusReason="unable to assume the role")
        clock = Clock()
        sent, asked = [ONE], list[Any]()

        def again(inputs: list[str]) -> Any:
            asked.append(list(inputs))
            return iter([replace(ONE, id=f"j{len(asked)}")] if inputs else [])

        last = {**failed, "jobId": "j2"}
        calls = looked(failed), looked({**failed, "jobId": "j1"}), looked(last)
        with Script(*calls) as script:
            ended = list(jobs.follow_to_end(script.aws, "q", sent, again, script.said, clock.sleep, clock))
        assert [job.id for job in ended] == ["j2"]
        assert asked == [["/a"], ["/a"], []]
        assert [job.id for job in sent] == ["j", "j1", "j2"]
        assert clock.pauses == [5.0, 5.0]
        assert script.said.infos.count("Their role may be too new to be assumed: 1 of the inputs are sent again.") == 2

    def test_what_is_under_way_is_known_or_all_of_it(self) -> None:
        other = replace(ONE, id="k")
        with Script(looked(state("j", "SUCCEEDED"), state("k", "RUNNING"))) as script:
            assert jobs.underway(script.aws, [ONE, other]) == (replace(other, status="RUNNING"),)
        with Script(("batch:describe_jobs", {"jobs": ["j"]}, refused("AccessDenied"))) as script:
            assert jobs.underway(script.aws, [ONE]) == (ONE,)

    def test_those_that_cannot_be_ended_are_returned(self) -> None:
        def end(name: str, answer: Any) -> Call:
            return "batch:terminate_job", {"jobId": name, "reason": "over"}, answer

        other = replace(ONE, id="k")
        calls = end("j", refused("AccessDenied")), end("k", {}), end("j", refused("ServerException"))
        with Script(*calls) as script:
            assert jobs.end_jobs(script.aws, [ONE, other, ONE], "over") == (ONE, ONE)

    def test_a_log_is_that_of_its_stream(self) -> None:
        asked = {"logGroupName": "/g", "logStreamName": "s", "limit": 100, "startFromHead": False}
        with Script(("logs:get_log_events", asked, {"events": [{"message": "x"}]})) as script:
            assert jobs.log_of(script.aws, "/g", replace(ONE, stream="s")) == ("x",)
            assert jobs.log_of(script.aws, "/g", ONE) == ()


def test_a_tally_counts_states_in_words() -> None:
    counted = replace(MANY, counts={"SUCCEEDED": 1, "FAILED": 1, "STARTING": 1})
    assert jobs.tally([ONE, counted]) == "1/4 done, 1 failed, 1 starting, 1 waiting"
    assert jobs.tally([replace(ONE, status="RUNNING")], done=3) == "3/4 done, 1 running"


class TestArrays:
    @pytest.mark.parametrize(
        ("output", "path", "place"),
        [
            ("s3://o/{name}.out", "s3://b/a.b.csv", "s3://o/a.b.out"),
            ("{name}{name}", "/x", "xx"),
            ("{name}", "/...csv", "...csv"),
            ("{name}", "/.csv", ".csv"),
            ("-", "/a", "-"),
            ("{name}", "/X.csv", "X"),
        ],
    )
    def test_an_output_is_named_by_the_stem(self, output: str, path: str, place: str) -> None:
        assert array_jobs.place(output, path) == place

    def test_names_have_six_thousand_bytes(self) -> None:
        assert not array_jobs.too_long("ä" * 1500, "o" * 3000)
        assert array_jobs.too_long("ä" * 1500, "o" * 3001)
        assert array_jobs.too_long("x" * 3001, "{name}")
        assert not array_jobs.too_long("x" * 3000, "{name}")

    def test_parts_are_as_large_as_they_may_be(self) -> None:
        inputs = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(300)]
        parts = list(array_jobs.parts(inputs, "o" * 1000))
        assert [each for part in parts for each in part] == inputs
        assert all(len(array_jobs.packed(part)) <= 5000 for part in parts)
        first = len(parts[0])
        assert len(array_jobs.packed(inputs[: first + 1])) > 5000
        assert [len(part) for part in array_jobs.parts(["a"] * 10_001, "-")] == [10_000, 1]
        assert list(array_jobs.parts([], "-")) == []


# ---- files

OWNER = {"ExpectedBucketOwner": "123456789012"}


def listed(folder: str, *pages: Any) -> Call:
    asked = {"Bucket": "b", "Prefix": f"iris/1/{folder}/", **OWNER}
    return "s3:list_objects_v2", asked, [{"Contents": page} if page else {} for page in pages]


class TestFiles:
    def files(self, script: Script) -> JobFiles:
        return JobFiles(script.aws, "b", "iris/1")

    def test_their_places_are_below_the_prefix(self) -> None:
        with Script() as script:
            files = self.files(script)
        assert (files.output, files.source("x")) == ("s3://b/iris/1/out/{name}", "s3://b/iris/1/in/x")

    def test_only_files_that_are_missing_or_old_are_sent(self, tmp_path: Path) -> None:
        paths = {name: tmp_path / name for name in ("new", "old", "there")}
        for name, path in paths.items():
            path.write_text(name)
        moved: list[Any] = []

        def upload(_file: Any, bucket: str, key: str, ExtraArgs: Any, Callback: Any) -> None:  # noqa: N803 - as AWS has it
            moved.append((_file.read(), bucket, key, ExtraArgs))
            Callback(3)

        now = datetime.now(UTC)
        objects = [
            {"Key": "iris/1/in/there", "LastModified": now - timedelta(hours=23)},
            {"Key": "iris/1/in/old", "LastModified": now - timedelta(hours=25)},
        ]
        with Script(listed("in", objects[:1], [], objects[1:])) as script:
            client = script.client("s3")
            client.__dict__["upload_fileobj"] = upload
            told: list[Any] = []
            progress: Any = SimpleNamespace(transfer=lambda *given: told.append(given))
            assert self.files(script).send(paths, progress) == 2
        assert moved == [(name.encode(), "b", f"iris/1/in/{name}", OWNER) for name in ("new", "old")]
        assert told == [("sending files", 3, 6), ("sending files", 6, 6)]

    def test_a_file_that_is_gone_is_told(self, tmp_path: Path) -> None:
        with Script(listed("in")) as script, pytest.raises(InputError) as caught:
            self.files(script).send({"x": tmp_path / "x"}, script.said)
        assert str(caught.value).startswith(f"{tmp_path / 'x'} cannot be read: ")
        assert caught.value.remedy == "Nothing was submitted."
        with pytest.raises(InputError) as caught:
            name_of(tmp_path / "x")
        assert str(caught.value) == f"{tmp_path / 'x'} cannot be read: No such file or directory."
        assert caught.value.remedy == "Nothing was submitted."

    def test_a_name_is_of_the_content(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("content")
        assert name_of(tmp_path / "x") == hashlib.sha256(b"content").hexdigest()[:16]

    def test_results_have_sizes(self) -> None:
        with Script(listed("out", [{"Key": "iris/1/out/x", "Size": 3}, {"Key": "iris/1/out/y", "Size": 4}])) as script:
            assert self.files(script).results() == {"x": 3, "y": 4}

    @pytest.mark.parametrize("error", [None, refused("NoSuchKey", "gone")])
    def test_a_result_is_written_whole_or_not_at_all(self, tmp_path: Path, error: Any) -> None:
        asked: list[Any] = []

        def download(bucket: str, key: str, file: Any, ExtraArgs: Any, Callback: Any) -> None:  # noqa: N803
            asked.append((bucket, key, ExtraArgs, Callback))
            file.write(b"half")
            if error:
                raise error

        target, moved = tmp_path / "x", print
        with Script() as script:
            script.client("s3").__dict__["download_fileobj"] = download
            try:
                self.files(script).fetch("x", target, moved)
            except AwsError as failed:
                assert str(failed) == "fetch a result from bucket b: Operation failed: NoSuchKey: gone"
        assert [path.name for path in tmp_path.iterdir()] == ([] if error else ["x"])
        assert asked == [("b", "iris/1/out/x", OWNER, moved)]

    def test_a_note_has_the_names_of_a_jobs_inputs(self) -> None:
        body = json.dumps(["x", "y"]).encode()
        key = {"Bucket": "b", "Key": "iris/1/jobs/j"}
        noted = "s3:put_object", {**key, "Body": body, **OWNER}, {}
        job = Job("j", ("s3://b/iris/1/in/x", "s3://b/iris/1/in/y"), "SUBMITTED")
        entries = [{"Key": f"iris/1/jobs/{name}"} for name in ("j", "k")]

        def read(limit: int) -> bytes:
            assert limit >= len(body)
            return body

        got = "s3:get_object", {**key, **OWNER}, {"Body": SimpleNamespace(read=read)}
        with Script(noted, listed("jobs", entries), got, listed("jobs", entries)) as script:
            self.files(script).note(job)
            assert self.files(script).noted(["j", "z"]) == {"j": job.inputs, "k": ()}
            assert self.files(script).noted() == {"j": (), "k": ()}

    @pytest.mark.parametrize("note", [b"{", b"{}", b'"x"', b"[1, null]"])
    def test_a_note_of_somebody_else_says_nothing(self, note: bytes) -> None:
        got = (
            "s3:get_object",
            {"Bucket": "b", "Key": "iris/1/jobs/j", **OWNER},
            {"Body": SimpleNamespace(read=lambda _: note)},
        )
        with Script(listed("jobs", [{"Key": "iris/1/jobs/j"}]), got) as script:
            assert self.files(script).noted(["j"]) == {"j": ()}

    def test_what_s3_refuses_is_told(self) -> None:
        denied = refused("SlowDown2", "oh")
        asked = {"Bucket": "b", "Prefix": "iris/1/%s/", **OWNER}

        def listing(folder: str) -> Call:
            return "s3:list_objects_v2", {**asked, "Prefix": f"iris/1/{folder}/"}, denied

        for folder, call, said in (
            ("in", lambda files: files.send({}, None), "send files to bucket b"),
            ("out", lambda files: files.results(), "look for results in bucket b"),
            ("jobs", lambda files: files.noted(), "look for jobs in bucket b"),
        ):
            with Script(listing(folder)) as script, pytest.raises(AwsError) as caught:
                call(self.files(script))
            assert str(caught.value) == f"{said}: Operation failed: SlowDown2: oh"
