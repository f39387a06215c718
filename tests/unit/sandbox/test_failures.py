"""The failures of a service's tasks, as the scheduler counts and tells them, and what it waits for after each."""

from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.ecs import failures
from model_sandbox.ecs.decision import Stop
from model_sandbox.ecs.failures import Failure
from model_sandbox.ecs.service import Deployment, Service
from model_sandbox.ecs.task import Task
from tests.rig.ecs_stage import BALANCER, CHECKED, CLUSTER, SCOPE, Stage

ROLLED_BACK = "Service deployment rolled back because"


def begun(*balancers: dict[str, Any], **configuration: Any) -> tuple[Stage, Deployment, Task]:
    """Return a stage, its deployment, and the one task of it, which runs since now."""
    stage = Stage(container=configuration.pop("container", None), **configuration)
    deployment = stage.deploy("one", *balancers)
    task = Task(SCOPE, CLUSTER, deployment.revision.task_definition, None, "FARGATE", "service:s")
    task.deployment, stage.tasks = deployment.identity, [task]
    stage.up([task])
    return stage, deployment, task


def take_in(stage: Stage, now: float = 0.0) -> tuple[list[Stop], list[str]]:
    stops = failures.take_in(stage.service, stage.tasks, stage.now + now)
    return stops, [event["message"] for event in stage.service.events]


def counts(deployment: Deployment, now: float) -> tuple[int, int, int, float, float]:
    wait = round(deployment.not_before - now, 3)
    return (
        *(deployment.failed_tasks, deployment.consecutive, deployment.record.failures),
        *(wait, deployment.updated_at - now),
    )


def test_a_task_whose_container_is_unhealthy_is_stopped_and_counted() -> None:
    stage, deployment, task = begun(container=CHECKED)
    task.containers[0].health = "UNHEALTHY"
    told = f"(service s) (task {task.identity}) failed container health checks."
    assert take_in(stage) == ([Stop(task, "Task failed container health checks")], [told])
    assert counts(deployment, stage.now) == (1, 1, 1, 0.3, 0.0)
    task.request_stop("ServiceSchedulerInitiated", "x")
    assert take_in(stage)[0] == []
    assert deployment.failed_tasks == 1


@pytest.mark.parametrize(("live", "desired"), [("STOPPED", "RUNNING"), ("RUNNING", "STOPPED")])
def test_one_that_goes_already_is_not(live: str, desired: str) -> None:
    stage, deployment, task = begun(container=CHECKED)
    task.containers[0].health, task.last_status, task.desired_status = "UNHEALTHY", live, desired
    assert (take_in(stage), deployment.failed_tasks) == (([], []), 0)


def off_target(**settings: Any) -> tuple[Stage, Deployment, Task]:
    plain = {key: value for key, value in BALANCER.items() if key != "advancedConfiguration"}
    stage, deployment, task = begun(plain)
    stage.service.settings = settings
    task.target_state, task.target_reason = "unhealthy", "Request timed out"
    return stage, deployment, task


def test_a_task_that_its_load_balancer_finds_unhealthy_is_stopped_and_counted() -> None:
    stage, deployment, task = off_target()
    said = "(service s) (port 80) is unhealthy in (target-group a) due to (reason Request timed out)"
    assert take_in(stage) == ([Stop(task, "Task failed ELB health checks in (target-group a)")], [said])
    assert counts(deployment, stage.now) == (1, 1, 1, 0.3, 0.0)
    assert task.identity in stage.service.ended


@pytest.mark.parametrize(
    ("changes", "grace"),
    [
        ({"last_status": "PENDING"}, 0),
        ({"desired_status": "STOPPED"}, 0),
        ({"target_state": "initial"}, 0),
        ({"deployment": "none"}, 0),
        ({}, 30),
    ],
)
def test_one_that_is_not_behind_it_or_in_its_grace_is_not(changes: dict[str, str], grace: int) -> None:
    stage, deployment, task = off_target(healthCheckGracePeriodSeconds=grace)
    for name, value in changes.items():
        setattr(task, name, value)
    assert (take_in(stage, 29.0), deployment.failed_tasks) == (([], []), 0)
    if grace:
        assert len(take_in(stage, 30.0)[0]) == 1


