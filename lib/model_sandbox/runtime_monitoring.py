"""GuardDuty's Runtime Monitoring, which adds a container to each Fargate task.

Its agent stands among a task's containers in no order, and reaches GuardDuty by a VPC endpoint with a security group,
which outlive the task. Here it runs nothing. Source: GuardDuty user guide, "How Runtime Monitoring works with Fargate";
aws/aws-cdk issue 32877, hashicorp/terraform-provider-aws issue 46747.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

from model_sandbox import asgi
from model_sandbox.tokens import Scope
from model_sandbox.upstream import Upstream

_BODY_LIMIT = 64 * 1024
_MONITORING, _ON_FARGATE = "RUNTIME_MONITORING", "ECS_FARGATE_AGENT_MANAGEMENT"


class RuntimeMonitoring:
    """An ASGI application for detectors; `refuse` says why not."""

    def __init__(self, upstream: Upstream, refuse: Callable[[str, Scope], str | None]) -> None:
        self._upstream, self._refuse = upstream, refuse
        self._on: dict[Scope, str] = {}

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        request = json.loads(await asgi.read_body(receive, _BODY_LIMIT) or b"{}")
        key, region = asgi.signed_by(asgi.headers_of(scope))
        caller = Scope(self._upstream.account_of(key), region)
        asked = (scope["method"], scope["path"].rstrip("/"))
        names = {("POST", "/detector"): "CreateDetector", ("GET", "/detector"): "ListDetectors"}
        if asked not in names:
            await _reply(send, 400, "BadRequestException", "the sandbox knows no more of GuardDuty than detectors")
        elif refused := self._refuse(f"guardduty:{names[asked]}", caller):
            await _reply(send, 403, "AccessDeniedException", refused)
        elif asked[0] == "GET":
            found = [self._on[caller]] if caller in self._on else []
            await asgi.reply_json(send, 200, {"detectorIds": found})
        else:
            identity = uuid.uuid4().hex
            if request.get("enable") and _is_on_fargate(request.get("features") or []):
                self._on[caller] = identity
            await asgi.reply_json(send, 200, {"detectorId": identity})

    def is_on(self, scope: Scope) -> bool:
        return scope in self._on

    def reach(self, vpc: str) -> None:
        """Make an endpoint and its group. Call inside `Upstream.within`."""
        ec2: Any = self._upstream.ec2
        service = f"com.amazonaws.{self._upstream.scope().region}.guardduty-data"
        if any((e["VpcId"], e["ServiceName"]) == (vpc, service) for e in ec2._vpc_endpoints.values()):
            return
        name = f"GuardDutyManagedSecurityGroup-{vpc}"
        before = set(ec2._security_groups), set(ec2._vpc_endpoints)
        ec2._ACTION_MAP["CreateSecurityGroup"](_form(GroupName=name, GroupDescription=name, VpcId=vpc))
        (group,) = set(ec2._security_groups) - before[0]
        made = {"VpcId": vpc, "ServiceName": service, "VpcEndpointType": "Interface", "SecurityGroupId.1": group}
        ec2._ACTION_MAP["CreateVpcEndpoint"](_form(**made))
        (endpoint,) = set(ec2._vpc_endpoints) - before[1]
        subnet = next(i for i, each in ec2._subnets.items() if each["VpcId"] == vpc)
        ec2._ACTION_MAP["CreateNetworkInterface"](
            _form(SubnetId=subnet, Description=f"VPC Endpoint Interface {endpoint}", **{"SecurityGroupId.1": group})
        )


def agent(task: str, status: str) -> dict[str, Any]:
    """Return a task's agent for DescribeTasks."""
    ended = {"exitCode": 143} if status == "STOPPED" else {}
    return {"name": f"aws-guardduty-agent-{task[:6]}", "lastStatus": status, "healthStatus": "UNKNOWN", **ended}


def _form(**fields: str) -> dict[str, list[str]]:
    return {name: [value] for name, value in fields.items()}


def _is_on_fargate(features: list[dict[str, Any]]) -> bool:
    for feature in features:
        if (feature.get("name"), feature.get("status")) == (_MONITORING, "ENABLED"):
            more = feature.get("additionalConfiguration") or []
            return any((each.get("name"), each.get("status")) == (_ON_FARGATE, "ENABLED") for each in more)
    return False


async def _reply(send: asgi.Send, status: int, code: str, message: str) -> None:
    await asgi.reply_json(send, status, {"__type": code, "message": message})
