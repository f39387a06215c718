"""moto, as a second opinion: it accepts every operation that the code calls, but for those that are named here.

Neither moto nor our sandbox decides what is right: botocore's models and AWS's documentation do. But where a second,
independent reading of the same documentation refuses a request, one of the two is wrong.
"""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from moto.backends import list_of_moto_modules

from model_dockerize import aws
from model_dockerize.aws import batch, destroy, ecs
from model_dockerize.aws.batch.job_files import JobFiles
from model_dockerize.aws.batch.jobs import Job, end_jobs, follow_jobs, log_of
from model_dockerize.aws.destroy import plan_destruction
from model_dockerize.aws.destroy.ends import end_data
from model_dockerize.aws.ecr import build_tag, ensure_rules, login, tag_image, verify
from model_dockerize.aws.ecs import history
from model_dockerize.aws.function import ensure_function
from model_dockerize.aws.ground import Names, bootstrap, container_of, ensure_foundations, ensure_job_network
from model_dockerize.aws.ground.foundations import ensure_instance_profile
from tests.rig.aws_calls import in_the_code
from tests.rig.fault_courses import MANIFEST
from tests.rig.iris import IMAGE, IRIS, batch_settings, settings
from tests.rig.quick_moto import ACCOUNT

from .conftest import Account
from .test_jobs import prepare, send
from .test_network import Given
from .test_plan import everything
from .test_policy import configured

#: moto has no such operation. The simulator of ECS, and for IAM and stacks the sandbox, answer them.
NOT_IN_MOTO = {
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:DescribeEvents",
    "cloudformation:ListImports",
    "cloudformation:UpdateTerminationProtection",
    "ecs:ContinueServiceDeployment",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "ecs:ListServiceDeployments",
    "ecs:StopServiceDeployment",
    "iam:SimulatePrincipalPolicy",
}
#: moto has them, but what would bring us to call them cannot be had from it. Why.
ELSEWHERE = {
    **{
        f"cloudformation:{name}": "moto cannot make our templates: tests/integration/test_ground.py"
        for name in (
            "CreateChangeSet",
            "DeleteChangeSet",
            "DeleteStack",
            "DescribeChangeSet",
            "DescribeStackEvents",
            "ExecuteChangeSet",
            "ListStackResources",
        )
    },
    "efs:DescribeMountTargetSecurityGroups": "only of a file system that is given: test_volume.py",
    "elbv2:DescribeRules": "moto starts no tasks, so nothing has an address",
    "elbv2:DescribeTargetGroups": "moto starts no tasks, so nothing has an address",
    "elbv2:DescribeTargetHealth": "moto starts no tasks",
    "ec2:DescribeNetworkInterfaces": "moto starts no tasks, so none has an address",
    "ecs:DescribeTasks": "moto starts no tasks",
    "ecs:RunTask": "moto starts no tasks",
    "ecs:StopTask": "moto starts no tasks",
    "ecr:DescribeImageScanFindings": "moto has findings only where a test puts them: test_registry_rules.py",
    "ecr:StartImageScan": "only of an image that was pushed without a scan: test_registry_rules.py",
    "ec2:DescribeVpcs": "counted by the doctor: test_account.py of the integration tests",
    "logs:DeleteLogGroup": "of a function that is removed: test_destroy.py",
    "sts:AssumeRole": "test_role.py",
    "sts:AssumeRoleWithWebIdentity": "test_role.py",
    "sts:GetCallerIdentity": "the connection of all these tests has called it",
}


NAMES = Names(*["iris"] * 5, "model-dockerize", "on-upload")


