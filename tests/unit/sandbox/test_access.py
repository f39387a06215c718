"""IAM as the sandbox enforces it: the questions that a request puts to policies, and the words of refusals."""

import json
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from model_sandbox.access import Access
from model_sandbox.tokens import Scope

ACCOUNT, REGION = "123456789012", "eu-west-1"
SCOPE = Scope(ACCOUNT, REGION)
HERE = f"{REGION}:{ACCOUNT}"
SIGNED = {"authorization": f"AWS4-HMAC-SHA256 Credential=AKIA1/20261122/{REGION}/ecs/aws4_request, SignedHeaders=host"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
BOUNDARY = "arn:aws:iam::1:policy/b"


class AuthError:
    """The stand-in of ministack's word for a key that is nobody's."""

    def __init__(self, message: str) -> None:
        self.message = message


class Upstream:
    """The part of ministack that Access uses. `decisions` by action; `enforced`: each question to its own check."""

    def __init__(self) -> None:
        self.decisions: dict[str, str] = {}
        self.refusals: dict[str, str] = {}
        self.principal: Any = SimpleNamespace(
            **{"arn": "arn:user", "type": "User", "account": ACCOUNT, "policies": ["p"], "keys": {"aws:username": "u"}},
            limits=("l1", "l2"),
        )
        self.enforced: list[tuple[Any, ...]] = []
        self.evaluated: list[tuple[Any, ...]] = []
        self.resolved: list[tuple[str, str]] = []
        self.within_of: list[Scope] = []
        self.evaluator: Any = SimpleNamespace(
            enforce=self._enforce,
            resolve_principal=self._principal,
            AuthError=AuthError,
            EvalContext=lambda **facts: facts,
            evaluate=self._evaluate,
        )
        self.actions: Any = SimpleNamespace(
            access_denied_response=lambda *asked, **named: (403, {"h": "v"}, (asked, named)),
            identity_denial_message=lambda *asked: "|".join(map(str, asked)),
        )
        self.iam: Any = SimpleNamespace(_roles={}, _build_simulate_results_real=None)
        self.ec2: Any = SimpleNamespace(_tags={}, _route_tables={})
        self.ecs: Any = SimpleNamespace(_tags={})
        self.efs: Any = SimpleNamespace(_file_systems={}, _access_points={}, _mount_targets={})
        self.elb: Any = SimpleNamespace(_tags={})
        self.ecr: Any = SimpleNamespace(_repositories={})

    def _enforce(self, *asked: Any) -> Any:
        self.enforced.append(asked)
        return self.refusals.get(asked[1])

    def _principal(self, key: str, account: str) -> Any:
        self.resolved.append((key, account))
        return self.principal

    def _evaluate(self, *asked: Any) -> Any:
        self.evaluated.append(asked)
        return SimpleNamespace(decision=self.decisions.get(asked[0]["action"], "Allow"))

    def scope(self) -> Scope:
        return SCOPE

    def within(self, scope: Scope) -> AbstractContextManager[None]:
        self.within_of.append(scope)
        return nullcontext()


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def access(upstream: Upstream) -> Access:
    made = Access(upstream)  # type: ignore[arg-type]
    made.install()
    return made


def begin(access: Access, body: Any = None, path: str = "/", **headers: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    access.begin({**SIGNED, **headers}, content, path)


def question(action: str, resource: str, region: str = REGION) -> dict[str, Any]:
    return {
        **{"principal_arn": "arn:user", "principal_type": "User", "principal_account": ACCOUNT, "action": action},
        **{"resource_arn": resource, "region": region, "principal_keys": {"aws:username": "u"}},
    }


# ---- the request


def test_the_caller_is_who_signed_and_nobody_outside_of_requests(access: Access) -> None:
    assert (access.caller(), access.asked()) == ("", ())
    begin(access)
    assert (access.caller(), access.asked()) == ("AKIA1", ())
    access.begin({}, b"", "/")
    assert access.caller() == ""


@pytest.mark.parametrize(
    ("headers", "body", "params"),
    [
        ({}, b'{"clusterName": "c"}', "cluster/c"),
        (FORM, b"clusterName=c", "cluster/c"),
        (FORM, b"clusterName=%ff", "cluster/\ufffd"),
        (FORM, b"clusterName=\xff", "cluster/\ufffd"),
        ({}, b"no JSON", "cluster/default"),
        ({}, b"", "cluster/default"),
        ({}, b"[1]", "cluster/default"),
    ],
)
def test_a_request_is_read_in_its_form(access: Access, headers: dict[str, str], body: bytes, params: str) -> None:
    begin(access, body, **headers)
    access.judged("ecs:CreateCluster", SCOPE)
    assert access.asked() == (f"ecs:CreateCluster arn:aws:ecs:{HERE}:{params}",)


# ---- questions


def test_outside_of_requests_nothing_is_judged(access: Access, upstream: Upstream) -> None:
    assert access.judged("ecs:CreateCluster", SCOPE) is None
    assert access.here("ecs:CreateCluster", "*") is None
    assert upstream.evaluated == []


def test_a_question_names_all_that_policies_look_at(access: Access, upstream: Upstream) -> None:
    there = Scope("1", "us-east-1")
    assert access.refusal("AKIA2", there, "ecs:A", "arn:x") is None
    assert upstream.resolved == [("AKIA2", "1")]
    assert upstream.within_of == [there]
    assert upstream.evaluated == [(question("ecs:A", "arn:x", "us-east-1"), ["p"], "l1", "l2")]


@pytest.mark.parametrize(("decision", "explicit"), [("Deny", True), ("ImplicitDeny", False)])
def test_a_refusal_is_in_awss_words(access: Access, upstream: Upstream, decision: str, explicit: bool) -> None:
    upstream.decisions["ecs:A"] = decision
    assert access.refusal("AKIA2", SCOPE, "ecs:A", "arn:x") == f"ecs:A|arn:user|arn:x|{explicit}"


def test_nobodys_key_is_refused_and_the_root_is_not_asked(access: Access, upstream: Upstream) -> None:
    upstream.principal = AuthError("The security token included in the request is invalid.")
    why = "The security token included in the request is invalid."
    assert access.refusal("AKIA2", SCOPE, "ecs:A", "arn:x") == why
    upstream.principal = SimpleNamespace(policies=None)
    assert access.refusal("AKIA2", SCOPE, "ecs:A", "arn:x") is None
    assert upstream.evaluated == []


def test_a_request_of_ours_is_judged_by_each_need_until_one_is_refused(access: Access, upstream: Upstream) -> None:
    asked = {"clusterName": "c", "tags": [{"key": "k", "value": "v"}]}
    cluster = f"arn:aws:ecs:{HERE}:cluster/c"
    begin(access, asked)
    assert access.judged("ecs:CreateCluster", SCOPE) is None
    assert access.asked() == (f"ecs:CreateCluster {cluster}", f"ecs:TagResource {cluster}")
    assert upstream.resolved == [("AKIA1", ACCOUNT)] * 2
    begin(access, asked)
    upstream.decisions["ecs:CreateCluster"] = "Deny"
    assert access.judged("ecs:CreateCluster", SCOPE) == f"ecs:CreateCluster|arn:user|{cluster}|True"
    assert access.asked() == (f"ecs:CreateCluster {cluster}",)


def test_one_more_question_is_asked_of_the_caller_here(access: Access, upstream: Upstream) -> None:
    begin(access)
    assert access.here("lambda:ListTags", "arn:f") is None
    upstream.decisions["lambda:ListTags"] = "ImplicitDeny"
    assert access.here("lambda:ListTags", "arn:f") == "lambda:ListTags|arn:user|arn:f|False"
    assert access.asked() == ("lambda:ListTags arn:f",) * 2
    assert upstream.evaluated[0] == (question("lambda:ListTags", "arn:f"), ["p"], "l1", "l2")


# ---- ministack's check


def test_outside_of_requests_and_for_other_services_ministack_checks_alone(access: Access, upstream: Upstream) -> None:
    upstream.refusals["ecs:A"] = "refused"
    assert upstream.evaluator.enforce("AKIA1", "ecs:A", "ecs", REGION) == "refused"
    begin(access)
    assert upstream.evaluator.enforce("AKIA1", "sqs:A", "sqs", REGION, "arn:q", {"k": "v"}) is None
    assert upstream.enforced == [
        ("AKIA1", "ecs:A", "ecs", REGION, "*", None),
        ("AKIA1", "sqs:A", "sqs", REGION, "arn:q", {"k": "v"}),
    ]
    assert access.asked() == ()


def test_every_need_is_checked_with_tags_and_context(access: Access, upstream: Upstream) -> None:
    cluster = f"arn:aws:ecs:{HERE}:cluster/c"
    upstream.ecs._tags[cluster] = [{"key": "k", "value": "v"}]
    access.batch_tags = lambda arn: {"b": arn}
    begin(access, {"clusterName": "c", "tags": [{"key": "new", "value": "v"}]})
    assert upstream.evaluator.enforce("AKIA1", "ecs:CreateCluster", "ecs", REGION, "*", {"own": "1"}) is None
    tags = {"aws:ResourceTag/k": "v", "aws:ResourceTag/b": cluster}
    given = {"own": "1", **tags, "aws:TagKeys": ["new"]}
    assert upstream.enforced == [
        ("AKIA1", "ecs:CreateCluster", "ecs", REGION, cluster, given),
        ("AKIA1", "ecs:TagResource", "ecs", REGION, cluster, {**given, "ecs:CreateAction": "CreateCluster"}),
    ]
    assert access.asked() == (f"ecs:CreateCluster {cluster}", f"ecs:TagResource {cluster}")


def test_the_first_need_that_is_not_met_ends_the_check_and_is_named(access: Access, upstream: Upstream) -> None:
    cluster = f"arn:aws:ecs:{HERE}:cluster/c"
    upstream.refusals["ecs:CreateCluster"] = "refused"
    begin(access, {"clusterName": "c", "tags": [{"key": "k", "value": "v"}]})
    assert upstream.evaluator.enforce("AKIA1", "ecs:CreateCluster", "ecs", REGION) == "refused"
    assert len(upstream.enforced) == 1
    deny = upstream.actions.access_denied_response
    status, headers, (asked, named) = deny("ecs", "ecs:Other", "arn:user", "r-1", explicit_deny=True, headers={})
    assert (status, headers) == (403, {"h": "v"})
    assert asked == ("ecs", "ecs:CreateCluster", "arn:user", "r-1")
    message = f"ecs:CreateCluster|arn:user|{cluster}|True"
    assert named == {"explicit_deny": True, "headers": {}, "message": message, "resource_arn": cluster}
    status, _, (_, named) = deny("ecs", "ecs:Other", "arn:user", "r-1", headers={"x-amz-target": "T"})
    assert (status, named["message"]) == (400, f"ecs:CreateCluster|arn:user|{cluster}|False")
    status, _, (_, named) = deny("ec2", "ecs:Other", "arn:user", "r-1")
    words = f"You are not authorized to perform this operation. ecs:CreateCluster|arn:user|{cluster}|False."
    assert (status, named["message"]) == (403, words)
    told = deny("ecs", "ecs:Other", "arn:user", "r-1", error_code="InvalidClientTokenId")
    assert told == (403, {"h": "v"}, (("ecs", "ecs:Other", "arn:user", "r-1"), {"error_code": "InvalidClientTokenId"}))


def test_what_was_not_refused_by_us_is_told_as_ministack_does(access: Access, upstream: Upstream) -> None:
    deny = upstream.actions.access_denied_response
    plain = (403, {"h": "v"}, (("ecs", "ecs:A", "arn:user", "r-1"), {}))
    assert deny("ecs", "ecs:A", "arn:user", "r-1") == plain
    begin(access)
    assert deny("ecs", "ecs:A", "arn:user", "r-1") == plain


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ("*", f"arn:aws:ec2:{HERE}:natgateway/nat-1"),
        (f"arn:aws:ec2:{HERE}:natgateway/*", f"arn:aws:ec2:{HERE}:natgateway/nat-1"),
        ("arn:aws:ec2:x:natgateway/nat-2", "arn:aws:ec2:x:natgateway/nat-2"),
    ],
)
def test_a_resource_that_ministack_does_not_find_is_found_by_us(
    access: Access, upstream: Upstream, resource: str, named: str
) -> None:
    begin(access, urlencode({"NatGatewayId": "nat-1"}).encode(), **FORM)
    upstream.evaluator.enforce("AKIA1", "ec2:DeleteNatGateway", "ec2", REGION, resource)
    assert access.asked() == (f"ec2:DeleteNatGateway {named}",)


