"""Refuses policies as IAM does: too long ones, and resources of other partitions.

Source: IAM user guide, "IAM and AWS STS quotas" (white space does not count); hashicorp/terraform-provider-aws issue
11420 for the words about partitions.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from model_sandbox.upstream import Upstream

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[Params], Answer]
_MANAGED, _OF_A_ROLE, _OF_A_USER = 6144, 10_240, 2048
_PARTITION = "aws"


class PolicyDocuments:
    def __init__(self, upstream: Upstream) -> None:
        self._iam: Any = upstream.iam

    def install(self) -> None:
        handlers: dict[str, Handler] = self._iam._IAM_HANDLERS
        looks: dict[str, Callable[[Params], str]] = {
            "CreatePolicy": self._managed,
            "CreatePolicyVersion": self._managed,
            "PutRolePolicy": self._of_a_role,
            "PutUserPolicy": self._of_a_user,
        }
        for name, look in looks.items():
            handlers[name] = self._checked(handlers[name], look)

    def _checked(self, handler: Handler, look: Callable[[Params], str]) -> Handler:
        def handle(params: Params) -> Answer:
            if wrong := malformed(str(self._iam._p(params, "PolicyDocument"))):
                return self._error(400, "MalformedPolicyDocument", wrong)
            if large := look(params):
                return self._error(409, "LimitExceeded", large)
            return handler(params)

        return handle

    def _managed(self, params: Params) -> str:
        long = size(self._iam._p(params, "PolicyDocument")) > _MANAGED
        return f"Cannot exceed quota for PolicySize: {_MANAGED}" if long else ""

    def _of_a_role(self, params: Params) -> str:
        name = self._iam._p(params, "RoleName")
        there = (self._iam._roles.get(name) or {}).get("InlinePolicies", {})
        return self._together(params, there, _OF_A_ROLE, f"role {name}")

    def _of_a_user(self, params: Params) -> str:
        name = self._iam._p(params, "UserName")
        return self._together(params, self._iam._user_inline_policies.get(name) or {}, _OF_A_USER, f"user {name}")

    def _together(self, params: Params, there: Mapping[str, Any], most: int, whose: str) -> str:
        others = [size(text) for name, text in there.items() if name != self._iam._p(params, "PolicyName")]
        long = sum(others) + size(self._iam._p(params, "PolicyDocument")) > most
        return f"Maximum policy size of {most} bytes exceeded for {whose}" if long else ""

    def _error(self, status: int, code: str, message: str) -> Answer:
        answer: Answer = self._iam._error(status, code, message)
        return answer


def size(document: Any) -> int:
    """Return a policy document's length as IAM counts."""
    text = document if isinstance(document, str) else json.dumps(document)
    return len(re.sub(r"\s", "", text))


def malformed(document: str) -> str:
    """Return what is wrong with a policy's resources, or empty."""
    try:
        statements = json.loads(document)["Statement"]
    except (ValueError, KeyError, TypeError):
        return ""  # ministack says so
    for statement in [statements] if isinstance(statements, dict) else statements:
        for resource in _texts(statement.get("Resource")) if isinstance(statement, dict) else ():
            parts = resource.split(":", 5)
            if resource != "*" and (len(parts) < 6 or parts[0] != "arn"):
                return f'Resource {resource} must be in ARN format or "*".'
            if resource != "*" and parts[1] not in (_PARTITION, "*"):
                return f'Partition "{parts[1]}" is not valid for resource "{resource}".'
            if resource != "*" and parts[2] == "iam" and parts[3]:
                return f"IAM resource {resource} cannot contain region information."
    return ""


def _texts(value: Any) -> Iterable[str]:
    return [value] if isinstance(value, str) else [each for each in value or [] if isinstance(each, str)]
