"""ECS's services, tasks and service deployments; the rest is ministack's."""

from collections.abc import Callable
from typing import Any

from model_sandbox import api, definitions
from model_sandbox.access import Access
from model_sandbox.api import ApiError
from model_sandbox.ecs import shapes
from model_sandbox.ecs.scheduler import Scheduler
from model_sandbox.ecs.service_deployments import ServiceDeployments
from model_sandbox.ecs.services import Services
from model_sandbox.ecs.state import State
from model_sandbox.ecs.surroundings import OfSandbox
from model_sandbox.ecs.task_runner import TaskRunner
from model_sandbox.ecs.tasks import Tasks
from model_sandbox.engine import Engine
from model_sandbox.files import FileSystems, check_mount
from model_sandbox.load_balancer import LoadBalancers
from model_sandbox.network import Network
from model_sandbox.pace import Pace
from model_sandbox.propagation import check_passed
from model_sandbox.runtime_monitoring import RuntimeMonitoring
from model_sandbox.sessions import Sessions
from model_sandbox.tokens import Scope
from model_sandbox.upstream import Upstream


class Ecs:
    def __init__(
        self,
        upstream: Upstream,
        engine: Engine,
        network: Network,
        balancers: LoadBalancers,
        files: FileSystems,
        monitoring: RuntimeMonitoring,
        sessions: Sessions,
        access: Access | None,
        pace: Pace,
    ) -> None:
        self._upstream, self._monitoring = upstream, monitoring
        self._state = State(upstream, network)
        wake = self._state.wake.set
        runner = TaskRunner(upstream, engine, network, files, monitoring, wake, balancers.is_asked)
        around = OfSandbox(upstream, balancers, pace, sessions, access)
        self._scheduler = Scheduler(self._state, balancers, around, runner, self._is_monitored)
        self._tasks = Tasks(self._state, runner, self._is_monitored)
        self._deployments = ServiceDeployments(self._state)
        self.services = Services(self._state, balancers, around)

    def install(self) -> None:
        operations: dict[str, api.Operation] = {
            "CreateService": self.services.create_service,
            "UpdateService": self.services.update_service,
            "DeleteService": self.services.delete_service,
            "DescribeServices": self.services.describe_services,
            "ListServices": self.services.list_services,
            "ListServiceDeployments": self._deployments.list_service_deployments,
            "DescribeServiceDeployments": self._deployments.describe_service_deployments,
            "ContinueServiceDeployment": self._deployments.continue_service_deployment,
            "StopServiceDeployment": self._deployments.stop_service_deployment,
            "DescribeServiceRevisions": self._deployments.describe_service_revisions,
            "RunTask": self._tasks.run_task,
            "StopTask": self._tasks.stop_task,
            "DescribeTasks": self._tasks.describe_tasks,
            "ListTasks": self._tasks.list_tasks,
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
        self._scheduler.start()

    def _is_monitored(self, scope: Scope, launch_type: str) -> bool:
        return launch_type == "FARGATE" and self._monitoring.is_on(scope)

    def _revision_key(self, reference: str) -> str | None:
        """Return FAMILY:REVISION; a family is its latest ACTIVE revision."""
        family = reference.rsplit("/", 1)[-1]
        if not family or ":" in family:
            return self._resolve(reference)
        known = self._upstream.ecs._task_defs.values()
        active = [int(d["revision"]) for d in known if d["family"] == family and d["status"] == "ACTIVE"]
        return f"{family}:{max(active, default=0)}"

    def _check_definition(self, request: dict[str, Any]) -> None:
        definitions.check_fargate_task(request)
        check_mount(request)
        check_passed(self._upstream, request.get("executionRoleArn"), request.get("taskRoleArn"))

    def _check_cluster_is_empty(self, request: dict[str, Any]) -> None:
        cluster = self._state.cluster(request)["clusterArn"]
        with self._state.lock:
            if any(s.cluster_arn == cluster and s.status != "INACTIVE" for s in self._state.services.values()):
                message = "The Cluster cannot be deleted while Services are active."
                raise ApiError("ClusterContainsServicesException", message)
            if any(t.cluster_arn == cluster and t.is_live for t in self._state.tasks.values()):
                message = "The Cluster cannot be deleted while Tasks are active."
                raise ApiError("ClusterContainsTasksException", message)

    def _recount(self, name: str) -> None:
        cluster = self._upstream.ecs._clusters.get(name)
        if not cluster:
            return
        with self._state.lock:
            tasks = [t for t in self._state.tasks.values() if t.cluster_arn == cluster["clusterArn"]]
            services = [s for s in self._state.services.values() if s.cluster_arn == cluster["clusterArn"]]
        cluster["runningTasksCount"], cluster["pendingTasksCount"] = shapes.running(tasks), shapes.pending(tasks)
        cluster["activeServicesCount"] = sum(s.status == "ACTIVE" for s in services)
