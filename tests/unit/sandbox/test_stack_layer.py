"""Around ministack's CloudFormation, refusals, roles, tokens, names, events and callers are as on AWS."""

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_sandbox.cloudformation import CloudFormation, callers, layer
from model_sandbox.cloudformation.callers import Callers
from model_sandbox.cloudformation.resource_types import RESOURCE_TYPES
from model_sandbox.cloudformation.stack_rules import lacking, refusal
from model_sandbox.cloudformation.update_events import UpdateEvents
from tests.rig.fake_stacks import SCOPE, FakeMinistack

ROLE = "arn:aws:iam::123456789012:role/deploys"


def stack(name: str = "s", status: str = "CREATE_COMPLETE", **more: Any) -> dict[str, Any]:
    return {"StackName": name, "StackId": f"arn:x/{name}/1", "StackStatus": status, **more}


class Issuer:
    """The sessions of roles, numbered."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def issue(self, account: str, role: str, name: str) -> Any:
        self.asked.append((account, role, name))
        number = len(self.asked)
        return SimpleNamespace(key=f"ASIA{number}", secret=f"secret{number}", token=f"token{number}")


class Boto:
    """boto3, which notes with what its clients are made."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, ...]] = []
        self.registered: list[tuple[str, Any]] = []

    def Session(self, *keys: Any) -> Any:  # noqa: N802 - boto3's word
        def client(service: str, endpoint_url: str, config: Any) -> Any:
            self.made.append((*keys, service, endpoint_url, config.retries))
            events = SimpleNamespace(register=lambda name, handler: self.registered.append((name, handler)))
            return SimpleNamespace(meta=SimpleNamespace(events=events))

        return SimpleNamespace(client=client)


@pytest.fixture
def boto(monkeypatch: pytest.MonkeyPatch) -> Boto:
    made = Boto()
    monkeypatch.setattr(callers, "boto3", made)
    return made


def installed(upstream: FakeMinistack, access: Any = None, issuer: Any = None) -> CloudFormation:
    made = CloudFormation(upstream, issuer or Issuer(), access, "http://here", "secret")  # type: ignore[arg-type]
    made.install()
    return made


def test_all_types_are_the_sandboxs_own_and_off_the_loop() -> None:
    upstream = FakeMinistack()
    installed(upstream)
    parts = upstream.cloudformation_provisioners
    assert parts._RESOURCE_HANDLERS.keys() == RESOURCE_TYPES.keys()
    assert all(each["update_with_logical_id"] is True for each in parts._RESOURCE_HANDLERS.values())
    assert {name: kind.replacing for name, kind in RESOURCE_TYPES.items()} == parts._REPLACING_PROPERTIES
    assert {
        name: (kind.tags, "list") for name, kind in RESOURCE_TYPES.items() if kind.tags
    } == parts._STACK_TAG_PROPERTY
    worker = upstream.cloudformation_stacks._runs_on_worker_thread
    kinds = ("AWS::EC2::VPC", "Custom::Other", "AWS::SNS::Topic")
    assert [worker(kind) for kind in kinds] == [True, True, False]


# ---- operations

IN_USE = "ValidationError: Delete canceled. Cannot delete export e as it is in use by user."
CANNOT = "is in UPDATE_IN_PROGRESS state and can not be updated."


