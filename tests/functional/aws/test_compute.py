"""Compute environments, queues and jobs of Batch."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws import batch, ground
from model_dockerize.aws.batch.compute_environment import _check_changes, _differing, compute_resources
from model_dockerize.aws.batch.runnable import why_runnable
from model_dockerize.aws.client import rehearse
from model_dockerize.aws.ground.foundations import ensure_instance_profile
from model_dockerize.aws.ground.given import given_role
from model_dockerize.aws.model import Network, Subnet
from model_dockerize.errors import BatchError, InputError
from tests.rig.iris import batch_settings, settings

from .conftest import Account
from .test_network import Given

NETWORK = Network("vpc-1", (Subnet("subnet-b", "us-east-1b"), Subnet("subnet-a", "us-east-1a")), ("sg-1",))


def no_sleep(_: float) -> None: ...


def queue(account: Account, **changes: Any) -> str:
    network = ground.ensure_job_network(account.aws, settings(), account.said)
    return batch.ensure_queue(
        account.aws, batch_settings(**changes), "q", network, "linux/amd64", account.said, no_sleep
    ).arn


def said(account: Account) -> list[str]:
    return [str(change) for change in account.aws.changes if change.kind in ("compute environment", "job queue")]


class TestQueue:
    def test_made_then_left(self, account: Account) -> None:
        arn = queue(account)
        (there,) = account.aws.batch.describe_job_queues()["jobQueues"]
        assert (there["jobQueueArn"], there["status"], there["state"]) == (arn, "VALID", "ENABLED")
        (environment,) = account.aws.batch.describe_compute_environments()["computeEnvironments"]
        assert environment["computeResources"]["type"] == "FARGATE"
        assert environment["computeResources"]["maxvCpus"] == 128
        assert there["computeEnvironmentOrder"][0]["computeEnvironment"] == environment["computeEnvironmentArn"]
        account.calls.clear()
        account.aws.changes.clear()
        assert queue(account) == arn
        assert account.changes() == []
        assert said(account) == ["= compute environment model-dockerize", "= job queue q"]

    def test_another_queue_is_not_taken_for_it(self, account: Account) -> None:
        theirs = queue(account)
        network = ground.ensure_job_network(account.aws, settings(), account.said)
        made = batch.ensure_queue(account.aws, batch_settings(), "mine", network, "linux/amd64", account.said, no_sleep)
        assert made.arn.endswith("/mine")
        assert batch.others_queue(account.aws, "nobodys", account.said) is None
        assert {each["jobQueueArn"] for each in account.aws.batch.describe_job_queues()["jobQueues"]} == {
            *(theirs, made.arn),
        }

    def test_a_plan_of_it_asks_only(self, account: Account) -> None:
        rehearsal = rehearse(account.aws)
        network = ground.ensure_job_network(rehearsal.aws, settings(), account.said)
        batch.ensure_queue(rehearsal.aws, batch_settings(), "q", network, "linux/amd64", account.said, no_sleep)
        assert [str(change) for change in rehearsal.changes][-2:] == [
            "+ compute environment model-dockerize",
            "+ job queue q",
        ]
        assert account.aws.batch.describe_job_queues()["jobQueues"] == []

    def test_another_environment_takes_the_queue_over(self, account: Account) -> None:
        queue(account)
        account.aws.changes.clear()
        queue(account, compute_environment="second")
        assert said(account) == [
            "+ compute environment second",
            "~ job queue q (computeEnvironmentOrder.0.computeEnvironment model-dockerize -> second)",
        ]

    def test_only_what_differs_is_changed(self, account: Account) -> None:
        queue(account)
        account.calls.clear()
        account.aws.changes.clear()
        sent: list[Any] = []
        account.hooks.add(
            lambda params, model, **_: sent.append(params) if model.name == "UpdateComputeEnvironment" else None,
            "provide-client-params",
        )
        queue(account, max_vcpus=16)
        assert said(account)[0] == "~ compute environment model-dockerize (maxvCpus 128 -> 16)"
        assert [call["computeResources"] for call in sent] == [{"maxvCpus": 16}]

    def test_a_kind_that_it_cannot_become(self, account: Account) -> None:
        queue(account)
        with pytest.raises(InputError, match="is of type FARGATE and cannot become EC2"):
            queue(account, compute_type="EC2")

    def test_invalid_is_red_at_once_with_its_reason(self, account: Account) -> None:
        def invalid(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "DescribeComputeEnvironments":
                for environment in parsed["computeEnvironments"]:
                    environment |= {"status": "INVALID", "statusReason": "CLIENT_ERROR - role not found"}

        account.hooks.add(invalid, "after-call")
        with pytest.raises(BatchError, match="is INVALID: CLIENT_ERROR - role not found"):
            queue(account)


def legacy(**changes: Any) -> dict[str, Any]:
    """Return an environment as the service of old made it: its own role, and no allocation strategy."""
    resources = {
        **compute_resources(batch_settings(compute_type="EC2"), NETWORK, "linux/amd64"),
        "allocationStrategy": "BEST_FIT",
        "instanceRole": "ecsInstanceRole",
        "desiredvCpus": 0,
    }
    role = "arn:aws:iam::1:role/service-role/AWSBatchServiceRole"
    return {"state": "ENABLED", "serviceRole": role, "computeResources": resources, **changes}


def wanted(**changes: Any) -> dict[str, Any]:
    resources = compute_resources(batch_settings(compute_type="EC2", **changes), NETWORK, "linux/amd64")
    return {**resources, "instanceRole": "arn:aws:iam::1:instance-profile/ecsInstanceRole"}


def changing(there: dict[str, Any], asked: dict[str, Any], role: str = "") -> list[str]:
    return [each.path for each in _differing(there, asked, role)]


class TestInPlace:
    def test_a_legacy_environment_is_as_wanted(self) -> None:
        assert changing(legacy(), wanted(), "AWSBatchServiceRole") == []

    def test_more_vcpus_need_no_new_instances(self) -> None:
        differing = changing(legacy(), wanted(max_vcpus=256))
        assert differing == ["maxvCpus"]
        _check_changes("e", legacy(), wanted(max_vcpus=256), differing)

    @pytest.mark.parametrize(
        ("there", "why"),
        [
            (
                legacy(),
                "cannot be changed in instanceTypes: its role is AWSBatchServiceRole, and only with Batch's own",
            ),
            (legacy(serviceRole=""), "cannot be changed in instanceTypes: its allocation strategy is BEST_FIT"),
        ],
    )
    def test_what_batch_cannot_do_is_told_before_it_is_tried(self, there: dict[str, Any], why: str) -> None:
        other = wanted(instance_types=("c7i",))
        with pytest.raises(InputError, match=why):
            _check_changes("e", there, other, changing(there, other))

    def test_with_batchs_own_role_and_a_better_strategy_instances_are_replaced(self) -> None:
        there = legacy(serviceRole="arn:aws:iam::1:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch")
        there["computeResources"]["allocationStrategy"] = "BEST_FIT_PROGRESSIVE"
        other = wanted(instance_types=("c7i",))
        _check_changes("e", there, other, changing(there, other))
        with pytest.raises(InputError, match="lets no other"):
            _check_changes("e", there, wanted(), changing(there, wanted(), "AWSBatchServiceRole"))

    def test_a_given_network_priority_and_role(self, account: Account) -> None:
        ec2 = account.aws.ec2
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName="g", Description="g")["GroupId"]
        network = Network(vpc, (Subnet(subnet, "us-east-1a"),), (group,))
        account.aws.iam.create_role(RoleName="mine", AssumeRolePolicyDocument="{}")
        given = batch_settings(compute_type="EC2", service_role="mine", queue_priority=100)
        for _ in range(2):
            account.calls.clear()
            batch.ensure_queue(account.aws, given, "q", network, "linux/amd64", account.said, no_sleep)
        assert account.changes() == []
        (there,) = account.aws.batch.describe_job_queues()["jobQueues"]
        assert there["priority"] == 100
        (environment,) = account.aws.batch.describe_compute_environments()["computeEnvironments"]
        assert environment["serviceRole"].endswith(":role/mine")
        assert environment["computeResources"]["subnets"] == [subnet]
        batch.ensure_queue(
            account.aws, replace(given, queue_priority=7), "q", network, "linux/amd64", account.said, no_sleep
        )
        assert said(account)[-1] == "~ job queue q (priority 100 -> 7)"


class TestResources:
    def test_fargate(self) -> None:
        assert compute_resources(batch_settings(), NETWORK, "linux/amd64") == {
            "type": "FARGATE",
            "maxvCpus": 128,
            "subnets": ["subnet-a", "subnet-b"],
            "securityGroupIds": ["sg-1"],
        }

    def test_spot_with_gpus(self) -> None:
        resources = compute_resources(
            batch_settings(compute_type="SPOT", instance_types=("g5.xlarge", "g4dn.xlarge")), NETWORK, "linux/amd64"
        )
        assert resources["instanceTypes"] == ["g4dn.xlarge", "g5.xlarge"]
        assert resources["minvCpus"] == 0
        assert resources["allocationStrategy"] == "SPOT_PRICE_CAPACITY_OPTIMIZED"


class TestInstances:
    def test_the_profile_is_the_shared_stacks_or_the_one_that_is_named(self, account: Account) -> None:
        own = ensure_instance_profile(account.aws, "", account.said)
        assert ":instance-profile/model-dockerize-" in own
        assert ensure_instance_profile(account.aws, "", account.said) == own
        assert len(account.stacks.wanted) == 1
        theirs = account.aws.iam.create_instance_profile(InstanceProfileName="ecsInstanceRole")["InstanceProfile"]
        account.calls.clear()
        assert ensure_instance_profile(account.aws, "ecsInstanceRole", account.said) == theirs["Arn"]
        assert account.changes() == []
        with pytest.raises(InputError, match=r"no instance profile mine \(instance-role\)"):
            ensure_instance_profile(account.aws, "mine", account.said)

    def test_a_role_is_looked_up_by_its_name_and_taken_by_its_arn(self, account: Account) -> None:
        role = account.aws.iam.create_role(RoleName="mine", AssumeRolePolicyDocument="{}")["Role"]
        assert given_role(account.aws, "mine", "service-role") == role["Arn"]
        with pytest.raises(InputError, match=r"no role nobodys \(service-role\)") as refused:
            given_role(account.aws, "nobodys", "service-role")
        assert "service-role" in refused.value.remedy
        account.calls.clear()
        profile, other = "arn:aws:iam::1:instance-profile/of/another", "arn:aws:iam::1:role/of/another"
        assert ensure_instance_profile(account.aws, profile, account.said) == profile
        assert given_role(account.aws, other, "service-role") == other
        assert account.calls == []

    def test_a_given_vpc_lends_its_default_group_to_jobs(self, account: Account) -> None:
        given = Given(account)
        subnet = given.subnet("a", given.public)
        network = ground.ensure_job_network(account.aws, settings(subnets=(subnet,)), account.said)
        (group,) = account.aws.ec2.describe_security_groups(GroupIds=list(network.security_group_ids))["SecurityGroups"]
        assert (group["GroupName"], group["VpcId"]) == ("default", given.vpc)
        assert account.stacks.there == {}  # which nobody needs there
        ours = ground.ensure_job_network(account.aws, settings(), account.said)
        assert ours.security_group_ids == (account.stacks.there["model-dockerize"].outputs["JobGroup"],)


class TestRunnable:
    def test_what_keeps_a_job_waiting(self, account: Account) -> None:
        queue(account, max_vcpus=2)

        def job(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "DescribeJobs":
                needs = [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8192"}]
                parsed["jobs"] = [{"jobId": "1", "status": "RUNNABLE", "container": {"resourceRequirements": needs}}]

        account.hooks.add(job, "after-call")
        assert why_runnable(account.aws, "q", "1") == (
            "The job wants 4 vCPUs; compute environment model-dockerize has 2.",
        )
