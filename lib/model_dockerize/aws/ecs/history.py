"""Reads what a service runs and ran."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import EXPIRED, code_of, passing, translate
from model_dockerize.aws.client.names import legal_name, short_arn, tagged
from model_dockerize.aws.ecs.deploy_order import tags_of
from model_dockerize.aws.ecs.proving import PROVING, UNPROVED, proved_before
from model_dockerize.aws.ecs.rollout.judge import deployments_of
from model_dockerize.aws.ecs.service_fit import check_controller
from model_dockerize.aws.ecs.service_state import service_of
from model_dockerize.aws.existing.own_container import own_container
from model_dockerize.aws.existing.service import describe_with_tags
from model_dockerize.aws.model import Service
from model_dockerize.errors import InputError
from model_dockerize.nearest import did_you_mean

T = TypeVar("T")
_REVISIONS_A_CALL = 20  # so DescribeServiceRevisions
_SERVICES_A_CALL = 10  # so DescribeServices
_NAMED = 10  # services that an error names
#: How a service deployment ended, in our words.
_STATES = {
    "SUCCESSFUL": "deployed",
    "STOPPED": "stopped",
    "ROLLBACK_SUCCESSFUL": "rolled back",
    "ROLLBACK_FAILED": "failed",
    "ROLLBACK_IN_PROGRESS": "rolling back",
    "ROLLBACK_REQUESTED": "rolling back",
}
_UNDERWAY = "under way"


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
        return self.image.partition("@")[2]

    @property
    def is_proved(self) -> bool:
        """Tell whether what runs is verified: ECS may have gone back."""
        here = self.service.task_definition_arn
        return not self.service.proving or proved_before(self.tags, here) == here

    @property
    def is_sampled(self) -> bool:
        """Tell whether it was verified by a sample, so that its program ran."""
        return self.is_proved and is_sampled(self, self.service.task_definition_arn)


def is_sampled(now: Running, task_definition_arn: str) -> bool:
    """Tell whether a revision of the service has answered a sample, now or before."""
    return short_arn(task_definition_arn) in now.service.sampled


def running(aws: Aws, cluster: str, name: str) -> Running:
    """Return the service and what it runs."""
    name = legal_name(name)
    with translate(f"service {name}"):
        there = describe_with_tags(aws, cluster, name)
        if there is not None and there["status"] != "INACTIVE":
            check_controller(there)
            return _as_it_is(aws, there)
    raise InputError(f"There is no service {name} in the cluster {cluster}.", remedy=_others(aws, cluster, name))


def every_service(aws: Aws) -> tuple[Running, ...]:
    """Return the region's services with our tag, by name."""
    with translate("list the services of the region"):
        found = [
            _as_it_is(aws, service)
            for cluster in _listed(aws, "list_clusters", "clusterArns")
            for some in in_parts(_listed(aws, "list_services", "serviceArns", cluster=cluster), _SERVICES_A_CALL)
            for service in aws.ecs.describe_services(cluster=cluster, services=some, include=["TAGS"])["services"]
            if service["status"] != "INACTIVE" and tagged(service.get("tags", [])) and service.get("taskDefinition")
        ]
    return tuple(sorted(found, key=lambda each: (each.service.name, each.service.cluster)))


def _as_it_is(aws: Aws, there: Any) -> Running:
    definition = aws.ecs.describe_task_definition(taskDefinition=there["taskDefinition"])["taskDefinition"]
    primary = next(d for d in deployments_of(there) if d.primary)
    made = next(d for d in there["deployments"] if d["id"] == primary.id)
    tags = tags_of(there)
    service = service_of(there, there["taskDefinition"], changed=False, previous=None, proving=PROVING in tags)
    # Of a deployment that moves traffic ECS documents no such state. It is over when the former version is gone.
    is_over = len(there["deployments"]) == 1 and primary.running >= primary.desired
    return Running(
        service=service,
        image=own_container(definition["containerDefinitions"], there["taskDefinition"]).get("image", ""),
        since=made.get("createdAt"),
        state=("COMPLETED" if is_over else "IN_PROGRESS") if service.shifts else primary.state,
        desired=primary.desired,
        running=primary.running,
        tags=tags,
    )


def _others(aws: Aws, cluster: str, name: str) -> str:
    try:
        arns = _listed(aws, "list_services", "serviceArns", cluster=cluster)
    except ClientError:  # no such cluster, or not allowed: what was asked is answered all the same
        arns = []
    names = sorted(map(short_arn, arns))
    meant = did_you_mean(name, names) or (f" There is: {', '.join(names[:_NAMED])}." if names else "")
    return f"Check service, cluster and aws-region.{meant} model-dockerize list shows all, deploy makes one."


@dataclass(frozen=True)
class Revision:
    """A revision that runs or ran."""

    arn: str  # of the task definition
    image: str  # empty: ECS does not keep it
    since: datetime | None  # when its last deployment began; None: ECS keeps no history
    state: str  # how that ended; empty: not known
    running: int  # tasks of it

    @property
    def number(self) -> int:
        return int(self.arn.rpartition(":")[2])


