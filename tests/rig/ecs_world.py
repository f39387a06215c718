"""The state behind the simulator of ECS: one service, whose deployments end as their stories say.

What a service and its tasks look like is the sandbox's (`model_sandbox.ecs`): its records, and its answers made of
them. Its scheduler is not used, because it does only what a healthy ECS does with containers. Most stories are what it
never does: a rollback that is announced and does not begin, or fails; a deployment that readers see late; tasks that
drain for minutes; a hook that waits; somebody else who stops, deletes or deploys at a given second.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tests.rig.ecs_stories import NEVER, Course, Story

from model_sandbox.ecs import shapes
from model_sandbox.ecs.service import Deployment, Revision, Service, ServiceDeployment
from model_sandbox.ecs.task import Task
from model_sandbox.network import AwsVpc
from model_sandbox.tokens import Scope

SCOPE = Scope("123456789012", "us-east-1")
_ARN = "arn:aws:ecs:us-east-1:123456789012"
CLUSTER = "c"
CLUSTER_ARN = f"{_ARN}:cluster/{CLUSTER}"
SERVICE_ARN = f"{_ARN}:service/{CLUSTER}/iris"


class Refused(Exception):  # noqa: N818 - it is AWS that refuses, by script
    """AWS answers with an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass
class World:
    """One account, as far as a rollout looks at it."""

    stories: list[Story]
    begin: datetime
    running: str | None
    deployments: list[Course] = field(default_factory=list)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    traffic: dict[str, Any] = field(default_factory=lambda: {"loadBalancers": [], "healthCheckGracePeriodSeconds": 0})
    clusters: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {CLUSTER: []})  # their tags
    definition_tags: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    interface: str = "eni-0123456789abcdef0"  # of every running task

    def __post_init__(self) -> None:
        for name in ("iris:1", "iris:99"):
            self._define({"family": "iris", "containerDefinitions": [_container()]}, name)
            self.definition_tags[name] = [{"key": "model-dockerize", "value": "task-definition"}]
        if self.running:
            self.deployments.append(Course(1, self.running, -1000, Story(steady=0, runs=0)))
            self.tags["model-dockerize"] = "service"

    def count_deployments(self) -> int:
        """Return how many deployments there were, those that ECS began by itself too."""
        return len(self.deployments)

    def answer(self, operation: str, asked: dict[str, Any], now: float) -> dict[str, Any]:
        """Return the parsed answer of AWS to one call."""
        self._pass(now)
        answers: dict[str, Callable[[dict[str, Any], float], dict[str, Any]]] = {
            "CreateService": self._update,
            "UpdateService": self._update,
            "DescribeServices": self._describe_services,
            "ListServiceDeployments": self._list_service_deployments,
            "DescribeServiceDeployments": self._describe_service_deployments,
            "DescribeServiceRevisions": self._describe_service_revisions,
            "ListTasks": self._list_tasks,
            "DescribeTasks": self._describe_tasks,
            "RegisterTaskDefinition": self._register,
            "DeregisterTaskDefinition": self._deregister,
            "DeleteTaskDefinitions": self._delete_definitions,
            "DescribeTaskDefinition": self._describe_definition,
            "ListTaskDefinitions": self._list_definitions,
            "ListTaskDefinitionFamilies": self._list_families,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "DeleteService": self._delete_service,
            "CreateCluster": self._create_cluster,
            "DeleteCluster": self._delete_cluster,
            "DescribeClusters": self._describe_clusters,
            "ListClusters": self._list_clusters,
            "ListServices": self._list_services,
            "GetLogEvents": self._log_events,
        }
        if operation not in answers:
            raise Refused("InvalidAction", f"the simulator has no {operation}")
        return answers[operation](asked, now)

    # What happens by itself

    def _pass(self, now: float) -> None:
        """Let everything happen that the stories say for the time up to `now`."""
        if not self.deployments:
            return
        last = self.deployments[-1]
        story, age = last.story, last.since(now)
        if age >= story.superseded:
            self._replace("iris:99", last.begun + story.superseded, Story(steady=30), "other")
        elif age >= story.fails + 0.5 and (story.back < NEVER or story.back_fails < NEVER):
            former = self._former(last)
            if former:
                begun = last.begun + story.fails + 0.5
                going = Story(
                    steady=story.back - story.fails - 0.5,
                    runs=0 if story.back < NEVER else NEVER,
                    fails=story.back_fails - story.fails - 0.5,
                )
                self._replace(former.definition, begun, going, "rollback")

    def _replace(self, definition: str, now: float, story: Story, kind: str) -> None:
        desired = self.deployments[-1].desired if self.deployments else 1
        if self.deployments:
            self.deployments[-1] = replace(self.deployments[-1], replaced=now)
        self.deployments.append(Course(len(self.deployments) + 1, definition, now, story, kind, desired))

    def _former(self, of: Course) -> Course | None:
        """Return the last one before `of` that was complete."""
        good = [d for d in self.deployments if d.number < of.number and d.state(of.begun) == "COMPLETED"]
        return good[-1] if good else None

    # Clusters

    def _create_cluster(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        self.clusters[asked["clusterName"]] = asked.get("tags", [])
        return {"cluster": self._cluster(asked["clusterName"])}

    def _describe_clusters(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        there = [name for name in asked["clusters"] if name in self.clusters]
        found = [{**self._cluster(name), "tags": self.clusters[name]} for name in there]
        return {"clusters": found, "failures": []}

    def _cluster(self, name: str) -> dict[str, Any]:
        return {"clusterName": name, "clusterArn": f"{_ARN}:cluster/{name}", "status": "ACTIVE"}

    def _list_clusters(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        return {"clusterArns": [f"{_ARN}:cluster/{name}" for name in self.clusters]}

    def _delete_cluster(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        if self.deployments:
            raise Refused("ClusterContainsServicesException", "The cluster has services.")
        self.clusters.pop(asked["cluster"], None)
        return {"cluster": {"clusterName": asked["cluster"], "status": "INACTIVE"}}

    # Services

    def _shown(self, now: float) -> list[Course]:
        """Return the deployments as DescribeServices lists them: newest first, the former until it is drained."""
        seen = [d for d in self.deployments if d.since(now) >= d.story.visible]
        if not seen:
            return []
        primary = seen[-1]
        shown = [primary]
        over = primary.since(now) >= primary.story.steady + primary.story.drained
        if primary.kind == "rollback" and not over:
            shown.append(seen[-2])
        former = self._former(primary)
        if former and not over and primary.story.runs < NEVER:
            shown.append(former)
        return shown

    def _describe_services(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        shown = self._shown(now)
        if not shown or asked["services"][0].rsplit("/", 1)[-1] != "iris":
            return {"services": [], "failures": [{"arn": SERVICE_ARN, "reason": "MISSING"}]}
        return {"services": [self._service(shown, now, "TAGS" in asked.get("include", []))], "failures": []}

    def _list_services(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        is_there = self._shown(now) and asked["cluster"].rsplit("/", 1)[-1] == CLUSTER
        return {"serviceArns": [SERVICE_ARN] if is_there else []}

    def _service(self, shown: list[Course], now: float, with_tags: bool = False) -> dict[str, Any]:
        tags = [{"key": k, "value": v} for k, v in self.tags.items()] if with_tags else None
        return shapes.service(self._records(shown, now), self._tasks(now), tags)

    def _records(self, shown: list[Course], now: float) -> Service:
        """Return the service as the sandbox keeps it, in the state that the stories say."""
        service = Service(SCOPE, SERVICE_ARN, "iris", CLUSTER_ARN, shown[0].desired, self._at(0))
        service.configuration = self.configuration
        service.settings = {"enableExecuteCommand": False, "propagateTags": "SERVICE", **self.traffic}
        if shown[0].since(now) >= shown[0].story.deleted:
            service.status = "DRAINING"
        records = {d.number: self._record(d, now) for d in self.deployments if d.kind != "rollback"}
        service.records = [records[number] for number in sorted(records, reverse=True)]
        for d in shown:
            of = d.number - 1 if d.kind == "rollback" else d.number
            service.deployments.append(self._deployment(d, records[of], now, d is shown[0]))
        service.events = self._events(now)
        return service

    def _deployment(self, d: Course, record: ServiceDeployment, now: float, is_primary: bool) -> Deployment:
        state = d.state(now)
        reasons = {
            "FAILED": "ECS deployment circuit breaker: tasks failed to start.",
            "COMPLETED": f"ECS deployment ecs-svc/{d.number} completed.",
            "IN_PROGRESS": f"ECS deployment ecs-svc/{d.number} in progress.",
        }
        reason = reasons[state]
        if d.kind == "rollback" and state != "COMPLETED":
            reason = f"ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/{d.number}."
        return Deployment(
            self._revision(d),
            record,
            self._at(d.begun),
            identity=f"ecs-svc/{d.number}",
            status="PRIMARY" if is_primary else "ACTIVE",
            state=state,
            reason=reason,
            failed_tasks=d.deaths(now),
        )

    def _revision(self, d: Course) -> Revision:
        balancers = tuple(self.traffic["loadBalancers"])
        definition = self.definitions[d.definition]
        return Revision(self._revision_arn(d), definition, self.network, "FARGATE", self._at(d.begun), balancers)

    def _events(self, now: float) -> list[dict[str, Any]]:
        said = []
        for d in self.deployments:
            died = [(at, "(service iris) (task t) failed container health checks.") for at in d.story.dies]
            for at, text in (
                (d.story.runs, f"(service iris) has started 1 tasks: (task {d.number})."),
                *died,
                (d.story.fails, f"(service iris) (deployment ecs-svc/{d.number}) deployment failed: tasks failed."),
                (d.story.steady, "(service iris) has reached a steady state."),
            ):
                if at <= d.since(min(now, d.replaced)):
                    moment = d.begun + at
                    said.append({"id": f"{d.number}-{at}", "createdAt": self._at(moment), "message": text})
        return sorted(said, key=lambda e: -float(str(e["createdAt"])))

    def _update(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        if not self.deployments and "service" in asked:
            raise Refused("ServiceNotFoundException", "Service not found.")
        self.configuration = asked.get("deploymentConfiguration", self.configuration)
        self.network = asked.get("networkConfiguration", self.network)
        self.traffic |= {key: asked[key] for key in self.traffic.keys() & asked.keys()}
        self.tags |= {t["key"]: t["value"] for t in asked.get("tags", [])}
        last = self.deployments[-1] if self.deployments else None
        definition = asked.get("taskDefinition", last.definition if last else "iris:1").rsplit("/", 1)[-1]
        if last is None or definition != last.definition or asked.get("forceNewDeployment"):
            self._replace(definition, now, self.stories.pop(0) if self.stories else Story(steady=5), "asked")
        if "desiredCount" in asked:
            self.deployments[-1] = replace(self.deployments[-1], desired=asked["desiredCount"])
        return {"service": self._service([self.deployments[-1], *self._shown(now)[1:]], now)}

    def _delete_service(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        if not self.deployments:
            raise Refused("ServiceNotFoundException", "Service not found.")
        gone = self._service(self._shown(now), now)
        self.deployments.clear()
        return {"service": gone}

    def _tag(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        self.tags |= {t["key"]: t["value"] for t in asked["tags"]}
        return {}

    def _untag(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        self.tags = {k: v for k, v in self.tags.items() if k not in asked["tagKeys"]}
        return {}

    # Service deployments

    def _status(self, d: Course, now: float) -> str:
        story, age = d.story, d.since(now)
        if age >= story.stopped or (d.replaced <= now and not self._rolled_back(d) and d.state(now) != "COMPLETED"):
            return "STOPPED"
        if age >= story.fails:
            if story.back == story.back_fails == NEVER:
                return "STOPPED"
            if age >= story.back_fails:
                return "ROLLBACK_FAILED"
            return "ROLLBACK_SUCCESSFUL" if age >= story.back else "ROLLBACK_IN_PROGRESS"
        return "SUCCESSFUL" if age >= story.steady else "IN_PROGRESS"

    def _rolled_back(self, d: Course) -> bool:
        return any(n.kind == "rollback" and n.number == d.number + 1 for n in self.deployments)

    def _record(self, d: Course, now: float) -> ServiceDeployment:
        arn = f"{_ARN}:service-deployment/{CLUSTER}/iris/sd{d.number}"
        reason = "The circuit breaker threshold was exceeded." if d.since(now) >= d.story.fails else ""
        return ServiceDeployment(
            arn,
            self._revision(d),
            (),
            self._at(d.begun),
            status=self._status(d, now),
            status_reason=reason,
            updated_at=self._at(d.begun),
            failures=d.deaths(now),
        )

    def _list_service_deployments(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        if not self.deployments:
            return {"serviceDeployments": []}
        service, wanted = self._records([self.deployments[-1]], now), asked.get("status")
        found = [record for record in service.records if not wanted or record.status in wanted]
        return {"serviceDeployments": [shapes.service_deployment_brief(service, record) for record in found]}

    def _describe_service_deployments(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        service, tasks, found = self._records([self.deployments[-1]], now), self._tasks(now), []
        for arn in asked["serviceDeploymentArns"]:
            d = self.deployments[int(arn.rsplit("/sd", 1)[-1]) - 1]
            record = next(one for one in service.records if one.arn == arn)
            said = shapes.service_deployment(service, record, tasks) | {"lifecycleStage": "SCALE_UP"}
            if d.since(now) >= d.story.paused:
                hook = {"hookId": "hook-1", "targetType": "PAUSE", "status": "AWAITING_ACTION"}
                said |= {"lifecycleHookDetails": [hook], "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT"}
            found.append(said)
        return {"serviceDeployments": found, "failures": []}

    def _describe_service_revisions(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        service = self._records([self.deployments[-1]], now)
        named = (self.deployments[int(arn.rsplit("/", 1)[-1]) - 1] for arn in asked["serviceRevisionArns"])
        return {
            "serviceRevisions": [shapes.service_revision(service, self._revision(d)) for d in named],
            "failures": [],
        }

    # Tasks

    def _tasks(self, now: float) -> list[Task]:
        tasks = []
        shown = self._shown(now)
        for d in self.deployments:
            for number in range(d.deaths(now)):
                dead = self._task(d, f"dead{d.number}{number}", "STOPPED", stoppedAt=d.story.dies[number])
                dead.request_stop("EssentialContainerExited", "Essential container exited")
                dead.times.pop("stoppingAt")
                dead.containers[0].exit_code = d.story.exit_code
                tasks.append(dead)
            if d in shown and d.running(now):
                tasks.append(self._task(d, f"task{d.number}", "RUNNING", startedAt=d.story.runs))
            elif d is shown[0] and d.state(now) == "IN_PROGRESS" and d.desired:
                tasks.append(self._task(d, f"next{d.number}", "PENDING"))
        return tasks

    def _task(self, d: Course, identity: str, status: str, **times: float) -> Task:
        task = Task(
            SCOPE,
            CLUSTER_ARN,
            self.definitions[d.definition],
            AwsVpc((), (), public_address=True),
            "FARGATE",
            "service:iris",
            started_by=f"ecs-svc/{d.number}",
            deployment=f"ecs-svc/{d.number}",
            created_at=self._at(d.begun),
            identity=identity,
            last_status=status,
            times={name: self._at(d.begun + at) for name, at in times.items()},
            interface={"networkInterfaceId": self.interface} if status == "RUNNING" else {},
        )
        task.containers[0].status = status
        return task

    def _list_tasks(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        wanted = asked.get("desiredStatus", "RUNNING")
        if asked.get("cluster", CLUSTER).rsplit("/", 1)[-1] != CLUSTER or not self.deployments:
            return {"taskArns": []}
        return {"taskArns": [task.arn for task in self._tasks(now) if task.desired_status == wanted]}

    def _describe_tasks(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        tasks = {task.arn: task for task in self._tasks(now)} if self.deployments else {}
        return {"tasks": [tasks[arn].describe() for arn in asked["tasks"] if arn in tasks], "failures": []}

    def _log_events(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        for d in self.deployments:
            if f"/dead{d.number}" in asked["logStreamName"]:
                return {"events": [{"message": line} for line in d.story.log]}
        raise Refused("ResourceNotFoundException", "The specified log stream does not exist.")

    # Task definitions

    def _register(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        family = asked["family"]
        revisions = [int(n.split(":")[1]) for n in self.definitions if n.startswith(f"{family}:") and n != "iris:99"]
        made = {k: v for k, v in asked.items() if k != "tags"}
        name = f"{family}:{max(revisions, default=0) + 1}"
        self.definition_tags[name] = asked.get("tags", [])
        return {"taskDefinition": self._define(made, name)}

    def _define(self, made: dict[str, Any], name: str) -> dict[str, Any]:
        facts = {"taskDefinitionArn": self._definition_arn(name), "revision": int(name.split(":")[1])}
        self.definitions[name] = {"volumes": [], **made, **facts, "status": "ACTIVE"}
        return self.definitions[name]

    def _describe_definition(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        name = asked["taskDefinition"].rsplit("/", 1)[-1]
        if ":" not in name:
            active = (n for n, d in self.definitions.items() if d["status"] == "ACTIVE" and n != "iris:99")
            known = [n for n in active if n.startswith(f"{name}:")]
            name = max(known, key=lambda n: int(n.split(":")[1]), default=name)
        if name not in self.definitions:
            raise Refused("ClientException", "Unable to describe task definition.")
        return {"taskDefinition": self.definitions[name], "tags": self.definition_tags.get(name, [])}

    def _deregister(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        found = self._describe_definition(asked, now)["taskDefinition"]
        if found["status"] != "ACTIVE":
            raise Refused("ClientException", "The specified task definition is not active.")
        found["status"] = "INACTIVE"
        return {"taskDefinition": found}

    def _delete_definitions(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        """Turn INACTIVE into DELETE_IN_PROGRESS at once; it can be described until nothing refers to it."""
        found = {
            a: self._describe_definition({"taskDefinition": a}, now)["taskDefinition"] for a in asked["taskDefinitions"]
        }
        failures = [
            {"arn": arn, "reason": "The specified task definition is still in ACTIVE status."}
            for arn, definition in found.items()
            if definition["status"] == "ACTIVE"
        ]
        gone = [definition for definition in found.values() if definition["status"] != "ACTIVE"]
        for definition in gone:
            definition["status"] = "DELETE_IN_PROGRESS"
        return {"taskDefinitions": gone, "failures": failures}

    def _list_definitions(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        wanted = asked.get("status", "ACTIVE")
        known = (n for n, d in self.definitions.items() if d["status"] == wanted)
        names = [n for n in known if n.startswith(asked["familyPrefix"] + ":")]
        ordered = sorted(names, key=lambda n: int(n.split(":")[1]), reverse=asked.get("sort") == "DESC")
        return {"taskDefinitionArns": [self._definition_arn(n) for n in ordered]}

    def _list_families(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        """Return the families with a revision that is ACTIVE and not somebody else's of a story."""
        active = (n for n, d in self.definitions.items() if d["status"] == "ACTIVE" and n != "iris:99")
        return {"families": sorted({name.partition(":")[0] for name in active})}

    def _definition_arn(self, name: str) -> str:
        return f"{_ARN}:task-definition/{name.rsplit('/', 1)[-1]}"

    def _revision_arn(self, d: Course) -> str:
        return f"{_ARN}:service-revision/{CLUSTER}/iris/{d.number}"

    def _at(self, seconds: float) -> float:
        return self.begin.timestamp() + seconds


def _container() -> dict[str, Any]:
    options = {
        "awslogs-group": "/model-dockerize/iris",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "service",
    }
    log = {"logDriver": "awslogs", "options": options}
    return {"name": "iris", "image": "iris:1", "essential": True, "logConfiguration": log}
