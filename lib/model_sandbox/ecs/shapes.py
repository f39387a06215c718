"""ECS services, deployments and revisions as JSON: records in, JSON out."""

from typing import Any

from model_sandbox.ecs.service import Deployment, Revision, Service, ServiceDeployment
from model_sandbox.ecs.service_rules import controller_of
from model_sandbox.ecs.task import Task


def running(tasks: list[Task]) -> int:
    """Count the running tasks."""
    return sum(task.last_status == "RUNNING" for task in tasks)


def pending(tasks: list[Task]) -> int:
    """Count the tasks on their way up."""
    return sum(task.last_status in ("PROVISIONING", "PENDING", "ACTIVATING") for task in tasks)


def service(shown: Service, tasks: list[Task], tags: list[dict[str, str]] | None) -> dict[str, Any]:
    """Return a service as DescribeServices shows it; `tags` None: not asked for."""
    revision = shown.primary.revision
    is_of_ecs = controller_of(shown.settings) == "ECS"
    return {
        "serviceArn": shown.arn,
        "serviceName": shown.name,
        "clusterArn": shown.cluster_arn,
        "status": shown.status,
        "desiredCount": shown.desired,
        "runningCount": running(tasks),
        "pendingCount": pending(tasks),
        "taskDefinition": revision.task_definition["taskDefinitionArn"],
        "launchType": revision.launch_type,
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "networkConfiguration": revision.network_configuration,
        "loadBalancers": list(revision.load_balancers),
        "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100} | shown.configuration,
        "deploymentController": {"type": "ECS"},
        "schedulingStrategy": "REPLICA",
        "deployments": [deployment(shown, one, tasks) for one in shown.deployments] if is_of_ecs else [],
        **({} if is_of_ecs else {"taskSets": [_task_set(shown, revision)]}),
        "events": list(shown.events),
        "createdAt": shown.created_at,
        "currentServiceDeployment": shown.records[0].arn,
        "currentServiceRevisions": [revision_brief(shown, one.revision, tasks) for one in shown.deployments],
        **shown.settings,
        **({} if tags is None else {"tags": tags}),
    }


def _task_set(of: Service, revision: Revision) -> dict[str, Any]:
    """Return what stands in the place of deployments where others than ECS deploy."""
    return {
        "id": of.primary.identity,
        "status": "PRIMARY",
        "taskDefinition": revision.task_definition["taskDefinitionArn"],
        "scale": {"value": 100.0, "unit": "PERCENT"},
    }


def deployment(of: Service, shown: Deployment, tasks: list[Task]) -> dict[str, Any]:
    """Return a deployment as DescribeServices shows it."""
    mine = [task for task in tasks if task.deployment == shown.identity]
    is_wanted = shown.status == "PRIMARY" and shown.state != "FAILED"
    return {
        "id": shown.identity,
        "status": shown.status,
        "taskDefinition": shown.revision.task_definition["taskDefinitionArn"],
        "desiredCount": of.desired if is_wanted else 0,
        "runningCount": running(mine),
        "pendingCount": pending(mine),
        "failedTasks": shown.failed_tasks,
        "createdAt": shown.created_at,
        "updatedAt": shown.updated_at,
        "launchType": shown.revision.launch_type,
        "platformVersion": "1.4.0",
        "networkConfiguration": shown.revision.network_configuration,
        "rolloutState": shown.state,
        "rolloutStateReason": shown.reason,
    }


def service_deployment_brief(of: Service, shown: ServiceDeployment) -> dict[str, Any]:
    """Return a service deployment as ListServiceDeployments shows it."""
    return _without_empty(
        {
            "serviceDeploymentArn": shown.arn,
            "serviceArn": of.arn,
            "clusterArn": of.cluster_arn,
            "createdAt": shown.created_at,
            "startedAt": shown.created_at,
            "finishedAt": shown.finished_at,
            "targetServiceRevisionArn": shown.target.arn,
            "status": shown.status,
            "statusReason": shown.status_reason,
        }
    )


def service_deployment(of: Service, shown: ServiceDeployment, tasks: list[Task]) -> dict[str, Any]:
    """Return a service deployment as DescribeServiceDeployments shows it."""
    brief = service_deployment_brief(of, shown)
    del brief["targetServiceRevisionArn"]
    breaker = {"status": shown.breaker, "failureCount": shown.failures, "threshold": of.threshold()}
    return brief | _without_empty(
        {
            "updatedAt": shown.updated_at,
            "sourceServiceRevisions": [revision_brief(of, revision, tasks) for revision in shown.sources],
            "targetServiceRevision": revision_brief(of, shown.target, tasks),
            "deploymentConfiguration": of.configuration,
            "deploymentCircuitBreaker": breaker,
            "rollback": shown.rollback,
        }
    )


def revision_brief(of: Service, shown: Revision, tasks: list[Task]) -> dict[str, Any]:
    """Return a service revision with its current number of tasks."""
    identities = {one.identity for one in of.deployments if one.revision is shown}
    mine = [task for task in tasks if task.deployment in identities]
    return {
        "arn": shown.arn,
        "requestedTaskCount": of.desired if of.primary.revision is shown else 0,
        "runningTaskCount": running(mine),
        "pendingTaskCount": pending(mine),
    }


def service_revision(of: Service, shown: Revision) -> dict[str, Any]:
    """Return a service revision as DescribeServiceRevisions shows it."""
    containers = shown.task_definition["containerDefinitions"]
    return {
        "serviceRevisionArn": shown.arn,
        "serviceArn": of.arn,
        "clusterArn": of.cluster_arn,
        "taskDefinition": shown.task_definition["taskDefinitionArn"],
        "launchType": shown.launch_type,
        "platformVersion": "1.4.0",
        "networkConfiguration": shown.network_configuration,
        "containerImages": [{"containerName": c["name"], "image": c["image"]} for c in containers],
        "createdAt": shown.created_at,
    }


def page(items: list[Any], name: str, request: dict[str, Any], size: int) -> dict[str, Any]:
    """Return one page of a list, `size` long unless the request says otherwise."""
    start, count = int(request.get("nextToken") or 0), int(request.get("maxResults") or size)
    rest = {"nextToken": str(start + count)} if start + count < len(items) else {}
    return {name: items[start : start + count], **rest}


def _without_empty(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if value not in ("", None, {})}
