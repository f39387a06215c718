"""Asks IAM which actions the caller's policies allow.

Its simulator knows no resources' policies, and needs `iam:SimulatePrincipalPolicy`, which the least policy lacks.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import code_of, message_of, translate

_SIDE_BY_SIDE = 4  # IAM throttles early


@dataclass(frozen=True)
class Simulation:
    """IAM's answer, or why it was not asked."""

    allowed: int = 0
    denied: tuple[tuple[str, str], ...] = ()  # action, resource
    reason: str = ""


@dataclass(frozen=True)
class _Question:
    actions: tuple[str, ...]
    resource: str
    kind: str
    context: tuple[tuple[str, str], ...]


def simulate(aws: Aws, document: dict[str, Any]) -> Simulation:
    """Ask whether the caller may do all that `document` allows."""
    arn = aws.identity.arn
    count = sum(len(statement["Action"]) for statement in document["Statement"])
    if arn.endswith(":root"):
        return Simulation(allowed=count)
    try:
        source = _principal(aws, arn)
    except ValueError as error:
        return Simulation(reason=str(error))
    allowed, denied = 0, list[tuple[str, str]]()
    with translate("simulate the policies"):
        for statement in document["Statement"]:
            try:
                answers = _answers(aws, source, _questions(statement))
            except ClientError as error:
                if code_of(error) in ("AccessDenied", "AccessDeniedException"):
                    return Simulation(reason="iam:SimulatePrincipalPolicy is not allowed")
                if code_of(error) in ("NoSuchEntity", "InvalidInput", "InvalidAction", "ValidationError"):
                    return Simulation(reason=f"IAM's simulator does not take it: {message_of(error)}")
                raise
            for action in statement["Action"]:
                refused = _refused(answers, action)
                allowed += refused is None
                denied += [(action, refused)] if refused else []
    return Simulation(allowed, tuple(denied))


def _principal(aws: Aws, arn: str) -> str:
    # Raises ValueError for another kind of caller, which has no policies.
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if kind == "user":
        return arn
    if kind != "assumed-role":
        raise ValueError(f"{kind} has no policies that could be simulated")
    name = rest.partition("/")[0]
    try:
        return aws.iam.get_role(RoleName=name)["Role"]["Arn"]  # the session's ARN lacks the role's path
    except ClientError:
        return f"arn:{aws.identity.partition}:iam::{aws.identity.account}:role/{name}"


def _questions(statement: dict[str, Any]) -> Iterator[_Question]:
    resources = statement["Resource"]
    conditions = statement.get("Condition", {}).get("StringEquals", {})
    # Of several values one is enough, and a request has one.
    context = tuple((key, value if isinstance(value, str) else value[0]) for key, value in conditions.items())
    for resource in [resources] if isinstance(resources, str) else resources:
        yield _Question(tuple(statement["Action"]), resource, _kind(resource), context)


def _kind(resource: str) -> str:
    # E.g. `ecs:service`, `logs:log-group`.
    if resource == "*":
        return resource
    service, _, _, rest = resource.split(":", 5)[2:]
    return f"{service}:{rest.replace(':', '/').partition('/')[0]}"


def _answers(aws: Aws, source: str, questions: Iterator[_Question]) -> dict[_Question, dict[str, bool]]:
    def ask(question: _Question) -> tuple[_Question, dict[str, bool]]:
        keys: Any = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in question.context
        ]
        pages = aws.iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=source,
            ActionNames=list(question.actions),
            ResourceArns=[question.resource],
            ContextEntries=keys,
        )
        results = [result for page in pages for result in page["EvaluationResults"]]
        return question, {result["EvalActionName"]: result["EvalDecision"] == "allowed" for result in results}

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return dict(pool.map(ask, questions))


def _refused(answers: dict[_Question, dict[str, bool]], action: str) -> str | None:
    # An action fits one kind of resource; the others refuse it.
    first = ""
    for _, group in groupby(sorted(answers, key=lambda q: q.kind), key=lambda q: q.kind):
        refused = [question.resource for question in group if not answers[question].get(action)]
        if not refused:
            return None
        first = first or refused[0]
    return first
