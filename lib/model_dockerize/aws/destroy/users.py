"""Reads who uses what in the region.

Every text that AWS shows counts as a use, unknown fields included.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.batch.settling import GOING
from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.retries import says_gone
from model_dockerize.aws.destroy.uses import User, named_in

#: Of a job that is not over.
_UNDERWAY = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")


@dataclass(frozen=True)
class Job:
    """A job that has not ended."""

    id: str
    name: str
    status: str
    queue: str  # name
    definition: str  # ARN, with the revision

    def user(self) -> User:
        return User(f"job {self.name}", self.id, frozenset((self.definition, f"queue:{self.queue}")))


@dataclass(frozen=True)
class Region:
    """A region's possible users."""

    services: tuple[Any, ...]  # as DescribeServices shows them; so the others
    tasks: tuple[Any, ...]
    definitions: tuple[Any, ...]  # what services and tasks run, and the latest revision of every family
    job_definitions: tuple[Any, ...]
    queues: tuple[Any, ...]
    environments: tuple[Any, ...]
    jobs: tuple[Job, ...]

    def users(self) -> Iterator[User]:
        defined = {each["taskDefinitionArn"]: named_in(each) | {family_of(each)} for each in self.definitions}
        for service in self.services:
            runs = _with_definitions(named_in(service), defined)
            yield User(f"service {in_cluster(service['serviceArn'])}", service["serviceArn"], runs)
        for task in self.tasks:
            yield self._owner(task, _with_definitions(named_in(task), defined))
        for each in self.definitions:
            arn = each["taskDefinitionArn"]
            yield User(f"task definition {last(arn)}", arn, named_in(each))
        for each in self.job_definitions:
            arn = each["jobDefinitionArn"]
            yield User(f"job definition {last(arn)}", arn, named_in(each))
        for queue in self.queues:
            yield User(f"job queue {queue['jobQueueName']}", queue["jobQueueArn"], named_in(queue))
        for environment in self.environments:
            name, arn = environment["computeEnvironmentName"], environment["computeEnvironmentArn"]
            yield User(f"compute environment {name}", arn, named_in(environment))
        yield from (job.user() for job in self.jobs)

    def interface_owners(self) -> dict[str, User]:
        return {
            detail["value"]: self._owner(task)
            for task in self.tasks
            for attachment in task.get("attachments", [])
            for detail in attachment.get("details", [])
            if detail["name"] == "networkInterfaceId"
        }

    def _owner(self, task: Any, uses: frozenset[str] = frozenset()) -> User:
        kind, _, name = task.get("group", "").partition(":")
        for service in self.services if kind == "service" else ():
            if (service["serviceName"], service["clusterArn"]) == (name, task["clusterArn"]):
                return User(f"service {in_cluster(service['serviceArn'])}", service["serviceArn"], uses)
        for environment in self.environments:
            if environment.get("ecsClusterArn") == task["clusterArn"]:
                name, arn = environment["computeEnvironmentName"], environment["computeEnvironmentArn"]
                return User(f"compute environment {name}", arn, uses)
        return User(f"task {in_cluster(task['taskArn'])}", task["taskArn"], uses)


def look_at_region(aws: Aws) -> Region:
    """Read the region."""
    services, tasks = list[Any](), list[Any]()
    for cluster in _pages(aws.ecs, "list_clusters", "clusterArns"):
        names = _pages(aws.ecs, "list_services", "serviceArns", cluster=cluster)
        for some in _parts(names, 10):
            found = aws.ecs.describe_services(cluster=cluster, services=some, include=["TAGS"])["services"]
            services += [service for service in found if service["status"] != "INACTIVE"]
        for some in _parts(_pages(aws.ecs, "list_tasks", "taskArns", cluster=cluster), 100):
            tasks += aws.ecs.describe_tasks(cluster=cluster, tasks=some)["tasks"]
    queues = _pages(aws.batch, "describe_job_queues", "jobQueues")
    return Region(
        tuple(services),
        tuple(tasks),
        tuple(_definitions(aws, services, tasks)),
        tuple(_pages(aws.batch, "describe_job_definitions", "jobDefinitions", status="ACTIVE")),
        tuple(queues),
        tuple(_pages(aws.batch, "describe_compute_environments", "computeEnvironments")),
        tuple(job for queue in queues for job in _jobs(aws, queue)),
    )


def family_of(definition: Any) -> str:
    """Return a family's id: users of a revision may want another."""
    return f"family:{definition['family']}"


def in_cluster(arn: str) -> str:
    """Return `CLUSTER/NAME`; `NAME` of a short ARN."""
    return arn.rpartition(":")[2].partition("/")[2]


def last(arn: str) -> str:
    return arn.rpartition("/")[2]


def _definitions(aws: Aws, services: Iterable[Any], tasks: Iterable[Any]) -> Iterator[Any]:
    running = {each["taskDefinition"] for s in services for each in (s, *s.get("deployments", []))}
    running |= {task["taskDefinitionArn"] for task in tasks}
    for family in _pages(aws.ecs, "list_task_definition_families", "families", status="ACTIVE"):
        latest = _described(aws, family)
        # Batch registers one for each job definition that it runs, and never takes it back.
        if latest and not latest.get("registeredBy", "").endswith("/aws-batch"):
            running.discard(latest["taskDefinitionArn"])
            yield latest
    for arn in sorted(running):
        if definition := _described(aws, arn):
            yield definition


def _described(aws: Aws, name: str) -> Any:
    try:
        return aws.ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
    except ClientError as error:
        if not says_gone(error):
            raise
        return None


def _jobs(aws: Aws, queue: Any) -> Iterator[Job]:
    if queue["status"] in GOING:
        return
    name = queue["jobQueueName"]
    for status in _UNDERWAY:
        for job in _pages(aws.batch, "list_jobs", "jobSummaryList", jobQueue=name, jobStatus=status):
            yield Job(job["jobId"], job["jobName"], status, name, job.get("jobDefinition", ""))


def _with_definitions(names: frozenset[str], defined: dict[str, frozenset[str]]) -> frozenset[str]:
    return names.union(*(defined[name] for name in names & defined.keys()))


def _pages(client: Any, operation: str, key: str, **asked: Any) -> list[Any]:
    return [each for page in client.get_paginator(operation).paginate(**asked) for each in page[key]]


def _parts(things: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(things), size):
        yield list(things[start : start + size])
