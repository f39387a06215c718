"""The ECS service: made, or changed where it differs. Whether the change takes is rollout's business."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.errors import code_of, translate
from model_dockerize.aws.eventual import once_assumable
from model_dockerize.aws.names import SERVICE, TAG, legal_name
from model_dockerize.aws.order import RunOrder, check_order, tags_of
from model_dockerize.aws.runtime import Foundations
from model_dockerize.aws.service_fit import check_controller, check_fit
from model_dockerize.aws.service_request import comparable, count, means, request
from model_dockerize.aws.session import Aws
from model_dockerize.aws.taskdef import TaskDefinition
from model_dockerize.errors import TimedOutError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings

_DRAIN_SECONDS = 300.0
#: While a service has this tag, what it runs has not proved itself. The value is what did last: `iris:3`, or `none`.
#: Set before the update and taken away after the smoke test, so that whoever comes after a killed run knows too.
PROVING = f"{TAG}:proving"
_NOTHING = "none"
#: A service with this tag has a scalable target of ours.
SCALED = f"{TAG}:scaled"
#: How an endpoint says that it does not know a part of a request.
_NOT_UNDERSTOOD = {
    "ClientException",
    "InvalidParameterException",
    "SerializationException",
    "UnsupportedFeatureException",
    "ValidationException",
}


@dataclass(frozen=True)
class Service:
    """A service as it was asked to be; `deployment_id` is ours to follow."""

    arn: str
    name: str
    cluster: str
    changed: bool  # this run made or updated it
    deployment_id: str  # ecs-svc/...
    task_definition_arn: str
    previous_task_definition_arn: str | None  # what it ran before ours; None: nothing that ever ran
    proving: bool = False  # what it runs has still to answer
    target_groups: tuple[str, ...] = ()  # ARNs: where a load balancer finds its tasks
    scaled: bool = False  # the number of its tasks is Application Auto Scaling's
    desired: int = 1  # how many tasks it was asked for


def ensure_service(
    aws: Aws,
    settings: ServiceSettings,
    name: str,
    task_definition: TaskDefinition,
    foundations: Foundations,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
) -> Service:
    """The service `name` runs `task_definition`: rolling update, at least all healthy, at most twice as many.

    A service that must be alone on its volume stops its task before it starts the next one.
    An unchanged service costs one call. One that is being deleted is waited for, then made anew.

    Raises:
        SupersededError: a newer run deployed it.
        TimedOutError: a service of that name would not go away.
        AwsAccessError, AwsError: as AWS says.
    """
    name = legal_name(name)
    order = RunOrder.of(settings)
    asked = request(aws, settings, task_definition, foundations)
    cluster = foundations.cluster
    if settings.is_alone:
        progress.warning(
            f"Service {name} keeps its job queue on the volume, which takes one task: each deployment stops it for "
            "about a minute, before the next one starts. With queue-url (PostgreSQL) several run, and none is missed."
        )
    with translate(f"service {name}"):
        there = _gone(aws, cluster, name, progress, sleep)
        if there is None:
            made = once_assumable(
                lambda: _create(aws, cluster, name, {**asked, "desiredCount": count(settings, None)}, order),
                foundations.fresh_roles,
            )
            text = f"service {name}: made, {task_definition.short}"
            aws.settled(progress, "make", "service", name, text=text)
            return service_of(made, task_definition.arn, changed=True, previous=None, proving=True)
        check_fit(there, settings, task_definition.family)
        _take_turn(aws, name, order, there)
        proving = tags_of(there).get(PROVING)
        previous = (
            _named(proving, there) if proving else _previous(there, task_definition.arn) or there["taskDefinition"]
        )
        # Brought to no task because its first version failed: nobody wanted that number.
        is_given_up = proving == _NOTHING and there["desiredCount"] == 0
        asked["desiredCount"] = count(settings, None if is_given_up else there["desiredCount"])
        differing = [key for key, value in comparable(asked, there).items() if not means(there.get(key), value)]
        if _gave_up(there):
            # ECS starts nothing more for a deployment that failed; only a new one gets its tasks.
            asked["forceNewDeployment"] = True
            differing.append("the last deployment failed")
        if not differing:
            text = f"service {name}: there, {task_definition.short}"
            aws.settled(progress, "leave", "service", name, text=text)
            return service_of(there, task_definition.arn, changed=False, previous=previous, proving=bool(proving))
        if not proving:
            last: Any = [{"key": PROVING, "value": short_arn(previous) if previous else _NOTHING}]
            aws.ecs.tag_resource(resourceArn=there["serviceArn"], tags=last)
        updated = once_assumable(lambda: _update(aws, cluster, name, asked), foundations.fresh_roles)
    before = short_arn(there["taskDefinition"])
    text = (
        f"service {name}: rolling {before} -> {task_definition.short}"
        if before != task_definition.short
        else f"service {name}: changing {', '.join(differing)}"
    )
    aws.settled(progress, "change", "service", name, *differing, text=text)
    updated["tags"] = there.get("tags", [])  # UpdateService does not show them
    return service_of(updated, task_definition.arn, changed=True, previous=previous, proving=True)


def mark_proved(aws: Aws, service: Service) -> None:
    """What the service runs has answered: from now on this is what a bad version is put back to."""
    if service.proving:
        with translate(f"service {service.name}"):
            aws.ecs.untag_resource(resourceArn=service.arn, tagKeys=[PROVING])


def describe(aws: Aws, cluster: str, name: str) -> Any:
    """The service as ECS has it, whatever its status; None if there never was one."""
    return _first(lambda: aws.ecs.describe_services(cluster=cluster, services=[name]))


def check_service(aws: Aws, settings: ServiceSettings, name: str, family: str) -> None:
    """Refuse at once what `ensure_service` would refuse later, or AWS.

    Raises:
        InputError: the service is of a kind that we cannot roll.
        SupersededError: a newer run deployed it.
    """
    name = legal_name(name)
    with translate(f"service {name}"):
        there = describe_with_tags(aws, settings.cluster, name)
    if there and there["status"] == "ACTIVE":
        check_fit(there, settings, legal_name(family))
        check_order(name, RunOrder.of(settings), tags_of(there))


def short_arn(arn: str) -> str:
    """What comes after the last slash of an ARN: `iris:3` of a task definition, the id of a task."""
    return arn.rsplit("/", 1)[-1]


def scale_to_zero(aws: Aws, service: Service) -> None:
    """No task of the service stays; the service itself, its events and its log do."""
    with translate(f"service {service.name}"):
        aws.ecs.update_service(cluster=service.cluster, service=service.name, desiredCount=0)


def put_back(aws: Aws, service: Service, task_definition_arn: str) -> Service:
    """The service asked to run `task_definition_arn` again. The new deployment is the result's to follow."""
    with translate(f"service {service.name}"):
        updated = aws.ecs.update_service(
            cluster=service.cluster, service=service.name, taskDefinition=task_definition_arn, forceNewDeployment=True
        )["service"]
    return service_of(
        updated, task_definition_arn, changed=True, previous=service.task_definition_arn, proving=service.proving
    )