@pytest.mark.parametrize(
    ("operation", "status", "params", "answer"),
    [
        ("UpdateStack", "UPDATE_IN_PROGRESS", {}, f"ValidationError: Stack:arn:x/s/1 {CANNOT}"),
        ("ContinueUpdateRollback", "UPDATE_IN_PROGRESS", {}, "ContinueUpdateRollback"),
        ("RollbackStack", "UPDATE_IN_PROGRESS", {}, "RollbackStack"),
        ("CreateChangeSet", "UPDATE_IN_PROGRESS", {}, f"ValidationError: Stack:arn:x/s/1 {CANNOT}"),
        (
            "CreateChangeSet",
            "CREATE_COMPLETE",
            {"ChangeSetType": ["CREATE"], "ChangeSetName": ["c"]},
            "ValidationError: Stack [s] already exists and cannot be created again with the changeSet [c].",
        ),
        ("CreateChangeSet", "CREATE_COMPLETE", {"ChangeSetType": [""]}, "CreateChangeSet"),
        ("ExecuteChangeSet", "UPDATE_IN_PROGRESS", {}, f"ValidationError: Stack:arn:x/s/1 {CANNOT}"),
        ("CreateStack", "ROLLBACK_COMPLETE", {}, "AlreadyExistsException: Stack [s] already exists"),
        ("DeleteStack", "CREATE_COMPLETE", {}, "DeleteStack"),
        ("DeleteStack", "DELETE_IN_PROGRESS", {}, "<DeleteStackResponse></DeleteStackResponse>"),
        (
            "DeleteStack",
            "UPDATE_IN_PROGRESS",
            {},
            "ValidationError: Stack [arn:x/s/1] cannot be deleted while in status UPDATE_IN_PROGRESS",
        ),
        (
            "UpdateStack",
            "CREATE_COMPLETE",
            {"StackPolicyBody": ["{}"]},
            "ValidationError: The sandbox's CloudFormation has no stack policies",
        ),
        (
            "DescribeChangeSet",
            "CREATE_COMPLETE",
            {"IncludePropertyValues": ["true"]},
            "ValidationError: The sandbox's CloudFormation has no values of properties in change sets",
        ),
        ("DescribeChangeSet", "CREATE_COMPLETE", {"IncludePropertyValues": ["false"]}, "DescribeChangeSet"),
        (
            "DetectStackDrift",
            "CREATE_COMPLETE",
            {},
            "ValidationError: The sandbox's CloudFormation has no DetectStackDrift",
        ),
        (
            "DetectStackResourceDrift",
            "CREATE_COMPLETE",
            {},
            "ValidationError: The sandbox's CloudFormation has no DetectStackResourceDrift",
        ),
        (
            "SetStackPolicy",
            "CREATE_COMPLETE",
            {},
            "ValidationError: The sandbox's CloudFormation has no SetStackPolicy",
        ),
        ("UpdateTerminationProtection", "UPDATE_IN_PROGRESS", {}, "UpdateTerminationProtection"),
    ],
)
def test_an_operation_is_refused_or_goes_on_to_ministack(
    operation: str, status: str, params: dict[str, Any], answer: str
) -> None:
    upstream = FakeMinistack(stack(status=status))
    installed(upstream)
    told = {"StackName": ["s"], **params}
    refused = not answer.startswith((operation, "<"))
    assert upstream.call(operation, **told) == (400 if refused else 200, answer)
    assert upstream.asked == ([(operation, told)] if answer == operation else [])


def test_a_stack_is_found_by_its_id_and_a_new_one_needs_none() -> None:
    upstream = FakeMinistack(stack(status="UPDATE_IN_PROGRESS"))
    installed(upstream)
    assert upstream.call("UpdateStack", StackName="arn:x/s/1")[0] == 400
    assert upstream.call("CreateStack", StackName="new") == (200, "CreateStack")
    assert upstream.call("DeleteStack", StackName=[]) == (200, "DeleteStack")
    assert upstream.call("DeleteStack") == (200, "DeleteStack")
    assert upstream.call("DeleteStack", StackName=None) == (200, "DeleteStack")


def test_exports_that_others_import_keep_their_stack() -> None:
    owner = stack("owner", Outputs=[{"OutputKey": "k"}, {"ExportName": ""}, {"ExportName": "e"}])
    user = stack("user", imports={"user": ("e",)})
    upstream = FakeMinistack(owner, user, stack("other"))
    installed(upstream)
    assert upstream.call("DeleteStack", StackName="owner") == (400, IN_USE)
    assert upstream.call("UpdateStack", StackName="owner") == (200, "UpdateStack")
    user["imports"] = {}
    assert upstream.call("DeleteStack", StackName="owner") == (200, "DeleteStack")


