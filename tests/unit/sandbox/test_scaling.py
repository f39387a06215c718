"""Application Auto Scaling of the sandbox: what it keeps, what it refuses, and how many tasks it asks for."""

import json
from typing import Any

import pytest

from model_sandbox.scaling import Scaling
from model_sandbox.tokens import Scope
from tests.rig.asgi_client import ask, signed

TARGET: dict[str, Any] = {
    **{"ServiceNamespace": "ecs", "ResourceId": "service/c/s", "ScalableDimension": "ecs:service:DesiredCount"},
    **{"MinCapacity": 1, "MaxCapacity": 4},
}
PLACE = {key: TARGET[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
ARN = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/s"
POLICY = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/policy"


class Account:
    def __init__(self) -> None:
        self.wanted: list[tuple[str, str, int]] = []
        self.looked: list[tuple[str, Scope]] = []
        self.refusal: str | None = None
        self.scaling = Scaling(lambda key: key, self._refuse, lambda *given: self.wanted.append(given))

    def _refuse(self, action: str, scope: Scope) -> str | None:
        self.looked.append((action, scope))
        return self.refusal

    def ask(self, operation: str, account: str = "123456789012", region: str = "us-east-1", **request: Any) -> Any:
        headers = signed(account, region, **{"x-amz-target": f"AnyScaleFrontendService.{operation}"})
        body = json.dumps(request).encode() if request else b""
        return ask(self.scaling, "POST", "/", headers, body).told


def test_a_target_is_kept_and_has_its_least_number_run() -> None:
    account = Account()
    assert account.ask("RegisterScalableTarget", **TARGET, RoleARN="dropped") == (200, {"ScalableTargetARN": ARN})
    assert account.wanted == [("123456789012", "service/c/s", 1)]
    shown = {**TARGET, "ScalableTargetARN": ARN}
    assert account.ask("DescribeScalableTargets") == (200, {"ScalableTargets": [shown]})
    assert account.looked == [
        ("application-autoscaling:RegisterScalableTarget", Scope("123456789012", "us-east-1")),
        ("application-autoscaling:DescribeScalableTargets", Scope("123456789012", "us-east-1")),
    ]
    account.ask("RegisterScalableTarget", **{**PLACE, "MinCapacity": 2})
    assert account.wanted[1:] == [("123456789012", "service/c/s", 2)]
    assert account.ask("DescribeScalableTargets", ResourceIds=["service/c/s"])[1] == {
        "ScalableTargets": [{**shown, "MinCapacity": 2}]
    }
    account.ask("RegisterScalableTarget", **{**PLACE, "MaxCapacity": 9})
    (found,) = account.ask("DescribeScalableTargets")[1]["ScalableTargets"]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (2, 9)
    assert account.ask("DescribeScalableTargets", ResourceIds=["service/c/t"])[1] == {"ScalableTargets": []}
    for other in ({"account": "210987654321"}, {"region": "eu-west-1"}):
        assert account.ask("DescribeScalableTargets", **other)[1] == {"ScalableTargets": []}


@pytest.mark.parametrize("key", ["MinCapacity", "MaxCapacity"])
def test_a_new_target_has_both_capacities(key: str) -> None:
    account = Account()
    request = {name: value for name, value in TARGET.items() if name != key}
    told = "MinCapacity and MaxCapacity are required for a new target"
    assert account.ask("RegisterScalableTarget", **request) == (400, {"__type": "ValidationException", "message": told})
    assert account.wanted == []
    assert account.ask("DescribeScalableTargets")[1] == {"ScalableTargets": []}


def test_policies_belong_to_a_target_and_go_with_it() -> None:
    account = Account()
    policy = {**PLACE, "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}
    missing = {"__type": "ObjectNotFoundException", "message": "No scalable target registered for service/c/s"}
    assert account.ask("PutScalingPolicy", **policy) == (400, missing)
    account.ask("RegisterScalableTarget", **TARGET)
    made = (200, {"PolicyARN": f"{POLICY}/cpu", "Alarms": []})
    assert account.ask("PutScalingPolicy", **policy) == made
    assert account.ask("PutScalingPolicy", **policy) == made
    account.ask("PutScalingPolicy", **{**policy, "PolicyName": "memory"})
    cpu, memory = (
        {**policy, "PolicyARN": f"{POLICY}/cpu"},
        {**policy, "PolicyName": "memory", "PolicyARN": f"{POLICY}/memory"},
    )

    def found(**request: Any) -> list[dict[str, Any]]:
        status, told = account.ask("DescribeScalingPolicies", **request)
        assert status == 200
        return list(told["ScalingPolicies"])

    assert found() == found(**PLACE) == found(PolicyNames=[]) == [cpu, memory]
    assert found(PolicyNames=["memory", "none"]) == [memory]
    for key in PLACE:
        assert found(**{key: "other"}) == []
    assert found(account="210987654321") == found(region="eu-west-1") == []
    assert account.ask("DeregisterScalableTarget", **PLACE) == (200, {})
    assert (found(), account.ask("DescribeScalableTargets")[1]) == ([], {"ScalableTargets": []})
    gone = {"__type": "ObjectNotFoundException", "message": "No scalable target found for service/c/s"}
    assert account.ask("DeregisterScalableTarget", **PLACE) == (400, gone)
    account.ask("RegisterScalableTarget", **TARGET)
    assert account.ask("DeregisterScalableTarget", **PLACE) == (200, {})


def test_what_policies_refuse_is_not_done() -> None:
    account = Account()
    account.refusal = "not allowed"
    refused = (400, {"__type": "AccessDeniedException", "message": "not allowed"})
    assert account.ask("RegisterScalableTarget", **TARGET) == refused
    assert account.wanted == []
    account.refusal = None
    unknown = {"__type": "UnknownOperationException", "message": "the sandbox does not know this operation"}
    assert account.ask("TagResource") == (400, unknown)
    assert ask(account.scaling, "POST", "/", signed()).told == (400, unknown)


def test_a_body_is_read_up_to_a_mebibyte() -> None:
    account = Account()
    headers = signed(**{"x-amz-target": "x.DescribeScalableTargets"})
    assert ask(account.scaling, "POST", "/", headers, [b'{"a": "', b"x" * (1024 * 1024 - 9), b'"}']).status == 200
    with pytest.raises(ValueError, match="larger than 1048576 bytes"):
        ask(account.scaling, "POST", "/", headers, [b'{"a": "', b"x" * (1024 * 1024 - 8), b'"}'])
