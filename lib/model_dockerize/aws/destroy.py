"""Removing what we made, and nothing else: found by our tag, removed in an order that AWS accepts.

What belongs to one model goes with it. What all models of a region share (network, cluster) goes with the last; what
all regions share (roles), with the last of the last region.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.eventual import once_free
from model_dockerize.aws.function import function_things
from model_dockerize.aws.gone import gone_is_well
from model_dockerize.aws.iam import EXECUTION_ROLE
from model_dockerize.aws.load_balancer_removal import load_balancer_things
from model_dockerize.aws.logs import log_group_name
from model_dockerize.aws.names import TAG, legal_name, tagged
from model_dockerize.aws.network_removal import network_things
from model_dockerize.aws.role_removal import our_policies, role_things
from model_dockerize.aws.scaling import end_scaling
from model_dockerize.aws.secrets import policy_name
from model_dockerize.aws.service import SCALED
from model_dockerize.aws.session import Aws
from model_dockerize.aws.thing import Thing
from model_dockerize.aws.volume_removal import volume_things
from model_dockerize.errors import AwsError, TimedOutError
from model_dockerize.progress import Progress

_LOGS = log_group_name("")
_GONE_SECONDS = 300.0
_GOING = ("DELETING", "DELETED")
#: What Batch says of what it shows no longer.
_DELETED = {"state": "DISABLED", "status": "DELETED"}


@dataclass(frozen=True)
class Names:
    """What one model's things are called."""

    model: str
    repository: str
    job_definition: str
    service: str
    task_definition: str
    cluster: str
    function: str = ""  # that sends its jobs; empty: there is none


def find_ours(aws: Aws, names: Names) -> tuple[Thing, ...]:
    """Everything that `remove` would remove, in its order. Reads only."""
    with translate("look for what was made"):
        is_last = not _other_models(aws, names.model)
        mine = (*_of_the_model(aws, names), *volume_things(aws, names.model, is_last))
        if not is_last:
            return mine
        return (*mine, *_compute(aws), *_shared(aws, names.cluster), *network_things(aws), *role_things(aws))


def remove(things: tuple[Thing, ...], progress: Progress) -> None:
    """Removes `things`, one after the other. What others hold on to is left, and told at the end.

    Raises:
        AwsError: something could not be removed; `details` say what and why. Run again when it is free.
    """
    left = []
    for thing in things:
        try:
            with translate(f"remove {thing}"):
                gone_is_well(partial(once_free, thing.remove))
        except AwsError as error:
            left.append(f"{thing}: {error.details[0] if error.details else error}")
        else:
            progress.info(f"{thing}: removed")
    if left:
        raise AwsError(
            f"{len(left)} of {len(things)} things could not be removed.",
            "Remove what uses them, then run the same command again.",
            tuple(left),
        )


def _of_the_model(aws: Aws, names: Names) -> Iterator[Thing]:
    name = legal_name(names.service)
    service = _service(aws, names.cluster, name)
    if service and tagged(service.get("tags", [])):
        yield Thing("service", name, lambda: _end_service(aws, names.cluster, name))
    yield from load_balancer_things(aws, names.cluster, name)
    for arn in _task_definitions(aws, legal_name(names.task_definition)):
        yield Thing("task definition", arn.rsplit("/", 1)[-1], _bind(_end_task_definition, aws, arn))
    pages = aws.batch.get_paginator("describe_job_definitions").paginate(
        jobDefinitionName=legal_name(names.job_definition, 128), status="ACTIVE"
    )
    for definition in (d for page in pages for d in page["jobDefinitions"] if TAG in d.get("tags", {})):
        arn = definition["jobDefinitionArn"]
        yield Thing("job definition", arn.rsplit("/", 1)[-1], _bind(_deregister, aws, arn))
    policy = policy_name(names.model, aws.identity.region)
    if policy in our_policies(aws, EXECUTION_ROLE):
        end = partial(aws.iam.delete_role_policy, RoleName=EXECUTION_ROLE, PolicyName=policy)
        yield Thing("role policy", policy, end)
    yield from function_things(aws, names.function)
    group = log_group_name(names.model)
    if any(g == group for g in _log_groups(aws, group)):
        yield Thing("log group", group, lambda: aws.logs.delete_log_group(logGroupName=group))
    repository = _repository(aws, names.repository)
    if repository:
        yield Thing(
            "repository",
            f"{names.repository}, with its images",
            lambda: aws.ecr.delete_repository(repositoryName=names.repository, force=True),
        )


def _shared(aws: Aws, cluster: str) -> Iterator[Thing]:
    found = aws.ecs.describe_clusters(clusters=[cluster], include=["TAGS"])["clusters"]
    if found and found[0]["status"] == "ACTIVE" and tagged(found[0].get("tags", [])):
        yield Thing("cluster", cluster, lambda: aws.ecs.delete_cluster(cluster=cluster))


def _compute(aws: Aws) -> Iterator[Thing]:
    """Queues before the environments that they use."""
    queues = aws.batch.get_paginator("describe_job_queues").paginate()
    for queue in (q for page in queues for q in page["jobQueues"] if TAG in q.get("tags", {})):
        if queue["status"] not in _GOING:
            yield Thing("job queue", queue["jobQueueName"], _bind(_end_queue, aws, queue["jobQueueName"]))
    environments = aws.batch.get_paginator("describe_compute_environments").paginate()
    for environment in (e for page in environments for e in page["computeEnvironments"] if TAG in e.get("tags", {})):
        if environment["status"] not in _GOING:
            name = environment["computeEnvironmentName"]
            yield Thing("compute environment", name, _bind(_end_environment, aws, name))