@pytest.mark.parametrize("name", ["ClientToken", "ClientRequestToken"])
def test_what_is_repeated_with_its_token_is_done_once(name: str) -> None:
    upstream = FakeMinistack(stack())
    installed(upstream)
    told = {"StackName": "s", name: ["t"]}
    assert [upstream.call("UpdateStack", **told) for _ in range(2)] == [(200, "UpdateStack")] * 2
    assert len(upstream.asked) == 1
    upstream.call("DeleteStack", **told)
    upstream.call("UpdateStack", **{**told, name: ["u"]})
    upstream.call("UpdateStack", StackName="s")
    upstream.call("UpdateStack", StackName="s")
    assert [operation for operation, _ in upstream.asked] == [
        *("UpdateStack", "DeleteStack", "UpdateStack", "UpdateStack", "UpdateStack"),
    ]


@pytest.mark.parametrize(("status", "times"), [(399, 1), (400, 2)])
def test_what_failed_is_tried_again(status: int, times: int) -> None:
    upstream = FakeMinistack(stack())
    installed(upstream)
    upstream.status = status
    for _ in range(2):
        assert upstream.call("UpdateStack", StackName="s", ClientRequestToken="t") == (status, "UpdateStack")
    assert len(upstream.asked) == times


# ---- roles


def test_a_role_is_kept_for_later_operations_and_shown() -> None:
    upstream, begun = FakeMinistack(stack(), stack("plain")), []
    made = installed(upstream)
    made._callers.begin = begun.append  # type: ignore[method-assign]
    upstream.roles["deploys"] = {"AssumeRolePolicyDocument": '"cloudformation.amazonaws.com"'}
    upstream.call("UpdateStack", StackName="s", RoleARN=ROLE)
    upstream.call("DeleteStack", StackName="s")
    upstream.call("DeleteStack", StackName="plain")
    upstream.call("CreateStack", StackName="new")
    assert begun == [ROLE, ROLE, "", ""]
    upstream.body = b"<StackId>arn:x/s/1</StackId><StackId>arn:x/plain/1</StackId>"
    shown = f"<StackId>arn:x/s/1</StackId><RoleARN>{ROLE}</RoleARN><StackId>arn:x/plain/1</StackId>"
    assert upstream.call("DescribeStacks") == (200, shown)


def test_a_change_set_keeps_its_role_and_gives_it_to_no_stack_before_it_is_executed() -> None:
    upstream, begun = FakeMinistack(stack()), []
    made = installed(upstream)
    made._callers.begin = begun.append  # type: ignore[method-assign]
    upstream.roles["deploys"] = {"AssumeRolePolicyDocument": '"cloudformation.amazonaws.com"'}
    sets = upstream.cloudformation._change_sets
    sets["s/old"] = {"StackId": "arn:old"}
    facts = {"StackId": "arn:x/s/1", "ChangeSetType": "CREATE", "StatusReason": ""}
    upstream.effect = lambda params: sets.update({"s/c": dict(facts)})
    upstream.call("CreateChangeSet", StackName="s", ChangeSetName="c", RoleARN=[ROLE])
    assert sets == {"s/old": {"StackId": "arn:old"}, "s/c": {**facts, "_role": ROLE}}
    assert upstream.cloudformation._stacks["s"] == stack()
    upstream.effect = lambda params: None
    upstream.call("ExecuteChangeSet", StackName="s", ChangeSetName="c")
    assert upstream.cloudformation._stacks["s"]["_role"] == ROLE
    upstream.call("ExecuteChangeSet", StackName="s", ChangeSetName="none")
    assert begun == [ROLE, ROLE, ""]


@pytest.mark.parametrize(
    "role", [None, {"AssumeRolePolicyDocument": '"ecs-tasks.amazonaws.com"'}, {"AssumeRolePolicyDocument": None}]
)
def test_a_role_that_cloudformation_cannot_assume_is_refused(role: Any) -> None:
    upstream = FakeMinistack(stack())
    installed(upstream)
    if role:
        upstream.roles["deploys"] = role
    refused = f"ValidationError: Role {ROLE} is invalid or cannot be assumed"
    assert upstream.call("UpdateStack", StackName="s", RoleARN=ROLE) == (400, refused)
    assert (upstream.asked, upstream.cloudformation._stacks["s"]) == ([], stack())


# ---- change sets


