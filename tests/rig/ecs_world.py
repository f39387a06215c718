"""The state behind the simulator of ECS: one service, whose deployments end as their stories say."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

_ARN = "arn:aws:ecs:us-east-1:123456789012"
CLUSTER = "c"
SERVICE_ARN = f"{_ARN}:service/{CLUSTER}/iris"
NEVER = float("inf")


class Refused(Exception):  # noqa: N818 - it is AWS that refuses, by script
    """AWS answers with an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass(frozen=True)
class Story:
    """The course of a deployment; times in seconds after it was asked for."""

    steady: float = NEVER  # ECS calls it complete
    runs: float = 2.0  # its tasks are RUNNING
    visible: float = 0.0  # every reader sees it
    dies: tuple[float, ...] = ()  # a task of it stops, each time
    fails: float = NEVER  # the circuit breaker trips
    back: float = NEVER  # what was before is complete again; NEVER with `fails`: no rollback
    back_fails: float = NEVER  # the rollback is given up
    superseded: float = NEVER  # somebody else deploys iris:99
    paused: float = NEVER  # a hook waits for a person
    stopped: float = NEVER  # somebody stops it
    deleted: float = NEVER  # somebody deletes the service
    drained: float = 0.0  # seconds after `steady` until the tasks of before are gone
    exit_code: int = 1
    log: tuple[str, ...] = ("loading the model", "ImportError: no module named 'weights'")


@dataclass(frozen=True)
class _Deployment:
    number: int
    definition: str  # family:revision
    begun: float
    story: Story
    kind: str = "asked"  # asked for by a client of ours; rollback; other
    desired: int = 1
    replaced: float = NEVER  # when a newer one took over

    def since(self, now: float) -> float:
        return now - self.begun

    def state(self, now: float) -> str:
        age = min(self.since(now), self.replaced - self.begun)
        if age >= self.story.fails:
            return "FAILED"
        return "COMPLETED" if age >= self.story.steady else "IN_PROGRESS"

    def running(self, now: float) -> int:
        alive = self.since(now) >= self.story.runs > max(self.story.dies, default=-1) and self.state(now) != "FAILED"
        return self.desired if alive else 0


