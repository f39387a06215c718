"""Reads the logs of a service's tasks."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.ecs.stopped_tasks import log_place
from model_dockerize.aws.model import Service

_LOOKS_A_TASK_LIST = 5  # tasks change rarely, lines come often


def log_lines(aws: Aws, service: Service, count: int) -> tuple[str, ...]:
    """Return the last lines of running, else stopped tasks."""
    return tuple(message for _, message in _Log(aws, service).new(count)[-count:])


def follow_log(aws: Aws, service: Service, count: int, sleep: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """Yield the last `count` lines a task, then new ones."""
    log = _Log(aws, service)
    while True:
        yield from (message for _, message in log.new(count))
        sleep(2)


class _Log:
    def __init__(self, aws: Aws, service: Service) -> None:
        self._aws = aws
        self._service = service
        self._read: dict[tuple[str, str], str] = {}  # group and stream -> where to go on
        self._looks = 0

    def new(self, count: int) -> list[tuple[int, str]]:
        """Return new times (ms) and lines; at first, `count` a task."""
        if self._looks % _LOOKS_A_TASK_LIST == 0:
            self._read = {place: self._read.get(place, "") for place in self._places()}
        self._looks += 1
        lines: list[tuple[int, str]] = []
        for place, token in self._read.items():
            lines += self._stream(place, token, count)
        return sorted(lines, key=lambda line: line[0])

    def _stream(self, place: tuple[str, str], token: str, count: int) -> list[tuple[int, str]]:
        group, stream = place
        asked: dict[str, Any] = {"nextToken": token, "startFromHead": True} if token else {"limit": count}
        with translate(f"read log {group}"):
            try:
                found = self._aws.logs.get_log_events(logGroupName=group, logStreamName=stream, **asked)
            except self._aws.logs.exceptions.ResourceNotFoundException:
                return []
        self._read[place] = found.get("nextForwardToken", token)
        return [(e.get("timestamp", 0), e.get("message", "").rstrip("\n")) for e in found["events"]]

    def _places(self) -> list[tuple[str, str]]:
        tasks = self._tasks("RUNNING") or self._tasks("STOPPED")
        places = (log_place(self._aws, task) for task in tasks)
        return [place for place in places if place]

    def _tasks(self, status: Any) -> list[Any]:
        ecs, cluster, name = self._aws.ecs, self._service.cluster, self._service.name
        with translate(f"tasks of service {name}"):
            arns = ecs.list_tasks(cluster=cluster, serviceName=name, desiredStatus=status)["taskArns"]
            return ecs.describe_tasks(cluster=cluster, tasks=arns[:100])["tasks"] if arns else []
