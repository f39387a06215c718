"""An administrator makes once the bound of all roles, the role that CloudFormation acts by, and the shared stack."""

import json
from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws import ground
from model_dockerize.aws.ground.permissions import BOUNDARY, SERVICE_ROLE, boundary_policy
from model_dockerize.aws.iam import Where
from model_dockerize.errors import AwsError
from tests.rig.iris import IRIS, settings
from tests.rig.quick_moto import ACCOUNT

from .conftest import Account

BOUND = f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY}"


@pytest.fixture(autouse=True)
def _no_policies(account: Account) -> None:
    account.forget_policies()


def bootstrap(account: Account, **changes: Any) -> str:
    return ground.bootstrap(account.aws, settings(**changes), account.said, sleep=lambda _: None)


def test_everything_that_models_share_is_there_and_models_go_by_its_role_and_bound(account: Account) -> None:
    role = bootstrap(account)
    shared = account.stacks.there["model-dockerize"]
    assert role.endswith(f":role/{SERVICE_ROLE}")
    assert (shared.role, shared.parameters["PermissionsBoundary"]) == (role, BOUND)
    assert (shared.parameters["Cluster"], shared.parameters["Instances"]) == ("model-dockerize", "true")
    assert len(shared.filled("Zone")) == 2
    account.calls.clear()
    ground.ensure_foundations(account.aws, settings(load_balancer="true"), IRIS, account.said)
    assert account.stacks.wanted[-1].role == role
    assert account.stacks.there["model-dockerize-iris"].parameters["PermissionsBoundary"] == BOUND
    assert account.stacks.there["model-dockerize"] == shared
    assert account.changes() == []


def test_what_was_made_by_a_call_whose_answer_was_lost_is_found(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[str]()
    for operation in ("create_policy", "create_role"):
        plain = getattr(account.aws.iam, operation)

        def twice(*, plain: Any = plain, operation: str = operation, **asked: Any) -> Any:
            """Send a request again, as botocore does when the first answer does not come."""
            plain(**asked)
            made.append(operation)
            return plain(**asked)

        monkeypatch.setattr(account.aws.iam, operation, twice)
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert bootstrap(account).endswith(f":role/{SERVICE_ROLE}")
    assert made == ["create_policy", "create_role"]
    account.calls.clear()
    bootstrap(account)
    assert account.changes() == []


def test_the_second_time_nothing_is_changed_and_an_older_policy_is_renewed(account: Account) -> None:
    bootstrap(account)
    account.calls.clear()
    bootstrap(account)
    assert account.changes() == []
    for number in range(4):
        old = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Sid": f"S{number}", "Effect": "Deny", "Action": "*", "Resource": "*"}],
            }
        )
        account.aws.iam.create_policy_version(PolicyArn=BOUND, PolicyDocument=old, SetAsDefault=True)
    account.aws.iam.put_role_policy(RoleName=SERVICE_ROLE, PolicyName="model-dockerize", PolicyDocument=old)
    bootstrap(account)
    version = account.aws.iam.get_policy(PolicyArn=BOUND)["Policy"]["DefaultVersionId"]
    shown: Any = account.aws.iam.get_policy_version(PolicyArn=BOUND, VersionId=version)["PolicyVersion"]
    assert shown["Document"] == boundary_policy(Where(ACCOUNT, "us-east-1"))
    account.calls.clear()
    bootstrap(account)
    assert account.changes() == []


def test_a_boundary_that_is_given_bounds_all_roles_and_none_is_made(account: Account) -> None:
    theirs = f"arn:aws:iam::{ACCOUNT}:policy/theirs"
    bounded = replace(account, aws=replace(account.aws, permissions_boundary=theirs))
    bootstrap(bounded)
    assert "iam:CreatePolicy" not in account.calls
    document = account.aws.iam.get_role_policy(RoleName=SERVICE_ROLE, PolicyName="model-dockerize")["PolicyDocument"]
    assert theirs in json.dumps(document)
    assert account.stacks.there["model-dockerize"].parameters["PermissionsBoundary"] == theirs


def test_a_network_that_is_given_needs_none_of_ours(account: Account) -> None:
    bootstrap(account, vpc="vpc-0123abcd")
    assert account.stacks.there["model-dockerize"].parameters["Network"] == "false"


def test_a_role_that_cloudformation_does_not_see_yet_is_waited_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def refuse(*given: Any) -> Any:
        tries.append(given)
        if len(tries) < 3:
            raise AwsError("Role is invalid or cannot be assumed", remedy="")
        return account.stacks.ensure(*given)

    monkeypatch.setattr("model_dockerize.aws.ground.planned.ensure_stack", refuse)
    assert bootstrap(account)
    assert len(tries) == 3
    monkeypatch.setattr("model_dockerize.aws.ground.planned.ensure_stack", lambda *_: _raise("cannot be assumed"))
    with pytest.raises(AwsError, match="cannot be assumed"):  # it has been there for long
        bootstrap(account)


def _raise(text: str) -> None:
    raise AwsError(text, remedy="")
