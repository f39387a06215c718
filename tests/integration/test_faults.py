"""Every AWS operation that we call fails once in some way; commands are killed at moments. The next run finishes.

The whole matrix, and fifty kills: `python bench/fault_matrix.py`.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_dockerize import aws
from model_dockerize.aws.client import connect
from model_dockerize.errors import AwsAccessError
from model_dockerize.progress import Silent
from model_dockerize.settings import to_settings
from tests.rig.aws_calls import in_the_code
from tests.rig.fault_courses import COURSES
from tests.rig.fault_proxy import LASTING, PASSING, Kind
from tests.rig.fault_rig import FaultRig, fault_rig

KINDS = PASSING + LASTING
AWS_ROOM = Path(aws.__file__).parent


@pytest.fixture(scope="module")
def rig() -> Iterator[FaultRig]:
    with fault_rig() as built:
        yield built


@pytest.fixture(scope="module")
def called(rig: FaultRig) -> dict[str, list[str]]:
    """Course -> the operations that it calls."""
    return {name: rig.operations(course) for name, course in COURSES.items()}


@pytest.fixture(scope="module")
def planned(called: dict[str, list[str]]) -> dict[Kind, list[tuple[str, str]]]:
    """Kind -> courses and operations; each operation in the first course that calls it."""
    first: dict[str, str] = {}
    for name, operations in called.items():
        for operation in operations:
            first.setdefault(operation, name)
    assert len(first) > 95
    each = [(name, operation) for operation, name in first.items()]
    return {kind: each[number :: len(KINDS)] for number, kind in enumerate(KINDS)}


@pytest.mark.parametrize("kind", KINDS)
def test_each_operation_fails_in_one_way(rig: FaultRig, planned: dict[Kind, list[tuple[str, str]]], kind: Kind) -> None:
    came = {rig.cell(COURSES[course], operation, kind) for course, operation in planned[kind]}
    assert came == {"converged"} if kind in PASSING else "stopped" in came


#: Called by the code and by no course. Why.
_NOT_TRIED = {
    "cloudformation:DescribeEvents": "only of a change set that AWS finds wanting: tests/unit/aws/test_ground.py",
    "iam:GetInstanceProfile": "only of a profile that is named (instance-role)",
    **{
        f"iam:{name}": "only where a release has another boundary than the last: tests/functional/aws/test_bootstrap.py"
        for name in ("CreatePolicyVersion", "DeletePolicyVersion", "ListPolicyVersions")
    },
    "iam:SimulatePrincipalPolicy": "a question of doctor, which changes nothing",
    **{
        f"application-autoscaling:{name}": "the services of the courses do not scale: tests/functional/aws/test_plan.py"
        for name in (
            "DeregisterScalableTarget",
            "PutScalingPolicy",
            "RegisterScalableTarget",
            "DescribeScalingPolicies",
            "DescribeScalableTargets",
        )
    },
    "ecs:RunTask": "the services of the courses are reached from outside: tests/integration/test_sandbox.py",
    "ecs:StopTask": "the same",
    "ec2:DescribeVpcs": "a question of doctor, which changes nothing",
    "efs:DescribeMountTargetSecurityGroups": "only of a file system that is given",
    "efs:DeleteAccessPoint": "only of one that came while the volume was removed: its own go with their stacks",
    "efs:DeleteMountTarget": "the same",
    "ecr:DescribeImageScanFindings": "moto has findings only where a test puts them: test_registry_rules.py",
    "ecr:StartImageScan": "only of an image that nobody scanned, before the gate: the same",
    "lambda:UpdateFunctionCode": "only from one version of ours to the next: tests/functional/aws/test_function.py",
    "batch:TerminateJob": "only in the last moments of a cancelled submit: tests/functional/aws/test_jobs.py",
    **{
        f"s3:{name}": "its bucket wants TLS, and moto speaks HTTP: tests/functional/aws/test_job_files.py"
        for name in (
            *("CreateBucket", "DeleteBucket", "GetBucketTagging", "PutBucketTagging", "GetBucketPolicy"),
            *("PutBucketPolicy", "GetPublicAccessBlock", "PutPublicAccessBlock", "ListObjectsV2", "GetObject"),
            *("PutObject", "DeleteObjects", "GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration"),
        )
    },
    "sts:AssumeRole": "below, and in tests/functional/aws/test_role.py",
    "sts:AssumeRoleWithWebIdentity": "tests/functional/aws/test_role.py",
}


def test_every_operation_of_the_code_is_tried_or_named(called: dict[str, list[str]]) -> None:
    tried = {operation for operations in called.values() for operation in operations}
    assert len(in_the_code(AWS_ROOM)) > 110
    assert in_the_code(AWS_ROOM) - tried - _NOT_TRIED.keys() == set()


@pytest.mark.parametrize(
    ("course", "operation"),
    [
        ("deploy", "cloudformation:CreateChangeSet"),
        ("deploy", "cloudformation:ExecuteChangeSet"),
        ("deploy", "cloudformation:UpdateTerminationProtection"),
        ("deploy", "ecs:CreateCluster"),
        ("deploy", "ecs:RegisterTaskDefinition"),
        ("deploy", "batch:RegisterJobDefinition"),
        ("private network", "cloudformation:ExecuteChangeSet"),
        ("volume and load balancer", "cloudformation:CreateChangeSet"),
        ("load balancer changed", "cloudformation:ExecuteChangeSet"),
        ("shift", "ecs:ContinueServiceDeployment"),
        ("back from the bake", "ecs:StopServiceDeployment"),
        ("way back", "cloudformation:ContinueUpdateRollback"),
        ("bootstrap", "iam:CreatePolicy"),
        ("bootstrap", "iam:CreateRole"),
        ("destroy", "cloudformation:DeleteStack"),
        ("jobs", "lambda:CreateFunction"),
        ("submit", "batch:SubmitJob"),
    ],
)
def test_nothing_is_made_twice_when_the_answer_is_lost(
    rig: FaultRig, called: dict[str, list[str]], course: str, operation: str
) -> None:
    assert operation in called[course]
    assert rig.cell(COURSES[course], operation, "lost answer") == "converged"


def test_a_denied_role_is_told_at_once_with_action_and_resource(rig: FaultRig, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile keys]\naws_access_key_id = AKIARIG\naws_secret_access_key = rig-secret\n"
        "[profile deploy]\nsource_profile = keys\nrole_arn = arn:aws:iam::123456789012:role/deploy\n",
        encoding="utf-8",
    )
    environment = {
        "AWS_ENDPOINT_URL": rig.faults.url,
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_PROFILE": "deploy",
    }
    rig.faults.calls.clear()
    rig.faults.let("sts:AssumeRole", "access denied", float("inf"))
    with pytest.raises(AwsAccessError, match="sts:AssumeRole on arn:aws:rig:::thing"):
        connect(to_settings([]).aws, environment, Silent())
    assert rig.faults.calls.count("sts:AssumeRole") == 1
    rig.faults.none()


@pytest.mark.parametrize("course", ["deploy", "jobs", "destroy"])
def test_killed_at_any_moment_the_next_run_finishes(rig: FaultRig, course: str) -> None:
    rig.killed(COURSES[course], random.Random(4), kills=2)  # noqa: S311 - moments, not secrets
