"""The inputs about a task's or job's container."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from model_dockerize.patterns import pattern
from model_dockerize.settings.input import Input
from model_dockerize.settings.variables import Pairs, wrong_queue


@dataclass(frozen=True)
class Container:
    """A task's or Batch job's container."""

    TITLE: ClassVar = "The container"

    cpu: Annotated[int, Input("Fargate CPU units of a task (1024 = 1 vCPU).", common=True)] = 1024
    memory: Annotated[int, Input("Fargate memory of a task in MiB.", common=True)] = 2048
    task_role: Annotated[
        str,
        Input(
            "IAM role (name or ARN) of the model's program. A role without any permission is made when empty.",
            may_end=True,
        ),
    ] = ""
    execution_role: Annotated[
        str,
        Input(
            "IAM role (name or ARN) that lets ECS pull the image, write logs and read secrets. Each model "
            "gets one of its own when empty.",
            may_end=True,
        ),
    ] = ""
    environment: Annotated[
        Pairs,
        Input(
            "Variables of the container, one NAME=VALUE a line. Everybody who may read the definition reads "
            "them: what is secret belongs in secrets.",
            common=True,
            may_end=True,
            private=True,
        ),
    ] = ()
    secrets: Annotated[
        Pairs,
        Input(
            "Variables whose value AWS puts in when a container starts, one NAME=ARN a line: ARN of a Secrets "
            "Manager secret or of an SSM parameter.",
            common=True,
            may_end=True,
            private=True,
        ),
    ] = ()
    queue_url: Annotated[
        str,
        Input(
            "PostgreSQL for the job queue of several tasks: ARN of the secret that holds its postgresql:// "
            "URL, or a URL without password. Each task keeps a queue of its own when empty.",
            rule=wrong_queue,
            may_end=True,
            private=True,
        ),
    ] = ""
    volume: Annotated[
        str,
        Input(
            "EFS file system on which the service's jobs outlive its tasks: a name to have one made, or the "
            "id of one (fs-...). None when empty.",
            rule=pattern(
                r"fs-[0-9a-f]{8,40}|(?!fs-)[A-Za-z0-9][A-Za-z0-9_-]{0,39}",
                "a name of letters, digits, _ and - (at most 40), or an id like fs-0123abcd",
            ),
        ),
    ] = ""