@pytest.mark.parametrize(
    ("code", "is_failure"),
    [("EssentialContainerExited", True), ("TaskFailedToStart", True), ("UserInitiated", False)],
)
def test_a_task_that_ended_by_itself_is_counted_once(code: str, is_failure: bool) -> None:
    stage, deployment, task = begun()
    task.request_stop(code, "x")
    for _ in range(2):
        assert take_in(stage) == ([], [])
    assert deployment.failed_tasks == int(is_failure)


def test_the_pause_after_each_failure_doubles_up_to_ten_seconds() -> None:
    stage, deployment, task = begun()
    pauses = []
    for _ in range(7):
        ended = Task(SCOPE, CLUSTER, task.definition, None, "FARGATE", "service:s", deployment=deployment.identity)
        ended.request_stop("TaskFailedToStart", "x")
        stage.tasks.append(ended)
        take_in(stage, 5.0)
        pauses.append(round(deployment.not_before - stage.now - 5.0, 3))
    assert pauses == [0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 10.0]


@pytest.mark.parametrize(("resets", "consecutive"), [(None, 0), (True, 0), (False, 2)])
def test_a_healthy_task_ends_the_row_of_failures_once(resets: bool | None, consecutive: int) -> None:
    breaker = {"enable": True} if resets is None else {"enable": True, "resetOnHealthyTask": resets}
    stage, deployment, _ = begun(deploymentCircuitBreaker=breaker)
    deployment.consecutive = 2
    take_in(stage, 0.5)
    assert deployment.consecutive == 2  # it has not run for long enough
    take_in(stage, 1.0)
    assert deployment.consecutive == consecutive
    deployment.consecutive = 1
    take_in(stage, 1.5)
    assert deployment.consecutive == 1


def test_tasks_of_an_older_deployment_are_looked_at_but_not_counted() -> None:
    stage, older, task = begun(container=CHECKED)
    newer = stage.deploy("two")
    task.containers[0].health = "UNHEALTHY"
    newer.consecutive = 2
    assert len(take_in(stage)[0]) == 1
    assert [(each.failed_tasks, each.consecutive) for each in (older, newer)] == [(0, 0), (0, 2)]
    task.containers[0].health = "HEALTHY"
    stage.service.ended.clear()
    take_in(stage)
    assert newer.consecutive == 2
    task.request_stop("TaskFailedToStart", "x")
    take_in(stage)
    assert (older.failed_tasks, newer.failed_tasks) == (0, 0)


def verdict(stage: Stage, deployment: Deployment) -> Failure | None:
    return failures.failure(stage.service, deployment, stage.around)


def test_the_reasons_to_end_a_deployment_in_their_order() -> None:
    alarms = {"enable": True, "rollback": True, "alarmNames": ["b", "a", "c"]}
    stage, deployment, _ = begun(alarms=alarms, deploymentCircuitBreaker={"enable": True, "rollback": False})
    record = deployment.record
    assert verdict(stage, deployment) is None
    stage.around.alarms = {"a", "b", "other"}
    assert verdict(stage, deployment) == Failure(f"{ROLLED_BACK} CloudWatch alarms were triggered: a, b.", True)
    assert (record.alarms.triggered, record.breaker) == ({"a", "b"}, "MONITORING")
    deployment.consecutive = 2
    assert verdict(stage, deployment) == Failure(f"{ROLLED_BACK} CloudWatch alarms were triggered: a, b.", True)
    deployment.consecutive = 3
    tripped = Failure(f"{ROLLED_BACK} the circuit breaker threshold was exceeded.", False)
    assert verdict(stage, deployment) == tripped
    assert record.breaker == "TRIGGERED"
    record.cause = "somebody stopped it"
    assert verdict(stage, deployment) == Failure("somebody stopped it", True)
    deployment.is_rollback = True
    assert verdict(stage, deployment) == tripped
    deployment.consecutive = 0
    assert verdict(stage, deployment) is None
    deployment.is_rollback, record.cause = False, ""
    stage.service.records[0].alarms.rollback = False
    found = verdict(stage, deployment)
    assert found is not None
    assert not found.goes_back
    stage.around.alarms = set()
    assert (verdict(stage, deployment), record.alarms.triggered) == (None, frozenset())


