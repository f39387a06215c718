"""Batch as AWS documents it: what others made stays as it is, what can never run is refused, INVALID is mended."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from model_dockerize.aws import batch, ground
from model_dockerize.aws.batch import ComputeEnvironment, JobQueue
from model_dockerize.aws.batch.compute_environment import compute_resources, converge_environment
from model_dockerize.aws.batch.job_definition import job_definition
from model_dockerize.aws.batch.runnable import why_runnable
from model_dockerize.aws.client import Aws
from model_dockerize.aws.existing import carried
from model_dockerize.aws.model import Container, Network, Runtime, Subnet
from model_dockerize.errors import BatchError, InputError
from model_dockerize.progress import Progress
from tests.rig.answers import answering
from tests.rig.iris import IMAGE, batch_settings, settings
from tests.rig.progress import Said

SUBNET, GROUP = "subnet-0123456789abcdef0", "sg-0123456789abcdef0"
NETWORK = Network("vpc-0123456789abcdef0", (Subnet(SUBNET, "us-east-1a"),), (GROUP,))
ARN = "arn:aws:batch:us-east-1:123456789012"
OURS = {"model-dockerize": "batch"}
AMD = "linux/amd64"
ROLE = "arn:aws:iam::123456789012:role/other"


def environment(**changes: Any) -> dict[str, Any]:
    """Return an environment of ours on Fargate, as DescribeComputeEnvironments shows it."""
    shown = {
        "computeEnvironmentName": "e",
        "computeEnvironmentArn": f"{ARN}:compute-environment/e",
        "state": "ENABLED",
        "status": "VALID",
        "type": "MANAGED",
        "tags": OURS,
        "computeResources": {"type": "FARGATE", "maxvCpus": 128, "subnets": [SUBNET], "securityGroupIds": [GROUP]},
    }
    return {key: value for key, value in {**shown, **changes}.items() if value is not None}


def queue(**changes: Any) -> dict[str, Any]:
    """Return a queue of ours that feeds it."""
    order = [{"order": 1, "computeEnvironment": f"{ARN}:compute-environment/e"}]
    return {
        "jobQueueName": "q",
        "jobQueueArn": f"{ARN}:job-queue/q",
        "state": "ENABLED",
        "status": "VALID",
        "priority": 1,
        "computeEnvironmentOrder": order,
        "tags": OURS,
        **changes,
    }


@dataclass
class Places:
    """An account with an environment and a queue. `heals` is what a change makes of the environment."""

    environment: dict[str, Any] | None = field(default_factory=environment)
    queue: dict[str, Any] | None = field(default_factory=queue)
    heals: dict[str, Any] = field(default_factory=lambda: {"status": "VALID"})
    looks: int = 0
    gone_after: int = 0  # looks until what is DELETING is gone

    def account(self, progress: Progress | None = None) -> tuple[Aws, list[tuple[str, Any]]]:
        return answering(
            {
                "DescribeComputeEnvironments": self._environments,
                "DescribeJobQueues": lambda _: {"jobQueues": [self.queue] if self.queue else []},
                "UpdateComputeEnvironment": self._update,
                "CreateComputeEnvironment": self._create,
            },
            progress,
        )

    def _environments(self, _: Any) -> Any:
        self.looks += 1
        if self.environment and self.environment["status"] == "DELETING" and self.looks > self.gone_after:
            self.environment = None
        return {"computeEnvironments": [self.environment] if self.environment else []}

    def _update(self, _: Any) -> Any:
        assert self.environment
        self.environment |= self.heals
        return {}

    def _create(self, asked: Any) -> Any:
        self.environment = environment(computeResources=asked["computeResources"])
        return {}


def changes(asked: list[tuple[str, Any]]) -> list[str]:
    return [operation for operation, _ in asked if not operation.startswith("Describe")]


def no_sleep(_: float) -> None: ...


def ensured(account: Aws, platform: str = AMD, said: Progress | None = None, **inputs: Any) -> ComputeEnvironment:
    wanted = batch_settings(**{"compute_environment": "e", **inputs})
    return batch.ensure_compute_environment(account, wanted, NETWORK, platform, said or Said(), no_sleep)


class TestOfOthers:
    @pytest.mark.parametrize(
        "there",
        [
            environment(tags={}),
            environment(tags={"owner": "data"}, state="DISABLED", status="INVALID", statusReason="CLIENT_ERROR"),
            environment(tags={}, type="UNMANAGED", computeResources=None),
            environment(tags={}, computeResources={"type": "EC2", "maxvCpus": 2000, "instanceTypes": ["c5.large"]}),
        ],
    )
    def test_an_environment_is_used_and_not_changed(self, there: dict[str, Any]) -> None:
        said = Said()
        account, asked = Places(environment=there).account()
        assert ensured(account, said=said, max_vcpus=16, compute_type="SPOT") == ComputeEnvironment(
            there["computeEnvironmentArn"], "e", changed=False
        )
        assert changes(asked) == []
        assert "made by somebody else" in said.infos[-1]
        assert [w for w in said.warnings if "CLIENT_ERROR" in w] == said.warnings

    def test_a_queue_is_used_and_not_changed(self) -> None:
        order = [{"order": n, "computeEnvironment": f"{ARN}:compute-environment/{n}"} for n in (1, 2)]
        theirs = queue(tags={}, priority=300, state="DISABLED", computeEnvironmentOrder=order)
        said = Said()
        account, asked = Places(queue=theirs).account()
        used = batch.feed(account, "q", f"{ARN}:compute-environment/e", 1, said, no_sleep)
        assert used == batch.others_queue(account, "q", said) == JobQueue(theirs["jobQueueArn"], "q", changed=False)
        assert changes(asked) == []
        assert "DISABLED" in said.warnings[0]
        assert batch.others_queue(Places().account()[0], "q", said) is None


class TestStates:
    def test_an_invalid_environment_is_looked_at_again_by_batch_once_it_is_changed(self) -> None:
        places = Places(environment=environment(status="INVALID", statusReason="sts:AssumeRole"))
        account, asked = places.account()
        assert ensured(account).changed
        assert [request for name, request in asked if name == "UpdateComputeEnvironment"] == [
            {"computeEnvironment": "e", "state": "ENABLED"}
        ]

    def test_one_that_stays_invalid_is_told_with_its_reason(self) -> None:
        invalid = environment(status="INVALID", statusReason="no such role")
        account, _ = Places(environment=invalid, heals={}).account()
        with pytest.raises(BatchError, match="is INVALID: no such role"):
            ensured(account)

    def test_a_plan_waits_for_nothing(self) -> None:
        account, _ = Places(environment=environment(status="INVALID")).account()
        account = replace(account, only_asks=True)
        assert ensured(account, max_vcpus=16).changed
        assert ensured(Places(environment=environment(status="DELETING"), gone_after=9).account()[0]).changed

    def test_one_that_is_being_deleted_is_waited_for_and_made_anew(self) -> None:
        said = Said()
        account, asked = Places(environment=environment(status="DELETING"), gone_after=3).account()
        assert ensured(account, said=said).changed
        assert changes(asked) == ["CreateComputeEnvironment"]
        assert said.infos[0] == "compute environment e: waiting until the old one of that name is gone"

    def test_what_batch_does_not_manage_is_refused_though_it_bears_our_tag(self) -> None:
        unmanaged = environment(type="UNMANAGED")
        del unmanaged["computeResources"]
        account, asked = Places(environment=unmanaged).account()
        with pytest.raises(InputError, match="of type UNMANAGED and cannot become FARGATE"):
            ensured(account)
        assert changes(asked) == []

    @pytest.mark.parametrize("said", ["", "security_groups", "subnets", "vpc", "zones"])
    def test_it_moves_to_another_network_if_an_input_names_one(self, said: str) -> None:
        elsewhere = {"subnets": ["subnet-0fedcba9876543210"], "securityGroupIds": ["sg-0fedcba9876543210"]}
        there = environment(computeResources={"type": "FARGATE", "maxvCpus": 128, **elsewhere})
        account, asked = Places(environment=there).account()
        wanted = batch_settings(compute_environment="e")
        wanted = replace(wanted, given=frozenset(filter(None, (*wanted.given, said))))
        made = batch.ensure_compute_environment(account, wanted, NETWORK, AMD, Said(), no_sleep)
        assert made.changed is bool(said)
        moved = [request["computeResources"]["subnets"] for name, request in asked if name.startswith("Update")]
        assert moved == ([[SUBNET]] if said else [])

    def test_fargate_becomes_no_spot(self) -> None:
        account, asked = Places().account()
        with pytest.raises(InputError, match="of type FARGATE and cannot become FARGATE_SPOT"):
            ensured(account, compute_type="FARGATE_SPOT")
        assert changes(asked) == []


class TestInstances:
    def test_gpus_need_types_that_have_some(self) -> None:
        with pytest.raises(InputError, match="instances that have none"):
            compute_resources(batch_settings(compute_type="EC2", gpus=1), NETWORK, AMD)
        typed = batch_settings(compute_type="EC2", gpus=1, instance_types=("g5.xlarge",))
        assert compute_resources(typed, NETWORK, AMD)["instanceTypes"] == ["g5.xlarge"]

    @pytest.mark.parametrize(("platform", "types"), [(AMD, "optimal"), ("linux/arm64", "default_arm64")])
    def test_aws_chooses_instances_of_the_images_architecture(self, platform: str, types: str) -> None:
        assert compute_resources(batch_settings(compute_type="EC2"), NETWORK, platform)["instanceTypes"] == [types]

    @pytest.mark.parametrize(
        ("policy", "when"),
        [
            (None, "after 30 minutes"),
            ({"terminateJobsOnUpdate": False, "jobExecutionTimeoutMinutes": 90}, "after 90 minutes"),
            ({"terminateJobsOnUpdate": True, "jobExecutionTimeoutMinutes": 30}, "at once"),
        ],
    )
    def test_who_changes_instances_is_told_when_jobs_on_them_end(self, policy: Any, when: str) -> None:
        strategy = {"allocationStrategy": "BEST_FIT_PROGRESSIVE", "minvCpus": 0}
        now = {"type": "EC2", "maxvCpus": 128, "instanceTypes": ["optimal"], **strategy}
        places, said = Places(environment=environment(computeResources=now, updatePolicy=policy)), Said()
        account, _ = places.account()
        converge_environment(account, "e", {**now, "maxvCpus": 64}, "", said, no_sleep)
        assert said.warnings == []
        converge_environment(account, "e", {**now, "instanceTypes": ["c7i"]}, "", said, no_sleep)
        assert said.warnings == [
            "compute environment e: AWS replaces its instances for instanceTypes, "
            f"and ends jobs that still run there {when}."
        ]

    def test_a_job_takes_whole_vcpus(self) -> None:
        container = a_container(cpu=512)
        with pytest.raises(InputError, match=r"whole vCPUs, and cpu is 512 \(0.5 vCPU\)"):
            job_definition(batch_settings(compute_type="EC2"), "j", container, (), {})
        job_definition(batch_settings(), "j", container, (), {})  # Fargate has halves
        job_definition(batch_settings(compute_type="EC2"), "j", a_container(cpu=2048), (), {})


def a_container(**inputs: Any) -> Container:
    role = "arn:aws:iam::123456789012:role/r"
    runtime = Runtime(execution_role_arn=role, task_role_arn="", log_group="/m", fresh_roles=False)
    return ground.container_of(answering({})[0], settings(**{"memory": 4096, **inputs}), IMAGE, AMD, runtime)


class TestDefinitions:
    LATEST: dict[str, Any] = {  # noqa: RUF012 - read only
        "platformCapabilities": ["EC2"],
        "retryStrategy": {"attempts": 5},
        "timeout": {"attemptDurationSeconds": 60},
        "schedulingPriority": 7,
        "parameters": {"mode": "full"},
        "containerProperties": {
            "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}],
            "volumes": [{"name": "v", "host": {}}],
            "jobRoleArn": "theirs",
            "secrets": [{"name": "K", "valueFrom": "arn"}],
        },
    }

    def wanted(self, kind: str = "EC2") -> dict[str, Any]:
        return job_definition(batch_settings(compute_type=kind), "j", a_container(cpu=1024), ("run",), {})

    def carried(self, kind: str = "EC2") -> dict[str, Any]:
        wanted = self.wanted(kind)
        shape = answering({})[0].batch.meta.service_model.operation_model("RegisterJobDefinition").input_shape
        return carried.job_definition(shape, wanted, self.LATEST)

    def test_what_a_new_one_costs_is_found_by_its_tags(self) -> None:
        assert self.wanted()["propagateTags"] is True

    def test_what_no_input_says_stays(self) -> None:
        found = self.carried()
        container = found["containerProperties"]
        assert (found["retryStrategy"], found["timeout"], found["schedulingPriority"]) == (
            {"attempts": 5},
            {"attemptDurationSeconds": 60},
            7,
        )
        assert container["ulimits"][0]["name"] == "nofile"
        assert container["volumes"][0]["name"] == "v"
        assert found["parameters"] == {"mode": "full"}

    def test_what_inputs_could_say_and_do_not_stays(self) -> None:
        latest = {**self.LATEST, "revision": 1}
        account, _ = answering({"DescribeJobDefinitions": lambda _: {"jobDefinitions": [latest]}})
        runtime = a_container().runtime
        jobs, service = batch.as_defined(account, "j", batch_settings(), settings(memory=4096))
        assert (jobs.compute_type, service.task_role, service.memory) == ("EC2", "theirs", 4096)
        assert service.secrets == (("K", "arn"),)
        assert batch.with_roles(runtime, service) == runtime  # no ARN
        given = batch.as_defined(account, "j", batch_settings(), settings(task_role=ROLE))[1]
        assert batch.with_roles(runtime, given).task_role_arn == ROLE

    def test_what_only_instances_take_does_not_come_to_fargate(self) -> None:
        assert "ulimits" not in self.carried("FARGATE")["containerProperties"]

    def latest(self, **changes: Any) -> dict[str, Any]:
        definition = {**self.wanted(), **self.LATEST, "jobDefinitionArn": f"{ARN}:job-definition/j:3", "revision": 3}
        kept = {key: self.LATEST["containerProperties"][key] for key in ("ulimits", "volumes")}
        definition["containerProperties"] = {**kept, **self.wanted()["containerProperties"]}
        return {**definition, **changes}

    def ensured(self, latest: dict[str, Any], **inputs: Any) -> tuple[batch.JobDefinition, list[tuple[str, Any]]]:
        account, asked = answering(
            {
                "DescribeJobDefinitions": lambda _: {"jobDefinitions": [latest]},
                "RegisterJobDefinition": lambda _: {"jobDefinitionName": "j", "jobDefinitionArn": "a", "revision": 4},
            }
        )
        wanted = batch_settings(compute_type="EC2")
        made = batch.ensure_job_definition(account, wanted, "j", a_container(cpu=1024, **inputs), ("run",), {}, Said())
        return made, asked

    def test_a_revision_that_says_the_same_is_the_latest(self) -> None:
        made, asked = self.ensured(self.latest(tags=OURS))
        assert (made.revision, made.changed, changes(asked)) == (3, False, [])

    def test_one_of_somebody_else_is_refused_by_name_with_what_it_has(self) -> None:
        theirs = self.latest(tags={"owner": "data"}, timeout={"attemptDurationSeconds": 60})
        with pytest.raises(InputError, match="Job definition j was made by somebody else") as caught:
            self.ensured(theirs)
        assert "stays: timeout attemptDurationSeconds 60" in caught.value.details
        assert "adopt: true" in caught.value.remedy

    def test_one_that_is_taken_over_keeps_what_no_input_says_and_its_tags(self) -> None:
        made, asked = self.ensured(self.latest(tags={"owner": "data"}, propagateTags=False), adopt=True)
        (request,) = [asked for name, asked in asked if name == "RegisterJobDefinition"]
        assert made.revision == 4
        assert request["tags"] == {"owner": "data", **OURS}
        assert (request["propagateTags"], request["retryStrategy"]) == (False, {"attempts": 5})

    def test_one_that_is_no_single_container_is_refused_even_then(self) -> None:
        several = self.latest(type="multinode")
        del several["containerProperties"]
        with pytest.raises(InputError, match="runs no single container"):
            self.ensured(several, adopt=True)


REASONS = {
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue": "Raise max-vcpus",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement": "name others (instance-types)",
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill": "more instance-types",
    "ACTION_REQUIRED - something new": "",
}


@pytest.mark.parametrize("reason", REASONS)
def test_why_a_job_waits_is_told_in_batchs_own_words(reason: str) -> None:
    places = Places()
    job: Callable[[Any], Any] = lambda _: {"jobs": [{"jobId": "1", "status": "RUNNABLE", "statusReason": reason}]}  # noqa: E731
    account, _ = answering(
        {
            "DescribeJobQueues": lambda _: {"jobQueues": [places.queue]},
            "DescribeComputeEnvironments": lambda _: {"computeEnvironments": [places.environment]},
            "DescribeJobs": job,
        }
    )
    (line,) = why_runnable(account, "q", "1")
    assert line.startswith(f"AWS Batch says: {reason}")
    assert REASONS[reason] in line
