"""ECS: services, tasks and service deployments. Clusters, task definitions and tags stay with ministack."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from model_sandbox import api, definitions, registration, rollout, service_rules
from model_sandbox import ecs_shapes as shapes
from model_sandbox.api import ApiError
from model_sandbox.engine import Engine
from model_sandbox.files import FileSystems, check_mount
from model_sandbox.load_balancer import LoadBalancers
from model_sandbox.network import AwsVpc, Network
from model_sandbox.propagation import check_passed
from model_sandbox.runtime_monitoring import RuntimeMonitoring
from model_sandbox.service import Deployment, Revision, Service
from model_sandbox.task import Task
from model_sandbox.task_runner import TaskRunner
from model_sandbox.tokens import Scope
from model_sandbox.upstream import Upstream

_TICK_SECONDS = 0.25
_STOPPED_TASKS_KEPT_SECONDS = 3600
#: Fields of CreateService and UpdateService that are kept only to be shown back.
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
_MISSING = {"reason": "MISSING"}
_log = logging.getLogger(__name__)


class Ecs:
    """The state of all services and tasks, and the operations on it. One lock; nothing waits for docker in it."""

    def __init__(
        self,
        upstream: Upstream,
        engine: Engine,
        network: Network,
        balancers: LoadBalancers,
        files: FileSystems,
        monitoring: RuntimeMonitoring,
    ) -> None:
        self._upstream, self._network, self._balancers = upstream, network, balancers
        self._monitoring = monitoring
        self._services: dict[str, Service] = {}
        self._tasks: dict[str, Task] = {}
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._runner = TaskRunner(upstream, engine, network, files, monitoring, self._wake.set)

    def install(self) -> None:
        """Take these operations over from ministack and start the service scheduler."""
        operations: dict[str, api.Operation] = {
            "CreateService": self.create_service,
            "UpdateService": self.update_service,
            "DeleteService": self.delete_service,
            "DescribeServices": self.describe_services,
            "ListServices": self.list_services,
            "ListServiceDeployments": self.list_service_deployments,
            "DescribeServiceDeployments": self.describe_service_deployments,
            "DescribeServiceRevisions": self.describe_service_revisions,
            "RunTask": self.run_task,
            "StopTask": self.stop_task,
            "DescribeTasks": self.describe_tasks,
            "ListTasks": self.list_tasks,
        }
        checks: dict[str, Callable[[dict[str, Any]], None]] = {
            "RegisterTaskDefinition": self._check_definition,
            "DeleteCluster": self._check_cluster_is_empty,
        }
        api.check_first(self._upstream.ecs, checks, api.by_target)
        api.serve(self._upstream.ecs, operations, api.by_target)
        self._upstream.ecs._recount_cluster = self._recount  # type: ignore[attr-defined]
        self._resolve: Callable[[str], str | None] = self._upstream.ecs._resolve_td_key
        self._upstream.ecs._resolve_td_key = self._revision_key  # type: ignore[attr-defined]
        threading.Thread(target=self._schedule, daemon=True, name="service-scheduler").start()

    # ---- the service scheduler

    def _schedule(self) -> None:
        while True:
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()
            started: list[Task] = []
            with self._lock:
                for service in [s for s in self._services.values() if s.status != "INACTIVE"]:
                    try:
                        with self._upstream.within(service.scope):
                            registration.tell(self._balancers, service, self._tasks_of(service))
                        start = partial(self._new_task, service)
                        started += rollout.run(service, self._tasks_of(service), time.time(), start)
                    except Exception:  # noqa: BLE001 - one broken service must not stop the others
                        _log.exception("service %s", service.name)
                self._forget_old_tasks()
            for task in started:
                self._runner.start(task)

    def _new_task(self, service: Service, deployment: Deployment) -> Task:
        revision = deployment.revision
        used = [t.network.subnets[0] for t in self._tasks_of(service) if t.is_live and t.network and t.network.subnets]
        task = Task(
            scope=service.scope,
            cluster_arn=service.cluster_arn,
            definition=revision.task_definition,
            network=revision.network.placed(used) if revision.network else None,
            launch_type=revision.launch_type,
            group=service.group,
            started_by=deployment.identity,
            deployment=deployment.identity,
            is_monitored=self._is_monitored(service.scope, revision.launch_type),
        )
        self._tasks[task.arn] = task
        return task

    def _is_monitored(self, scope: Scope, launch_type: str) -> bool:
        return launch_type == "FARGATE" and self._monitoring.is_on(scope)

    def _forget_old_tasks(self) -> None:
        oldest = time.time() - _STOPPED_TASKS_KEPT_SECONDS
        for arn in [a for a, t in self._tasks.items() if t.times.get("stoppedAt", oldest) < oldest]:
            del self._tasks[arn]

    # ---- services

    def create_service(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateService."""
        cluster, name = self._cluster(request), request.get("serviceName", "")
        if not name:
            raise ApiError("InvalidParameterException", "Service name cannot be empty.")
        scope, now = self._upstream.scope(), time.time()
        arn = f"{cluster['clusterArn'].replace(':cluster/', ':service/')}/{name}"
        revision = self._revision(arn, request, now)
        service_rules.check_new(request, revision.launch_type)
        with self._lock:
            existing = self._services.get(arn)
            if existing and existing.status == "ACTIVE":
                raise ApiError("InvalidParameterException", "Creation of service was not idempotent.")
            if existing and existing.status == "DRAINING":
                raise ApiError("InvalidParameterException", "Unable to Start a service that is still Draining.")
            service = Service(scope, arn, name, cluster["clusterArn"], int(request.get("desiredCount", 1)), now)
            service.configuration = request.get("deploymentConfiguration") or {}
            # AWS balances new services over zones where nothing is said, and where that is possible.
            balanced = "DISABLED" if service_rules.is_tight(service.configuration) else "ENABLED"
            shown = {key: request[key] for key in _SHOWN_BACK if key in request}
            service.settings = {"availabilityZoneRebalancing": balanced, **shown}
            service_rules.check_rebalancing(service.settings, service.configuration)
            service.deploy(revision, now)
            self._services[arn] = service
            # Set even if empty: TagResource takes an ARN only if it is known here.
            self._upstream.ecs._tags[arn] = list(request.get("tags") or [])
        self._wake.set()
        return {"service": self._show(service, ("TAGS",))}

    def update_service(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer UpdateService: a new deployment if it is forced or tasks change, else only new numbers."""
        service, now = self._service(request), time.time()
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
        with self._lock:
            settings = service.settings | {key: request[key] for key in _SHOWN_BACK if key in request}
            configuration = {**service.configuration, **request.get("deploymentConfiguration", {})}
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
                service.deploy(revision, now)
        self._wake.set()
        return {"service": self._show(service, ("TAGS",))}

    def delete_service(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DeleteService: DRAINING until its tasks have stopped, then INACTIVE."""
        service = self._service(request)
        with self._lock:
            if service.desired > 0 and not request.get("force"):
                message = "The service cannot be stopped while it is scaled above 0."
                raise ApiError("InvalidParameterException", message)
            if service.status == "ACTIVE":
                service.status, service.desired = "DRAINING", 0
        self._wake.set()
        return {"service": self._show(service)}

    def describe_services(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeServices."""
        cluster = self._cluster(request)
        found, failures = [], []
        with self._lock:
            for reference in request.get("services", []):
                arn = _service_arn(cluster, reference)
                if service := self._services.get(arn):
                    found.append(self._show(service, tuple(request.get("include", []))))
                else:
                    failures.append({"arn": arn, **_MISSING})
        return {"services": found, "failures": failures}

    def list_services(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListServices: those that are not deleted."""
        cluster = self._cluster(request)["clusterArn"]
        with self._lock:
            mine = [s for s in self._services.values() if s.cluster_arn == cluster and s.status != "INACTIVE"]
        return shapes.page([s.arn for s in mine], "serviceArns", request, 10)

    # ---- service deployments

    def list_service_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListServiceDeployments, newest first."""
        service, wanted = self._service(request), request.get("status") or []
        with self._lock:
            shown = [
                shapes.service_deployment_brief(service, r) for r in service.records if not wanted or r.status in wanted
            ]
        return shapes.page(shown, "serviceDeployments", request, 20)

    def describe_service_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeServiceDeployments."""
        with self._lock:
            known = {r.arn: (s, r) for s in self._services.values() for r in s.records}
            wanted = request.get("serviceDeploymentArns", [])
            shown = [known[arn] for arn in wanted if arn in known]
            found = [shapes.service_deployment(s, r, self._tasks_of(s)) for s, r in shown]
        return {
            "serviceDeployments": found,
            "failures": [{"arn": arn, **_MISSING} for arn in wanted if arn not in known],
        }

    def describe_service_revisions(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeServiceRevisions."""
        with self._lock:
            known = {r.arn: (s, r) for s in self._services.values() for r in s.revisions}
        wanted = request.get("serviceRevisionArns", [])
        found = [shapes.service_revision(*known[arn]) for arn in wanted if arn in known]
        return {"serviceRevisions": found, "failures": [{"arn": a, **_MISSING} for a in wanted if a not in known]}

    # ---- tasks

    def run_task(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer RunTask."""
        cluster = self._cluster(request)
        definition = self._task_definition(request.get("taskDefinition", ""))
        network = self._checked_network(request, definition, request.get("launchType", "EC2"))
        tasks = [
            Task(
                scope=self._upstream.scope(),
                cluster_arn=cluster["clusterArn"],
                definition=definition,
                network=network,
                launch_type=request.get("launchType", "EC2"),
                group=request.get("group") or f"family:{definition['family']}",
                started_by=request.get("startedBy", ""),
                overrides=request.get("overrides") or {},
                tags=request.get("tags") or [],
                is_monitored=self._is_monitored(self._upstream.scope(), request.get("launchType", "EC2")),
            )
            for _ in range(int(request.get("count", 1)))
        ]
        with self._lock:
            self._tasks.update({task.arn: task for task in tasks})
        shown = [task.describe() for task in tasks]
        for task in tasks:
            self._runner.start(task)
        return {"tasks": shown, "failures": []}

    def stop_task(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer StopTask."""
        task = self._find_task(self._cluster(request), request.get("task", ""))
        if task is None:
            raise ApiError("InvalidParameterException", "The referenced task was not found.")
        task.request_stop("UserInitiated", request.get("reason") or "Task stopped by user")
        return {"task": task.describe()}

    def describe_tasks(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeTasks."""
        cluster = self._cluster(request)
        wanted = request.get("tasks", [])
        found = {reference: self._find_task(cluster, reference) for reference in wanted}
        shown = [task.describe() for task in found.values() if task]
        return {"tasks": shown, "failures": [{"arn": r, **_MISSING} for r, task in found.items() if not task]}

    def list_tasks(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListTasks: those that should run, or with desiredStatus STOPPED those that should not."""
        cluster = self._cluster(request)["clusterArn"]
        with self._lock:
            tasks = [t for t in self._tasks.values() if t.cluster_arn == cluster]
        tasks = [t for t in tasks if t.desired_status == request.get("desiredStatus", "RUNNING")]
        if name := request.get("serviceName"):
            tasks = [t for t in tasks if t.group == f"service:{name.rsplit('/', 1)[-1]}"]
        if family := request.get("family"):
            tasks = [t for t in tasks if t.definition["family"] == family]
        if starter := request.get("startedBy"):
            tasks = [t for t in tasks if t.started_by == starter]
        newest = sorted(tasks, key=lambda t: t.created_at, reverse=True)
        return shapes.page([t.arn for t in newest], "taskArns", request, 100)

    # ---- shared

    def _cluster(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self._upstream.ecs._resolve_cluster_name(request.get("cluster") or "default")
        cluster: dict[str, Any] | None = self._upstream.ecs._clusters.get(name)
        if cluster is None or cluster["status"] != "ACTIVE":
            raise ApiError("ClusterNotFoundException", "Cluster not found.")
        return cluster

    def _service(self, request: dict[str, Any]) -> Service:
        service = self._services.get(_service_arn(self._cluster(request), request.get("service", "")))
        if service is None:
            raise ApiError("ServiceNotFoundException", "Service not found.")
        return service

    def _find_task(self, cluster: dict[str, Any], reference: str) -> Task | None:
        arn = f"{cluster['clusterArn'].replace(':cluster/', ':task/')}/{reference.rsplit('/', 1)[-1]}"
        return self._tasks.get(arn)

    def _task_definition(self, reference: str) -> dict[str, Any]:
        definition: dict[str, Any] | None = self._upstream.ecs._task_defs.get(
            self._upstream.ecs._resolve_td_key(reference)
        )
        if definition is None:
            raise ApiError("ClientException", "Unable to describe task definition.")
        if definition["status"] != "ACTIVE":
            raise ApiError("ClientException", "TaskDefinition is inactive")
        return definition

    def _revision_key(self, reference: str) -> str | None:
        """Return FAMILY:REVISION of a reference; a family stands for its latest ACTIVE revision."""
        family = reference.rsplit("/", 1)[-1]
        if not family or ":" in family:
            return self._resolve(reference)
        known = self._upstream.ecs._task_defs.values()
        active = [int(d["revision"]) for d in known if d["family"] == family and d["status"] == "ACTIVE"]
        return f"{family}:{max(active, default=0)}"

    def _checked_network(self, request: dict[str, Any], definition: dict[str, Any], launch_type: str) -> AwsVpc | None:
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

    def _revision(self, service_arn: str, request: dict[str, Any], now: float) -> Revision:
        definition = self._task_definition(request.get("taskDefinition", ""))
        strategy = request.get("capacityProviderStrategy") or []
        fargate = any(item["capacityProvider"].startswith("FARGATE") for item in strategy)
        launch_type = request.get("launchType") or ("FARGATE" if fargate else "EC2")
        self._checked_network(request, definition, launch_type)
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

    def at_least(self, account: str, resource: str, count: int) -> None:
        """Let `service/CLUSTER/NAME` run that many tasks or more: what a scalable target enforces."""
        _, cluster, name = resource.split("/")
        with self._lock:
            for service in self._services.values():
                own = service.name == name and service.cluster_arn.endswith(f":{account}:cluster/{cluster}")
                if own and service.desired < count:
                    service.desired, service.is_steady = count, False
        self._wake.set()

    def _check_definition(self, request: dict[str, Any]) -> None:
        definitions.check_fargate_task(request)
        check_mount(request)
        check_passed(self._upstream, request.get("executionRoleArn"), request.get("taskRoleArn"))

    def _check_cluster_is_empty(self, request: dict[str, Any]) -> None:
        cluster = self._cluster(request)["clusterArn"]
        with self._lock:
            if any(s.cluster_arn == cluster and s.status != "INACTIVE" for s in self._services.values()):
                message = "The Cluster cannot be deleted while Services are active."
                raise ApiError("ClusterContainsServicesException", message)
            if any(t.cluster_arn == cluster and t.is_live for t in self._tasks.values()):
                message = "The Cluster cannot be deleted while Tasks are active."
                raise ApiError("ClusterContainsTasksException", message)

    def _recount(self, name: str) -> None:
        cluster = self._upstream.ecs._clusters.get(name)
        if not cluster:
            return
        with self._lock:
            tasks = [t for t in self._tasks.values() if t.cluster_arn == cluster["clusterArn"]]
            services = [s for s in self._services.values() if s.cluster_arn == cluster["clusterArn"]]
        cluster["runningTasksCount"], cluster["pendingTasksCount"] = shapes.running(tasks), shapes.pending(tasks)
        cluster["activeServicesCount"] = sum(s.status == "ACTIVE" for s in services)

    def _show(self, service: Service, include: tuple[str, ...] = ()) -> dict[str, Any]:
        with self._lock:
            tags = self._upstream.ecs._tags.get(service.arn, []) if "TAGS" in include else None
            return shapes.service(service, self._tasks_of(service), tags)

    def _tasks_of(self, service: Service) -> list[Task]:
        return [t for t in self._tasks.values() if t.group == service.group and t.cluster_arn == service.cluster_arn]


def _service_arn(cluster: dict[str, Any], reference: str) -> str:
    name = reference.rsplit("/", 1)[-1]
    return f"{cluster['clusterArn'].replace(':cluster/', ':service/')}/{name}"
