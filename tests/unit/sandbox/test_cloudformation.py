"""The sandbox's CloudFormation: what its resources call, held against AWS's own schemas; what it refuses."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.cloudformation import load_balancing, network, stack_rules
from model_sandbox.cloudformation.conditions import with_joins
from model_sandbox.cloudformation.file_system import access_point_parameters
from model_sandbox.cloudformation.resource import InvalidPropertyError
from model_sandbox.cloudformation.role import InstanceProfile, Role
from model_sandbox.ec2_gaps import Ec2Gaps
from model_sandbox.listener_rules import ListenerRules, Turns

TRUST = {"Version": "2012-10-17", "Statement": []}


class Recorder:
    """A client of any service that notes its calls, and refuses those that are named."""

    def __init__(self, *refused: str) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refused = refused
        self.exceptions = SimpleNamespace(NoSuchEntityException=KeyError)

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> dict[str, Any]:
            self.calls.append((operation, parameters))
            if operation in self.refused:
                raise PermissionError(operation)
            return {
                "Role": {"Arn": "arn", "RoleId": "id"},
                "AttachedPolicies": [{"PolicyArn": "arn:p"}],
                "PolicyNames": ["q"],
            }

        return call

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


def test_a_property_that_is_not_known_is_refused_and_not_ignored() -> None:
    client = Recorder()
    with pytest.raises(InvalidPropertyError, match="unsupported property InstanceTenancy"):
        network.Vpc(lambda _: client).create("v", {"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "dedicated"})
    with pytest.raises(InvalidPropertyError, match=r"required key \[AssumeRolePolicyDocument\] not found"):
        Role(lambda _: client).create("r", {})
    assert client.calls == []


def test_what_could_not_be_made_whole_is_removed_again() -> None:
    client = Recorder("put_role_policy")
    policies = [{"PolicyName": "p", "PolicyDocument": {}}]
    with pytest.raises(PermissionError):
        Role(lambda _: client).create("r", {"AssumeRolePolicyDocument": TRUST, "Policies": policies})
    assert client.operations() == [
        *("create_role", "put_role_policy", "list_attached_role_policies", "detach_role_policy"),
        *("list_role_policies", "delete_role_policy", "delete_role"),
    ]


def test_a_role_changes_only_what_differs() -> None:
    client = Recorder()
    old = {
        "AssumeRolePolicyDocument": TRUST,
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        "Policies": [{"PolicyName": "gone", "PolicyDocument": {}}, {"PolicyName": "same", "PolicyDocument": {}}],
        "ManagedPolicyArns": ["arn:x"],
    }
    new = {
        **old,
        "Tags": [{"Key": "a", "Value": "1"}],
        "Policies": [old["Policies"][1], {"PolicyName": "new", "PolicyDocument": {"Version": "2012-10-17"}}],
        "PermissionsBoundary": "arn:b",
    }
    Role(lambda _: client).update("r", old, new)
    assert client.operations() == [
        "put_role_permissions_boundary",
        "untag_role",
        "tag_role",
        "put_role_policy",
        "delete_role_policy",
        "get_role",
    ]
    assert json.loads(client.calls[3][1]["PolicyDocument"]) == {"Version": "2012-10-17"}


def test_rules_of_a_group_are_added_before_others_are_taken_away() -> None:
    client = Recorder()
    rule = {"IpProtocol": "tcp", "FromPort": "80", "ToPort": "80", "CidrIp": "10.0.0.0/8", "Description": "d"}
    other = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "SourceSecurityGroupId": "sg-2"}
    group = {"GroupDescription": "d", "VpcId": "vpc-1"}
    network.SecurityGroup(lambda _: client).update(
        "sg-1", {**group, "SecurityGroupIngress": [rule]}, {**group, "SecurityGroupIngress": [other]}
    )
    assert client.operations() == ["authorize_security_group_ingress", "revoke_security_group_ingress"]
    assert client.calls[0][1]["IpPermissions"] == [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": "sg-2"}]}
    ]
    assert client.calls[1][1]["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "d"}]


def test_words_of_a_template_become_the_numbers_of_an_operation() -> None:
    owner = {"OwnerUid": "1000", "OwnerGid": "1000", "Permissions": "0755"}
    given = {"PosixUser": {"Uid": "1000"}, "RootDirectory": {"Path": "/iris", "CreationInfo": owner}}
    assert access_point_parameters(given) == {
        "PosixUser": {"Uid": 1000},
        "RootDirectory": {
            "Path": "/iris",
            "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0755"},
        },
    }
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a", "Weight": "3"}]}}]
    assert load_balancing.weighted(actions)[0]["ForwardConfig"]["TargetGroups"][0]["Weight"] == 3
    assert actions[0]["ForwardConfig"]["TargetGroups"][0]["Weight"] == "3"


def test_names_of_load_balancers_keep_the_end_that_tells_them_apart() -> None:
    short = load_balancing.short_name("model-dockerize-a-long-model-name-LoadBalancer-1A2B3C4D5E6F")
    assert short == "model-dockerize-a-l-1A2B3C4D5E6F"
    assert len(short) == 32
    assert load_balancing.short_name("iris-1A2B") == "iris-1A2B"


STACK = {"StackName": "s", "StackId": "arn:s", "StackStatus": "CREATE_COMPLETE"}


@pytest.mark.parametrize(
    ("status", "operation", "kind", "code"),
    [
        ("ROLLBACK_COMPLETE", "CreateStack", "", "AlreadyExistsException"),
        ("ROLLBACK_COMPLETE", "CreateChangeSet", "CREATE", "ValidationError"),
        ("ROLLBACK_COMPLETE", "CreateChangeSet", "UPDATE", "ValidationError"),
        ("UPDATE_ROLLBACK_FAILED", "UpdateStack", "", "ValidationError"),
        ("UPDATE_IN_PROGRESS", "ExecuteChangeSet", "", "ValidationError"),
        ("UPDATE_IN_PROGRESS", "DeleteStack", "", "ValidationError"),
        ("REVIEW_IN_PROGRESS", "CreateChangeSet", "CREATE", None),
        ("REVIEW_IN_PROGRESS", "ExecuteChangeSet", "", None),
        ("UPDATE_ROLLBACK_COMPLETE", "CreateChangeSet", "UPDATE", None),
        ("UPDATE_ROLLBACK_FAILED", "ContinueUpdateRollback", "", None),
        ("ROLLBACK_COMPLETE", "DeleteStack", "", None),
        ("REVIEW_IN_PROGRESS", "DeleteStack", "", None),
        ("DELETE_COMPLETE", "CreateChangeSet", "CREATE", None),
    ],
)
def test_operations_are_refused_by_the_state_of_the_stack(
    status: str, operation: str, kind: str, code: str | None
) -> None:
    refused = stack_rules.refusal(operation, {**STACK, "StackStatus": status}, kind, "c")
    assert (refused[0] if refused else None) == code


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("DetectStackDrift", {}),
        ("SetStackPolicy", {}),
        ("CreateStack", {"StackPolicyBody": "{}"}),
        ("CreateChangeSet", {"DeploymentConfig.Mode": "EXPRESS"}),
        ("CreateChangeSet", {"ImportExistingResources": "true"}),
        ("DescribeChangeSet", {"IncludePropertyValues": "true"}),
    ],
)
def test_what_the_sandbox_cannot_do_is_refused_and_not_taken_for_nothing(
    operation: str, parameters: dict[str, str]
) -> None:
    refused = stack_rules.lacking(operation, parameters)
    assert refused
    assert "The sandbox's CloudFormation has no " in refused[1]


def test_what_is_ordinary_is_not_refused() -> None:
    parameters = {"DeploymentConfig.Mode": "STANDARD", "ImportExistingResources": "false", "StackName": "s"}
    assert stack_rules.lacking("CreateChangeSet", parameters) is None


def test_exports_that_are_imported_stay_as_they_are() -> None:
    exports = {"e": {"StackId": "arn:s", "Value": "1"}, "other": {"StackId": "arn:aws:x/theirs/1", "Value": "1"}}
    check = stack_rules.check_exports
    assert check({"e": {"Value": "1"}}, "arn:s", exports, lambda _: ["user"]) == []
    assert check({}, "arn:s", exports, lambda _: []) == ["e"]
    with pytest.raises(ValueError, match="cannot be updated as it is in use by user"):
        check({"e": {"Value": "2"}}, "arn:s", exports, lambda _: ["user"])
    with pytest.raises(ValueError, match="cannot be deleted as it is in use by user"):
        check({}, "arn:s", exports, lambda _: ["user"])
    with pytest.raises(ValueError, match="already exported by stack theirs"):
        check({"other": {"Value": "1"}}, "arn:s", exports, lambda _: [])


def test_who_imports_is_told_by_name_and_the_deleted_do_not_count() -> None:
    def stack(name: str, status: str = "UPDATE_IN_PROGRESS") -> dict[str, str]:
        return {"StackName": name, "StackId": f"arn:{name}", "StackStatus": status}

    every = [stack("b"), stack("a"), stack("gone", "DELETE_COMPLETE"), stack("owner")]
    assert stack_rules.importers("e", "arn:owner", every, lambda _: {"e"}) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [("HTTP of the model", True), ("a._-:/()#,@[]+=&;{}!$*", True), ("the model's", False), ("für", False)],
)
def test_ec2_takes_only_its_characters_in_descriptions(text: str, is_allowed: bool) -> None:
    gaps = Ec2Gaps(SimpleNamespace(ec2=Ec2(), efs=None))  # type: ignore[arg-type]
    rule = gaps._rule_is_described({"IpPermissions.1.IpRanges.1.Description": text})
    group = gaps._group_is_described({"GroupDescription": text, "GroupName": "g"})
    assert (rule is None, group is None) == (is_allowed, is_allowed)
    if rule:
        assert rule[1].startswith("Invalid rule description.")


class Ec2:
    """The part of ministack's EC2 that the checks use."""

    @staticmethod
    def _p(params: dict[str, str], name: str) -> str:
        return params.get(name, "")

    @staticmethod
    def _error(code: str, message: str, _status: int) -> Any:
        return code, message


