"""Holds what a run was asked to do: one frozen tree, whatever the source (inputs, flags, files)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from model_dockerize.settings.access import key_variables
from model_dockerize.settings.batch_file import BatchFile


@dataclass(frozen=True)
class ProgramSettings:
    """The model's folder. Empty text means: find it out from the folder."""

    program_path: Path
    requirements_file: str  # relative to program_path
    init_file: str  # relative to program_path
    base_image: str
    python_version: str
    command: str
    system_packages: tuple[str, ...]
    pip_config: Path | None
    ca_bundle: Path | None
    platforms: tuple[str, ...] = ()  # at most one; empty: that of this computer
    torch_index: str = ""  # URL
    license_public_key: str = ""  # 32 bytes in base64url; empty: no license is needed
    runner_mode: str = "auto"  # or command, warm, resident
    extras: tuple[str, ...] = ()
    dependency_groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageSettings:
    """The image's local name, where its downloadable archive is written (None: it is not), and from which it comes."""

    image_name: str  # empty: from the folder's name
    image_version: str
    archive: Path | None
    cache: str  # auto, registry, gha, inline or none
    provenance: bool
    from_archive: Path | None = None  # None: the image is built from the program's folder


@dataclass(frozen=True)
class RegistrySettings:
    """Amazon ECR."""

    push_to_ecr: bool
    repository: str  # empty: as the image
    version: str  # empty: as the image's version
    immutable_tags: bool
    scan: bool
    scan_gate: str  # lowest severity that stops the run; empty: none does


@dataclass(frozen=True)
class AwsSettings:
    """The account and region. Empty: what the credentials and the environment say."""

    aws_region: str
    aws_account_id: str
    role_to_assume: str = ""  # ARN; empty: the credentials as they are
    tags: tuple[tuple[str, str], ...] = ()  # of everything that is made
    permissions_boundary: str = ""  # ARN; empty: none, or that of the shared stack
    aws_config_file: Path | None = None


@dataclass(frozen=True)
class BatchSettings:
    """AWS Batch: the job definition, and where jobs run."""

    create_job_def: bool
    batch_config_file: Path | None
    job_definition_name: str  # empty: as the image
    job_queue: str  # empty: none is made
    compute_environment: str
    compute_type: str  # FARGATE, FARGATE_SPOT, EC2, SPOT
    max_vcpus: int
    instance_types: tuple[str, ...]  # empty: AWS chooses
    instance_role: str  # instance profile: name or ARN; empty: one of our own
    service_role: str  # by which Batch acts: name or ARN; empty: Batch's own
    queue_priority: int
    gpus: int  # of a job
    update_function: str  # name; empty: there is none
    function_source: str  # BUCKET or BUCKET/PREFIX; empty: what invokes the function is left alone
    function_output: str  # may hold {name}; empty: left as it is
    file: BatchFile | None = None  # what batch_config_file says; None: not given, or no definition is asked for
    given: frozenset[str] = frozenset()  # the fields that an input says; the others are for making only

    def definition(self, model: str) -> str:
        """Return the name of the job definition of `model`."""
        written = self.file.job_definition.name if self.file and self.file.job_definition else ""
        return self.job_definition_name or written or model


