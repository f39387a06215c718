"""All in an account that may stop a run is told before it: region, credentials, roles, quotas and permissions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import ClientError, ConnectTimeoutError

from model_dockerize.aws.model import Identity
from model_dockerize.aws.preflight import account, policy_simulation
from model_dockerize.aws.preflight.account import Quota
from model_dockerize.aws.preflight.policy_simulation import Simulation
from model_dockerize.errors import AwsError
from tests.rig.scripted import Call, Script, refused


@pytest.mark.parametrize(
    ("name", "similar"),
    [("cn-north-1", None), ("eu-centrall-1", "eu-central-1"), ("moon", "")],
)
def test_a_region_that_aws_does_not_have_is_told_with_one_like_it(name: str, similar: str | None) -> None:
    assert account.similar_region(name) == similar


def with_credentials(credentials: Any) -> Any:
    return SimpleNamespace(credentials=credentials)


TEMPORARY, LASTING = Credentials("k", "s", "t"), Credentials("k", "s")
UNKNOWN = ("temporary ones, which do not say when they end", None)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("credentials", "environment", "lifetime"),
    [
        (None, {}, ("they do not expire", None)),
        (LASTING, {"AWS_SESSION_EXPIRATION": "2026-01-01T12:00:00Z"}, ("they do not expire", None)),
        (TEMPORARY, {}, UNKNOWN),
        (TEMPORARY, {"AWS_SESSION_EXPIRATION": "soon"}, UNKNOWN),
        *(
            (TEMPORARY, {name: "2026-01-01T12:00:00Z"}, ("they end at 12:00:00 UTC", NOON))
            for name in ("AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION")
        ),
        (
            TEMPORARY,
            {"AWS_CREDENTIAL_EXPIRATION": "soon", "AWS_SESSION_EXPIRATION": "2026-01-01T12:00:00"},
            ("they end at 12:00:00 UTC", NOON),
        ),
        (
            TEMPORARY,
            {"AWS_CREDENTIAL_EXPIRATION": "2026-01-01T13:00:00+01:00"},
            ("they end at 13:00:00 UTC+01:00", NOON.astimezone(timezone(timedelta(hours=1)))),
        ),
    ],
)
def test_credentials_tell_when_they_end(credentials: Any, environment: dict[str, str], lifetime: Any) -> None:
    assert account.lifetime(with_credentials(credentials), environment) == lifetime


def test_credentials_that_can_be_had_anew_renew_themselves() -> None:
    renewed = RefreshableCredentials("k", "s", "t", NOON, lambda: None, "a-role")
    assert account.lifetime(with_credentials(renewed), {}) == ("they renew themselves", None)


def role(name: str, answer: Any) -> Call:
    shown = answer if isinstance(answer, ClientError) else {"Role": answer}
    return "iam:get_role", {"RoleName": name}, shown


def trusting(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"AssumeRolePolicyDocument": {"Statement": [statement]}}


def test_only_a_role_that_is_there_and_trusts_another_service_is_told() -> None:
    calls = [
        role("hidden", refused("AccessDenied")),
        role("new", {}),
        role("of-ec2", trusting("ec2.amazonaws.com")),
        role("of-tasks", trusting("ecs-tasks.amazonaws.com")),
    ]
    names = ("hidden", "arn:aws:iam::1:role/path/new", "arn:aws:iam::1:role/of-ec2", "of-tasks")
    with Script(*calls) as script:
        assert account.distrusting(script.aws, names) == ("arn:aws:iam::1:role/of-ec2",)
    with Script(calls[2]) as script:
        assert account.distrusting(script.aws, ("of-ec2",), "ec2.amazonaws.com") == ()


def test_roles_of_aws_itself_are_there_or_made_with_the_first_use() -> None:
    for answer, said in (
        ({}, "there"),
        (refused("NoSuchEntityException"), "made with the first use"),
        (refused("AccessDenied"), "not to be seen (AccessDenied)"),
    ):
        with Script(role("AWSServiceRoleForBatch", answer)) as script:
            assert account.linked_roles(script.aws, ("Batch",)) == {"Batch": said}
    both = role("AWSServiceRoleForECS", {}), role("AWSServiceRoleForBatch", {})
    with Script(*both) as script:
        assert account.linked_roles(script.aws, ("ECS", "Batch")) == {"ECS": "there", "Batch": "there"}
    with Script() as script:
        assert account.linked_roles(script.aws, ()) == {}


VPCS = ("ec2:describe_vpcs", {}, [{"Vpcs": [{}, {}]}, {"Vpcs": [{}]}])


def limit(service: str, code: str, answer: Any) -> Call:
    shown = answer if isinstance(answer, Exception) else {"Quota": {"Value": answer}}
    return "service-quotas:get_service_quota", {"ServiceCode": service, "QuotaCode": code}, shown


class TestQuotas:
    @pytest.mark.parametrize(
        ("vpcs", "vcpus", "calls", "found"),
        [
            (0, 0, [], ()),
            (2, 0, [VPCS, limit("vpc", "L-F678F1CE", 5)], (Quota("VPCs in this region", 5, 5.0),)),
            (0, 0.5, [limit("fargate", "L-3032A538", 6)], (Quota("vCPUs of Fargate", 0.5, 6.0),)),
            (
                1,
                4,
                [
                    VPCS,
                    limit("vpc", "L-F678F1CE", refused("AccessDeniedException")),
                    limit("fargate", "L-3032A538", ConnectTimeoutError(endpoint_url="u")),
                ],
                (
                    Quota("VPCs in this region", 4, None, "AccessDeniedException"),
                    Quota("vCPUs of Fargate", 4, None, "ConnectTimeoutError"),
                ),
            ),
        ],
    )
    def test_what_a_run_needs_is_counted_with_what_is_there(
        self, vpcs: int, vcpus: float, calls: list[Call], found: tuple[Quota, ...]
    ) -> None:
        with Script(*calls) as script:
            assert account.quotas(script.aws, vpcs, vcpus) == found

    def test_what_may_not_be_counted_is_an_error(self) -> None:
        denied = ("ec2:describe_vpcs", {}, refused("ServerException", "oh"))
        with Script(denied) as script, pytest.raises(AwsError) as caught:
            account.quotas(script.aws, 1, 0)
        assert str(caught.value) == "count the VPCs: Operation failed: ServerException: oh"

    @pytest.mark.parametrize(("limit", "enough"), [(None, True), (3.0, True), (2.9, False)])
    def test_a_limit_may_be_reached_and_not_passed(self, limit: float | None, enough: bool) -> None:
        assert Quota("q", 3, limit).enough is enough


class Iam:
    """An IAM whose simulator allows these pairs of action and resource, in pages of one; it asks side by side."""

    def __init__(self, *allowed: tuple[str, str], error: Exception | None = None, role: Any = None) -> None:
        self.allowed, self.error, self.role = allowed, error, role
        self.asked: list[dict[str, Any]] = []

    def get_role(self, RoleName: str) -> Any:  # noqa: N803 - as AWS has it
        if self.role is None:
            raise refused("AccessDenied")
        return {"Role": {"Arn": self.role % RoleName}}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "simulate_principal_policy"
        return SimpleNamespace(paginate=self.paginate)

    def paginate(self, **asked: Any) -> Iterator[Any]:
        self.asked.append(asked)
        if self.error:
            raise self.error
        for action in asked["ActionNames"]:
            decision = "allowed" if (action, asked["ResourceArns"][0]) in self.allowed else "implicitDeny"
            yield {"EvaluationResults": [{"EvalActionName": action, "EvalDecision": decision}]}


USER = "arn:aws:iam::1:user/iris"
SERVICE, OTHER = "arn:aws:ecs:us-east-1:1:service/c/iris", "arn:aws:ecs:us-east-1:1:service/c/rose"
GROUP = "arn:aws:logs:us-east-1:1:log-group:/iris"


def statement(actions: list[str], resource: Any, **equals: Any) -> dict[str, Any]:
    condition = {"Condition": {"StringEquals": equals}} if equals else {}
    return {"Action": actions, "Resource": resource, **condition}


def simulated(iam: Iam, *statements: dict[str, Any], arn: str = USER) -> Simulation:
    aws: Any = SimpleNamespace(iam=iam, identity=Identity("1", arn, "us-east-1"))
    return policy_simulation.simulate(aws, {"Statement": list(statements)})


class TestSimulation:
    def test_the_root_may_do_everything_and_nobody_is_asked(self) -> None:
        iam = Iam()
        both = statement(["a:A", "a:B"], "*"), statement(["a:C"], "*")
        assert simulated(iam, *both, arn="arn:aws:iam::1:root") == Simulation(3)
        assert iam.asked == []

    def test_the_question_is_whole(self) -> None:
        iam = Iam(("ecs:A", SERVICE))
        asked = statement(["ecs:A", "ecs:B"], SERVICE, **{"aws:ResourceTag/x": ["one", "two"], "ecs:cluster": "c"})
        assert simulated(iam, asked) == Simulation(1, (("ecs:B", SERVICE),))
        assert iam.asked == [
            {
                "PolicySourceArn": USER,
                "ActionNames": ["ecs:A", "ecs:B"],
                "ResourceArns": [SERVICE],
                "ContextEntries": [
                    {"ContextKeyName": "aws:ResourceTag/x", "ContextKeyValues": ["one"], "ContextKeyType": "string"},
                    {"ContextKeyName": "ecs:cluster", "ContextKeyValues": ["c"], "ContextKeyType": "string"},
                ],
            }
        ]

    @pytest.mark.parametrize(
        ("allowed", "denied"),
        [
            ([("a:A", SERVICE), ("a:A", OTHER)], ()),
            ([("a:A", GROUP)], ()),  # that is the kind of resource that it is for
            ([("a:A", SERVICE)], (("a:A", OTHER),)),
            ([("a:A", OTHER)], (("a:A", SERVICE),)),
            ([], (("a:A", SERVICE),)),
        ],
    )
    def test_an_action_is_allowed_where_it_is_for_all_resources_of_one_kind(
        self, allowed: list[tuple[str, str]], denied: Any
    ) -> None:
        found = simulated(Iam(*allowed), statement(["a:A"], [GROUP, SERVICE, OTHER]))
        assert found == Simulation(int(not denied), tuple((action, where) for action, where in denied))

    def test_every_resource_is_one_of_its_own_kind(self) -> None:
        found = simulated(Iam(("a:A", "*"), ("b:B", SERVICE)), statement(["a:A"], "*"), statement(["b:B"], [SERVICE]))
        assert found == Simulation(2)

    @pytest.mark.parametrize(
        ("arn", "role", "source"),
        [
            (USER, None, USER),
            ("arn:aws:sts::1:assumed-role/r/session", "arn:aws:iam::1:role/path/%s", "arn:aws:iam::1:role/path/r"),
            ("arn:aws-cn:sts::1:assumed-role/r/session", None, "arn:aws-cn:iam::1:role/r"),
        ],
    )
    def test_the_question_is_about_who_calls(self, arn: str, role: Any, source: str) -> None:
        iam = Iam(("a:A", "*"), role=role)
        assert simulated(iam, statement(["a:A"], "*"), arn=arn) == Simulation(1)
        assert iam.asked[0]["PolicySourceArn"] == source

    def test_who_has_no_policies_is_not_asked_about(self) -> None:
        found = simulated(Iam(), statement(["a:A"], "*"), arn="arn:aws:sts::1:federated-user/x")
        assert found == Simulation(reason="federated-user has no policies that could be simulated")

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            *(
                (code, "iam:SimulatePrincipalPolicy is not allowed")
                for code in ("AccessDenied", "AccessDeniedException")
            ),
            *(
                (code, "IAM's simulator does not take it: why")
                for code in ("NoSuchEntity", "InvalidInput", "InvalidAction", "ValidationError")
            ),
        ],
    )
    def test_why_it_is_not_known_is_told(self, code: str, reason: str) -> None:
        assert simulated(Iam(error=refused(code, "why")), statement(["a:A"], "*")) == Simulation(reason=reason)

    def test_any_other_refusal_is_an_error(self) -> None:
        with pytest.raises(AwsError) as caught:
            simulated(Iam(error=refused("ServerException", "oh")), statement(["a:A"], "*"))
        assert str(caught.value) == "simulate the policies: Operation failed: ServerException: oh"
