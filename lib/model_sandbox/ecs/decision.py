"""The next thing that the scheduler does."""

from dataclasses import dataclass

from model_sandbox.ecs.service import Deployment
from model_sandbox.ecs.task import Task


@dataclass(frozen=True)
class Stop:
    task: Task
    reason: str


@dataclass(frozen=True)
class Decision:
    """The tasks to start, by deployment, and to stop."""

    start: tuple[Deployment, ...]
    stop: tuple[Stop, ...]
