"""Explains why a task stopped."""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import short_arn
from model_dockerize.aws.existing.own_container import own_container
from model_dockerize.aws.logs import last_lines
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsAccessError, AwsError
from model_dockerize.progress import Progress

_LOG_LINES = 50
#: CloudWatch shows a line a moment after it was written, and a dead container writes no more.
_LOG_TRIES = 3

#: Stands for the name of a log group until that is known.
_GROUP = "LOG-GROUP"
_ENDED = "Essential container in task exited"
#: How our server says that its model does not answer the sample.
_NOT_PROVED = re.compile(r"\S+Z not proved: (?P<why>.+)")
_WRONG_PROCESSOR = "the image is for another processor than the task: build it for that one (platforms)"
#: Words of the reason (lower case, no spaces), and what they mean.
_BY_REASON = (
    # containerd's words for an index without the task's platform, and for one image of another.
    (("descriptormatchingplatform", "nomatchforplatform", "doesnotmatchthespecifiedplatform"), _WRONG_PROCESSOR),
    (("outofmemory",), "it needed more memory than the task has: raise memory"),
    (
        ("cannotpull", "manifestunknown", "pullaccessdenied"),
        "the image could not be pulled: it is not in the repository, the execution role may not read it, "
        "or the subnet has no way to ECR (public IP, NAT or endpoints)",
    ),
    (
        ("unabletoretrievesecret", "secretsmanager:getsecretvalue", "ssm:getparameters", "didnotcontainjsonkey"),
        "a secret could not be read: its ARN (secrets, queue-url) is wrong, the execution role may not read it, "
        "or the subnet has no way to it",
    ),
    (
        ("efsutils", "mount.nfs"),
        "the volume could not be mounted: its zone has no mount target, no security group of that admits TCP 2049 from "
        "the tasks', or the VPC has no DNS hostnames",
    ),
    (
        ("loggroupdoesnotexist",),
        "its log group was deleted: make it again (aws logs create-log-group --log-group-name LOG-GROUP), for its "
        "stack does not",
    ),
    (
        ("resourceinitializationerror",),
        "before the container started: a secret, the log group or ECR could not be reached "
        "(role, or way out of the subnet)",
    ),
    (
        ("unabletoassumetherole",),
        "a role of the task does not trust ecs-tasks.amazonaws.com, or is so new that ECS does not see it yet: then it "
        "tries again by itself",
    ),
    (
        ("capacityisunavailable",),
        "Fargate has no room for this size in this zone now: try again, or give subnets in other zones",
    ),
    (("elbhealthchecks",), "it ran, but the load balancer got no good answer from it: see its reason and the log"),
    (("healthcheck",), "it ran, but its server did not become healthy in time: see the log"),
)
_BY_EXIT_CODE = {
    126: "the command is not executable",
    127: "the command was not found in the image",
    137: "killed: out of memory (raise memory), or it did not end within the stop time",
    139: "it crashed in native code (segmentation fault)",
}


@dataclass(frozen=True)
class StoppedTask:
    """A task that stopped unasked."""

    arn: str
    stop_code: str  # EssentialContainerExited, TaskFailedToStart, ...
    reason: str
    exit_code: int | None  # None: the container never started
    hint: str  # what it usually means; may be empty
    log: tuple[str, ...]  # the last lines, oldest first

    @property
    def kind(self) -> tuple[str, str, int | None]:
        """Return what tasks have in common that stopped alike."""
        return self.stop_code, self.reason, self.exit_code

    def summary(self) -> str:
        """Return the reason in one line."""
        exit_code = "" if self.exit_code is None else f", exit code {self.exit_code}"
        why = f"{self.stop_code}{exit_code}, {self.reason}"
        if self.stop_code == "EssentialContainerExited" and self.reason == _ENDED and exit_code:
            why = f"its container ended{exit_code}"  # AWS says the same twice
        return f"task {short_arn(self.arn)} stopped: {why}{f': {self.hint}' if self.hint else ''}"