def test_a_second_change_set_of_a_stack_to_be_is_of_the_same_stack() -> None:
    here = stack(status="REVIEW_IN_PROGRESS")
    upstream = FakeMinistack(here)
    installed(upstream)
    state = upstream.cloudformation
    facts = {"ChangeSetType": "CREATE", "StatusReason": ""}
    state._change_sets["s/1"] = {"StackId": "arn:kept"}

    def another(params: Any) -> None:
        state._stacks["s"] = {**here, "StackId": "arn:other"}
        state._stack_events.update({"arn:other": [1], "arn:x/s/1": [2]})
        state._change_sets["s/2"] = {"StackId": "arn:other", **facts}

    upstream.effect, upstream.body = another, b"<StackId>arn:other</StackId>"
    assert upstream.call("CreateChangeSet", StackName="s", ChangeSetType="CREATE") == (
        200,
        "<StackId>arn:x/s/1</StackId>",
    )
    assert state._stacks["s"] is here
    assert state._stack_events == {"arn:x/s/1": [2]}
    assert state._change_sets == {
        "s/1": {"StackId": "arn:kept"},
        "s/2": {"StackId": "arn:x/s/1", "_role": "", **facts},
    }


def test_a_change_set_of_the_stack_itself_or_of_one_that_is_made_is_left_as_it_is() -> None:
    upstream = FakeMinistack(stack(status="REVIEW_IN_PROGRESS"), stack("made"))
    installed(upstream)
    state = upstream.cloudformation
    state._stack_events["arn:x/s/1"] = [1]
    upstream.body = b"arn:x/s/1"
    assert upstream.call("CreateChangeSet", StackName="s", ChangeSetType="CREATE") == (200, "arn:x/s/1")
    assert state._stack_events == {"arn:x/s/1": [1]}
    upstream.effect = lambda params: state._stacks.pop("s")
    assert upstream.call("CreateChangeSet", StackName="s", ChangeSetType="CREATE") == (200, "arn:x/s/1")
    assert state._stacks.keys() == {"made", "s"}
    upstream.effect = lambda params: state._stacks.update(made=stack("made", StackId="arn:new"))
    upstream.call("CreateChangeSet", StackName="made")
    assert state._stacks["made"]["StackId"] == "arn:new"


SAME = "The submitted information didn't contain changes."
OUTPUTS = {"O": {"Value": {"Ref": "P"}}}


@pytest.mark.parametrize(
    ("old", "new", "was", "now", "facts", "counts"),
    [
        ({"Outputs": {}}, {"Outputs": OUTPUTS}, {}, {}, {}, True),
        (None, {"Outputs": OUTPUTS}, {}, {}, {}, True),
        ({"Outputs": OUTPUTS}, {}, {}, {}, {}, True),
        ({"Outputs": OUTPUTS}, {"Outputs": OUTPUTS}, {"P": "1"}, {"P": "2"}, {}, True),
        ({"Outputs": OUTPUTS}, {"Outputs": OUTPUTS}, {}, {"P": "2"}, {}, True),
        ({"Outputs": OUTPUTS}, {"Outputs": OUTPUTS}, {"P": "1"}, {"P": "1"}, {}, False),
        ({"Outputs": OUTPUTS}, {"Outputs": OUTPUTS}, {"P": "1", "Q": "1"}, {"P": "1", "Q": "2"}, {}, False),
        ({}, {}, {"P": "1"}, {"P": "2"}, {}, False),
        ({"Outputs": {}}, {"Outputs": OUTPUTS}, {}, {}, {"ChangeSetType": "CREATE"}, False),
        ({"Outputs": {}}, {"Outputs": OUTPUTS}, {}, {}, {"StatusReason": "another"}, False),
    ],
)
def test_a_change_of_outputs_alone_is_one(
    old: Any, new: Any, was: dict[str, str], now: dict[str, str], facts: dict[str, str], counts: bool
) -> None:
    def values(given: dict[str, str]) -> dict[str, Any]:
        return {name: {"Value": value} for name, value in given.items()}

    upstream = FakeMinistack(stack(_template=old, **({"_resolved_params": values(was)} if was else {})))
    installed(upstream)
    made = {
        **{"ChangeSetType": "UPDATE", "Status": "FAILED", "ExecutionStatus": "UNAVAILABLE", "StatusReason": SAME},
        **{"_template": new, "_resolved_params": values(now), **facts},
    }
    upstream.effect = lambda params: upstream.cloudformation._change_sets.update({"c": dict(made)})
    upstream.call("CreateChangeSet", StackName="s")
    counted = {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "StatusReason": ""}
    assert upstream.cloudformation._change_sets == {"c": {**made, **(counted if counts else {}), "_role": ""}}


