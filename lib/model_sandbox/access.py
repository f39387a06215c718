"""IAM, enforced as AWS does if asked for.

ministack evaluates policies (`AUTH=true`), but for one resource a request, without Batch's and `iam:PassRole`: a
request's needs are ours (`needs`).
"""

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qsl

from model_sandbox.needs import SERVICES, Need, needs
from model_sandbox.resource_tags import keys_of, resource_of, tags_of
from model_sandbox.resources import Call
from model_sandbox.tokens import Scope
from model_sandbox.upstream import Upstream

_ACCESS_KEY = re.compile(r"Credential=([^/]+)/")


@dataclass
class _Request:
    params: Mapping[str, Any]
    caller: str  # access key
    path: str
    asked: list[str] = field(default_factory=list)
    refused: Need | None = None


class Access:
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        #: The tags of what is Batch's, by ARN: ministack does not know it.
        self.batch_tags: Callable[[str], Mapping[str, str]] = lambda _: {}
        self._evaluate: Callable[..., Any] = upstream.evaluator.enforce
        self._say: Callable[..., Any] = upstream.actions.access_denied_response
        self._current: ContextVar[_Request | None] = ContextVar("request", default=None)

    def install(self) -> None:
        self._upstream.evaluator.enforce = self._enforce  # type: ignore[attr-defined]
        self._upstream.actions.access_denied_response = self._denied  # type: ignore[attr-defined]
        self._upstream.iam._build_simulate_results_real = self._simulated  # type: ignore[attr-defined]

    def begin(self, headers: Mapping[str, str], body: bytes, path: str) -> None:
        """Apply later checks in this context to this request."""
        signed = _ACCESS_KEY.search(headers.get("authorization", ""))
        self._current.set(_Request(_params(headers, body), signed[1] if signed else "", path))

    def caller(self) -> str:
        request = self._current.get()
        return request.caller if request else ""

    def asked(self) -> tuple[str, ...]:
        """Return the questions to policies: ACTION RESOURCE."""
        request = self._current.get()
        return tuple(request.asked) if request else ()

    def judged(self, action: str, scope: Scope) -> str | None:
        """Return why a request unseen by ministack is denied."""
        request = self._current.get()
        if request is None:
            return None
        for need in needs(Call(action, request.params, scope.account, scope.region)):
            request.asked.append(f"{need.action} {need.resource}")
            if refused := self.refusal(request.caller, scope, need.action, need.resource):
                return refused
        return None

    def here(self, action: str, resource: str) -> str | None:
        """Return why the caller may not do this besides."""
        request = self._current.get()
        if request is None:
            return None
        request.asked.append(f"{action} {resource}")
        return self.refusal(request.caller, self._upstream.scope(), action, resource)

    def refusal(self, access_key: str, scope: Scope, action: str, resource: str) -> str | None:
        """Return in AWS's words why the caller may not."""
        with self._upstream.within(scope):
            principal = self._upstream.evaluator.resolve_principal(access_key, scope.account)
            if isinstance(principal, self._upstream.evaluator.AuthError):
                return str(principal.message)
            if principal.policies is None:
                return None
            question = self._upstream.evaluator.EvalContext(
                principal_arn=principal.arn,
                principal_type=principal.type,
                principal_account=principal.account,
                action=action,
                resource_arn=resource,
                region=scope.region,
                principal_keys=principal.keys,
            )
            answer = self._upstream.evaluator.evaluate(question, principal.policies, *principal.limits)
        if answer.decision == "Allow":
            return None
        return self._sentence(action, principal.arn, resource, answer.decision == "Deny")

    def _enforce(
        self,
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        # Replaces ministack's check: tests the request's needs until one is not met.
        request = self._current.get()
        if request is None or action.partition(":")[0] not in SERVICES:
            return self._evaluate(access_key, action, service, region, resource_arn, service_context)
        account = self._upstream.scope().account
        vague = resource_arn == "*" or resource_arn.endswith("/*")
        if vague and (named := resource_of(self._upstream, service, request.params, request.path)):
            resource_arn = f"arn:aws:{service}:{region}:{account}:{named}"
        for need in needs(Call(action, request.params, account, region, resource_arn)):
            tags = {**tags_of(self._upstream, need.resource), **keys_of(self.batch_tags(need.resource).items())}
            context = {
                **(service_context or {}),
                **tags,
                **self._boundary(need.action, request.params),
                **need.context,
            }
            request.asked.append(f"{need.action} {need.resource}")
            if refused := self._evaluate(access_key, need.action, service, region, need.resource, context):
                request.refused = need
                return refused
        return None

    def _boundary(self, action: str, params: Mapping[str, Any]) -> dict[str, str]:
        # The boundary is that of the role that the request is about.
        if not action.startswith("iam:"):
            return {}
        role = self._upstream.iam._roles.get(str(params.get("RoleName", ""))) or {}
        boundary = role.get("PermissionsBoundary") or {}
        arn = boundary.get("PermissionsBoundaryArn", "") if isinstance(boundary, dict) else str(boundary)
        return {"iam:PermissionsBoundary": arn} if arn else {}

    def _denied(self, service: str, action: str, principal_arn: str, request_id: str, **more: Any) -> Any:
        # Replaces ministack's refusal: names the unmet need and the resource, as AWS does.
        request = self._current.get()
        need = request.refused if request else None
        if need is None or more.get("error_code"):
            return self._say(service, action, principal_arn, request_id, **more)
        message = self._sentence(need.action, principal_arn, need.resource, bool(more.get("explicit_deny")))
        if service == "ec2":
            message = f"You are not authorized to perform this operation. {message}."
        more |= {"message": message, "resource_arn": need.resource}
        status, headers, body = self._say(service, need.action, principal_arn, request_id, **more)
        # JSON 1.1 services answer 400 where REST and XML services answer 403.
        return 400 if (more.get("headers") or {}).get("x-amz-target") else status, headers, body

    def _simulated(self, actions: list[str], resource: str, principal: str, account: str, policies: Any) -> str:
        # Replaces ministack's SimulatePrincipalPolicy: applies the condition keys of the request.
        decisions = {"Allow": "allowed", "Deny": "explicitDeny"}
        request, found = self._current.get(), ""
        context = _context_entries(request.params if request else {})
        for action in actions:
            question = self._upstream.evaluator.EvalContext(
                principal_arn=principal,
                principal_type="AssumedRole",
                principal_account=account,
                action=action,
                resource_arn=resource,
                region=self._upstream.scope().region,
                service_context=context,
            )
            decision = self._upstream.evaluator.evaluate(question, policies).decision if policies else ""
            found += (
                f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{escape(resource)}"
                f"</EvalResourceName><EvalDecision>{decisions.get(decision, 'implicitDeny')}</EvalDecision></member>"
            )
        return found

    def _sentence(self, action: str, principal: str, resource: str, explicit: bool) -> str:
        return str(self._upstream.actions.identity_denial_message(action, principal, resource, explicit))


def _context_entries(params: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for field_, value in params.items():
        entry, _, _ = field_.partition(".ContextKeyValues.member.")
        if name := params.get(f"{entry}.ContextKeyName") if entry != field_ else None:
            found.setdefault(str(name).lower(), []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _params(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode("utf-8", "replace")))
    try:
        found = json.loads(body or b"{}")
    except ValueError:  # the operation itself will say so
        return {}
    return found if isinstance(found, dict) else {}
