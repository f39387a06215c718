"""The next thing that the scheduler does with the tasks of a service."""

from dataclasses import dataclass

from model_sandbox.ecs.service import Deployment
from model_sandbox.ecs.task import Task


@dataclass(frozen=True)
class Stop:
    """Stop a task, saying why."""

    task: Task
    reason: str


@dataclass(frozen=True)
class Decision:
    """The next step: the tasks to start, each for its deployment, and those to stop."""

    start: tuple[Deployment, ...]
    stop: tuple[Stop, ...]