@dataclass(frozen=True)
class ServiceSettings:
    """The ECS service on Fargate. Also sizes the Batch job definition."""

    deploy_service: bool
    cluster: str
    service: str  # empty: as the image
    adopt: bool  # what somebody else made is taken over
    task_definition: str  # family; empty: as the image
    cpu: int  # CPU units, 1024 = one vCPU
    memory: int  # MiB
    desired_count: int | None  # None: as it is; one task of a new service
    task_role: str  # name or ARN; empty: one without permissions is made
    execution_role: str  # name or ARN; empty: each model has its own
    environment: tuple[tuple[str, str], ...]  # variable -> value
    secrets: tuple[tuple[str, str], ...]  # variable -> ARN of its secret
    queue_url: str  # ARN of a secret, or a URL without password; empty: a queue in each task
    vpc: str
    subnets: tuple[str, ...]
    zones: int | None  # of our own VPC; None: as it is, one of a new model, two with a load balancer
    vpc_cidr: str  # of our own VPC, when it is made; empty: 10.0.0.0/16
    security_groups: tuple[str, ...]
    allow_from: tuple[str, ...]  # blocks of IPv4 addresses; empty: as it is, anywhere of a new model
    api_key: tuple[str, ...]  # ARN or NAME=ARN of secrets; empty: no key is needed
    open_paths: tuple[str, ...]  # answered without a key and for any host; ("none",)
    allowed_hosts: tuple[str, ...]  # empty: any
    job_list: bool
    retention_days: int  # of jobs that are over; 0: forever
    assign_public_ip: bool
    volume: str  # name of a file system of ours, or id of another; empty: none
    load_balancer: str  # false, true (one of our own), or the name or ARN of another
    load_balancer_port: int  # 0: 80, or 443 with a certificate
    certificate: str  # ARN; empty: HTTP
    max_count: int  # tasks; 0: no scaling
    scale_on_cpu: int  # percent
    wait: bool  # False: the rollout is started and left to ECS
    wait_timeout: int  # seconds
    on_cancel: str  # leave or rollback
    commit: str
    run_number: int  # 0: runs are not ordered
    workflow: str  # whose run_number it is
    given: frozenset[str] = frozenset()  # the fields that an input says; the others are for making only
    source: str = ""  # which program it is: repository and folder; empty: nobody knows

    @property
    def is_alone(self) -> bool:
        """Tell whether the service may never have two tasks: SQLite on a network file system takes one server."""
        return bool(self.volume) and not self.queue_url

    @property
    def balanced(self) -> bool:
        """Tell whether the model is reached by a load balancer."""
        return self.load_balancer != "false"

    @property
    def listener_port(self) -> int:
        """Return the port where the load balancer answers for the model."""
        return self.load_balancer_port or (443 if self.certificate else 80)

    @property
    def secret_arns(self) -> tuple[str, ...]:
        """Return what the container's execution role must be allowed to read."""
        queue = (self.queue_url,) if self.queue_url.startswith("arn:") else ()
        return (*(arn for _, arn in self.secrets), *(arn for _, arn in key_variables(self.api_key)), *queue)


_S = TypeVar("_S", BatchSettings, ServiceSettings)


def as_found(settings: _S, found: Mapping[str, object]) -> _S:
    """Return the settings, with every field that no input says as it was found: a default is for making only."""
    kept: Any = {name: value for name, value in found.items() if name not in settings.given}
    return replace(settings, **kept)


@dataclass(frozen=True)
class SmokeSettings:
    """The test that a model must pass before it counts as good."""

    smoke_test: bool | Literal["image", "service"]  # True: both
    smoke_input: Path | None  # None: smoke/input.* in the program's folder, if there
    smoke_expected: Path | None  # None: smoke/expected.* in the program's folder, if there
    smoke_timeout: int  # seconds that the sample's job may take
    smoke_url: str
    smoke_mapping: Path | None = None  # None: smoke/mapping.json in the program's folder, if there
    license_key: str = field(default="", repr=False)  # a secret; empty: none is applied
    smoke_api_key: str = field(default="", repr=False)  # a secret; empty: none is sent

    @property
    def of_image(self) -> bool:
        """Tell whether the image is tested before it is pushed."""
        return self.smoke_test in (True, "image")

    @property
    def of_service(self) -> bool:
        """Tell whether the service is tested after its rollout."""
        return self.smoke_test in (True, "service")

    @property
    def left_out(self) -> str:
        """Say why a test is left out, for messages."""
        return f"smoke-test is {str(self.smoke_test).lower()}"


@dataclass(frozen=True)
class RunSettings:
    """About the run itself."""

    dry_run: bool
    report: Path | None
    sandbox: bool


@dataclass(frozen=True)
class Settings:
    """Everything a run was asked to do."""

    program: ProgramSettings
    image: ImageSettings
    registry: RegistrySettings
    aws: AwsSettings
    batch: BatchSettings
    service: ServiceSettings
    smoke: SmokeSettings
    run: RunSettings
    notes: tuple[str, ...] = ()  # what was overruled