def _create(aws: Aws, cluster: str, name: str, wanted: dict[str, Any], order: RunOrder) -> Any:
    own = {TAG: SERVICE, PROVING: _NOTHING, **order.tags(), **aws.tags}
    tags: Any = [{"key": key, "value": value} for key, value in own.items()]
    return _understood(
        lambda w: aws.ecs.create_service(cluster=cluster, serviceName=name, launchType="FARGATE", tags=tags, **w)[
            "service"
        ],
        wanted,
    )


def _update(aws: Aws, cluster: str, name: str, wanted: dict[str, Any]) -> Any:
    return _understood(lambda w: aws.ecs.update_service(cluster=cluster, service=name, **w)["service"], wanted)


def _take_turn(aws: Aws, name: str, order: RunOrder, there: Any) -> None:
    """Tags the service as this run's. Before the update: a run killed in between is finished by itself or a newer."""
    check_order(name, order, tags_of(there))
    missing: Any = [{"key": key, "value": value} for key, value in order.missing(tags_of(there)).items()]
    if missing:
        aws.ecs.tag_resource(resourceArn=there["serviceArn"], tags=missing)


def _understood(call: Callable[[dict[str, Any]], Any], wanted: dict[str, Any]) -> Any:
    """`call` with everything, or without what makes rollouts faster where the endpoint does not know it."""
    try:
        return call(wanted)
    except ClientError as error:
        lesser = comparable(wanted, {})
        if code_of(error) not in _NOT_UNDERSTOOD or lesser == wanted:
            raise
        return call(lesser)


