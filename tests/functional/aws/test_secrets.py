"""Environment and secrets: what the definitions say, and what the execution role may read."""

import json
from pathlib import Path
from typing import Any

import pytest

from model_dockerize.aws import ground
from model_dockerize.aws.batch.job_definition import latest_revision
from model_dockerize.aws.ground import Model
from model_dockerize.errors import InputError
from model_dockerize.pipeline.context import Named, Prepared, Run
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import FOUNDATIONS, JOBS
from model_dockerize.report import Recorder
from model_dockerize.settings import Given, to_settings
from model_dockerize.smoke import Expectation
from tests.rig.deployer import Quiet
from tests.rig.iris import IRIS, settings
from tests.unit.aws.test_compare import wanted
from tests.unit.aws.test_values import container

from .conftest import Account
from .test_plan import everything

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/iris/key"
SECRETS = (("PASSWORD", f"{SECRET}:password::"), ("KEY", PARAMETER))


def readable(account: Account, model: str = "iris") -> tuple[str, str]:
    """Return the secrets and parameters that the model's own execution role may read."""
    had = account.stacks.there[f"model-dockerize-{model}"].parameters
    return had["Secrets"], had["SecretParameters"]


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
        assert readable(account) == (SECRET, PARAMETER)
        changes = len(account.stacks.wanted)
        everything(account.aws, account.said, secrets=SECRETS, queue_url=SECRET)
        assert len(account.stacks.wanted) == changes

    def test_keeps_what_an_older_revision_needs_and_other_models_have_their_own(self, account: Account) -> None:
        ground.ensure_runtime(account.aws, settings(secrets=SECRETS), IRIS, account.said)
        ground.ensure_runtime(account.aws, settings(secrets=(("K", f"{SECRET}2"),)), IRIS, account.said)
        assert readable(account) == (f"{SECRET},{SECRET}2", PARAMETER)
        ground.ensure_runtime(account.aws, settings(secrets=(("K", PARAMETER),)), Model("other", "other"), account.said)
        assert readable(account, "other") == ("", PARAMETER)

    def test_forgets_old_ones_where_cloudformation_has_no_room_for_them(self, account: Account) -> None:
        many = tuple((f"K{number}", f"{SECRET}{number:04}") for number in range(60))
        ground.ensure_runtime(account.aws, settings(secrets=many[:40]), IRIS, account.said)
        ground.ensure_runtime(account.aws, settings(secrets=many[40:]), IRIS, account.said)
        assert readable(account)[0].split(",") == [arn for _, arn in many[40:]]

    def test_of_somebody_else_is_not_touched(self, account: Account) -> None:
        theirs = account.aws.iam.create_role(RoleName="ecsTaskExecutionRole", AssumeRolePolicyDocument=json.dumps({}))
        account.calls.clear()
        named = settings(secrets=SECRETS, execution_role="ecsTaskExecutionRole")
        runtime = ground.ensure_runtime(account.aws, named, IRIS, account.said)
        assert runtime.execution_role_arn == theirs["Role"]["Arn"]
        assert account.changes() == []
        assert account.stacks.there["model-dockerize-iris"].parameters["OwnExecutionRole"] == "false"
        assert "must be allowed to read the secrets itself" in " ".join(account.said.infos)


def test_jobs_keep_the_secrets_that_another_service_of_the_model_has_brought(account: Account) -> None:
    def make(**said: str) -> None:
        given = {name: Given(text, name, Path()) for name, text in said.items()}
        run = Run(to_settings([given]), {}, Recorder(Quiet()))
        prepared = Prepared(Named("iris", "1"), "b", "linux/amd64", Expectation(""))
        JOBS.run(FOUNDATIONS.run(Release(run, prepared, account.aws, uri="registry/iris@sha256:d")))

    make(service="staging", secrets=f"KEY={PARAMETER}")
    make(service="production")
    latest = latest_revision(account.aws, "iris")
    role, key = latest["containerProperties"]["executionRoleArn"], latest["containerProperties"]["secrets"]
    assert (role, key) == (
        account.stacks.there["model-dockerize-production"].outputs["ExecutionRole"],
        [{"name": "KEY", "valueFrom": PARAMETER}],
    )
    assert readable(account, "production") == ("", PARAMETER)
    make(service="other", **{"create-job-def": "false"})
    assert readable(account, "other") == ("", "")
    make(service="third", secrets="none")
    assert readable(account, "third") == ("", "")


def test_secrets_of_an_adopted_job_definition_are_left_to_its_own_role(account: Account) -> None:
    account.aws.iam.create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    role = "arn:aws:iam::123456789012:role/theirs"
    theirs: Any = {
        **{"image": "i", "vcpus": 1, "memory": 2048, "executionRoleArn": role},
        "secrets": [{"name": "KEY", "valueFrom": "db-password"}, {"name": "OTHER", "valueFrom": PARAMETER}],
    }
    account.aws.batch.register_job_definition(jobDefinitionName="iris", type="container", containerProperties=theirs)
    said = {"adopt": "true", "compute-type": "EC2"}
    given = {name: Given(text, name, Path()) for name, text in said.items()}
    run = Run(to_settings([given]), {}, Recorder(Quiet()))
    prepared = Prepared(Named("iris", "1"), "b", "linux/amd64", Expectation(""))
    JOBS.run(FOUNDATIONS.run(Release(run, prepared, account.aws, uri="registry/iris@sha256:d")))
    now = latest_revision(account.aws, "iris")["containerProperties"]
    assert (now["secrets"], now["executionRoleArn"]) == (theirs["secrets"], role)
    assert readable(account) == ("", "")
    named = settings(secrets=(("KEY", "db-password"), ("OTHER", PARAMETER)))  # as a family of others may have them
    ground.ensure_runtime(account.aws, named, Model("rose", "rose"), account.said)
    assert readable(account, "rose") == ("", PARAMETER)


def test_roles_that_are_given(account: Account) -> None:
    account.aws.iam.create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))
    given = settings(task_role="mine", execution_role="arn:aws:iam::1:role/e")
    runtime = ground.ensure_runtime(account.aws, given, IRIS, account.said)
    assert runtime.task_role_arn.endswith(":role/mine")
    assert runtime.execution_role_arn == "arn:aws:iam::1:role/e"
    for wrong in ({"task_role": "nobody"}, {"execution_role": "nobody"}):
        with pytest.raises(InputError, match="no role nobody"):
            ground.ensure_runtime(account.aws, settings(**wrong), IRIS, account.said)


def test_a_job_of_a_batch_file_has_its_instances_rights_unless_a_role_is_named(account: Account) -> None:
    runtime = ground.ensure_runtime(account.aws, settings(), IRIS, account.said, role_of_instance=True)
    assert (runtime.task_role_arn, bool(runtime.execution_role_arn)) == ("", True)
    named = settings(task_role="arn:aws:iam::1:role/t")
    assert ground.ensure_runtime(account.aws, named, IRIS, account.said, role_of_instance=True).task_role_arn == (
        "arn:aws:iam::1:role/t"
    )
