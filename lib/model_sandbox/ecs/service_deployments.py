"""The operations on service deployments and service revisions.

Source of the refusals: developer guide, "Troubleshooting Amazon ECS blue/green deployments" and "Stopping Amazon ECS
service deployments"; API reference, `ContinueServiceDeployment`, `StopServiceDeployment`.
"""

import re
from typing import Any

from model_sandbox.api import ApiError
from model_sandbox.ecs import shapes
from model_sandbox.ecs.service import ServiceDeployment
from model_sandbox.ecs.state import MISSING, State
from model_sandbox.ecs.strategy import refuse
from model_sandbox.ecs.traffic import ROLLED_BACK

_HOOK = re.compile(r"ecs-[a-z]+-[A-Za-z0-9_-]+")


class ServiceDeployments:
    """Shows the scheduler's records, and instructs it."""

    def __init__(self, state: State) -> None:
        self._state = state

    def list_service_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        """List them, newest first."""
        service, wanted = self._state.service(request), request.get("status") or []
        with self._state.lock:
            shown = [
                shapes.service_deployment_brief(service, r) for r in service.records if not wanted or r.status in wanted
            ]
        return shapes.page(shown, "serviceDeployments", request, 20)

    def describe_service_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
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
        with self._state.lock:
            known = {r.arn: (s, r) for s in self._state.services.values() for r in s.revisions}
        wanted = request.get("serviceRevisionArns", [])
        found = [shapes.service_revision(*known[arn]) for arn in wanted if arn in known]
        return {"serviceRevisions": found, "failures": [{"arn": a, **MISSING} for a in wanted if a not in known]}

    def continue_service_deployment(self, request: dict[str, Any]) -> dict[str, Any]:
        """End a waiting hook; its deployment goes on or back."""
        identity, action = str(request.get("hookId", "")), request.get("action") or "CONTINUE"
        if not _HOOK.fullmatch(identity):
            raise refuse("Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}")
        if action not in ("CONTINUE", "ROLLBACK"):
            raise refuse("Invalid action. Valid values are: CONTINUE, ROLLBACK")
        with self._state.lock:
            record = self._record(request)
            if record.finished_at is not None:
                message = "Continuing a service deployment is not allowed for service deployment in terminal states."
                raise refuse(message)
            hooks = record.course.hooks if record.course else []
            hook = next((each for each in hooks if each.identity == identity and each.waits), None)
            if hook is None or record.status != "IN_PROGRESS" or self._state.clock() >= hook.expires_at:
                message = (
                    "Provided hookId is either completed, unavailable, or not associated with the given Resource ARN"
                )
                raise refuse(message)
            hook.status = "SUCCEEDED" if action == "CONTINUE" else "FAILED"
            if action == "ROLLBACK":
                record.cause = f"{ROLLED_BACK} {hook.stage} lifecycle hook(s) failed."
        self._state.wake.set()
        return {"serviceDeploymentArn": record.arn}

    def stop_service_deployment(self, request: dict[str, Any]) -> dict[str, Any]:
        """Let a deployment go back, also if configured without rollback."""
        if request.get("stopType", "ROLLBACK") != "ROLLBACK":
            raise refuse("Invalid stopType. Valid values are: ROLLBACK")
        with self._state.lock:
            record = self._record(request)
            if record.finished_at is not None:
                raise ApiError("ConflictException", f"The service deployment is {record.status} and cannot be stopped.")
            if record.status == "IN_PROGRESS":
                record.status = "ROLLBACK_REQUESTED"
                record.cause = record.cause or f"{ROLLED_BACK} it was stopped by StopServiceDeployment."
        self._state.wake.set()
        return {"serviceDeploymentArn": record.arn}

    def _record(self, request: dict[str, Any]) -> ServiceDeployment:
        scope, arn = self._state.upstream.scope(), request.get("serviceDeploymentArn", "")
        for service in self._state.services.values():
            for record in service.records if service.scope == scope else ():
                if record.arn == arn:
                    return record
        raise ApiError("ServiceDeploymentNotFoundException", "The service deployment does not exist.")
