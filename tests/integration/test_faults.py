"""Every AWS operation of a deployment fails once in some way; a deployment is killed at moments. The next run finishes.

The whole matrix, and fifty kills: `python bench/fault_matrix.py`.
"""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_dockerize import aws
from model_dockerize.errors import AwsAccessError
from model_dockerize.progress import Silent
from model_dockerize.settings import to_settings
from tests.rig.fault_proxy import LASTING, PASSING
from tests.rig.fault_rig import FaultRig, fault_rig

KINDS = PASSING + LASTING


@pytest.fixture(scope="module")
def rig() -> Iterator[FaultRig]:
    with fault_rig() as built:
        yield built


def test_each_operation_fails_in_one_way_and_all_ways_occur(rig: FaultRig) -> None:
    operations = rig.operations()
    assert len(operations) > 40
    came = {}
    for i, operation in enumerate(operations):
        kind = KINDS[i % len(KINDS)]
        came[operation, kind] = rig.cell(operation, kind)
    assert {"converged", "stopped"} == set(came.values())


@pytest.mark.parametrize(
    "operation",
    ["ec2:CreateVpc", "ec2:CreateInternetGateway", "ecs:RegisterTaskDefinition", "batch:RegisterJobDefinition"],
)
def test_nothing_is_made_twice_when_the_answer_is_lost(rig: FaultRig, operation: str) -> None:
    assert rig.cell(operation, "lost answer") == "converged"


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
    begun = time.monotonic()
    with pytest.raises(AwsAccessError, match="sts:AssumeRole on arn:aws:rig:::thing"):
        aws.connect(to_settings([]).aws, environment, Silent())
    assert time.monotonic() - begun < 2
    assert rig.faults.calls.count("sts:AssumeRole") == 1
    rig.faults.none()


def test_killed_at_any_moment_the_next_run_finishes(rig: FaultRig) -> None:
    rig.killed(random.Random(4), kills=4)  # noqa: S311 - moments, not secrets
