"""The operations on ECS services."""

import time
from typing import Any

from model_sandbox.api import ApiError
from model_sandbox.ecs import balancer_rules, service_rules, shapes, strategy
from model_sandbox.ecs.service import Revision, Service
from model_sandbox.ecs.state import MISSING, State, service_arn
from model_sandbox.ecs.traffic import Surroundings
from model_sandbox.load_balancer import LoadBalancers
from model_sandbox.propagation import check_passed

#: Fields of CreateService and UpdateService that are kept and shown back; a few of them are heeded, too.
_SHOWN_BACK = (
    "serviceRegistries",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
    "capacityProviderStrategy",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
    "deploymentController",
    "schedulingStrategy",
)


class Services:
    """Makes and shows services. Their tasks are the scheduler's."""

    def __init__(self, state: State, balancers: LoadBalancers, around: Surroundings) -> None:
        self._state, self._balancers, self._around = state, balancers, around

    def create_service(self, request: dict[str, Any]) -> dict[str, Any]:
        cluster, name = self._state.cluster(request), request.get("serviceName", "")
        if not name:
            raise ApiError("InvalidParameterException", "Service name cannot be empty.")
        scope, now = self._state.upstream.scope(), self._state.clock()
        arn = f"{cluster['clusterArn'].replace(':cluster/', ':service/')}/{name}"
        revision = self._revision(arn, request, now)
        service_rules.check_new(request, revision.launch_type)
        configuration = request.get("deploymentConfiguration") or {}
        self._check_strategy(request, configuration, revision)
        with self._state.lock:
            existing = self._state.services.get(arn)
            if existing and existing.status == "ACTIVE":
                raise ApiError("InvalidParameterException", "Creation of service was not idempotent.")
            if existing and existing.status == "DRAINING":
                raise ApiError("InvalidParameterException", "Unable to Start a service that is still Draining.")
            service = Service(scope, arn, name, cluster["clusterArn"], int(request.get("desiredCount", 1)), now)
            service.configuration = configuration
            # AWS balances new services over zones where nothing is said, and where that is possible.
            balanced = "DISABLED" if service_rules.is_tight(service.configuration) else "ENABLED"
            shown = {key: request[key] for key in _SHOWN_BACK if key in request}
            service.settings = {"availabilityZoneRebalancing": balanced, **shown}
            service_rules.check_rebalancing(service.settings, service.configuration)
            self._deploy(service, revision, now)
            self._state.services[arn] = service
            # Set even if empty: TagResource takes an ARN only if it is known here.
            self._state.upstream.ecs._tags[arn] = list(request.get("tags") or [])
        self._state.wake.set()
        return {"service": self._show(service, ("TAGS",))}

    def update_service(self, request: dict[str, Any]) -> dict[str, Any]:
        """Update it; deploy only if forced or tasks change."""
        service, now = self._state.service(request), self._state.clock()
        if service.status != "ACTIVE":
            raise ApiError("ServiceNotActiveException", "Service was not ACTIVE.")
        service_rules.check_change(service.settings, request)
        current = service.primary.revision
        wanted: dict[str, Any] = {
            "taskDefinition": current.task_definition["taskDefinitionArn"],
            "networkConfiguration": current.network_configuration,
            "loadBalancers": list(current.load_balancers),
        }
        wanted |= {key: request[key] for key in wanted if key in request}
        wanted["launchType"] = current.launch_type
        revision = self._revision(service.arn, wanted, now)
        configuration = strategy.merged(service.configuration, request.get("deploymentConfiguration") or {})
        self._check_strategy(service.settings, configuration, revision)
        with self._state.lock:
            settings = service.settings | {key: request[key] for key in _SHOWN_BACK if key in request}
            service_rules.check_rebalancing(settings, configuration)
            service.settings, service.configuration = settings, configuration
            if "desiredCount" in request:
                service.is_steady = service.is_steady and service.desired == int(request["desiredCount"])
                service.desired = int(request["desiredCount"])
            changed = (
                revision.task_definition["taskDefinitionArn"] != current.task_definition["taskDefinitionArn"]
                or revision.network_configuration != current.network_configuration
                or revision.load_balancers != current.load_balancers
            )
            if changed or request.get("forceNewDeployment"):
                self._deploy(service, revision, now)
        self._state.wake.set()
        return {"service": self._show(service, ("TAGS",))}

    def delete_service(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete it: DRAINING while tasks stop, then INACTIVE."""
        service = self._state.service(request)
        with self._state.lock:
            if service.desired > 0 and not request.get("force"):
                message = "The service cannot be stopped while it is scaled above 0."
                raise ApiError("InvalidParameterException", message)
            if service.status == "ACTIVE":
                service.status, service.desired = "DRAINING", 0
                if service.records[0].finished_at is None:
                    service.records[0].finish("STOPPED", "The service is being deleted.", self._state.clock())
        self._state.wake.set()
        return {"service": self._show(service)}

    def describe_services(self, request: dict[str, Any]) -> dict[str, Any]:
        cluster = self._state.cluster(request)
        found, failures = [], []
        with self._state.lock:
            for reference in request.get("services", []):
                arn = service_arn(cluster, reference)
                if service := self._state.services.get(arn):
                    found.append(self._show(service, tuple(request.get("include", []))))
                else:
                    failures.append({"arn": arn, **MISSING})
        return {"services": found, "failures": failures}

    def list_services(self, request: dict[str, Any]) -> dict[str, Any]:
        cluster = self._state.cluster(request)["clusterArn"]
        with self._state.lock:
            mine = [s for s in self._state.services.values() if s.cluster_arn == cluster and s.status != "INACTIVE"]
        return shapes.page([s.arn for s in mine], "serviceArns", request, 10)

    def at_least(self, account: str, resource: str, count: int) -> None:
        """Let `service/CLUSTER/NAME` run that many tasks or more."""
        _, cluster, name = resource.split("/")
        with self._state.lock:
            for service in self._state.services.values():
                own = service.name == name and service.cluster_arn.endswith(f":{account}:cluster/{cluster}")
                if own and service.desired < count:
                    service.desired, service.is_steady = count, False
        self._state.wake.set()

    def _check_strategy(self, settings: dict[str, Any], configuration: dict[str, Any], revision: Revision) -> None:
        strategy.check(configuration, service_rules.controller_of(settings), revision.load_balancers)
        kind = strategy.kind_of(configuration)
        balancer_rules.check(revision.load_balancers, kind != strategy.ROLLING, self._around.weights)
        roles = (balancer.get("advancedConfiguration", {}).get("roleArn") for balancer in revision.load_balancers)
        check_passed(self._state.upstream, *roles)

    def _deploy(self, service: Service, revision: Revision, now: float) -> None:
        names = service.alarmed().get("alarmNames") or ()
        service.deploy(revision, now, self._around.in_alarm(names))

    def _revision(self, service_arn: str, request: dict[str, Any], now: float) -> Revision:
        definition = self._state.task_definition(request.get("taskDefinition", ""))
        strategy = request.get("capacityProviderStrategy") or []
        fargate = any(item["capacityProvider"].startswith("FARGATE") for item in strategy)
        launch_type = request.get("launchType") or ("FARGATE" if fargate else "EC2")
        self._state.checked_network(request, definition, launch_type)
        arn = f"{service_arn.replace(':service/', ':service-revision/')}/{time.time_ns()}"
        balancers = tuple(request.get("loadBalancers") or ())
        held = {container["name"] for container in definition["containerDefinitions"]}
        for name in (balancer["containerName"] for balancer in balancers if "containerName" in balancer):
            if name not in held:
                message = f"The container {name} does not exist in the task definition."
                raise ApiError("InvalidParameterException", message)
        for group in (balancer["targetGroupArn"] for balancer in balancers):
            if not self._balancers.is_used(group):
                message = f"The target group with targetGroupArn {group} does not have an associated load balancer."
                raise ApiError("InvalidParameterException", message)
        return Revision(arn, definition, request.get("networkConfiguration") or {}, launch_type, now, balancers)

    def _show(self, service: Service, include: tuple[str, ...] = ()) -> dict[str, Any]:
        with self._state.lock:
            tags = self._state.upstream.ecs._tags.get(service.arn, []) if "TAGS" in include else None
            return shapes.service(service, self._state.tasks_of(service), tags)
