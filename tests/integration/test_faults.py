"""Every AWS operation of a deployment fails once in some way; a deployment is killed at moments. The next run finishes.

The whole matrix, and fifty kills: `python bench/fault_matrix.py`.
"""

import random
from collections.abc import Iterator

import pytest

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


def test_killed_at_any_moment_the_next_run_finishes(rig: FaultRig) -> None:
    rig.killed(random.Random(4), kills=4)  # noqa: S311 - moments, not secrets
