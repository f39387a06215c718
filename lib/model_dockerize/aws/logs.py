"""CloudWatch Logs: the group of a model, and the last lines of a container."""

from model_dockerize.aws.errors import translate
from model_dockerize.aws.names import LOGS, TAG
from model_dockerize.aws.session import Aws
from model_dockerize.progress import Progress

_RETENTION_DAYS = 30


def log_group_name(name: str) -> str:
    """Where the containers of the model `name` write."""
    return f"/model-dockerize/{name}"


def ensure_log_group(aws: Aws, name: str, progress: Progress) -> str:
    """The log group of the model `name`, made if absent; kept 30 days unless somebody chose otherwise."""
    group = log_group_name(name)
    with translate(f"log group {group}"):
        pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
        there = [g for page in pages for g in page["logGroups"] if g["logGroupName"] == group]
        if not there:
            try:
                aws.logs.create_log_group(logGroupName=group, tags={TAG: LOGS})
                aws.settled(progress, "make", "log group", group)
            except aws.logs.exceptions.ResourceAlreadyExistsException:
                pass  # Another run of ours was first.
        keeps = bool(there and there[0].get("retentionInDays"))
        if not keeps:
            aws.logs.put_retention_policy(logGroupName=group, retentionInDays=_RETENTION_DAYS)
        if there:
            aws.settled(
                progress, "leave" if keeps else "change", "log group", group, *(() if keeps else ("retention",))
            )
    return group


def is_log_group(aws: Aws, group: str) -> bool:
    """Whether there is a log group of this name, whoever made it."""
    pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
    return any(found["logGroupName"] == group for page in pages for found in page["logGroups"])


def last_lines(aws: Aws, group: str, stream: str, count: int) -> tuple[str, ...]:
    """The last `count` lines of a stream, oldest first; none if there is no such stream (yet)."""
    with translate(f"read log {group}"):
        try:
            events = aws.logs.get_log_events(
                logGroupName=group, logStreamName=stream, limit=count, startFromHead=False
            )["events"]
        except aws.logs.exceptions.ResourceNotFoundException:
            return ()
    return tuple(event.get("message", "").rstrip("\n") for event in events)[-count:]
