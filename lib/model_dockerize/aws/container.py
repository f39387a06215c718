"""The model's container, told once: a service's task and a Batch job run the same one."""

from dataclasses import dataclass, replace
from typing import Any

from model_dockerize.aws.runtime import Current, Foundations, Runtime, Volume
from model_dockerize.aws.session import Aws
from model_dockerize.errors import InputError
from model_dockerize.settings import ServiceSettings
from model_dockerize.settings.access import key_variables

_ARCHITECTURES = {"amd64": "X86_64", "arm64": "ARM64"}
#: Variables by which the server of the image knows what inputs say.
QUEUE = "MODEL_QUEUE_URL"
OPEN_PATHS, HOSTS, JOB_LIST = "MODEL_OPEN_PATHS", "MODEL_ALLOWED_HOSTS", "MODEL_JOB_LIST"
RETENTION = "MODEL_RETENTION_DAYS"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Container:
    """What runs, how large, with which variables, on what."""

    image_uri: str  # repository@sha256:...
    platform: str  # of the image, e.g. linux/amd64
    cpu: int  # CPU units, 1024 = one vCPU
    memory: int  # MiB
    environment: Pairs
    secrets: Pairs  # variable -> ARN in Secrets Manager or SSM; never a value
    public_address: bool
    region: str
    runtime: Runtime
    health_command: tuple[str, ...] = ("/opt/model-server/model-server", "health")  # in it; empty: nobody asks
    volume: Volume | None = None  # where the server keeps its jobs; None: in the container
    current: Current | None = None  # the service that is to run it, as it is

    @property
    def architecture(self) -> str:
        """Fargate's word for the platform: linux/amd64 is X86_64.

        Raises:
            InputError: neither linux/amd64 nor linux/arm64.
        """
        system, _, machine = self.platform.partition("/")
        machine = machine.split("/")[0]
        if system != "linux" or machine not in _ARCHITECTURES:
            raise InputError(
                f"Fargate does not run images for {self.platform}.",
                remedy="Build for linux/amd64 or linux/arm64 (platforms).",
            )
        return _ARCHITECTURES[machine]

    def with_queue(self, queue_url: str) -> "Container":
        """The container as a server whose job queue is `queue_url`: a URL without password, or the ARN of a secret."""
        if not queue_url:
            return self
        queue = ((QUEUE, queue_url),)
        if queue_url.startswith("arn:"):
            return replace(self, secrets=self.secrets + queue)
        return replace(self, environment=self.environment + queue)

    def with_access(self, settings: ServiceSettings) -> "Container":
        """The container as a server that lets in, shows and keeps what `settings` say."""
        told = {
            OPEN_PATHS: ",".join(settings.open_paths),
            HOSTS: ",".join(settings.allowed_hosts),
            JOB_LIST: "" if settings.job_list else "false",
            RETENTION: str(settings.retention_days or ""),
        }
        environment = tuple((name, value) for name, value in told.items() if value)
        keys = key_variables(settings.api_key)
        return replace(self, environment=self.environment + environment, secrets=self.secrets + keys)

    def with_volume(self, volume: Volume | None) -> "Container":
        """The container as a server whose jobs lie on `volume`."""
        return replace(self, volume=volume)

    def variables(self) -> dict[str, Any]:
        """`environment` and `secrets` as ECS and Batch both write them."""
        return {
            "environment": [{"name": name, "value": value} for name, value in sorted(self.environment)],
            "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(self.secrets)],
        }

    def log_configuration(self, prefix: str) -> dict[str, Any]:
        """Lines go to the model's log group, into streams that begin with `prefix`."""
        options = {
            "awslogs-group": self.runtime.log_group,
            "awslogs-region": self.region,
            "awslogs-stream-prefix": prefix,
        }
        return {"logDriver": "awslogs", "options": options}


def container_of(aws: Aws, settings: ServiceSettings, image_uri: str, platform: str, runtime: Runtime) -> Container:
    """The container of the image `image_uri` (repository@sha256:...), built for `platform`, as `settings` say."""
    return Container(
        image_uri=image_uri,
        platform=platform,
        cpu=settings.cpu,
        memory=settings.memory,
        environment=settings.environment,
        secrets=settings.secrets,
        public_address=settings.assign_public_ip,
        region=aws.identity.region,
        runtime=runtime,
        current=runtime.current if isinstance(runtime, Foundations) else None,
    )
