"""Application Auto Scaling for ECS services, which enforces the least number.

No alarm goes off: the sandbox measures no CPU.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

from model_sandbox import asgi
from model_sandbox.api import ApiError
from model_sandbox.tokens import Scope

Record = dict[str, Any]
_BODY_LIMIT = 1024 * 1024
_PLACE = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_Place = tuple[Scope, tuple[str, ...]]


class Scaling:
    """An ASGI application; `at_least(account, resource, count)` has `service/CLUSTER/NAME` run so many tasks."""

    def __init__(
        self,
        account_of: Callable[[str], str],  # of an access key
        refuse: Callable[[str, Scope], str | None],  # says why the caller may not do an action
        at_least: Callable[[str, str, int], None],
    ) -> None:
        self._account_of, self._refuse, self._at_least = account_of, refuse, at_least
        self._targets: dict[_Place, Record] = {}
        self._policies: dict[_Place, dict[str, Record]] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        operations: dict[str, Callable[[Scope, Record], Record]] = {
            "RegisterScalableTarget": self._register,
            "DeregisterScalableTarget": self._deregister,
            "DescribeScalableTargets": self._describe_targets,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
        }
        request = json.loads(await asgi.read_body(receive, _BODY_LIMIT) or b"{}")
        headers = asgi.headers_of(scope)
        name = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        key, region = asgi.signed_by(headers)
        caller = Scope(self._account_of(key), region)
        try:
            self._check(f"application-autoscaling:{name}", caller)
            with self._lock:
                answer = operations.get(name, _unknown)(caller, request)
            await asgi.reply_json(send, 200, answer)
        except ApiError as error:
            await asgi.reply_json(send, error.status, {"__type": error.code, "message": str(error)})

    def _check(self, action: str, caller: Scope) -> None:
        if refused := self._refuse(action, caller):
            raise ApiError("AccessDeniedException", refused)

    def _register(self, caller: Scope, request: Record) -> Record:
        place = _place(caller, request)
        there = self._targets.get(place)
        if there is None and not {"MinCapacity", "MaxCapacity"} <= set(request):
            raise ApiError("ValidationException", "MinCapacity and MaxCapacity are required for a new target")
        given = {key: request[key] for key in (*_PLACE, "MinCapacity", "MaxCapacity") if key in request}
        target = {**(there or {}), **given}
        resource = str(target["ResourceId"])
        target["ScalableTargetARN"] = _arn(caller) + resource.rsplit("/", 1)[-1]
        self._targets[place] = target
        self._at_least(caller.account, resource, int(target["MinCapacity"]))
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def _deregister(self, caller: Scope, request: Record) -> Record:
        place = _place(caller, request)
        if self._targets.pop(place, None) is None:
            raise ApiError("ObjectNotFoundException", f"No scalable target found for {request.get('ResourceId')}")
        self._policies.pop(place, None)
        return {}

    def _describe_targets(self, caller: Scope, request: Record) -> Record:
        wanted = request.get("ResourceIds")
        targets = [target for (owner, _), target in self._targets.items() if owner == caller]
        return {"ScalableTargets": [t for t in targets if not wanted or t["ResourceId"] in wanted]}

    def _put_policy(self, caller: Scope, request: Record) -> Record:
        place = _place(caller, request)
        if place not in self._targets:
            raise ApiError("ObjectNotFoundException", f"No scalable target registered for {request.get('ResourceId')}")
        policy = {**request, "PolicyARN": f"{_arn(caller)}policy/{request['PolicyName']}"}
        self._policies.setdefault(place, {})[request["PolicyName"]] = policy
        return {"PolicyARN": policy["PolicyARN"], "Alarms": []}

    def _describe_policies(self, caller: Scope, request: Record) -> Record:
        names = request.get("PolicyNames")
        own = [policies for (owner, _), policies in self._policies.items() if owner == caller]
        found = [policy for policies in own for policy in policies.values()]
        same = [p for p in found if all(request.get(key, p[key]) == p[key] for key in _PLACE)]
        return {"ScalingPolicies": [p for p in same if not names or p["PolicyName"] in names]}


def _unknown(_caller: Scope, _request: Record) -> Record:
    raise ApiError("UnknownOperationException", "the sandbox does not know this operation")


def _place(caller: Scope, request: Record) -> _Place:
    return caller, tuple(str(request.get(key, "")) for key in _PLACE)


def _arn(caller: Scope) -> str:
    return f"arn:aws:application-autoscaling:{caller.region}:{caller.account}:scalable-target/"