def test_resources_whose_condition_is_false_do_not_change() -> None:
    upstream = FakeMinistack()
    installed(upstream)
    differ = upstream.cloudformation_changesets._resolve_props_for_diff
    resources: dict[str, Any] = {
        "plain": {},
        "there": {"Condition": "Yes"},
        "not": {"Condition": "No"},
        "odd": {"Condition": "Unknown"},
    }
    conditions = {"Yes": {"Fn::Join": ["-", ["a", {"Ref": "P"}]]}, "No": "b"}
    template = {"Conditions": conditions, "Resources": resources}
    there = {name: resources[name] for name in ("plain", "odd")}
    assert differ(template, {"P": {"Value": "a"}}, "s", "arn") == {"Resources": there}
    assert differ({**template, "Conditions": {"Yes": "a"}}, {"P": {"Value": "a"}}) == {"Resources": resources}
    assert differ({}, {}) == {}


def test_conditions_may_join_wherever_they_are_evaluated() -> None:
    upstream = FakeMinistack()
    installed(upstream)
    template = {"Conditions": {"Is": {"Fn::Join": ["", [{"Ref": "P"}, ""]]}}}
    for module in (
        *(upstream.cloudformation_engine, upstream.cloudformation_changesets),
        *(upstream.cloudformation_handlers, upstream.cloudformation_stacks),
    ):
        assert module._evaluate_conditions(template, {"P": {"Value": "a"}}) == {"Is": True}


def test_exports_that_a_stack_has_no_more_are_forgotten_and_used_ones_stay() -> None:
    upstream = FakeMinistack(stack(), stack("user", imports={"user": ("used",)}))
    installed(upstream)
    exports = upstream.cloudformation._exports
    owned = {"StackId": "arn:x/s/1", "Value": "1"}
    exports.update(gone=owned, kept=owned, used=owned)
    outputs = upstream.cloudformation_stacks._resolve_stack_outputs
    resolved = ([], {"kept": {"Value": "2"}, "used": {"Value": "1"}})
    assert outputs(resolved, "conditions", "arn:x/s/1") is resolved
    assert exports == {"kept": owned, "used": owned}
    with pytest.raises(ValueError, match=r"^Export used cannot be deleted as it is in use by user$"):
        outputs(([], {}), "arn:x/s/1")
    assert exports == {"kept": owned, "used": owned}


# ---- resources


class Kind:
    """A resource type that notes what it is asked for, and fails as told."""

    def __init__(self, *failures: Exception) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.failures = list(failures)

    def _answer(self, *asked: Any) -> Any:
        self.asked.append(asked)
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    def create(self, *asked: Any) -> Any:
        return self._answer("create", *asked)

    def update(self, *asked: Any) -> Any:
        return self._answer("update", *asked)

    def delete(self, *asked: Any) -> Any:
        return self._answer("delete", *asked)


def failure(code: str) -> ClientError:
    facts: Any = {
        "Error": {"Code": code, "Message": "it is used"},
        "ResponseMetadata": {"HTTPStatusCode": 409, "RequestId": "r-1"},
    }
    return ClientError(facts, "DeleteVpc")


def words(code: str, request: str = "r-1") -> str:
    return (
        f'Resource handler returned message: "it is used (Service: DeleteVpc, Status Code: 409, Request ID: {request})"'
        f" (HandlerErrorCode: {code})"
    )


def functions(kind: Kind, *stacks: dict[str, Any]) -> tuple[dict[str, Any], FakeMinistack]:
    upstream = FakeMinistack(*stacks)
    return installed(upstream)._functions(kind), upstream  # type: ignore[arg-type]