def test_every_operation_is_accepted(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: set[str] = set()

    def note(http_response: Any, model: Any, **_: Any) -> None:
        if http_response.status_code < 400:
            accepted.add(name(model))

    account.with_function()
    account.hooks.services = tuple({*account.hooks.services, "cloudformation", "efs", "elbv2"})
    account.hooks.add(note, "after-call")
    service(account)
    jobs(account)
    image(account)
    function(account, monkeypatch)
    lasting(account)
    named(account)
    administrator(account)
    files(account)
    for names in (NAMES, replace(NAMES, cluster="own")):
        destroy.remove(plan_destruction(account.aws, names, account.said), account.said)
    called = in_the_code(Path(aws.__file__).parent)
    missing = {operation for operation in called if not in_moto(operation)}
    assert missing == NOT_IN_MOTO
    assert called - accepted - missing - ELSEWHERE.keys() == set()


def name(model: Any) -> str:
    return f"{model.service_model.service_name}:{model.name}"


def in_moto(operation: str) -> bool:
    service, _, called = operation.partition(":")
    module = {"lambda": "awslambda"}.get(service, service.replace("-", ""))
    if module not in list_of_moto_modules():
        return False
    responses = importlib.import_module(f"moto.{module}.responses")
    classes = [kind for kind in vars(responses).values() if isinstance(kind, type)]
    return any(hasattr(kind, xform_name(called)) for kind in classes)


def service(account: Account) -> None:
    everything(account.aws, account.said)
    wanted = settings(memory=4096, commit="abc", run_number=7)
    ground = ensure_foundations(account.aws, wanted, IRIS, account.said)
    container = container_of(account.aws, wanted, IMAGE, "linux/amd64", ground)
    definition = ecs.ensure_task_definition(account.aws, "iris", container, account.said)
    running = ecs.ensure_service(account.aws, wanted, "iris", definition, ground, account.said)
    ecs.mark_proved(account.aws, running)
    account.aws.ecs.list_tasks(cluster=running.cluster)
    account.aws.logs.create_log_stream(logGroupName=ground.log_group, logStreamName="s")
    log_of(account.aws, ground.log_group, Job("1", ("/a",), "FAILED", stream="s"))


def jobs(account: Account) -> None:
    prepare(account)
    sent = send(account, ["/a.csv", "/b.csv"])
    assert list(follow_jobs(account.aws, "q", sent, account.said, lambda _: None)) == []
    end_jobs(account.aws, sent, "over")
    network = ensure_job_network(account.aws, settings(), account.said)
    for changed in (
        batch_settings(max_vcpus=7, queue_priority=3),
        batch_settings(compute_environment="instances", compute_type="EC2"),
    ):
        batch.ensure_queue(account.aws, changed, "q", network, "linux/amd64", account.said, lambda _: None)


def image(account: Account) -> None:
    ecr = account.aws.ecr
    pushed = ecr.put_image(repositoryName="iris", imageManifest=MANIFEST, imageTag="pushed")["image"]
    digest = pushed["imageId"]["imageDigest"]
    login(account.aws)
    tag_image(account.aws, "iris", digest, ("one", build_tag("0123456789ab")))
    verify(account.aws, "iris", digest, ("one",))
    rules = configured(immutable_tags="true", scan="true").registry
    for _ in range(2):
        ensure_rules(account.aws, "iris", rules, account.said)


def function(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.aws.s3.create_bucket(Bucket="other")
    for queue, source in (("q", "data/in/"), ("other", "other/in/")):
        ensure_function(account.aws, "on-upload", queue, "iris", account.said, source=source)
    monkeypatch.setattr("model_dockerize.aws.function.function._CODE", Path(__file__))
    ensure_function(account.aws, "on-upload", "other", "iris", account.said)


def lasting(account: Account) -> None:
    for more in ({}, {"zones": 3, "load_balancer_port": 8080, "max_count": 0}):
        wanted = settings(**{"volume": "data", "load_balancer": "true", "zones": 2, "max_count": 4, **more})
        ground = ensure_foundations(account.aws, wanted, IRIS, account.said)
        container = container_of(account.aws, wanted, IMAGE, "linux/amd64", ground)
        definition = ecs.ensure_task_definition(account.aws, "iris", container, account.said)
        running = ecs.ensure_service(account.aws, wanted, "iris", definition, ground, account.said)
        ecs.ensure_scaling(account.aws, wanted, running, account.said)


def named(account: Account) -> None:
    """Make the things that a user may name and we only look at, and use them."""
    given = Given(account)
    subnets = [given.subnet(zone, given.public) for zone in "ab"]
    account.aws.elbv2.create_load_balancer(Name="theirs", Subnets=subnets)
    group = account.aws.ec2.create_security_group(GroupName="g", Description="g", VpcId=given.vpc)["GroupId"]
    system = account.aws.efs.create_file_system(CreationToken="theirs")["FileSystemId"]
    for subnet in subnets:
        account.aws.efs.create_mount_target(FileSystemId=system, SubnetId=subnet)
    account.aws.iam.create_instance_profile(InstanceProfileName="theirs")
    place = {"subnets": tuple(subnets), "security_groups": (group,), "load_balancer": "theirs", "volume": system}
    ensure_foundations(account.aws, settings(cluster="own", **place), IRIS, account.said)
    ensure_instance_profile(account.aws, "theirs", account.said)
    account.aws.efs.create_access_point(ClientToken="theirs", FileSystemId=system)
    end_data(account.aws, system)


def files(account: Account) -> None:
    """Look at the models of the region, and at files on their way to jobs; `destroy` finds the bucket."""
    assert [each.service.name for each in history.every_service(account.aws)] == ["iris"]
    assert "iris" in batch.every_job_definition(account.aws)
    role = f"arn:aws:iam::{ACCOUNT}:role/model-dockerize-i"
    batch.ensure_bucket(account.aws, "iris", role, account.said)
    bucket = batch.ensure_bucket(account.aws, "iris", role, account.said)
    account.aws.s3.delete_bucket_policy(Bucket=bucket)  # moto obeys it, and knows no conditions
    sent = JobFiles(account.aws, bucket, "iris/1")
    sent.send({"a": Path(__file__)}, account.said)
    sent.note(Job("1", (sent.source("a"),), "SUBMITTED"))
    assert sent.noted({"1"}) == {"1": (sent.source("a"),)}


def administrator(account: Account) -> None:
    account.forget_policies()
    bootstrap(account.aws, settings(), account.said)
    bound = f"arn:aws:iam::{ACCOUNT}:policy/ModelDockerizeBoundary"
    denied = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    for _ in range(4):
        account.aws.iam.create_policy_version(PolicyArn=bound, PolicyDocument=denied, SetAsDefault=True)
    bootstrap(account.aws, settings(), account.said)
