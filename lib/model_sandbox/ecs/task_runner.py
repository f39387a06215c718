"""The thread of one ECS task, with real containers."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from model_sandbox import container_log, definitions
from model_sandbox.api import ApiError
from model_sandbox.container_log import Forwarder
from model_sandbox.container_spec import ContainerSpec, Mount
from model_sandbox.definitions import DefinitionError
from model_sandbox.ecs.task import Container, Task
from model_sandbox.engine import Engine, PullError, StartError
from model_sandbox.files import Directory, FileSystems, MountError
from model_sandbox.network import Network
from model_sandbox.runtime_monitoring import RuntimeMonitoring
from model_sandbox.upstream import Upstream

_LOOK_SECONDS = 0.25
_STOP_SECONDS = 30
#: How long a load balancer waits for the answers of a task that goes: as the target groups of model-dockerize say.
_DEREGISTRATION_SECONDS = 30.0


class LaunchError(Exception):
    """A task could not start; becomes its stoppedReason."""


class TaskRunner:
    """Runs tasks in threads.

    `changed` is called after every change. `is_asked` tells whether an address has still to answer a load balancer.
    """

    def __init__(
        self,
        upstream: Upstream,
        engine: Engine,
        network: Network,
        files: FileSystems,
        monitoring: RuntimeMonitoring,
        changed: Callable[[], None],
        is_asked: Callable[[str], bool],
    ) -> None:
        self._upstream, self._engine, self._network = upstream, engine, network
        self._files, self._monitoring, self._changed, self._is_asked = files, monitoring, changed, is_asked

    def start(self, task: Task) -> None:
        threading.Thread(target=self._live, args=(task,), daemon=True, name=f"task-{task.identity[:8]}").start()

    def _live(self, task: Task) -> None:
        with self._upstream.within(task.scope):
            try:
                self._launch(task)
                self._watch(task)
            except LaunchError as error:
                task.request_stop("TaskFailedToStart", str(error))
            except Exception as error:  # noqa: BLE001 - whatever it was, the task must not stay RUNNING forever
                task.request_stop("TaskFailedToStart", f"InternalError: {type(error).__name__}: {error}")
            finally:
                self._tear_down(task)

    def _set(self, task: Task, status: str, moment: str = "") -> None:
        if moment:
            task.times[moment] = time.time()
        task.last_status = status
        self._changed()

    # ---- up

    def _launch(self, task: Task) -> None:
        if task.network:
            task.zone = self._network.zone_of(task.network.subnets[0])
            if task.is_monitored:
                self._monitoring.reach(self._network.vpc_of(task.network.subnets[0]))
        self._set(task, "PENDING")
        prepared = self._prepare(task)
        mounts = self._mounts(task)
        self._set(task, "ACTIVATING", "pullStartedAt")
        for container in task.containers:
            try:
                container.digest = self._engine.pull(container.definition["image"], task.scope)
            except PullError as error:
                image = container.definition["image"]
                container.reason = f"CannotPullContainerError: failed to resolve ref {image}: {error}"
                raise LaunchError(container.reason) from error
            if task.stopping.is_set():
                return
        task.times["pullStoppedAt"] = time.time()
        ports = self._public_ports(task)
        for container, (environment, stream) in zip(task.containers, prepared, strict=True):
            is_first = container is task.containers[0]
            self._start_container(task, container, environment, ports if is_first else (), mounts)
            if stream:
                container.log = Forwarder(self._upstream, stream, partial(self._engine.output, container.identity))
        if task.network:
            state = self._engine.state(task.containers[0].identity)
            private = state.address if state else ""
            description = f"arn:aws:ecs:{task.scope.region}:{task.scope.account}:attachment/{task.identity}"
            task.interface = self._network.attach(task.network, description, private, task.public_address)
            task.times["connectivityAt"] = time.time()
        self._set(task, "RUNNING", "startedAt")

    def _prepare(self, task: Task) -> list[tuple[dict[str, str], container_log.LogStream | None]]:
        prepared = []
        try:
            for role in ("executionRoleArn", "taskRoleArn"):
                definitions.check_role(self._upstream, task.definition.get(role) or "")
            if task.network and not self._network.reaches_internet(task.network.subnets[0]):
                raise LaunchError(
                    "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull "
                    "registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. "
                    f"Check your task network configuration: subnet {task.network.subnets[0]} has no route out."
                )
            for container in task.containers:
                override = self._override(task, container)
                variables = {
                    "AWS_REGION": task.scope.region,
                    "AWS_DEFAULT_REGION": task.scope.region,
                    **({"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"} if task.launch_type == "FARGATE" else {}),
                    **definitions.secrets(self._upstream, container.definition),
                    **definitions.environment(container.definition, override),
                }
                wanted = definitions.log_stream(container.definition, task.identity)
                if wanted:
                    container_log.create(self._upstream, *wanted)
                prepared.append((variables, wanted[0] if wanted else None))
        except DefinitionError as error:
            raise LaunchError(str(error)) from error
        except ApiError as error:
            raise LaunchError(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
                f"failed to create Cloudwatch log stream: {error.code}: {error}"
            ) from error
        return prepared

    def _public_ports(self, task: Task) -> tuple[tuple[str, int], ...]:
        network = task.network
        if not network or not network.public_address:
            return ()
        task.public_address = self._network.addresses.take()
        if task.public_address is None:
            raise LaunchError("RESOURCE:ENI: the sandbox has no public address left")
        mapped = [int(m["containerPort"]) for c in task.containers for m in c.definition.get("portMappings", [])]
        # Docker cannot publish a port later: a group that is opened afterwards counts for the next task.
        return tuple((task.public_address, port) for port in mapped if self._network.is_open(network, port))

    def _start_container(
        self,
        task: Task,
        container: Container,
        environment: dict[str, str],
        ports: tuple[tuple[str, int], ...],
        mounts: dict[str, Directory],
    ) -> None:
        definition, override = container.definition, self._override(task, container)
        command = override.get("command") or definition.get("command")
        first = task.containers[0]
        memory = str(definition.get("memory") or task.definition.get("memory") or "")
        image = definition["image"]
        spec = ContainerSpec(
            image=image,
            name=self._engine.container_name(task.definition["family"], task.identity[:8], definition["name"]),
            command=tuple(command) if command else None,
            entry_point=tuple(definition["entryPoint"]) if definition.get("entryPoint") else None,
            environment=environment,
            labels={
                "com.amazonaws.ecs.task-arn": task.arn,
                "com.amazonaws.ecs.cluster": task.cluster_arn,
                "com.amazonaws.ecs.container-name": definition["name"],
                "com.amazonaws.ecs.task-definition-family": task.definition["family"],
                "com.amazonaws.ecs.task-definition-version": str(task.definition["revision"]),
            },
            ports=ports,
            health=definitions.health(definition),
            memory_mib=int(memory) if memory.isdigit() else None,
            mounts=_container_mounts(definition, mounts),
            join=None if container is first else first.identity,
            user=definition.get("user"),
            working_directory=definition.get("workingDirectory"),
            read_only=bool(definition.get("readonlyRootFilesystem")),
        )
        try:
            container.identity = self._engine.start(spec)
        except StartError as error:
            container.reason = f"CannotStartContainerError: {error}"
            raise LaunchError(container.reason) from error
        container.status = "RUNNING"

    def _mounts(self, task: Task) -> dict[str, Directory]:
        try:
            return {
                volume["name"]: self._files.directory(volume["efsVolumeConfiguration"], task.network)
                for volume in task.definition.get("volumes") or []
                if volume.get("efsVolumeConfiguration")
            }
        except MountError as error:
            raise LaunchError(str(error)) from error

    def _override(self, task: Task, container: Container) -> dict[str, Any]:
        overrides = task.overrides.get("containerOverrides", [])
        return next((o for o in overrides if o.get("name") == container.definition["name"]), {})

    # ---- watch and down

    def _watch(self, task: Task) -> None:
        while not task.stopping.wait(_LOOK_SECONDS):
            for container in task.containers:
                before = (container.status, container.health)
                self._look(container)
                if container.status == "STOPPED" and container.is_essential:
                    task.request_stop("EssentialContainerExited", "Essential container in task exited")
                if before != (container.status, container.health):
                    self._changed()
            if all(container.status == "STOPPED" for container in task.containers):
                task.request_stop("EssentialContainerExited", "Essential container in task exited")

    def _look(self, container: Container) -> None:
        state = self._engine.state(container.identity)
        if state is None:
            return
        if container.definition.get("healthCheck"):
            container.health = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}.get(state.health, "UNKNOWN")
        if state.exit_code is not None:
            container.exit_code, container.status = state.exit_code, "STOPPED"
            if state.out_of_memory:
                container.reason = "OutOfMemoryError: Container killed due to memory usage"

    def _deregister(self, task: Task) -> None:
        """Let it answer what the load balancer has sent before its end."""
        self._set(task, "DEACTIVATING")
        end = time.monotonic() + _DEREGISTRATION_SECONDS
        while any(container.status == "RUNNING" for container in task.containers) and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)  # in which the scheduler sees to it that no more are sent
            if not self._is_asked(task.interface.get("privateIPv4Address", "")):
                return
            for container in task.containers:
                self._look(container)

    def _tear_down(self, task: Task) -> None:
        if task.target_state:
            self._deregister(task)
        self._set(task, "STOPPING")
        for container in reversed(task.containers):
            if container.identity:
                self._engine.stop(container.identity, int(container.definition.get("stopTimeout") or _STOP_SECONDS))
                self._look(container)
                if container.log:
                    container.log.drain()
        task.times["executionStoppedAt"] = time.time()
        self._set(task, "DEPROVISIONING")
        for container in reversed(task.containers):
            if container.identity:
                self._engine.remove(container.identity)
            container.status = "STOPPED"
        if task.interface:
            self._network.detach(task.interface["networkInterfaceId"])
        if task.public_address:
            self._network.addresses.give_back(task.public_address)
        self._set(task, "STOPPED", "stoppedAt")


def _container_mounts(definition: dict[str, Any], found: dict[str, Directory]) -> tuple[Mount, ...]:
    return tuple(
        Mount(place.root, place.inner, mount["containerPath"], bool(mount.get("readOnly")))
        for mount in definition.get("mountPoints") or []
        if (place := found.get(mount.get("sourceVolume", "")))
    )
