"""AWS Batch of the sandbox: what each operation answers and refuses, and what becomes of a job."""

import re
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.batch import Batch, job_runner
from model_sandbox.batch import job as jobs
from model_sandbox.batch import state as states
from model_sandbox.batch.job import Capacity, Job
from model_sandbox.container_spec import ContainerSpec
from model_sandbox.engine import ContainerState
from model_sandbox.network import Network
from model_sandbox.sessions import Sessions
from tests.rig.fake_engine import ENDED, RUNNING, FakeEngine
from tests.rig.fake_ministack import OTHER, SCOPE, StraightThread, asked, fake_upstream

ARN = "arn:aws:batch:us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role"
FARGATE: dict[str, Any] = {"type": "FARGATE", "maxvCpus": 4, "subnets": ["subnet-a"], "securityGroupIds": ["sg-web"]}
INSTANCES: dict[str, Any] = {
    **{"type": "EC2", "maxvCpus": 4, "minvCpus": 0, "instanceTypes": ["optimal"], "instanceRole": "ecsInstanceRole"},
    **{"subnets": ["subnet-a"], "securityGroupIds": ["sg-web"]},
}
ORDER = [{"order": 1, "computeEnvironment": "e"}]
CONTAINER: dict[str, Any] = {
    "image": "registry/iris@sha256:1",
    "command": ["run", "Ref::input", "Ref::unknown"],
    "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
}


class Account:
    """Batch of one account, asked as clients do."""

    def __init__(self, engine: FakeEngine | None = None, endpoint: str = "http://172.17.0.1:4566") -> None:
        self.upstream = fake_upstream()
        self.upstream.iam._gen_session_access_key = lambda: "ASIAKEY"  # type: ignore[attr-defined]
        self.upstream.iam._gen_session_token = lambda: "token"  # type: ignore[attr-defined]
        sessions: dict[str, Any] = {}
        self.upstream.sts._role_id = lambda _: "AROA"  # type: ignore[attr-defined]
        self.upstream.sts._sessions = sessions  # type: ignore[attr-defined]
        self.upstream.sts.register_session = sessions.__setitem__  # type: ignore[attr-defined]
        self.engine: Any = engine or FakeEngine()
        self.batch = Batch(self.upstream, self.engine, Network(self.upstream, 40000), Sessions(self.upstream, endpoint))
        self.batch.install()
        self.runner: Any = self.batch._jobs._runner

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        return asked(self.upstream, "batch", operation, **request)

    def refused(self, operation: str, **request: Any) -> str:
        answer = self.ask(operation, **request)
        code, _, message = answer["refused"].partition(": ")
        assert code == "ClientException"
        return str(message)

    def furnish(self, resources: dict[str, Any] = FARGATE, **definition: Any) -> None:
        """Make environment `e`, queue `q` and definition `d:1`."""
        self.ask("CreateComputeEnvironment", computeEnvironmentName="e", type="MANAGED", computeResources=resources)
        self.ask("CreateJobQueue", jobQueueName="q", computeEnvironmentOrder=ORDER)
        self.define(**definition)

    def define(self, **definition: Any) -> dict[str, Any]:
        request: dict[str, Any] = {"jobDefinitionName": "d", "type": "container", "containerProperties": CONTAINER}
        return self.ask("RegisterJobDefinition", **{**request, **definition})

    def submit(self, name: str = "j", **request: Any) -> str:
        return str(
            self.ask("SubmitJob", **{"jobName": name, "jobQueue": "q", "jobDefinition": "d", **request})["jobId"]
        )

    def job(self, identity: str) -> dict[str, Any]:
        (found,) = self.ask("DescribeJobs", jobs=[identity])["jobs"]
        return dict(found)

    def environment(self) -> dict[str, Any]:
        (found,) = self.ask("DescribeComputeEnvironments")["computeEnvironments"]
        return dict(found)


