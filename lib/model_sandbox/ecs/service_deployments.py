"""The operations that show service deployments and service revisions."""

from typing import Any

from model_sandbox.ecs import shapes
from model_sandbox.ecs.state import MISSING, State


class ServiceDeployments:
    """Shows what the scheduler has written down."""

    def __init__(self, state: State) -> None:
        self._state = state

    def list_service_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListServiceDeployments, newest first."""
        service, wanted = self._state.service(request), request.get("status") or []
        with self._state.lock:
            shown = [
                shapes.service_deployment_brief(service, r) for r in service.records if not wanted or r.status in wanted
            ]
        return shapes.page(shown, "serviceDeployments", request, 20)

    def describe_service_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeServiceDeployments."""
        with self._state.lock:
            known = {r.arn: (s, r) for s in self._state.services.values() for r in s.records}
            wanted = request.get("serviceDeploymentArns", [])
            shown = [known[arn] for arn in wanted if arn in known]
            found = [shapes.service_deployment(s, r, self._state.tasks_of(s)) for s, r in shown]
        return {
            "serviceDeployments": found,
            "failures": [{"arn": arn, **MISSING} for arn in wanted if arn not in known],
        }

    def describe_service_revisions(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeServiceRevisions."""
        with self._state.lock:
            known = {r.arn: (s, r) for s in self._state.services.values() for r in s.revisions}
        wanted = request.get("serviceRevisionArns", [])
        found = [shapes.service_revision(*known[arn]) for arn in wanted if arn in known]
        return {"serviceRevisions": found, "failures": [{"arn": a, **MISSING} for a in wanted if a not in known]}
