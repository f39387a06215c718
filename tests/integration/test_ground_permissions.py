"""The policies of the ground, enforced: they suffice for both stacks, and nobody may more by them than before."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize import sandbox
from model_dockerize.aws.client import Aws, connect
from model_dockerize.aws.ground import permissions, template
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.names import volume_stack
from model_dockerize.aws.ground.stacks import delete_stack, describe_stack, ensure_stack
from model_dockerize.aws.ground.template import MODEL, VOLUME, Template, load
from model_dockerize.aws.ground.values import TAG, Stack, Wanted
from model_dockerize.aws.iam.statement import Where
from model_dockerize.errors import AwsAccessError, ModelDockerizeError
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox
from model_dockerize.settings import AwsSettings
from tests.rig.homes import NewHome

ACCOUNT = "123456789012"
WHERE = Where(ACCOUNT, "us-east-1")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{permissions.SERVICE_ROLE}"
BOUND = f"arn:aws:iam::{ACCOUNT}:policy/{permissions.BOUNDARY}"
SHARED = {
    **{"Network": "true", "ZoneA": "us-east-1a", "ZoneB": "us-east-1b", "Cluster": "models", "Private": "true"},
    **{"Instances": "true", "PermissionsBoundary": BOUND},
}


@dataclass(frozen=True)
class Caller:
    """Somebody with credentials of one sandbox."""

    aws: Aws

    def ensure(self, name: str, template: Template, parameters: dict[str, str], role: str = ROLE) -> Stack:
        wanted = Wanted(name, template, parameters, role=role)
        return ensure_stack(self.aws, wanted, Silent(), Pace(limit=60, first=0.05, longest=0.3))

    def delete(self, name: str) -> tuple[str, ...]:
        return delete_stack(self.aws, name, Silent(), Pace(limit=60, first=0.05, longest=0.3))

    def client(self, service: str) -> Any:
        return self.aws.client(service)


@pytest.fixture(scope="module")
def box(new_home: NewHome) -> Iterator[Sandbox]:
    home = new_home("mdbound")
    yield sandbox.start(home, Silent(), "enforced")
    sandbox.stop(home, Silent())


def signed_in(box: Sandbox, **keys: str) -> Caller:
    return Caller(connect(AwsSettings("", ""), box.applied_to(os.environ) | keys, Silent()))


@pytest.fixture(scope="module")
def administrator(box: Sandbox) -> Caller:
    """Make, once, the role and the bound as an administrator does."""
    owner = signed_in(box)
    iam = owner.client("iam")
    bound = json.dumps(permissions.boundary_policy(WHERE))
    iam.create_policy(PolicyName=permissions.BOUNDARY, PolicyDocument=bound)
    service = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [service]})
    iam.create_role(RoleName=permissions.SERVICE_ROLE, AssumeRolePolicyDocument=trust)
    document = json.dumps(permissions.service_role_policy(WHERE))
    iam.put_role_policy(RoleName=permissions.SERVICE_ROLE, PolicyName="ground", PolicyDocument=document)
    owner.ensure("model-dockerize", load(template.SHARED), SHARED)
    return owner


@pytest.fixture(scope="module")
def ci(box: Sandbox, administrator: Caller) -> Caller:
    """Make the user who runs model-dockerize from then on."""
    iam = administrator.client("iam")
    iam.create_user(UserName="ci")
    document = json.dumps(permissions.caller_policy(WHERE))
    iam.put_user_policy(UserName="ci", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    return signed_in(box, AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])


def shared_outputs(administrator: Caller) -> Mapping[str, str]:
    stack = describe_stack(administrator.aws, "model-dockerize")
    assert stack
    return stack.outputs


def model(administrator: Caller, name: str = "iris", **changes: str) -> dict[str, str]:
    out = shared_outputs(administrator)
    return {
        **{"Shared": "model-dockerize", "Model": name, "LogGroup": f"/model-dockerize/{name}", "Repository": name},
        "PermissionsBoundary": BOUND,
        **{"LoadBalancer": "own", "BalancerSubnets": f"{out['PublicA']},{out['PublicB']}"},
        **changes,
    }


def test_they_suffice_for_the_whole_life_of_both_stacks(administrator: Caller, ci: Caller) -> None:
    shared, own = load(template.SHARED), load(MODEL)
    assert ci.ensure("model-dockerize", shared, SHARED).action == "leave"
    assert ci.ensure("model-dockerize-iris", own, model(administrator)).action == "make"
    assert ci.ensure("model-dockerize-iris", own, model(administrator)).action == "leave"
    secret = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:a-AbCdEf"
    assert ci.ensure("model-dockerize-iris", own, model(administrator, Secrets=secret)).action == "change"
    out = shared_outputs(administrator)
    mounts = {"Volume": "data", "Shared": "model-dockerize", "SubnetA": out["PrivateA"], "SubnetB": out["PrivateB"]}
    data, store = volume_stack("data"), load(VOLUME)
    volume = ci.ensure(data, store, mounts).outputs
    on_it = {"Volume": volume["FileSystem"], "VolumeStack": data, "VolumeGroup": volume["Group"]}
    assert ci.ensure("model-dockerize-iris", own, model(administrator, **on_it)).action == "change"
    # One of somebody else, too, gets an access point.
    theirs = administrator.client("efs").create_file_system(CreationToken="given")["FileSystemId"]
    given = {"Volume": theirs, "VolumeStack": "", "VolumeGroup": ""}
    assert ci.ensure("model-dockerize-wine", own, model(administrator, "wine", **given)).action == "make"
    assert ci.delete("model-dockerize-wine") == ()
    assert ci.delete("model-dockerize-iris") == ()
    assert len(ci.delete(data)) == 1
    other = {**SHARED, "Cluster": "others"}
    assert administrator.ensure("model-dockerize-other", shared, other).action == "make"
    assert administrator.ensure("model-dockerize-other", shared, {**other, "ZoneC": "us-east-1c"}).action == "change"
    assert administrator.delete("model-dockerize-other") == ()


def refused(call: Callable[[], object], action: str) -> None:
    with pytest.raises(AwsAccessError) as caught:
        call()
    assert action in f"{caught.value} {caught.value.details}"


def test_a_caller_changes_no_stack_but_those_of_models_and_only_by_the_role(administrator: Caller, ci: Caller) -> None:
    shared, own = load(template.SHARED), load(MODEL)
    refused(lambda: ci.ensure("model-dockerize", shared, {"ZoneC": "us-east-1c"}), "cloudformation:CreateChangeSet")
    refused(lambda: ci.ensure("payroll", own, model(administrator, "pay")), "cloudformation:DescribeStacks")
    refused(
        lambda: ci.ensure("model-dockerize-wine", own, model(administrator, "wine"), role=""),
        "cloudformation:CreateChangeSet",
    )
    administrator.client("iam").create_role(
        RoleName="model-dockerize-task", AssumeRolePolicyDocument=json.dumps(ALL), PermissionsBoundary=BOUND
    )
    iam, task = ci.client("iam"), {"RoleName": "model-dockerize-task"}
    attacks: tuple[Callable[[], object], ...] = (
        lambda: iam.create_role(RoleName="model-dockerize-x", AssumeRolePolicyDocument="{}"),
        lambda: iam.attach_role_policy(**task, PolicyArn=ADMINISTRATOR["ManagedPolicyArns"][0]),
        lambda: iam.put_role_policy(**task, PolicyName="all", PolicyDocument=json.dumps(ALL)),
        lambda: iam.update_assume_role_policy(**task, PolicyDocument=json.dumps(ALL)),
        lambda: iam.delete_role_permissions_boundary(**task),
        lambda: iam.put_user_policy(UserName="ci", PolicyName="p", PolicyDocument=json.dumps(ALL)),
    )
    for attack in attacks:
        with pytest.raises(ClientError, match="AccessDenied"):
            attack()


def role(policy: dict[str, Any], **properties: Any) -> Template:
    """Return a template of an attacker who may change stacks of models."""
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    made = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}, **properties},
    }
    made["Properties"] |= policy  # type: ignore[operator]
    outputs = {"Fingerprint": {"Value": {"Ref": "Fingerprint"}}}
    parameters = {"Fingerprint": {"Type": "String"}}
    return Template.of(json.dumps({"Parameters": parameters, "Resources": {"R": made}, "Outputs": outputs}))


ADMINISTRATOR = {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def test_no_template_makes_a_role_that_may_more_than_the_bound(ci: Caller) -> None:
    inline = {"Policies": [{"PolicyName": "all", "PolicyDocument": ALL}]}
    for body, action in (
        (role(inline), "iam:CreateRole"),
        (role(ADMINISTRATOR, PermissionsBoundary=BOUND), "iam:AttachRolePolicy"),
        (role(ADMINISTRATOR, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"), "iam:CreateRole"),
        (role(inline, RoleName="other", PermissionsBoundary=BOUND), "CAPABILITY_NAMED_IAM"),
    ):
        with pytest.raises(ModelDockerizeError) as caught:
            ci.ensure("model-dockerize-attack", body, {})
        assert action in f"{caught.value} {caught.value.details}"
    # Within the bound it may be written what one likes: the bound holds.
    ci.ensure("model-dockerize-attack", role(inline, PermissionsBoundary=BOUND), {})
    ci.delete("model-dockerize-attack")


def test_the_role_touches_nothing_that_is_not_ours(box: Sandbox, administrator: Caller) -> None:
    ec2, efs, elb = (administrator.client(name) for name in ("ec2", "efs", "elbv2"))
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("ab")
    ]
    system = efs.create_file_system(CreationToken="theirs")["FileSystemId"]
    balancer = elb.create_load_balancer(Name="theirs", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    iam = administrator.client("iam")
    iam.create_user(UserName="as-role")
    document = json.dumps(permissions.service_role_policy(WHERE))
    # Too long for an inline one of a user.
    policy = iam.create_policy(PolicyName="as-role", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="as-role", PolicyArn=policy)
    key = iam.create_access_key(UserName="as-role")["AccessKey"]
    taken = signed_in(box, AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
    tag = [TAG]
    attacks: list[Callable[[], object]] = [
        lambda: taken.client("ec2").delete_vpc(VpcId=vpc),
        lambda: taken.client("ec2").delete_subnet(SubnetId=subnets[0]),
        lambda: taken.client("ec2").create_tags(Resources=[vpc], Tags=tag),
        lambda: taken.client("efs").delete_file_system(FileSystemId=system),
        lambda: taken.client("efs").tag_resource(ResourceId=system, Tags=tag),
        lambda: taken.client("elbv2").delete_load_balancer(LoadBalancerArn=balancer),
        lambda: taken.client("elbv2").add_tags(ResourceArns=[balancer], Tags=tag),
        lambda: taken.client("logs").delete_log_group(logGroupName="/payroll"),
        lambda: taken.client("iam").update_assume_role_policy(
            RoleName=permissions.SERVICE_ROLE, PolicyDocument=json.dumps(ALL)
        ),
        lambda: taken.client("iam").put_role_policy(
            RoleName=permissions.SERVICE_ROLE, PolicyName="p", PolicyDocument=json.dumps(ALL)
        ),
    ]
    for attack in attacks:
        with pytest.raises(ClientError) as caught:
            attack()
        assert "not authorized" in str(caught.value)