def test_connections_follow_the_first_rule_and_its_weights() -> None:
    def forward(*groups: tuple[str, int]) -> list[dict[str, Any]]:
        members = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": members}}]

    listener = {"LoadBalancerArn": "lb", "DefaultActions": [{"Type": "fixed-response"}]}
    elb = SimpleNamespace(
        _listeners={"l": listener, "plain": {**listener, "DefaultActions": [{"TargetGroupArn": "blue"}]}},
        _rules={
            "late": {"ListenerArn": "l", "Priority": "10", "Actions": forward(("other", 1))},
            "first": {"ListenerArn": "l", "Priority": "2", "Actions": forward(("blue", 100), ("green", 0))},
            "default": {"ListenerArn": "l", "Priority": "default", "IsDefault": True, "Actions": []},
        },
        _tgs={"blue": {}, "green": {}, "lone": {}},
    )
    by_header = {"Conditions": [{"Field": "http-header", "Values": []}], "Actions": forward(("other", 1))}
    elb._rules["test"] = {"ListenerArn": "l", "Priority": "1", **by_header}
    rules = ListenerRules(elb)
    assert rules.forwards("l") == [("blue", 100), ("green", 0)]
    assert rules.forwards("plain") == [("blue", 1)]
    rules.note_load_balancers()
    assert elb._tgs == {arn: {"LoadBalancerArns": known} for arn, known in LOAD_BALANCERS.items()}


