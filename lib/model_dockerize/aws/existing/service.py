"""Reads an existing service."""

from collections.abc import Callable, Collection
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import code_of, translate
from model_dockerize.aws.client.names import legal_name, tagged
from model_dockerize.aws.existing.adoption import is_taken_over
from model_dockerize.aws.existing.inputs import of_definition, of_service
from model_dockerize.aws.existing.newer_fields import heard, unknown
from model_dockerize.aws.existing.own_container import replaced_container
from model_dockerize.aws.iam.roles import named_roles
from model_dockerize.aws.model import Current
from model_dockerize.settings import ServiceSettings, as_found

#: Batch registers a task definition of its own for each job definition, in a family of that name.
_BATCH = "/aws-batch"


def current_service(aws: Aws, cluster: str, name: str) -> Current | None:
    """Return the ACTIVE service, or None."""
    name = legal_name(name)
    with translate(f"service {name}"):
        there = describe_with_tags(aws, cluster, name)
        if there is None or there["status"] != "ACTIVE":
            return None
        definition, newer = None, dict[str, Any]()
        if there.get("taskDefinition"):
            definition, newer = describe_definition(aws, there["taskDefinition"])
        container = replaced_container(definition, there).get("name", "") if definition else ""
        return Current(there, definition, newer, container, tagged(there.get("tags", [])))


def current_family(aws: Aws, name: str) -> Current | None:
    """Return another's family as what a service that is still to be made runs, or None."""
    name = legal_name(name)
    with translate(f"task definition {name}"):
        latest, newer = describe_definition(aws, name)
    if latest is None or is_batchs(latest) or not is_taken_over(latest):
        return None
    return Current({}, latest, newer, replaced_container(latest, {}).get("name", ""), is_ours=False)


def describe_with_tags(aws: Aws, cluster: str, name: str) -> Any:
    return first(lambda: aws.ecs.describe_services(cluster=cluster, services=[name], include=["TAGS"]))


def first(describe_services: Callable[[], Any]) -> Any:
    """Return the answer's only service, or None."""
    try:
        found = describe_services()["services"]
    except ClientError as error:
        if code_of(error) == "ClusterNotFoundException":
            return None
        raise
    return found[0] if found else None


def describe_definition(aws: Aws, name: str) -> tuple[Any, dict[str, Any]]:
    """Return a definition, or a family's latest, and its unknown fields."""
    shape = aws.ecs.meta.service_model.shape_for("TaskDefinition")
    try:
        with heard(aws.ecs, "DescribeTaskDefinition") as said:
            answer = aws.ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
    except ClientError as error:
        # ECS has no error code of its own for a family without ACTIVE revisions.
        if "Unable to describe task definition" in str(error):
            return None, {}
        raise
    found: Any = {**answer["taskDefinition"], "tags": answer.get("tags", [])}
    return found, unknown(shape, said.get("taskDefinition", {}))


def is_batchs(definition: Any) -> bool:
    """Tell whether AWS Batch registered it."""
    return str(definition.get("registeredBy", "")).endswith(_BATCH)


def as_running(settings: ServiceSettings, now: Current | None, is_placed: bool) -> ServiceSettings:
    """Complete the settings from the service, except roles.

    Args:
        is_placed: the model's stack knows where it runs.
    """
    if now is None:
        return settings
    found = of_service(now.service, is_placed)
    if now.definition:
        found |= of_definition(now.definition, now.service, now.is_ours)
        found.pop("task_role", None)
        found.pop("execution_role", None)
    if settings.given & {"vpc", "subnets", "zones"}:
        found.pop("subnets", None)
    return as_found(settings, found)


def with_roles(aws: Aws, settings: ServiceSettings, now: Current | None, own: Collection[str]) -> ServiceSettings:
    """Add roles that somebody named; `own`: our stacks'."""
    if now is None or now.definition is None:
        return settings
    roles = {"task_role": now.definition.get("taskRoleArn"), "execution_role": now.definition.get("executionRoleArn")}
    return as_found(settings, named_roles(aws, roles, own))
