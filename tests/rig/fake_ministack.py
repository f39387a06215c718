"""A fake of ministack's modules, as far as the sandbox's own services reach into them, and of its threads.

The real one is installed in the sandbox's own environment only. Names and shapes are ministack's.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from model_sandbox.tokens import Scope
from model_sandbox.upstream import Upstream

SCOPE = Scope("123456789012", "us-east-1")
OTHER = Scope("210987654321", "eu-west-1")
#: A role that was made long ago, and trusts every service that acts by one.
OLD_ROLE = {
    "CreateDate": "2020-01-01T00:00:00Z",
    "AssumeRolePolicyDocument": "ecs.amazonaws.com ecs-tasks.amazonaws.com batch.amazonaws.com",
}
Answer = tuple[int, dict[str, str], bytes]


def fake_upstream(**modules: Any) -> Upstream:
    """Return modules that are empty, but those that are given; roles are `known` and `young`."""
    made: dict[str, Any] = {field.name: SimpleNamespace() for field in fields(Upstream)}
    made["responses"] = _Responses()
    young = {**OLD_ROLE, "CreateDate": "2999-01-01T00:00:00Z"}
    made["iam"] = SimpleNamespace(_roles={"known": dict(OLD_ROLE), "young": young})
    made["logs"] = FakeLogs()
    made["secrets"] = SimpleNamespace(resolve_secret_string=lambda _: None)
    made["parameters"] = SimpleNamespace(resolve_parameter_value=lambda name, decrypt: f"{name} {decrypt}")
    made["batch"] = SimpleNamespace(handle_request=_not_ours)
    made["ecs"] = fake_ecs()
    made["ec2"] = FakeEc2()
    made["elb"] = fake_elb()
    return Upstream(**{**made, **modules})


class _Responses:
    """Account and region of the call that is being answered."""

    def __init__(self) -> None:
        self._scope = ContextVar("scope", default=SCOPE)

    def get_account_id(self) -> str:
        return self._scope.get().account

    def get_region(self) -> str:
        return self._scope.get().region

    def set_request_account_id(self, key: str) -> None:
        self._scope.set(Scope(key if key.isdigit() else SCOPE.account, self._scope.get().region))

    @contextmanager
    def request_scope(self, account: str, region: str) -> Iterator[None]:
        token = self._scope.set(Scope(account, region))
        yield
        self._scope.reset(token)


class FakeLogs:
    """CloudWatch Logs: `_log_groups` by name, each with its streams' lines."""

    def __init__(self) -> None:
        self._log_groups: dict[str, dict[str, list[str]]] = {}

    def _create_log_group(self, asked: dict[str, Any]) -> Answer:
        self._log_groups[asked["logGroupName"]] = {}
        return 200, {}, b"{}"

    def _create_log_stream(self, asked: dict[str, Any]) -> Answer:
        if asked["logGroupName"] not in self._log_groups:
            gone = {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}
            return 400, {}, json.dumps(gone).encode()
        self._log_groups[asked["logGroupName"]][asked["logStreamName"]] = []
        return 200, {}, b"{}"

    def _put_log_events(self, asked: dict[str, Any]) -> None:
        lines = self._log_groups[asked["logGroupName"]][asked["logStreamName"]]
        lines += [event["message"] for event in asked["logEvents"]]


def fake_ecs() -> SimpleNamespace:
    """Return ECS with a cluster `c` and a task definition `f:1` of one container."""
    arn = "arn:aws:ecs:us-east-1:123456789012"
    definition = {
        **{"taskDefinitionArn": f"{arn}:task-definition/f:1", "family": "f", "revision": 1, "status": "ACTIVE"},
        **{"networkMode": "awsvpc", "containerDefinitions": [{"name": "web", "image": "registry/iris@sha256:1"}]},
    }
    return SimpleNamespace(
        handle_request=_not_ours,
        _clusters={"c": {"clusterArn": f"{arn}:cluster/c", "clusterName": "c", "status": "ACTIVE"}},
        _task_defs={"f:1": definition},
        _tags={},
        _recount_cluster=None,
        _resolve_cluster_name=lambda reference: reference.rsplit("/", 1)[-1],
        _resolve_td_key=lambda reference: reference.rsplit("/", 1)[-1],
    )


