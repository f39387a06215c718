"""The sandbox refuses and delays what AWS does: rules of Batch, texts of policies, roles that are new."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import bridge, policy_documents, propagation
from model_sandbox.api import ApiError
from model_sandbox.batch import rules as batch_rules
from model_sandbox.batch.job import Capacity, Job
from model_sandbox.batch.job_runner import JobRunner
from model_sandbox.ecs import service_rules
from model_sandbox.throttle import Throttle
from model_sandbox.tokens import Scope

FARGATE: dict[str, Any] = {"type": "FARGATE", "maxvCpus": 4, "subnets": ["s"], "securityGroupIds": ["g"]}
INSTANCES: dict[str, Any] = {
    **{"type": "EC2", "maxvCpus": 4, "minvCpus": 0, "instanceTypes": ["optimal"]},
    "allocationStrategy": "BEST_FIT_PROGRESSIVE",
}


class TestEnvironments:
    @pytest.mark.parametrize(
        ("environment", "changes", "says"),
        [
            ({"computeResources": FARGATE}, {"type": "FARGATE_SPOT"}, "type cannot be updated .* of Fargate"),
            ({"computeResources": FARGATE}, {"maxvCpus": 9, "subnets": ["t"], "securityGroupIds": ["h"]}, ""),
            ({"computeResources": INSTANCES}, {"instanceTypes": ["c5.large"], "maxvCpus": 9}, ""),
            ({"computeResources": INSTANCES, "serviceRole": "r"}, {"instanceTypes": ["c5.large"]}, "instanceTypes"),
            ({"computeResources": INSTANCES, "serviceRole": "r"}, {"maxvCpus": 9, "instanceTypes": ["optimal"]}, ""),
            ({"computeResources": {**INSTANCES, "allocationStrategy": "BEST_FIT"}}, {"subnets": ["t"]}, "subnets"),
            ({"computeResources": INSTANCES}, {"type": "FARGATE"}, "type cannot be updated"),
            ({"type": "UNMANAGED"}, {"maxvCpus": 9}, "UNMANAGED"),
        ],
    )
    def test_what_can_be_changed(self, environment: dict[str, Any], changes: dict[str, Any], says: str) -> None:
        if not says:
            batch_rules.check_change(environment, changes)
            return
        with pytest.raises(ApiError, match=says):
            batch_rules.check_change(environment, changes)

    @pytest.mark.parametrize("extra", [{"minvCpus": 0}, {"instanceRole": "r"}, {"securityGroupIds": []}])
    def test_what_fargate_does_not_take(self, extra: dict[str, Any]) -> None:
        batch_rules.check_new(FARGATE)
        with pytest.raises(ApiError, match="Fargate"):
            batch_rules.check_new({**FARGATE, **extra})


def needs(**amounts: str) -> dict[str, Any]:
    return {"resourceRequirements": [{"type": kind, "value": value} for kind, value in amounts.items()]}


class TestJobs:
    @pytest.mark.parametrize("vcpus", ["0.5", "1.5", "0"])
    def test_instances_take_whole_vcpus(self, vcpus: str) -> None:
        batch_rules.check_definition({"containerProperties": needs(VCPU="2", MEMORY="512")})
        with pytest.raises(ApiError, match="whole vCPUs"):
            batch_rules.check_definition({"containerProperties": needs(VCPU=vcpus, MEMORY="512")})

    @pytest.mark.parametrize(
        ("resources", "container", "reason"),
        [
            (INSTANCES, needs(VCPU="8"), "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"),
            (INSTANCES, needs(VCPU="1", GPU="1"), "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"),
            ({**INSTANCES, "instanceTypes": ["c5.large", "g5.xlarge"]}, needs(VCPU="1", GPU="1"), None),
            (FARGATE, needs(VCPU="0.25"), None),
            (INSTANCES, {"vcpus": 2}, None),
        ],
    )
    def test_why_one_waits_for_ever(self, resources: Any, container: dict[str, Any], reason: str | None) -> None:
        told = batch_rules.why_waiting({"computeResources": resources}, container)
        assert (told is None) if reason is None else (told or "").startswith(reason)


class TestPolicies:
    @pytest.mark.parametrize(
        ("resource", "says"),
        [
            ("*", ""),
            ("arn:aws:s3:::b/*", ""),
            ("arn:*:s3:::b", ""),
            (["arn:aws:ecs:us-east-1:1:cluster/c", "cluster/c"], "must be in ARN format"),
            ("arn:aws-cn:s3:::b", 'Partition "aws-cn" is not valid'),
            ("arn:aws:iam:us-east-1:1:role/r", "cannot contain region"),
        ],
    )
    def test_resources_that_are_none_are_refused(self, resource: Any, says: str) -> None:
        told = policy_documents.malformed(json.dumps({"Statement": {"Resource": resource}}))
        assert says in told
        assert bool(told) is bool(says)

    def test_white_space_does_not_count(self) -> None:
        assert policy_documents.size('{"a": [1,\n\t 2]}') == policy_documents.size({"a": [1, 2]}) == len('{"a":[1,2]}')


def role(age: float, service: str = "ecs-tasks.amazonaws.com") -> dict[str, str]:
    made = datetime.now(UTC) - timedelta(seconds=age)
    return {"CreateDate": made.strftime("%Y-%m-%dT%H:%M:%SZ"), "AssumeRolePolicyDocument": service}


def test_a_role_is_passed_on_and_then_assumed_only_some_moments_after_it_was_made() -> None:
    roles = {"new": role(-3600), "old": role(60)}
    upstream: Any = SimpleNamespace(
        iam=SimpleNamespace(_roles=roles), scope=lambda: SimpleNamespace(account="123456789012")
    )
    propagation.check_passed(upstream, None, "", "arn:aws:iam::1:role/old", "arn:aws:iam::1:role/missing")
    with pytest.raises(ApiError, match="not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/new"):
        propagation.check_passed(upstream, "arn:aws:iam::1:role/new")
    assert propagation.is_assumable(roles["old"], "ecs-tasks.amazonaws.com")
    assert not propagation.is_assumable(roles["old"], "lambda.amazonaws.com")
    assert not propagation.is_assumable(roles["new"], "ecs-tasks.amazonaws.com")


class TestServices:
    @pytest.mark.parametrize(
        ("controller", "change", "says"),
        [
            ("ECS", {"taskDefinition": "a:2", "forceNewDeployment": True}, ""),
            ("CODE_DEPLOY", {"desiredCount": 2}, ""),
            ("CODE_DEPLOY", {"taskDefinition": "a:2"}, "CODE_DEPLOY deployment controller. Use AWS CodeDeploy"),
            ("EXTERNAL", {"networkConfiguration": {"a": 1}}, "Unable to update network parameters"),
            ("EXTERNAL", {"forceNewDeployment": True}, "Cannot force a new deployment"),
        ],
    )
    def test_who_deploys_a_service(self, controller: str, change: dict[str, Any], says: str) -> None:
        settings = {"deploymentController": {"type": controller}}
        if not says:
            service_rules.check_change(settings, change)
            return
        with pytest.raises(ApiError, match=says):
            service_rules.check_change(settings, change)

    def test_of_a_daemon_nobody_says_how_many(self) -> None:
        for settings in ({"schedulingStrategy": "DAEMON"}, {"schedulingStrategy": "REPLICA"}):
            service_rules.check_change(settings, {"taskDefinition": "a:2"})
        service_rules.check_change({"schedulingStrategy": "REPLICA"}, {"desiredCount": 2})
        with pytest.raises(ApiError, match="does not support a desired count"):
            service_rules.check_change({"schedulingStrategy": "DAEMON"}, {"desiredCount": 2})

    def test_a_launch_type_or_capacity_providers(self) -> None:
        spot = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
        service_rules.check_new(spot, "FARGATE")
        with pytest.raises(ApiError, match="Specifying both a launch type and capacity provider strategy"):
            service_rules.check_new({**spot, "launchType": "FARGATE"}, "FARGATE")

    def test_where_fargate_runs(self) -> None:
        service_rules.check_places({"s": "eusc-de-east-1b", "t": ""}, "FARGATE")
        service_rules.check_places({"s": "us-west-2-lax-1a"}, "EC2")
        with pytest.raises(ApiError, match="us-west-2-lax-1a"):
            service_rules.check_places({"s": "us-west-2-lax-1a"}, "FARGATE")


def test_ec2_answers_a_hundred_at_once_and_twenty_a_second() -> None:
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])
    assert [throttle.takes("a", "ec2", "DescribeVpcs") for _ in range(101)] == [True] * 100 + [False]
    assert throttle.takes("b", "ec2", "DescribeVpcs")  # each caller has its own
    assert throttle.takes("a", "ec2", "CreateVpc")
    assert throttle.takes("a", "ecs", "DescribeServices")
    now[0] = 1.0
    assert sum(throttle.takes("a", "ec2", "DescribeVpcs") for _ in range(50)) == 20


def test_what_a_container_may_ask_of_batch_and_of_s3() -> None:
    operations = ("CancelJob", "DescribeJobDefinitions", "DescribeJobQueues", "DescribeJobs", "ListJobs", "SubmitJob")
    for name in (*operations, "TerminateJob"):
        assert bridge._is_open("batch", "POST", f"/v1/{name.lower()}")
    assert not bridge._is_open("batch", "POST", "/v1/deletejobqueue")
    assert not bridge._is_open("batch", "GET", "/v1/describejobs")
    assert bridge._is_open("s3", "PUT", "/of-jobs/key") and not bridge._is_open("s3", "PUT", "/of-jobs")


def job(status: str, *predecessors: Job) -> Job:
    return Job(Scope("1", "us-east-1"), "i", {"status": status}, {}, Capacity(1), {}, 1, None, list(predecessors))


def test_a_job_is_pending_until_what_it_depends_on_has_ended() -> None:
    first: Any = job("SUCCEEDED")
    later = job("SUBMITTED", first)
    seen: list[str] = []

    def wait(_: float) -> bool:
        seen.append(later.status)
        return len(seen) > 1

    first.finished = SimpleNamespace(wait=wait)
    nothing: Any = None
    runner = JobRunner(nothing, nothing, nothing, lambda _: None)
    assert runner._wait_for_predecessors(later)
    assert seen == ["PENDING", "PENDING"]
    first.record["status"] = "FAILED"
    assert not runner._wait_for_predecessors(later)
