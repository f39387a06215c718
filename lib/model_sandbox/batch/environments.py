"""Batch's operations on compute environments."""

import uuid

from model_sandbox.batch import rules
from model_sandbox.batch.job import Capacity, Job
from model_sandbox.batch.rules import refuse
from model_sandbox.batch.state import Record, State, named
from model_sandbox.network import Network
from model_sandbox.propagation import is_assumable
from model_sandbox.upstream import Upstream


class ComputeEnvironments:
    def __init__(self, state: State, upstream: Upstream, network: Network) -> None:
        self._state, self._upstream, self._network = state, upstream, network

    def create_compute_environment(self, request: Record) -> Record:
        name = named(request, "computeEnvironmentName")
        resources = request.get("computeResources") or {}
        rules.check_new(resources)
        self._check_network(resources)
        arn = self._state.arn("compute-environment", name)
        with self._state.lock:
            self._state.forget_gone()
            if arn in self._state.environments:
                raise refuse("Object already exists")
            self._state.environments[arn] = {
                "computeEnvironmentName": name,
                "computeEnvironmentArn": arn,
                "ecsClusterArn": f"{self._state.arn('cluster', name).replace(':batch:', ':ecs:')}_Batch_{uuid.uuid4()}",
                "type": request.get("type", "MANAGED"),
                "state": request.get("state", "ENABLED"),
                **self._verdict(request.get("serviceRole", "")),
                **({"computeResources": resources} if resources else {}),
                "serviceRole": request.get("serviceRole", ""),
                "tags": request.get("tags", {}),
                "containerOrchestrationType": "ECS",
                "uuid": str(uuid.uuid4()),
            }
            self._state.capacities[arn] = Capacity(float(resources.get("maxvCpus", 256)))
        return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}

    def update_compute_environment(self, request: Record) -> Record:
        """Change it; only now check an INVALID one again."""
        environment = self._state.one(
            self._state.environments, "compute-environment", request.get("computeEnvironment", "")
        )
        changes = request.get("computeResources") or {}
        rules.check_change(environment, changes)
        self._check_network({**environment.get("computeResources", {}), **changes})
        with self._state.lock:
            if changes:
                environment["computeResources"] = {**environment["computeResources"], **changes}
            environment.update({key: request[key] for key in ("state", "serviceRole") if key in request})
            environment.update(self._verdict(environment["serviceRole"]))
            if "maxvCpus" in changes:
                self._state.capacities[environment["computeEnvironmentArn"]].resize(float(changes["maxvCpus"]))
        return {key: environment[key] for key in ("computeEnvironmentName", "computeEnvironmentArn")}

    def delete_compute_environment(self, request: Record) -> Record:
        with self._state.lock:
            arn = self._state.resolve("compute-environment", request.get("computeEnvironment", ""))
            environment = self._state.environments.get(arn)
            if environment and environment["state"] != "DISABLED":
                raise refuse("Cannot delete, resource is not disabled")
            orders = [order for queue in self._state.queues.values() for order in queue["computeEnvironmentOrder"]]
            if any(order["computeEnvironment"] == arn for order in orders):
                raise refuse("Cannot delete, found existing JobQueue relationship")
            self._state.begin_end(environment, arn)
        return {}

    def why_waiting(self, job: Job) -> str | None:
        """Return Batch's reason, or empty; None if a job may start."""
        order = self._state.queues.get(job.record["jobQueue"], {}).get("computeEnvironmentOrder", [])
        places = [self._state.environments.get(entry["computeEnvironment"], {}) for entry in order]
        usable = [p for p in places if (p.get("state"), p.get("status")) == ("ENABLED", "VALID")]
        if not usable:
            return ""
        reasons = [rules.why_waiting(place, job.record["container"]) for place in usable]
        if all(reasons):
            return reasons[0]
        return None if any(map(self._is_reached, usable)) else ""

    def _is_reached(self, environment: Record) -> bool:
        # Instances have no address but what their subnet gives them.
        resources = environment.get("computeResources", {})
        if rules.is_fargate(resources):
            return True
        return any(self._network.instance_reaches_internet(subnet) for subnet in resources.get("subnets", []))

    def _verdict(self, role: str) -> Record:
        # Batch can always act by its own role.
        found = self._upstream.iam._roles.get(role.rpartition("/")[2]) if role else None
        if role and not (found and is_assumable(found, "batch.amazonaws.com")):
            reason = f"User: batch.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: {role}"
            return {"status": "INVALID", "statusReason": f"CLIENT_ERROR - {reason}"}
        return {"status": "VALID", "statusReason": "ComputeEnvironment Healthy"}

    def _check_network(self, resources: Record) -> None:
        subnets, groups = resources.get("subnets", []), resources.get("securityGroupIds", [])
        self._network.check(tuple(subnets), tuple(groups), "ClientException")