def test_without_a_breaker_failures_end_nothing_and_alarms_of_before_do_not_count() -> None:
    stage = Stage(deploymentCircuitBreaker={}, alarms={"enable": True, "alarmNames": ["a"]})
    stage.around.alarms = {"a"}
    deployment = stage.deploy("one")
    deployment.consecutive = 99
    assert verdict(stage, deployment) is None
    assert deployment.record.breaker == "DISABLED"
    off = Stage(alarms={"enable": False, "alarmNames": ["a"]})
    off.around.alarms = {"a"}
    assert verdict(off, off.deploy("one")) is None


@pytest.mark.parametrize(
    ("desired", "configured", "threshold"),
    [
        (1, {}, 3),
        (6, {}, 3),
        (7, {}, 4),
        (1000, {}, 200),
        (10, {"type": "COUNT", "value": 5}, 5),
        (10, {"type": "COUNT", "value": 0}, 1),
        (10, {"type": "BOUNDED_PERCENT", "value": 25}, 3),
        (20, {"value": 25}, 5),
        (10, {"type": "UNBOUNDED_PERCENT", "value": 11}, 2),
        (0, {"type": "UNBOUNDED_PERCENT", "value": 50}, 1),
        (1000, {"type": "UNBOUNDED_PERCENT"}, 500),
    ],
)
def test_how_many_failures_trip_the_breaker(desired: int, configured: dict[str, Any], threshold: int) -> None:
    breaker = {"thresholdConfiguration": configured}
    service = Service(SCOPE, "arn", "s", CLUSTER, desired, 0.0, {"deploymentCircuitBreaker": breaker})
    assert service.threshold() == threshold


@pytest.mark.parametrize(
    ("desired", "configuration", "least", "most"),
    [
        (3, {}, 3, 6),
        (3, {"minimumHealthyPercent": 50, "maximumPercent": 150}, 2, 4),
        (1, {"minimumHealthyPercent": 0, "maximumPercent": 100}, 0, 1),
        (4, {"minimumHealthyPercent": 75, "maximumPercent": 125}, 3, 5),
    ],
)
def test_how_many_tasks_there_are_while_it_rolls(
    desired: int, configuration: dict[str, int], least: int, most: int
) -> None:
    service = Service(SCOPE, "arn", "s", CLUSTER, desired, 0.0, configuration)
    assert (service.minimum_healthy, service.maximum) == (least, most)


def test_a_service_keeps_its_last_hundred_events() -> None:
    service = Service(SCOPE, "arn", "s", CLUSTER, 1, 0.0)
    for number in range(101):
        service.say(str(number), float(number))
    assert [(event["message"], event["createdAt"]) for event in service.events] == [
        (f"(service s) {number}", float(number)) for number in range(100, 0, -1)
    ]
    assert len({event["id"] for event in service.events}) == 100


def test_a_deployment_that_nobody_uses_any_more_is_forgotten_though_the_newest_failed() -> None:
    stage = Stage(deploymentCircuitBreaker={"enable": True, "rollback": False})
    stage.deploy("one")
    newest = stage.deploy("two")
    newest.consecutive = 3
    stage.step()
    assert [each.revision.arn for each in stage.service.deployments] == ["two"]
    assert (newest.state, newest.record.status) == ("FAILED", "STOPPED")


def test_what_a_task_needs_to_count_as_healthy() -> None:
    _, _, task = begun()
    start = task.times["startedAt"]
    assert [task.is_healthy(start + age) for age in (0.9, 1.0)] == [False, True]
    for state, healthy in (("initial", False), ("unhealthy", False), ("healthy", True), ("", True)):
        task.target_state = state
        assert task.is_healthy(start + 2) is healthy
    task.containers[0].definition = CHECKED
    for health, healthy in (("UNKNOWN", False), ("UNHEALTHY", False), ("HEALTHY", True)):
        task.containers[0].health = health
        assert (task.health, task.is_healthy(start)) == (health, healthy)
    task.containers[0].definition = {**CHECKED, "essential": False}
    assert (task.health, task.is_healthy(start)) == ("UNKNOWN", False)
    for name in ("last_status", "desired_status"):
        setattr(task, name, "STOPPED")
        assert not task.is_healthy(start + 2)
        setattr(task, name, "RUNNING")
    several: Any = SimpleNamespace(definition=CHECKED, health="UNKNOWN", is_essential=True)
    task.containers[0].definition, task.containers[0].health = CHECKED, "UNHEALTHY"
    task.containers.append(several)
    assert task.health == "UNHEALTHY"
    task.containers[0].health = "HEALTHY"
    assert task.health == "UNKNOWN"
