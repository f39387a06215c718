"""GuardDuty's Runtime Monitoring in the sandbox: for whom it is on, and what it leaves in a VPC."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import runtime_monitoring
from model_sandbox.runtime_monitoring import RuntimeMonitoring, agent
from model_sandbox.tokens import Scope
from tests.rig.asgi_client import ask, signed
from tests.rig.fake_ministack import OTHER, SCOPE, fake_upstream

ON = {"name": "ECS_FARGATE_AGENT_MANAGEMENT", "status": "ENABLED"}
FEATURE: dict[str, Any] = {"name": "RUNTIME_MONITORING", "status": "ENABLED", "additionalConfiguration": [ON]}


class Account:
    def __init__(self) -> None:
        self.upstream = fake_upstream()
        self.refusal: str | None = None
        self.looked: list[Any] = []
        self.monitoring = RuntimeMonitoring(self.upstream, self._refuse)

    def _refuse(self, action: str, scope: Scope) -> str | None:
        self.looked.append((action, scope))
        return self.refusal

    def ask(self, method: str, path: str = "/detector", scope: Scope = SCOPE, **request: Any) -> tuple[int, Any]:
        body = json.dumps(request).encode() if request else b""
        return ask(self.monitoring, method, path, signed(scope.account, scope.region), body).told

    def listed(self, scope: Scope = SCOPE) -> list[str]:
        status, told = self.ask("GET", scope=scope)
        assert status == 200
        return list(told["detectorIds"])


def test_a_detector_turns_it_on_for_its_account_and_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_monitoring, "uuid", SimpleNamespace(uuid4=lambda: SimpleNamespace(hex="id")))
    account = Account()
    assert (account.listed(), account.monitoring.is_on(SCOPE)) == ([], False)
    assert account.ask("POST", "/detector/", enable=True, features=[{"name": "S3"}, FEATURE]) == (
        *(200,),
        {"detectorId": "id"},
    )
    assert (account.listed(), account.monitoring.is_on(SCOPE)) == (["id"], True)
    assert (account.listed(OTHER), account.monitoring.is_on(OTHER)) == ([], False)
    actions = [action for action, scope in account.looked if scope == SCOPE]
    assert actions == ["guardduty:ListDetectors", "guardduty:CreateDetector", "guardduty:ListDetectors"]


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"enable": False, "features": [FEATURE]},
        {"enable": True},
        {"enable": True, "features": None},
        {"enable": True, "features": [{**FEATURE, "name": "S3"}]},
        {"enable": True, "features": [{**FEATURE, "status": "DISABLED"}]},
        {"enable": True, "features": [{**FEATURE, "additionalConfiguration": None}]},
        {"enable": True, "features": [{**FEATURE, "additionalConfiguration": [{**ON, "status": "DISABLED"}]}]},
        {"enable": True, "features": [{**FEATURE, "additionalConfiguration": [{**ON, "name": "EKS"}]}]},
    ],
)
def test_a_detector_that_looks_at_something_else(request_: dict[str, Any]) -> None:
    account = Account()
    status, told = account.ask("POST", **request_)
    assert (status, len(told["detectorId"])) == (200, 32)
    assert not account.monitoring.is_on(SCOPE)


def test_one_feature_of_several_is_enough_and_none_after_it_counts() -> None:
    account = Account()
    more = {**FEATURE, "additionalConfiguration": [{"name": "EKS"}, ON]}
    account.ask("POST", enable=True, features=[more, {**FEATURE, "additionalConfiguration": []}])
    assert account.monitoring.is_on(SCOPE)


def test_what_is_refused() -> None:
    account = Account()
    account.refusal = "not allowed"
    refused = (403, {"__type": "AccessDeniedException", "message": "not allowed"})
    assert account.ask("POST", enable=True, features=[FEATURE]) == refused
    assert not account.monitoring.is_on(SCOPE)
    unknown = "the sandbox knows no more of GuardDuty than detectors"
    for method, path in (("GET", "/detector/1"), ("DELETE", "/detector")):
        assert account.ask(method, path) == (400, {"__type": "BadRequestException", "message": unknown})


def test_a_body_is_read_up_to_64_kibibytes() -> None:
    account = Account()
    room = 64 * 1024 - len('{"a": ""}')
    assert ask(account.monitoring, "GET", "/detector", signed(), json.dumps({"a": "x" * room}).encode()).status == 200
    with pytest.raises(ValueError, match="larger than 65536 bytes"):
        ask(account.monitoring, "GET", "/detector", signed(), json.dumps({"a": "x" * (room + 1)}).encode())


def test_it_reaches_a_vpc_once_by_an_endpoint_with_a_group() -> None:
    account = Account()
    ec2: Any = account.upstream.ec2
    ec2._ensure_defaults_initialized()
    ec2._subnets["subnet-v"] = {"VpcId": "v"}
    elsewhere = {"VpcId": "w", "ServiceName": "com.amazonaws.us-east-1.guardduty-data"}
    other = {"VpcId": "v", "ServiceName": "com.amazonaws.us-east-1.s3"}
    ec2._vpc_endpoints = {"vpce-w": elsewhere, "vpce-s3": other}
    made: list[tuple[str, Any]] = []

    def make(name: str, store: dict[str, Any], identity: str) -> Any:
        def answer(form: dict[str, list[str]]) -> None:
            made.append((name, form))
            store[identity] = {key: value[0] for key, value in form.items()}

        return answer

    ec2._ACTION_MAP = {
        "CreateSecurityGroup": make("CreateSecurityGroup", ec2._security_groups, "sg-new"),
        "CreateVpcEndpoint": make("CreateVpcEndpoint", ec2._vpc_endpoints, "vpce-new"),
        "CreateNetworkInterface": make("CreateNetworkInterface", ec2._network_interfaces, "eni-new"),
    }
    account.monitoring.reach("v")
    account.monitoring.reach("v")
    name = "GuardDutyManagedSecurityGroup-v"
    assert made == [
        ("CreateSecurityGroup", {"GroupName": [name], "GroupDescription": [name], "VpcId": ["v"]}),
        (
            "CreateVpcEndpoint",
            {
                **{"VpcId": ["v"], "ServiceName": ["com.amazonaws.us-east-1.guardduty-data"]},
                **{"VpcEndpointType": ["Interface"], "SecurityGroupId.1": ["sg-new"]},
            },
        ),
        (
            "CreateNetworkInterface",
            {
                **{"SubnetId": ["subnet-v"], "SecurityGroupId.1": ["sg-new"]},
                "Description": ["VPC Endpoint Interface vpce-new"],
            },
        ),
    ]


def test_its_agent_ends_with_the_task() -> None:
    shown = {"name": "aws-guardduty-agent-abcdef", "lastStatus": "RUNNING", "healthStatus": "UNKNOWN"}
    assert agent("abcdef0123", "RUNNING") == shown
    assert agent("abcdef0123", "STOPPED") == {**shown, "lastStatus": "STOPPED", "exitCode": 143}