def _end_queue(aws: Aws, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Disabled first, as Batch wants it. With the queue end its jobs."""
    _end_of_batch(
        f"job queue {name}",
        lambda: aws.batch.describe_job_queues(jobQueues=[name])["jobQueues"],
        lambda: aws.batch.update_job_queue(jobQueue=name, state="DISABLED"),
        lambda: aws.batch.delete_job_queue(jobQueue=name),
        sleep,
    )


def _end_environment(aws: Aws, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
    _end_of_batch(
        f"compute environment {name}",
        lambda: aws.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"],
        lambda: aws.batch.update_compute_environment(computeEnvironment=name, state="DISABLED"),
        lambda: aws.batch.delete_compute_environment(computeEnvironment=name),
        sleep,
    )


def _end_of_batch(
    what: str,
    describe: Callable[[], Any],
    disable: Callable[[], object],
    delete: Callable[[], object],
    sleep: Callable[[float], None],
) -> None:
    """From wherever a former try, or a call whose answer was lost, has left it."""

    def look() -> Any:
        return next(iter(describe()), _DELETED)

    if look()["state"] != "DISABLED":
        disable()
    _wait(what, lambda: look()["status"] != "UPDATING", sleep)
    if look()["status"] not in _GOING:
        delete()
    _wait(what, lambda: look()["status"] == "DELETED", sleep)


def _wait(what: str, done: Callable[[], bool], sleep: Callable[[float], None]) -> None:
    waited = 0.0
    while not done():
        if waited > _GONE_SECONDS:
            raise TimedOutError(f"{what} is still being deleted.", "Run again in some minutes.")
        sleep(2)
        waited += 2


def _other_models(aws: Aws, model: str) -> bool:
    """Every model that was deployed or registered here has a log group of ours."""
    return any(group != log_group_name(model) for group in _log_groups(aws, _LOGS))


def _log_groups(aws: Aws, prefix: str) -> Iterator[str]:
    pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    for group in (g for page in pages for g in page["logGroups"]):
        arn = group["arn"].removesuffix(":*")
        if TAG in aws.logs.list_tags_for_resource(resourceArn=arn)["tags"]:
            yield group["logGroupName"]


def _repository(aws: Aws, name: str) -> bool:
    try:
        arn = aws.ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"]
    except aws.ecr.exceptions.RepositoryNotFoundException:
        return False
    return tagged(aws.ecr.list_tags_for_resource(resourceArn=arn)["tags"])


def _service(aws: Aws, cluster: str, name: str) -> Any:
    try:
        found = aws.ecs.describe_services(cluster=cluster, services=[name], include=["TAGS"])["services"]
    except aws.ecs.exceptions.ClusterNotFoundException:
        return None
    return next((s for s in found if s["status"] != "INACTIVE"), None)


def _task_definitions(aws: Aws, family: str) -> Iterator[str]:
    """Of our family. One that is inactive was left by a run that ended between taking it back and deleting it."""
    pages = aws.ecs.get_paginator("list_task_definitions")
    found = [p for status in ("ACTIVE", "INACTIVE") for p in pages.paginate(familyPrefix=family, status=status)]
    for arn in (a for page in found for a in page["taskDefinitionArns"]):
        described = aws.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        if described["taskDefinition"].get("family") == family and tagged(described.get("tags", [])):
            yield arn


def _end_service(aws: Aws, cluster: str, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Deleted, and its tasks gone: they hold on to the security group and the cluster."""
    there = _service(aws, cluster, name)
    if there is None:
        return
    if any(tag["key"] == SCALED for tag in there.get("tags", [])):
        end_scaling(aws, cluster, name)
    if there["status"] == "ACTIVE":
        aws.ecs.delete_service(cluster=cluster, service=name, force=True)
    _wait(f"service {name}", lambda: _service(aws, cluster, name) is None, sleep)


def _end_task_definition(aws: Aws, arn: str) -> None:
    if _task_definition_status(aws, arn) == "ACTIVE":
        # Sent again after a lost answer it may be refused; what was not taken back cannot be deleted: that is told.
        with suppress(aws.ecs.exceptions.ClientException):
            aws.ecs.deregister_task_definition(taskDefinition=arn)
    failures = aws.ecs.delete_task_definitions(taskDefinitions=[arn])["failures"]
    if failures and _task_definition_status(aws, arn) in ("ACTIVE", "INACTIVE"):
        reason = failures[0].get("reason") or "AWS gives no reason"
        raise AwsError(f"task definition {arn}", "Run again.", (f"{reason}: {failures[0].get('detail', '')}",))


def _task_definition_status(aws: Aws, arn: str) -> str:
    return aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"]


def _deregister(aws: Aws, arn: str) -> None:
    aws.batch.deregister_job_definition(jobDefinition=arn)


def _bind(function: Callable[..., None], *arguments: Any) -> Callable[[], None]:
    return lambda: function(*arguments)