def test_a_resource_in_the_path_is_found_too(access: Access, upstream: Upstream) -> None:
    upstream.efs._mount_targets["fsmt-1"] = {"FileSystemId": "fs-1"}
    begin(access, path="/2015-02-01/mount-targets/fsmt-1/security-groups")
    action = "elasticfilesystem:DescribeMountTargetSecurityGroups"
    upstream.evaluator.enforce("AKIA1", action, "elasticfilesystem", REGION)
    assert access.asked() == (f"{action} arn:aws:elasticfilesystem:{HERE}:file-system/fs-1",)


def test_what_nobody_finds_stays_vague(access: Access, upstream: Upstream) -> None:
    begin(access, b"VpcId=v", **FORM)
    upstream.evaluator.enforce("AKIA1", "ec2:DescribeVpcs", "ec2", REGION)
    assert access.asked() == ("ec2:DescribeVpcs *",)


@pytest.mark.parametrize(
    ("action", "role", "context"),
    [
        ("iam:GetRole", {"PermissionsBoundary": {"PermissionsBoundaryArn": BOUNDARY}}, BOUNDARY),
        ("iam:GetRole", {"PermissionsBoundary": BOUNDARY}, BOUNDARY),
        ("iam:GetRole", {"PermissionsBoundary": {}}, None),
        ("iam:GetRole", {}, None),
        ("iam:GetRole", None, None),
        ("ecs:CreateCluster", {"PermissionsBoundary": BOUNDARY}, None),
    ],
)
def test_the_boundary_is_that_of_the_role_that_is_asked_about(
    access: Access, upstream: Upstream, action: str, role: Any, context: str | None
) -> None:
    if role is not None:
        upstream.iam._roles["r"] = role
    begin(access, b"RoleName=r", **FORM)
    upstream.evaluator.enforce("AKIA1", action, action.partition(":")[0], REGION)
    given = {"iam:PermissionsBoundary": context} if context else {}
    assert upstream.enforced[0][5] == given


