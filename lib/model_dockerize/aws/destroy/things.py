"""Finds what is to be removed, in order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from model_dockerize.aws.batch.job_bucket import bucket_of_ours, end_bucket
from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.names import TAG, legal_name, tagged
from model_dockerize.aws.client.waiting import not_ready, wait_until
from model_dockerize.aws.destroy import ends
from model_dockerize.aws.destroy.stacks import EVERY_MODEL, Held, lingering, logs_id, repository_id
from model_dockerize.aws.destroy.users import Region, family_of, last
from model_dockerize.aws.destroy.uses import named_in
from model_dockerize.aws.destroy.volume import Volume
from model_dockerize.aws.ecr import builds_in, describe_repository, is_ours
from model_dockerize.aws.function.function import function_things
from model_dockerize.aws.ground.names import SHARED, Names
from model_dockerize.aws.ground.stacks import delete_stack
from model_dockerize.aws.model import Thing
from model_dockerize.progress import Progress

#: For which the interfaces of tasks may stay after them.
_LINGER_SECONDS = 600.0
_CLUSTER = "AWS::ECS::Cluster"


@dataclass(frozen=True)
class Deployment:
    """A deployed model and its region."""

    aws: Aws
    names: Names
    region: Region
    model: Held | None  # its stack
    jobs: Held | None  # that of its job definition, where it has one of its own
    shared: Held | None  # the stack that all models share
    volume: Volume | None

    def things(self, progress: Progress, delete_data: bool) -> tuple[Thing, ...]:
        """Return what may go, tasks before roles."""
        definitions = tuple(self._job_definitions())
        return (
            # Deployments of the model in other clusters have the same function: it sends jobs, and no tasks.
            *(replace(thing, ids=self._every_deployment) for thing in function_things(self.aws, self.names.function)),
            *self._service(),
            *self._jobs(definitions),
            *self._stack(self.model, progress),
            *self._stack(self.jobs, progress),
            *self._task_definitions(),
            *definitions,
            *((self.volume.thing(self.aws, progress),) if self.volume and delete_data else ()),
            *self._repository(),
            *self._batch(),
            *self._bucket(),
            *self._cluster(),
            *self._stack(self.shared, progress),
        )

    @property
    def service(self) -> Any:
        if not self.names.service:
            return None
        name, cluster = legal_name(self.names.service), f"/{self.names.cluster}"
        for service in self.region.services:
            is_meant = service["serviceName"] == name and service["clusterArn"].endswith(cluster)
            if is_meant and tagged(service.get("tags", [])):
                return service
        return None

    def images_left(self) -> tuple[str, ...]:
        """Return the builds in a repository that somebody else made."""
        there, ours = self._repository_there
        return builds_in(self.aws, there["repositoryName"]) if there and not ours else ()

    @property
    def _every_deployment(self) -> frozenset[str]:
        # The ids by which stacks of all the model's deployments name what they share.
        return frozenset((repository_id(self.names.repository),))

    def _ids_of(self, definition: Any, arn: str, *shared: str) -> frozenset[str]:
        # A revision without log group or role of this deployment is all deployments'.
        named = named_in(definition)
        roles = frozenset[str]().union(*(held.ids for held in (self.model, self.jobs) if held))
        if named & (self.names.log_groups | roles):
            return frozenset((arn,))  # it cannot do without what goes
        return frozenset((arn, *shared, *(text for text in named if text.startswith(f"/{SHARED}/"))))

    def _service(self) -> Iterator[Thing]:
        if service := self.service:
            name = service["serviceName"]
            end = partial(ends.end_service, self.aws, self.names.cluster, name)
            yield Thing("service", name, end, frozenset((service["serviceArn"],)))

    def _jobs(self, definitions: tuple[Thing, ...]) -> Iterator[Thing]:
        arns = frozenset[str]().union(*(thing.ids for thing in definitions))
        of_this = [job for job in self.region.jobs if job.definition in arns]
        for queue in sorted({job.queue for job in of_this}):
            ids = [job.id for job in of_this if job.queue == queue]
            used = {job.definition for job in of_this if job.queue == queue}
            # Where a definition stays for others, so do its jobs.
            held = frozenset[str]().union(*(thing.ids for thing in definitions if thing.ids & used))
            name = f"of {self.names.job_definition} in queue {queue} ({len(ids)})"
            yield Thing("jobs", name, partial(ends.end_jobs, self.aws, ids), held | set(ids))

    def _stack(self, held: Held | None, progress: Progress) -> Iterator[Thing]:
        if held:
            yield Thing("stack", held.stack.name, partial(_end_stack, self.aws, held, progress), held.ids)

    def _task_definitions(self) -> Iterator[Thing]:
        # Inactive revisions too: a killed run left them.
        families = [legal_name(self.names.task_definition)] if self.names.task_definition else []
        if self.service:
            families.append(last(self.service["taskDefinition"]).partition(":")[0])
        for family in dict.fromkeys(families):
            yield from self._revisions(family)

    def _revisions(self, family: str) -> Iterator[Thing]:
        pages = self.aws.ecs.get_paginator("list_task_definitions")
        found = [p for status in ("ACTIVE", "INACTIVE") for p in pages.paginate(familyPrefix=family, status=status)]
        for arn in (a for page in found for a in page["taskDefinitionArns"]):
            described = self.aws.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            definition = described["taskDefinition"]
            if definition["family"] == family and tagged(described.get("tags", [])):
                ids = self._ids_of(definition, arn, family_of(definition))
                yield Thing("task definition", last(arn), partial(ends.end_task_definition, self.aws, arn), ids)

    def _job_definitions(self) -> Iterator[Thing]:
        name = legal_name(self.names.job_definition, 128)
        for definition in self.region.job_definitions:
            if definition["jobDefinitionName"] == name and TAG in definition.get("tags", {}):
                arn = definition["jobDefinitionArn"]
                end = partial(self.aws.batch.deregister_job_definition, jobDefinition=arn)
                yield Thing("job definition", last(arn), end, self._ids_of(definition, arn))

    def _repository(self) -> Iterator[Thing]:
        there, ours = self._repository_there
        if there and ours:
            name = there["repositoryName"]
            end = partial(self.aws.ecr.delete_repository, repositoryName=name, force=True)
            ids = frozenset((there["repositoryUri"], repository_id(name)))
            yield Thing("repository", f"{name}, with its images", end, ids)

    @cached_property
    def _repository_there(self) -> tuple[Any, bool]:
        # The repository, and whether it is ours.
        there: Any = describe_repository(self.aws, self.names.repository) if self.names.repository else None
        return there, there is not None and is_ours(self.aws, there)

    def _batch(self) -> Iterator[Thing]:
        # Queues before their environments; one that is being deleted is waited for.
        for queue in self.region.queues:
            if TAG in queue.get("tags", {}) and queue["status"] != "DELETED":
                name = queue["jobQueueName"]
                ids = frozenset((queue["jobQueueArn"], f"queue:{name}", EVERY_MODEL))
                yield Thing("job queue", name, partial(ends.end_queue, self.aws, name), ids)
        for environment in self.region.environments:
            if TAG in environment.get("tags", {}) and environment["status"] != "DELETED":
                name = environment["computeEnvironmentName"]
                ids = frozenset((environment["computeEnvironmentArn"], EVERY_MODEL))
                yield Thing("compute environment", name, partial(ends.end_environment, self.aws, name), ids)

    def _bucket(self) -> Iterator[Thing]:
        if name := bucket_of_ours(self.aws):
            end = partial(end_bucket, self.aws, name)
            yield Thing("bucket", f"{name}, with the files in it", end, frozenset((name, EVERY_MODEL)))

    def _cluster(self) -> Iterator[Thing]:
        name = self.names.cluster
        found = self.aws.ecs.describe_clusters(clusters=[name], include=["TAGS"])["clusters"]
        is_shared = self.shared is not None and name in self.shared.of(_CLUSTER)
        if found and found[0]["status"] == "ACTIVE" and tagged(found[0].get("tags", [])) and not is_shared:
            ids = frozenset((found[0]["clusterArn"], *map(logs_id, self.names.log_groups)))
            yield Thing("cluster", name, partial(self.aws.ecs.delete_cluster, cluster=name), ids)


def _end_stack(aws: Aws, held: Held, progress: Progress) -> None:
    # First the tasks' interfaces must be gone: half a deletion takes the roles first.
    name = held.stack.name
    late = not_ready(f"The end of the interfaces in stack {name}")
    wait_until(lambda: lingering(aws, held), lambda left: not left, _LINGER_SECONDS, late)
    for kept in delete_stack(aws, name, progress):
        progress.warning(f"Stack {name} keeps {kept}.")
