"""What the execution role may read: the secrets that a model's container is given, and no others."""

import json
from collections.abc import Iterable
from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.iam import Role
from model_dockerize.aws.names import TAG, legal_name
from model_dockerize.aws.session import Aws
from model_dockerize.progress import Progress

_ACTIONS = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameters"}


def ensure_secrets_readable(aws: Aws, role: Role, model: str, arns: tuple[str, ...], progress: Progress) -> None:
    """The execution role may read `arns`, by an inline policy of the model's own; a role that is not ours is left.

    What a former revision of the model was given stays readable: it may be rolled back to.
    """
    if not arns:
        return
    if not role.ours:
        progress.info(f"role {role.name} is not ours: it must be allowed to read the secrets itself")
        return
    name = policy_name(model, aws.identity.region)
    with translate(f"role {role.name}, policy {name}"):
        there = _readable(aws, role.name, name)
        missing = set(map(without_key, arns)) - there
        if not missing:
            aws.settled(progress, "leave", "role policy", name)
            return
        document = json.dumps(reading(there | missing))
        aws.iam.put_role_policy(RoleName=role.name, PolicyName=name, PolicyDocument=document)
    aws.settled(progress, "change" if there else "make", "role policy", name, *(("resources",) if there else ()))


def policy_name(model: str, region: str) -> str:
    """Of the inline policy that holds what one model's containers are given: all models and regions share the role."""
    return f"{TAG}-{region}-{legal_name(model, 90)}"


def without_key(arn: str) -> str:
    """The ARN of the whole secret, where `arn` names one key or version of it."""
    return ":".join(arn.split(":")[:7])


def reading(arns: Iterable[str]) -> dict[str, Any]:
    """The policy document that allows to read `arns`."""
    by_service: dict[str, list[str]] = {}
    for arn in sorted(arns):
        by_service.setdefault(arn.split(":")[2], []).append(arn)
    statements = [{"Effect": "Allow", "Action": _ACTIONS[s], "Resource": found} for s, found in by_service.items()]
    return {"Version": "2012-10-17", "Statement": statements}


def _readable(aws: Aws, role: str, policy: str) -> set[str]:
    try:
        document: Any = aws.iam.get_role_policy(RoleName=role, PolicyName=policy).get("PolicyDocument") or {}
    except aws.iam.exceptions.NoSuchEntityException:
        return set()
    return {arn for statement in document.get("Statement", []) for arn in statement["Resource"]}