def describe_with_tags(aws: Aws, cluster: str, name: str) -> Any:
    """As `describe`, with the service's tags."""
    return _first(lambda: aws.ecs.describe_services(cluster=cluster, services=[name], include=["TAGS"]))


def _first(describe_services: Callable[[], Any]) -> Any:
    """The only service of the answer; None where it or its cluster never was."""
    try:
        found = describe_services()["services"]
    except ClientError as error:
        if code_of(error) == "ClusterNotFoundException":
            return None
        raise
    return found[0] if found else None


def _gone(aws: Aws, cluster: str, name: str, progress: Progress, sleep: Callable[[float], None]) -> Any:
    """The ACTIVE service; None when there is none (any more)."""
    waited = 0.0
    while True:
        there = describe_with_tags(aws, cluster, name)
        if there is None or there["status"] == "INACTIVE":
            return None
        if there["status"] == "ACTIVE":
            return there
        if waited == 0:
            progress.info(f"service {name}: waiting until the old one of that name is gone")
        if waited >= _DRAIN_SECONDS:
            raise TimedOutError(
                f"Service {name} is still {there['status']} after {waited:.0f} s.",
                remedy="Stop its tasks, or choose another name (service).",
            )
        sleep(2)
        waited += 2


def _gave_up(service: Any) -> bool:
    primary = [d for d in service["deployments"] if d["status"] == "PRIMARY"]
    return bool(primary) and primary[0].get("rolloutState") == "FAILED"


def _previous(service: Any, task_definition_arn: str) -> str | None:
    """Another task definition whose tasks are, or were last, good: of a finished rollout, or running now."""
    others = [d for d in service["deployments"] if d["taskDefinition"] != task_definition_arn]
    good = [d for d in others if d.get("rolloutState") == "COMPLETED" or d.get("runningCount", 0) > 0]
    return str(good[0]["taskDefinition"]) if good else None


def _named(proving: str, service: Any) -> str | None:
    """The task definition that the tag names, as an ARN like the one that the service runs."""
    return None if proving == _NOTHING else f"{service['taskDefinition'].rpartition('/')[0]}/{proving}"


def service_of(
    data: Any, task_definition_arn: str, changed: bool, previous: str | None, proving: bool = False
) -> Service:
    """A DescribeServices answer as a Service whose primary deployment is ours to follow."""
    check_controller(data)
    ours = [d for d in data["deployments"] if d["status"] == "PRIMARY"]
    return Service(
        arn=data["serviceArn"],
        name=data["serviceName"],
        cluster=short_arn(data["clusterArn"]),
        changed=changed,
        deployment_id=ours[0]["id"],
        task_definition_arn=task_definition_arn,
        previous_task_definition_arn=previous,
        proving=proving,
        target_groups=tuple(b["targetGroupArn"] for b in data.get("loadBalancers", []) if "targetGroupArn" in b),
        scaled=SCALED in tags_of(data),
        desired=data["desiredCount"],
    )