class FakeEc2:
    """EC2: subnets a and b in the default VPC, whose groups are `default`, and `web`, which opens port 80."""

    _DEFAULT_VPC_ID = "vpc-default"

    def __init__(self) -> None:
        self._subnets: dict[str, dict[str, Any]] = {}
        self._security_groups: dict[str, dict[str, Any]] = {}
        self._route_tables: dict[str, dict[str, Any]] = {}
        self._nat_gateways: dict[str, dict[str, Any]] = {}
        self._network_interfaces: dict[str, dict[str, Any]] = {}

    def _ensure_defaults_initialized(self) -> None:
        """Make the default VPC: before the first call it is not there."""
        for name in "ab":
            zone = {"VpcId": self._DEFAULT_VPC_ID, "AvailabilityZone": f"us-east-1{name}"}
            self._subnets.setdefault(f"subnet-{name}", zone)
        opened = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        for name, rules in (("default", []), ("web", [opened])):
            group = {"VpcId": self._DEFAULT_VPC_ID, "GroupName": name, "IpPermissions": rules}
            self._security_groups.setdefault(f"sg-{name}", group)

    def _eni_fields_xml(self, interface: dict[str, Any], tag: str = "item") -> str:
        return f"<{tag}>{interface['NetworkInterfaceId']}<groupSet/><groupSet></groupSet></{tag}>"


def fake_elb() -> SimpleNamespace:
    """Return load balancing, empty. Its forms are those of ministack: each value may be a list."""

    def parameter(params: dict[str, Any], key: str, default: str = "") -> str:
        value = params.get(key, default)
        return str(value[0] if isinstance(value, list) else value)

    def members(params: dict[str, Any], prefix: str) -> list[str]:
        return [parameter(params, key) for key in params if key.startswith(f"{prefix}.member.")]

    return SimpleNamespace(
        _ACTION_MAP={},
        _rules={},
        _lbs={},
        _listeners={},
        _tgs={},
        _tags={},
        _p=parameter,
        _parse_member_list=members,
        _parse_actions=lambda params, prefix: [],
        _action_xml=lambda action: f"<member><Type>{action['Type']}</Type></member>",
        _xml=lambda status, action, inner: (status, {"Content-Type": "text/xml"}, f"{action}: {inner}".encode()),
        _error=lambda code, message, status=400: (status, {"Content-Type": "text/xml"}, f"{code}: {message}".encode()),
    )


async def _not_ours(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
    return 200, {}, json.dumps({"ministack": [method, path, headers, body.decode(), query]}).encode()


def asked(upstream: Upstream, service: str, operation: str, scope: Scope = SCOPE, /, **request: Any) -> dict[str, Any]:
    """Ask a service as ministack does, by a JSON protocol or by Batch's paths; return a refusal as CODE: MESSAGE."""
    headers, path = {"x-amz-target": f"Service_2026.{operation}"}, f"/v1/{operation.lower()}"
    module = getattr(upstream, service)

    async def ask() -> Answer:
        with upstream.within(scope):
            answer: Answer = await module.handle_request("POST", path, headers, json.dumps(request).encode(), {})
            return answer

    status, head, body = asyncio.run(ask())
    content: dict[str, Any] = json.loads(body)
    if status >= 400:
        assert head["x-amzn-errortype"] == content["__type"]
        return {"refused": f"{content['__type']}: {content['message']}"}
    return content


class StraightThread:
    """Stands in for threading.Thread: runs at its start, and is over when that returns."""

    def __init__(self, *, target: Callable[..., None], name: str, daemon: bool, args: tuple[Any, ...] = ()) -> None:
        assert daemon, f"{name} would hold up the end of the sandbox"
        self._target, self._args = target, args

    def start(self) -> None:
        self._target(*self._args)
