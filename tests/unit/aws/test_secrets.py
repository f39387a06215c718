"""Environment and secrets: what the definitions say, and what the execution role may read."""

import json
from typing import Any

import pytest

from model_dockerize import aws
from model_dockerize.aws.policy import permissions, removal
from model_dockerize.settings import to_settings

from .conftest import Account, settings
from .test_destroy import NAMES
from .test_plan import everything, rehearsed
from .test_policy import WHERE, actions, called, configured
from .test_values import container, wanted

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/iris/key"
SECRETS = (("PASSWORD", f"{SECRET}:password::"), ("KEY", PARAMETER))


def readable(connection: aws.Aws, model: str = "iris") -> Any:
    document: Any = connection.iam.get_role_policy(
        RoleName="ecsTaskExecutionRole", PolicyName=f"model-dockerize-us-east-1-{model}"
    )["PolicyDocument"]
    return [(s["Action"], s["Resource"]) for s in document["Statement"]]


def test_the_definitions_name_secrets_and_hold_none() -> None:
    given = container(environment=(("B", "2"), ("A", "1")), secrets=SECRETS)
    plain = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    secret = [{"name": "KEY", "valueFrom": PARAMETER}, {"name": "PASSWORD", "valueFrom": f"{SECRET}:password::"}]
    assert given.variables() == {"environment": plain, "secrets": secret}
    assert given.with_queue(SECRET).variables()["secrets"][1] == {"name": "MODEL_QUEUE_URL", "valueFrom": SECRET}
    url = "postgresql://u@h/db"
    assert {"name": "MODEL_QUEUE_URL", "value": url} in given.with_queue(url).variables()["environment"]
    assert given.with_queue("") == given
    assert wanted(secrets=SECRETS)["containerDefinitions"][0]["secrets"] == secret


class TestTheExecutionRole:
    def test_may_read_exactly_what_is_named(self, account: Account) -> None:
        everything(account.aws, account.said, secrets=SECRETS, queue_url=SECRET)
        assert readable(account.aws) == [
            ("secretsmanager:GetSecretValue", [SECRET]),
            ("ssm:GetParameters", [PARAMETER]),
        ]
        account.calls.clear()
        everything(account.aws, account.said, secrets=SECRETS, queue_url=SECRET)
        assert account.changes() == []

    def test_keeps_what_an_older_revision_needs_and_other_models_have_their_own(self, account: Account) -> None:
        aws.ensure_runtime(account.aws, settings(secrets=SECRETS), IRIS, account.said)
        aws.ensure_runtime(account.aws, settings(secrets=(("K", f"{SECRET}2"),)), "iris", account.said)
        assert ("secretsmanager:GetSecretValue", [SECRET, f"{SECRET}2"]) in readable(account.aws)
        aws.ensure_runtime(account.aws, settings(secrets=(("K", PARAMETER),)), "other", account.said)
        assert readable(account.aws, "other") == [("ssm:GetParameters", [PARAMETER])]

    def test_of_somebody_else_is_not_touched(self, account: Account) -> None:
        account.aws.iam.create_role(RoleName="ecsTaskExecutionRole", AssumeRolePolicyDocument=json.dumps({}))
        account.calls.clear()
        aws.ensure_runtime(account.aws, settings(secrets=SECRETS), IRIS, account.said)
        assert "iam:PutRolePolicy" not in account.calls
        assert "must be allowed to read the secrets itself" in " ".join(account.said.infos)

    def test_is_planned_before_it_is_made(self, account: Account) -> None:
        rehearsal, sent = rehearsed(account, secrets=SECRETS)
        assert "+ role policy model-dockerize-us-east-1-iris" in map(str, rehearsal.changes)
        assert [operation for operation in sent if not aws.is_read(operation)] == []

    @pytest.mark.usefixtures("_without_waiting")
    def test_loses_it_with_the_model(self, account: Account) -> None:
        everything(account.aws, account.said, secrets=SECRETS)
        aws.ensure_runtime(account.aws, settings(secrets=SECRETS), "second", account.said)
        account.calls.clear()
        aws.remove(aws.find_ours(account.aws, NAMES), account.said)
        assert account.aws.iam.list_role_policies(RoleName="ecsTaskExecutionRole")["PolicyNames"] == [
            "model-dockerize-us-east-1-second"
        ]
        asked = configured(secrets=f"A={SECRET}")
        assert called(account.calls) - actions(permissions(asked, NAMES, WHERE), removal(NAMES, WHERE)) == set()


def test_the_policy_allows_it_only_where_there_are_secrets(account: Account) -> None:
    everything(account.aws, account.said, secrets=SECRETS)
    assert called(account.calls) - actions(permissions(configured(secrets=f"A={SECRET}"), NAMES, WHERE)) == set()
    assert "iam:PutRolePolicy" not in actions(permissions(to_settings([]), NAMES, WHERE))
