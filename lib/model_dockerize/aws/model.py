"""Values that the AWS packages exchange."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from model_dockerize.errors import InputError
from model_dockerize.settings import ServiceSettings
from model_dockerize.settings.access import key_variables

Action = Literal["make", "change", "leave", "remove"]
_SIGNS = {"make": "+", "change": "~", "leave": "=", "remove": "-"}
_ARCHITECTURES = {"amd64": "X86_64", "arm64": "ARM64"}
#: Variables by which the server of the image knows what inputs say.
QUEUE = "MODEL_QUEUE_URL"
OPEN_PATHS, HOSTS, JOB_LIST = "MODEL_OPEN_PATHS", "MODEL_ALLOWED_HOSTS", "MODEL_JOB_LIST"
RETENTION = "MODEL_RETENTION_DAYS"
SELF_PROOF = "MODEL_SELF_PROOF"
PROCESSES = "MODEL_SERVER_PROCESSES"
#: In an image of ours: is the server well, and its model proved?
HEALTH = ("/opt/model-server/model-server", "health", "--ready")
#: Stands in a plan for what AWS would have given: an id, an ARN.
TO_COME = "(known after the run)"
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Identity:
    """The account, ARN and region we act as."""

    account: str  # 12 digits
    arn: str
    region: str

    @property
    def partition(self) -> str:
        return self.arn.split(":")[1]


@dataclass(frozen=True)
class Change:
    """A resource's change; `fields` are differences, without secrets."""

    action: Action
    kind: str  # e.g. "log group"
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{_SIGNS[self.action]} {self.kind} {self.name}{why}"


@dataclass(frozen=True)
class Thing:
    """Something to remove; `remove` may be called again."""

    kind: str
    name: str
    remove: Callable[[], object] = field(repr=False, compare=False)
    ids: frozenset[str] = frozenset()  # by which others name it, or what is in it

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Subnet:
    """A subnet and its zone."""

    id: str
    zone: str

    @classmethod
    def of(cls, described: Any) -> "Subnet":
        """Read one entry of DescribeSubnets."""
        return cls(described["SubnetId"], described["AvailabilityZone"])


@dataclass(frozen=True)
class Network:
    """Subnets and security groups of one VPC."""

    vpc_id: str
    subnets: tuple[Subnet, ...]  # of the tasks
    security_group_ids: tuple[str, ...]  # those that were named; empty: each model has its own
    public_subnets: tuple[Subnet, ...] = ()  # one a zone, for what must be reached from outside (a load balancer)

    @property
    def subnet_ids(self) -> tuple[str, ...]:
        return tuple(subnet.id for subnet in self.subnets)


@dataclass(frozen=True)
class LoadBalancer:
    """A service's target groups and listener rules.

    Only the rule's weights, which ECS changes, tell the live group.
    """

    target_group_arn: str
    alternate_arn: str = ""
    rule_arn: str = ""  # of the requests of users
    test_rule_arn: str = ""  # empty: ECS moves nothing, and has no role for it
    role_arn: str = ""  # of ECS


@dataclass(frozen=True)
class Volume:
    """A file system's access point to mount."""

    file_system_id: str
    access_point_id: str


@dataclass(frozen=True)
class Current:
    """A service and what it runs now."""

    service: Any  # as DescribeServices shows it, with its tags
    definition: Any  # as DescribeTaskDefinition shows it, with its tags; None: it is gone
    newer: Any  # what of that this botocore does not know, as `newer_fields.unknown` gives it
    container: str  # name of the one in whose place the model runs; empty: there is none
    is_ours: bool


@dataclass(frozen=True)
class Runtime:
    """Roles and log group of a model's containers."""

    execution_role_arn: str
    task_role_arn: str  # empty: whatever runs the container lends it its own rights
    log_group: str
    fresh_roles: bool  # a role is so new that other services may not see it yet

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.execution_role_arn, self.task_role_arn)


@dataclass(frozen=True)
class Foundations(Runtime):
    """Everything else that a service needs."""

    vpc_id: str
    subnet_ids: tuple[str, ...]  # of the tasks
    security_group_ids: tuple[str, ...]
    cluster: str  # name
    assign_public_ip: bool
    settings: ServiceSettings  # with what no input said, as it is
    is_new: bool = False  # this run made the model's stack
    current: Current | None = None  # None: there is no service yet
    load_balancer: LoadBalancer | None = None
    volume: Volume | None = None  # None: jobs end with their task


