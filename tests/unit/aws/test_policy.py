"""The printed policy allows every call that we make, and none that this configuration does not make."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from model_dockerize import aws
from model_dockerize.aws.policy import permissions, removal, trust
from model_dockerize.aws.statement import Where
from model_dockerize.settings import Given, Settings, to_settings

from .conftest import Account
from .test_destroy import NAMES
from .test_plan import everything

FUNCTION = {"update_function": "on-upload", "function_source": "data/in/"}
WHERE = Where("123456789012", "us-east-1")


def configured(**inputs: str) -> Settings:
    from pathlib import Path

    return to_settings([{name.replace("_", "-"): Given(text, name, Path()) for name, text in inputs.items()}])


def actions(*documents: dict[str, Any]) -> set[str]:
    return {a for d in documents for statement in d["Statement"] for a in statement["Action"]}


def called(calls: Iterable[str]) -> set[str]:
    # Some actions have other names in IAM than in the API.
    others = (
        ("NotificationConfiguration", "Notification"),
        ("elbv2:", "elasticloadbalancing:"),
        ("efs:", "elasticfilesystem:"),
    )
    named = set(calls)
    for api, iam in others:
        named = {call.replace(api, iam) for call in named}
    return named - {"ecr:GetAuthorizationToken"}


def use(account: Account, settings: Settings) -> None:
    """What a run calls, as far as moto can follow."""
    service = settings.service
    where = {"zones": service.zones, "assign_public_ip": service.assign_public_ip, "volume": service.volume}
    everything(account.aws, account.said, **where)
    aws.ensure_rules(account.aws, "iris", settings.registry, account.said)
    if settings.batch.job_queue:
        network = aws.ensure_network(account.aws, settings.service, account.said)
        aws.ensure_queue(account.aws, settings.batch, "q", network, account.said, lambda _: None)
    if settings.batch.update_function:
        function, source = settings.batch.update_function, settings.batch.function_source
        aws.ensure_function(account.aws, function, "q", "iris", account.said, source=source, sleep=lambda _: None)


def test_every_call_of_a_run_is_allowed(account: Account) -> None:
    account.with_function()
    own = {"zones": "2", "assign_public_ip": "false", "volume": "data"}
    settings = configured(job_queue="q", immutable_tags="true", scan="true", **own, **FUNCTION)
    use(account, settings)
    use(account, settings)
    assert called(account.calls) - actions(permissions(settings, NAMES, WHERE)) == set()


def test_every_call_of_destroy_is_allowed(account: Account) -> None:
    account.with_function()
    settings = configured(job_queue="q", zones="2", assign_public_ip="false", volume="data", **FUNCTION)
    names = replace(NAMES, function="on-upload")
    use(account, settings)
    account.calls.clear()
    aws.remove(aws.find_ours(account.aws, names), account.said)
    allowed = actions(permissions(settings, names, WHERE), removal(names, WHERE))
    assert called(account.calls) - allowed == set()


def test_what_is_not_asked_for_is_not_allowed() -> None:
    everything_asked = actions(permissions(configured(job_queue="q", scan="true"), NAMES, WHERE))
    only_pushed = actions(permissions(configured(create_job_def="false", deploy_service="false"), NAMES, WHERE))
    assert {"ecs:CreateService", "batch:CreateJobQueue", "ec2:CreateVpc"} <= everything_asked
    assert not [action for action in only_pushed if not action.startswith("ecr:")]
    given = actions(permissions(configured(subnets="subnet-1", security_groups="sg-1"), NAMES, WHERE))
    assert not [action for action in given if action.startswith("ec2:Create")]


def test_what_can_be_narrowed_is() -> None:
    document = permissions(configured(), NAMES, WHERE)
    wide = {s["Sid"] for s in document["Statement"] if s["Resource"] == "*"}
    assert wide == {"Ask", "Network", "MakeNetwork"}
    (passing,) = [s for s in document["Statement"] if s["Sid"] == "PassRoles"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert "*" not in "".join(passing["Resource"])


def test_trust_holds_for_both_forms_of_the_subject_and_for_one_audience() -> None:
    (statement,) = trust("o/r", "7", "3", WHERE)["Statement"]
    provider = "token.actions.githubusercontent.com"
    assert statement["Condition"]["StringEquals"] == {f"{provider}:aud": "sts.amazonaws.com"}
    assert statement["Condition"]["StringLike"][f"{provider}:sub"] == [
        "repo:o/r:ref:refs/heads/main",
        "repo:o/r:ref:refs/tags/v*",
        "repo:o@3/r@7:ref:refs/heads/main",
        "repo:o@3/r@7:ref:refs/tags/v*",
    ]