def stopped_tasks(aws: Aws, service: Service, known: frozenset[str]) -> list[Any]:
    """Return our deployment's new stopped tasks, oldest first."""
    with translate(f"stopped tasks of {service.name}"):
        pages = aws.ecs.get_paginator("list_tasks").paginate(
            cluster=service.cluster, serviceName=service.name, desiredStatus="STOPPED"
        )
        arns = [arn for page in pages for arn in page["taskArns"] if arn not in known]
        found: list[Any] = []
        for start in range(0, len(arns), 100):
            found += aws.ecs.describe_tasks(cluster=service.cluster, tasks=arns[start : start + 100])["tasks"]
    ours = [t for t in found if t.get("startedBy") == service.deployment_id and t.get("stopCode") != "UserInitiated"]
    dead = [t for t in ours if t.get("lastStatus") == "STOPPED" and not _only_scaling(t)]
    return sorted(dead, key=lambda t: str(t.get("createdAt", "")))


def diagnose(
    aws: Aws,
    task: Any,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    known: Iterable[StoppedTask] = (),
) -> StoppedTask:
    """Report why `task` stopped, with its last lines; one like those `known` is no new warning."""
    container = own_container(task.get("containers", []), task["taskDefinitionArn"])
    exit_code = container.get("exitCode")
    reason = "; ".join(dict.fromkeys(r for r in (task.get("stoppedReason"), container.get("reason")) if r))
    stopped = StoppedTask(
        arn=task["taskArn"],
        stop_code=task.get("stopCode", "stopped"),
        reason=reason or "no reason given",
        exit_code=exit_code,
        hint=hint(reason, exit_code, ()),
        log=(),
    )
    is_known = any(stopped.kind == other.kind for other in known)
    (progress.info if is_known else progress.warning)(stopped.summary())
    # The reason is told before the log is asked for: the last lines may take seconds to arrive in CloudWatch.
    place, log = None, tuple[str, ...]()
    try:
        if place := log_place(aws, task):
            log = _log(aws, place, exit_code, sleep)
    except (AwsError, AwsAccessError) as error:
        progress.info(f"its log cannot be read: {error}")
    meaning = hint(reason, exit_code, log, place[0] if place else _GROUP)
    if meaning != stopped.hint:
        progress.info(meaning)
    stopped = replace(stopped, hint=meaning, log=log)
    if log:
        progress.info(f"the last {len(log)} lines that it wrote:")
        for line in log:
            progress.output(line)
    return stopped


def hint(reason: str, exit_code: int | None, log: tuple[str, ...], group: str = _GROUP) -> str:
    """Return the usual meaning; empty: none known.

    Args:
        group: the log group's name, for the command that makes it.
    """
    said = reason.lower().replace(" ", "")
    if any("exec format error" in line.lower() for line in (reason, *log)):
        return _WRONG_PROCESSOR
    if proof := next(filter(None, map(_NOT_PROVED.match, reversed(log))), None):
        return f"its model does not answer the sample: {proof['why']}"
    by_reason = next((meaning for words, meaning in _BY_REASON if any(word in said for word in words)), "")
    return by_reason.replace(_GROUP, group) or _BY_EXIT_CODE.get(exit_code or 0, "")


def _only_scaling(task: Any) -> bool:
    return str(task.get("stoppedReason", "")).startswith("Scaling activity initiated by")


def log_place(aws: Aws, task: Any) -> tuple[str, str] | None:
    """Return the container's log group and stream."""
    with translate("find the task's log"):
        definition = aws.ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    container = own_container(definition["containerDefinitions"], task["taskDefinitionArn"])
    options = container.get("logConfiguration", {}).get("options", {})
    if "awslogs-group" not in options:
        return None
    stream = f"{options.get('awslogs-stream-prefix', '')}/{container['name']}/{short_arn(task['taskArn'])}"
    return options["awslogs-group"], stream


def _log(aws: Aws, place: tuple[str, str], exit_code: int | None, sleep: Callable[[float], None]) -> tuple[str, ...]:
    for last in range(_LOG_TRIES, 0, -1):
        lines = last_lines(aws, *place, _LOG_LINES)
        if lines or exit_code is None or last == 1:
            return lines
        sleep(1)
    return ()