@pytest.fixture(autouse=True)
def _straight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run jobs as they are submitted, by a clock that stands, with numbers for what is random."""
    numbers = iter(range(1, 1000))
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(numbers)))
    monkeypatch.setattr(job_runner, "threading", SimpleNamespace(Thread=StraightThread))
    monkeypatch.setattr(job_runner, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(jobs, "time", SimpleNamespace(time=lambda: 1.2345))


NOW = 1234  # milliseconds


def number(n: int) -> str:
    return str(uuid.UUID(int=n))


# ---- environments


def test_an_environment_is_shown_as_it_was_made() -> None:
    account = Account()
    named = {"computeEnvironmentName": "e", "computeEnvironmentArn": f"{ARN}:compute-environment/e"}
    request = {"computeEnvironmentName": "e", "type": "MANAGED", "computeResources": FARGATE, "tags": {"a": "b"}}
    assert account.ask("CreateComputeEnvironment", **request) == named
    assert account.environment() == {
        **named,
        "ecsClusterArn": f"arn:aws:ecs:us-east-1:123456789012:cluster/e_Batch_{number(1)}",
        "type": "MANAGED",
        "state": "ENABLED",
        "status": "VALID",
        "statusReason": "ComputeEnvironment Healthy",
        "computeResources": FARGATE,
        "serviceRole": "",
        "tags": {"a": "b"},
        "containerOrchestrationType": "ECS",
        "uuid": number(2),
    }
    assert account.batch.tags_of(f"{ARN}:compute-environment/e") == {"a": "b"}
    assert account.batch.tags_of(f"{ARN}:compute-environment/other") == {}


def test_one_that_is_not_managed_has_no_resources_and_says_what_was_said() -> None:
    account = Account()
    given = {"type": "UNMANAGED", "state": "DISABLED", "serviceRole": f"{ROLE}/known"}
    account.ask("CreateComputeEnvironment", computeEnvironmentName="e", **given)
    shown = account.environment()
    assert {key: shown[key] for key in given} == given
    assert shown["status"] == "VALID"
    assert "computeResources" not in shown
    account.ask("CreateComputeEnvironment", computeEnvironmentName="plain")
    assert account.ask("DescribeComputeEnvironments", computeEnvironments=["plain"])["computeEnvironments"] == [
        {
            "computeEnvironmentName": "plain",
            "computeEnvironmentArn": f"{ARN}:compute-environment/plain",
            "ecsClusterArn": f"arn:aws:ecs:us-east-1:123456789012:cluster/plain_Batch_{number(3)}",
            "type": "MANAGED",
            "state": "ENABLED",
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
            "serviceRole": "",
            "tags": {},
            "containerOrchestrationType": "ECS",
            "uuid": number(4),
        }
    ]


@pytest.mark.parametrize("role", ["young", "missing"])
def test_one_whose_role_batch_cannot_assume_is_invalid_until_it_is_updated(role: str) -> None:
    account = Account()
    request = {"computeEnvironmentName": "e", "computeResources": FARGATE, "serviceRole": f"{ROLE}/{role}"}
    account.ask("CreateComputeEnvironment", **request)
    told = f"User: batch.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: {ROLE}/{role}"
    shown = account.environment()
    assert (shown["status"], shown["statusReason"]) == ("INVALID", f"CLIENT_ERROR - {told}")
    account.upstream.iam._roles[role] = account.upstream.iam._roles["known"]
    assert account.environment()["status"] == "INVALID"
    account.ask("UpdateComputeEnvironment", computeEnvironment="e")
    assert (account.environment()["status"], account.environment()["serviceRole"]) == ("VALID", f"{ROLE}/{role}")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (
            {"computeEnvironmentName": "e/f"},
            "Error executing request, Exception : computeEnvironmentName should match valid pattern "
            "[A-Za-z0-9_][A-Za-z0-9_-]{0,127}",
        ),
        (
            {},
            "Error executing request, Exception : computeEnvironmentName should match valid pattern "
            "[A-Za-z0-9_][A-Za-z0-9_-]{0,127}",
        ),
        ({"computeEnvironmentName": "e"}, "Object already exists"),
        (
            {"computeEnvironmentName": "f", "computeResources": {**FARGATE, "instanceTypes": ["optimal"]}},
            "Error executing request, Exception : instanceTypes must not be set for Fargate.",
        ),
        (
            {"computeEnvironmentName": "f", "computeResources": {**FARGATE, "subnets": []}},
            "Error executing request, Exception : Fargate needs subnets and securityGroupIds.",
        ),
        (
            {"computeEnvironmentName": "f", "computeResources": {**FARGATE, "subnets": ["none"]}},
            "The subnet ID 'none' does not exist",
        ),
        (
            {"computeEnvironmentName": "f", "computeResources": {**FARGATE, "securityGroupIds": ["none"]}},
            "The security group 'none' does not exist",
        ),
    ],
)
def test_an_environment_that_cannot_be_made(request_: dict[str, Any], told: str) -> None:
    account = Account()
    account.furnish()
    assert account.refused("CreateComputeEnvironment", **request_) == told
    assert account.environment()["computeEnvironmentName"] == "e"


def test_a_name_is_as_long_as_batch_takes_it() -> None:
    account = Account()
    assert "computeEnvironmentArn" in account.ask("CreateComputeEnvironment", computeEnvironmentName="_" + 127 * "-")
    assert "refused" in account.ask("CreateComputeEnvironment", computeEnvironmentName=129 * "a")
    assert "refused" in account.ask("CreateComputeEnvironment", computeEnvironmentName="-a")


def test_a_change_joins_what_was_there() -> None:
    account = Account()
    account.furnish()
    named = {"computeEnvironmentName": "e", "computeEnvironmentArn": f"{ARN}:compute-environment/e"}
    before = account.environment()
    changes = {"maxvCpus": 9, "subnets": ["subnet-b"]}
    update = {"computeResources": changes, "state": "DISABLED", "serviceRole": ""}
    assert account.ask("UpdateComputeEnvironment", computeEnvironment=named["computeEnvironmentArn"], **update) == named
    assert account.environment() == {**before, "computeResources": {**FARGATE, **changes}, "state": "DISABLED"}
    assert account.refused("UpdateComputeEnvironment", computeEnvironment="e", computeResources={"type": "EC2"}) == (
        "Error executing request, Exception : type cannot be updated for compute environments of Fargate."
    )
    wrong = {"computeEnvironment": "e", "computeResources": {"subnets": ["none"]}}
    assert account.refused("UpdateComputeEnvironment", **wrong) == "The subnet ID 'none' does not exist"
    assert account.refused("UpdateComputeEnvironment", computeEnvironment="f") == "f does not exist"
    assert account.refused("UpdateComputeEnvironment") == "compute-environment does not exist"


def test_more_vcpus_are_room_at_once() -> None:
    account = Account()
    account.furnish({**FARGATE, "maxvCpus": 1})
    capacity = account.batch._state.capacities[f"{ARN}:compute-environment/e"]
    assert (capacity.take(1.0), capacity.take(1.0)) == (True, False)
    account.ask("UpdateComputeEnvironment", computeEnvironment="e", state="ENABLED")
    assert not capacity.take(1.0)
    account.ask("UpdateComputeEnvironment", computeEnvironment="e", computeResources={"maxvCpus": 2})
    assert (capacity.take(1.0), capacity.take(0.1)) == (True, False)


@pytest.mark.parametrize(
    ("container", "size"),
    [
        ({"resourceRequirements": []}, (1.0, None)),
        ({"resourceRequirements": [], "vcpus": 2, "memory": 512}, (2.0, 512)),
        ({**{"vcpus": 2, "memory": 512}, **CONTAINER}, (1.0, 2048)),
        ({"resourceRequirements": [{"type": "MEMORY", "value": "8"}, {"type": "VCPU", "value": "0.25"}]}, (0.25, 8)),
    ],
)
def test_the_size_of_a_job(container: dict[str, Any], size: tuple[float, int | None]) -> None:
    job = Job(SCOPE, "i", {"container": container}, {}, Capacity(1), {}, 1, None, [])
    assert (job.vcpus, job.memory_mib) == size


def test_without_a_limit_there_is_room_for_256_vcpus() -> None:
    account = Account()
    account.ask("CreateComputeEnvironment", computeEnvironmentName="e")
    capacity = account.batch._state.capacities[f"{ARN}:compute-environment/e"]
    assert (capacity.take(257.0), capacity.take(256.0)) == (False, True)


def test_room_that_is_given_back_is_there_again() -> None:
    capacity = Capacity(2.0)
    assert [capacity.take(1.5), capacity.take(1.0), capacity.take(0.5)] == [True, False, True]
    capacity.give_back(1.5)
    assert [capacity.take(2.0), capacity.take(1.5)] == [False, True]
    capacity.resize(1.0)
    capacity.give_back(1.5)
    assert [capacity.take(1.0), capacity.take(0.5)] == [False, True]


def test_what_goes_is_deleting_for_a_moment_and_holds_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(states, "time", SimpleNamespace(monotonic=lambda: now[0]))
    account = Account()
    account.furnish()
    assert account.refused("DeleteComputeEnvironment", computeEnvironment="e") == (
        "Cannot delete, resource is not disabled"
    )
    assert account.refused("DeleteJobQueue", jobQueue="q") == "Cannot delete, resource is not disabled"
    account.ask("UpdateComputeEnvironment", computeEnvironment="e", state="DISABLED")
    assert account.refused("DeleteComputeEnvironment", computeEnvironment="e") == (
        "Cannot delete, found existing JobQueue relationship"
    )
    account.ask("UpdateJobQueue", jobQueue="q", state="DISABLED")
    assert account.ask("DeleteJobQueue", jobQueue=f"{ARN}:job-queue/q") == {}
    now[0] = 101.0
    assert account.ask("DeleteComputeEnvironment", computeEnvironment="e") != {}  # the queue still names it
    assert account.ask("DescribeJobQueues") == {"jobQueues": []}
    assert account.ask("DeleteComputeEnvironment", computeEnvironment="e") == {}
    now[0] = 101.9
    assert account.ask("DeleteComputeEnvironment", computeEnvironment="e") == {}  # that begins no second end
    assert account.environment()["status"] == "DELETING"
    again = {"computeEnvironmentName": "e", "computeResources": FARGATE}
    assert account.refused("CreateComputeEnvironment", **again) == "Object already exists"
    now[0] = 102.0
    assert "computeEnvironmentArn" in account.ask("CreateComputeEnvironment", **again)
    assert account.environment()["status"] == "VALID"
    for gone in ("DeleteComputeEnvironment", "DeleteJobQueue"):
        assert account.ask(gone, computeEnvironment="none", jobQueue="none") == {}
    assert "e" in account.environment()["computeEnvironmentName"]


# ---- queues


def test_a_queue_is_shown_as_it_was_made_with_its_environments_in_order() -> None:
    account = Account()
    account.furnish()
    account.ask("CreateComputeEnvironment", computeEnvironmentName="f", computeResources=FARGATE)
    order = [
        {"order": 2, "computeEnvironment": f"{ARN}:compute-environment/f"},
        {"order": 1, "computeEnvironment": "e"},
    ]
    named = {"jobQueueName": "r", "jobQueueArn": f"{ARN}:job-queue/r"}
    given = {"state": "DISABLED", "priority": 7, "tags": {"a": "b"}}
    assert account.ask("CreateJobQueue", jobQueueName="r", computeEnvironmentOrder=order, **given) == named
    sorted_ = [
        {"order": 1, "computeEnvironment": f"{ARN}:compute-environment/e"},
        {"order": 2, "computeEnvironment": f"{ARN}:compute-environment/f"},
    ]
    healthy = {"status": "VALID", "statusReason": "JobQueue Healthy"}
    made = {**named, **given, **healthy, "computeEnvironmentOrder": sorted_}
    plain = {
        **{"jobQueueName": "q", "jobQueueArn": f"{ARN}:job-queue/q", "state": "ENABLED", "priority": 1, "tags": {}},
        **{**healthy, "computeEnvironmentOrder": sorted_[:1]},
    }
    assert account.ask("DescribeJobQueues") == {"jobQueues": [plain, made]}
    assert account.ask("DescribeJobQueues", jobQueues=["r", "none"]) == {"jobQueues": [made]}
    assert account.batch.tags_of(f"{ARN}:job-queue/r") == {"a": "b"}
    assert account.ask("UpdateJobQueue", jobQueue="r", priority=3) == named
    (shown,) = account.ask("DescribeJobQueues", jobQueues=["r"])["jobQueues"]
    assert shown == {**made, "priority": 3}
    account.ask("UpdateJobQueue", jobQueue="r", state="ENABLED", computeEnvironmentOrder=ORDER)
    (shown,) = account.ask("DescribeJobQueues", jobQueues=["r"])["jobQueues"]
    assert shown == {**made, "priority": 3, "state": "ENABLED", "computeEnvironmentOrder": sorted_[:1]}


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"jobQueueName": "q", "computeEnvironmentOrder": ORDER}, "Object already exists"),
        ({"jobQueueName": "r"}, "computeEnvironmentOrder must not be empty"),
        (
            {"jobQueueName": "r", "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "none"}]},
            "none does not exist",
        ),
        (
            {"computeEnvironmentOrder": ORDER},
            "Error executing request, Exception : jobQueueName should match valid pattern "
            "[A-Za-z0-9_][A-Za-z0-9_-]{0,127}",
        ),
    ],
)
def test_a_queue_that_cannot_be_made(request_: dict[str, Any], told: str) -> None:
    account = Account()
    account.furnish()
    assert account.refused("CreateJobQueue", **request_) == told
    assert len(account.ask("DescribeJobQueues")["jobQueues"]) == 1


def test_a_queue_that_is_not_there_cannot_be_changed() -> None:
    assert Account().refused("UpdateJobQueue") == "job-queue does not exist"


def test_other_accounts_and_regions_see_nothing_of_it() -> None:
    account = Account()
    account.furnish()
    for operation, key in (
        ("DescribeComputeEnvironments", "computeEnvironments"),
        ("DescribeJobQueues", "jobQueues"),
        ("DescribeJobDefinitions", "jobDefinitions"),
    ):
        assert asked(account.upstream, "batch", operation, OTHER) == {key: []}
        assert len(asked(account.upstream, "batch", operation)[key]) == 1
    answer = asked(
        account.upstream, "batch", "SubmitJob", OTHER, jobName="j", jobQueue=f"{ARN}:job-queue/q", jobDefinition="d"
    )
    assert answer == {"refused": "ClientException: Job definition d not found or inactive"}


# ---- definitions


def test_a_definition_has_revisions_and_shows_what_batch_adds() -> None:
    account = Account()
    named = {"jobDefinitionName": "d", "jobDefinitionArn": f"{ARN}:job-definition/d:1", "revision": 1}
    assert account.define(containerProperties={"image": "i"}) == named
    empty = ("command", "volumes", "environment", "mountPoints", "ulimits", "resourceRequirements", "secrets")
    first = {
        **named,
        "status": "ACTIVE",
        "type": "container",
        "containerProperties": {**{key: [] for key in empty}, "image": "i"},
        "platformCapabilities": ["EC2"],
        "containerOrchestrationType": "ECS",
        "parameters": {},
        "tags": {},
    }
    assert account.ask("DescribeJobDefinitions") == {"jobDefinitions": [first]}
    kept = {
        **{"parameters": {"input": "x"}, "retryStrategy": {"attempts": 2}, "timeout": {"attemptDurationSeconds": 60}},
        **{"propagateTags": True, "schedulingPriority": 4, "tags": {"a": "b"}, "platformCapabilities": ["EC2"]},
    }
    assert account.define(**kept, more="dropped")["revision"] == 2
    second = {
        **{**first, **kept, "revision": 2, "jobDefinitionArn": f"{ARN}:job-definition/d:2"},
        "containerProperties": {**{key: [] for key in empty}, **CONTAINER},
    }
    assert account.ask("DescribeJobDefinitions") == {"jobDefinitions": [second, first]}
    assert account.batch.tags_of(f"{ARN}:job-definition/d:2") == {"a": "b"}
    assert account.define(jobDefinitionName="d2")["revision"] == 1

    def found(**request: Any) -> list[str]:
        shown = account.ask("DescribeJobDefinitions", **request)["jobDefinitions"]
        return [f"{one['jobDefinitionName']}:{one['revision']}" for one in shown]

    assert found() == ["d:2", "d:1", "d2:1"]
    assert found(jobDefinitions=["d:1", f"{ARN}:job-definition/d2:1"]) == ["d:1", "d2:1"]
    assert found(jobDefinitionName="d") == ["d:2", "d:1"]
    assert account.ask("DeregisterJobDefinition", jobDefinition="d:2") == {}
    assert found(status="ACTIVE") == ["d:1", "d2:1"]
    assert found(status="INACTIVE", jobDefinitionName="d") == ["d:2"]
    assert account.ask("DeregisterJobDefinition", jobDefinition="d:2") == {}
    assert account.ask("DeregisterJobDefinition") == {}
    assert account.define()["revision"] == 3


FARGATE_JOB = {**CONTAINER, "executionRoleArn": f"{ROLE}/known"}


def sized(vcpus: str, memory: str) -> dict[str, Any]:
    wanted = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
    return {**FARGATE_JOB, "resourceRequirements": wanted}


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ({"type": "multinode"}, "The sandbox runs job definitions of type container only"),
        (
            {"containerProperties": None},
            "Error executing request, Exception : Container properties should have an image.",
        ),
        (
            {"jobDefinitionName": ""},
            "Error executing request, Exception : jobDefinitionName should match valid pattern "
            "[A-Za-z0-9_][A-Za-z0-9_-]{0,127}",
        ),
        (
            {"platformCapabilities": ["FARGATE"]},
            "Error executing request, Exception : EXECUTION_ROLE_ARN is required for Fargate jobs.",
        ),
        (
            {"platformCapabilities": ["FARGATE"], "containerProperties": sized("0.25", "4096")},
            "Error executing request, Exception : Fargate resource requirements (0.25 vCPU, 4096 MiB) not valid.",
        ),
        (
            {"platformCapabilities": ["FARGATE"], "containerProperties": {**FARGATE_JOB, "resourceRequirements": []}},
            "Error executing request, Exception : Fargate resource requirements (None vCPU, None MiB) not valid.",
        ),
        (
            {"containerProperties": sized("1.5", "512")},
            "Error executing request, Exception : For EC2 resources a job has whole vCPUs, and one at least, not 1.5.",
        ),
        (
            {"containerProperties": sized("01", "512")},
            "Error executing request, Exception : For EC2 resources a job has whole vCPUs, and one at least, not 01.",
        ),
    ],
)
def test_a_definition_that_cannot_be_registered(definition: dict[str, Any], told: str) -> None:
    account = Account()
    assert account.define(**definition) == {"refused": f"ClientException: {told}"}
    assert account.ask("DescribeJobDefinitions") == {"jobDefinitions": []}


@pytest.mark.parametrize("container", [CONTAINER, sized("10", "512"), {"image": "i", "vcpus": 2, "memory": 512}])
def test_a_definition_for_instances_has_whole_vcpus(container: dict[str, Any]) -> None:
    assert Account().define(containerProperties=container)["revision"] == 1


def test_a_definition_for_fargate_has_one_of_its_sizes() -> None:
    request = {"platformCapabilities": ["FARGATE"], "containerProperties": sized("0.25", "512")}
    assert Account().define(**request)["revision"] == 1


@pytest.mark.parametrize("key", ["executionRoleArn", "jobRoleArn"])
def test_a_role_that_is_new_cannot_be_passed_on(key: str) -> None:
    told = f"arn:aws:iam::123456789012:root is not authorized to perform: iam:PassRole on resource: {ROLE}/young"
    answer = Account().define(containerProperties={**CONTAINER, key: f"{ROLE}/young"})
    assert answer == {"refused": f"AccessDeniedException: User: {told}"}


# ---- jobs


def test_a_job_is_shown_with_its_container_and_its_one_attempt() -> None:
    account = Account(FakeEngine(RUNNING, ENDED, prints=b"one\ntwo\n"))
    kept = {"parameters": {"input": "x", "other": "y"}, "timeout": {"attemptDurationSeconds": 600}}
    account.furnish(**kept)
    wanted = {"parameters": {"input": "mine.csv"}, "tags": {"a": "b"}}
    overrides = {
        "environment": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "resourceRequirements": [{"type": "MEMORY", "value": "4096"}],
    }
    made = account.ask(
        "SubmitJob", jobName="j", jobQueue="q", jobDefinition="d", containerOverrides=overrides, **wanted
    )
    identity, task, stream = number(3), uuid.UUID(int=4).hex, f"d/default/{uuid.UUID(int=4).hex}"
    assert made == {"jobId": identity, "jobName": "j", "jobArn": f"{ARN}:job/{identity}"}
    ran = {
        "taskArn": f"arn:aws:ecs:us-east-1:123456789012:task/batch/{task}",
        "networkInterfaces": [],
        "logStreamName": stream,
        "exitCode": 0,
    }
    ended = {"startedAt": NOW, "stoppedAt": NOW, "statusReason": "Essential container in task exited"}
    assert account.job(identity) == {
        **{"jobId": identity, "jobArn": f"{ARN}:job/{identity}", "jobName": "j", "jobQueue": f"{ARN}:job-queue/q"},
        **{"jobDefinition": f"{ARN}:job-definition/d:1", "status": "SUCCEEDED", "createdAt": NOW, **ended},
        "attempts": [{"container": ran, **ended}],
        "dependsOn": [],
        "parameters": {"input": "mine.csv", "other": "y"},
        "retryStrategy": {"attempts": 1, "evaluateOnExit": []},
        "platformCapabilities": ["EC2"],
        "tags": {"a": "b"},
        "timeout": {"attemptDurationSeconds": 600},
        "isTerminated": False,
        "container": {
            **{"image": "registry/iris@sha256:1", "command": ["run", "Ref::input", "Ref::unknown"], **ran},
            **{key: [] for key in ("volumes", "mountPoints", "ulimits", "secrets")},
            "environment": [{"name": "A", "value": "1"}, *overrides["environment"]],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "4096"}],
        },
    }
    assert account.engine.specs == [
        ContainerSpec(
            image="registry/iris@sha256:1",
            name=f"fake-job-j-{task[-8:]}",
            command=("run", "mine.csv", "Ref::unknown"),
            environment={
                **{"A": "1", "B": "3", "C": "4", "AWS_BATCH_JOB_ID": identity, "AWS_BATCH_JQ_NAME": "q"},
                **{"AWS_BATCH_CE_NAME": "e", "AWS_BATCH_JOB_ATTEMPT": "1"},
            },
            memory_mib=4096,
        )
    ]
    assert account.engine.happened == [
        ("pull", "registry/iris@sha256:1", SCOPE),
        ("start", "container-1"),
        ("stop", "container-1", 30),
        ("remove", "container-1"),
    ]
    assert account.upstream.logs._log_groups == {"/aws/batch/job": {stream: ["one", "two"]}}
    # The definition is as it was.
    (definition,) = account.ask("DescribeJobDefinitions")["jobDefinitions"]
    assert definition["containerProperties"]["environment"] == CONTAINER["environment"]


def test_what_a_definition_says_of_its_container_is_done() -> None:
    account = Account(FakeEngine(prints=b"x\n"))
    log = {"awslogs-group": "/mine", "awslogs-stream-prefix": "iris"}
    secret = {"name": "S", "valueFrom": "/parameter"}
    more = {
        **{"command": [], "user": "1000", "readonlyRootFilesystem": True, "vcpus": 2, "memory": 512},
        **{"resourceRequirements": [], "secrets": [secret], "logConfiguration": {"options": log}},
        **{"jobRoleArn": f"{ROLE}/known", "executionRoleArn": f"{ROLE}/known"},
    }
    account.furnish(containerProperties={**CONTAINER, **more})
    account.upstream.logs._create_log_group({"logGroupName": "/mine"})
    shown = account.job(account.submit())
    assert shown["status"] == "SUCCEEDED"
    (spec,) = account.engine.specs
    assert (spec.command, spec.user, spec.read_only, spec.memory_mib) == (None, "1000", True, 512)
    secret_key = spec.environment.pop("AWS_SECRET_ACCESS_KEY")
    assert re.fullmatch("[0-9a-f]{40}", secret_key)
    lent = {
        **{"AWS_ENDPOINT_URL": "http://172.17.0.1:4566", "AWS_ACCESS_KEY_ID": "ASIAKEY", "AWS_SESSION_TOKEN": "token"},
        **{"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"},
    }
    assert spec.environment.items() >= {**lent, "S": "/parameter True"}.items()
    assert account.upstream.sts._sessions == {}
    stream = f"iris/default/{uuid.UUID(int=4).hex}"
    assert shown["container"]["logStreamName"] == stream
    assert account.upstream.logs._log_groups == {"/mine": {stream: ["x"]}}


def test_variables_of_a_secret_and_of_batch_win_over_none() -> None:
    account = Account()
    named = [{"name": "AWS_BATCH_JOB_ATTEMPT", "value": "9"}, {"name": "S", "value": "plain"}]
    secret = [{"name": "S", "valueFrom": "/parameter"}]
    account.furnish(containerProperties={**CONTAINER, "environment": named, "secrets": secret})
    account.submit()
    environment = account.engine.specs[0].environment
    assert (environment["AWS_BATCH_JOB_ATTEMPT"], environment["S"]) == ("1", "plain")


def test_a_sessions_end_comes_with_that_of_its_job() -> None:
    account = Account(endpoint="")
    account.furnish(containerProperties={**CONTAINER, "jobRoleArn": f"{ROLE}/known"})
    account.submit()
    assert not any(name.startswith(("AWS_ENDPOINT", "AWS_ACCESS")) for name in account.engine.specs[0].environment)


def test_an_override_replaces_the_command() -> None:
    account = Account()
    account.furnish()
    identity = account.submit(containerOverrides={"command": ["Ref::other"], "environment": []})
    assert account.engine.specs[0].command == ("Ref::other",)
    assert account.job(identity)["container"]["command"] == ["Ref::other"]


def failure(account: Account, **request: Any) -> tuple[str, list[tuple[str, Any]]]:
    """Return the status reason, and what each attempt says: its reason and its container."""
    shown = account.job(account.submit(**request))
    assert (shown["status"], shown["isTerminated"]) == ("FAILED", False)
    attempts = [(each["statusReason"], each["container"]) for each in shown["attempts"]]
    return shown["statusReason"], [
        (why, {key: container[key] for key in ("exitCode", "reason") if key in container})
        for why, container in attempts
    ]


def test_an_exit_code_fails_a_job() -> None:
    account = Account(FakeEngine(ContainerState(3, False, "", "")))
    account.furnish()
    told = "Essential container in task exited"
    assert failure(account) == (told, [(told, {"exitCode": 3})])


def test_so_does_memory_that_is_used_up() -> None:
    account = Account(FakeEngine(ContainerState(137, True, "", "")))
    account.furnish()
    told = "Essential container in task exited"
    detail = "OutOfMemoryError: Container killed due to memory usage"
    assert failure(account) == (told, [(told, {"exitCode": 137, "reason": detail})])


def test_an_engine_that_does_not_answer_at_the_end_is_a_killed_container() -> None:
    account = Account(FakeEngine(None, ENDED, None))
    account.furnish()
    told = "Essential container in task exited"
    assert failure(account) == (told, [(told, {"exitCode": 137})])


def test_a_container_that_still_runs_after_its_end_counts_as_killed() -> None:
    account = Account(FakeEngine(ENDED, RUNNING))
    account.furnish()
    told = "Essential container in task exited"
    assert failure(account) == (told, [(told, {"exitCode": 137})])


@pytest.mark.parametrize(("ends", "code"), [(ENDED, 137), (ContainerState(5, False, "", ""), 5)])
def test_a_job_that_takes_too_long_has_failed_however_it_ends(
    monkeypatch: pytest.MonkeyPatch, ends: ContainerState, code: int
) -> None:
    moments = iter([100.0, 110.0, 110.5, 110.6])
    monkeypatch.setattr(job_runner, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    account = Account(FakeEngine(RUNNING, RUNNING, ends))
    account.furnish()
    told = "Job attempt duration exceeded timeout"
    assert failure(account, timeout={"attemptDurationSeconds": 10}) == (told, [(told, {"exitCode": code})])
    assert next(moments) == 110.6


def test_a_job_is_tried_again_as_often_as_it_may() -> None:
    account = Account(FakeEngine(ContainerState(3, False, "", "")))
    account.furnish(retryStrategy={"attempts": 2})
    told = "Essential container in task exited"
    assert failure(account) == (told, [(told, {"exitCode": 3})] * 2)
    assert failure(account, retryStrategy={"attempts": 3}) == (told, [(told, {"exitCode": 3})] * 3)
    assert [spec.environment["AWS_BATCH_JOB_ATTEMPT"] for spec in account.engine.specs] == ["1", "2", "1", "2", "3"]
    assert account.batch._state.capacities[f"{ARN}:compute-environment/e"].take(4.0)


def test_a_second_attempt_may_succeed() -> None:
    account = Account(FakeEngine(*[ContainerState(3, False, "", "")] * 2, ENDED))
    account.furnish(retryStrategy={"attempts": 5})
    shown = account.job(account.submit())
    assert (shown["status"], shown["retryStrategy"]) == ("SUCCEEDED", {"attempts": 5, "evaluateOnExit": []})
    assert [each["container"]["exitCode"] for each in shown["attempts"]] == [3, 0]


def test_what_never_starts_has_no_exit_code() -> None:
    account = Account()
    account.furnish()
    account.engine.cannot_pull = "not found"
    told = "CannotPullContainerError: failed to resolve ref registry/iris@sha256:1: not found"
    assert failure(account) == (told, [(told, {})])
    account.engine.cannot_pull, account.engine.cannot_start = "", "exec format error"
    told = "CannotStartContainerError: exec format error"
    assert failure(account) == (told, [(told, {})])
    assert [each[0] for each in account.engine.happened] == ["pull"]


@pytest.mark.parametrize("key", ["executionRoleArn", "jobRoleArn"])
def test_nor_has_what_lacks_its_role_or_its_log(key: str) -> None:
    account = Account()
    account.furnish(containerProperties={**CONTAINER, key: f"{ROLE}/missing"})
    told, _ = failure(account)
    assert told.startswith(f"ECS was unable to assume the role '{ROLE}/missing' that was provided for this task.")
    account.define(containerProperties={**CONTAINER, "logConfiguration": {"options": {"awslogs-group": "/none"}}})
    told = "The specified log group does not exist."
    assert failure(account) == (told, [(told, {})])


def test_what_nobody_expected_fails_a_job_and_gives_its_room_back() -> None:
    account = Account()
    account.furnish()
    account.engine.pull = lambda *_: 1 / 0
    assert failure(account)[0] == "InternalError: ZeroDivisionError: division by zero"
    assert account.batch._state.capacities[f"{ARN}:compute-environment/e"].take(4.0)


# ---- a job that waits


class Waiting:
    """An account whose waiting job is looked at: each look calls the next of `does`, and the last ends the job."""

    def __init__(self, account: Account, *does: Callable[[], object]) -> None:
        self.reasons: list[str] = []
        self._account, self._does = account, list(does)
        plain = account.runner._why_waiting

        def why(job: Job) -> str | None:
            found = plain(job)
            if found is None:
                return None
            self.reasons.append(found)
            if self._does:
                self._does.pop(0)()
            else:
                job.terminate("enough")
            return found

        account.runner._why_waiting = why


TOO_LARGE = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the job "
    "requirements: maxvCpus is lower than the job's vCPUs."
)
NO_GPU = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)


@pytest.mark.parametrize(
    ("resources", "wanted", "told"),
    [
        (FARGATE, {"VCPU": "5"}, TOO_LARGE),
        (FARGATE, {"VCPU": "4"}, None),
        (INSTANCES, {"GPU": "1"}, NO_GPU),
        ({**INSTANCES, "instanceTypes": ["c5.large", "g4dn.xlarge"], "subnets": ["subnet-b"]}, {"GPU": "1"}, None),
        ({key: value for key, value in INSTANCES.items() if key != "subnets"}, {}, ""),
        ({**INSTANCES, "subnets": ["subnet-a", "subnet-b"]}, {}, None),
    ],
)
def test_why_a_job_waits_is_shown(resources: dict[str, Any], wanted: dict[str, str], told: str | None) -> None:
    account = Account()
    ec2 = account.upstream.ec2
    ec2._ensure_defaults_initialized()
    ec2._subnets["subnet-b"]["MapPublicIpOnLaunch"] = True
    account.furnish(resources)
    seen: list[dict[str, Any]] = []
    waiting = Waiting(account, lambda: None, lambda: seen.append(dict(account.batch._state.jobs[number(3)].record)))
    requirements = [{"type": kind, "value": value} for kind, value in wanted.items()]
    shown = account.job(account.submit(containerOverrides={"resourceRequirements": requirements}))
    if told is None:
        assert (waiting.reasons, shown["status"]) == ([], "SUCCEEDED")
        return
    assert waiting.reasons == [told] * 3
    assert [(each["status"], each["statusReason"]) for each in seen] == [("RUNNABLE", told)]
    assert (shown["status"], shown["statusReason"], shown["isTerminated"]) == ("FAILED", "enough", True)
    assert account.engine.happened == []


def test_a_queue_whose_environments_are_disabled_or_invalid_waits_without_a_reason() -> None:
    account = Account()
    account.furnish()
    account.ask("UpdateComputeEnvironment", computeEnvironment="e", state="DISABLED")
    waiting = Waiting(
        account,
        lambda: account.ask("UpdateComputeEnvironment", computeEnvironment="e", state="ENABLED", serviceRole="none"),
        lambda: account.ask("UpdateComputeEnvironment", computeEnvironment="e", serviceRole=""),
    )
    shown = account.job(account.submit())
    assert (waiting.reasons, shown["status"]) == (["", ""], "SUCCEEDED")


def test_a_second_environment_takes_what_the_first_cannot() -> None:
    account = Account()
    account.furnish()
    account.ask("CreateComputeEnvironment", computeEnvironmentName="f", computeResources={**INSTANCES, "maxvCpus": 99})
    account.upstream.ec2._subnets["subnet-a"]["MapPublicIpOnLaunch"] = True
    account.ask(
        "UpdateJobQueue", jobQueue="q", computeEnvironmentOrder=[*ORDER, {"order": 2, "computeEnvironment": "f"}]
    )
    waiting = Waiting(account)
    runner = account.runner
    job = Job.make(
        SCOPE, "i", "arn", "j", *_made(account), {}, account.batch._state.capacities[f"{ARN}:compute-environment/f"], []
    )
    job.record["container"]["resourceRequirements"] = [{"type": "VCPU", "value": "50"}]
    assert runner._why_waiting(job) is None
    assert waiting.reasons == []


def _made(account: Account) -> tuple[dict[str, Any], dict[str, Any]]:
    return account.batch._state.queues[f"{ARN}:job-queue/q"], account.batch._state.definitions[
        f"{ARN}:job-definition/d:1"
    ]


def test_a_job_for_which_there_is_no_room_waits_until_there_is() -> None:
    account = Account()
    account.furnish()
    capacity = account.batch._state.capacities[f"{ARN}:compute-environment/e"]
    assert capacity.take(3.5)
    looks: list[str] = []

    def why(job: Job) -> None:
        looks.append(job.status)
        if len(looks) == 3:
            capacity.give_back(0.5)

    account.runner._why_waiting = why
    shown = account.job(account.submit())
    assert (looks, shown["status"]) == (["RUNNABLE"] * 3, "SUCCEEDED")
    assert (capacity.take(1.0), capacity.take(0.1)) == (True, False)


# ---- arrays, dependencies, ends


def test_an_array_is_its_children() -> None:
    account = Account()
    account.furnish()
    identity = account.submit(arrayProperties={"size": 3})
    shown = account.job(identity)
    assert shown["arrayProperties"] == {"size": 3, "statusSummary": {"SUCCEEDED": 3}}
    assert (shown["status"], shown["statusReason"], shown["startedAt"], shown["attempts"]) == ("SUCCEEDED", "", NOW, [])
    child = account.job(f"{identity}:2")
    assert (child["jobId"], child["jobArn"]) == (f"{identity}:2", f"{ARN}:job/{identity}:2")
    assert (child["arrayProperties"], child["status"]) == ({"index": 2}, "SUCCEEDED")
    of_children = [
        {name: value for name, value in spec.environment.items() if name.startswith("AWS_BATCH_JOB")}
        for spec in account.engine.specs
    ]
    assert of_children == [
        {
            **{"AWS_BATCH_JOB_ID": f"{identity}:{index}", "AWS_BATCH_JOB_ARRAY_INDEX": str(index)},
            **{"AWS_BATCH_JOB_ARRAY_SIZE": "3", "AWS_BATCH_JOB_ATTEMPT": "1"},
        }
        for index in range(3)
    ]
    assert account.job(f"arn:aws:batch:us-east-1:123456789012:job/{identity}:0")["jobId"] == f"{identity}:0"


def test_an_array_fails_with_one_of_its_children() -> None:
    account = Account(FakeEngine(*[ContainerState(1, False, "", "")] * 2, ENDED))
    account.furnish()
    shown = account.job(account.submit(arrayProperties={"size": 2}))
    assert (shown["status"], shown["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert shown["arrayProperties"] == {"size": 2, "statusSummary": {"FAILED": 1, "SUCCEEDED": 1}}


@pytest.mark.parametrize(("size", "is_taken"), [(1, False), (2, True), (10_000, True), (10_001, False)])
def test_the_size_of_an_array(monkeypatch: pytest.MonkeyPatch, size: int, is_taken: bool) -> None:
    monkeypatch.setattr(Job, "child", lambda job, index: SimpleNamespace(identity=f"{job.identity}:{index}"))
    account = Account()
    account.furnish()
    idle(account)
    answer = account.ask("SubmitJob", jobName="j", jobQueue="q", jobDefinition="d", arrayProperties={"size": size})
    if not is_taken:
        assert answer == {"refused": "ClientException: Array size must be between 2 and 10000"}
    else:
        assert len(account.batch._state.jobs[answer["jobId"]].children) == size


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"jobDefinition": "none"}, "Job definition none not found or inactive"),
        ({"jobDefinition": "d:2"}, "Job definition d:2 not found or inactive"),
        ({"jobQueue": "none"}, "none does not exist"),
        ({"jobQueue": "off"}, "Job queue off is disabled"),
        (
            {"jobName": "j j"},
            "Error executing request, Exception : jobName should match valid pattern [A-Za-z0-9_][A-Za-z0-9_-]{0,127}",
        ),
    ],
)
def test_a_job_that_cannot_be_submitted(request_: dict[str, Any], told: str) -> None:
    account = Account()
    account.furnish()
    account.ask("CreateJobQueue", jobQueueName="off", state="DISABLED", computeEnvironmentOrder=ORDER)
    request = {"jobName": "j", "jobQueue": "q", "jobDefinition": "d", **request_}
    assert account.refused("SubmitJob", **request) == told
    assert account.batch._state.jobs == {}
    assert account.refused("SubmitJob", jobName="j") == "Job definition None not found or inactive"
    assert account.refused("SubmitJob", jobName="j", jobDefinition="d") == "job-queue does not exist"


def test_a_definition_is_found_by_its_newest_revision_or_the_one_that_is_named() -> None:
    account = Account()
    account.furnish()
    account.define()
    for reference, found in (("d", 2), ("d:1", 1), (f"{ARN}:job-definition/d:1", 1), (f"{ARN}:job-definition/d", 2)):
        shown = account.job(account.submit(jobDefinition=reference))
        assert shown["jobDefinition"] == f"{ARN}:job-definition/d:{found}"


def test_a_job_depends_on_others() -> None:
    account = Account(FakeEngine(ContainerState(1, False, "", "")))
    account.furnish()
    first = account.submit("first")
    depends = [{"jobId": first}, {"jobId": "gone"}]
    shown = account.job(account.submit("second", dependsOn=depends))
    assert (shown["status"], shown["statusReason"]) == ("FAILED", "Dependent Job failed")
    assert (shown["dependsOn"], len(account.engine.specs)) == (depends, 1)
    account.engine.states = [ENDED]
    last = account.submit("third", dependsOn=[{"jobId": account.submit("fine")}])
    assert account.job(last)["status"] == "SUCCEEDED"


def idle(account: Account) -> list[Job]:
    """Let jobs only be submitted; return them."""
    found: list[Job] = []
    account.runner.start = found.append
    return found


def test_a_job_that_waits_for_another_ends_when_it_is_told_to() -> None:
    account = Account()
    account.furnish()
    idle(account)
    first = account.submit("first")
    second = account.batch._state.jobs[account.submit("second", dependsOn=[{"jobId": first}])]
    second.terminated.set()
    second.record["statusReason"] = "by me"
    account.runner._live(second)
    assert (second.status, second.record["statusReason"]) == ("FAILED", "by me")
    assert account.engine.happened == []


def test_terminated_is_any_job_canceled_only_what_has_not_started() -> None:
    account = Account()
    account.furnish()
    idle(account)
    for status, operation, does_end in (
        ("RUNNABLE", "CancelJob", True),
        ("STARTING", "CancelJob", False),
        ("RUNNING", "CancelJob", False),
        ("SUCCEEDED", "CancelJob", False),
        ("RUNNING", "TerminateJob", True),
        ("FAILED", "TerminateJob", False),
        ("SUCCEEDED", "TerminateJob", False),
    ):
        job = account.batch._state.jobs[account.submit()]
        job.record["status"] = status
        assert account.ask(operation, jobId=job.identity, reason="so") == {}
        assert (job.terminated.is_set(), job.record.get("statusReason")) == (does_end, "so" if does_end else None)
        account.ask("TerminateJob", jobId=job.identity, reason="later")
        if does_end:
            assert job.record["statusReason"] == "so"
    for operation, told in (("CancelJob", "Canceled"), ("TerminateJob", "Terminated")):
        job = account.batch._state.jobs[account.submit()]
        account.ask(operation, jobId=job.identity)
        assert job.record["statusReason"] == told
        assert account.ask(operation, jobId="none") == account.ask(operation) == {}


def test_a_running_job_that_is_terminated_is_stopped_and_not_tried_again() -> None:
    account = Account(FakeEngine(RUNNING, RUNNING, ContainerState(143, False, "", "")))
    account.furnish(retryStrategy={"attempts": 3})
    plain = account.engine.state

    def state(container: str) -> Any:
        job = account.batch._state.jobs[number(3)]
        assert (job.status, job.record["startedAt"]) == ("RUNNING", NOW)
        job.terminate("no longer wanted")
        return plain(container)

    account.engine.state = state
    shown = account.job(account.submit())
    assert (shown["status"], shown["statusReason"], shown["isTerminated"]) == ("FAILED", "no longer wanted", True)
    (attempt,) = shown["attempts"]
    assert attempt["statusReason"] == "no longer wanted"
    assert [each[0] for each in account.engine.happened] == ["pull", "start", "stop", "remove"]


def test_an_array_that_is_terminated_ends_its_children() -> None:
    account = Account()
    account.furnish()
    idle(account)
    array = account.batch._state.jobs[account.submit(arrayProperties={"size": 2})]
    array.children[0].finish("SUCCEEDED", "")
    account.ask("TerminateJob", jobId=array.identity, reason="so")
    assert [child.terminated.is_set() for child in array.children] == [False, True]
    assert array.children[1].record["statusReason"] == "so"
    array.children[1].finish("SUCCEEDED", "fine")
    assert (array.children[1].status, array.children[1].record["statusReason"]) == ("FAILED", "so")


def test_the_jobs_of_a_queue_that_goes_are_terminated() -> None:
    account = Account()
    account.furnish()
    account.ask("CreateJobQueue", jobQueueName="r", computeEnvironmentOrder=ORDER)
    idle(account)
    mine, other = account.submit(), account.submit(jobQueue="r")
    account.ask("UpdateJobQueue", jobQueue="q", state="DISABLED")
    account.ask("DeleteJobQueue", jobQueue="q")
    assert account.job(mine)["statusReason"] == "Job queue was deleted"
    assert "statusReason" not in account.job(other)


def test_jobs_are_listed_by_queue_status_name_and_array() -> None:
    account = Account(FakeEngine(ContainerState(3, False, "", "")))
    account.furnish()
    account.ask("CreateJobQueue", jobQueueName="r", computeEnvironmentOrder=ORDER)
    one = account.submit("One")
    idle(account)
    two, array = account.submit("two"), account.submit("array", arrayProperties={"size": 2})
    account.submit("one", jobQueue="r")
    account.batch._state.jobs[two].record["status"] = "RUNNING"

    def listed(**request: Any) -> list[str]:
        return [each["jobId"] for each in account.ask("ListJobs", **request)["jobSummaryList"]]

    assert listed(jobQueue="q") == [two]
    assert listed(jobQueue=f"{ARN}:job-queue/q", jobStatus="FAILED") == [one]
    assert listed(jobQueue="q", jobStatus="SUBMITTED") == [array]
    assert listed() == []
    assert listed(arrayJobId=array) == [f"{array}:0", f"{array}:1"]
    assert listed(arrayJobId=array, jobStatus="RUNNING") == []
    for names, found in ((["ONE"], [one]), (["t*"], [two]), (["t*", "one"], [one, two]), (["on"], []), (["*"], None)):
        filters = [{"name": "JOB_NAME", "values": names}]
        assert listed(jobQueue="q", filters=filters) == ([one, two, array] if found is None else found)
    assert listed(jobQueue="q", filters=[{"name": "BEFORE_CREATED_AT", "values": ["9"]}]) == [one, two, array]
    short = {"jobDefinition": f"{ARN}:job-definition/d:1", "createdAt": NOW}
    assert account.ask("ListJobs", jobQueue="q", jobStatus="FAILED")["jobSummaryList"] == [
        {
            **{"jobId": one, "jobArn": f"{ARN}:job/{one}", "jobName": "One", **short, "status": "FAILED"},
            **{"statusReason": "Essential container in task exited", "startedAt": NOW, "stoppedAt": NOW},
            "container": {"exitCode": 3},
        }
    ]
    assert account.ask("ListJobs", jobQueue="q", jobStatus="SUBMITTED")["jobSummaryList"] == [
        {
            **{"jobId": array, "jobArn": f"{ARN}:job/{array}", "jobName": "array", **short, "status": "SUBMITTED"},
            "arrayProperties": {"size": 2},
        }
    ]
    (first, _) = account.ask("ListJobs", arrayJobId=array)["jobSummaryList"]
    assert first["arrayProperties"] == {"index": 0}
    assert account.ask("DescribeJobs") == account.ask("DescribeJobs", jobs=["none"]) == {"jobs": []}


def test_each_operation_is_answered_here_and_no_other() -> None:
    account = Account()
    assert account.ask("TagResource")["ministack"][1] == "/v1/tagresource"
