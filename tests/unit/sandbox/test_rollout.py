"""The service scheduler decides as ECS does, second by second, without a container."""

import pytest

from model_sandbox.ecs import shapes
from tests.rig.ecs_stage import CHECKED, Stage


def test_a_first_deployment_completes_and_says_so() -> None:
    stage = Stage()
    stage.steady()
    assert "has reached a steady state." in stage.service.events[0]["message"]
    assert stage.service.records[0].status == "SUCCESSFUL"
    assert [stage.step() for _ in range(3)] == [[], [], []]
    assert sum("has reached a steady state." in event["message"] for event in stage.service.events) == 1


@pytest.mark.parametrize(
    ("providers", "shown"),
    [
        ([], {"launchType": "FARGATE"}),
        (["FARGATE_SPOT"], {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}),
    ],
)
def test_a_service_shows_a_launch_type_or_capacity_providers(providers: list[str], shown: dict[str, object]) -> None:
    stage = Stage()
    if providers:
        stage.service.settings["capacityProviderStrategy"] = [{"capacityProvider": name} for name in providers]
    stage.steady()
    service = shapes.service(stage.service, stage.tasks, None)
    revision = shapes.service_revision(stage.service, stage.service.primary.revision)
    for told in (service, service["deployments"][0], revision):
        assert {key: told[key] for key in ("launchType", "capacityProviderStrategy") if key in told} == shown


def test_the_old_task_stops_only_after_the_new_one_is_healthy() -> None:
    stage = Stage(container=CHECKED)
    stage.deploy("one")
    (old,) = stage.step()
    stage.up([old])
    old.containers[0].health = "HEALTHY"
    stage.step()
    stage.deploy("two")
    (new,) = stage.step()
    stage.up([new])
    for _ in range(20):
        stage.step()
    assert stage.running == [old, new], "running is not yet healthy"
    new.containers[0].health = "HEALTHY"
    stage.step()
    assert stage.running == [new]
    assert old.stop_code == "ServiceSchedulerInitiated"
    assert stage.service.primary.state == "IN_PROGRESS", "complete only when the old one is gone"
    stage.step()
    assert [d.state for d in stage.service.deployments] == ["COMPLETED"]


def test_crashes_on_the_first_deployment_trip_the_breaker_with_growing_pauses() -> None:
    stage = Stage()
    deployment = stage.deploy("one")
    pauses = []
    for _ in range(3):
        waited = 0.0
        while not (started := stage.step(0.1)):
            waited += 0.1
        pauses.append(waited)
        stage.crash(started)
    stage.step()
    assert pauses == sorted(pauses)
    assert pauses[-1] > 0
    assert (deployment.state, deployment.failed_tasks) == ("FAILED", 3)
    assert deployment.record.status == "ROLLBACK_FAILED", "there is nothing to go back to"
    assert all(stage.step(10) == [] for _ in range(5))


def test_crashes_on_an_update_roll_back_to_the_tasks_that_never_stopped() -> None:
    stage = Stage()
    (old,) = stage.steady()
    bad = stage.deploy("two")
    for _ in range(3):
        while not (started := stage.step()):
            pass
        stage.crash(started)
    stage.step(0.1)
    assert (bad.state, bad.record.status) == ("FAILED", "ROLLBACK_IN_PROGRESS")
    assert stage.service.primary.reason.startswith("ECS deployment circuit breaker: rolling back to deploymentId ")
    for _ in range(10):
        stage.step()
    assert stage.running == [old]
    assert bad.record.status == "ROLLBACK_SUCCESSFUL"
    assert [d.revision.arn for d in stage.service.deployments] == ["one"]


