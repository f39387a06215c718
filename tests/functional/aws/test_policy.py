"""The printed policy allows every call that we make, and none that this configuration does not make."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize import pipeline
from model_dockerize.aws import batch, ecr, ground
from model_dockerize.aws.function import ensure_function
from model_dockerize.aws.ground.permissions import service_role_policy
from model_dockerize.aws.iam.statement import Where
from model_dockerize.aws.permissions import (
    destroy_policy,
    function_policy,
    run_policy,
    stack_policy,
    trust_policy,
    unbound,
)
from model_dockerize.errors import InputError
from model_dockerize.pipeline.release import names_of
from model_dockerize.report import Recorder
from model_dockerize.settings import Given, Settings, to_settings
from tests.rig.deployer import Quiet
from tests.rig.iam_configurations import CONFIGURATIONS, EXPLAINED
from tests.rig.iris import NAMES
from tests.rig.judges import policies
from tests.rig.permissions import FOLDER, ROOT, documents, read_swept, summary
from tests.rig.permissions import configured as swept

from .conftest import Account
from .test_plan import everything

FUNCTION = {"update_function": "on-upload", "function_source": "data/in/"}
WHERE = Where("123456789012", "us-east-1")


def configured(**inputs: str) -> Settings:
    return to_settings([{name.replace("_", "-"): Given(text, name, Path()) for name, text in inputs.items()}])


def actions(*documents: dict[str, Any]) -> set[str]:
    return {a for d in documents for statement in d["Statement"] for a in statement["Action"]}


def function_of(settings: Settings, after_bootstrap: bool = False) -> dict[str, Any]:
    """Return the document for the function, which is asked for."""
    document = function_policy(settings, WHERE, after_bootstrap)
    assert document
    return document


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
    """Call all that a run calls, as far as moto can follow."""
    service = settings.service
    where = {"zones": service.zones, "assign_public_ip": service.assign_public_ip, "volume": service.volume}
    everything(account.aws, account.said, **where)
    ecr.ensure_rules(account.aws, "iris", settings.registry, account.said)
    if settings.batch.job_queue:
        network = ground.ensure_job_network(account.aws, settings.service, account.said)
        batch.ensure_queue(account.aws, settings.batch, "q", network, "linux/amd64", account.said, lambda _: None)
    if settings.batch.update_function:
        function, source = settings.batch.update_function, settings.batch.function_source
        ensure_function(account.aws, function, "q", "iris", account.said, source=source, sleep=lambda _: None)


def test_every_call_of_a_run_is_allowed(account: Account) -> None:
    account.with_function()
    own = {"zones": "2", "assign_public_ip": "false", "volume": "data"}
    settings = configured(job_queue="q", immutable_tags="true", scan="true", **own, **FUNCTION)
    use(account, settings)
    use(account, settings)
    assert called(account.calls) - actions(run_policy(settings, NAMES, WHERE), function_of(settings)) == set()


def test_what_is_not_asked_for_is_not_allowed() -> None:
    everything_asked = actions(run_policy(configured(job_queue="q", scan="true"), NAMES, WHERE))
    only_pushed = actions(run_policy(configured(create_job_def="false", deploy_service="false"), NAMES, WHERE))
    assert {"ecs:CreateService", "batch:CreateJobQueue", "ec2:DescribeAvailabilityZones"} <= everything_asked
    assert not [action for action in only_pushed if not action.startswith("ecr:")]
    given = actions(run_policy(configured(subnets="subnet-1", security_groups="sg-1"), NAMES, WHERE))
    assert not [action for action in given if action.startswith("ec2:Create")]
    assert {action for action in given if action.startswith("ec2:Describe")} == {
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeNetworkInterfaces",
    }
    definition_alone = actions(run_policy(configured(deploy_service="false", cache="none"), NAMES, WHERE))
    assert not {"logs:GetLogEvents", "ecr:GetDownloadUrlForLayer"} & definition_alone


_SECRET = "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:iris-AbCdEf"
#: Whatever can be asked for at once.
ALL = {
    **{"job_queue": "models", "load_balancer": "true", "max_count": "3", "assign_public_ip": "false", "volume": "data"},
    **{"secrets": f"K={_SECRET}", "queue_url": _SECRET, "scan": "true", "scan_gate": "HIGH", "immutable_tags": "true"},
    **{"cpu": "1024", "memory": "2048", "compute_type": "EC2", "service_role": "AWSBatchServiceRole", **FUNCTION},
}


@pytest.mark.parametrize("boundary", ["", "arn:aws-us-gov:iam::123456789012:policy/of-all-roles-of-this-account"])
@pytest.mark.parametrize("model", ["iris", "churn/production/customer-lifetime-value-prediction-v2"])
def test_what_can_be_asked_for_at_once_fits_too(model: str, boundary: str) -> None:
    settings = configured(**ALL, **({"permissions_boundary": boundary} if boundary else {}))
    there, names = Where.of("123456789012", "us-gov-west-1"), names_of(settings, model)
    function = function_policy(settings, there)
    assert function
    for document in (
        run_policy(settings, names, there),
        function,
        destroy_policy(names, there),
        *(stack_policy(settings, there, after_bootstrap) for after_bootstrap in (False, True)),
    ):
        assert policies.findings(document, "aws-us-gov") == []


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_documents_fit_into_iam(configuration: str) -> None:
    # A managed policy takes 6144 characters without white space.
    settings = configured(**CONFIGURATIONS[configuration].inputs)
    for after_bootstrap in (False, True):
        printed = [*documents(settings, WHERE), stack_policy(settings, WHERE, after_bootstrap)]
        assert max(len(json.dumps(document, separators=(",", ":"))) for document in printed) <= 6144


def job_definition(folder: Path, image: str, **inputs: str) -> dict[str, list[str]]:
    """Return what a run of an old file that pushes nothing may do, and on what."""
    file = folder / "BatchConfig.yml"
    file.write_text(f"job_def:\n  job_definition_name: iris\n  image: {image}\n", encoding="utf-8")
    nothing_pushed = {"push_to_ecr": "false", "create_job_def": "true", "deploy_service": "false"}
    document = run_policy(configured(**nothing_pushed, batch_config_file=str(file), **inputs), NAMES, WHERE)
    return {statement["Sid"]: statement["Resource"] for statement in document["Statement"]} | {
        "ecr": sorted(action for action in actions(document) if action.startswith("ecr:"))
    }


def test_the_image_of_an_old_file_is_looked_up_in_its_own_repository(tmp_path: Path) -> None:
    said = job_definition(tmp_path, "123456789012.dkr.ecr.us-east-1.amazonaws.com/science/iris:3")
    assert said["NamedImage"] == ["arn:aws:ecr:us-east-1:123456789012:repository/science/iris"]
    assert said["ecr"] == ["ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetAuthorizationToken"]


@pytest.mark.parametrize("image", ["python", f"r.example.com/iris@sha256:{'0' * 64}"])
def test_an_image_that_is_taken_as_it_is_needs_nothing_of_the_registry(tmp_path: Path, image: str) -> None:
    said = job_definition(tmp_path, image)
    assert (said["ecr"], "NamedImage" in said, "Registry" in said) == ([], False, False)


SWITCHES = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.sampled_from(("true", "false")) for name in ("push_to_ecr", "deploy_service", "create_job_def")},
        **{name: st.sampled_from(("true", "false")) for name in ("immutable_tags", "scan", "assign_public_ip")},
        "scan_gate": st.just("HIGH"),
        "secrets": st.just("KEY=arn:aws:ssm:us-east-1:123456789012:parameter/iris"),
        "volume": st.sampled_from(("data", "fs-0123abcd")),
        "load_balancer": st.sampled_from(("true", "theirs")),
        "max_count": st.just("3"),
        "job_queue": st.just("q"),
        "compute_type": st.sampled_from(("EC2", "SPOT", "FARGATE_SPOT")),
        "service_role": st.just("AWSBatchServiceRole"),
        "update_function": st.just("on-upload"),
        "function_source": st.just("bucket/in/"),
        "subnets": st.just("subnet-0a subnet-0b"),
        "security_groups": st.just("sg-0a"),
        "task_role": st.just("mine"),
    },
)


def swept_actions() -> set[str]:
    """Return the actions of all configurations of the sweep."""
    every = (documents(configured(**each.inputs), WHERE) for each in CONFIGURATIONS.values())
    return {action for two in every for action in actions(*two)}


@given(SWITCHES)
def test_the_sweep_has_a_configuration_for_every_action_that_can_be_printed(inputs: dict[str, str]) -> None:
    try:
        settings = configured(**inputs)
    except InputError:  # such inputs contradict each other
        return
    assert actions(*documents(settings, WHERE)) <= swept_actions()


def test_every_action_of_the_policies_was_swept_and_fails_by_name_or_is_explained() -> None:
    rows = {row.action: row for row in read_swept()}
    assert set(rows) == swept_actions(), "python bench/permissions.py"
    without_step = {row.action: row.reason for row in rows.values() if not row.step}
    assert without_step == EXPLAINED
    page = (ROOT / "docs" / "iam.md").read_text(encoding="utf-8")
    assert summary(rows.values()) in page
    assert f"{len(rows)} actions" in page
    assert [action for action, reason in EXPLAINED.items() if f"| `{action}` | {reason} |" not in page] == []


def test_what_can_be_narrowed_is() -> None:
    document = run_policy(configured(), NAMES, WHERE)
    wide = {s["Sid"] for s in document["Statement"] if s["Resource"] == "*"}
    # What is tagged is narrowed by what makes it.
    assert wide == {"Ask", "LookAtLoadBalancers", "Network", "TagWhatIsMade"}
    (passing,) = [s for s in document["Statement"] if s["Sid"] == "PassRoles"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert passing["Resource"] == ["arn:aws:iam::123456789012:role/model-dockerize-*"]
    named = run_policy(configured(execution_role="e", task_role="t"), NAMES, WHERE)
    (passing,) = [s for s in named["Statement"] if s["Sid"] == "PassRoles"]
    assert passing["Resource"] == ["arn:aws:iam::123456789012:role/e", "arn:aws:iam::123456789012:role/t"]


#: Statements that change something without naming what: AWS knows no resource for most of their actions.
WIDE = {"TagWhatIsMade", "Scaling", "TakeBack"}
#: Statements that read, of which AWS knows no resource for most actions.
WIDE_READS = {"Ask", "Jobs", "LookAtLoadBalancers", "LookForUsers", "Network"}
PASSED_TO: dict[str, Any] = {
    "PassRoles": {False: "ecs-tasks.amazonaws.com", True: ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"]},
    "PassInstanceRole": ["batch.amazonaws.com", "ec2.amazonaws.com"],
    "PassBatchRole": ["batch.amazonaws.com", "ec2.amazonaws.com"],
    "PassFunctionRole": "lambda.amazonaws.com",
}
_READS = re.compile(r"[a-z0-9-]+:(Describe|Get|List)\w+")


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_in_every_configuration_only_these_are_wide_and_a_role_is_passed_to_these_alone(configuration: str) -> None:
    settings = configured(**CONFIGURATIONS[configuration].inputs)
    for document in documents(settings, WHERE):
        for statement in document["Statement"]:
            if statement["Resource"] == "*":
                assert statement["Sid"] in WIDE | WIDE_READS
                assert all(map(_READS.fullmatch, statement["Action"])) or statement["Sid"] in WIDE, statement
            else:
                for arn in statement["Resource"]:
                    assert re.fullmatch(r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+", arn), arn
            if "iam:PassRole" in statement["Action"]:
                wanted = PASSED_TO[statement["Sid"]]
                wanted = wanted[settings.service.shifts] if isinstance(wanted, dict) else wanted
                assert statement["Condition"]["StringEquals"]["iam:PassedToService"] == wanted


def test_of_given_volumes_only_the_one_that_is_named_is_looked_at() -> None:
    looks = [
        statement
        for volume in ("fs-0123abcd", "data", "")
        for statement in run_policy(configured(volume=volume), NAMES, WHERE)["Statement"]
        if any(action.startswith("elasticfilesystem:") for action in statement["Action"])
    ]
    assert [statement["Resource"] for statement in looks] == [
        ["arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0123abcd"]
    ]


BOUND = "arn:aws:iam::123456789012:policy/bound"


@pytest.mark.parametrize("after_bootstrap", [False, True])
def test_no_role_is_made_without_the_boundary_where_there_is_one(after_bootstrap: bool) -> None:
    given = configured(permissions_boundary=BOUND, job_queue="q", **FUNCTION)
    for document in (
        run_policy(given, NAMES, WHERE),
        function_of(given, after_bootstrap),
        stack_policy(given, WHERE, after_bootstrap),
        service_role_policy(WHERE, BOUND),
    ):
        for statement in document["Statement"]:
            if {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"} & set(statement["Action"]):
                (condition,) = [each for each in statement["Condition"].values() if "iam:PermissionsBoundary" in each]
                assert condition["iam:PermissionsBoundary"] == BOUND


def test_by_what_somebody_could_become_administrator_is_told() -> None:
    given = configured(job_queue="q", **FUNCTION)
    assert unbound(function_of(given)) == ("MakeFunctionRole",)
    assert unbound(stack_policy(given, WHERE, after_bootstrap=False)) == ("BoundRoles", "BoundInstanceRole")
    assert unbound(run_policy(configured(job_queue="q"), NAMES, WHERE)) == ()
    bound = configured(job_queue="q", permissions_boundary=BOUND, **FUNCTION)
    for settings, after_bootstrap in ((bound, False), (given, True)):
        assert unbound(function_of(settings, after_bootstrap)) == ()
        assert unbound(stack_policy(settings, WHERE, after_bootstrap)) == ()


class Heard(Quiet):
    """A display that remembers the warnings."""

    def __init__(self) -> None:
        self.warnings = list[str]()

    def line(self, stage: str, level: str, text: str, file: Any = None, line: int | None = None) -> None:
        if level == "warning":
            self.warnings.append(text)


@pytest.mark.parametrize(
    ("inputs", "after_bootstrap", "named"),
    [
        ({"job_queue": "q", **FUNCTION}, False, "policy-for-function: MakeFunctionRole; policy-for-stacks: BoundRoles"),
        ({}, False, "(policy-for-stacks: BoundRoles, BoundInstanceRole)"),
        ({"permissions_boundary": "arn:aws-cn:iam::123456789012:policy/bound"}, False, ""),
        ({"job_queue": "q", **FUNCTION}, True, ""),
    ],
)
def test_whoever_asks_for_documents_is_told_what_they_are_worth_and_gets_those_of_the_region(
    inputs: dict[str, str], after_bootstrap: bool, named: str
) -> None:
    settings = swept(FOLDER, aws_region="cn-north-1", aws_account_id="123456789012", **inputs)
    printed, display = list[str](), Heard()
    pipeline.iam_policy(pipeline.Run(settings, {}, Recorder(display)), printed.append, after_bootstrap)
    assert [named in warning for warning in display.warnings] == ([True] if named else [])
    documents = json.loads(printed[0])
    function = {"policy-for-function"} if "update_function" in inputs else set()
    function |= {"policy-for-files"} if "job_queue" in inputs else set()
    assert set(documents) == {"policy", "policy-for-stacks", "policy-for-destroy", "trust"} | function
    assert "arn:aws:" not in printed[0]
    for name in set(documents) - {"trust"}:
        assert policies.findings(documents[name], "aws-cn") == []


def test_our_tag_is_put_only_on_what_is_made() -> None:
    document = run_policy(configured(), NAMES, WHERE)
    tagging = [s for s in document["Statement"] if {"ecs:TagResource", "ecs:UntagResource"} & set(s["Action"])]
    conditions = [statement["Condition"] for statement in tagging]
    made = ["CreateCluster", "CreateService", "RegisterTaskDefinition"]
    assert conditions == [
        {"StringEquals": {"ecs:CreateAction": made}},
        {"ForAllValues:StringNotEquals": {"aws:TagKeys": ["model-dockerize", "model-dockerize:adopted"]}},
    ]
    adopting = run_policy(configured(adopt="true"), NAMES, WHERE)
    (marking,) = [s for s in adopting["Statement"] if s["Sid"] == "MarkRollouts"]
    assert ("Condition" in marking, marking["Resource"]) == (False, tagging[1]["Resource"])
    assert tagging[1]["Resource"] == ["arn:aws:ecs:us-east-1:123456789012:service/model-dockerize/iris"]


def test_cloudformation_may_tag_all_that_it_makes_in_any_service() -> None:
    of = {statement["Sid"]: statement for statement in service_role_policy(WHERE)["Statement"]}
    tagging = {sid: statement for sid, statement in of.items() if sid.startswith("Tag")}
    services = {action.partition(":")[0] for statement in tagging.values() for action in statement["Action"]}
    assert services == {action.partition(":")[0] for action in of["Make"]["Action"]}
    assert all("CreateAction" in str(statement["Condition"]) for statement in tagging.values())


def test_after_bootstrap_only_functions_need_a_role_made_and_that_within_its_bound() -> None:
    given = configured(job_queue="q", **FUNCTION)
    makes = [
        statement
        for document in (run_policy(given, NAMES, WHERE), function_of(given, True), stack_policy(given, WHERE, True))
        for statement in document["Statement"]
        if "iam:CreateRole" in statement["Action"]
    ]
    (statement,) = makes
    assert statement["Sid"] == "MakeFunctionRole"
    assert statement["Condition"] == {
        "StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::123456789012:policy/ModelDockerizeBoundary"}
    }


def test_trust_holds_for_both_forms_of_the_subject_and_for_one_audience() -> None:
    (statement,) = trust_policy("o/r", "7", "3", WHERE)["Statement"]
    provider = "token.actions.githubusercontent.com"
    assert statement["Condition"]["StringEquals"] == {f"{provider}:aud": "sts.amazonaws.com"}
    assert statement["Condition"]["StringLike"][f"{provider}:sub"] == [
        "repo:o/r:ref:refs/heads/main",
        "repo:o/r:ref:refs/tags/v*",
        "repo:o@3/r@7:ref:refs/heads/main",
        "repo:o@3/r@7:ref:refs/tags/v*",
    ]


@pytest.mark.parametrize("name", ["x", "x" * 257])
def test_a_name_that_no_repository_can_have_is_refused_before_anything_is_asked(name: str) -> None:
    with pytest.raises(InputError, match="2 to 256 characters"):
        names_of(to_settings([]), name)
