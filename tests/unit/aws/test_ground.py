"""The ground's templates, and the driver where no CloudFormation is needed."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.aws.ground import stacks
from model_dockerize.aws.ground.change_set import create_change_set, plan_change_set
from model_dockerize.aws.ground.events import End, Pace, follow
from model_dockerize.aws.ground.planned import make_stack
from model_dockerize.aws.ground.template import MODEL, SHARED, VOLUME, Template, load
from model_dockerize.aws.ground.values import TAG, ResourceChange, Stack, Wanted
from model_dockerize.aws.model import TO_COME
from model_dockerize.errors import AwsAccessError, AwsError, InputError, TimedOutError
from model_sandbox.cloudformation.resource_types import RESOURCE_TYPES
from tests.rig import templates
from tests.rig.progress import Said
from tests.rig.stack_template import Evaluation

EVERY = (SHARED, MODEL, VOLUME)
EACH = pytest.mark.parametrize("name", EVERY)


@EACH
def test_the_sandbox_knows_every_type_and_property(name: str) -> None:
    for resource in templates.resources(load(name).body).values():
        kind = RESOURCE_TYPES[resource["Type"]]
        assert set(resource.get("Properties", {})) <= set(kind.properties)


@EACH
def test_only_what_needs_a_name_has_one(name: str) -> None:
    named = {
        (logical, key)
        for logical, resource in templates.resources(load(name).body).items()
        for key in resource.get("Properties", {})
        if key.endswith("Name") and key != "ServiceName"
    }
    own = {SHARED: {("EcsCluster", "ClusterName")}, MODEL: {("Log", "LogGroupName")}}
    assert named == own.get(name, set())


@EACH
def test_no_template_has_a_tag_of_the_stacks_own_key(name: str) -> None:
    assert TAG["Key"] not in load(name).body  # a resource with two tags of one key is refused


def test_data_outlives_the_stack_and_nothing_else_does() -> None:
    kept = {
        logical: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name in EVERY
        for logical, resource in templates.resources(load(name).body).items()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert kept == {"FileSystem": ("RetainExceptOnCreate", "Retain")}


def test_every_role_can_be_bounded() -> None:
    roles = [
        resource
        for name in EVERY
        for resource in templates.resources(load(name).body).values()
        if resource["Type"] == "AWS::IAM::Role"
    ]
    assert len(roles) == 4
    assert all("PermissionsBoundary" in role["Properties"] for role in roles)


def test_a_fingerprint_is_of_the_meaning() -> None:
    one = Template.of("Parameters: {A: {Type: String}}\nOutputs: {X: {Value: !Ref A}}\n")
    same = Template.of("# said\nOutputs:\n  X:\n    Value: {Ref: A}\nParameters: {A: {Type: String}}\n")
    other = Template.of("Parameters: {A: {Type: String}}\nOutputs: {X: {Value: !GetAtt A.B}}\n")
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.parameters == {"A"}


def wished(name: str) -> st.SearchStrategy[dict[str, str]]:
    """Return parameters to draw: some say no more than the default, some say something."""
    says = {"TestPort": "10080", "Port": "443", "LoadBalancer": "own"}
    each = {
        parameter: st.sampled_from(("", says.get(parameter, "x"), "true", "false"))
        for parameter in sorted(load(name).parameters)
    }
    return st.fixed_dictionaries({}, optional=each)


@EACH
@given(data=st.data())
def test_what_a_new_stack_would_have_is_told_by_its_template(name: str, data: st.DataObject) -> None:
    wanted = data.draw(wished(name))
    judge = Evaluation(templates.document(load(name).body), wanted, {}, str)
    assert sorted(logical for logical, _ in load(name).resources(wanted)) == sorted(judge.order())


class Absent:
    """CloudFormation without a stack. Whatever else it is asked fails the test."""

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803 - as AWS has it
        raise ClientError({"Error": {"Message": f"Stack with id {StackName} does not exist"}}, "DescribeStacks")


def test_a_plan_of_a_new_stack_makes_none() -> None:
    aws: Any = SimpleNamespace(client=lambda _: Absent())
    wanted = Wanted("v", load(VOLUME), {"Volume": "data", "SubnetA": "subnet-1"})
    planned = stacks.plan_stack(aws, wanted)
    assert "+ MountA (AWS::EFS::MountTarget)" in map(str, planned)
    assert "MountB" not in {each.logical_id for each in planned}
    with pytest.raises(InputError, match="4096"):
        stacks.plan_stack(aws, replace(wanted, parameters={"Volume": "v" * 4097}))


def test_of_what_is_made_anew_a_plan_knows_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    change = ResourceChange("Modify", "TaskGroup", "AWS::EC2::SecurityGroup", "True", ("VpcId",))
    monkeypatch.setattr("model_dockerize.aws.ground.planned.plan_stack", lambda *_: (change,))
    seen = Stack("s", "arn:s", "CREATE_COMPLETE", {}, {"TaskGroup": "sg-1", "LogGroup": "/iris"}, (), ())
    aws: Any = SimpleNamespace(only_asks=True, settled=lambda *_: None)
    planned = make_stack(aws, Wanted("s", load(MODEL)), seen, Said())
    assert (planned.outputs["TaskGroup"], planned.outputs["LogGroup"]) == (TO_COME, "/iris")


@pytest.mark.parametrize(("planned", "action"), [(None, "leave"), ((), "change")])
def test_a_stack_of_which_only_outputs_or_tags_change_is_planned_as_changed(
    planned: Any, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_dockerize.aws.ground.planned.plan_stack", lambda *_: planned)
    seen = Stack("s", "arn:s", "CREATE_COMPLETE", {}, {}, (), ())
    told: list[Any] = []
    aws: Any = SimpleNamespace(only_asks=True, settled=lambda _, *what: told.append(what))
    assert make_stack(aws, Wanted("s", load(MODEL)), seen, Said()).action == action
    assert told == [(action, "stack", "s")]


TEMPLATE = Template("body", "f1", frozenset({"Fingerprint", "A", "B"}))


def shown(**changes: Any) -> dict[str, Any]:
    """Return a stack as DescribeStacks shows it."""
    return {
        "StackName": "s",
        "StackId": "arn:s",
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "ParameterValue": "2"}],
        "Outputs": [{"OutputKey": "Fingerprint", "OutputValue": "f1"}],
        "Tags": [TAG],
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "parameters", "tags", "suits"),
    [
        ({}, {"A": "1"}, {}, True),
        ({}, {}, {}, True),
        ({"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}, {"A": "1"}, {}, True),
        ({"StackStatus": "UPDATE_FAILED"}, {"A": "1"}, {}, False),
        ({}, {"A": "2"}, {}, False),
        ({}, {"C": ""}, {}, False),
        ({}, {"A": "1"}, {"team": "a"}, False),
        ({"Tags": [{"Key": "team", "Value": "a"}, TAG]}, {"A": "1"}, {"team": "a"}, True),
        ({"Outputs": [{"OutputKey": "Fingerprint", "OutputValue": "f0"}]}, {"A": "1"}, {}, False),
    ],
)
def test_one_look_tells_whether_anything_differs(
    changes: dict[str, Any], parameters: dict[str, str], tags: dict[str, str], suits: bool
) -> None:
    assert Stack.of(shown(**changes)).suits(Wanted("s", TEMPLATE, parameters, tags)) is suits


def test_a_way_back_that_cannot_be_finished_tells_how_to_leave_a_resource_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "follow", lambda *_: End("UPDATE_ROLLBACK_FAILED", ("no such role",)))
    client = SimpleNamespace(continue_update_rollback=lambda **_: None)
    stack = Stack.of(shown(StackStatus="UPDATE_ROLLBACK_FAILED"))
    with pytest.raises(AwsError, match="no such role") as failed:
        stacks._way_back_continued(client, stack, Said(), Pace())
    assert "continue-update-rollback --stack-name s --resources-to-skip" in failed.value.remedy


@pytest.mark.parametrize(
    ("status", "is_there"),
    [
        *(
            ("CREATE_COMPLETE", True),
            ("UPDATE_ROLLBACK_COMPLETE", True),
            ("CREATE_IN_PROGRESS", True),
            ("DELETE_FAILED", True),
        ),
        *(("REVIEW_IN_PROGRESS", False), ("ROLLBACK_COMPLETE", False), ("CREATE_FAILED", False)),
    ],
)
def test_a_stack_that_was_never_made_says_nothing_of_what_is_to_stay(status: str, is_there: bool) -> None:
    client = SimpleNamespace(describe_stacks=lambda **_: {"Stacks": [shown(StackStatus=status)]})
    aws: Any = SimpleNamespace(client=lambda _: client)
    assert (stacks.describe_stack(aws, "s") is not None) is is_there


def change(kind: str, action: str = "Modify", replacement: str = "False") -> ResourceChange:
    return ResourceChange.of(
        {
            "ResourceChange": {
                "Action": action,
                "LogicalResourceId": "X",
                "ResourceType": kind,
                "Replacement": replacement,
                "Details": [{"Target": {"Attribute": "Properties", "Name": "CidrBlock"}}],
            }
        }
    )


def test_what_is_precious_neither_goes_nor_is_made_anew_unasked() -> None:
    vpc = "AWS::EC2::VPC"
    assert [change(vpc, "Remove", "").loses, change(vpc, replacement="True").loses] == [True, True]
    assert change(vpc, replacement="Conditional").loses
    assert not change(vpc).loses
    assert not change("AWS::EC2::Route", "Remove", "").loses
    for kept in ("EC2::EIP", "EC2::Subnet", "ECS::Cluster", "EFS::FileSystem", "Logs::LogGroup"):
        assert change(f"AWS::{kept}", "Remove", "").loses, kept
    assert change("AWS::ElasticLoadBalancingV2::LoadBalancer", replacement="True").loses
    assert all(change(kind, replacement="True").loses for kind in ("AWS::ECS::Cluster", "AWS::Logs::LogGroup"))
    assert str(change(vpc, replacement="True")) == "~ X (AWS::EC2::VPC), made anew: CidrBlock"


class Events:
    """A CloudFormation that shows events: a list of them a look, newest first."""

    def __init__(self, *looks: list[dict[str, Any]]) -> None:
        self.looks = list(looks)
        self.asked = 0

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_stack_events"
        return SimpleNamespace(paginate=self.paginate)

    def paginate(self, StackName: str) -> Iterator[Any]:  # noqa: N803 - as AWS has it
        assert StackName == "arn:s"
        look = self.looks[min(self.asked, len(self.looks) - 1)]
        self.asked += 1
        for start in range(0, len(look), 2):
            yield {"StackEvents": look[start : start + 2]}


def event(what: str, status: str, reason: str = "", by: str | None = "mine") -> dict[str, Any]:
    stack = what == "s"
    found = {
        "EventId": f"{what}-{status}-{by}",
        "LogicalResourceId": what,
        "PhysicalResourceId": "arn:s" if stack else f"id-{what}",
        "ResourceType": "AWS::CloudFormation::Stack" if stack else "AWS::X::Y",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }
    return found if by is None else {**found, "ClientRequestToken": by}


def followed(*looks: list[dict[str, Any]]) -> tuple[End, Said]:
    said = Said()
    return follow(Events(*looks), "s", "arn:s", "mine", said, Pace(limit=60, sleep=lambda _: None)), said


OLD = [event("s", "CREATE_COMPLETE", by="old"), event("s", "REVIEW_IN_PROGRESS", by=None)]


def test_an_operation_is_followed_to_its_own_end_whoever_goes_on_with_the_stack() -> None:
    begun = [event("s", "UPDATE_IN_PROGRESS"), *OLD]
    made = [event("A", "CREATE_COMPLETE"), *begun]
    done = [event("s", "UPDATE_IN_PROGRESS", by="next"), event("s", "UPDATE_COMPLETE"), *made]
    end, said = followed(OLD, begun, made, done)
    assert (end.status, end.touched) == ("UPDATE_COMPLETE", ("A",))
    assert said.infos == ["stack s: A (AWS::X::Y): made"]


def test_the_first_reason_is_told_and_not_what_was_cancelled_for_it() -> None:
    events = [
        event("s", "UPDATE_ROLLBACK_COMPLETE"),
        event("s", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed"),
        event("B", "CREATE_FAILED", "Resource creation cancelled"),
        event("A", "CREATE_FAILED", "a already exists"),
        event("s", "UPDATE_IN_PROGRESS"),
    ]
    end, _ = followed(events)
    assert end.reasons == ("A (AWS::X::Y): a already exists",)
    error = end.error("s")
    assert str(error) == "Stack s could not be changed, and is as it was: A (AWS::X::Y): a already exists"
    assert "remove or rename it" in error.remedy


def test_a_creation_that_failed_ends_with_the_deletion_of_its_stack() -> None:
    back = [event("s", "ROLLBACK_COMPLETE"), event("A", "CREATE_FAILED", "why"), event("s", "CREATE_IN_PROGRESS")]
    gone = [event("s", "DELETE_COMPLETE"), event("F", "DELETE_SKIPPED"), event("s", "DELETE_IN_PROGRESS"), *back]
    end, _ = followed(back, gone)
    assert (end.status, end.reasons, end.kept) == ("DELETE_COMPLETE", ("A (AWS::X::Y): why",), ("AWS::X::Y id-F",))
    assert followed(back)[0].status == "ROLLBACK_COMPLETE"  # where it stays so, that was the end


def test_a_wait_has_a_limit() -> None:
    with pytest.raises(TimedOutError, match="stack s: not at its end"):
        followed([event("s", "UPDATE_IN_PROGRESS")])


@pytest.mark.parametrize(
    ("reason", "kind", "remedy"),
    [
        ("User: x is not authorized to perform: iam:CreateRole", AwsAccessError, "administrator"),
        ("The maximum number of VPCs has been reached", AwsError, "quota"),
        ("Export s-Vpc cannot be deleted as it is in use by iris", AwsError, "destroy"),
        ("resource sg-1 has a dependent object", AwsError, "GuardDuty"),
        ("Unable to assume the service linked role", AwsError, "in a minute"),
        ("CIDR is out of range", AwsError, "Correct what the reason names"),
        ("", AwsError, "Correct"),
    ],
)
def test_a_failure_says_what_to_do(reason: str, kind: type[Exception], remedy: str) -> None:
    error = End("UPDATE_ROLLBACK_COMPLETE", (reason,) if reason else ()).error("s")
    assert type(error) is kind
    assert remedy in error.remedy


def test_a_look_comes_soon_at_first_and_seldom_later() -> None:
    pauses: list[float] = []
    pace = Pace(limit=30, sleep=pauses.append)
    with pytest.raises(TimedOutError):
        while True:
            pace.wait("it")
    assert pauses[0] == 0.25
    assert pauses == sorted(pauses)
    assert max(pauses) == 3.0
    assert 30 <= sum(pauses) < 34


class ChangeSets:
    """A CloudFormation whose change set ends as it is told, after one look."""

    def __init__(self, reason: str, found: list[dict[str, str]] | None = None) -> None:
        self.reason, self.found = reason, found
        self.requests: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> dict[str, Any]:
            self.requests.append((operation, parameters))
            if operation == "describe_events" and self.found is None:
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeEvents")
            pending = len(self.requests) == 2
            status = {"Status": "CREATE_IN_PROGRESS"} if pending else {"Status": "FAILED", "StatusReason": self.reason}
            return {**status, "Id": "arn:c", "StackId": "arn:s", "OperationEvents": self.found}

        return call


def proposed(client: ChangeSets, **parameters: str) -> Any:
    wanted = Wanted("s", TEMPLATE, parameters)
    return create_change_set(client, wanted, Stack.of(shown()), Pace(sleep=lambda _: None))


@pytest.mark.parametrize(
    "reason", ["The submitted information didn't contain changes.", "No updates are to be performed"]
)
def test_a_change_set_without_changes_is_none_and_is_removed(reason: str) -> None:
    client = ChangeSets(reason)
    assert proposed(client, A="2") is None
    operations = [operation for operation, _ in client.requests]
    assert operations == ["create_change_set", "describe_change_set", "describe_change_set", "delete_change_set"]
    request = client.requests[0][1]
    assert {each["ParameterKey"]: each.get("ParameterValue") for each in request["Parameters"]} == {
        "A": "2",
        "B": None,  # keeps what it has
        "Fingerprint": "f1",
    }
    assert "OnStackFailure" not in request
    assert "RoleARN" not in request


def test_a_plan_takes_away_what_a_former_one_has_left_before_it_makes_anything() -> None:
    client = ChangeSets("didn't contain changes")
    wanted, quick = Wanted("s", TEMPLATE, {"A": "2"}), Pace(sleep=lambda _: None)
    assert plan_change_set(client, wanted, Stack.of(shown()), quick) is None
    (first, left), (second, made) = client.requests[:2]
    assert (first, second) == ("delete_change_set", "create_change_set")
    assert left["ChangeSetName"] == made["ChangeSetName"]


def test_what_is_found_before_anything_is_made_is_told() -> None:
    found = [{"ValidationPath": "/Resources/Log/Properties/X", "ValidationStatusReason": "extraneous key"}]
    with pytest.raises(AwsError, match="does not take the change: validation failed") as caught:
        proposed(ChangeSets("validation failed", found))
    assert caught.value.details == ("/Resources/Log/Properties/X: extraneous key",)
    with pytest.raises(AwsError) as caught:
        proposed(ChangeSets("validation failed"))
    assert caught.value.details == ()


def test_a_value_that_is_too_long_is_refused_before_it_is_sent() -> None:
    client = ChangeSets("")
    with pytest.raises(InputError, match="A has 4097 bytes"):
        proposed(client, A="x" * 4097)
    assert client.requests == []


def rules(group: str, **parameters: str) -> list[tuple[str, Any]]:
    """Return the addresses, and ports, that a security group of a model's stack admits with these parameters."""
    told = templates.document(load(MODEL).body)
    given = {**{name: each.get("Default", "") for name, each in told["Parameters"].items()}, **parameters}

    def value(said: Any) -> Any:
        if not isinstance(said, dict) or len(said) != 1:
            return said
        ((function, about),) = said.items()
        if function == "Fn::If":
            return value(about[1] if value(told["Conditions"][about[0]]) else about[2])
        if function == "Ref":
            return given.get(about)
        if function == "Condition":
            return value(told["Conditions"][about])
        known = {
            "Fn::And": all,
            "Fn::Not": lambda found: not found[0],
            "Fn::Equals": lambda found: str(found[0]) == str(found[1]),
        }
        return known[function]([value(each) for each in about]) if function in known else said

    found = [value(rule) for rule in told["Resources"][group]["Properties"]["SecurityGroupIngress"]]
    return [(value(rule["CidrIp"]), value(rule["FromPort"])) for rule in found if rule and "CidrIp" in rule]