def test_what_ecs_writes_into_a_rule_has_weights_and_no_plain_group() -> None:
    elb = SimpleNamespace(
        _rules={"r": {"ListenerArn": "l", "Actions": [{"TargetGroupArn": "a"}]}}, _listeners={}, _tgs={}
    )
    rules = ListenerRules(elb)
    assert (rules.weights("r"), rules.weights("gone")) == ({"a": 1}, None)
    rules.write_weights("r", {"a": 90, "b": 10})
    assert rules.weights("r") == {"a": 90, "b": 10}
    assert "TargetGroupArn" not in elb._rules["r"]["Actions"][0]


def test_connections_are_shared_out_evenly_by_weights() -> None:
    turns = Turns()
    seen = [turns.next("l", [("a", 90), ("b", 10), ("c", 0)]) for _ in range(100)]
    assert (seen.count("a"), seen.count("b")) == (90, 10)
    assert all("b" in seen[start : start + 10] for start in range(0, 100, 10))
    assert turns.next("l", [("a", 0), ("b", 100)]) == "b", "a shift counts at once"
    assert turns.next("l", [("a", 0)]) is None


LOAD_BALANCERS: dict[str, list[str]] = {"blue": ["lb"], "green": ["lb"], "lone": []}


def test_an_instance_profile_takes_the_roles_that_are_new_to_it_alone() -> None:
    client = Recorder()
    InstanceProfile(lambda _: client)._settle("p", {"Roles": ["a", "b"]}, {"Roles": ["b", "c"]})
    assert [(operation, told["RoleName"]) for operation, told in client.calls] == [
        ("remove_role_from_instance_profile", "a"),
        ("add_role_to_instance_profile", "c"),
    ]


@pytest.mark.parametrize(
    ("secrets", "told"),
    [("", ""), ("arn:a", "arn:a"), ("arn:a,arn:b", "arn:a+arn:b")],
)
def test_conditions_may_join_a_list(secrets: str, told: str) -> None:
    joined = {"Fn::Join": ["+", {"Ref": "Secrets"}]}
    template = {"Conditions": {"Has": {"Fn::Not": [{"Fn::Equals": [joined, ""]}]}}, "Resources": {}}
    read = with_joins(template, {"Secrets": {"Value": secrets}})
    assert read["Conditions"] == {"Has": {"Fn::Not": [{"Fn::Equals": [told, ""]}]}}
    of_texts = {"Conditions": {"Is": {"Fn::Equals": [{"Fn::Join": ["-", ["a", {"Ref": "Secrets"}]]}, "a-b"]}}}
    assert with_joins(of_texts, {"Secrets": {"Value": "b"}})["Conditions"] == {"Is": {"Fn::Equals": ["a-b", "a-b"]}}
