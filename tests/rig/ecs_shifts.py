"""The state behind the simulator of ECS where traffic shifts: the sandbox's own scheduler on the simulator's clock.

Stages, weights, hooks, refusals and rollbacks are `model_sandbox.ecs`; that AWS does the same is what docs/aws-facts.md
says. Stories tell the rest: when tasks run and die, and what other people and services do in the middle of it.
"""

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from tests.rig.ecs_stage import Around
from tests.rig.ecs_stories import NEVER, Story
from tests.rig.ecs_world import CLUSTER, CLUSTER_ARN, SCOPE, SERVICE_ARN, Refused, World

from model_sandbox.api import ApiError
from model_sandbox.ecs import rollout
from model_sandbox.ecs.service import Deployment, Service, ServiceDeployment
from model_sandbox.ecs.service_deployments import ServiceDeployments
from model_sandbox.ecs.services import Services
from model_sandbox.ecs.state import State
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.task_runner import TaskRunner
from model_sandbox.ecs.tasks import Tasks
from model_sandbox.network import AwsVpc

_TICK = 0.5
_ALARM = "rig-alarm"  # every deployment of a story with `alarmed` heeds it


class ShiftingWorld(World):
    """One account with one service. `around` holds its listener rules, alarms and the length of a minute."""

    surroundings: type[Around] = Around

    def __init__(self, stories: list[Story], begin: datetime, running: str | None) -> None:
        self.around, self._at_work = self.surroundings(), 0.0
        self._told: dict[str, Story] = {}  # service deployment -> its story
        super().__init__(stories, begin, None)
        self._state = State(self._upstream(), _network(), self._moment)  # bound, so that a copy reads its own clock
        balancers: Any = SimpleNamespace(is_used=lambda _: True)
        self._services = Services(self._state, balancers, self.around)
        self._shown_deployments = ServiceDeployments(self._state)
        runner: TaskRunner = None  # type: ignore[assignment]  # stories have services only
        self._shown_tasks = Tasks(self._state, runner, lambda *_: False)
        if running:
            self._at_work = -1000.0
            asked = {"cluster": CLUSTER, "serviceName": "iris", "taskDefinition": running, "launchType": "FARGATE"}
            self._services.create_service(asked)
            self._state.upstream.ecs._tags[SERVICE_ARN] = [{"key": "model-dockerize", "value": "service"}]
            self._told[self.service.records[0].arn] = Story(steady=0, runs=0)
            self._pass(0.0)

    def _moment(self) -> float:
        return self._at(self._at_work)

    def count_deployments(self) -> int:
        return sum(len(service.records) for service in self._state.services.values())

    @property
    def service(self) -> Service:
        return self._state.services[SERVICE_ARN]

    def answer(self, operation: str, asked: dict[str, Any], now: float) -> dict[str, Any]:
        """Return the parsed answer of AWS to one call."""
        self._pass(now)
        answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "CreateService": self._services.create_service,
            "UpdateService": self._services.update_service,
            "DeleteService": self._services.delete_service,
            "DescribeServices": self._services.describe_services,
            "ListServices": self._services.list_services,
            "ListServiceDeployments": self._shown_deployments.list_service_deployments,
            "DescribeServiceDeployments": self._shown_deployments.describe_service_deployments,
            "DescribeServiceRevisions": self._shown_deployments.describe_service_revisions,
            "ContinueServiceDeployment": self._shown_deployments.continue_service_deployment,
            "StopServiceDeployment": self._shown_deployments.stop_service_deployment,
            "ListTasks": self._shown_tasks.list_tasks,
            "DescribeTasks": self._shown_tasks.describe_tasks,
        }
        if operation not in answers:
            return super().answer(operation, asked, now)
        try:
            said = answers[operation](asked)
        except ApiError as error:
            raise Refused(error.code, str(error), error.status) from error
        self._begin_stories()
        self._pass(now)
        return said

    # ---- what happens by itself

    def _begin_stories(self) -> None:
        """Give each new deployment that a client has asked for the next story."""
        records = self._state.services[SERVICE_ARN].records if SERVICE_ARN in self._state.services else []
        for record in records:
            if record.arn not in self._told:
                self._told[record.arn] = story = self.stories.pop(0) if self.stories else Story(steady=5)
                if story.alarmed < NEVER:
                    record.alarms.names, record.alarms.rollback = (_ALARM,), True

    def _pass(self, now: float) -> None:
        """Let the scheduler and the stories go on to `now`."""
        while self._at_work < now:
            self._at_work = min(now, self._at_work + _TICK)
            if SERVICE_ARN in self._state.services:
                self._meddle()
                moment, tasks = self._at(self._at_work), self._state.tasks_of(self.service)
                for task in tasks:
                    self._live(task, moment)
                rollout.run(self.service, tasks, moment, self.around, self._start)

    def _meddle(self) -> None:
        """Do what people and services do in the middle of the newest deployment, as its story says."""
        record = self.service.records[0]
        if record.finished_at is not None or not (story := self._told.get(record.arn)):
            return
        age = self._at(self._at_work) - record.created_at
        self.around.alarms = {_ALARM} if age >= story.alarmed else set()
        if age >= story.hook_fails:
            record.cause = record.cause or (
                "Service deployment rolled back because POST_SCALE_UP lifecycle hook(s) failed. Lifecycle hook target "
                "arn:aws:lambda:us-east-1:123456789012:function:theirs returned FAILED status."
            )
        if age >= story.stopped and record.status == "IN_PROGRESS":
            self._shown_deployments.stop_service_deployment({"serviceDeploymentArn": record.arn})
        if age >= story.superseded:
            self._services.update_service({"cluster": CLUSTER, "service": "iris", "taskDefinition": "iris:99"})
            self._told[self.service.records[0].arn] = Story(steady=30)

    def _start(self, deployment: Deployment) -> Task:
        definition = deployment.revision.task_definition
        task = Task(
            SCOPE,
            CLUSTER_ARN,
            definition,
            AwsVpc((), (), public_address=True),
            "FARGATE",
            "service:iris",
            started_by=deployment.identity,
            deployment=deployment.identity,
            created_at=self._at(self._at_work),
        )
        self._state.tasks[task.arn] = task
        return task

    def _live(self, task: Task, moment: float) -> None:
        """Let a task run and die when its deployment's story says so, and stop when it is asked to."""
        record, story = self._story_of(task)
        ends = [record.created_at + at for at in story.dies if record.created_at + at > task.created_at]
        if task.last_status == "PROVISIONING" and moment >= task.created_at + story.runs:
            task.last_status, task.times["startedAt"] = "RUNNING", moment
            task.containers[0].status, task.interface = "RUNNING", {"networkInterfaceId": self.interface}
        if task.is_live and ends and moment >= min(ends):
            task.request_stop("EssentialContainerExited", "Essential container in task exited")
            task.containers[0].exit_code = story.exit_code
        if task.is_live and task.stopping.is_set():
            task.last_status, task.times["stoppedAt"] = "STOPPED", moment
            task.containers[0].status = "STOPPED"

    def _story_of(self, task: Task) -> tuple[ServiceDeployment, Story]:
        number = task.deployment.rsplit("/", 1)[-1]
        for record in self.service.records:
            if record.target.arn.endswith(f"/{number}"):
                return record, self._told.get(record.arn, Story(steady=5))
        return self.service.records[-1], Story(steady=0)

    # ---- beside the service

    def _upstream(self) -> Any:
        ecs = SimpleNamespace(
            _resolve_cluster_name=lambda name: name.rsplit("/", 1)[-1],
            _clusters={CLUSTER: {"clusterArn": CLUSTER_ARN, "status": "ACTIVE"}},
            _resolve_td_key=lambda name: name.rsplit("/", 1)[-1],
            _task_defs=self.definitions,
            _tags={},
        )
        return SimpleNamespace(scope=lambda: SCOPE, ecs=ecs, iam=SimpleNamespace(_roles={}))

    def _tag(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        gone = {"tagKeys": [tag["key"] for tag in asked["tags"]], **asked}
        self._untag(gone, now)
        self._state.upstream.ecs._tags[SERVICE_ARN] += asked["tags"]
        return {}

    def _untag(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        tags = self._state.upstream.ecs._tags
        tags[SERVICE_ARN] = [tag for tag in tags.get(SERVICE_ARN, []) if tag["key"] not in asked["tagKeys"]]
        return {}

    def _log_events(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        for task in self._state.tasks_of(self.service):
            if asked["logStreamName"].endswith(task.identity):
                return {"events": [{"message": line} for line in self._story_of(task)[1].log]}
        raise Refused("ResourceNotFoundException", "The specified log stream does not exist.")


class CheckedWorld(ShiftingWorld):
    """A world whose tasks answer their health check once they have run for five seconds."""

    def _live(self, task: Task, moment: float) -> None:
        super()._live(task, moment)
        for container in task.containers:
            is_well = task.last_status == "RUNNING" and moment >= task.times["startedAt"] + 5
            container.health = "HEALTHY" if is_well else "UNKNOWN"


def _network() -> Any:
    return SimpleNamespace(check=lambda *_: None, zone_of=lambda _: "")
