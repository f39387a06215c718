"""All services and tasks, as requests name them."""

import threading
import time
from collections.abc import Callable
from typing import Any

from model_sandbox.api import ApiError
from model_sandbox.ecs import service_rules
from model_sandbox.ecs.service import Service
from model_sandbox.ecs.task import Task
from model_sandbox.network import AwsVpc, Network
from model_sandbox.upstream import Upstream

#: The reason of a failure to describe something.
MISSING = {"reason": "MISSING"}


class State:
    """The state that all operations share. One lock, in which nothing waits for docker.

    `wake`: something has changed. `clock` gives epoch seconds.
    """

    def __init__(self, upstream: Upstream, network: Network, clock: Callable[[], float] = time.time) -> None:
        self.upstream, self._network, self.clock = upstream, network, clock
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self.lock = threading.RLock()
        self.wake = threading.Event()

    def cluster(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self.upstream.ecs._resolve_cluster_name(request.get("cluster") or "default")
        cluster: dict[str, Any] | None = self.upstream.ecs._clusters.get(name)
        if cluster is None or cluster["status"] != "ACTIVE":
            raise ApiError("ClusterNotFoundException", "Cluster not found.")
        return cluster

    def service(self, request: dict[str, Any]) -> Service:
        service = self.services.get(service_arn(self.cluster(request), request.get("service", "")))
        if service is None:
            raise ApiError("ServiceNotFoundException", "Service not found.")
        return service

    def find_task(self, cluster: dict[str, Any], reference: str) -> Task | None:
        arn = f"{cluster['clusterArn'].replace(':cluster/', ':task/')}/{reference.rsplit('/', 1)[-1]}"
        return self.tasks.get(arn)

    def tasks_of(self, service: Service) -> list[Task]:
        """Return a service's tasks, stopped ones too."""
        return [t for t in self.tasks.values() if t.group == service.group and t.cluster_arn == service.cluster_arn]

    def task_definition(self, reference: str) -> dict[str, Any]:
        definition: dict[str, Any] | None = self.upstream.ecs._task_defs.get(
            self.upstream.ecs._resolve_td_key(reference)
        )
        if definition is None:
            raise ApiError("ClientException", "Unable to describe task definition.")
        if definition["status"] != "ACTIVE":
            raise ApiError("ClientException", "TaskDefinition is inactive")
        return definition

    def checked_network(self, request: dict[str, Any], definition: dict[str, Any], launch_type: str) -> AwsVpc | None:
        """Return the network, if the definition has one. Raises ApiError."""
        network = AwsVpc.parse(request.get("networkConfiguration"))
        if definition.get("networkMode") != "awsvpc":
            return None
        if network is None or not network.subnets:
            message = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            raise ApiError("InvalidParameterException", message)
        self._network.check(network.subnets, network.security_groups, "InvalidParameterException")
        zones = {subnet: self._network.zone_of(subnet) for subnet in network.subnets}
        service_rules.check_places(zones, launch_type)
        return network


def service_arn(cluster: dict[str, Any], reference: str) -> str:
    name = reference.rsplit("/", 1)[-1]
    return f"{cluster['clusterArn'].replace(':cluster/', ':service/')}/{name}"
