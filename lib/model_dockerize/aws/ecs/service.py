"""Makes or changes the ECS service."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import code_of, translate
from model_dockerize.aws.client.names import SERVICE, TAG, legal_name, short_arn, tagged
from model_dockerize.aws.client.retries import once_assumable
from model_dockerize.aws.client.waiting import wait_until
from model_dockerize.aws.ecs.deploy_order import RunOrder, check_order, tags_of
from model_dockerize.aws.ecs.proving import NOTHING, PROVING, proved_before, write_proving
from model_dockerize.aws.ecs.scalable_target import SCALED, check_target
from model_dockerize.aws.ecs.service_fit import check_fit
from model_dockerize.aws.ecs.service_request import comparable, count, differing, request, update
from model_dockerize.aws.ecs.service_state import (
    ROLLING,
    describe,
    gave_up,
    group_of,
    previous_of,
    service_of,
    strategy_of,
)
from model_dockerize.aws.ecs.strategy import without_pause
from model_dockerize.aws.existing.adoption import ADOPTED, check_family, check_ours, runs_family
from model_dockerize.aws.existing.service import (
    as_running,
    current_family,
    current_service,
    describe_definition,
    describe_with_tags,
    is_batchs,
)
from model_dockerize.aws.model import Current, Foundations, Service, TaskDefinition
from model_dockerize.errors import TimedOutError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings
from model_dockerize.settings.fargate import check_size

_DRAIN_SECONDS = 300.0
#: What of our requests begins a deployment where it differs. Source: UpdateService, of each of its members.
_BEGINS = ("loadBalancers", "networkConfiguration", "platformVersion", "taskDefinition")
#: How an endpoint says that it does not know a part of a request.
_NOT_UNDERSTOOD = {
    "ClientException",
    "InvalidParameterException",
    "SerializationException",
    "UnsupportedFeatureException",
    "ValidationException",
}


def ensure_service(
    aws: Aws,
    settings: ServiceSettings,
    name: str,
    task_definition: TaskDefinition,
    foundations: Foundations,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    smoke_seconds: int = 300,
) -> Service:
    """Make the service run `task_definition`.

    Args:
        smoke_seconds: for tests of a version without traffic.
    """
    name = legal_name(name)
    order = RunOrder.of(settings)
    cluster = foundations.cluster
    if settings.is_alone:
        progress.warning(
            f"Service {name} keeps its job queue on the volume, which takes one task: each deployment stops it for "
            "about a minute, before the next one starts. With queue-url (PostgreSQL) several run, and none is missed."
        )
    with translate(f"service {name}"):
        there = _gone(aws, cluster, name, progress, sleep)
        if there is None:
            whole = request(aws, settings, task_definition, foundations, smoke_seconds) | {
                "desiredCount": count(settings, None)
            }
            own = {TAG: SERVICE, PROVING: NOTHING, **order.tags(), **aws.tags}
            tags: Any = [{"key": key, "value": value} for key, value in own.items()]
            create = partial(aws.ecs.create_service, cluster=cluster, serviceName=name, launchType="FARGATE", tags=tags)
            made = _send(create, whole, foundations)
            text = f"service {name}: made, {task_definition.short}"
            aws.settled(progress, "make", "service", name, text=text)
            return service_of(made, task_definition.arn, changed=True, previous=None, proving=True)
        current = foundations.current
        _check(there, current.definition if current else None, settings)
        _take_turn(aws, name, order, there, progress)
        proving = tags_of(there).get(PROVING)
        previous = (
            proved_before(tags_of(there), there["taskDefinition"])
            if proving
            else previous_of(there, task_definition.arn) or there["taskDefinition"]
        )
        # Brought to no task because its first version failed: nobody wanted that number.
        is_given_up = proving == NOTHING and there["desiredCount"] == 0
        is_ours = TAG in tags_of(there) and ADOPTED not in tags_of(there)
        settings = _as_it_can(aws, settings, there, foundations, progress)
        asked = update(aws, settings, there, task_definition, foundations, is_ours, smoke_seconds)
        now = None if is_given_up else there["desiredCount"]
        asked["desiredCount"] = count(settings, now, SCALED in tags_of(there))
        fields = [*differing(asked, there), *(() if TAG in tags_of(there) else ("adopted",))]
        begins = {name: value for name, value in asked.items() if name in _BEGINS}
        if gave_up(aws, there, is_same=not differing(begins, there)):
            # ECS starts nothing more for a deployment that failed; only a new one gets its tasks.
            asked["forceNewDeployment"] = True
            fields.append("the last deployment failed")
        if not fields:
            text = f"service {name}: there, {task_definition.short}"
            aws.settled(progress, "leave", "service", name, text=text)
            return service_of(there, task_definition.arn, changed=False, previous=previous, proving=bool(proving))
        write_proving(aws, there["serviceArn"], tags_of(there), there["taskDefinition"], task_definition.arn, previous)
        updated = _send(partial(aws.ecs.update_service, cluster=cluster, service=name), asked, foundations)
    before = short_arn(there["taskDefinition"])
    text = (
        f"service {name}: rolling {before} -> {task_definition.short}"
        if before != task_definition.short
        else f"service {name}: changing {', '.join(fields)}"
    )
    aws.settled(progress, "change", "service", name, *fields, text=text)
    # UpdateService does not show its tags, and a plan not what it is called.
    updated |= {key: there[key] for key in ("serviceArn", "serviceName", "clusterArn", "tags") if key in there}
    return service_of(updated, task_definition.arn, changed=True, previous=previous, proving=True)


def check_service(aws: Aws, settings: ServiceSettings, name: str, family: str) -> None:
    """Refuse at once what would be refused after the build.

    Args:
        family: of the task definition, where nobody says another.
    """
    name = legal_name(name)
    current = current_service(aws, settings.cluster, name)
    if current:
        _check(current.service, current.definition, settings)
        check_order(name, RunOrder.of(settings), tags_of(current.service))
    is_scaled = current is not None and SCALED in tags_of(current.service)
    check_target(aws, settings, settings.cluster, name, is_scaled)
    known = as_running(settings, current or current_family(aws, settings.task_definition or family), is_placed=False)
    check_size(known.cpu, known.memory)
    family = legal_name(known.task_definition or family)
    if not runs_family(current, family):
        with translate(f"task definition {family}"):
            latest, _ = describe_definition(aws, family)
        if latest and not is_batchs(latest):
            check_family(latest, family, settings.adopt)


def _check(there: Any, definition: Any, settings: ServiceSettings) -> None:
    check_fit(there, definition, settings)
    check_ours(Current(there, definition, {}, "", tagged(there.get("tags", []))), settings)


def scale_to_zero(aws: Aws, service: Service) -> None:
    with translate(f"service {service.name}"):
        aws.ecs.update_service(cluster=service.cluster, service=service.name, desiredCount=0)


def put_back(aws: Aws, service: Service, task_definition_arn: str, is_watched: bool = True) -> Service:
    """Run `task_definition_arn` again.

    Args:
        is_watched: this run ends its pause; else it has none.
    """
    with translate(f"service {service.name}"):
        more: Any = {}
        if service.is_paused_by_us and not is_watched:
            there = describe(aws, service.cluster, service.name)["deploymentConfiguration"]
            more = {"deploymentConfiguration": {**there, "lifecycleHooks": without_pause(there)}}
        updated = aws.ecs.update_service(
            cluster=service.cluster,
            service=service.name,
            taskDefinition=task_definition_arn,
            forceNewDeployment=True,
            **more,
        )["service"]
    return service_of(
        updated, task_definition_arn, changed=True, previous=service.task_definition_arn, proving=service.proving
    )


def _take_turn(aws: Aws, name: str, order: RunOrder, there: Any, progress: Progress) -> None:
    """Tag the service first: if killed now, this run or a newer one finishes."""
    check_order(name, order, tags_of(there))
    has = tags_of(there)
    wanted = order.missing(has)
    if TAG not in has:
        wanted |= {TAG: SERVICE, ADOPTED: "true"}
        progress.info(f"service {name}: taken over. The tag {ADOPTED} says that destroy leaves it.")
    missing: Any = [{"key": key, "value": value} for key, value in wanted.items()]
    if missing:
        aws.ecs.tag_resource(resourceArn=there["serviceArn"], tags=missing)


def _send(call: Callable[..., Any], asked: dict[str, Any], foundations: Foundations) -> Any:
    """Send a request, without what the endpoint does not know."""

    def send() -> Any:
        try:
            return call(**asked)["service"]
        except ClientError as error:
            lesser = comparable(asked, {})
            if code_of(error) not in _NOT_UNDERSTOOD or lesser == asked:
                raise
            return call(**lesser)["service"]

    return once_assumable(send, foundations.fresh_roles)


def _gone(aws: Aws, cluster: str, name: str, progress: Progress, sleep: Callable[[float], None]) -> Any:
    def late(there: Any, waited: float) -> TimedOutError:
        return TimedOutError(
            f"Service {name} is still {there['status']} after {waited:.0f} s.",
            remedy="Stop its tasks, or choose another name (service).",
        )

    there = wait_until(
        lambda: describe_with_tags(aws, cluster, name),
        lambda seen: seen is None or seen["status"] in ("ACTIVE", "INACTIVE") or aws.only_asks,
        _DRAIN_SECONDS,
        late,
        sleep,
        begin=lambda: progress.info(f"service {name}: waiting until the old one of that name is gone"),
    )
    return there if there and there["status"] == "ACTIVE" else None


def _as_it_can(
    aws: Aws, settings: ServiceSettings, there: Any, foundations: Foundations, progress: Progress
) -> ServiceSettings:
    balancer = foundations.load_balancer
    if settings.strategy != "rolling" or balancer is None or strategy_of(there) == ROLLING:
        return settings
    if group_of(aws, there) == balancer.target_group_arn:
        return settings
    progress.info(
        "rollout: its users are at the second target group, and rolling is for the first. This deployment moves them "
        "there, as blue-green without a test; the next one rolls."
    )
    return replace(settings, rollout="blue-green", bake_minutes=0, wait=False)
