"""Reads CloudWatch Logs."""

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate


def is_log_group(aws: Aws, group: str) -> bool:
    """Tell whether the log group exists."""
    pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
    return any(found["logGroupName"] == group for page in pages for found in page["logGroups"])


def last_lines(aws: Aws, group: str, stream: str, count: int) -> tuple[str, ...]:
    """Return a stream's last lines, oldest first."""
    with translate(f"read log {group}"):
        try:
            events = aws.logs.get_log_events(
                logGroupName=group, logStreamName=stream, limit=count, startFromHead=False
            )["events"]
        except aws.logs.exceptions.ResourceNotFoundException:
            return ()
    return tuple(event.get("message", "").rstrip("\n") for event in events)[-count:]