def test_a_resource_gets_a_name_that_its_namesake_in_another_region_has_not() -> None:
    kind = Kind()
    made, _ = functions(kind, stack(), stack("t"))
    assert made["create"]("L", {"a": 1}, "s") == "done"
    plain = "s-L-" + "x" * 60
    own = hashlib.sha256(f"arn:x/s/1 {plain}".encode()).hexdigest()[:13].upper()
    assert kind.asked == [("create", plain[:-13] + own, {"a": 1})]
    assert len(kind.asked[0][1]) == 64
    made["create"]("L", {}, "unknown")
    unknown = "unknown-L-" + "x" * 54
    own = hashlib.sha256(f" {unknown}".encode()).hexdigest()[:13].upper()
    assert kind.asked[1] == ("create", unknown[:-13] + own, {})


def test_a_resource_is_updated_and_a_refusal_is_told_in_the_words_of_events() -> None:
    kind = Kind()
    made, _ = functions(kind, stack())
    assert made["update"]("id", {"a": 1}, {"a": 2}, "s", "L") == "done"
    assert kind.asked == [("update", "id", {"a": 1}, {"a": 2})]
    for call in (lambda: made["update"]("id", {}, {}, "s", "L"), lambda: made["create"]("L", {}, "s")):
        kind.failures = [failure("Denied")]
        with pytest.raises(ValueError) as refused:
            call()
        assert str(refused.value) == words("Denied")


def test_a_refusal_without_a_request_has_no_id() -> None:
    error = failure("Denied")
    del error.response["ResponseMetadata"]["RequestId"]
    assert layer.event_reason(error) == words("Denied", "")


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now, self.pauses = 100.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(layer, "time", made)
    return made


@pytest.mark.parametrize(
    "code",
    [
        *("AuthFailure", "DependencyViolation", "InvalidIPAddress.InUse", "Resource.AlreadyAssociated"),
        "ResourceInUse",
    ],
)
def test_what_is_still_used_is_tried_again_for_two_seconds(clock: Clock, code: str) -> None:
    kind = Kind(failure(code), failure(code))
    made, _ = functions(kind, stack())
    assert made["delete"]("id", {"a": 1}, "s", "L") == "done"
    assert (kind.asked, clock.pauses) == ([("delete", "id", {"a": 1})] * 3, [0.25, 0.25])
    kind.failures = [failure(code)] * 20
    with pytest.raises(ValueError) as refused:
        made["delete"]("id", {})
    assert str(refused.value) == words(code)
    assert len(clock.pauses) == 2 + 9


@pytest.mark.parametrize("code", ["InvalidVpcID.NotFound", "NoSuchEntity", "FileSystemNotFound"])
def test_what_is_gone_already_is_removed(clock: Clock, code: str) -> None:
    made, _ = functions(Kind(failure(code)), stack())
    assert made["delete"]("id", {}) is None
    assert clock.pauses == []


def test_another_refusal_to_remove_is_told_at_once(clock: Clock) -> None:
    kind = Kind(failure("NoSuchEntityException"))
    made, _ = functions(kind, stack())
    with pytest.raises(ValueError) as refused:
        made["delete"]("id", {})
    assert (str(refused.value), len(kind.asked), clock.pauses) == (words("NoSuchEntityException"), 1, [])


# ---- events

KIND = "AWS::EC2::VPC"


def test_an_update_has_events_of_what_it_touches() -> None:
    here = stack(_resources={"Old": {}, "Same": {}, "Bad": {}})
    upstream = FakeMinistack(here)
    made = installed(upstream)._functions(Kind())  # type: ignore[arg-type]
    add = upstream.cloudformation_stacks._add_event
    for name in ("Old", "Same", "New"):
        add("arn", "s", name, KIND, "UPDATE_IN_PROGRESS")
    made["update"]("id", {}, {}, "s", "Old")
    made["create"]("New", {}, "s")
    for name in ("Old", "Same", "New"):
        add("arn", "s", name, KIND, "UPDATE_COMPLETE", physical_id="id")
    assert upstream.events == [
        ("arn", "s", "Old", KIND, "UPDATE_IN_PROGRESS"),
        ("arn", "s", "Old", KIND, "UPDATE_COMPLETE", ("physical_id", "id")),
        ("arn", "s", "New", KIND, "CREATE_IN_PROGRESS"),
        ("arn", "s", "New", KIND, "CREATE_COMPLETE", ("physical_id", "id")),
    ]


