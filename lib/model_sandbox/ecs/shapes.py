"""ECS services, deployments and revisions as JSON."""

from typing import Any

from model_sandbox.ecs.course import Course, Hook
from model_sandbox.ecs.service import Deployment, Revision, Service, ServiceDeployment
from model_sandbox.ecs.service_rules import controller_of
from model_sandbox.ecs.strategy import ROLLING, kind_of
from model_sandbox.ecs.task import Task


def running(tasks: list[Task]) -> int:
    return sum(task.last_status == "RUNNING" for task in tasks)


def pending(tasks: list[Task]) -> int:
    return sum(task.last_status in ("PROVISIONING", "PENDING", "ACTIVATING") for task in tasks)


def service(shown: Service, tasks: list[Task], tags: list[dict[str, str]] | None) -> dict[str, Any]:
    """Return a service as shown; `tags` None: not asked for."""
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
        **capacity(shown, revision),
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


def capacity(of: Service, revision: Revision) -> dict[str, Any]:
    """Return what the tasks run on: a launch type, or capacity providers."""
    providers = of.settings.get("capacityProviderStrategy")
    return {"capacityProviderStrategy": providers} if providers else {"launchType": revision.launch_type}


def _task_set(of: Service, revision: Revision) -> dict[str, Any]:
    return {
        "id": of.primary.identity,
        "status": "PRIMARY",
        "taskDefinition": revision.task_definition["taskDefinitionArn"],
        "scale": {"value": 100.0, "unit": "PERCENT"},
    }


def deployment(of: Service, shown: Deployment, tasks: list[Task]) -> dict[str, Any]:
    mine = [task for task in tasks if task.deployment == shown.identity]
    is_rolling = kind_of(of.configuration) == ROLLING
    # Who asks for it under another strategy is told nothing: ECS documents it for rolling updates alone.
    rollout = {"rolloutState": shown.state, "rolloutStateReason": shown.reason} if is_rolling else {}
    return {
        "id": shown.identity,
        "status": shown.status,
        "taskDefinition": shown.revision.task_definition["taskDefinitionArn"],
        "desiredCount": _requested(of, shown),
        "runningCount": running(mine),
        "pendingCount": pending(mine),
        "failedTasks": shown.failed_tasks,
        "createdAt": shown.created_at,
        "updatedAt": shown.updated_at,
        **capacity(of, shown.revision),
        "platformVersion": "1.4.0",
        "networkConfiguration": shown.revision.network_configuration,
        **rollout,
    }


def _requested(of: Service, shown: Deployment) -> int:
    course = of.records[0].shifting
    if course is None:
        return of.desired if shown.status == "PRIMARY" and shown.state != "FAILED" else 0
    is_green = shown.revision is of.records[0].target
    is_early = is_green and course.stage in ("", "RECONCILE_SERVICE", "PRE_SCALE_UP")
    is_leaving = course.stage == "CLEAN_UP" and is_green == course.is_back
    return 0 if is_early or is_leaving else of.desired


def service_deployment_brief(of: Service, shown: ServiceDeployment) -> dict[str, Any]:
    """Return an item of ListServiceDeployments."""
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
    """Return an item of DescribeServiceDeployments."""
    brief = service_deployment_brief(of, shown)
    del brief["targetServiceRevisionArn"]
    breaker = {"status": shown.breaker, "failureCount": shown.failures, "threshold": of.threshold()}
    course = shown.course
    share, test = (course.production, course.test) if course else (0.0, 0.0)
    sources = [revision_brief(of, revision, tasks) for revision in shown.sources]
    return brief | _without_empty(
        {
            "updatedAt": shown.updated_at,
            "sourceServiceRevisions": [one | _weights(course, 100.0 - share, 0.0) for one in sources],
            "targetServiceRevision": revision_brief(of, shown.target, tasks) | _weights(course, share, test),
            "deploymentConfiguration": shown.configuration,
            "deploymentCircuitBreaker": breaker,
            "alarms": _alarms(shown),
            "rollback": shown.rollback,
            "lifecycleStage": course.stage if course else "",
            "lifecycleHookDetails": [_hook(hook) for hook in course.hooks] if course else None,
        }
    )


def _weights(course: Course | None, production: float, test: float) -> dict[str, float]:
    if course is None:
        return {}
    return {"requestedProductionTrafficWeight": production, "requestedTestTrafficWeight": test}


def _hook(shown: Hook) -> dict[str, Any]:
    return {
        "hookId": shown.identity,
        "targetType": "PAUSE",
        "status": shown.status,
        "expiresAt": shown.expires_at,
        "timeoutAction": shown.action,
    }


def _alarms(shown: ServiceDeployment) -> dict[str, Any]:
    alarms = shown.alarms
    if not alarms.names:
        return {"status": "DISABLED"}
    going_on = "MONITORING" if shown.finished_at is None else "MONITORING_COMPLETE"
    return {
        "status": "TRIGGERED" if alarms.triggered else going_on,
        "alarmNames": list(alarms.names),
        "triggeredAlarmNames": sorted(alarms.triggered),
    }


def revision_brief(of: Service, shown: Revision, tasks: list[Task]) -> dict[str, Any]:
    identities = {one.identity for one in of.deployments if one.revision is shown}
    mine = [task for task in tasks if task.deployment in identities]
    return {
        "arn": shown.arn,
        "requestedTaskCount": sum(_requested(of, one) for one in of.deployments if one.revision is shown),
        "runningTaskCount": running(mine),
        "pendingTaskCount": pending(mine),
    }


def service_revision(of: Service, shown: Revision) -> dict[str, Any]:
    """Return an item of DescribeServiceRevisions."""
    containers = shown.task_definition["containerDefinitions"]
    return {
        "serviceRevisionArn": shown.arn,
        "serviceArn": of.arn,
        "clusterArn": of.cluster_arn,
        "taskDefinition": shown.task_definition["taskDefinitionArn"],
        **capacity(of, shown),
        "platformVersion": "1.4.0",
        "networkConfiguration": shown.network_configuration,
        "loadBalancers": list(shown.load_balancers),
        "resolvedConfiguration": {"loadBalancers": _resolved(of, shown)},
        "containerImages": [{"containerName": c["name"], "image": c["image"]} for c in containers],
        "createdAt": shown.created_at,
    }


def _resolved(of: Service, shown: Revision) -> list[dict[str, str]]:
    both = zip(of.groups_of(shown), shown.load_balancers, strict=True)
    advanced = [(group, balancer.get("advancedConfiguration") or {}) for group, balancer in both]
    return [
        _without_empty({"targetGroupArn": group, "productionListenerRule": more.get("productionListenerRule", "")})
        for group, more in advanced
    ]


def page(items: list[Any], name: str, request: dict[str, Any], size: int) -> dict[str, Any]:
    start, count = int(request.get("nextToken") or 0), int(request.get("maxResults") or size)
    rest = {"nextToken": str(start + count)} if start + count < len(items) else {}
    return {name: items[start : start + count], **rest}


def _without_empty(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if value not in ("", None, {})}