FIVE = {f"AllowFrom{place}": f"10.{number}.0.0/16" for number, place in enumerate("ABCDE")}


@pytest.mark.parametrize("given", [{}, {"AllowFromA": "203.0.113.0/24"}, dict(list(FIVE.items())[:3]), FIVE])
def test_only_the_addresses_that_are_named_may_connect(given: dict[str, str]) -> None:
    blocks = list(given.values()) or ["0.0.0.0/0"]
    assert rules("TaskGroup", **given) == [(block, 80) for block in blocks]
    assert rules("TaskGroup", LoadBalancer="own", **given) == []
    assert rules("BalancerGroup", LoadBalancer="own", Port="8080", **given) == [(block, "8080") for block in blocks]
    secure = {"LoadBalancer": "own", "Port": "443", "Certificate": "arn:aws:acm:::certificate/x"}
    both = [(block, "443") for block in blocks] + [(block, 80) for block in blocks]
    assert rules("BalancerGroup", **secure, **given) == both


def test_a_task_in_the_group_of_the_tasks_may_connect_to_test_them() -> None:
    rule = templates.resources(load(MODEL).body)["TaskGroupItself"]
    assert rule["Condition"] == "AdmitsUsers"
    assert rule["Properties"]["GroupId"] == rule["Properties"]["SourceSecurityGroupId"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AlreadyExistsException", "Stack [s] already exists"),
        ("ValidationError", "Stack [s] already exists and cannot be created again with the changeSet [md-1]."),
        ("ValidationError", "Stack:arn:s is in UPDATE_IN_PROGRESS state and can not be updated."),
    ],
)
def test_who_comes_second_looks_again(code: str, text: str) -> None:
    errors = [ClientError({"Error": {"Code": code, "Message": text}}, "CreateChangeSet")]

    def step(_: Pace) -> str:
        if errors:
            raise errors.pop()
        return "there"

    assert stacks._while_others_change_it(step, "s", Pace(first=0.001)) == "there"
