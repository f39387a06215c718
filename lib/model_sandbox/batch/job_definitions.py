"""Batch's operations on job definitions."""

from model_sandbox.batch import rules
from model_sandbox.batch.rules import refuse
from model_sandbox.batch.state import Record, State, named
from model_sandbox.propagation import check_passed
from model_sandbox.upstream import Upstream


class JobDefinitions:
    def __init__(self, state: State, upstream: Upstream) -> None:
        self._state, self._upstream = state, upstream

    def register_job_definition(self, request: Record) -> Record:
        name = named(request, "jobDefinitionName")
        if request.get("type") != "container":
            raise refuse("The sandbox runs job definitions of type container only")
        container = dict(request.get("containerProperties") or {})
        if not container.get("image"):
            raise refuse("Error executing request, Exception : Container properties should have an image.")
        rules.check_definition(request)
        check_passed(self._upstream, container.get("executionRoleArn"), container.get("jobRoleArn"))
        with self._state.lock:
            prefix = f"{self._state.arn('job-definition', name)}:"
            revision = 1 + sum(arn.startswith(prefix) for arn in self._state.definitions)
            kept = ("parameters", "retryStrategy", "timeout", "propagateTags", "schedulingPriority")
            self._state.definitions[f"{prefix}{revision}"] = {
                "jobDefinitionName": name,
                "jobDefinitionArn": f"{prefix}{revision}",
                "revision": revision,
                "status": "ACTIVE",
                "type": "container",
                "containerProperties": _with_defaults(container),
                "platformCapabilities": request.get("platformCapabilities", ["EC2"]),
                "containerOrchestrationType": "ECS",
                "parameters": {},
                "tags": request.get("tags", {}),
                **{key: request[key] for key in kept if key in request},
            }
        return {"jobDefinitionName": name, "jobDefinitionArn": f"{prefix}{revision}", "revision": revision}

    def deregister_job_definition(self, request: Record) -> Record:
        if found := self.find(request.get("jobDefinition", "")):
            found["status"] = "INACTIVE"
        return {}

    def describe_job_definitions(self, request: Record) -> Record:
        """Answer newest revision first."""
        wanted, name, status = request.get("jobDefinitions"), request.get("jobDefinitionName"), request.get("status")
        with self._state.lock:
            prefix = self._state.arn("job-definition", "")
            mine = [d for arn, d in self._state.definitions.items() if arn.startswith(prefix)]
        if wanted:
            mine = [d for d in mine if {d["jobDefinitionArn"], _short(d)} & set(wanted)]
        if name:
            mine = [d for d in mine if d["jobDefinitionName"] == name]
        if status:
            mine = [d for d in mine if d["status"] == status]
        return {"jobDefinitions": sorted(mine, key=lambda d: int(d["revision"]), reverse=True)}

    def find(self, reference: str) -> Record | None:
        """Find by ARN, name:revision, or name (newest active)."""
        tail = reference.rsplit("/", 1)[-1]
        with self._state.lock:
            mine = [
                d for a, d in self._state.definitions.items() if a.startswith(self._state.arn("job-definition", ""))
            ]
        active = [d for d in mine if d["status"] == "ACTIVE" and tail in (_short(d), d["jobDefinitionName"])]
        return max(active, key=lambda d: int(d["revision"]), default=None)


def _short(definition: Record) -> str:
    return f"{definition['jobDefinitionName']}:{definition['revision']}"


def _with_defaults(container: Record) -> Record:
    # AWS shows these even if they were not given.
    empty: Record = {
        "command": [],
        "volumes": [],
        "environment": [],
        "mountPoints": [],
        "ulimits": [],
        "resourceRequirements": [],
        "secrets": [],
    }
    return {**empty, **container}
