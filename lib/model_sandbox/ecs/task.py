"""One ECS task as a record."""

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from model_sandbox.container_log import Forwarder
from model_sandbox.network import AwsVpc
from model_sandbox.runtime_monitoring import agent
from model_sandbox.tokens import Scope

#: A container without a health check counts as healthy once it has run this long: long enough to crash at import.
_STABLE_SECONDS = 1.0


@dataclass
class Container:
    """A task's container. `identity` is docker's, "" before its start."""

    definition: dict[str, Any]
    arn: str
    identity: str = ""
    digest: str = ""
    status: str = "PENDING"
    health: str = "UNKNOWN"
    exit_code: int | None = None
    reason: str = ""
    log: Forwarder | None = None

    @property
    def is_essential(self) -> bool:
        return bool(self.definition.get("essential", True))


@dataclass
class Task:
    """An ECS task. Only its own thread changes its status; others `request_stop`. Times in epoch seconds."""

    scope: Scope
    cluster_arn: str
    definition: dict[str, Any]
    network: AwsVpc | None
    launch_type: str
    group: str
    started_by: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    deployment: str = ""
    created_at: float = field(default_factory=time.time)
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str = ""
    stopped_reason: str = ""
    times: dict[str, float] = field(default_factory=dict)
    interface: dict[str, str] = field(default_factory=dict)
    public_address: str | None = None
    zone: str = ""
    containers: list[Container] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    #: What the load balancer says of it: initial, healthy, unhealthy; "" where there is none. And why.
    target_state: str = ""
    target_reason: str = ""
    #: Whether GuardDuty's agent stands beside its containers.
    is_monitored: bool = False

    def __post_init__(self) -> None:
        for definition in self.definition["containerDefinitions"]:
            arn = f"{self.arn.replace(':task/', ':container/')}/{uuid.uuid4()}"
            self.containers.append(Container(definition, arn))

    @property
    def arn(self) -> str:
        return f"{self.cluster_arn.replace(':cluster/', ':task/')}/{self.identity}"

    @property
    def is_live(self) -> bool:
        return self.last_status != "STOPPED"

    @property
    def health(self) -> str:
        """Return HEALTHY, UNHEALTHY or UNKNOWN, of essential containers with a check."""
        checked = [c.health for c in self.containers if c.is_essential and c.definition.get("healthCheck")]
        return next((h for h in ("UNHEALTHY", "UNKNOWN") if h in checked), "HEALTHY" if checked else "UNKNOWN")

    def is_healthy(self, now: float) -> bool:
        """Tell whether a rollout may count on it."""
        if self.last_status != "RUNNING" or self.desired_status != "RUNNING":
            return False
        if self.target_state not in ("", "healthy"):
            return False
        if any(c.is_essential and c.definition.get("healthCheck") for c in self.containers):
            return self.health == "HEALTHY"
        return now - self.times["startedAt"] >= _STABLE_SECONDS

    def request_stop(self, code: str, reason: str) -> None:
        """Ask the task to stop. The first reason stays."""
        if not self.stopping.is_set():
            self.stop_code, self.stopped_reason, self.desired_status = code, reason, "STOPPED"
            self.times["stoppingAt"] = time.time()
            self.stopping.set()

    def describe(self) -> dict[str, Any]:
        shown = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition["taskDefinitionArn"],
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "healthStatus": self.health,
            "launchType": self.launch_type,
            "cpu": str(self.definition.get("cpu") or ""),
            "memory": str(self.definition.get("memory") or ""),
            "platformVersion": "1.4.0" if self.launch_type == "FARGATE" else "",
            "platformFamily": "Linux",
            "connectivity": "CONNECTED",
            "group": self.group,
            "startedBy": self.started_by,
            "overrides": self.overrides,
            "availabilityZone": self.zone or f"{self.scope.region}a",
            "attachments": [self._attachment()] if self.network else [],
            "containers": [*self._agent(), *(self._container(container) for container in self.containers)],
            "version": 1 + len(self.times),
            "tags": self.tags,
            "createdAt": self.created_at,
            "stopCode": self.stop_code,
            "stoppedReason": self.stopped_reason,
            **self.times,
        }
        return {key: value for key, value in shown.items() if value not in ("", None)}

    def _attachment(self) -> dict[str, Any]:
        status = "PRECREATED" if not self.interface else "ATTACHED" if self.is_live else "DELETED"
        details = [{"name": name, "value": value} for name, value in self.interface.items()]
        return {"id": self.identity, "type": "ElasticNetworkInterface", "status": status, "details": details}

    def _agent(self) -> list[dict[str, Any]]:
        """Put the agent first: nobody may count on the order."""
        return [agent(self.identity, self.containers[0].status)] if self.is_monitored else []

    def _container(self, container: Container) -> dict[str, Any]:
        private = self.interface.get("privateIPv4Address")
        shown = {
            "containerArn": container.arn,
            "taskArn": self.arn,
            "name": container.definition["name"],
            "image": container.definition["image"],
            "imageDigest": container.digest,
            "runtimeId": container.identity[:32],
            "lastStatus": container.status,
            "healthStatus": container.health,
            "exitCode": container.exit_code,
            "reason": container.reason,
            "networkInterfaces": [{"attachmentId": self.identity, "privateIpv4Address": private}] if private else [],
            "networkBindings": [],
        }
        return {key: value for key, value in shown.items() if value not in ("", None)}
