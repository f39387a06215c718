"""The printed policy, enforced: it suffices; what it lacks is named, where it is needed and at once."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import boto3
import jwt
import pytest
from botocore.exceptions import ClientError

from model_dockerize import sandbox
from model_dockerize.aws import permissions
from model_dockerize.aws.client import TAG, connect
from model_dockerize.aws.function.role import function_role_name
from model_dockerize.aws.ground.permissions import boundary_policy
from model_dockerize.aws.iam import Where
from model_dockerize.errors import AwsAccessError
from model_dockerize.pipeline.release import names_of
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox
from model_dockerize.settings import AwsSettings
from tests.rig.homes import NewHome
from tests.rig.iam_configurations import CONFIGURATIONS
from tests.rig.permissions import (
    MODEL,
    Trial,
    actions,
    failed_stages,
    named,
    remove_images,
    without,
)

PROVIDER = "token.actions.githubusercontent.com"


@pytest.fixture(scope="module")
def box(new_home: NewHome) -> Iterator[Sandbox]:
    """Start a sandbox in which policies count."""
    home = new_home("mdiam")
    yield sandbox.start(home, Silent(), "enforced")
    sandbox.stop(home, Silent())
    remove_images()


def trial(box: Sandbox, configuration: str = "everything") -> Trial:
    made = Trial(box, CONFIGURATIONS[configuration])
    made.allow(made.printed())
    return made


def test_the_printed_policy_suffices_for_a_whole_run_and_what_follows(box: Sandbox) -> None:
    role = trial(box)
    role.asked()  # that was the account's owner
    came = {step: role.do(step) for step in ("run", "run again", "status", "logs", "submit")}
    asked = role.asked()
    role.allow(role.printed(destroy=True)[-1:])  # by itself
    came["destroy"] = role.do("destroy")
    assert {step: report.failure for step, report in came.items() if report.failure} == {}
    assert {step: report.outcome for step, report in came.items()} == {
        "run": "deployed",
        "run again": "unchanged",
        "status": "running",
        "logs": "read",
        "submit": "succeeded",
        "destroy": "destroyed",
    }
    assert {"iam:PassRole", "ecr:PutImage", "ecr:InitiateLayerUpload", "ec2:CreateTags", "batch:SubmitJob"} <= asked
    assert asked <= actions([*role.printed(), role.stacks()])


def test_the_policy_for_destroy_takes_nothing_of_others(box: Sandbox) -> None:
    role = trial(box)
    role.allow(role.printed(destroy=True)[-1:])
    names = names_of(role.settings, MODEL)
    role.owner("ecr").create_repository(repositoryName=names.repository)
    role.owner("ecs").create_cluster(clusterName=names.cluster)
    system = role.owner("efs").create_file_system(CreationToken="theirs")["FileSystemId"]
    container = {"name": "c", "image": "i", "memory": 64}
    family = names.task_definition
    role.owner("ecs").register_task_definition(family=family, containerDefinitions=[container])
    role.owner("batch").register_job_definition(
        jobDefinitionName=names.job_definition,
        type="container",
        containerProperties={
            "image": "i",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
        },
    )
    everybody = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    role.owner("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=everybody)
    role.owner("iam").put_role_policy(RoleName="theirs", PolicyName="guard", PolicyDocument=everybody)
    vpc = role.owner("ec2").create_vpc(CidrBlock="10.78.0.0/16")["Vpc"]["VpcId"]
    group = role.owner("ec2").create_security_group(GroupName="theirs", Description="x", VpcId=vpc)["GroupId"]
    acting = connect(role.settings.aws, role.environment, Silent())
    calls: tuple[Callable[[], object], ...] = (
        lambda: acting.iam.delete_role_policy(RoleName="theirs", PolicyName="guard"),
        lambda: acting.iam.delete_role(RoleName="theirs"),
        lambda: acting.ec2.delete_security_group(GroupId=group),
        lambda: acting.ecr.delete_repository(repositoryName=names.repository, force=True),
        lambda: acting.ecs.delete_cluster(cluster=names.cluster),
        lambda: acting.efs.delete_file_system(FileSystemId=system),
        lambda: acting.ecs.delete_task_definitions(taskDefinitions=[f"{family}:1"]),
        lambda: acting.batch.deregister_job_definition(jobDefinition=f"{names.job_definition}:1"),
    )
    for number, call in enumerate(calls):
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized|UnauthorizedOperation"):
            print(number, call())


def refused(*calls: Callable[[], object]) -> None:
    for number, call in enumerate(calls):
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized|UnauthorizedOperation"):
            print(number, call())


def test_nobody_tags_what_others_made_and_then_deletes_it(box: Sandbox) -> None:
    """Try it with all three documents at once."""
    role = trial(box)
    role.allow(role.printed(destroy=True))
    names, ecs = names_of(role.settings, MODEL), role.owner("ecs")
    cluster = ecs.create_cluster(clusterName=names.cluster)["cluster"]["clusterArn"]
    payroll = ecs.create_cluster(clusterName="payroll")["cluster"]["clusterArn"]
    container = {"name": "c", "image": "i", "memory": 64}
    definition = ecs.register_task_definition(family=names.task_definition, containerDefinitions=[container])
    arn = definition["taskDefinition"]["taskDefinitionArn"]
    service = ecs.create_service(
        cluster=cluster, serviceName=names.service, taskDefinition=arn, desiredCount=0, launchType="EC2"
    )["service"]["serviceArn"]
    acting = connect(role.settings.aws, role.environment, Silent())
    ours: Any = [{"key": TAG, "value": "cluster"}, {"key": "model-dockerize-stack", "value": "ground"}]
    other: Any = [{"key": f"{TAG}:run", "value": "7"}]
    acting.ecs.create_cluster(clusterName=names.cluster, tags=ours)  # which is there, and stays as it is
    acting.ecs.tag_resource(resourceArn=service, tags=other)  # what runs are told apart by
    acting.ecs.untag_resource(resourceArn=service, tagKeys=[f"{TAG}:run"])
    refused(
        *(
            lambda thing=thing: acting.ecs.tag_resource(resourceArn=thing, tags=ours)  # type: ignore[misc]
            for thing in (cluster, payroll, service, arn)
        ),
        lambda: acting.ecs.tag_resource(resourceArn=service, tags=[*other, *ours]),
        lambda: acting.ecs.untag_resource(resourceArn=service, tagKeys=[f"{TAG}:adopted"]),
        lambda: acting.ecs.delete_cluster(cluster=cluster),
        lambda: acting.ecs.delete_cluster(cluster=payroll),
        lambda: acting.ecs.delete_service(cluster=cluster, service=service),
        lambda: acting.ecs.delete_task_definitions(taskDefinitions=[arn]),
    )


def test_whoever_makes_the_role_of_a_function_becomes_no_more_than_its_boundary(box: Sandbox) -> None:
    of_functions = CONFIGURATIONS["S3-triggered function"]

    def bound(trial: Trial) -> Mapping[str, str]:
        document = json.dumps(boundary_policy(Where(trial.account, box.region)))
        made = trial.owner("iam").create_policy(PolicyName="bound", PolicyDocument=document)["Policy"]
        return {**of_functions.prepare(trial), "permissions_boundary": made["Arn"]}

    role = Trial(box, replace(of_functions, prepare=bound))
    role.allow(role.printed(destroy=True))
    name = function_role_name("on-upload", box.region)
    everybody = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{role.account}:root"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    everything = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    administrator, iam = (
        "arn:aws:iam::aws:policy/AdministratorAccess",
        connect(role.settings.aws, role.environment, Silent()).iam,
    )
    limit = role.settings.aws.permissions_boundary
    refused(
        lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust),
        lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, PermissionsBoundary=administrator),
        lambda: iam.create_role(RoleName="another", AssumeRolePolicyDocument=trust, PermissionsBoundary=limit),
    )
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, PermissionsBoundary=limit)
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=everything)
    refused(
        lambda: iam.attach_role_policy(RoleName=name, PolicyArn=administrator),
        lambda: iam.delete_role_permissions_boundary(RoleName=name),
        lambda: iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=administrator),
    )
    given = role.owner("sts").assume_role(RoleArn=f"arn:aws:iam::{role.account}:role/{name}", RoleSessionName="thief")[
        "Credentials"
    ]
    thief = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], box.region)
    refused(
        lambda: thief.client("iam", endpoint_url=box.endpoint_url).create_user(UserName="thief"),
        lambda: thief.client("ec2", endpoint_url=box.endpoint_url).describe_vpcs(),
    )


@pytest.mark.parametrize(
    ("action", "stage"),
    [
        ("ecr:CreateRepository", "push"),
        ("ecr:InitiateLayerUpload", "push"),
        ("ecr:PutImage", "push"),
        ("ecs:DescribeClusters", "foundations"),
        ("cloudformation:CreateChangeSet", "foundations"),
        ("iam:PassRole", "deploy"),
        ("ecs:CreateService", "deploy"),
    ],
)
def test_without_one_action_the_stage_that_needs_it_names_it_at_once(box: Sandbox, action: str, stage: str) -> None:
    role = trial(box)
    role.calls()  # those before
    report = role.without(action, "run")
    assert report.failure, f"the run needs no {action}"
    assert stage in failed_stages(report), report.failure
    assert named(action, report), report.failure
    assert action in report.failure.remedy
    assert report.failure.exit_code == (7 if action.startswith("ecr:") and action != "ecr:CreateRepository" else 8)
    calls = role.calls()
    refused = asked_for(action, calls)
    assert {call["outcome"] for call in refused} - {"ok"}, refused
    # Nothing is tried again: each attempt of a push has a login of its own, and Docker asks several times in one.
    assert len(asked_for("ecr:GetAuthorizationToken", calls)) <= 1
    if action not in ("iam:PassRole", "ecr:InitiateLayerUpload"):  # which several calls ask for
        assert len(refused) == 1, refused


@pytest.mark.parametrize("action", ["iam:CreateRole", "ec2:CreateSubnet", "logs:CreateLogGroup"])
def test_what_a_stack_lacks_ends_the_run_by_name_and_leaves_nothing_half_made(box: Sandbox, action: str) -> None:
    role = trial(box)
    report = role.without(action, "run")
    assert report.failure
    assert "foundations" in failed_stages(report)
    assert named(action, report), report.failure
    assert report.failure.exit_code == 8
    assert "let an administrator make the stack" in report.failure.remedy
    left = role.owner("cloudformation").describe_stacks()["Stacks"]
    assert {stack["StackStatus"] for stack in left} <= {"CREATE_COMPLETE"}


def asked_for(action: str, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the calls of which the policies were asked that."""
    return [call for call in calls if any(asked.startswith(f"{action} ") for asked in call["asked"])]