class Events(UpdateEvents):
    """UpdateEvents of a stack `s` with the resource `Old`, and what it records."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        super().__init__(
            lambda *event, **named: self.seen.append((*event[2:], *named.items())), lambda s, r: (s, r) == ("s", "Old")
        )


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("AWS::CloudFormation::Stack", "UPDATE_IN_PROGRESS"),
        (KIND, "CREATE_IN_PROGRESS"),
        (KIND, "DELETE_COMPLETE"),
    ],
)
def test_other_events_are_recorded_at_once(kind: str, status: str) -> None:
    events = Events()
    events.add("arn", "s", "Old", kind, status, "why", physical_id="id")
    assert events.seen == [("Old", kind, status, "why", ("physical_id", "id"))]


@pytest.mark.parametrize("told", [{"reason": "why"}, ("why", "id")])
def test_a_failure_ends_what_had_begun_though_nothing_was_touched(told: Any) -> None:
    events = Events()
    more, named = (told, {}) if isinstance(told, tuple) else ((), told)
    events.add("arn", "s", "Old", KIND, "UPDATE_IN_PROGRESS")
    assert events.seen == []
    events.add("arn", "s", "Old", KIND, "UPDATE_FAILED", *more, **named)
    said = (*more, *named.items())
    assert events.seen == [("Old", KIND, "UPDATE_IN_PROGRESS"), ("Old", KIND, "UPDATE_FAILED", *said)]


@pytest.mark.parametrize("told", [{"reason": "anew"}, ("anew",)])
def test_what_is_made_anew_says_so_and_ends(told: Any) -> None:
    events = Events()
    more, named = (told, {}) if isinstance(told, tuple) else ((), told)
    said = (*more, *named.items())
    events.add("arn", "s", "Old", KIND, "UPDATE_IN_PROGRESS")
    events.add("arn", "s", "Old", KIND, "UPDATE_IN_PROGRESS", *more, **named)
    events.add("arn", "s", "Old", KIND, "UPDATE_COMPLETE")
    assert events.seen == [
        ("Old", KIND, "UPDATE_IN_PROGRESS"),
        ("Old", KIND, "UPDATE_IN_PROGRESS", *said),
        ("Old", KIND, "UPDATE_COMPLETE"),
    ]


def test_what_was_touched_by_an_earlier_update_is_not_by_this_one() -> None:
    events = Events()
    events.touch("s", "Old")
    events.add("arn", "s", "Old", KIND, "UPDATE_IN_PROGRESS")
    events.add("arn", "s", "Old", KIND, "UPDATE_COMPLETE")
    assert events.seen == []
    events.touch("s", "Old")
    events.add("arn", "s", "Old", KIND, "UPDATE_COMPLETE")
    assert events.seen == [("Old", KIND, "UPDATE_COMPLETE")], "an end without a beginning is told"


# ---- rules

STARTED = (
    *("CREATE_COMPLETE", "CREATE_FAILED", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"),
    *("ROLLBACK_FAILED", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
)
STATES = (
    *STARTED,
    *("CREATE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"),
    *("IMPORT_ROLLBACK_FAILED", "IMPORT_ROLLBACK_IN_PROGRESS", "REVIEW_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"),
    *("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"),
    *("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"),
)
UPDATABLE = (
    *("CREATE_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"),
    "UPDATE_ROLLBACK_COMPLETE",
)


@pytest.mark.parametrize(
    ("operation", "kind", "refused"),
    [
        ("CreateChangeSet", "CREATE", STARTED),
        ("CreateChangeSet", "UPDATE", [state for state in STATES if state not in UPDATABLE]),
        ("UpdateStack", "", [state for state in STATES if state not in UPDATABLE]),
        ("ExecuteChangeSet", "", [s for s in STATES if s not in (*UPDATABLE, "REVIEW_IN_PROGRESS")]),
        ("CreateStack", "", ["ROLLBACK_COMPLETE"]),
        (
            "DeleteStack",
            "",
            [
                state
                for state in STATES
                if state.endswith("_IN_PROGRESS") and state not in ("DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS")
            ],
        ),
        ("ContinueUpdateRollback", "", []),
    ],
)
def test_states_refuse_operations(operation: str, kind: str, refused: list[str]) -> None:
    assert [s for s in STATES if refusal(operation, stack(status=s), kind, "c")] == [s for s in STATES if s in refused]


@pytest.mark.parametrize(
    ("parameter", "value", "word"),
    [
        ("DeploymentConfig.Mode", "EXPRESS", "express mode"),
        ("ImportExistingResources", "true", "import of resources"),
        ("IncludePropertyValues", "true", "values of properties in change sets"),
        ("ResourcesToImport.member.1.ResourceType", "AWS::EC2::VPC", "import of resources"),
        ("StackPolicyBody", "{}", "stack policies"),
        ("StackPolicyURL", "https://", "stack policies"),
        ("DeploymentConfig.Mode", "STANDARD", ""),
        ("StackPolicyBody", "", ""),
        ("StackName", "s", ""),
    ],
)
def test_parameters_that_the_sandbox_lacks(parameter: str, value: str, word: str) -> None:
    refused = ("ValidationError", f"The sandbox's CloudFormation has no {word}") if word else None
    assert lacking("UpdateStack", {parameter: value}) == refused


# ---- callers


def caller_of(upstream: Any, access: Any = None, issuer: Any = None) -> Callers:
    return Callers(upstream, issuer or Issuer(), access, "http://here", "secret")


ONCE = {"total_max_attempts": 1}


def test_stacks_are_made_by_the_root_where_policies_do_not_count(boto: Boto) -> None:
    called = caller_of(FakeMinistack())
    first = called.client("ec2")
    called.begin(ROLE)
    assert called.client("ec2") is first
    assert called.client("iam") is not first
    root = (SCOPE.account, "secret", None, SCOPE.region)
    assert boto.made == [(*root, "ec2", "http://here", ONCE), (*root, "iam", "http://here", ONCE)]


def test_each_call_has_a_connection_of_its_own(boto: Boto) -> None:
    caller_of(FakeMinistack()).client("ec2")
    (name, handler), request = boto.registered[0], SimpleNamespace(headers={})
    handler(request=request, event_name="x")
    assert (name, request.headers) == ("before-send", {"Connection": "close"})


def test_where_policies_count_a_stack_is_made_by_its_caller_or_its_role(boto: Boto) -> None:
    upstream: Any = FakeMinistack()
    keys = {("AKIA1", SCOPE.account): ("AKIA1", "users", None), ("ASIA9", SCOPE.account): ("ASIA9", "s9", "t9")}

    def credential(key: str, account: str) -> Any:
        names = ("access_key_id", "secret_access_key", "session_token")
        return SimpleNamespace(**dict(zip(names, keys[key, account], strict=True)))

    upstream.evaluator = SimpleNamespace(resolve_credential=credential)
    here, issuer = SimpleNamespace(key="AKIA1"), Issuer()
    called = caller_of(upstream, SimpleNamespace(caller=lambda: here.key), issuer)
    called.client("ec2")
    for role, key in (("", "ASIA9"), ("", SCOPE.account), (ROLE, "AKIA1"), ("other", "AKIA1"), (ROLE, "AKIA1")):
        here.key = key
        called.begin(role)
        here.key = "somebody else, later"
        called.client("ec2")
    assert [made[:3] for made in boto.made] == [
        *(("AKIA1", "users", None), ("ASIA9", "s9", "t9"), (SCOPE.account, "secret", None)),
        *(("ASIA1", "secret1", "token1"), ("ASIA2", "secret2", "token2")),
    ]
    account = SCOPE.account
    assert issuer.asked == [(account, ROLE, "AWSCloudFormation"), (account, "other", "AWSCloudFormation")]