def test_without_rollback_a_failed_update_leaves_the_old_task_alone() -> None:
    stage = Stage(deploymentCircuitBreaker={"enable": True, "rollback": False})
    (old,) = stage.steady()
    bad = stage.deploy("two")
    for _ in range(3):
        while not (started := stage.step()):
            pass
        stage.crash(started)
    for _ in range(5):
        stage.step()
    assert (bad.state, bad.status, bad.record.status) == ("FAILED", "PRIMARY", "STOPPED")
    assert stage.running == [old]


def test_without_a_breaker_it_tries_for_ever() -> None:
    stage = Stage(deploymentCircuitBreaker={"enable": False, "rollback": False})
    deployment = stage.deploy("one")
    for _ in range(6):
        while not (started := stage.step(1)):
            pass
        stage.crash(started)
    stage.step()
    assert (deployment.state, deployment.failed_tasks) == ("IN_PROGRESS", 6)


def test_an_unhealthy_task_is_stopped_and_counts() -> None:
    stage = Stage(container=CHECKED)
    deployment = stage.deploy("one")
    (task,) = stage.step()
    stage.up([task])
    task.containers[0].health = "UNHEALTHY"
    stage.step()
    assert task.stopped_reason == "Task failed container health checks"
    assert deployment.failed_tasks == 1
    stage.step()
    assert deployment.failed_tasks == 1, "counted once"


def test_a_newer_deployment_supersedes_one_under_way() -> None:
    stage = Stage()
    (old,) = stage.steady()
    second = stage.deploy("two")
    stage.up(stage.step())
    stage.deploy("three")
    assert second.record.status == "STOPPED"
    for _ in range(10):
        stage.up([t for t in stage.step() if t])
    assert [t.deployment for t in stage.running] == [stage.service.primary.identity]
    assert stage.service.primary.revision.arn == "three"
    assert old not in stage.running


def test_two_tasks_roll_over_without_falling_below_two() -> None:
    stage = Stage(desired=2)
    stage.steady()
    stage.deploy("two")
    fewest = 2
    for _ in range(20):
        stage.up(stage.step())
        fewest = min(fewest, len(stage.running))
    assert fewest == 2
    assert len(stage.running) == 2
    assert stage.service.primary.state == "COMPLETED"


def test_maximum_percent_limits_how_many_run_at_once() -> None:
    stage = Stage(desired=2, maximumPercent=150, minimumHealthyPercent=50)
    stage.steady()
    stage.deploy("two")
    most = 0
    for _ in range(20):
        stage.up(stage.step())
        most = max(most, len(stage.running))
    assert most <= 3
    assert stage.service.primary.state == "COMPLETED"


def test_scale_up_and_down_to_nothing() -> None:
    stage = Stage()
    stage.steady()
    stage.service.desired = 3
    stage.up(stage.step())
    assert len(stage.running) == 3
    stage.service.desired = 0
    stage.step()
    assert stage.running == []
    assert stage.step() == []


def test_a_killed_task_of_a_complete_deployment_is_replaced() -> None:
    stage = Stage()
    stage.crash(stage.steady())
    replaced = [task for _ in range(4) for task in stage.step()]
    assert len(replaced) == 1
    assert stage.service.primary.state == "COMPLETED"


def test_a_deleted_service_drains_and_is_then_inactive() -> None:
    stage = Stage()
    stage.steady()
    stage.service.status = "DRAINING"
    stage.step()
    assert stage.running == []
    stage.step()
    assert stage.service.status == "INACTIVE"


@pytest.mark.parametrize(
    ("desired", "wanted", "threshold"),
    [
        (1, None, 3),
        (10, None, 5),
        (1000, None, 200),
        (1, {"type": "COUNT", "value": 1}, 1),
        (4, {"type": "UNBOUNDED_PERCENT", "value": 50}, 2),
    ],
)
def test_threshold(desired: int, wanted: dict[str, object] | None, threshold: int) -> None:
    breaker = {"enable": True, **({"thresholdConfiguration": wanted} if wanted else {})}
    assert Stage(desired, deploymentCircuitBreaker=breaker).service.threshold() == threshold