def revisions(aws: Aws, now: Running, most: int = 10) -> tuple[Revision, ...]:
    """Return the running revision, then others, last deployed first."""
    here = now.service.task_definition_arn
    found = {here: Revision(here, now.image, now.since, "", now.running)}
    with translate(f"what service {now.service.name} ran before"):
        for arn, image, deployment in _history(aws, now.service):
            state = _STATES.get(deployment.get("status", ""), _UNDERWAY if deployment else "")
            before = found.get(arn)
            if before is None:
                found[arn] = Revision(arn, image, deployment.get("createdAt"), state, 0)
            elif not before.state:
                found[arn] = replace(before, state=state)
            if len(found) >= most and found[here].state:
                break
    return tuple(found.values())[:most]


def named(aws: Aws, now: Running, number: int) -> str:
    """Return the ARN of revision `number`."""
    family, _, here = now.service.task_definition_arn.rpartition(":")
    name = short_arn(family)
    if number == int(here):
        raise InputError(f"Service {now.service.name} runs revision {here} already.", "Nothing was changed.")
    with translate(f"revisions of {name}"):
        pages = aws.ecs.get_paginator("list_task_definitions").paginate(familyPrefix=name, status="ACTIVE")
        arns = [arn for page in pages for arn in page["taskDefinitionArns"] if arn.rpartition(":")[0] == family]
    if f"{family}:{number}" in arns:
        return f"{family}:{number}"
    there = sorted(int(arn.rpartition(":")[2]) for arn in arns)
    shown = ", ".join(map(str, there[-_NAMED:]))
    more = f" and {len(there) - _NAMED} older ones" if len(there) > _NAMED else ""
    raise InputError(
        f"There is no revision {number} of {name} to go back to.",
        f"There is: {shown}{more}. model-dockerize status shows which ran when." if there else "There is none.",
    )


def previous(aws: Aws, now: Running) -> str | None:
    """Return the older revision to go back to.

    Older by number, so that going back twice goes two steps. A killed run's unproved ones are passed over.
    """
    family, _, revision = short_arn(now.service.task_definition_arn).partition(":")

    unproved = now.tags.get(UNPROVED, "").split()

    def is_older(arn: str) -> bool:
        other, _, number = short_arn(arn).partition(":")
        return short_arn(arn) not in unproved and (other != family or int(number) < int(revision))

    if (proved := proved_before(now.tags, now.service.task_definition_arn)) and is_older(proved):
        return proved
    with translate(f"what service {now.service.name} ran before"):
        return next(filter(is_older, _verified(aws, now)), None)


def _verified(aws: Aws, now: Running) -> Iterator[str]:
    """Yield what was deployed, and what answered a sample though a newer deployment ended its own, in its bake."""
    for arn, _, deployment in _history(aws, now.service):
        status = deployment.get("status", "SUCCESSFUL")
        if status == "SUCCESSFUL" or (status == "STOPPED" and is_sampled(now, arn)):
            yield arn


def _history(aws: Aws, service: Service) -> Iterator[tuple[str, str, Any]]:
    """Yield the newest first."""
    try:
        for page in _pages(aws, service):
            known = [d for d in page["serviceDeployments"] if "targetServiceRevisionArn" in d]
            for some in in_parts(known, _REVISIONS_A_CALL):
                asked = [d["targetServiceRevisionArn"] for d in some]
                found = aws.ecs.describe_service_revisions(serviceRevisionArns=asked)["serviceRevisions"]
                ran: Any = {each["serviceRevisionArn"]: each for each in found}
                for deployment in some:
                    if revision := ran.get(deployment["targetServiceRevisionArn"]):
                        yield revision["taskDefinition"], _image_of(revision), deployment
    except ClientError as error:
        if passing(error) or code_of(error) in EXPIRED:
            raise
        family = short_arn(service.task_definition_arn).partition(":")[0]
        answer = aws.ecs.list_task_definitions(familyPrefix=family, status="ACTIVE", sort="DESC")
        yield from ((arn, "", {}) for arn in answer["taskDefinitionArns"])


def _image_of(revision: Any) -> str:
    image = own_container(
        [{**each, "name": each.get("containerName", "")} for each in revision.get("containerImages", [])],
        revision["taskDefinition"],
    )
    place, digest = str(image.get("image", "")).partition("@")[0], image.get("imageDigest", "")
    return f"{place}@{digest}" if place and digest else str(image.get("image", ""))


def _pages(aws: Aws, service: Service) -> Iterator[Any]:
    more: dict[str, Any] = {}
    while True:
        page = aws.ecs.list_service_deployments(cluster=service.cluster, service=service.name, **more)
        yield page
        if not page.get("nextToken"):
            return
        more = {"nextToken": page["nextToken"]}


def _listed(aws: Aws, operation: str, key: str, **asked: Any) -> list[str]:
    paginator: Any = aws.ecs.get_paginator(operation)  # type: ignore[call-overload]
    return [each for page in paginator.paginate(**asked) for each in page[key]]


def in_parts(things: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(things), size):
        yield list(things[start : start + size])
