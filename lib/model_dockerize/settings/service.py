"""The inputs about the ECS service."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from model_dockerize.patterns import ECS_NAME
from model_dockerize.settings.access import Access, key_variables
from model_dockerize.settings.container import Container
from model_dockerize.settings.input import Input
from model_dockerize.settings.network import Network
from model_dockerize.settings.rollout import SHIFTING, Rollout
from model_dockerize.settings.traffic import Traffic

_TO_TEST_PORT, _HIGHEST_PORT = 10_000, 65_535


@dataclass(frozen=True)
class ServiceSettings(Container, Network, Access, Traffic, Rollout):
    """The ECS service; its container is also a Batch job's."""

    TITLE: ClassVar = "The ECS service"

    deploy_service: Annotated[
        bool,
        Input(
            "Run the model as an ECS service. When empty, what push-to-ecr says.",
            common=True,
            requires="push-to-ecr",
            config_ini="always false",
        ),
    ] = True
    cluster: Annotated[str, Input("ECS cluster, made if missing.", rule=ECS_NAME)] = "model-dockerize"
    service: Annotated[
        str, Input("ECS service, made or rolled. The image's name when empty.", common=True, rule=ECS_NAME)
    ] = ""
    adopt: Annotated[
        bool,
        Input(
            "Take over a service, task definition family or job definition that somebody else made, or that "
            "runs another program (another folder, or one of another repository): refused otherwise. What no "
            "input says of it stays, and destroy leaves what others made.",
            caller_only=True,
        ),
    ] = False
    task_definition: Annotated[
        str,
        Input(
            "Task definition family. Empty: the image's name for a new service, and others keep theirs.", rule=ECS_NAME
        ),
    ] = ""
    self_proof: Annotated[
        bool,
        Input(
            "Have each task answer the sample of its image before it takes a job, whenever ECS starts one. A task "
            "that answers wrongly ends. false where a sample must not run in production."
        ),
    ] = True
    server_processes: Annotated[
        int,
        Input(
            "Processes of the server in each task, on one port: for a task of several vCPUs that does many short "
            "jobs, which one process cannot take in. Each has a worker at least (MODEL_WORKERS).",
            most=64,
        ),
    ] = 1
    desired_count: Annotated[
        int | None,
        Input(
            "How many tasks the service keeps running. Empty: one of a new service, and of others as many as "
            "they have.",
            least=0,
        ),
    ] = None
    given: frozenset[str] = frozenset()  # the fields that an input says; the others are for making only
    source: str = ""  # which program it is: repository and folder; empty: nobody knows

    @property
    def is_alone(self) -> bool:
        """Tell whether it has one task at most: SQLite on a network file system takes one server."""
        return bool(self.volume) and not self.queue_url

    @property
    def balanced(self) -> bool:
        return self.load_balancer != "false"

    @property
    def strategy(self) -> str:
        """Say how a new version takes over."""
        return self.rollout or ("blue-green" if self.balanced and not self.is_alone else "rolling")

    @property
    def shifts(self) -> bool:
        """Tell whether a new version is tested before it has traffic."""
        return self.balanced and self.strategy in SHIFTING

    @property
    def test_port(self) -> int:
        away = self.listener_port + _TO_TEST_PORT
        return away if away <= _HIGHEST_PORT else self.listener_port - _TO_TEST_PORT

    @property
    def listener_port(self) -> int:
        return self.load_balancer_port or (443 if self.certificate else 80)

    @property
    def secret_arns(self) -> tuple[str, ...]:
        """List what the execution role may read."""
        queue = (self.queue_url,) if self.queue_url.startswith("arn:") else ()
        return (*(arn for _, arn in self.secrets), *(arn for _, arn in key_variables(self.api_key)), *queue)
