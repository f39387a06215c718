"""The history of a service: the revision that it runs now, and those before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import EXPIRED, code_of, passing, translate
from model_dockerize.aws.client.names import legal_name, short_arn
from model_dockerize.aws.ecs.deploy_order import tags_of
from model_dockerize.aws.ecs.rollout.judge import deployments_of
from model_dockerize.aws.ecs.service import service_of
from model_dockerize.aws.ecs.service_fit import check_controller
from model_dockerize.aws.existing.own_container import own_container
from model_dockerize.aws.existing.service import describe_with_tags
from model_dockerize.aws.model import Service
from model_dockerize.errors import InputError

_REVISIONS_A_CALL = 20


@dataclass(frozen=True)
class Running:
    """A service as it is now."""

    service: Service
    image: str  # repository@sha256:...
    since: datetime | None  # when ECS began to deploy this
    state: str  # of the deployment: COMPLETED, IN_PROGRESS, FAILED
    desired: int
    running: int
    tags: dict[str, str]

    @property
    def digest(self) -> str:
        """Return sha256:... of the image; empty if it is not pinned."""
        return self.image.partition("@")[2]


def running(aws: Aws, cluster: str, name: str) -> Running:
    """Return the service `name` with what it runs.

    Raises:
        InputError: there is no such service.
        AwsAccessError, AwsError: as AWS says.
    """
    name = legal_name(name)
    with translate(f"service {name}"):
        there = describe_with_tags(aws, cluster, name)
        if there is None or there["status"] == "INACTIVE":
            raise InputError(
                f"There is no service {name} in the cluster {cluster}.",
                remedy="Check service, cluster and aws-region; model-dockerize deploy makes one.",
            )
        check_controller(there)
        definition = aws.ecs.describe_task_definition(taskDefinition=there["taskDefinition"])["taskDefinition"]
    primary = next(d for d in deployments_of(there) if d.primary)
    made = next(d for d in there["deployments"] if d["id"] == primary.id)
    return Running(
        service=service_of(there, there["taskDefinition"], changed=False, previous=None),
        image=own_container(definition["containerDefinitions"], there["taskDefinition"]).get("image", ""),
        since=made.get("createdAt"),
        state=primary.state,
        desired=primary.desired,
        running=primary.running,
        tags=tags_of(there),
    )


def previous(aws: Aws, now: Running) -> str | None:
    """Return the revision to go back to: the last older one that was deployed whole.

    Older by number, so that going back twice goes back two steps.
    """
    family, _, revision = short_arn(now.service.task_definition_arn).partition(":")
    with translate(f"what service {now.service.name} ran before"):
        for arn in _deployed(aws, now.service):
            other, _, number = short_arn(arn).partition(":")
            if other != family or int(number) < int(revision):
                return arn
    return None


def _deployed(aws: Aws, service: Service) -> Iterator[str]:
    """Yield the revisions that were deployed whole, newest first; all older ones where ECS keeps no history."""
    try:
        arns = [
            d["targetServiceRevisionArn"]
            for page in _pages(aws, service)
            for d in page["serviceDeployments"]
            if "targetServiceRevisionArn" in d
        ]
        for start in range(0, len(arns), _REVISIONS_A_CALL):
            asked = arns[start : start + _REVISIONS_A_CALL]
            found = aws.ecs.describe_service_revisions(serviceRevisionArns=asked)["serviceRevisions"]
            ran = {r["serviceRevisionArn"]: r["taskDefinition"] for r in found}
            yield from (ran[arn] for arn in asked if arn in ran)
    except ClientError as error:
        if passing(error) or code_of(error) in EXPIRED:
            raise
        family = short_arn(service.task_definition_arn).partition(":")[0]
        yield from aws.ecs.list_task_definitions(familyPrefix=family, status="ACTIVE", sort="DESC")[
            "taskDefinitionArns"
        ]


def _pages(aws: Aws, service: Service) -> Iterator[Any]:
    more: dict[str, Any] = {}
    while True:
        page = aws.ecs.list_service_deployments(
            cluster=service.cluster, service=service.name, status=["SUCCESSFUL"], **more
        )
        yield page
        if not page.get("nextToken"):
            return
        more = {"nextToken": page["nextToken"]}
