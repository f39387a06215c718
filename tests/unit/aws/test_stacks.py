"""CloudFormation is asked, call by call, until a stack is as it is wanted, or gone; one of others is left alone."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.ground import stacks
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.template import Template
from model_dockerize.aws.ground.values import TAG, ResourceChange, Stack, Wanted
from model_dockerize.aws.model import Change
from model_dockerize.errors import AwsAccessError, AwsError, InputError, ModelDockerizeError
from tests.rig.scripted import Call, Script, Token, refused

BODY = """
Parameters: {Fingerprint: {Type: String}, A: {Type: String}, B: {Type: String, Default: ""}}
Conditions: {HasA: !Not [!Equals [!Ref A, ""]]}
Resources:
  Log: {Type: AWS::Logs::LogGroup}
  Role: {Type: AWS::IAM::Role, Condition: HasA}
Outputs: {Fingerprint: {Value: !Ref Fingerprint}}
"""
TEMPLATE = Template.of(BODY)
MARK = TEMPLATE.fingerprint
WANTED = Wanted("s", TEMPLATE, {"A": "1"}, {"team": "a"}, "arn:role")
GONE = refused("ValidationError", "Stack with id s does not exist")
NAMED = {"StackName": "s"}
OURS = {"A": "1", "B": "2", "Fingerprint": MARK}


def shown(status: str = "CREATE_COMPLETE", protected: bool = True, **changes: Any) -> dict[str, Any]:
    """Return the stack as DescribeStacks shows it: as it is wanted."""
    return {
        "StackName": "s",
        "StackId": "arn:s",
        "StackStatus": status,
        "EnableTerminationProtection": protected,
        "RoleARN": "arn:role",
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in OURS.items()],
        "Outputs": [{"OutputKey": "Fingerprint", "OutputValue": MARK}],
        "Tags": [TAG, {"Key": "team", "Value": "a"}],
        **changes,
    }


OTHER = {"Outputs": [{"OutputKey": "Fingerprint", "OutputValue": "old"}]}


def look(answer: Any) -> Call:
    return "cloudformation:describe_stacks", NAMED, answer if isinstance(answer, Exception) else {"Stacks": [answer]}


def request(kind: str, token: Any, name: Any = None, **more: Any) -> dict[str, Any]:
    """Return the request for a change set."""
    given = [{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "Fingerprint", "ParameterValue": MARK}]
    kept = [{"ParameterKey": "B", "UsePreviousValue": True}] if kind == "UPDATE" else []
    return {
        "StackName": "s",
        "ChangeSetName": name or token,
        "ClientToken": token,
        "ChangeSetType": kind,
        "TemplateBody": BODY,
        "Parameters": given + kept,
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [TAG, {"Key": "team", "Value": "a"}],
        "RoleARN": "arn:role",
        **({} if kind == "UPDATE" else {"OnStackFailure": "DELETE"}),
        **more,
    }


def shown_change(action: str, name: str, kind: str, *properties: str) -> dict[str, Any]:
    details = [{"Target": {"Attribute": "Properties", "Name": each}} for each in properties]
    told = {"Action": action, "LogicalResourceId": name, "ResourceType": kind, "Details": details}
    return {"ResourceChange": told}


ADDED = shown_change("Add", "Role", "AWS::IAM::Role")


def proposed(kind: str, *changes: Any, name: str = "") -> list[Call]:
    """Return the calls of a change set that is ready at the third look."""
    which = {"StackName": "s", "ChangeSetName": "arn:c"}
    done = {"Status": "CREATE_COMPLETE", "StackId": "arn:s", "Changes": list(changes)}
    return [
        ("cloudformation:create_change_set", request(kind, Token(), name), {"Id": "arn:c"}),
        ("cloudformation:describe_change_set", which, {"Status": "CREATE_PENDING"}),
        ("cloudformation:describe_change_set", which, {"Status": "CREATE_IN_PROGRESS"}),
        ("cloudformation:describe_change_set", which, done),
    ]


def unchanged(kind: str) -> list[Call]:
    """Return the calls of a change set in which CloudFormation finds nothing to do."""
    which = {"StackName": "s", "ChangeSetName": "arn:c"}
    why = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    return [
        ("cloudformation:create_change_set", request(kind, Token()), {"Id": "arn:c"}),
        ("cloudformation:describe_change_set", which, why),
        ("cloudformation:delete_change_set", which, {}),
    ]


def event(what: str, status: str, token: Any, reason: str = "") -> dict[str, Any]:
    return {
        "EventId": f"{what}-{status}",
        "LogicalResourceId": what,
        "PhysicalResourceId": "arn:s" if what == "s" else f"id-{what}",
        "ResourceType": "AWS::CloudFormation::Stack" if what == "s" else "AWS::X::Y",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "ClientRequestToken": token,
    }


def followed(token: Token, *newest_first: tuple[str, ...]) -> Call:
    events = [event(what, status, token, *reason) for what, status, *reason in newest_first]
    return "cloudformation:describe_stack_events", {"StackName": "arn:s"}, [{"StackEvents": events}]


def executed(*newest_first: tuple[str, ...]) -> list[Call]:
    token = Token()
    asked = {"StackName": "s", "ChangeSetName": "arn:c", "ClientRequestToken": token}
    return [("cloudformation:execute_change_set", asked, {}), followed(token, *newest_first)]


def deleted(*newest_first: tuple[str, ...], role: str = "") -> list[Call]:
    token = Token()
    asked = {"StackName": "arn:s", "ClientRequestToken": token, **({"RoleARN": role} if role else {})}
    return [("cloudformation:delete_stack", asked, {}), *([followed(token, *newest_first)] if newest_first else [])]


def continued(*newest_first: tuple[str, ...]) -> list[Call]:
    token = Token()
    asked = {"StackName": "s", "ClientRequestToken": token}
    return [("cloudformation:continue_update_rollback", asked, {}), followed(token, *newest_first)]


def protect(on: bool) -> Call:
    return "cloudformation:update_termination_protection", {**NAMED, "EnableTerminationProtection": on}, {}


def drop(name: str = "arn:c") -> Call:
    return "cloudformation:delete_change_set", {**NAMED, "ChangeSetName": name}, {}


def quick(pauses: list[float] | None = None) -> Pace:
    return Pace(sleep=(pauses if pauses is not None else []).append)


def ensure(*calls: Call, wanted: Wanted = WANTED, seen: Stack | None = None) -> tuple[Stack, list[Change], list[str]]:
    """Ensure the stack by these calls; return it, what is reported of it, and what is said."""
    with Script(*calls) as script:
        found = stacks.ensure_stack(script.aws, wanted, script.said, quick(), seen)
    return found, script.aws.changes, script.said.infos


def refusal(*calls: Call, wanted: Wanted = WANTED, seen: Stack | None = None) -> ModelDockerizeError:
    """Return the error in which these calls end."""
    with Script(*calls) as script, pytest.raises(ModelDockerizeError) as caught:
        stacks.ensure_stack(script.aws, wanted, script.said, quick(), seen)
    assert not script.aws.has_changed()
    return caught.value


LEFT = [Change("leave", "stack", "s")]
THERE = Stack.of(shown())


def test_a_stack_that_was_just_seen_as_it_is_wanted_is_not_asked_for() -> None:
    assert ensure(seen=THERE) == (THERE, LEFT, ["stack s: there"])


@pytest.mark.parametrize(
    "seen",
    [
        None,
        replace(THERE, is_protected=False),
        replace(THERE, tags=(("team", "a"),)),
        replace(THERE, outputs={"Fingerprint": "old"}),
    ],
)
def test_any_other_is_looked_at(seen: Stack | None) -> None:
    assert ensure(look(shown()), seen=seen) == (THERE, LEFT, ["stack s: there"])


def test_a_stack_that_is_not_there_is_made_and_protected() -> None:
    calls = [
        look(GONE),
        *proposed("CREATE", ADDED),
        *executed(("s", "CREATE_COMPLETE"), ("Role", "CREATE_COMPLETE"), ("s", "CREATE_IN_PROGRESS")),
        look(shown(protected=False)),
        protect(True),
    ]
    made = [Change("make", "stack", "s")]
    assert ensure(*calls) == (
        replace(THERE, action="make"),
        made,
        ["stack s: Role (AWS::X::Y): made", "stack s: made"],
    )


def test_a_stack_that_is_only_a_change_set_is_made_whosever_it_is() -> None:
    calls = [
        look(shown("REVIEW_IN_PROGRESS", Tags=[])),
        *proposed("CREATE", ADDED),
        *executed(("s", "CREATE_COMPLETE"), ("Role", "CREATE_COMPLETE")),
        look(shown()),
    ]
    found, changes, _ = ensure(*calls)
    assert (found.action, changes) == ("make", [Change("make", "stack", "s")])


def test_a_stack_that_differs_is_changed_and_what_was_touched_is_told() -> None:
    calls = [
        look(shown(**OTHER)),
        *proposed("UPDATE", ADDED),
        *executed(("s", "UPDATE_COMPLETE"), ("Role", "CREATE_COMPLETE"), ("Log", "UPDATE_COMPLETE")),
        look(shown("UPDATE_COMPLETE")),
    ]
    assert ensure(*calls) == (
        replace(THERE, status="UPDATE_COMPLETE", action="change"),
        [Change("change", "stack", "s", ("Log", "Role"))],
        [
            "stack s: Log (AWS::X::Y): changed",
            "stack s: Role (AWS::X::Y): made",
            "stack s: changed (Log, Role)",
        ],
    )


def test_a_stack_that_suits_is_protected_where_a_killed_run_did_not_come_to_that() -> None:
    unprotected = shown(protected=False)
    assert ensure(look(unprotected), protect(True)) == (Stack.of(unprotected), LEFT, ["stack s: there"])


def test_what_makes_no_difference_to_cloudformation_leaves_the_stack() -> None:
    other = shown(**OTHER)
    assert ensure(look(other), *unchanged("UPDATE")) == (Stack.of(other), LEFT, ["stack s: there"])
    review = shown("REVIEW_IN_PROGRESS")
    assert ensure(look(review), *unchanged("CREATE")) == (Stack.of(review), LEFT, ["stack s: there"])
    assert ensure(look(GONE), *unchanged("CREATE"), look(other))[0] == Stack.of(other)


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_what_a_failed_creation_left_is_removed_first(status: str) -> None:
    calls = [
        look(shown(status)),
        protect(False),
        *deleted(("s", "DELETE_COMPLETE"), role="arn:role"),
        *proposed("CREATE", ADDED),
        *executed(("s", "CREATE_COMPLETE")),
        look(shown()),
    ]
    found, changes, said = ensure(*calls)
    assert (found.action, changes) == ("make", [Change("make", "stack", "s")])
    assert said[0] == f"stack s is {status}, as a failed run leaves it: removed first"


def test_a_way_back_that_stuck_is_continued_first() -> None:
    calls = [
        look(shown("UPDATE_ROLLBACK_FAILED")),
        *continued(("s", "UPDATE_ROLLBACK_COMPLETE")),
        look(shown("UPDATE_ROLLBACK_COMPLETE")),
    ]
    found, changes, said = ensure(*calls)
    assert (found.status, changes) == ("UPDATE_ROLLBACK_COMPLETE", LEFT)
    assert said == [
        "stack s is UPDATE_ROLLBACK_FAILED: the way back of a former change is continued",
        "stack s: there",
    ]


def test_a_way_back_that_sticks_again_says_how_to_leave_a_resource_out() -> None:
    end = ("s", "UPDATE_ROLLBACK_FAILED"), ("Role", "UPDATE_FAILED", "no such role")
    error = refusal(look(shown("UPDATE_ROLLBACK_FAILED")), *continued(*end))
    assert str(error) == "Stack s could not be changed, nor put back as it was: Role (AWS::X::Y): no such role"
    assert error.remedy == (
        "Mend what the reason names. Where it can be left as it is: aws cloudformation continue-update-rollback "
        "--stack-name s --resources-to-skip NAME. Then run again."
    )


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_what_a_killed_run_began_is_waited_for(status: str) -> None:
    pauses: list[float] = []
    with Script(look(shown(status)), look(shown(status)), look(shown())) as script:
        assert stacks.ensure_stack(script.aws, WANTED, script.said, quick(pauses)) == THERE
    assert pauses == [0.25, 0.35]


def test_a_change_that_fails_is_an_error_and_no_change() -> None:
    end = ("s", "UPDATE_ROLLBACK_COMPLETE"), ("Role", "CREATE_FAILED", "is not authorized to perform: iam:CreateRole")
    error = refusal(look(shown(**OTHER)), *proposed("UPDATE", ADDED), *executed(*end))
    assert isinstance(error, AwsAccessError)
    assert str(error) == (
        "Stack s could not be changed, and is as it was: Role (AWS::X::Y): is not authorized to perform: iam:CreateRole"
    )


def test_a_stack_of_others_is_refused_whatever_is_to_be_done_with_it() -> None:
    theirs = look(shown(Tags=[{"Key": "team", "Value": "a"}]))
    errors = [refusal(theirs)]
    with Script(theirs) as script, pytest.raises(InputError) as caught:
        stacks.plan_stack(script.aws, WANTED)
    errors.append(caught.value)
    with Script(theirs) as script, pytest.raises(InputError) as caught:
        stacks.delete_stack(script.aws, "s", script.said)
    errors.append(caught.value)
    for error in errors:
        assert str(error) == "There is a stack s that model-dockerize did not make."
        assert error.remedy == "Remove or rename it, or choose another name. Nothing was changed."


PRECIOUS = shown_change("Remove", "Log", "AWS::Logs::LogGroup")


def test_a_change_that_would_lose_something_precious_is_taken_back() -> None:
    error = refusal(look(shown(**OTHER)), *proposed("UPDATE", PRECIOUS, ADDED), drop())
    assert isinstance(error, InputError)
    assert str(error) == "Stack s: the change would lose what is not to be lost unasked."
    assert error.remedy == "Leave the inputs that bring this about as they were, or destroy the model first."
    assert error.details == ("- Log (AWS::Logs::LogGroup)",)


def test_what_may_be_lost_is_not_asked_about() -> None:
    calls = [
        look(shown(**OTHER)),
        *proposed("UPDATE", PRECIOUS),
        *executed(("s", "UPDATE_COMPLETE"), ("Log", "DELETE_COMPLETE")),
        look(shown()),
    ]
    found, changes, said = ensure(*calls, wanted=replace(WANTED, may_lose=frozenset({"Log"})))
    assert (found.action, changes) == ("change", [Change("change", "stack", "s", ("Log",))])
    assert said == ["stack s: Log (AWS::X::Y): removed", "stack s: changed (Log)"]


def test_a_stack_that_somebody_removed_meanwhile_is_an_error() -> None:
    error = refusal(look(GONE), *unchanged("CREATE"), look(GONE))
    assert (str(error), error.remedy) == ("Stack s was removed meanwhile.", "Run again: it is made anew.")


RACES = [
    ("AlreadyExistsException", "why"),
    ("ChangeSetNotFound", "why"),
    ("ChangeSetNotFoundException", "why"),
    ("InvalidChangeSetStatus", "why"),
    ("ValidationError", "Stack:arn:s is in UPDATE_IN_PROGRESS state and can not be updated."),
    ("ValidationError", "Stack [s] already exists and cannot be created again with the changeSet [md-1]."),
]


@pytest.mark.parametrize(("code", "text"), RACES)
def test_who_comes_second_looks_again_and_at_most_five_times(code: str, text: str) -> None:
    second = look(refused(code, text))
    assert ensure(*[second] * 4, look(shown()))[1] == LEFT
    pauses: list[float] = []
    with Script(*[second] * 5) as script, pytest.raises(AwsError) as caught:
        stacks.ensure_stack(script.aws, WANTED, script.said, quick(pauses))
    assert str(caught.value) == f"stack s: Operation failed: {code}: {text}"
    assert len(pauses) == 4


def test_any_other_refusal_is_told_at_once() -> None:
    error = refusal(look(refused("ValidationError", "no")))
    assert str(error) == "stack s: Operation failed: ValidationError: no"


class TestPlan:
    @pytest.mark.parametrize("there", [GONE, *map(shown, ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"))])
    def test_of_a_new_stack_every_resource_is_planned_and_no_change_set_is_made(self, there: Any) -> None:
        with Script(look(there)) as script:
            assert stacks.plan_stack(script.aws, WANTED) == (
                ResourceChange("Add", "Log", "AWS::Logs::LogGroup"),
                ResourceChange("Add", "Role", "AWS::IAM::Role"),
            )
        with Script(look(there)) as script, pytest.raises(InputError, match="A has 4097 bytes"):
            stacks.plan_stack(script.aws, replace(WANTED, parameters={"A": "a" * 4097}))

    def test_of_a_stack_that_suits_nothing_is_planned(self) -> None:
        with Script(look(shown())) as script:
            assert stacks.plan_stack(script.aws, WANTED) is None

    def test_of_a_stack_that_differs_a_change_set_tells_and_is_taken_back(self) -> None:
        calls = [
            look(shown("UPDATE_IN_PROGRESS")),
            look(shown(**OTHER)),
            drop("md-plan"),
            *proposed("UPDATE", ADDED, PRECIOUS, name="md-plan"),
            drop(),
        ]
        with Script(*calls) as script:
            assert stacks.plan_stack(script.aws, WANTED, quick()) == (
                ResourceChange("Add", "Role", "AWS::IAM::Role"),
                ResourceChange("Remove", "Log", "AWS::Logs::LogGroup"),
            )

    def test_a_plan_that_another_one_took_away_is_made_again(self) -> None:
        pauses: list[float] = []
        taken = "cloudformation:delete_change_set", {**NAMED, "ChangeSetName": "md-plan"}
        calls = [look(shown(**OTHER)), (*taken, refused("ChangeSetNotFound")), look(shown())]
        with Script(*calls) as script:
            assert stacks.plan_stack(script.aws, WANTED, quick(pauses)) is None
        assert len(pauses) == 1


def imports(export: str, answer: Any) -> Call:
    pages = answer if isinstance(answer, Exception) else [{"Imports": names} for names in answer]
    return "cloudformation:list_imports", {"ExportName": export}, pages


EXPORTS = {"Outputs": [{"OutputKey": name, "OutputValue": "v", "ExportName": f"s-{name}"} for name in ("Vpc", "Zone")]}
UNUSED = refused("ValidationError", "Export 's-Vpc' is not imported by any stack.")


class TestDelete:
    def delete(self, *calls: Call, role: str = "") -> tuple[str, ...]:
        with Script(*calls) as script:
            return stacks.delete_stack(script.aws, "s", script.said, quick(), role)

    def refusal(self, *calls: Call) -> ModelDockerizeError:
        with Script(*calls) as script, pytest.raises(ModelDockerizeError) as caught:
            stacks.delete_stack(script.aws, "s", script.said, quick())
        return caught.value

    def test_what_is_gone_is_gone(self) -> None:
        assert self.delete(look(GONE)) == ()

    def test_the_protection_is_taken_off_and_what_the_template_keeps_is_returned(self) -> None:
        end = ("s", "DELETE_COMPLETE"), ("FileSystem", "DELETE_SKIPPED"), ("Log", "DELETE_COMPLETE")
        assert self.delete(look(shown()), protect(False), *deleted(*end)) == ("AWS::X::Y id-FileSystem",)

    def test_who_deletes_it_is_the_role_that_is_given(self) -> None:
        end = ("s", "DELETE_COMPLETE")
        assert self.delete(look(shown(protected=False)), *deleted(end, role="arn:r"), role="arn:r") == ()

    def test_of_a_stack_that_is_only_a_change_set_no_end_is_waited_for(self) -> None:
        assert self.delete(look(shown("REVIEW_IN_PROGRESS", protected=False)), *deleted()) == ()

    def test_what_another_stack_imports_from_stays_and_stays_protected(self) -> None:
        users = imports("s-Vpc", [["rose"], ["iris"]]), imports("s-Zone", [["iris"]])
        error = self.refusal(look(shown(**EXPORTS)), *users)
        assert str(error) == "Stack s is in use by iris, rose."
        assert error.remedy == "Remove those models first (destroy)."

    def test_exports_that_nobody_imports_keep_nothing(self) -> None:
        calls = look(shown(**EXPORTS)), imports("s-Vpc", UNUSED), imports("s-Zone", [[]]), protect(False)
        assert self.delete(*calls, *deleted(("s", "DELETE_COMPLETE"))) == ()

    def test_imports_that_may_not_be_seen_are_an_error(self) -> None:
        error = self.refusal(look(shown(**EXPORTS)), imports("s-Vpc", refused("Throttling", "slow down")))
        assert str(error) == "stack s: AWS kept throttling Operation."

    @pytest.mark.parametrize(
        ("left", "again"), [(GONE, []), (shown(protected=False), [protect(True)]), (shown(protected=True), [])]
    )
    def test_what_could_not_be_deleted_is_protected_again(self, left: Any, again: list[Call]) -> None:
        end = ("s", "DELETE_FAILED"), ("Vpc", "DELETE_FAILED", "has dependencies")
        error = self.refusal(look(shown()), protect(False), *deleted(*end), look(left), *again)
        assert str(error) == "Stack s could not be removed whole: Vpc (AWS::X::Y): has dependencies"


class TestDescribe:
    def test_it_is_what_aws_shows_or_nothing(self) -> None:
        for answer, expected in ((shown(), THERE), (GONE, None), (shown("ROLLBACK_COMPLETE"), None)):
            with Script(look(answer)) as script:
                assert stacks.describe_stack(script.aws, "s") == expected

    def test_whatever_else_aws_says_is_told(self) -> None:
        with Script(look(refused("InternalFailure", "oh"))) as script, pytest.raises(AwsError) as caught:
            stacks.describe_stack(script.aws, "s")
        assert str(caught.value) == "stack s: Operation failed: InternalFailure: oh"