def test_a_denied_role_is_told_at_once_with_action_and_resource(box: Sandbox) -> None:
    role = trial(box)
    other = replace(role.settings.aws, role_to_assume=role.settings.aws.role_to_assume + "-of-nobody")
    role.calls()  # those before
    with pytest.raises(AwsAccessError, match=r"sts:AssumeRole on arn:aws:iam::\d+:role/deployer-of-nobody is not"):
        connect(other, role.environment, Silent())
    assert [(call["action"], call["outcome"]) for call in role.calls()] == [("AssumeRole", "AccessDenied")]


def token(secret: str, sub: str, audience: str = "sts.amazonaws.com") -> str:
    claims = {"sub": sub, "aud": audience, "iss": f"https://{PROVIDER}", "exp": int(time.time()) + 600}
    return jwt.encode(claims, secret, "HS256")


@pytest.mark.parametrize(
    ("sub", "audience", "allowed"),
    [
        ("repo:o/r:ref:refs/heads/main", "sts.amazonaws.com", True),
        ("repo:o@3/r@7:ref:refs/heads/main", "sts.amazonaws.com", True),
        ("repo:o/r:ref:refs/heads/other", "sts.amazonaws.com", False),
        ("repo:o/r:pull_request", "sts.amazonaws.com", False),
        ("repo:o@3/r@8:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("repo:o/r:ref:refs/heads/main", "https://github.com/o", False),
    ],
)
def test_the_printed_trust_admits_the_repository_in_both_of_its_spellings(
    box: Sandbox, sub: str, audience: str, allowed: bool
) -> None:
    owner = trial(box, "push only")
    document = permissions.trust_policy("o/r", "7", "3", Where(owner.account, box.region))
    iam = owner.owner("iam")
    iam.create_open_id_connect_provider(Url=f"https://{PROVIDER}", ClientIDList=["sts.amazonaws.com"])
    iam.create_role(RoleName="by-github", AssumeRolePolicyDocument=json.dumps(document))
    assume: dict[str, Any] = {"RoleArn": f"arn:aws:iam::{owner.account}:role/by-github", "RoleSessionName": "ci"}
    assume["WebIdentityToken"] = token(box.secret_key, sub, audience)
    sts = owner.owner("sts")
    if allowed:
        assert sts.assume_role_with_web_identity(**assume)["Credentials"]
        return
    with pytest.raises(ClientError) as caught:
        sts.assume_role_with_web_identity(**assume)
    assert caught.value.response["Error"]["Code"] in ("AccessDenied", "InvalidIdentityToken")


def test_a_wrong_secret_and_an_unknown_key_are_nobody(box: Sandbox) -> None:
    iam = trial(box, "push only").owner("iam")
    iam.create_user(UserName="known")
    issued = iam.create_access_key(UserName="known")["AccessKey"]["AccessKeyId"]
    for key, secret in ((issued, "guessed"), ("AKIAUNKNOWN", box.secret_key)):
        environment = {**box.environment(), "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        with pytest.raises(AwsAccessError, match="does not accept the credentials"):
            connect(AwsSettings("", ""), environment, Silent())


def test_the_doctor_knows_beforehand_what_is_not_allowed(box: Sandbox) -> None:
    role = trial(box, "push only")
    simulating = {
        "Statement": [{"Effect": "Allow", "Action": ["iam:SimulatePrincipalPolicy", "iam:GetRole"], "Resource": "*"}]
    }
    role.allow([*role.printed(), simulating])
    whole = role.do("doctor")
    (finding,) = [f for f in whole.findings if f.name == "permissions"]
    assert (whole.outcome, finding.status) == ("ready", "ok"), whole.failure
    role.allow([simulating, *document_without(role, "ecr:PutImage")])
    lacking = role.do("doctor")
    (finding,) = [f for f in lacking.findings if f.name == "permissions"]
    assert finding.status == "failed"
    assert f"ecr:PutImage on arn:aws:ecr:{box.region}:{role.account}:repository/{MODEL}" in finding.text
    assert lacking.failure and lacking.failure.exit_code == 8


def document_without(role: Trial, action: str) -> list[dict[str, Any]]:
    return [without(document, action) for document in role.printed()]


def test_the_doctor_says_what_it_could_not_know(box: Sandbox) -> None:
    role = trial(box)
    report = role.do("doctor")
    found = {finding.name: finding for finding in report.findings}
    assert report.outcome == "ready", report.failure
    assert found["permissions"].status == "unknown"
    assert "iam:SimulatePrincipalPolicy is not allowed" in found["permissions"].text
    assert "ecs:CreateService" in found["permissions"].text
    role.allow(document_without(role, "ecs:DescribeClusters"), lacking="ecs:DescribeClusters")
    blind = role.do("doctor")
    assert next(finding.name for finding in blind.findings if finding.status == "failed") == "foundations"
    assert blind.failure and blind.failure.exit_code == 8
