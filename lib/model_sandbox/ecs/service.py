"""An ECS service as a record."""

import math
import secrets
from dataclasses import dataclass, field
from typing import Any

from model_sandbox.ecs.course import Course
from model_sandbox.ecs.strategy import ROLLING, Strategy
from model_sandbox.network import AwsVpc
from model_sandbox.tokens import Scope

_EVENTS_KEPT = 100


@dataclass(frozen=True)
class Revision:
    arn: str
    task_definition: dict[str, Any]
    network_configuration: dict[str, Any]
    launch_type: str
    created_at: float
    load_balancers: tuple[dict[str, Any], ...] = ()

    @property
    def network(self) -> AwsVpc | None:
        return AwsVpc.parse(self.network_configuration)


@dataclass
class Alarms:
    """The alarms that a deployment heeds. `ignored` were in ALARM before."""

    names: tuple[str, ...] = ()
    rollback: bool = False
    ignored: frozenset[str] = frozenset()
    triggered: frozenset[str] = frozenset()


@dataclass
class ServiceDeployment:
    """A service deployment.

    `course`: None for one that rolls. `cause`: why it must go back, as AWS says it.
    """

    arn: str
    target: Revision
    sources: tuple[Revision, ...]
    created_at: float
    status: str = "IN_PROGRESS"
    status_reason: str = ""
    updated_at: float = 0.0
    finished_at: float | None = None
    failures: int = 0
    breaker: str = "MONITORING"
    rollback: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    course: Course | None = None
    alarms: Alarms = field(default_factory=Alarms)
    cause: str = ""

    @property
    def shifting(self) -> Course | None:
        """Return the course while traffic shifts."""
        return self.course if self.finished_at is None else None

    def go_back(self, to: Revision, cause: str, now: float) -> None:
        self.status, self.updated_at, self.cause = "ROLLBACK_IN_PROGRESS", now, cause
        self.rollback = {"reason": cause, "startedAt": now, "serviceRevisionArn": to.arn}

    def finish(self, status: str, reason: str, now: float) -> None:
        self.status, self.status_reason, self.finished_at, self.updated_at = status, reason, now, now
        self.breaker = "MONITORING_COMPLETE" if self.breaker == "MONITORING" else self.breaker


@dataclass
class Deployment:
    """A deployment. The circuit breaker counts `consecutive` failures."""

    revision: Revision
    record: ServiceDeployment
    created_at: float
    identity: str = field(default_factory=lambda: f"ecs-svc/{secrets.randbelow(10**19):019d}")
    status: str = "PRIMARY"
    state: str = "IN_PROGRESS"
    reason: str = ""
    updated_at: float = 0.0
    failed_tasks: int = 0
    consecutive: int = 0
    not_before: float = 0.0
    is_rollback: bool = False

    def __post_init__(self) -> None:
        self.updated_at = self.created_at
        self.reason = self.reason or f"ECS deployment {self.identity} in progress."


@dataclass
class Service:
    """An ECS service. `settings`: request fields, shown back."""

    scope: Scope
    arn: str
    name: str
    cluster_arn: str
    desired: int
    created_at: float
    configuration: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    records: list[ServiceDeployment] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    is_steady: bool = False
    #: Tasks whose end or first healthy moment has been taken into account.
    ended: set[str] = field(default_factory=set)
    proven: set[str] = field(default_factory=set)
    #: Every target group that its tasks were registered with.
    target_groups: set[str] = field(default_factory=set)
    #: Revision -> the groups that ECS chose for its load balancers, where it chose.
    placed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def primary(self) -> Deployment:
        return next(d for d in self.deployments if d.status == "PRIMARY")

    @property
    def group(self) -> str:
        return f"service:{self.name}"

    @property
    def minimum_healthy(self) -> int:
        return math.ceil(self.desired * int(self.configuration.get("minimumHealthyPercent", 100)) / 100)

    @property
    def maximum(self) -> int:
        # A service of one task with maximumPercent 100 and minimumHealthyPercent 100 could never be updated on AWS
        # either: nothing is rounded up here.
        return math.floor(self.desired * int(self.configuration.get("maximumPercent", 200)) / 100)

    def say(self, text: str, now: float) -> None:
        event = {"id": secrets.token_hex(16), "createdAt": now, "message": f"(service {self.name}) {text}"}
        self.events = [event, *self.events][:_EVENTS_KEPT]

    def groups_of(self, revision: Revision) -> tuple[str, ...]:
        given = tuple(str(balancer["targetGroupArn"]) for balancer in revision.load_balancers)
        return self.placed.get(revision.arn, given)

    def alarmed(self) -> dict[str, Any]:
        alarms = dict(self.configuration.get("alarms") or {})
        return alarms if alarms.get("enable") else {}

    def deploy(self, revision: Revision, now: float, in_alarm: frozenset[str] = frozenset()) -> Deployment:
        """Start a deployment, which supersedes one under way."""
        sources = tuple(d.revision for d in self.deployments if d.status == "PRIMARY")
        for old in self.deployments:
            if old.status == "PRIMARY":
                old.status = "ACTIVE"
        if self.records and self.records[0].finished_at is None:
            self.records[0].finish("STOPPED", "A newer service deployment has started.", now)
        arn = f"{self.arn.replace(':service/', ':service-deployment/')}/{secrets.token_urlsafe(15)}"
        record = ServiceDeployment(arn, revision, sources, now, updated_at=now)
        record.breaker = "MONITORING" if self.breaker().get("enable") else "DISABLED"
        record.configuration, strategy = dict(self.configuration), Strategy.of(self.configuration)
        record.course = None if strategy.kind == ROLLING else Course(strategy)
        alarms = self.alarmed()
        record.alarms = Alarms(tuple(alarms.get("alarmNames") or ()), bool(alarms.get("rollback")), in_alarm)
        number = revision.arn.rsplit("/", 1)[-1]  # the same for both, as AWS has it
        deployment = Deployment(revision, record, now, identity=f"ecs-svc/{number}")
        self.revisions.append(revision)
        self.records.insert(0, record)
        self.deployments.insert(0, deployment)
        self.is_steady = False
        return deployment

    def grace_is_over(self, started_at: float, now: float) -> bool:
        """Tell whether an unhealthy task may be stopped."""
        return now - started_at >= int(self.settings.get("healthCheckGracePeriodSeconds") or 0)

    def breaker(self) -> dict[str, Any]:
        return dict(self.configuration.get("deploymentCircuitBreaker") or {})

    def threshold(self) -> int:
        """Return how many consecutive failures trigger the circuit breaker."""
        wanted = self.breaker().get("thresholdConfiguration") or {}
        kind, value = wanted.get("type", "BOUNDED_PERCENT"), wanted.get("value", 50)
        if kind == "COUNT":
            return max(1, int(value))
        share = math.ceil(self.desired * float(value) / 100)
        return max(1, share) if kind == "UNBOUNDED_PERCENT" else min(200, max(3, share))
