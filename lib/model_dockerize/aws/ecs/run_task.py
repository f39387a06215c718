"""Runs another command once in the service's network."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.client.waiting import wait_until
from model_dockerize.aws.ecs.service_state import describe
from model_dockerize.aws.ecs.stopped_tasks import hint, log_place
from model_dockerize.aws.existing.own_container import own_container
from model_dockerize.aws.logs import last_lines
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsError
from model_dockerize.progress import Progress

#: What ECS takes for all overrides of a task together, JSON and all. Source: RunTask, `overrides`.
MOST_OVERRIDES = 8192
_STARTED_BY = "model-dockerize-smoke"
#: CloudWatch shows a line a moment after it was written.
_LOG_SECONDS = 15.0
_LINES = 2000


@dataclass(frozen=True)
class Ended:
    """A one-off task's end; `exit_code` None: it never ran."""

    exit_code: int | None
    reason: str
    lines: tuple[str, ...]  # of its log, oldest first


def run_once(
    aws: Aws,
    service: Service,
    command: tuple[str, ...],
    environment: dict[str, str],
    security_groups: tuple[str, ...],
    timeout_seconds: float,
    last_line: Callable[[str], bool],
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
) -> Ended:
    """Run `command` with the service's task definition.

    Args:
        security_groups: empty: the service's.
        last_line: tells the log line that ends waiting.

    Raises:
        AwsError: it did not start, or not end in time.
    """
    with translate(f"one-off task of service {service.name}"):
        network = dict(describe(aws, service.cluster, service.name)["networkConfiguration"]["awsvpcConfiguration"])
        if security_groups:
            network["securityGroups"] = list(security_groups)
        override: Any = {
            "name": short_arn(service.task_definition_arn).partition(":")[0],
            "command": list(command),
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
        }
        placed: Any = {"awsvpcConfiguration": network}
        answer = aws.ecs.run_task(
            cluster=service.cluster,
            taskDefinition=service.task_definition_arn,
            launchType="FARGATE",
            networkConfiguration=placed,
            overrides={"containerOverrides": [override]},
            startedBy=_STARTED_BY,
        )
        if not answer["tasks"]:
            why = "; ".join(f"{f.get('reason')} {f.get('detail', '')}".strip() for f in answer["failures"])
            raise AwsError(f"A one-off task of service {service.name} was not started: {why}.")
        arn = answer["tasks"][0]["taskArn"]
        progress.info(f"task {short_arn(arn)}: {command[0]}, inside the network of service {service.name}")
        task = _end_of(aws, service.cluster, arn, timeout_seconds, sleep)
        container: Any = own_container(task["containers"], task["taskDefinitionArn"])
        code = container.get("exitCode")
        reason = "; ".join(filter(None, (task.get("stoppedReason"), container.get("reason"))))
        lines = _log(aws, task, last_line, sleep) if code is not None else ()
    meaning = hint(reason, code, lines)
    return Ended(code, f"{reason}: {meaning}" if meaning else reason, lines)


def _end_of(aws: Aws, cluster: str, arn: str, timeout: float, sleep: Callable[[float], None]) -> Any:
    def look() -> Any:
        return next(iter(aws.ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"]), None)

    def late(_: object, waited: float) -> AwsError:
        aws.ecs.stop_task(cluster=cluster, task=arn, reason="model-dockerize: it takes too long")
        return AwsError(
            f"Task {short_arn(arn)} did not end within {waited:.0f} s and was stopped.",
            remedy="Raise smoke-timeout where the sample's job takes that long.",
        )

    return wait_until(look, lambda task: task and task["lastStatus"] == "STOPPED", timeout, late, sleep)


def _log(aws: Aws, task: Any, last_line: Callable[[str], bool], sleep: Callable[[float], None]) -> tuple[str, ...]:
    place = log_place(aws, task)
    if place is None:
        return ()
    look = partial(last_lines, aws, *place, _LINES)
    return wait_until(look, lambda lines: any(map(last_line, lines)), _LOG_SECONDS, None, sleep)