@dataclass
class World:
    """One account, as far as a rollout looks at it."""

    stories: list[Story]
    begin: datetime
    running: str | None
    deployments: list[_Deployment] = field(default_factory=list)
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
            self.deployments.append(_Deployment(1, self.running, -1000, Story(steady=0, runs=0)))
            self.tags["model-dockerize"] = "service"

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
        self.deployments.append(_Deployment(len(self.deployments) + 1, definition, now, story, kind, desired))

    def _former(self, of: _Deployment) -> _Deployment | None:
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

    def _shown(self, now: float) -> list[_Deployment]:
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

    def _service(self, shown: list[_Deployment], now: float, with_tags: bool = False) -> dict[str, Any]:
        primary = shown[0]
        entries = [self._entry(d, now, d is primary) for d in shown]
        tags = [{"key": k, "value": v} for k, v in self.tags.items()]
        deleted = primary.since(now) >= primary.story.deleted
        return {
            "serviceArn": SERVICE_ARN,
            "serviceName": "iris",
            "clusterArn": f"{_ARN}:cluster/{CLUSTER}",
            "status": "DRAINING" if deleted else "ACTIVE",
            "launchType": "FARGATE",
            **self.traffic,
            "desiredCount": primary.desired,
            "runningCount": sum(e["runningCount"] for e in entries),
            "pendingCount": sum(e["pendingCount"] for e in entries),
            "taskDefinition": self._definition_arn(primary.definition),
            "deploymentConfiguration": self.configuration,
            "networkConfiguration": self.network,
            "enableExecuteCommand": False,
            "propagateTags": "SERVICE",
            "deployments": entries,
            "events": self._events(now),
            **({"tags": tags} if with_tags else {}),
        }

    def _entry(self, d: _Deployment, now: float, primary: bool) -> dict[str, Any]:
        state, failed = d.state(now), sum(1 for at in d.story.dies if d.since(now) >= at)
        reasons = {
            "FAILED": "ECS deployment circuit breaker: tasks failed to start.",
            "COMPLETED": f"ECS deployment ecs-svc/{d.number} completed.",
            "IN_PROGRESS": f"ECS deployment ecs-svc/{d.number} in progress.",
        }
        reason = reasons[state]
        if d.kind == "rollback" and state != "COMPLETED":
            reason = f"ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/{d.number}."
        running = 0 if not primary and state == "FAILED" else d.running(now)
        return {
            "id": f"ecs-svc/{d.number}",
            "status": "PRIMARY" if primary else "ACTIVE",
            "taskDefinition": self._definition_arn(d.definition),
            "desiredCount": d.desired,
            "runningCount": running,
            "pendingCount": d.desired - running if state == "IN_PROGRESS" else 0,
            "failedTasks": failed,
            "createdAt": self._at(d.begun),
            "launchType": "FARGATE",
            "rolloutState": state,
            "rolloutStateReason": reason,
        }

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

    def _status(self, d: _Deployment, now: float) -> str:
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

    def _rolled_back(self, d: _Deployment) -> bool:
        return any(n.kind == "rollback" and n.number == d.number + 1 for n in self.deployments)

    def _brief(self, d: _Deployment, now: float) -> dict[str, Any]:
        status = self._status(d, now)
        reason = "The circuit breaker threshold was exceeded." if d.since(now) >= d.story.fails else ""
        return {
            "serviceDeploymentArn": f"{_ARN}:service-deployment/{CLUSTER}/iris/sd{d.number}",
            "serviceArn": SERVICE_ARN,
            "clusterArn": f"{_ARN}:cluster/{CLUSTER}",
            "createdAt": self._at(d.begun),
            "status": status,
            **({"statusReason": reason} if reason else {}),
        }

    def _list_service_deployments(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        wanted = asked.get("status")
        briefs = [
            {**self._brief(d, now), "targetServiceRevisionArn": self._revision_arn(d)}
            for d in reversed(self.deployments)
            if d.kind != "rollback" and (not wanted or self._status(d, now) in wanted)
        ]
        return {"serviceDeployments": briefs}

    def _describe_service_deployments(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        found = []
        for arn in asked["serviceDeploymentArns"]:
            d = self.deployments[int(arn.rsplit("/sd", 1)[-1]) - 1]
            said = self._brief(d, now)
            failures = sum(1 for at in d.story.dies if d.since(now) >= at)
            said["deploymentCircuitBreaker"] = {"status": "MONITORING", "failureCount": failures, "threshold": 2}
            said["lifecycleStage"] = "SCALE_UP"
            if d.since(now) >= d.story.paused:
                hook = {"hookId": "hook-1", "targetType": "PAUSE", "status": "AWAITING_ACTION"}
                said |= {"lifecycleHookDetails": [hook], "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT"}
            found.append(said)
        return {"serviceDeployments": found, "failures": []}

    def _describe_service_revisions(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        found = []
        for arn in asked["serviceRevisionArns"]:
            d = self.deployments[int(arn.rsplit("/", 1)[-1]) - 1]
            definition = self._definition_arn(d.definition)
            found.append({"serviceRevisionArn": arn, "taskDefinition": definition, "serviceArn": SERVICE_ARN})
        return {"serviceRevisions": found, "failures": []}

    # Tasks

    def _tasks(self, now: float) -> dict[str, dict[str, Any]]:
        tasks = {}
        for d in self.deployments:
            shared = {
                "taskDefinitionArn": self._definition_arn(d.definition),
                "startedBy": f"ecs-svc/{d.number}",
                "group": "service:iris",
                "clusterArn": f"{_ARN}:cluster/{CLUSTER}",
            }
            for i, at in enumerate(d.story.dies):
                if d.since(now) >= at:
                    arn = f"{_ARN}:task/{CLUSTER}/dead{d.number}{i}"
                    container = {"name": "iris", "exitCode": d.story.exit_code, "lastStatus": "STOPPED"}
                    why = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container exited"}
                    times = {"createdAt": self._at(d.begun), "stoppedAt": self._at(d.begun + at)}
                    tasks[arn] = {
                        "taskArn": arn, "lastStatus": "STOPPED", "containers": [container], **why, **times, **shared
                    }  # fmt: skip
            if d in self._shown(now) and d.running(now):
                arn = f"{_ARN}:task/{CLUSTER}/task{d.number}"
                details = [{"name": "networkInterfaceId", "value": self.interface}]
                attachment = {"type": "ElasticNetworkInterface", "status": "ATTACHED", "details": details}
                tasks[arn] = {"taskArn": arn, "lastStatus": "RUNNING", "attachments": [attachment], **shared}
        return tasks

    def _list_tasks(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        wanted = asked.get("desiredStatus", "RUNNING")
        if asked.get("cluster", CLUSTER).rsplit("/", 1)[-1] != CLUSTER:
            return {"taskArns": []}
        return {"taskArns": [arn for arn, t in self._tasks(now).items() if t["lastStatus"] == wanted]}

    def _describe_tasks(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        tasks = self._tasks(now)
        return {"tasks": [tasks[arn] for arn in asked["tasks"] if arn in tasks], "failures": []}

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

    def _revision_arn(self, d: _Deployment) -> str:
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