@dataclass(frozen=True)
class Container:
    """A container to run."""

    image_uri: str  # repository@sha256:...
    platform: str  # of the image, e.g. linux/amd64
    cpu: int  # CPU units, 1024 = one vCPU
    memory: int  # MiB
    environment: Pairs
    secrets: Pairs  # variable -> ARN in Secrets Manager or SSM; never a value
    public_address: bool
    region: str
    runtime: Runtime
    health_command: tuple[str, ...] = HEALTH  # in it; empty: nobody asks
    volume: Volume | None = None  # where the server keeps its jobs; None: in the container
    current: Current | None = None  # the service that is to run it, as it is
    adopt: bool = False  # a definition of somebody else is taken over

    @property
    def architecture(self) -> str:
        """Return Fargate's name of the architecture."""
        system, _, machine = self.platform.partition("/")
        machine = machine.split("/")[0]
        if system != "linux" or machine not in _ARCHITECTURES:
            raise InputError(
                f"Fargate does not run images for {self.platform}.",
                remedy="Build for linux/amd64 or linux/arm64 (platforms).",
            )
        return _ARCHITECTURES[machine]

    def with_queue(self, queue_url: str) -> "Container":
        """Return it with its job queue: a URL without password, or a secret."""
        if not queue_url:
            return self
        queue = ((QUEUE, queue_url),)
        if queue_url.startswith("arn:"):
            return replace(self, secrets=self.secrets + queue)
        return replace(self, environment=self.environment + queue)

    def with_access(self, settings: ServiceSettings) -> "Container":
        """Return it with the variables of `settings`."""
        told = {
            OPEN_PATHS: ",".join(settings.open_paths),
            HOSTS: ",".join(settings.allowed_hosts),
            JOB_LIST: "" if settings.job_list else "false",
            RETENTION: str(settings.retention_days or ""),
            SELF_PROOF: "true" if settings.self_proof else "",
            PROCESSES: str(settings.server_processes) if settings.server_processes > 1 else "",
        }
        environment = tuple((name, value) for name, value in told.items() if value)
        keys = key_variables(settings.api_key)
        return replace(self, environment=self.environment + environment, secrets=self.secrets + keys)

    def with_volume(self, volume: Volume | None) -> "Container":
        return replace(self, volume=volume)

    def variables(self) -> dict[str, Any]:
        """Return the variables for ECS and Batch."""
        return {
            "environment": [{"name": name, "value": value} for name, value in sorted(self.environment)],
            "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(self.secrets)],
        }

    def log_configuration(self, prefix: str) -> dict[str, Any]:
        """Return the awslogs configuration."""
        options = {
            "awslogs-group": self.runtime.log_group,
            "awslogs-region": self.region,
            "awslogs-stream-prefix": prefix,
        }
        return {"logDriver": "awslogs", "options": options}


@dataclass(frozen=True)
class TaskDefinition:
    """One revision of a task definition."""

    arn: str
    family: str
    revision: int
    changed: bool  # this run registered it
    container: str = ""  # name of the model's; empty: as the family

    @property
    def short(self) -> str:
        return f"{self.family}:{self.revision}"


@dataclass(frozen=True)
class Service:
    """A service as asked for; `deployment_id` is ours to follow."""

    arn: str
    name: str
    cluster: str
    changed: bool  # this run made or updated it
    deployment_id: str  # ecs-svc/...
    task_definition_arn: str
    previous_task_definition_arn: str | None  # what it ran before ours; None: nothing that ever ran
    proving: bool = False  # what it runs has still to answer
    sampled: tuple[str, ...] = ()  # revisions whose program answered a sample: iris:2
    target_groups: tuple[str, ...] = ()  # ARNs: where a load balancer finds its tasks
    scaled: bool = False  # the number of its tasks is Application Auto Scaling's
    desired: int = 1  # how many tasks it was asked for
    strategy: str = "ROLLING"
    rule_arns: tuple[str, ...] = ()  # of its listeners: of the requests of users, of tests; empty: ECS moves no traffic
    is_paused_by_us: bool = False  # a new version waits for us before it gets traffic

    @property
    def shifts(self) -> bool:
        """Tell whether ECS moves traffic."""
        return self.strategy != "ROLLING"
