"""Application Auto Scaling for ECS services: targets and policies are kept, and their least number is enforced.

No alarm ever goes off here: the sandbox measures no CPU.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

from model_dockerize.sandbox.server import asgi
from model_dockerize.sandbox.server.api import ApiError

Record = dict[str, Any]
_BODY_LIMIT = 1024 * 1024
_PLACE = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class Scaling:
    """An ASGI application. `at_least(resource, count)` has the service `service/CLUSTER/NAME` run so many tasks."""

    def __init__(self, account: str, region: str, at_least: Callable[[str, int], None]) -> None:
        self._arn = f"arn:aws:application-autoscaling:{region}:{account}:scalable-target/"
        self._at_least = at_least
        self._targets: dict[tuple[str, ...], Record] = {}
        self._policies: dict[tuple[str, ...], dict[str, Record]] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer one request."""
        operations: dict[str, Callable[[Record], Record]] = {
            "RegisterScalableTarget": self._register,
            "DeregisterScalableTarget": self._deregister,
            "DescribeScalableTargets": self._describe_targets,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
        }
        request = json.loads(await asgi.read_body(receive, _BODY_LIMIT) or b"{}")
        name = asgi.headers_of(scope).get("x-amz-target", "").rsplit(".", 1)[-1]
        try:
            with self._lock:
                answer = operations.get(name, _unknown)(request)
            await asgi.reply_json(send, 200, answer)
        except ApiError as error:
            await asgi.reply_json(send, error.status, {"__type": error.code, "message": str(error)})

    def _register(self, request: Record) -> Record:
        place = _place(request)
        there = self._targets.get(place)
        if there is None and not {"MinCapacity", "MaxCapacity"} <= set(request):
            raise ApiError("ValidationException", "MinCapacity and MaxCapacity are required for a new target")
        given = {key: request[key] for key in (*_PLACE, "MinCapacity", "MaxCapacity") if key in request}
        target = {**(there or {}), **given}
        target["ScalableTargetARN"] = self._arn + place[1].rsplit("/", 1)[-1]
        self._targets[place] = target
        self._at_least(place[1], int(target["MinCapacity"]))
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def _deregister(self, request: Record) -> Record:
        place = _place(request)
        if self._targets.pop(place, None) is None:
            raise ApiError("ObjectNotFoundException", f"No scalable target found for {place[1]}")
        self._policies.pop(place, None)
        return {}

    def _describe_targets(self, request: Record) -> Record:
        wanted = request.get("ResourceIds")
        return {"ScalableTargets": [t for p, t in self._targets.items() if not wanted or p[1] in wanted]}

    def _put_policy(self, request: Record) -> Record:
        place = _place(request)
        if place not in self._targets:
            raise ApiError("ObjectNotFoundException", f"No scalable target registered for {place[1]}")
        policy = {**request, "PolicyARN": f"{self._arn}policy/{request['PolicyName']}"}
        self._policies.setdefault(place, {})[request["PolicyName"]] = policy
        return {"PolicyARN": policy["PolicyARN"], "Alarms": []}

    def _describe_policies(self, request: Record) -> Record:
        names = request.get("PolicyNames")
        found = [policy for policies in self._policies.values() for policy in policies.values()]
        same = [p for p in found if all(request.get(key, p[key]) == p[key] for key in _PLACE)]
        return {"ScalingPolicies": [p for p in same if not names or p["PolicyName"] in names]}


def _unknown(_request: Record) -> Record:
    raise ApiError("UnknownOperationException", "the sandbox does not know this operation")


def _place(request: Record) -> tuple[str, ...]:
    return tuple(str(request.get(key, "")) for key in _PLACE)