def test_a_request_without_a_role_has_no_boundary(access: Access, upstream: Upstream) -> None:
    upstream.iam._roles["None"] = {"PermissionsBoundary": BOUNDARY}
    begin(access, b"UserName=u", **FORM)
    upstream.evaluator.enforce("AKIA1", "iam:GetUser", "iam", REGION)
    assert upstream.enforced[0][5] == {}


# ---- simulation


def simulated(action: str, resource: str, decision: str) -> str:
    return (
        f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision></member>"
    )


def test_a_simulation_has_the_condition_keys_of_its_request(access: Access, upstream: Upstream) -> None:
    told = {
        "ContextEntries.member.1.ContextKeyName": "aws:RequestedRegion",
        "ContextEntries.member.1.ContextKeyValues.member.1": "eu-west-1",
        "ContextEntries.member.2.ContextKeyName": "aws:TagKeys",
        "ContextEntries.member.2.ContextKeyValues.member.1": "a",
        "ContextEntries.member.2.ContextKeyValues.member.2": "b",
        "ContextEntries.member.3.ContextKeyValues.member.1": "of no name",
        "RoleName": "r",
    }
    begin(access, urlencode(told).encode(), **FORM)
    upstream.decisions = {"ecs:B": "Deny", "ecs:C": "ImplicitDeny"}
    simulate = upstream.iam._build_simulate_results_real
    assert simulate(["ecs:A", "ecs:B", "ecs:C"], "arn:a&b", "arn:role", ACCOUNT, ["p"]) == (
        simulated("ecs:A", "arn:a&amp;b", "allowed")
        + simulated("ecs:B", "arn:a&amp;b", "explicitDeny")
        + simulated("ecs:C", "arn:a&amp;b", "implicitDeny")
    )
    facts = {
        **{"principal_arn": "arn:role", "principal_type": "AssumedRole", "principal_account": ACCOUNT},
        **{"action": "ecs:A", "resource_arn": "arn:a&b", "region": REGION},
        "service_context": {"aws:requestedregion": "eu-west-1", "aws:tagkeys": ["a", "b"]},
    }
    assert upstream.evaluated[0] == (facts, ["p"])


def test_without_policies_nothing_is_allowed(access: Access, upstream: Upstream) -> None:
    simulate = upstream.iam._build_simulate_results_real
    assert simulate(["ecs:A"], "*", "arn:role", ACCOUNT, []) == simulated("ecs:A", "*", "implicitDeny")
    assert simulate(["ecs:A"], "*", "arn:role", ACCOUNT, ["p"]) == simulated("ecs:A", "*", "allowed")
    assert upstream.evaluated[0][0]["service_context"] == {}
